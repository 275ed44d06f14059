// The list of such calls. Source: signal(7), "Interruption of system calls and library functions by stop
// signals".
#include "producer/interrupted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "producer/proc.h"
#include "producer/remote.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#define SYSCALL_BYTES 2u // `syscall`, and `int $0x80`, where the kernel leaves all 32-bit tasks

static const long never_restarted[] = {
	SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_rt_sigtimedwait, SYS_semop,
	SYS_semtimedop, SYS_msgrcv, SYS_msgsnd, SYS_io_getevents, SYS_io_pgetevents,
	// Of sockets that have a timeout (SO_RCVTIMEO, SO_SNDTIMEO).
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_connect, SYS_accept, SYS_accept4, SYS_sendto, SYS_recvfrom,
	SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg,
};

// The same of 32-bit tasks, whose calls have other numbers. Source: Linux
// arch/x86/entry/syscalls/syscall_32.tbl.
static const long never_restarted32[] = {
	117 /* ipc */, 177 /* rt_sigtimedwait */, 247 /* io_getevents */, 256 /* epoll_wait */,
	319 /* epoll_pwait */, 385 /* io_pgetevents */, 400 /* msgsnd */, 401 /* msgrcv */,
	416 /* io_pgetevents_time64 */, 420 /* semtimedop_time64 */,
	421 /* rt_sigtimedwait_time64 */,
	SYS_epoll_pwait2, // the same number
	3 /* read */, 4 /* write */, 102 /* socketcall */, 145 /* readv */, 146 /* writev */, 337 /* recvmmsg */,
	345 /* sendmmsg */, 362 /* connect */, 364 /* accept4 */, 369 /* sendto */, 370 /* sendmsg */,
	371 /* recvfrom */, 372 /* recvmsg */, 417 /* recvmmsg_time64 */,
};

static bool is_interrupted(const struct user_regs_struct *regs)
{
	bool compat = regs->cs == CRIMG_USER_CODE_32;
	const long *calls = compat ? never_restarted32 : never_restarted;
	size_t count = compat ? sizeof never_restarted32 / sizeof *calls
			      : sizeof never_restarted / sizeof *calls;
	if ((long)regs->rax != -EINTR)
		return false;
	for (size_t i = 0; i < count; i++)
		if ((long)regs->orig_rax == calls[i])
			return true;
	return false;
}

static uint64_t mask_of(const char *status, const char *key)
{
	const char *p = crimg_proc_field(status, key);
	return p != NULL ? strtoull(p, NULL, 16) : 0;
}

// One that is pending and not blocked: the program is to hear of it, by EINTR too.
static int has_signal(pid_t tid, bool *out, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	int rc = crimg_proc_read(tid, "status", &text, err);
	if (rc == 0) {
		const char *status = (const char *)text.data;
		uint64_t pending = mask_of(status, "SigPnd") | mask_of(status, "ShdPnd");
		*out = (pending & ~mask_of(status, "SigBlk")) != 0;
	}
	crimg_buf_fini(&text);
	return rc;
}

// Up to a whole millisecond, as the call takes it; 0 is no time to wait, but to look.
static void set_time_left(struct user_regs_struct *regs, const struct crimg_wait *wait)
{
	bool epoll = wait->number == SYS_epoll_wait || wait->number == SYS_epoll_pwait;
	if (wait->timed && epoll)
		regs->r10 = (wait->left_ns + 999999) / 1000000;
}

int crimg_undo_interruption(pid_t tid, struct crimg_wait *wait, struct crimg_err *err)
{
	struct user_regs_struct regs;
	bool signal = true;
	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return crimg_fail_sys(err, errno, NULL, "task %d: registers cannot be read", (int)tid);
	crimg_wait_confirm(tid, &regs, wait);
	if (!is_interrupted(&regs))
		return 0;
	if (has_signal(tid, &signal, err) < 0)
		return -1;
	if (signal)
		return 0;
	set_time_left(&regs, wait);
	regs.rax = regs.orig_rax;
	regs.rip -= SYSCALL_BYTES;
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0)
		return crimg_fail_sys(err, errno, NULL, "task %d: registers cannot be set", (int)tid);
	return 0;
}
