// The kernel's siginfo, as images keep it: 128 raw bytes of a little-endian 64-bit kernel.
#ifndef CRIMG_FORMAT_SIGINFO_H
#define CRIMG_FORMAT_SIGINFO_H

#include "format/err.h"

enum crimg_siginfo_form {
	CRIMG_SIGINFO_NONE,   // nothing beyond the three numbers
	CRIMG_SIGINFO_SENT,   // pid, uid
	CRIMG_SIGINFO_QUEUED, // pid, uid, value
	CRIMG_SIGINFO_TIMER,  // timer, overrun, value
	CRIMG_SIGINFO_CHILD,  // pid, uid, status
	CRIMG_SIGINFO_FAULT,  // address
	CRIMG_SIGINFO_POLL,   // band, fd
	CRIMG_SIGINFO_SYSCALL, // address, number, arch
};

struct crimg_siginfo {
	enum crimg_siginfo_form form;
	int32_t signo, sys_errno, code;
	uint32_t pid, uid;
	uint64_t value;       // sigval, or band
	int32_t timer, overrun, status, fd, number;
	uint64_t address;
};

// False when there are fewer than 16 bytes. Which form it is follows from signal and code, as in the
// kernel's siginfo_layout().
bool crimg_siginfo_decode(const uint8_t *data, size_t length, struct crimg_siginfo *out);
// "SI_QUEUE", "SEGV_MAPERR", "CLD_EXITED", or the number; out holds at least 16 bytes.
const char *crimg_siginfo_code(const struct crimg_siginfo *info, char *out, size_t size);
// "from pid 12 uid 0, value 1001"; "" for nothing. Returns out.
char *crimg_siginfo_text(const struct crimg_siginfo *info, char *out, size_t size);

#endif
