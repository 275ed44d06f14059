// Arguments of system calls in full: names of descriptors, and what pointers point at. All of it
// may be hostile: lengths are capped, and what cannot be read leaves the plain number.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/names.h"
#include "inspect/file_text.h"
#include "inspect/syscall_text.h"
#include "inspect/table.h"
#include "format/text_add.h"

#define ENTRIES_SHOWN 8u     // of a list, in text
#define ENTRIES_MAX 64u      // with --all, and in JSON
#define STRING_SHOWN 120u    // bytes
#define NAME_SHOWN 64u       // columns of a descriptor's name
#define FDSET_BYTES 128u     // 1024 descriptors

struct arg {
	struct crimg_debuggee *d;
	const struct crimg_call *call;
	size_t at;
	uint64_t value;
	char *out;
	size_t size;
};

static bool memory(const struct arg *a, uint64_t address, void *buf, size_t length)
{
	struct crimg_err err = CRIMG_ERR_INIT; // what cannot be read is not shown
	return crimg_space_read(&a->d->space, address, buf, length, &err) == 1;
}

static size_t word_bytes(const struct arg *a)
{
	return a->call->abi == CRIMG_ABI_I386 ? 4 : 8;
}

static uint64_t get_word(const uint8_t *p, size_t bytes)
{
	return bytes == 4 ? crimg_get_u32(p) : crimg_get_u64(p);
}

// The argument behind this one, 0 when there is none.
static uint64_t next_value(const struct arg *a)
{
	return a->at + 1 < a->call->arg_count ? a->call->values[a->at + 1] : 0;
}

static size_t most_entries(const struct arg *a)
{
	const struct crimg_view *view = a->d->view;
	return view->json != NULL || view->options->all ? ENTRIES_MAX : ENTRIES_SHOWN;
}

static const FdinfoEntry *descriptor(const struct arg *a, int32_t fd)
{
	for (size_t i = 0; i < a->call->fds.count; i++) {
		const FdinfoEntry *e = a->call->fds.items[i];
		if ((int32_t)e->fd == fd)
			return e;
	}
	return NULL;
}

static void show_fd(const struct arg *a, int32_t fd)
{
	struct crimg_file_words words;
	char *name = NULL;
	if (fd < 0)
		return;
	const FdinfoEntry *e = descriptor(a, fd);
	if (e == NULL) {
		crimg_text_add(a->out, a->size, " <not open>");
		return;
	}
	crimg_file_describe_id(a->d->view, e->id, &words);
	name = crimg_text_cut(words.name, NAME_SHOWN, true);
	crimg_text_add(a->out, a->size, " <%s>", name != NULL ? name : "?");
	free(name);
}

static void show_string(const struct arg *a)
{
	char raw[STRING_SHOWN], text[4 * STRING_SHOWN + 1];
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t got = 0;
	if (crimg_space_read_some(&a->d->space, a->value, raw, sizeof raw, &got, &err) < 0
	    || got == 0)
		return;
	size_t length = strnlen(raw, got);
	crimg_text_add(a->out, a->size, " \"%s\"%s",
	               crimg_safe_text(text, sizeof text, raw, length),
	               length == sizeof raw ? "…" : "");
}

// True when the time is a point in time; *realtime: since 1970.
static bool is_absolute(const struct arg *a, bool *realtime)
{
	*realtime = false;
	for (size_t i = 0; i < a->call->arg_count; i++) {
		uint64_t v = a->call->values[i];
		if (a->call->args[i].kind == CRIMG_ARG_CLOCK)
			*realtime = v == 0;
		if (a->call->args[i].kind == CRIMG_ARG_FUTEX) {
			unsigned op = (unsigned)v & 0x7f; // 0 is FUTEX_WAIT, 6 FUTEX_LOCK_PI
			*realtime = (v & 256) != 0 || op == 6;
			return op != 0;
		}
	}
	for (size_t i = 0; i < a->call->arg_count; i++)
		if (a->call->args[i].kind == CRIMG_ARG_ABSTIME)
			return (a->call->values[i] & 1) != 0;
	*realtime = *realtime || strncmp(a->call->known->name, "mq_", 3) == 0;
	return *realtime || strncmp(a->call->known->name, "futex", 5) == 0;
}

static void show_time(const struct arg *a, size_t bytes, uint32_t unit)
{
	uint8_t raw[16];
	char text[64];
	bool realtime;
	if (!memory(a, a->value, raw, 2 * bytes))
		return;
	uint64_t seconds = get_word(raw, bytes), part = get_word(raw + bytes, bytes);
	if (bytes == 8 && unit == 1 && a->call->abi == CRIMG_ABI_I386)
		part = (uint32_t)part; // the upper half is padding
	if (part >= 1000000000 / unit || seconds >> (8 * bytes - 1) != 0) {
		crimg_text_add(a->out, a->size, " {%" PRIu64 ", %" PRIu64 "}", seconds, part);
		return;
	}
	if (!is_absolute(a, &realtime))
		crimg_text_add(a->out, a->size, " {%s}",
		               crimg_duration_text(seconds, part * unit, text, sizeof text));
	else if (realtime)
		crimg_text_add(a->out, a->size, " {until %s}",
		               crimg_time_text(seconds, text, sizeof text));
	else
		crimg_text_add(a->out, a->size, " {until %s}",
		               crimg_duration_text(seconds, part * unit, text, sizeof text));
}

static void show_pollfds(const struct arg *a)
{
	uint64_t count = next_value(a), shown = crimg_min_u64(count, most_entries(a));
	uint8_t raw[8];
	char events[256];
	if (count == 0)
		return;
	for (uint64_t i = 0; i < shown; i++) {
		if (!memory(a, a->value + 8 * i, raw, sizeof raw)) {
			shown = i;
			break;
		}
		int32_t fd = (int32_t)crimg_get_u32(raw);
		crimg_text_add(a->out, a->size, "%s%" PRId32, i == 0 ? " [" : ", ", fd);
		if (count <= 4)
			show_fd(a, fd);
		crimg_text_add(
			a->out, a->size, " %s",
			crimg_poll_events_text(crimg_get_u16(raw + 4), events, sizeof events));
	}
	if (shown > 0)
		crimg_text_add(a->out, a->size, "%s]", shown < count ? ", …" : "");
}

static void show_fdset(const struct arg *a)
{
	uint8_t bits[FDSET_BYTES];
	int32_t highest = (int32_t)(uint32_t)a->call->values[0];
	uint64_t count = highest > 0 ? crimg_min_u64((uint32_t)highest, 8 * FDSET_BYTES) : 0;
	size_t length = (size_t)(count + 7) / 8, shown = 0;
	const char *separator = "";
	if (count == 0 || !memory(a, a->value, bits, length))
		return;
	crimg_text_add(a->out, a->size, " [");
	for (uint64_t fd = 0; fd < count; fd++) {
		if ((bits[fd / 8] >> fd % 8 & 1) == 0)
			continue;
		if (shown++ == most_entries(a)) {
			crimg_text_add(a->out, a->size, " …");
			break;
		}
		crimg_text_add(a->out, a->size, "%s%" PRIu64, separator, fd);
		separator = " ";
	}
	crimg_text_add(a->out, a->size, "]");
}

// More than half of the signals are told by those that are missing.
static void show_sigset(const struct arg *a, uint64_t address)
{
	uint8_t raw[8];
	char text[512];
	if (address == 0 || !memory(a, address, raw, sizeof raw))
		return;
	uint64_t set = crimg_get_u64(raw);
	bool most = __builtin_popcountll(set) > 32;
	crimg_text_add(a->out, a->size, " %s[%s]", most ? "all but " : "",
	    crimg_sigset_text(most ? ~set : set, text, sizeof text));
}

static void show_sigarg(const struct arg *a)
{
	uint8_t raw[16];
	size_t bytes = word_bytes(a);
	if (memory(a, a->value, raw, 2 * bytes))
		show_sigset(a, get_word(raw, bytes));
}

enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10 };

static void show_sockaddr(const struct arg *a)
{
	uint8_t raw[110] = { 0 };
	uint32_t words[4];
	char text[4 * sizeof raw + 1];
	uint64_t length = crimg_min_u64(next_value(a), sizeof raw);
	if (length < 2 || !memory(a, a->value, raw, (size_t)length))
		return;
	unsigned family = crimg_get_u16(raw), port = (unsigned)raw[2] << 8 | raw[3];
	size_t at = family == FAMILY_INET6 ? 8 : 4, count = family == FAMILY_INET6 ? 4 : 1;
	if (family == FAMILY_UNIX) {
		const char *path = (const char *)raw + 2;
		size_t n = (size_t)length - 2, begin = n > 0 && path[0] == '\0';
		crimg_text_add(a->out, a->size, " {unix %s%s}", begin != 0 ? "@" : "",
		    crimg_safe_text(text, sizeof text, path + begin,
		                    begin != 0 ? n - begin : strnlen(path, n)));
	} else if ((family == FAMILY_INET || family == FAMILY_INET6) && length >= at + 4 * count) {
		for (size_t i = 0; i < count; i++)
			words[i] = crimg_get_u32(raw + at + 4 * i);
		crimg_text_add(a->out, a->size, " {%s}",
		               crimg_endpoint_text(words, count, port, text, sizeof text));
	} else {
		crimg_text_add(a->out, a->size, " {family %u}", family);
	}
}

static void show_futex_word(const struct arg *a)
{
	uint8_t raw[4];
	if (memory(a, a->value, raw, sizeof raw))
		crimg_text_add(a->out, a->size, " {%" PRIu32 "}", crimg_get_u32(raw));
}

static void show_pointee(const struct arg *a, enum crimg_arg kind)
{
	switch (kind) {
	case CRIMG_ARG_STRING:
		show_string(a);
		break;
	case CRIMG_ARG_TIMESPEC:
		show_time(a, word_bytes(a), 1);
		break;
	case CRIMG_ARG_TIMESPEC64:
		show_time(a, 8, 1);
		break;
	case CRIMG_ARG_TIMEVAL:
		show_time(a, word_bytes(a), 1000);
		break;
	case CRIMG_ARG_POLLFDS:
		show_pollfds(a);
		break;
	case CRIMG_ARG_FDSET:
		show_fdset(a);
		break;
	case CRIMG_ARG_SIGSET:
		show_sigset(a, a->value);
		break;
	case CRIMG_ARG_SIGARG:
		show_sigarg(a);
		break;
	case CRIMG_ARG_SOCKADDR:
		show_sockaddr(a);
		break;
	case CRIMG_ARG_FUTEXWORD:
		show_futex_word(a);
		break;
	default:
		break;
	}
}

char *crimg_call_arg_text(struct crimg_debuggee *d, const struct crimg_call *call, size_t i,
                          char *out, size_t size)
{
	const struct arg a = { d, call, i, call->values[i], out, size };
	enum crimg_arg kind = call->args[i].kind;
	crimg_arg_text(kind, call->abi, a.value, out, size);
	if (kind == CRIMG_ARG_FD)
		show_fd(&a, (int32_t)(uint32_t)a.value);
	else if (kind > CRIMG_ARG_ADDRESS && a.value != 0)
		show_pointee(&a, kind);
	return out;
}
