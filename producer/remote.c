// Taking a stopped task over for system calls, and giving it back. The frame's bytes are remote_frame.c's,
// the instructions remote_gate.c's; this file knows ptrace and the order in which things must be done so
// that the task is sound whenever we die.
#include "producer/remote.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/proc.h"
#include "producer/remote_frame.h"
#include "producer/waits.h"

#define RED_ZONE_BYTES 128u
#define XSTATE_MAX_BYTES 14336u // far more than AMX and AVX-512 take
#define FRAME_MAX_BYTES 16384u  // with everything else
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define TRAP_AND_RESUME_FLAGS 0x10500u // TF, DF, RF: not in our way
#define RSEQ_CS_AT 8u                  // in struct rseq

// What the kernel answers a system call that it will restart with; no header for programs has them.
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

static int fail_ptrace(const struct crimg_remote *r, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, NULL, "task %d: %s", (int)r->tid, what);
}

struct user_regs_struct crimg_remote_resumed(const struct user_regs_struct *regs)
{
	struct user_regs_struct out = *regs;
	long long answer = (long long)regs->rax;
	bool restarts = answer == -ERESTARTSYS || answer == -ERESTARTNOINTR
			|| answer == -ERESTARTNOHAND || answer == -ERESTART_RESTARTBLOCK;
	if ((long long)regs->orig_rax >= 0 && restarts) {
		out.rax = regs->orig_rax;
		out.rip -= 2; // `syscall`
	}
	out.orig_rax = (unsigned long long)-1;
	return out;
}

static int set_regs(const struct crimg_remote *r, const struct user_regs_struct *regs,
		    struct crimg_err *err)
{
	struct user_regs_struct copy = *regs;
	return ptrace(PTRACE_SETREGS, r->tid, NULL, &copy) < 0
		       ? fail_ptrace(r, "registers cannot be set", err) : 0;
}

static int set_mask(const struct crimg_remote *r, uint64_t mask, struct crimg_err *err)
{
	return ptrace(PTRACE_SETSIGMASK, r->tid, sizeof mask, &mask) < 0
		       ? fail_ptrace(r, "the signal mask cannot be set", err)
		       : 0;
}

// Runs on to the next stop: *status. A signal to us ends the wait, which would be long if somebody
// froze the task.
static int run(const struct crimg_remote *r, int how, int *status, struct crimg_err *err)
{
	if (ptrace(how, r->tid, NULL, NULL) < 0)
		return fail_ptrace(r, "cannot be let run", err);
	if (waitpid(r->tid, status, __WALL) < 0)
		return fail_ptrace(r,
				   errno == EINTR
					   ? "interrupted while it was to make a system call for us"
					   : "cannot be waited for",
				   err);
	if (WIFSIGNALED(*status))
		return crimg_fail(
			err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET,
			"task %d was killed by signal %d while it made a system call for us",
			(int)r->tid, WTERMSIG(*status));
	if (!WIFSTOPPED(*status))
		return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET,
				  "task %d ended while it made a system call for us", (int)r->tid);
	return 0;
}

// To the next entry or end of a system call. Group stops are passed over: the task stops again later.
static int run_to_syscall(struct crimg_remote *r, struct crimg_err *err)
{
	int status;
	do {
		if (run(r, PTRACE_SYSCALL, &status, err) < 0)
			return -1;
		r->entered = WSTOPSIG(status) == SYSCALL_STOP;
	} while (!r->entered && status >> 16 == PTRACE_EVENT_STOP);
	if (r->entered)
		return 0;
	r->signal = WSTOPSIG(status);
	return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET,
			  "task %d: signal %d came while it made a system call for us", (int)r->tid,
			  r->signal);
}

// In front of rt_sigreturn, on the frame. A 32-bit task makes 64-bit calls in 64-bit mode, and goes
// back through a frame that says which mode it was in.
static struct user_regs_struct start_regs(const struct crimg_remote *r)
{
	struct user_regs_struct regs = r->regs;
	regs.cs = CRIMG_USER_CODE_64;
	regs.rip = r->gate.start;
	regs.rsp = r->promised ? r->detour + CRIMG_DETOUR_LEAD_BYTES : r->context;
	regs.rsp -= r->gate.syscall != 0 ? 16 : 0;
	regs.eflags &= ~(unsigned long long)TRAP_AND_RESUME_FLAGS;
	regs.orig_rax = (unsigned long long)-1;
	return regs;
}

static int read_state(struct crimg_remote *r, struct crimg_err *err)
{
	struct iovec xstate = {r->xstate, XSTATE_MAX_BYTES};
	if (ptrace(PTRACE_GETREGS, r->tid, NULL, &r->regs) < 0
	    || ptrace(PTRACE_GETSIGMASK, r->tid, sizeof r->mask, &r->mask) < 0
	    || ptrace(PTRACE_GETREGSET, r->tid, (void *)NT_X86_XSTATE, &xstate) < 0)
		return fail_ptrace(r, "registers cannot be read", err);
	if (r->regs.cs != CRIMG_USER_CODE_64 && r->regs.cs != CRIMG_USER_CODE_32)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "task %d runs in a code segment of its own: 0x%llx", (int)r->tid,
				  r->regs.cs);
	bool again = r->regs.cs == CRIMG_USER_CODE_64 && (long)r->regs.orig_rax == SYS_restart_syscall;
	if (!again)
		r->call = (long)r->regs.orig_rax;
	else if (r->call < 0)
		r->call = crimg_wait_restarted(r->tid, r->regs.rip);
	r->xstate_bytes = crimg_remote_xstate_bytes(r->xstate, xstate.iov_len);
	return 0;
}

// The kernel forgets a restartable sequence when the task comes back to other code than the
// sequence's, as it will.
static int read_rseq(struct crimg_remote *r, struct crimg_err *err)
{
	struct __ptrace_rseq_configuration c;
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, r->tid, sizeof c, &c) < 0
	    || c.rseq_abi_pointer == 0)
		return 0;
	r->rseq = c.rseq_abi_pointer + RSEQ_CS_AT;
	return crimg_proc_get(r->tid, r->rseq, &r->rseq_cs, sizeof r->rseq_cs, err);
}

struct user_regs_struct crimg_remote_healed(const struct crimg_remote *r)
{
	struct user_regs_struct regs = crimg_remote_resumed(&r->regs);
	if ((long)regs.rax == SYS_restart_syscall && r->regs.orig_rax == regs.rax) {
		regs.rax = r->call >= 0 ? (unsigned long long)r->call : (unsigned long long)-EINTR;
		regs.rip = r->call >= 0 ? regs.rip : r->regs.rip;
	}
	struct crimg_err ignored = CRIMG_ERR_INIT;
	uint64_t cs[4] = {0}; // version and flags, start, length, where it is given up
	if (r->rseq_cs != 0 && crimg_proc_get(r->tid, r->rseq_cs, cs, sizeof cs, &ignored) == 0
	    && regs.rip - cs[1] < cs[2])
		regs.rip = cs[3];
	return regs;
}

static int put_back_memory(struct crimg_remote *r, struct crimg_err *err)
{
	int rc = 0;
	if (r->saved != NULL)
		rc = crimg_proc_put(r->tid, r->low, r->saved, r->saved_bytes, err);
	free(r->saved);
	r->saved = NULL;
	return rc;
}

// Lays the frame below top, and keeps in r what was there.
static int lay_frame(struct crimg_remote *r, uint64_t top, struct crimg_err *err)
{
	struct crimg_remote_frame f = crimg_remote_frame_make(top & ~UINT64_C(63), r->xstate_bytes);
	struct user_regs_struct healed = crimg_remote_healed(r);
	size_t bytes = f.top - f.data;
	uint8_t *frame = malloc(bytes), *saved = malloc(bytes);
	int rc = frame != NULL && saved != NULL ? 0 : crimg_fail_nomem(err, bytes);
	if (rc == 0) {
		crimg_remote_frame_fill(&f, &r->gate, &healed, r->mask, r->xstate, r->xstate_bytes,
					frame);
		rc = crimg_proc_get(r->tid, f.data, saved, bytes, err);
	}
	if (rc == 0)
		rc = crimg_proc_put(r->tid, f.data, frame, bytes, err);
	free(frame);
	if (rc < 0) {
		free(saved);
		return -1;
	}
	r->low = r->data = f.data;
	r->context = f.context;
	r->detour = f.detour;
	r->saved = saved;
	r->saved_bytes = bytes;
	return 0;
}

// First the registers, then the mask: with the former, the task heals itself. (Should we die between the
// two, and a signal come before the task is back in a sigsuspend, it waits for one more.)
static int arm(struct crimg_remote *r, struct crimg_err *err)
{
	struct user_regs_struct regs = start_regs(r);
	if (set_regs(r, &regs, err) < 0)
		return -1;
	r->armed = true;
	return set_mask(r, UINT64_MAX, err);
}

// The far end of the process's stack, when that was never used: nothing but zeros. 0: it was.
static uint64_t end_of_stack(const struct crimg_remote *r)
{
	uint8_t there[FRAME_MAX_BYTES];
	struct crimg_err ignored = CRIMG_ERR_INIT;
	const struct crimg_remote_gate *g = &r->gate;
	if (g->stack_end - g->stack_start < 2 * sizeof there
	    || crimg_proc_get(r->tid, g->stack_start, there, sizeof there, &ignored) < 0
	    || !crimg_all_zero(there, sizeof there))
		return 0;
	return g->stack_start + sizeof there;
}

static uint64_t choose_top(const struct crimg_remote *r)
{
	uint64_t sp = r->regs.rsp, end = 0;
	if (sp < r->gate.stack_start || sp >= r->gate.stack_end)
		end = end_of_stack(r);
	return end != 0 ? end : sp - RED_ZONE_BYTES;
}

static int begin(struct crimg_remote *r, uint64_t top, struct crimg_err *err)
{
	long with_seccomp = PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;
	if (ptrace(PTRACE_SETOPTIONS, r->tid, NULL, with_seccomp) < 0
	    && ptrace(PTRACE_SETOPTIONS, r->tid, NULL, (long)PTRACE_O_TRACESYSGOOD) < 0)
		return fail_ptrace(r, "is not in a ptrace-stop of ours", err);
	if (read_state(r, err) < 0 || read_rseq(r, err) < 0)
		return -1;
	if (lay_frame(r, top != 0 ? top : choose_top(r), err) < 0)
		return -1;
	return arm(r, err);
}

static void release(struct crimg_remote *r)
{
	free(r->saved);
	free(r->xstate);
	r->saved = NULL;
	r->xstate = NULL;
}

int crimg_remote_begin_at(struct crimg_remote *r, pid_t tid, struct crimg_remote_gate gate, long call,
			  uint64_t top, struct crimg_err *err)
{
	*r = (struct crimg_remote){.tid = tid, .gate = gate, .call = call,
				    .xstate = calloc(1, XSTATE_MAX_BYTES)};
	if (r->xstate == NULL)
		return crimg_fail_nomem(err, XSTATE_MAX_BYTES);
	if (begin(r, top, err) == 0)
		return 0;
	// The first error is told; what goes wrong now comes from it.
	if (crimg_remote_end(r, err) < 0)
		return -1;
	return -1;
}

int crimg_remote_begin(struct crimg_remote *r, pid_t tid, struct crimg_err *err)
{
	struct crimg_remote_gate gate;
	if (crimg_remote_find_gate(tid, NULL, &gate, err) < 0)
		return -1;
	return crimg_remote_begin_at(r, tid, gate, -1, 0, err);
}

int crimg_remote_call(struct crimg_remote *r, long nr, const uint64_t args[6], int64_t *result,
		      struct crimg_err *err)
{
	struct user_regs_struct regs = start_regs(r);
	if (run_to_syscall(r, err) < 0) // the entry of rt_sigreturn
		return -1;
	regs.orig_rax = (unsigned long long)nr;
	regs.rax = (unsigned long long)-ENOSYS; // as the kernel has it at an entry
	regs.rdi = args[0], regs.rsi = args[1], regs.rdx = args[2];
	regs.r10 = args[3], regs.r8 = args[4], regs.r9 = args[5];
	if (set_regs(r, &regs, err) < 0 || run_to_syscall(r, err) < 0)
		return -1;
	if (ptrace(PTRACE_GETREGS, r->tid, NULL, &regs) < 0)
		return fail_ptrace(r, "registers cannot be read", err);
	*result = (int64_t)regs.rax;
	return 0;
}

// `syscall; ret` makes the call, and returns to the gate, on the frame proper.
static int lay_detour(struct crimg_remote *r, uint64_t syscall_ret, struct crimg_err *err)
{
	uint8_t detour[CRIMG_DETOUR_BYTES];
	struct user_regs_struct regs = start_regs(r);
	// Where `ret` finds the gate: in front of what the gate wants.
	uint64_t back = r->context - (r->gate.syscall != 0 ? 16 : 0) - 8;
	regs.rip = syscall_ret;
	regs.rax = (unsigned long long)r->promise;
	regs.rdi = r->promise_args[0];
	regs.rsi = r->promise_args[1];
	regs.rsp = back;
	crimg_remote_detour_fill(&r->gate, &regs, detour);
	return crimg_proc_put(r->tid, back, &r->gate.start, sizeof r->gate.start, err) < 0
		       ? -1 : crimg_proc_put(r->tid, r->detour, detour, sizeof detour - 8, err);
}

int crimg_remote_promise(struct crimg_remote *r, long nr, uint64_t first, uint64_t second,
			 struct crimg_err *err)
{
	uint64_t syscall_ret;
	if (crimg_remote_find_return(r->tid, &syscall_ret, err) < 0)
		return -1;
	if (syscall_ret == 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "task %d: its text has no `syscall; ret`: it could not take back what it does for us",
				  (int)r->tid);
	r->promise = nr;
	r->promise_args[0] = first;
	r->promise_args[1] = second;
	if (lay_detour(r, syscall_ret, err) < 0)
		return -1;
	r->promised = true;
	return 0;
}

int crimg_remote_keep(struct crimg_remote *r, struct crimg_err *err)
{
	int64_t result = 0;
	int rc = crimg_remote_call(r, r->promise, r->promise_args, &result, err);
	r->promised = false;
	return rc < 0 || result == 0 ? rc
		: crimg_fail_sys(err, (int)-result, NULL, "task %d: taking back what it did for us (system call %ld)",
				 (int)r->tid, r->promise);
}

void crimg_remote_retract(struct crimg_remote *r)
{
	r->promised = false;
}

// From the end of a system call into a stop where the kernel still looks at what the registers say of a
// system call to restart.
static int leave_syscall(struct crimg_remote *r, struct crimg_err *err)
{
	int status;
	if (ptrace(PTRACE_INTERRUPT, r->tid, NULL, NULL) < 0)
		return fail_ptrace(r, "cannot be interrupted", err);
	if (run(r, PTRACE_CONT, &status, err) < 0)
		return -1;
	r->entered = false;
	if (status >> 16 != PTRACE_EVENT_STOP)
		r->signal = WSTOPSIG(status);
	return 0;
}

int crimg_remote_end(struct crimg_remote *r, struct crimg_err *err)
{
	int rc = r->promised ? crimg_remote_keep(r, err) : 0;
	if (r->entered && rc == 0)
		rc = leave_syscall(r, err);
	if (r->armed && rc == 0)
		rc = set_mask(r, r->mask, err);
	if (r->armed && rc == 0)
		rc = set_regs(r, &r->regs, err);
	if (r->rseq_cs != 0 && rc == 0)
		rc = crimg_proc_put(r->tid, r->rseq, &r->rseq_cs, sizeof r->rseq_cs, err);
	if (rc == 0) // else it may be on the frame still, which takes it back
		rc = put_back_memory(r, err);
	release(r);
	return rc;
}
