// System calls with a time of their own: the thread makes the call again for what is left, and is interrupted at
// once. Then the kernel itself knows until when to wait, and goes on with the call when the thread does, whose
// registers and memory tell of the whole time as before.
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "producer/restart_parts.h"

#define MS_NS UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define RESTART_BLOCK 516 // ERESTART_RESTARTBLOCK

static const TimedWaitEntry *find(struct crimg_restart *r, uint32_t tid)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_TIMED_WAITS, "tid", tid, NULL);
}

// The call, with less time; false: none of those that the kernel goes on with.
static bool shorten(struct crimg_puppet *p, const TimedWaitEntry *e, const UserX86RegsEntry *g,
                    struct crimg_call *call)
{
	struct timespec left = { (time_t)(e->left_ns / SECOND_NS), (long)(e->left_ns % SECOND_NS) };
	*call = (struct crimg_call){ .what = "waiting on", .number = (long)e->number,
		                     .args = { g->di, g->si, g->dx, g->r10, g->r8, g->r9 } };
	switch (e->number) {
	case SYS_poll:
		call->args[2] = (e->left_ns + MS_NS - 1) / MS_NS;
		return call->args[2] < INT32_MAX;
	case SYS_nanosleep:
		call->args[0] = crimg_puppet_lend(p, &left, sizeof left);
		return true;
	case SYS_clock_nanosleep:
		call->args[2] = crimg_puppet_lend(p, &left, sizeof left);
		return true;
	case SYS_futex:
		call->args[3] = crimg_puppet_lend(p, &left, sizeof left);
		return true;
	default:
		return false;
	}
}

int crimg_restart_wait(struct crimg_restart *r, struct crimg_actor *a, size_t i, struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[i];
	const UserX86RegsEntry *g = a->task->threads[i].core->thread_info->gpregs;
	const TimedWaitEntry *e = find(r, a->task->threads[i].tid);
	struct crimg_call call;
	int64_t result = 0;
	if (e == NULL || g->ax != e->number || g->orig_ax != e->number || !shorten(p, e, g, &call))
		return 0;
	if (crimg_puppet_interrupt(p, call, &result, err) < 0)
		return -1;
	// Any other answer: what it waits for has come, and it will hear so when it makes the call itself.
	p->resumes = result == -RESTART_BLOCK ? call.number : 0;
	return 0;
}
