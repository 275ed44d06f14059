// The last steps of one task: SIGTRAP, the stage goes, and every thread has its own registers and mask. From
// here on nothing of crimg is in it, and it needs only to be let go.
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "producer/restart_leave.h"

static int set_mask(const struct crimg_puppet *p, uint64_t mask, struct crimg_err *err)
{
	if (ptrace(PTRACE_SETSIGMASK, p->tid, sizeof mask, &mask) == 0)
		return 0;
	return crimg_fail_sys(err, errno, NULL, "task %u: which signals it blocks", p->shown);
}

static int queue_traps(struct crimg_actor *a, struct crimg_puppet *p, const struct crimg_list *list,
                       bool shared, struct crimg_err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (crimg_restart_pending_signal(list->items[i]) == SIGTRAP
		    && crimg_puppet_leave(p, crimg_restart_pending(p, a->task->pid, list->items[i], shared),
		                          err) < 0)
			return -1;
	return 0;
}

static int leave_thread(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                        struct crimg_err *err)
{
	struct crimg_list list;
	if (set_mask(&a->puppets[i], UINT64_MAX, err) < 0)
		return -1;
	if (crimg_thread_signals(r->image, &a->task->threads[i], &list, err) < 0)
		return -1;
	if (queue_traps(a, &a->puppets[i], &list, false, err) < 0)
		return -1;
	return crimg_restart_wait(r, a, i, err);
}

static int leave_process(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list list;
	struct crimg_puppet *p = &a->puppets[0];
	if (crimg_task_list(r->image, a->task, CRIMG_PART_SIGNALS, &list, err) < 0
	    || queue_traps(a, p, &list, true, err) < 0)
		return -1;
	if (crimg_task_list(r->image, a->task, CRIMG_PART_SIGACTIONS, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		if (crimg_restart_signal_of(i) == SIGTRAP
		    && crimg_puppet_leave(p, crimg_restart_action(p, SIGTRAP, list.items[i]), err) < 0)
			return -1;
	if (crimg_restart_has_company(r, a))
		return 0; // the last of those who have this memory takes the stage away
	struct crimg_call last = { .what = "leaving", .number = SYS_munmap,
		                   .args = { r->stage.start, r->stage.end - r->stage.start } };
	return crimg_puppet_leave(p, last, err);
}

int crimg_restart_leave(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	for (size_t i = a->count; i-- > 0;)
		if (leave_thread(r, a, i, err) < 0)
			return -1;
	if (leave_process(r, a, err) < 0)
		return -1;
	for (size_t i = 0; i < a->count; i++) {
		const struct crimg_thread *t = &a->task->threads[i];
		if ((a->puppets[i].resumes != 0 && crimg_puppet_stand(&a->puppets[i], err) < 0)
		    || crimg_restart_regs(&a->puppets[i], t->core, err) < 0
		    || set_mask(&a->puppets[i], crimg_thread_blocked(a->task, t), err) < 0)
			return -1;
	}
	return 0;
}
