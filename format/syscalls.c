// Numbers of system calls and of their arguments to words. Sources of the small tables: the
// kernel's user-space headers (linux/futex.h, linux/wait.h, asm-generic/fcntl.h, linux/socket.h,
// …), <linux/errno.h> for what interrupted calls leave.
#include "format/syscalls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"

static const struct crimg_syscall x86_64[] = {
#define BOTH(n64, n32, name, arguments) [n64] = { #name, arguments },
#define ONLY64(n64, name, arguments) [n64] = { #name, arguments },
#define ONLY32(n32, name, arguments)
#include "format/syscalls.def"
#undef BOTH
#undef ONLY64
#undef ONLY32
};

static const struct crimg_syscall i386[] = {
#define BOTH(n64, n32, name, arguments) [n32] = { #name, arguments },
#define ONLY64(n64, name, arguments)
#define ONLY32(n32, name, arguments) [n32] = { #name, arguments },
#include "format/syscalls.def"
#undef BOTH
#undef ONLY64
#undef ONLY32
};

const struct crimg_syscall *crimg_syscall_find(enum crimg_abi abi, uint64_t number)
{
	const struct crimg_syscall *table = abi == CRIMG_ABI_I386 ? i386 : x86_64;
	size_t count = abi == CRIMG_ABI_I386 ? sizeof i386 / sizeof i386[0]
	                                     : sizeof x86_64 / sizeof x86_64[0];
	return number < count && table[number].name != NULL ? &table[number] : NULL;
}

static const char *const kind_words[CRIMG_ARG_COUNT] = {
	[CRIMG_ARG_HEX] = "hex", [CRIMG_ARG_INT] = "int", [CRIMG_ARG_UINT] = "uint",
	[CRIMG_ARG_LONG] = "long", [CRIMG_ARG_ULONG] = "ulong", [CRIMG_ARG_SIZE] = "size",
	[CRIMG_ARG_OCTAL] = "octal", [CRIMG_ARG_FD] = "fd", [CRIMG_ARG_MS] = "ms",
	[CRIMG_ARG_SIGNAL] = "signal", [CRIMG_ARG_SIGMASK] = "sigmask", [CRIMG_ARG_CLOCK] = "clock",
	[CRIMG_ARG_FAMILY] = "family", [CRIMG_ARG_RLIMIT] = "rlimit", [CRIMG_ARG_SCHED] = "sched",
	[CRIMG_ARG_OPEN] = "open", [CRIMG_ARG_FDFLAGS] = "fdflags", [CRIMG_ARG_PROT] = "prot",
	[CRIMG_ARG_MMAP] = "mmap", [CRIMG_ARG_INOTIFY] = "inotify", [CRIMG_ARG_ABSTIME] = "abstime",
	[CRIMG_ARG_EPOLL] = "epoll", [CRIMG_ARG_FCNTL] = "fcntl", [CRIMG_ARG_FLOCK] = "flock",
	[CRIMG_ARG_FUTEX] = "futex", [CRIMG_ARG_IDTYPE] = "idtype", [CRIMG_ARG_IPCCALL] = "ipccall",
	[CRIMG_ARG_IPCFLAGS] = "ipcflags", [CRIMG_ARG_MSG] = "msg", [CRIMG_ARG_SIGHOW] = "sighow",
	[CRIMG_ARG_SOCKETCALL] = "socketcall", [CRIMG_ARG_WAIT] = "wait",
	[CRIMG_ARG_WHENCE] = "whence", [CRIMG_ARG_ADDRESS] = "address",
	[CRIMG_ARG_STRING] = "string", [CRIMG_ARG_TIMESPEC] = "timespec",
	[CRIMG_ARG_TIMESPEC64] = "timespec64", [CRIMG_ARG_TIMEVAL] = "timeval",
	[CRIMG_ARG_POLLFDS] = "pollfds", [CRIMG_ARG_FDSET] = "fdset", [CRIMG_ARG_SIGSET] = "sigset",
	[CRIMG_ARG_SIGARG] = "sigarg", [CRIMG_ARG_SOCKADDR] = "sockaddr",
	[CRIMG_ARG_FUTEXWORD] = "futexword",
};

const char *crimg_arg_word(enum crimg_arg kind)
{
	return kind_words[kind];
}

static enum crimg_arg kind_of(const char *word, size_t length)
{
	for (int i = 0; i < CRIMG_ARG_COUNT; i++)
		if (strlen(kind_words[i]) == length && memcmp(kind_words[i], word, length) == 0)
			return (enum crimg_arg)i;
	return CRIMG_ARG_HEX;
}

size_t crimg_syscall_args(const struct crimg_syscall *call,
                          struct crimg_syscall_arg out[CRIMG_SYSCALL_ARGS])
{
	size_t count = 0;
	const char *at = call->arguments;
	if (at == NULL)
		return SIZE_MAX;
	while (*at != '\0' && count < CRIMG_SYSCALL_ARGS) {
		size_t name = strcspn(at, ": "), word = at[name] == ':' ? name + 1 : 0;
		size_t end = strcspn(at, " ");
		snprintf(out[count].name, sizeof out[count].name, "%.*s", (int)name, at);
		out[count++].kind = kind_of(at + word, end - word);
		at += end + (at[end] == ' ');
	}
	return count;
}

// Words for one kind: a value in the bits of `values`, and flags in all others.
struct words {
	enum crimg_arg kind;
	uint64_t values;
	const struct crimg_name *rows; // ends with a name of NULL
};

static const struct crimg_name abstime[] = { { 1, "TIMER_ABSTIME" }, { 0, NULL } };
static const struct crimg_name epoll[] = {
	{ 1, "EPOLL_CTL_ADD" }, { 2, "EPOLL_CTL_DEL" }, { 3, "EPOLL_CTL_MOD" }, { 0, NULL },
};
static const struct crimg_name fcntl[] = {
	{ 0, "F_DUPFD" }, { 1, "F_GETFD" }, { 2, "F_SETFD" }, { 3, "F_GETFL" }, { 4, "F_SETFL" },
	{ 5, "F_GETLK" }, { 6, "F_SETLK" }, { 7, "F_SETLKW" }, { 8, "F_SETOWN" }, { 9, "F_GETOWN" },
	{ 10, "F_SETSIG" }, { 11, "F_GETSIG" }, { 12, "F_GETLK64" }, { 13, "F_SETLK64" },
	{ 14, "F_SETLKW64" }, { 15, "F_SETOWN_EX" }, { 16, "F_GETOWN_EX" }, { 36, "F_OFD_GETLK" },
	{ 37, "F_OFD_SETLK" }, { 38, "F_OFD_SETLKW" }, { 1024, "F_SETLEASE" },
	{ 1025, "F_GETLEASE" }, { 1026, "F_NOTIFY" }, { 1030, "F_DUPFD_CLOEXEC" },
	{ 1031, "F_SETPIPE_SZ" }, { 1032, "F_GETPIPE_SZ" }, { 1033, "F_ADD_SEALS" },
	{ 1034, "F_GET_SEALS" }, { 0, NULL },
};
static const struct crimg_name flock[] = {
	{ 1, "LOCK_SH" }, { 2, "LOCK_EX" }, { 8, "LOCK_UN" }, { 4, "LOCK_NB" }, { 0, NULL },
};
#define FUTEX(n, name) { n, "FUTEX_" name }, { (n) | 128, "FUTEX_" name "_PRIVATE" }
static const struct crimg_name futex[] = {
	FUTEX(0, "WAIT"), FUTEX(1, "WAKE"), FUTEX(2, "FD"), FUTEX(3, "REQUEUE"),
	FUTEX(4, "CMP_REQUEUE"), FUTEX(5, "WAKE_OP"), FUTEX(6, "LOCK_PI"), FUTEX(7, "UNLOCK_PI"),
	FUTEX(8, "TRYLOCK_PI"), FUTEX(9, "WAIT_BITSET"), FUTEX(10, "WAKE_BITSET"),
	FUTEX(11, "WAIT_REQUEUE_PI"), FUTEX(12, "CMP_REQUEUE_PI"), FUTEX(13, "LOCK_PI2"),
	{ 256, "FUTEX_CLOCK_REALTIME" }, { 0, NULL },
};
#undef FUTEX
static const struct crimg_name idtype[] = {
	{ 0, "P_ALL" }, { 1, "P_PID" }, { 2, "P_PGID" }, { 3, "P_PIDFD" }, { 0, NULL },
};
static const struct crimg_name ipccall[] = {
	{ 1, "SEMOP" }, { 2, "SEMGET" }, { 3, "SEMCTL" }, { 4, "SEMTIMEDOP" }, { 11, "MSGSND" },
	{ 12, "MSGRCV" }, { 13, "MSGGET" }, { 14, "MSGCTL" }, { 21, "SHMAT" }, { 22, "SHMDT" },
	{ 23, "SHMGET" }, { 24, "SHMCTL" }, { 0, NULL },
};
static const struct crimg_name ipcflags[] = {
	{ 04000, "IPC_NOWAIT" }, { 010000, "MSG_NOERROR" }, { 020000, "MSG_EXCEPT" },
	{ 040000, "MSG_COPY" }, { 0, NULL },
};
static const struct crimg_name msg[] = {
	{ 1, "MSG_OOB" },
	{ 2, "MSG_PEEK" },
	{ 4, "MSG_DONTROUTE" },
	{ 8, "MSG_CTRUNC" },
	{ 0x20, "MSG_TRUNC" },
	{ 0x40, "MSG_DONTWAIT" },
	{ 0x80, "MSG_EOR" },
	{ 0x100, "MSG_WAITALL" },
	{ 0x800, "MSG_CONFIRM" },
	{ 0x2000, "MSG_ERRQUEUE" },
	{ 0x4000, "MSG_NOSIGNAL" },
	{ 0x8000, "MSG_MORE" },
	{ 0x10000, "MSG_WAITFORONE" },
	{ 0x4000000, "MSG_ZEROCOPY" },
	{ 0x20000000, "MSG_FASTOPEN" },
	{ 0x40000000, "MSG_CMSG_CLOEXEC" },
	{ 0, NULL },
};
static const struct crimg_name sighow[] = {
	{ 0, "SIG_BLOCK" }, { 1, "SIG_UNBLOCK" }, { 2, "SIG_SETMASK" }, { 0, NULL },
};
static const struct crimg_name socketcall[] = {
	{ 1, "SOCKET" }, { 2, "BIND" }, { 3, "CONNECT" }, { 4, "LISTEN" }, { 5, "ACCEPT" },
	{ 6, "GETSOCKNAME" }, { 7, "GETPEERNAME" }, { 8, "SOCKETPAIR" }, { 9, "SEND" },
	{ 10, "RECV" }, { 11, "SENDTO" }, { 12, "RECVFROM" }, { 13, "SHUTDOWN" },
	{ 14, "SETSOCKOPT" }, { 15, "GETSOCKOPT" }, { 16, "SENDMSG" }, { 17, "RECVMSG" },
	{ 18, "ACCEPT4" }, { 19, "RECVMMSG" }, { 20, "SENDMMSG" }, { 0, NULL },
};
static const struct crimg_name wait_options[] = {
	{ 1, "WNOHANG" }, { 2, "WUNTRACED" }, { 4, "WEXITED" }, { 8, "WCONTINUED" },
	{ 0x1000000, "WNOWAIT" }, { 0x20000000, "__WNOTHREAD" }, { 0x40000000, "__WALL" },
	{ 0x80000000, "__WCLONE" }, { 0, NULL },
};
static const struct crimg_name whence[] = {
	{ 0, "SEEK_SET" }, { 1, "SEEK_CUR" }, { 2, "SEEK_END" }, { 3, "SEEK_DATA" },
	{ 4, "SEEK_HOLE" }, { 0, NULL },
};
static const struct crimg_name poll_events[] = {
	{ 1, "POLLIN" },
	{ 2, "POLLPRI" },
	{ 4, "POLLOUT" },
	{ 8, "POLLERR" },
	{ 0x10, "POLLHUP" },
	{ 0x20, "POLLNVAL" },
	{ 0x40, "POLLRDNORM" },
	{ 0x80, "POLLRDBAND" },
	{ 0x100, "POLLWRNORM" },
	{ 0x200, "POLLWRBAND" },
	{ 0x400, "POLLMSG" },
	{ 0x2000, "POLLRDHUP" },
	{ 0, NULL },
};

#define VALUES UINT32_MAX // nothing but a value

static const struct words tables[] = {
	{ CRIMG_ARG_ABSTIME, 0, abstime },       { CRIMG_ARG_EPOLL, VALUES, epoll },
	{ CRIMG_ARG_FCNTL, VALUES, fcntl },      { CRIMG_ARG_FLOCK, 0, flock },
	{ CRIMG_ARG_FUTEX, 0xff, futex },        { CRIMG_ARG_IDTYPE, VALUES, idtype },
	{ CRIMG_ARG_IPCCALL, 0xffff, ipccall },  { CRIMG_ARG_IPCFLAGS, 0, ipcflags },
	{ CRIMG_ARG_MSG, 0, msg },               { CRIMG_ARG_SIGHOW, VALUES, sighow },
	{ CRIMG_ARG_SOCKETCALL, VALUES, socketcall }, { CRIMG_ARG_WAIT, 0, wait_options },
	{ CRIMG_ARG_WHENCE, VALUES, whence },
};

// Kinds whose words names.h has.
static const struct {
	enum crimg_arg kind;
	enum crimg_names names;
	bool bits;
} shared[] = {
	{ CRIMG_ARG_CLOCK, CRIMG_NAMES_CLOCK, false },
	{ CRIMG_ARG_FAMILY, CRIMG_NAMES_SOCKET_FAMILY, false },
	{ CRIMG_ARG_RLIMIT, CRIMG_NAMES_RLIMIT, false },
	{ CRIMG_ARG_SCHED, CRIMG_NAMES_SCHED_POLICY, false },
	{ CRIMG_ARG_FDFLAGS, CRIMG_NAMES_OPEN_FLAGS, true },
	{ CRIMG_ARG_PROT, CRIMG_NAMES_MMAP_PROT, true },
	{ CRIMG_ARG_MMAP, CRIMG_NAMES_MMAP_FLAGS, true },
	{ CRIMG_ARG_INOTIFY, CRIMG_NAMES_INOTIFY_EVENTS, true },
};

static void add(char *out, size_t size, const char *word)
{
	size_t used = strlen(out);
	snprintf(out + used, size - used, "%s%s", used > 0 ? "|" : "", word);
}

static void words_text(uint64_t values, const struct crimg_name *rows, uint64_t value, char *out,
                       size_t size)
{
	uint64_t low = value & values, rest = value & ~values;
	char number[24];
	out[0] = '\0';
	for (const struct crimg_name *r = rows; values != 0 && r->name != NULL; r++)
		if (r->value == low && out[0] == '\0')
			add(out, size, r->name);
	if (out[0] == '\0' && values != 0) {
		snprintf(number, sizeof number, "%" PRIu64, low);
		add(out, size, number);
	}
	for (const struct crimg_name *r = rows; rest != 0 && r->name != NULL; r++)
		if ((r->value & ~values) == r->value && r->value != 0
		    && (rest & r->value) == r->value) {
			add(out, size, r->name);
			rest &= ~r->value;
		}
	if (rest != 0 || out[0] == '\0') {
		snprintf(number, sizeof number, rest != 0 ? "0x%" PRIx64 : "%" PRIu64, rest);
		add(out, size, number);
	}
}

static bool by_table(enum crimg_arg kind, uint64_t value, char *out, size_t size)
{
	char number[32];
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (tables[i].kind == kind) {
			words_text(tables[i].values, tables[i].rows, (uint32_t)value, out, size);
			return true;
		}
	for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
		if (shared[i].kind != kind)
			continue;
		if (shared[i].bits)
			crimg_flags_text(shared[i].names, (uint32_t)value, out, size);
		else
			snprintf(out, size, "%s",
			         crimg_name_or_number(shared[i].names, (uint32_t)value, number,
			                              sizeof number));
		if (out[0] == '\0')
			snprintf(out, size, "%s", kind == CRIMG_ARG_PROT ? "PROT_NONE" : "0");
		return true;
	}
	return false;
}

#define AT_FDCWD (-100)

char *crimg_arg_text(enum crimg_arg kind, enum crimg_abi abi, uint64_t value, char *out,
                     size_t size)
{
	int32_t number = (int32_t)(uint32_t)value;
	uint64_t word = abi == CRIMG_ABI_I386 ? (uint32_t)value : value;
	int64_t wide = abi == CRIMG_ABI_I386 ? number : (int64_t)value;
	if (by_table(kind, word, out, size))
		return out;
	switch (kind) {
	case CRIMG_ARG_FD:
	case CRIMG_ARG_INT:
	case CRIMG_ARG_MS:
		if (kind == CRIMG_ARG_FD && number == AT_FDCWD)
			snprintf(out, size, "AT_FDCWD");
		else
			snprintf(out, size, "%" PRId32 "%s", number,
			         kind == CRIMG_ARG_MS && number > 0 ? " ms" : "");
		break;
	case CRIMG_ARG_UINT:
		snprintf(out, size, "%" PRIu32, (uint32_t)value);
		break;
	case CRIMG_ARG_LONG:
		snprintf(out, size, "%" PRId64, wide);
		break;
	case CRIMG_ARG_ULONG:
	case CRIMG_ARG_SIZE:
		snprintf(out, size, "%" PRIu64, word);
		break;
	case CRIMG_ARG_OCTAL:
		snprintf(out, size, "0%" PRIo32, (uint32_t)value);
		break;
	case CRIMG_ARG_OPEN:
		return crimg_open_flags_text((uint32_t)value, out, size);
	case CRIMG_ARG_SIGNAL:
		return crimg_signal_text((uint32_t)value, out, size);
	case CRIMG_ARG_SIGMASK:
		snprintf(out, size, "[");
		crimg_sigset_text((uint32_t)value, out + 1, size - 2);
		strcat(out, "]");
		break;
	default:
		if (kind >= CRIMG_ARG_ADDRESS && word == 0)
			snprintf(out, size, "NULL");
		else
			snprintf(out, size, word == 0 ? "%" PRIx64 : "0x%" PRIx64, word);
	}
	return out;
}

static const struct crimg_name restarts[] = {
	{ 512, "ERESTARTSYS" }, { 513, "ERESTARTNOINTR" }, { 514, "ERESTARTNOHAND" },
	{ 516, "ERESTART_RESTARTBLOCK" },
};

static const char *restart_name(int64_t result)
{
	for (size_t i = 0; i < sizeof restarts / sizeof restarts[0]; i++)
		if (result == -(int64_t)restarts[i].value)
			return restarts[i].name;
	return NULL;
}

bool crimg_syscall_is_restart(int64_t result)
{
	return restart_name(result) != NULL;
}

char *crimg_syscall_result_text(int64_t result, char *out, size_t size)
{
	const char *name = restart_name(result);
	if (name == NULL && result < 0 && result >= -4095)
		name = crimg_name_of(CRIMG_NAMES_ERRNO, (uint64_t)-result);
	if (name != NULL)
		snprintf(out, size, "-%s", name);
	else if (result > -4096 && result < 65536)
		snprintf(out, size, "%" PRId64, result);
	else
		snprintf(out, size, "0x%" PRIx64, (uint64_t)result);
	return out;
}

char *crimg_poll_events_text(uint32_t events, char *out, size_t size)
{
	words_text(0, poll_events, events, out, size);
	return out;
}
