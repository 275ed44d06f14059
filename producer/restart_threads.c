// Threads: created with their numbers; and what each has of its own apart from registers, signals and
// credentials.
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "format/limits.h"
#include "format/x86.h"
#include "producer/restart_birth.h"

#define THREAD_FLAGS                                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

int crimg_restart_name(struct crimg_puppet *p, struct crimg_err *err)
{
	char comm[16] = "";
	snprintf(comm, sizeof comm, "%s", p->name);
	return CRIMG_DO(p, err, "its name", NULL, SYS_prctl, PR_SET_NAME,
	                crimg_puppet_lend(p, comm, sizeof comm));
}

static int set_altstack(struct crimg_puppet *p, const ThreadSasEntry *sas, struct crimg_err *err)
{
	// That it is in use follows from the stack pointer.
	stack_t stack = { .ss_sp = (void *)(uintptr_t)(sas != NULL ? sas->ss_sp : 0),
		          .ss_size = sas != NULL ? (size_t)sas->ss_size : 0,
		          .ss_flags = sas != NULL ? (int)(sas->ss_flags & ~(unsigned)SS_ONSTACK)
		                                  : SS_DISABLE };
	return CRIMG_DO(p, err, "its alternative signal stack", NULL, SYS_sigaltstack,
	                crimg_puppet_lend(p, &stack, sizeof stack), 0);
}

// Where the kernel looks when the thread ends, or is moved to another CPU.
static int set_pointers(struct crimg_puppet *p, const CoreEntry *core, struct crimg_err *err)
{
	const ThreadCoreEntry *t = core->thread_core;
	const RseqEntry *rseq = t != NULL ? t->rseq_entry : NULL;
	if (CRIMG_DO(p, err, "the word that its end clears", NULL, SYS_set_tid_address,
	             core->thread_info->clear_tid_addr) < 0)
		return -1;
	bool is_32 = crimg_x86_is_32(core->thread_info->gpregs);
	if (t != NULL && t->futex_rla != 0 && is_32
	    && crimg_puppet_add(p, crimg_restart_robust_32(t->futex_rla, t->futex_rla_len), err) < 0)
		return -1;
	if (t != NULL && t->futex_rla != 0 && !is_32
	    && CRIMG_DO(p, err, "its robust futexes", NULL, SYS_set_robust_list, t->futex_rla,
	                t->futex_rla_len) < 0)
		return -1;
	if (rseq == NULL || rseq->rseq_abi_pointer == 0)
		return 0;
	return CRIMG_DO(p, err, "its restartable sequences", NULL, SYS_rseq, rseq->rseq_abi_pointer,
	                rseq->rseq_abi_size, 0, rseq->signature);
}

static int set_thread(struct crimg_puppet *p, const CoreEntry *core, struct crimg_err *err)
{
	const ThreadCoreEntry *t = core->thread_core;
	if (set_pointers(p, core, err) < 0
	    || set_altstack(p, t != NULL ? t->sas : NULL, err) < 0 || crimg_restart_name(p, err) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

int crimg_restart_threads(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	for (size_t i = 0; i < a->task->thread_count; i++) {
		const struct crimg_thread *t = &a->task->threads[i];
		struct crimg_puppet *p = &a->puppets[i];
		p->name = crimg_thread_comm(a->task, t);
		if (i > 0) {
			if (crimg_restart_bear(&a->puppets[0], THREAD_FLAGS, t->tid, p, err) < 0)
				return -1;
			a->count++;
		}
		if (set_thread(p, t->core, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < a->count; i++)
		if (crimg_restart_thread_cgroup(r, a, i, err) < 0 || crimg_restart_thread_extras(r, a, i, err) < 0
		    || crimg_restart_schedule(r, a, i, err) < 0)
			return -1;
	return 0;
}
