// Remote system calls: a stopped task makes a system call for us, and is then as it was: registers,
// signal mask, the system call it was caught in, memory. No page of code is touched.
//
// How it heals itself: before anything else, a signal frame that holds the task's own registers and
// mask is laid where the task keeps nothing (below the red zone of the process's stack; at the
// untouched end of it when the task is on another one, which may be small and lie among data), and
// the task is put in front of a `mov $15,%eax; syscall` of its own text, that is, of rt_sigreturn.
// A remote call lets it run into that system call, exchanges the number at the entry, and sets it
// back to the same place. So whenever the tracer dies, the task's next step is rt_sigreturn: it
// goes on from where it was caught. A system call that the kernel would have restarted is begun
// anew then, relative timeouts with their full length. (Of a task with a seccomp filter that kills
// on the very call, this is not true between the exchange and the call.)
//
// The task is one that this thread has seized and that stands in a ptrace-stop which signals can be
// delivered from (PTRACE_EVENT_STOP, signal-delivery-stop). A 32-bit one makes 64-bit system calls,
// too: they answer in 64-bit structures.
#ifndef CRIMG_PRODUCER_REMOTE_H
#define CRIMG_PRODUCER_REMOTE_H

#include <sys/types.h>
#include <sys/user.h>

#include "format/err.h"

#define CRIMG_REMOTE_DATA_BYTES 1024u
// Code segments of programs.
#define CRIMG_USER_CODE_32 0x23u
#define CRIMG_USER_CODE_64 0x33u

// What remote calls need to know of the memory of a task. All tasks that share memory share it.
struct crimg_remote_gate {
	uint64_t start;   // of `mov $15,%eax; syscall`, or of `pop %rax; ret`
	uint64_t syscall; // address of a `syscall` for the latter; 0: start is the former
	uint64_t stack_start, stack_end; // the process's stack; both 0: it has none
};

struct crimg_remote {
	pid_t tid;
	struct crimg_remote_gate gate;
	struct user_regs_struct regs; // as they were, and will be again
	long call;                    // the system call that it was caught in, as its program made it; -1: unknown
	uint64_t mask;                // blocked signals, the same
	uint64_t data;                // address of CRIMG_REMOTE_DATA_BYTES for arguments and results
	int signal;                   // that came in between (only SIGSTOP can); 0: none

	// Private.
	uint64_t low, context;        // the memory that was written begins here; the frame
	uint64_t detour;              // room for another frame, in front of that one
	bool promised;                // the task makes promise on its way back, should we die
	long promise;
	uint64_t promise_args[6];
	uint8_t *saved;               // what was there
	size_t saved_bytes;
	void *xstate;
	size_t xstate_bytes;
	uint64_t rseq, rseq_cs;       // address of the task's rseq_cs word, and what it held
	bool armed;                   // the registers are ours
	bool entered;                 // in a syscall-stop
};

// The address of a `syscall; ret` in its text; 0: there is none.
CRIMG_MUST_CHECK int crimg_remote_find_return(pid_t tid, uint64_t *out, struct crimg_err *err);
// Looks for them, first where another process of the program has its own (like; NULL: nothing is known).
// CRIMG_E_UNSUPPORTED: the text has no way back.
CRIMG_MUST_CHECK int crimg_remote_find_gate(pid_t tid, const struct crimg_remote_gate *like,
                                            struct crimg_remote_gate *out, struct crimg_err *err);

// Takes the task over. After an error the task is as it was (unless it died), and there is nothing to end.
CRIMG_MUST_CHECK int crimg_remote_begin(struct crimg_remote *r, pid_t tid, struct crimg_err *err);
// The same, with a gate that is known. call: the one that it waits in, as its program made it, where that was seen; -1:
// it was not. top: the frame is laid below this address (at most 16 KiB, writable,
// nobody's); 0: where the task keeps nothing.
CRIMG_MUST_CHECK int crimg_remote_begin_at(struct crimg_remote *r, pid_t tid,
                                           struct crimg_remote_gate gate, long call, uint64_t top,
                                           struct crimg_err *err);

// The task makes system call nr. *result is what the kernel returned: -4095 … -1 are errors of that call,
// and no error here. All signals are blocked meanwhile. An error here: the task is gone, or a
// signal that cannot be blocked hit it (then crimg_remote_end still puts it right).
CRIMG_MUST_CHECK int crimg_remote_call(struct crimg_remote *r, long nr, const uint64_t args[6],
                                       int64_t *result, struct crimg_err *err);

// From now on until crimg_remote_keep the task makes system call nr on its way back, should we die: what takes back
// what the calls for us do (munmap, close). CRIMG_E_UNSUPPORTED: its text has no `syscall; ret`.
CRIMG_MUST_CHECK int crimg_remote_promise(struct crimg_remote *r, long nr, uint64_t first,
                                          uint64_t second, struct crimg_err *err);
// It makes it now; an error of that call is one here. crimg_remote_end does so, too.
CRIMG_MUST_CHECK int crimg_remote_keep(struct crimg_remote *r, struct crimg_err *err);

// There is nothing to take back: it makes no such call.
void crimg_remote_retract(struct crimg_remote *r);

// Puts everything back; the task is in PTRACE_EVENT_STOP (or in the delivery of r->signal, which
// PTRACE_DETACH must be given). Call it exactly once after begin succeeded, also after errors.
CRIMG_MUST_CHECK int crimg_remote_end(struct crimg_remote *r, struct crimg_err *err);

// The registers that the task goes on with when whatever was in progress is begun anew: for a
// system call that the kernel would restart, its number in ax and ip in front of `syscall`; orig_ax -1.
struct user_regs_struct crimg_remote_resumed(const struct user_regs_struct *regs);

// The same of a task taken over; inside a restartable sequence (rseq), ip is where that is given up.
struct user_regs_struct crimg_remote_healed(const struct crimg_remote *r);

// Options that a tracer sets with PTRACE_SEIZE: begin sets them too.
#define CRIMG_REMOTE_OPTIONS 1 // PTRACE_O_TRACESYSGOOD

#endif
