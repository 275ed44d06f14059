// The table of options, and those that are more than a number: sizes, times, a device, a filter.
#include "producer/sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

// Of kernels younger than the C library.
#define PASS_PIDFD 76
#define RECEIVE_MARK 75
#define RECEIVE_PRIORITY 82
#define PASS_RIGHTS 83
#define TELL_WAITING 84 // SO_INQ
#define ROOM_BYTES (1 << 29) // the kernel takes no more than twice that

// Numbers that CRIU has a field for: of type protobuf_c_boolean, or uint32_t.
static const struct {
	int name;
	const char *text;
	bool flag;
	size_t value, has; // in SkOptsEntry
} fields[] = {
#define FIELD(option, member, flag)                                                                \
	{                                                                                          \
		option, #option, flag, offsetof(SkOptsEntry, member), offsetof(SkOptsEntry, has_##member) \
	}
	FIELD(SO_REUSEADDR, reuseaddr, true), FIELD(SO_PRIORITY, so_priority, false),
	FIELD(SO_RCVLOWAT, so_rcvlowat, false), FIELD(SO_MARK, so_mark, false),
	FIELD(SO_PASSCRED, so_passcred, true), FIELD(SO_PASSSEC, so_passsec, true),
	FIELD(SO_DONTROUTE, so_dontroute, true), FIELD(SO_NO_CHECK, so_no_check, true),
	FIELD(SO_REUSEPORT, so_reuseport, true), FIELD(SO_BROADCAST, so_broadcast, true),
	FIELD(SO_KEEPALIVE, so_keepalive, true), FIELD(SO_OOBINLINE, so_oobinline, false),
	FIELD(SO_BUF_LOCK, so_buf_lock, false),
#undef FIELD
};

// Those that it has none for, and what a new socket has.
static const struct {
	int name;
	const char *text;
	int fresh;
} others[] = {
	{SO_TIMESTAMP_OLD, "SO_TIMESTAMP", 0}, {SO_TIMESTAMPNS_OLD, "SO_TIMESTAMPNS", 0},
	{SO_TIMESTAMPING_OLD, "SO_TIMESTAMPING", 0}, {SO_TIMESTAMP_NEW, "SO_TIMESTAMP", 0},
	{SO_TIMESTAMPNS_NEW, "SO_TIMESTAMPNS", 0}, {SO_TIMESTAMPING_NEW, "SO_TIMESTAMPING", 0},
	{SO_RXQ_OVFL, "SO_RXQ_OVFL", 0}, {SO_WIFI_STATUS, "SO_WIFI_STATUS", 0},
	{SO_SELECT_ERR_QUEUE, "SO_SELECT_ERR_QUEUE", 0}, {SO_ZEROCOPY, "SO_ZEROCOPY", 0},
	{RECEIVE_MARK, "SO_RCVMARK", 0}, {RECEIVE_PRIORITY, "SO_RCVPRIORITY", 0},
	{PASS_PIDFD, "SO_PASSPIDFD", 0}, {PASS_RIGHTS, "SO_PASSRIGHTS", 1}, {TELL_WAITING, "SO_INQ", 0},
	{SO_PEEK_OFF, "SO_PEEK_OFF", -1}, {SO_LOCK_FILTER, "SO_LOCK_FILTER", 0}, // the last: it locks
};

#define FIELDS (sizeof fields / sizeof fields[0])
#define OTHERS (sizeof others / sizeof others[0])

static int fail(const char *name, const char *option, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, name, "its option %s", option);
}

static bool get(int fd, int option, int *out)
{
	socklen_t length = sizeof *out;
	*out = 0;
	return getsockopt(fd, SOL_SOCKET, option, out, &length) == 0;
}

int crimg_socket_family(int fd)
{
	int family;
	return get(fd, SO_DOMAIN, &family) ? family : -1;
}

// Options that this family, or this kernel, has not got are left out.
static void get_fields(int fd, SkOptsEntry *o)
{
	int value;
	for (size_t i = 0; i < FIELDS; i++) {
		char *at = (char *)o + fields[i].value;
		protobuf_c_boolean has = get(fd, fields[i].name, &value);
		if (fields[i].name == SO_MARK && value == 0)
			has = false; // as CRIU does, for whoever may not set it
		memcpy((char *)o + fields[i].has, &has, sizeof has);
		protobuf_c_boolean flag = value != 0;
		if (has && fields[i].flag)
			memcpy(at, &flag, sizeof flag);
		else if (has)
			memcpy(at, &value, sizeof value);
	}
}

static int get_others(int fd, struct crimg_arena *arena, SkMoreEntry *more, struct crimg_err *err)
{
	SkOptionEntry *list = crimg_arena_alloc(arena, OTHERS * sizeof *list);
	more->option = crimg_arena_alloc(arena, OTHERS * sizeof(void *));
	if (list == NULL || more->option == NULL)
		return crimg_fail_nomem(err, OTHERS * sizeof *list);
	for (size_t i = 0; i < OTHERS; i++) {
		int value;
		if (!get(fd, others[i].name, &value) || value == others[i].fresh)
			continue;
		SkOptionEntry *e = &list[more->n_option];
		sk_option_entry__init(e);
		e->name = (uint32_t)others[i].name;
		e->value = (uint32_t)value;
		more->option[more->n_option++] = e;
	}
	return 0;
}

static int get_device(int fd, struct crimg_arena *arena, SkOptsEntry *o, struct crimg_err *err)
{
	char device[IFNAMSIZ] = "";
	socklen_t length = sizeof device; // the kernel wants no less
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length) < 0 || device[0] == '\0')
		return 0;
	o->so_bound_dev = crimg_arena_text(arena, device, strlen(device));
	return o->so_bound_dev != NULL ? 0 : crimg_fail_nomem(err, length);
}

// The kernel counts it in instructions. CRIU packs each into a word.
static int get_filter(int fd, const char *name, struct crimg_arena *arena, SkOptsEntry *o, struct crimg_err *err)
{
	struct sock_filter code[BPF_MAXINSNS];
	socklen_t count = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count) < 0) {
		if (errno == EOPNOTSUPP || errno == ENOPROTOOPT)
			return 0;
		return errno != EACCES ? fail(name, "SO_GET_FILTER", err)
				       : crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
						    "a BPF program is attached to it, which no image holds");
	}
	if (count == 0)
		return 0;
	if (count > BPF_MAXINSNS || getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &count) < 0)
		return fail(name, "SO_GET_FILTER", err);
	o->so_filter = crimg_arena_alloc(arena, count * sizeof *o->so_filter);
	if (o->so_filter == NULL)
		return crimg_fail_nomem(err, count * sizeof *o->so_filter);
	for (size_t i = 0; i < count; i++)
		o->so_filter[i] = (uint64_t)code[i].code << 48 | (uint64_t)code[i].jt << 40
				  | (uint64_t)code[i].jf << 32 | code[i].k;
	o->n_so_filter = count;
	return 0;
}

int crimg_socket_get_options(int fd, const char *name, struct crimg_arena *arena, SkOptsEntry *o,
			     SkMoreEntry *more, struct crimg_err *err)
{
	int send_bytes, receive_bytes;
	struct timeval send = {.tv_sec = 0}, receive = {.tv_sec = 0};
	struct linger linger = {.l_onoff = 0};
	socklen_t n = sizeof send, m = sizeof receive, k = sizeof linger;
	if (!get(fd, SO_SNDBUF, &send_bytes) || !get(fd, SO_RCVBUF, &receive_bytes))
		return fail(name, "SO_SNDBUF", err);
	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, &n) < 0
	    || getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, &m) < 0)
		return fail(name, "SO_SNDTIMEO", err);
	o->so_sndbuf = (uint32_t)send_bytes;
	o->so_rcvbuf = (uint32_t)receive_bytes;
	o->so_snd_tmo_sec = (uint64_t)send.tv_sec;
	o->so_snd_tmo_usec = (uint64_t)send.tv_usec;
	o->so_rcv_tmo_sec = (uint64_t)receive.tv_sec;
	o->so_rcv_tmo_usec = (uint64_t)receive.tv_usec;
	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &k) == 0 && linger.l_onoff != 0) {
		o->has_so_linger = true;
		o->so_linger = (uint32_t)linger.l_linger;
	}
	get_fields(fd, o);
	if (get_device(fd, arena, o, err) < 0 || get_filter(fd, name, arena, o, err) < 0)
		return -1;
	return get_others(fd, arena, more, err);
}

static void set_size(int fd, int forced, int usual, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) < 0)
		(void)setsockopt(fd, SOL_SOCKET, usual, &bytes, sizeof bytes);
}

void crimg_socket_set_room(int fd)
{
	set_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, ROOM_BYTES);
	set_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, ROOM_BYTES);
}

// The kernel doubles what it is told.
static void set_sizes(int fd, const SkOptsEntry *o, const char **lost)
{
	int value;
	set_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, (int)(o->so_sndbuf / 2));
	set_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, (int)(o->so_rcvbuf / 2));
	if (get(fd, SO_SNDBUF, &value) && (uint32_t)value + 1 < o->so_sndbuf)
		*lost = "SO_SNDBUF";
	if (get(fd, SO_RCVBUF, &value) && (uint32_t)value + 1 < o->so_rcvbuf)
		*lost = "SO_RCVBUF";
}

static int set_number(int fd, const char *name, int option, const char *text, int value, const char **lost,
		      struct crimg_err *err)
{
	int now;
	if (get(fd, option, &now) && now == value)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, option, &value, sizeof value) == 0)
		return 0;
	if (errno != EPERM && errno != ENOPROTOOPT && errno != EOPNOTSUPP)
		return fail(name, text, err);
	*lost = text;
	return 0;
}

static int set_fields(int fd, const char *name, const SkOptsEntry *o, const char **lost, struct crimg_err *err)
{
	for (size_t i = 0; i < FIELDS; i++) {
		protobuf_c_boolean has, flag;
		uint32_t value;
		memcpy(&has, (const char *)o + fields[i].has, sizeof has);
		memcpy(&flag, (const char *)o + fields[i].value, sizeof flag);
		if (fields[i].flag)
			value = flag ? 1 : 0;
		else
			memcpy(&value, (const char *)o + fields[i].value, sizeof value);
		if (has && set_number(fd, name, fields[i].name, fields[i].text, (int)value, lost, err) < 0)
			return -1;
	}
	return 0;
}

static int set_times(int fd, const char *name, const SkOptsEntry *o, struct crimg_err *err)
{
	struct timeval send = {(time_t)o->so_snd_tmo_sec, (suseconds_t)o->so_snd_tmo_usec};
	struct timeval receive = {(time_t)o->so_rcv_tmo_sec, (suseconds_t)o->so_rcv_tmo_usec};
	struct linger linger = {.l_onoff = 1, .l_linger = (int)o->so_linger};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof send) < 0
	    || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof receive) < 0)
		return fail(name, "SO_SNDTIMEO", err);
	if (o->has_so_linger && setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0)
		return fail(name, "SO_LINGER", err);
	return 0;
}

static int set_filter(int fd, const char *name, const SkOptsEntry *o, struct crimg_err *err)
{
	struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog program = {.len = (unsigned short)o->n_so_filter, .filter = code};
	if (o->n_so_filter == 0)
		return 0;
	if (o->n_so_filter > BPF_MAXINSNS)
		return crimg_fail(err, CRIMG_E_LIMIT, name, CRIMG_NO_OFFSET,
				  "a filter of %zu instructions, at most %d wanted", o->n_so_filter,
				  BPF_MAXINSNS);
	for (size_t i = 0; i < o->n_so_filter; i++) {
		uint64_t word = o->so_filter[i];
		code[i] = (struct sock_filter){(uint16_t)(word >> 48), (uint8_t)(word >> 40), (uint8_t)(word >> 32),
					       (uint32_t)word};
	}
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0
		       ? 0
		       : fail(name, "SO_ATTACH_FILTER", err);
}

static int set_others(int fd, const char *name, const SkMoreEntry *more, const char **lost, struct crimg_err *err)
{
	for (size_t i = 0; i < OTHERS; i++)
		for (size_t k = 0; more != NULL && k < more->n_option; k++)
			if (more->option[k]->name == (uint32_t)others[i].name
			    && set_number(fd, name, others[i].name, others[i].text, (int)more->option[k]->value,
					  lost, err) < 0)
				return -1;
	return 0;
}

int crimg_socket_set_options(int fd, const char *name, const SkOptsEntry *o, const SkMoreEntry *more,
			     const char **lost, struct crimg_err *err)
{
	set_sizes(fd, o, lost);
	if (set_fields(fd, name, o, lost, err) < 0 || set_times(fd, name, o, err) < 0)
		return -1;
	if (o->so_bound_dev != NULL
	    && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->so_bound_dev, (socklen_t)strlen(o->so_bound_dev)) < 0)
		return fail(name, "SO_BINDTODEVICE", err);
	return set_filter(fd, name, o, err) < 0 ? -1 : set_others(fd, name, more, lost, err);
}
