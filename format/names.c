// Numbers to words.
#include "format/names.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "format/names_table.h"

const char *crimg_name_of(enum crimg_names table, uint64_t value)
{
	const struct crimg_name_table *t = &crimg_name_tables[table];
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].value == value)
			return t->rows[i].name;
	return NULL;
}

const char *crimg_name_or_number(enum crimg_names table, uint64_t value, char *out, size_t size)
{
	const char *name = crimg_name_of(table, value);
	if (name != NULL)
		return name;
	snprintf(out, size, "%" PRIu64, value);
	return out;
}

// Appends text behind a separator, as far as it fits.
static void add(char *out, size_t size, const char *separator, const char *text)
{
	size_t used = strlen(out);
	if (used < size)
		snprintf(out + used, size - used, "%s%s", used > 0 ? separator : "", text);
}

char *crimg_flags_text(enum crimg_names table, uint64_t value, char *out, size_t size)
{
	const struct crimg_name_table *t = &crimg_name_tables[table];
	char rest[24];
	out[0] = '\0';
	for (size_t i = 0; i < t->count; i++) {
		if ((value & t->rows[i].value) != t->rows[i].value)
			continue;
		add(out, size, "|", t->rows[i].name);
		value &= ~t->rows[i].value;
	}
	if (value != 0) {
		snprintf(rest, sizeof rest, "0x%" PRIx64, value);
		add(out, size, "|", rest);
	}
	return out;
}

static const char *const signal_names[] = {
	NULL, "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
	"SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
	"SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
	"SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
};

#define SIGNAL_RTMIN 34u // 32 and 33 belong to the C library
#define SIGNAL_MAX 64u

char *crimg_signal_text(uint64_t number, char *out, size_t size)
{
	if (number > 0 && number < sizeof signal_names / sizeof signal_names[0])
		snprintf(out, size, "%s", signal_names[number]);
	else if (number == SIGNAL_RTMIN)
		snprintf(out, size, "SIGRTMIN");
	else if (number == SIGNAL_MAX)
		snprintf(out, size, "SIGRTMAX");
	else if (number > SIGNAL_RTMIN && number < SIGNAL_MAX)
		snprintf(out, size, "SIGRTMIN+%u", (unsigned)number - SIGNAL_RTMIN);
	else
		snprintf(out, size, "SIG%" PRIu64, number);
	return out;
}

char *crimg_sigset_text(uint64_t set, char *out, size_t size)
{
	char name[32];
	out[0] = '\0';
	for (unsigned n = 1; n <= SIGNAL_MAX; n++) {
		unsigned end = n;
		if ((set >> (n - 1) & 1) == 0)
			continue;
		while (n >= SIGNAL_RTMIN && end < SIGNAL_MAX && (set >> end & 1) != 0)
			end++;
		add(out, size, " ", crimg_signal_text(n, name, sizeof name));
		if (end - n < 4)
			continue;
		crimg_signal_text(end, name, sizeof name);
		size_t used = strlen(out);
		snprintf(out + used, size - used, "..%s", name);
		n = end;
	}
	return out;
}

#define LAST_CAPABILITY 40u

uint64_t crimg_caps_mask(const uint32_t *words, size_t count)
{
	uint64_t low = count > 0 ? words[0] : 0, high = count > 1 ? words[1] : 0;
	return high << 32 | low;
}

// Names of the bits of mask, behind what is in out.
static void add_caps(uint64_t mask, char *out, size_t size)
{
	char number[24];
	for (unsigned bit = 0; bit < 64; bit++)
		if ((mask >> bit & 1) != 0)
			add(out, size, " ",
			    crimg_name_or_number(CRIMG_NAMES_CAPABILITY, bit, number, sizeof number));
}

char *crimg_caps_text(const uint32_t *words, size_t count, char *out, size_t size)
{
	uint64_t mask = crimg_caps_mask(words, count);
	uint64_t all = (UINT64_C(1) << (LAST_CAPABILITY + 1)) - 1, missing = all & ~mask;
	bool few = missing != 0 && mask > all / 2 && __builtin_popcountll(missing) <= 8;
	snprintf(out, size, "%s", mask == all ? "all" : few ? "all but" : "");
	if (mask != all)
		add_caps(few ? missing | (mask & ~all) : mask, out, size);
	return out;
}

#define ACCESS_MODE 3u
#define OPEN_PATH 010000000u

char *crimg_open_flags_text(uint32_t flags, char *out, size_t size)
{
	static const char *const modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	char rest[512];
	crimg_flags_text(CRIMG_NAMES_OPEN_FLAGS, flags & ~ACCESS_MODE, rest, sizeof rest);
	snprintf(out, size, "%s%s%s", modes[flags & ACCESS_MODE], rest[0] != '\0' ? "|" : "", rest);
	return out;
}

const char *crimg_open_mode(uint32_t flags)
{
	static const char *const modes[] = { "r", "w", "rw", "none" };
	return (flags & OPEN_PATH) != 0 ? "path" : modes[flags & ACCESS_MODE];
}

char *crimg_address_text(const uint32_t *words, size_t count, char *out, size_t size)
{
	uint8_t bytes[16] = { 0 };
	snprintf(out, size, "?");
	if (count != 1 && count != 4)
		return out;
	for (size_t i = 0; i < count * 4; i++)
		bytes[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
	if (inet_ntop(count == 1 ? AF_INET : AF_INET6, bytes, out, (socklen_t)size) == NULL)
		snprintf(out, size, "?");
	return out;
}

char *crimg_endpoint_text(const uint32_t *words, size_t count, uint32_t port, char *out,
                          size_t size)
{
	char address[64], number[16] = "*";
	crimg_address_text(words, count, address, sizeof address);
	if (port != 0)
		snprintf(number, sizeof number, "%u", port);
	snprintf(out, size, count == 4 ? "[%s]:%s" : "%s:%s", address, number);
	return out;
}

char *crimg_device_text(uint32_t dev, char *out, size_t size)
{
	snprintf(out, size, "%u:%u", dev >> 20, dev & 0xfffff);
	return out;
}

char *crimg_old_device_text(uint32_t dev, char *out, size_t size)
{
	snprintf(out, size, "%u:%u", dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
	return out;
}

char *crimg_exit_text(uint32_t status, char *out, size_t size)
{
	char name[32];
	if ((status & 0x7f) == 0)
		snprintf(out, size, "exited %u", status >> 8 & 0xff);
	else
		snprintf(out, size, "killed by %s%s",
		         crimg_signal_text(status & 0x7f, name, sizeof name),
		         (status & 0x80) != 0 ? ", core dumped" : "");
	return out;
}

char *crimg_bytes_text(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	if (bytes < 10000 && bytes % 1024 != 0) { // few enough to be told exactly
		snprintf(out, size, "%" PRIu64 " B", bytes);
		return out;
	}
	unsigned unit = 0;
	double value = (double)bytes;
	while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
		value /= 1024;
		unit++;
	}
	uint64_t tenths = (uint64_t)(value * 10 + 0.5);
	if (tenths >= 10240 && unit + 1 < sizeof units / sizeof units[0]) { // 1023.96: one unit more
		tenths = 10;
		unit++;
	}
	if (tenths % 10 == 0 || tenths >= 1000)
		snprintf(out, size, "%" PRIu64 " %s", (tenths + 5) / 10, units[unit]);
	else
		snprintf(out, size, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
		         units[unit]);
	return out;
}

// What is left below a second: milliseconds as decimals, less than that in words.
static void add_fraction(uint64_t seconds, uint64_t nanoseconds, char *out, size_t size)
{
	size_t used = strlen(out);
	char *end = out + used;
	size_t left = size - used;
	if (nanoseconds >= 1000000)
		snprintf(end, left, "%" PRIu64 ".%03" PRIu64 " s", seconds, nanoseconds / 1000000);
	else if (nanoseconds == 0)
		snprintf(end, left, "%" PRIu64 " s", seconds);
	else if (nanoseconds % 1000 == 0 || nanoseconds > 100000)
		snprintf(end, left, "%" PRIu64 " s %" PRIu64 " us", seconds, nanoseconds / 1000);
	else
		snprintf(end, left, "%" PRIu64 " s %" PRIu64 " ns", seconds, nanoseconds);
}

char *crimg_duration_text(uint64_t seconds, uint64_t nanoseconds, char *out, size_t size)
{
	out[0] = '\0';
	if (seconds >= 86400)
		snprintf(out, size, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400,
		         seconds / 3600 % 24);
	else if (seconds >= 3600)
		snprintf(out, size, "%" PRIu64 " h %" PRIu64 " min %" PRIu64 " s", seconds / 3600,
		         seconds / 60 % 60, seconds % 60);
	else if (seconds >= 60) {
		snprintf(out, size, "%" PRIu64 " min ", seconds / 60);
		add_fraction(seconds % 60, nanoseconds, out, size);
	} else if (seconds >= 1 || nanoseconds == 0)
		add_fraction(seconds, nanoseconds, out, size);
	else if (nanoseconds >= 1000000)
		snprintf(out, size, "%.6g ms", (double)nanoseconds / 1e6);
	else if (nanoseconds >= 1000)
		snprintf(out, size, "%.6g us", (double)nanoseconds / 1e3);
	else
		snprintf(out, size, "%" PRIu64 " ns", nanoseconds);
	return out;
}

char *crimg_time_text(uint64_t seconds, char *out, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	if (seconds > UINT64_C(253402300799) || gmtime_r(&t, &tm) == NULL
	    || strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(out, size, "%" PRIu64 " s after 1970", seconds);
	return out;
}
