// The system call that a thread was frozen in: which one, what its arguments are and point at, and
// what becomes of it. Knows registers and memory; knows nothing of how views are laid out.
#ifndef CRIMG_INSPECT_SYSCALL_TEXT_H
#define CRIMG_INSPECT_SYSCALL_TEXT_H

#include "format/syscalls.h"
#include "format/x86.h"
#include "inspect/debuggee.h"

enum crimg_call_state {
	CRIMG_CALL_NONE,     // it ran code of its own
	CRIMG_CALL_ENTERING, // the next instruction makes it
	CRIMG_CALL_RESTARTS, // was interrupted; CRIU set the thread back, so that it is made again
	CRIMG_CALL_INTERRUPTED, // was interrupted; the program gets -EINTR
	CRIMG_CALL_PENDING,     // was interrupted, with a result that tells the kernel how to go on
	CRIMG_CALL_RETURNED,    // was done; result is what the program gets
};

struct crimg_call {
	enum crimg_call_state state;
	bool code_seen; // the instruction was found in memory; else state is judged by rax alone
	enum crimg_abi abi;
	uint64_t number;
	const struct crimg_syscall *known; // NULL: a number without a name
	int64_t result;         // of INTERRUPTED, PENDING, RETURNED
	bool args_known;        // else all six, as they were
	size_t arg_count;
	struct crimg_syscall_arg args[CRIMG_SYSCALL_ARGS];
	uint64_t values[CRIMG_SYSCALL_ARGS];
	struct crimg_list fds;  // FdinfoEntry of the task: what descriptors among them are
};

// From the registers of a thread of d's task. fds are CRIMG_PART_FDS of the task, which the caller
// loads once for all threads. Code that cannot be read is no damage.
void crimg_call_of(struct crimg_debuggee *d, struct crimg_list fds, const UserX86RegsEntry *regs,
                   struct crimg_call *out);

// Argument i with what it points at: "3 </tmp/log>", "0x7ffd10435e90 {1 h}". Returns out.
char *crimg_call_arg_text(struct crimg_debuggee *d, const struct crimg_call *call, size_t i,
                          char *out, size_t size);
#define CRIMG_CALL_ARG_MAX 768
// "clock_nanosleep(CLOCK_REALTIME, 0, 0x7ffd10435e90 {1 h}, NULL)". Returns out.
char *crimg_call_text(struct crimg_debuggee *d, const struct crimg_call *call, char *out,
                      size_t size);
#define CRIMG_CALL_TEXT_MAX 4096
// "returned 5", "starts again". Returns out.
char *crimg_call_state_text(const struct crimg_call *call, char *out, size_t size);
const char *crimg_call_state_word(enum crimg_call_state state); // for JSON: "restarts"

#endif
