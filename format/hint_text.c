// Tables of crit's words for numbers.
#include "format/hint_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct word {
	const char *name;
	uint64_t value;
};

// Bits and names as the kernel and CRIU publish them. Source: crit 4.2, observed.
static const struct word mmap_prot[] = {
	{ "PROT_READ", 0x1 }, { "PROT_WRITE", 0x2 }, { "PROT_EXEC", 0x4 }, { NULL, 0 },
};
static const struct word mmap_flags[] = {
	{ "MAP_SHARED", 0x1 }, { "MAP_PRIVATE", 0x2 }, { "MAP_DROPPABLE", 0x8 },
	{ "MAP_ANON", 0x20 }, { "MAP_GROWSDOWN", 0x100 }, { NULL, 0 },
};
static const struct word mmap_status[] = {
	{ "VMA_AREA_REGULAR", 1u << 0 }, { "VMA_AREA_STACK", 1u << 1 },
	{ "VMA_AREA_VSYSCALL", 1u << 2 }, { "VMA_AREA_VDSO", 1u << 3 },
	{ "VMA_AREA_HEAP", 1u << 5 }, { "VMA_FILE_PRIVATE", 1u << 6 },
	{ "VMA_FILE_SHARED", 1u << 7 }, { "VMA_ANON_SHARED", 1u << 8 },
	{ "VMA_ANON_PRIVATE", 1u << 9 }, { "VMA_AREA_SYSVIPC", 1u << 10 },
	{ "VMA_AREA_SOCKET", 1u << 11 }, { "VMA_AREA_VVAR", 1u << 12 },
	{ "VMA_AREA_AIORING", 1u << 13 }, { "VMA_AREA_MEMFD", 1u << 14 },
	{ "VMA_AREA_SHSTK", 1u << 15 }, { "VMA_AREA_UPROBES", 1u << 17 },
	{ "VMA_UNSUPP", 1u << 31 }, { "VMA_AREA_NONE", 0 }, { NULL, 0 },
};
static const struct word rfile_flags[] = {
	{ "O_WRONLY", 01 }, { "O_RDWR", 02 }, { "O_CREAT", 0100 }, { "O_EXCL", 0200 },
	{ "O_NOCTTY", 0400 }, { "O_TRUNC", 01000 }, { "O_APPEND", 02000 },
	{ "O_NONBLOCK", 04000 }, { "O_DSYNC", 010000 }, { "FASYNC", 020000 },
	{ "O_DIRECT", 040000 }, { "O_LARGEFILE", 0100000 }, { "O_DIRECTORY", 0200000 },
	{ "O_NOFOLLOW", 0400000 }, { "O_NOATIME", 01000000 }, { "O_CLOEXEC", 02000000 },
	{ NULL, 0 },
};
static const struct word seals[] = {
	{ "F_SEAL_SEAL", 0x1 }, { "F_SEAL_SHRINK", 0x2 }, { "F_SEAL_GROW", 0x4 },
	{ "F_SEAL_WRITE", 0x8 }, { "F_SEAL_FUTURE_WRITE", 0x10 }, { NULL, 0 },
};
static const struct word pmap_flags[] = {
	{ "PE_PARENT", 1 }, { "PE_LAZY", 2 }, { "PE_PRESENT", 4 }, { NULL, 0 },
};

static const struct word *const flag_tables[] = {
	[CRIMG_HINT_FLAGS_RFILE] = rfile_flags,
	[CRIMG_HINT_FLAGS_SEALS] = seals,
	[CRIMG_HINT_FLAGS_PMAP] = pmap_flags,
	[CRIMG_HINT_FLAGS_MMAP] = mmap_flags,
	[CRIMG_HINT_FLAGS_MMAP_PROT] = mmap_prot,
	[CRIMG_HINT_FLAGS_MMAP_STATUS] = mmap_status,
};

static const struct word *flag_table(enum crimg_hint hint)
{
	size_t i = hint;
	return i < sizeof flag_tables / sizeof flag_tables[0] ? flag_tables[i] : NULL;
}

static const struct word sk_family[] = {
	{ "UNIX", 1 }, { "INET", 2 }, { "INET6", 10 }, { "NETLINK", 16 }, { "PACKET", 17 },
	{ NULL, 0 },
};
static const struct word sk_type[] = {
	{ "STREAM", 1 }, { "DGRAM", 2 }, { "RAW", 3 }, { "SEQPACKET", 5 }, { "PACKET", 10 },
	{ NULL, 0 },
};
static const struct word sk_state[] = {
	{ "ESTABLISHED", 1 }, { "SYN_SENT", 2 }, { "SYN_RECV", 3 }, { "FIN_WAIT1", 4 },
	{ "FIN_WAIT2", 5 }, { "TIME_WAIT", 6 }, { "CLOSE", 7 }, { "CLOSE_WAIT", 8 },
	{ "LAST_ACK", 9 }, { "LISTEN", 10 }, { NULL, 0 },
};
static const struct word sk_proto[] = {
	{ "IP", 0 }, { "TCP", 6 }, { "UDP", 17 }, { "UDPLITE", 136 }, { NULL, 0 },
};
// These names are crit's and wrong (3 is stopped, 2 a zombie), but they are what its users have.
static const struct word task_state[] = {
	{ "Alive", 1 }, { "Zombie", 3 }, { "Stopped", 6 }, { NULL, 0 },
};

static const struct {
	enum crimg_hint hint;
	const char *field;
	const struct word *words;
} dictionaries[] = {
	{ CRIMG_HINT_DICT_SK, "family", sk_family }, { CRIMG_HINT_DICT_SK, "type", sk_type },
	{ CRIMG_HINT_DICT_SK, "state", sk_state },   { CRIMG_HINT_DICT_SK, "proto", sk_proto },
	{ CRIMG_HINT_DICT_GEN, "task_state", task_state },
};

static const struct word *dictionary(enum crimg_hint hint, const char *field)
{
	for (size_t i = 0; i < sizeof dictionaries / sizeof dictionaries[0]; i++)
		if (dictionaries[i].hint == hint && strcmp(dictionaries[i].field, field) == 0)
			return dictionaries[i].words;
	return NULL;
}

// All names of all tables and a rest of 64 bits fit CRIMG_HINT_TEXT_MAX; a test holds this.
static void flags_text(const struct word *table, uint64_t value, char *out)
{
	size_t used = 0;
	uint64_t rest = value;
	out[0] = '\0';
	for (const struct word *w = table; w->name != NULL; w++) {
		rest &= ~w->value;
		if ((value & w->value) != 0)
			used += (size_t)snprintf(out + used, CRIMG_HINT_TEXT_MAX - used, "%s%s",
			                         used > 0 ? " | " : "", w->name);
	}
	if (rest != 0)
		snprintf(out + used, CRIMG_HINT_TEXT_MAX - used, "%s0x%llx", used > 0 ? " | " : "",
		         (unsigned long long)rest);
}

#define MINOR_BITS 20 // of the kernel's own encoding

static void device_text(bool old, uint64_t v, char *out)
{
	// The C library's encoding: 8 + 24 bits minor, 12 + 32 bits major, interleaved.
	uint64_t major = old ? (v >> 8 & 0xfff) | (v >> 32 & ~UINT64_C(0xfff)) : v >> MINOR_BITS;
	uint64_t minor = old ? (v & 0xff) | (v >> 12 & 0xffffff00)
	                     : v & ((1u << MINOR_BITS) - 1);
	snprintf(out, CRIMG_HINT_TEXT_MAX, "%llu:%llu", (unsigned long long)major,
	         (unsigned long long)minor);
}

bool crimg_hint_text(enum crimg_hint hint, const char *field, uint64_t value, char *out)
{
	const struct word *table = flag_table(hint);
	if (table != NULL) {
		flags_text(table, value, out);
		return true;
	}
	if (hint == CRIMG_HINT_DEV || hint == CRIMG_HINT_ODEV) {
		device_text(hint == CRIMG_HINT_ODEV, value, out);
		return true;
	}
	table = dictionary(hint, field);
	for (; table != NULL && table->name != NULL; table++)
		if (table->value == value) {
			snprintf(out, CRIMG_HINT_TEXT_MAX, "%s", table->name);
			return true;
		}
	return false;
}

static unsigned digit_value(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0')
		: c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
		: c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 99;
}

static unsigned take_base(const char **p, const char *end)
{
	unsigned base = 10;
	if (end - *p < 2 || (*p)[0] != '0')
		return 10;
	switch ((*p)[1]) {
	case 'x': case 'X': base = 16; break;
	case 'o': case 'O': base = 8; break;
	case 'b': case 'B': base = 2; break;
	default: return 10;
	}
	*p += 2;
	if (*p < end && **p == '_') // one is allowed behind the prefix
		(*p)++;
	return base;
}

// Digits with single underscores between them, all of [p, end).
static bool take_digits(const char *p, const char *end, unsigned base, uint64_t *out)
{
	uint64_t value = 0;
	bool after_digit = false, zeros = base == 10 && p < end && *p == '0';
	for (; p < end; p++) {
		if (*p == '_' && after_digit) {
			after_digit = false;
			continue;
		}
		unsigned digit = digit_value(*p);
		if (digit >= base || value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
		after_digit = true;
	}
	*out = value;
	return after_digit && !(zeros && value != 0); // 010 could mean 8
}

static void trim(const char **p, const char **end)
{
	while (*p < *end && strchr(" \t\n\r\f\v", **p) != NULL)
		(*p)++;
	while (*end > *p && strchr(" \t\n\r\f\v", (*end)[-1]) != NULL)
		(*end)--;
}

static bool take_integer(const char *p, const char *end, bool *negative, uint64_t *magnitude)
{
	trim(&p, &end);
	bool minus = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	unsigned base = take_base(&p, end);
	if (!take_digits(p, end, base, magnitude))
		return false;
	*negative = minus && *magnitude != 0;
	return true;
}

static bool take_word(const struct word *table, const char *p, size_t length, uint64_t *out)
{
	for (; table != NULL && table->name != NULL; table++)
		if (strlen(table->name) == length && memcmp(table->name, p, length) == 0) {
			*out = table->value;
			return true;
		}
	return false;
}

static bool take_flags(const struct word *table, const char *text, uint64_t *out)
{
	uint64_t value = 0;
	for (const char *p = text, *end; *text != '\0'; p = end + 1) {
		uint64_t one;
		bool negative = false;
		end = p + strcspn(p, "|");
		const char *from = p, *to = end;
		trim(&from, &to);
		if (!take_word(table, from, (size_t)(to - from), &one)
		    && (!take_integer(from, to, &negative, &one) || negative))
			return false;
		value |= one;
		if (*end == '\0')
			break;
	}
	*out = value;
	return true;
}

static bool take_device(bool old, const char *text, uint64_t *out)
{
	const char *colon = strchr(text, ':');
	bool minus_major, minus_minor;
	uint64_t major, minor;
	if (!take_integer(text, colon, &minus_major, &major)
	    || !take_integer(colon + 1, colon + strlen(colon), &minus_minor, &minor)
	    || minus_major || minus_minor || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	if (old)
		*out = (major & 0xfff) << 8 | (major & ~UINT64_C(0xfff)) << 32 | (minor & 0xff)
			| (minor & ~UINT64_C(0xff)) << 12;
	else
		*out = major << MINOR_BITS | minor;
	return old || minor < 1u << MINOR_BITS;
}

bool crimg_hint_number(enum crimg_hint hint, const char *field, const char *text, bool *negative,
                       uint64_t *magnitude)
{
	const struct word *flags = flag_table(hint);
	*negative = false;
	if (flags != NULL)
		return take_flags(flags, text, magnitude);
	if ((hint == CRIMG_HINT_DEV || hint == CRIMG_HINT_ODEV) && strchr(text, ':') != NULL)
		return take_device(hint == CRIMG_HINT_ODEV, text, magnitude);
	if (take_word(dictionary(hint, field), text, strlen(text), magnitude))
		return true;
	return take_integer(text, text + strlen(text), negative, magnitude);
}

// The longest run (the first of equals) of at least two zero groups; its length, 0 when there is none.
static unsigned zero_run(const uint16_t groups[8], unsigned *start)
{
	unsigned best = 1;
	for (unsigned i = 0, n; i < 8; i += n + 1) {
		for (n = 0; i + n < 8 && groups[i + n] == 0; n++)
			;
		if (n > best) {
			best = n;
			*start = i;
		}
	}
	return best > 1 ? best : 0;
}

// inet_ntop shows ::102:304 as ::1.2.3.4, Python does not; so the groups are written here.
static void address6_text(const uint8_t bytes[16], char *out)
{
	uint16_t groups[8];
	unsigned start = 8;
	size_t used = 0;
	for (unsigned i = 0; i < 8; i++)
		groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	unsigned run = zero_run(groups, &start);
	if (run == 5 && start == 0 && groups[5] == 0xffff) {
		snprintf(out, CRIMG_HINT_TEXT_MAX, "::ffff:%u.%u.%u.%u", bytes[12], bytes[13],
		         bytes[14], bytes[15]);
		return;
	}
	for (unsigned i = 0; i < 8;) {
		if (run > 0 && i == start) {
			used += (size_t)snprintf(out + used, CRIMG_HINT_TEXT_MAX - used, "::");
			i += run;
			continue;
		}
		bool colon = i > 0 && !(run > 0 && i == start + run);
		used += (size_t)snprintf(out + used, CRIMG_HINT_TEXT_MAX - used, "%s%x",
		                         colon ? ":" : "", (unsigned)groups[i]);
		i++;
	}
}

bool crimg_hint_address(const uint32_t *words, size_t count, char *out)
{
	uint8_t bytes[16];
	if (count != 1 && count != 4)
		return false;
	for (size_t i = 0; i < 4 * count; i++)
		bytes[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
	if (count == 4)
		address6_text(bytes, out);
	else
		snprintf(out, CRIMG_HINT_TEXT_MAX, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2],
		         bytes[3]);
	return true;
}

bool crimg_hint_words(const char *text, uint32_t words[4], size_t *count)
{
	uint8_t bytes[16];
	size_t n = strchr(text, ':') != NULL ? 4 : 1;
	if (inet_pton(n == 4 ? AF_INET6 : AF_INET, text, bytes) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		words[i] = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8
			| (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
	*count = n;
	return true;
}
