// Signals: what they do, and those that are pending. What the making of the tasks left pending goes first.
// All but SIGTRAP, which the stage needs: restart_leave.c.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "format/checked.h"
#include "producer/restart_leave.h"

#define SIGINFO_BYTES 128u
#define PENDING_MAX 100000u // that the making of tasks can have left

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

unsigned crimg_restart_signal_of(size_t index)
{
	unsigned signal = (unsigned)index + 1;
	signal += signal >= SIGKILL;
	return signal + (signal >= SIGSTOP);
}

struct crimg_call crimg_restart_action(struct crimg_puppet *p, unsigned signal, const SaEntry *e)
{
	if (e->has_compat_sigaction && e->compat_sigaction)
		return crimg_restart_action_32(p, signal, e);
	struct kernel_sigaction action = { e->sigaction, e->flags, e->restorer, e->mask };
	return (struct crimg_call){
		.what = "what a signal does", .number = SYS_rt_sigaction,
		.args = { signal, crimg_puppet_lend(p, &action, sizeof action), 0, 8 },
	};
}

static int set_actions(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list actions;
	struct crimg_puppet *p = &a->puppets[0];
	if (crimg_task_list(r->image, a->task, CRIMG_PART_SIGACTIONS, &actions, err) < 0)
		return -1;
	for (size_t i = 0; i < actions.count && crimg_restart_signal_of(i) <= 64; i++) {
		unsigned signal = crimg_restart_signal_of(i);
		if (signal != SIGTRAP
		    && crimg_puppet_add(p, crimg_restart_action(p, signal, actions.items[i]), err) < 0)
			return -1;
	}
	return 0;
}

static int drain(struct crimg_puppet *p, struct crimg_err *err)
{
	static const struct timespec now = { 0, 0 };
	uint64_t all = ~(UINT64_C(1) << (SIGTRAP - 1));
	for (unsigned i = 0; i < PENDING_MAX; i++) {
		int64_t result = 0;
		struct crimg_call call = { .what = "forgetting signals", .number = SYS_rt_sigtimedwait };
		call.args[0] = crimg_puppet_lend(p, &all, sizeof all);
		call.args[2] = crimg_puppet_lend(p, &now, sizeof now);
		call.args[3] = sizeof all;
		if (crimg_puppet_try(p, call, &result, err) < 0)
			return -1;
		if (result == -EAGAIN)
			return 0;
		if (result < 0)
			return crimg_puppet_fail(p, &call, result, err);
	}
	return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
	                  "task %u: somebody sends it signals all the time", p->shown);
}

unsigned crimg_restart_pending_signal(const SiginfoEntry *e)
{
	return e->siginfo.len >= 4 ? crimg_get_u32(e->siginfo.data) : 0;
}

struct crimg_call crimg_restart_pending(struct crimg_puppet *p, uint32_t pid, const SiginfoEntry *e,
                                        bool shared)
{
	uint8_t info[SIGINFO_BYTES] = { 0 };
	unsigned signal = crimg_restart_pending_signal(e);
	memcpy(info, e->siginfo.data,
	       e->siginfo.len < sizeof info ? e->siginfo.len : sizeof info);
	uint64_t at = crimg_puppet_lend(p, info, sizeof info);
	struct crimg_call call = { .what = "a pending signal" };
	call.number = shared ? SYS_rt_sigqueueinfo : SYS_rt_tgsigqueueinfo;
	call.args[0] = pid;
	call.args[1] = shared ? signal : p->shown;
	call.args[2] = shared ? at : signal;
	call.args[3] = shared ? 0 : at;
	return call;
}

static int queue(struct crimg_puppet *p, uint32_t pid, const struct crimg_list *list, bool shared,
                 struct crimg_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		unsigned signal = crimg_restart_pending_signal(list->items[i]);
		if (signal != SIGTRAP && signal != SIGKILL && signal != SIGSTOP
		    && crimg_puppet_add(p, crimg_restart_pending(p, pid, list->items[i], shared), err) < 0)
			return -1;
	}
	return crimg_puppet_flush(p, err);
}

int crimg_restart_signals(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list list;
	struct crimg_puppet *leader = &a->puppets[0];
	if (set_actions(r, a, err) < 0 || drain(leader, err) < 0
	    || crimg_restart_timers(r, a, err) < 0)
		return -1;
	if (crimg_task_list(r->image, a->task, CRIMG_PART_SIGNALS, &list, err) < 0
	    || queue(leader, a->task->pid, &list, true, err) < 0)
		return -1;
	for (size_t i = 0; i < a->count; i++)
		if (crimg_thread_signals(r->image, &a->task->threads[i], &list, err) < 0
		    || queue(&a->puppets[i], a->task->pid, &list, false, err) < 0)
			return -1;
	return 0;
}
