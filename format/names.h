// Names of the numbers that images hold: flags, signals, states, capabilities, addresses. Numbers
// are those of Linux on x86 (generic ABI), whatever machine reads the image. Knows tables; knows no
// messages.
#ifndef CRIMG_FORMAT_NAMES_H
#define CRIMG_FORMAT_NAMES_H

#include "format/err.h"

struct crimg_name {
	uint64_t value;
	const char *name;
};

// Values: one number, one name. Bits: each row is a bit (or a group of bits that belong together).
enum crimg_names {
	// values
	CRIMG_NAMES_ERRNO,
	CRIMG_NAMES_FD_TYPE,       // enum fd_types in words: "file", "pipe", …
	CRIMG_NAMES_SOCKET_FAMILY, // "inet"
	CRIMG_NAMES_SOCKET_TYPE,   // "stream"
	CRIMG_NAMES_IP_PROTO,      // "tcp"
	CRIMG_NAMES_NETLINK_PROTO, // "ROUTE"
	CRIMG_NAMES_SOCKET_STATE,  // TCP_*, which other sockets use too: "LISTEN"
	CRIMG_NAMES_SHUTDOWN,
	CRIMG_NAMES_CLOCK, // "CLOCK_MONOTONIC"
	CRIMG_NAMES_SIGEV,
	CRIMG_NAMES_SCHED_POLICY,
	CRIMG_NAMES_SECCOMP_MODE,
	CRIMG_NAMES_RLIMIT, // "NOFILE"
	CRIMG_NAMES_FSTYPE, // mnt_entry.fstype
	CRIMG_NAMES_TASK_STATE,
	CRIMG_NAMES_MACHINE, // core_entry.mtype
	CRIMG_NAMES_TTY_TYPE,
	CRIMG_NAMES_NETDEV_TYPE,
	CRIMG_NAMES_LSM,
	CRIMG_NAMES_LOCK_TYPE, // file_lock_entry.type
	CRIMG_NAMES_LOCK_FLAG,
	CRIMG_NAMES_SI_CODE,    // <= 0 as 64-bit two's complement, and those that all signals share
	CRIMG_NAMES_CAPABILITY, // number
	CRIMG_NAMES_REMAP,
	CRIMG_NAMES_ETHERTYPE,
	// bits
	CRIMG_NAMES_OPEN_FLAGS, // without the access mode
	CRIMG_NAMES_MMAP_PROT,
	CRIMG_NAMES_MMAP_FLAGS,
	CRIMG_NAMES_VMA_STATUS,
	CRIMG_NAMES_MADVISE, // vma_entry.madv: bit n is MADV_n
	CRIMG_NAMES_SIGACTION_FLAGS,
	CRIMG_NAMES_SECUREBITS,
	CRIMG_NAMES_SECCOMP_FLAGS,
	CRIMG_NAMES_MOUNT_FLAGS,
	CRIMG_NAMES_EPOLL_EVENTS,
	CRIMG_NAMES_INOTIFY_EVENTS,
	CRIMG_NAMES_SEALS,
	CRIMG_NAMES_NAMESPACES, // CLONE_NEW*
	CRIMG_NAMES_NETDEV_FLAGS,
	CRIMG_NAMES_PAGE_FLAGS, // CRIMG_PE_*
	CRIMG_NAMES_SIGSTACK_FLAGS,
	CRIMG_NAMES_XSTATE, // xstate_bv
	CRIMG_NAMES_PERSONALITY,
	CRIMG_NAMES_COUNT
};

// The name of one value, or NULL.
const char *crimg_name_of(enum crimg_names table, uint64_t value);
// The same; unknown values as a decimal number. out holds at least 32 bytes for that. Returns a
// string.
const char *crimg_name_or_number(enum crimg_names table, uint64_t value, char *out, size_t size);
// "A|B|0x80", "" for 0; at most size - 1 bytes. Returns out.
char *crimg_flags_text(enum crimg_names table, uint64_t value, char *out, size_t size);

// "SIGTERM", "SIGRTMIN+3" (34 is SIGRTMIN, as programs see it), "SIG32"; out holds at least 32 bytes.
char *crimg_signal_text(uint64_t number, char *out, size_t size);
// "SIGINT SIGTERM"; bit n - 1 is signal n. "" for none. Runs of five and more real-time signals are
// joined: "SIGRTMIN+2..SIGRTMIN+9".
char *crimg_sigset_text(uint64_t set, char *out, size_t size);
// The bits of a capability set, low word first; "" for none; "all", "all but NET_RAW" when few
// of 0 to 40 are missing.
char *crimg_caps_text(const uint32_t *words, size_t count, char *out, size_t size);
uint64_t crimg_caps_mask(const uint32_t *words, size_t count);
// "O_RDWR|O_APPEND".
char *crimg_open_flags_text(uint32_t flags, char *out, size_t size);
// "r", "w", "rw" or "path": what may be done through a descriptor.
const char *crimg_open_mode(uint32_t flags);

// Words as stored (network byte order in memory): 1 word IPv4, 4 words IPv6. Returns out, "?" for
// other counts. 64 bytes are enough.
char *crimg_address_text(const uint32_t *words, size_t count, char *out, size_t size);
// "[::1]:80", "127.0.0.1:80", "*" for port 0.
char *crimg_endpoint_text(const uint32_t *words, size_t count, uint32_t port, char *out,
                          size_t size);
// Device numbers "major:minor": the kernel's encoding, and glibc's old one.
char *crimg_device_text(uint32_t dev, char *out, size_t size);
char *crimg_old_device_text(uint32_t dev, char *out, size_t size);
// How a task ended, from its wait status: "exited 42", "killed by SIGTERM", with ", core dumped".
char *crimg_exit_text(uint32_t status, char *out, size_t size);

// "1.5 MiB", "12 KiB", "5001 B": below 10000 exactly.
char *crimg_bytes_text(uint64_t bytes, char *out, size_t size);
// "3 d 4 h", "1 h 2 min 3 s", "9 min 0.512 s", "5 s 6 us", "12.5 ms", "0 s".
char *crimg_duration_text(uint64_t seconds, uint64_t nanoseconds, char *out, size_t size);
// "2026-11-23 10:19:08 UTC".
char *crimg_time_text(uint64_t seconds, char *out, size_t size);

#endif
