// System calls of Linux on x86-64 and i386: names by number, what their arguments are, and the
// words for numbers among them. Knows tables; knows no memory, so what an argument points at is for
// others.
#ifndef CRIMG_FORMAT_SYSCALLS_H
#define CRIMG_FORMAT_SYSCALLS_H

#include "format/err.h"

enum crimg_abi { CRIMG_ABI_X86_64, CRIMG_ABI_I386 };

struct crimg_syscall {
	const char *name;
	const char *arguments; // "fd buf:address count:size"; "" for none; NULL: not known
};

// NULL for numbers without a name.
const struct crimg_syscall *crimg_syscall_find(enum crimg_abi abi, uint64_t number);

// What an argument is. Numbers first, then pointers.
enum crimg_arg {
	CRIMG_ARG_HEX,
	CRIMG_ARG_INT,
	CRIMG_ARG_UINT,
	CRIMG_ARG_LONG,
	CRIMG_ARG_ULONG,
	CRIMG_ARG_SIZE,
	CRIMG_ARG_OCTAL,
	CRIMG_ARG_FD,
	CRIMG_ARG_MS,
	CRIMG_ARG_SIGNAL,
	CRIMG_ARG_SIGMASK, // a signal; the first 32 signals as bits
	CRIMG_ARG_CLOCK,
	CRIMG_ARG_FAMILY,
	CRIMG_ARG_RLIMIT,
	CRIMG_ARG_SCHED,
	CRIMG_ARG_OPEN,
	CRIMG_ARG_FDFLAGS,
	CRIMG_ARG_PROT,
	CRIMG_ARG_MMAP,
	CRIMG_ARG_INOTIFY,
	CRIMG_ARG_ABSTIME,
	CRIMG_ARG_EPOLL,
	CRIMG_ARG_FCNTL,
	CRIMG_ARG_FLOCK,
	CRIMG_ARG_FUTEX,
	CRIMG_ARG_IDTYPE,
	CRIMG_ARG_IPCCALL,
	CRIMG_ARG_IPCFLAGS,
	CRIMG_ARG_MSG,
	CRIMG_ARG_SIGHOW,
	CRIMG_ARG_SOCKETCALL,
	CRIMG_ARG_WAIT,
	CRIMG_ARG_WHENCE,
	CRIMG_ARG_ADDRESS,
	CRIMG_ARG_STRING,     // ends in NUL
	CRIMG_ARG_TIMESPEC,   // two words of the ABI: seconds, nanoseconds
	CRIMG_ARG_TIMESPEC64, // two 64-bit words
	CRIMG_ARG_TIMEVAL,    // two words of the ABI: seconds, microseconds
	CRIMG_ARG_POLLFDS,    // struct pollfd[]; the next argument counts them
	CRIMG_ARG_FDSET,      // bits; the first argument is one more than the highest
	CRIMG_ARG_SIGSET,     // 64 bits
	CRIMG_ARG_SIGARG,     // two words of the ABI: address of a sigset, its size
	CRIMG_ARG_SOCKADDR,   // the next argument is its length
	CRIMG_ARG_FUTEXWORD,  // u32
	CRIMG_ARG_COUNT
};

#define CRIMG_SYSCALL_ARGS 6u

struct crimg_syscall_arg {
	char name[20];
	enum crimg_arg kind;
};

// What is known of the arguments, in order. Returns how many there are; SIZE_MAX when the table
// does not say.
size_t crimg_syscall_args(const struct crimg_syscall *call,
                          struct crimg_syscall_arg out[CRIMG_SYSCALL_ARGS]);
const char *crimg_arg_word(enum crimg_arg kind); // as syscalls.def calls it

// The number in words, or as its kind writes numbers: "CLOCK_REALTIME", "-1", "0x7f10". Pointers
// are in hex, "NULL" for 0. abi says how wide a word is. out holds at least 256 bytes. Returns out.
char *crimg_arg_text(enum crimg_arg kind, enum crimg_abi abi, uint64_t value, char *out,
                     size_t size);

// What a system call left in the result register: "-EINTR", "-ERESTARTSYS", "5". Returns out.
char *crimg_syscall_result_text(int64_t result, char *out, size_t size);
// True for the results that only the kernel sees: it repeats the call, or the program gets EINTR.
bool crimg_syscall_is_restart(int64_t result);

// Bits of poll(2): "POLLIN|POLLHUP". Returns out.
char *crimg_poll_events_text(uint32_t events, char *out, size_t size);

#endif
