// Interval timers and POSIX timers, with the time that was left.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "producer/restart_parts.h"

#define RESTORE_IDS 77 // PR_TIMER_CREATE_RESTORE_IDS, Linux 6.15
#define OLD_WAY_MAX 4096u // timers that are created to reach a number, before that

// As the kernel lays it out: struct sigevent.
struct kernel_sigevent {
	uint64_t value;
	int32_t signo, notify, tid;
	int32_t pad[11];
};

static int set_intervals(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list timers;
	struct crimg_puppet *p = &a->puppets[0];
	if (crimg_task_list(r->image, a->task, CRIMG_PART_ITIMERS, &timers, err) < 0)
		return -1;
	for (size_t i = 0; i < timers.count && i < 3; i++) {
		const ItimerEntry *e = timers.items[i];
		struct itimerval t = {
			.it_interval = { (time_t)e->isec, (suseconds_t)e->iusec },
			.it_value = { (time_t)e->vsec, (suseconds_t)e->vusec },
		};
		// A period without time left has run out, and waits for its signal to be taken.
		if (e->vsec == 0 && e->vusec == 0)
			t.it_value = t.it_interval;
		if ((t.it_value.tv_sec != 0 || t.it_value.tv_usec != 0)
		    && CRIMG_DO(p, err, "an interval timer", NULL, SYS_setitimer, i,
		                crimg_puppet_lend(p, &t, sizeof t), 0) < 0)
			return -1;
	}
	return 0;
}

static struct kernel_sigevent event_of(const PosixTimerEntry *e)
{
	return (struct kernel_sigevent){
		.value = e->sival_ptr, .signo = (int32_t)e->si_signo,
		.notify = (int32_t)e->it_sigev_notify,
		.tid = e->has_notify_thread_id ? e->notify_thread_id : 0,
	};
}

// Creates one timer; *id is the number wanted, or whatever the kernel gives.
static int create(struct crimg_puppet *p, const PosixTimerEntry *e, int32_t *id,
                  struct crimg_err *err)
{
	struct kernel_sigevent event = event_of(e);
	int64_t result = 0;
	struct crimg_call call = { .what = "a timer", .number = SYS_timer_create };
	call.args[0] = (uint64_t)(int64_t)(int32_t)e->clock_id;
	call.args[1] = crimg_puppet_lend(p, &event, sizeof event);
	uint64_t at = call.args[2] = crimg_puppet_lend(p, id, sizeof *id);
	if (crimg_puppet_try(p, call, &result, err) < 0)
		return -1;
	if (result < 0)
		return crimg_puppet_fail(p, &call, result, err);
	return crimg_puppet_read(p, at, id, sizeof *id, err);
}

// Older kernels count numbers up: timers come and go until the number is reached.
static int create_numbered(struct crimg_puppet *p, const PosixTimerEntry *e, struct crimg_err *err)
{
	for (unsigned i = 0; i <= OLD_WAY_MAX; i++) {
		int32_t id = (int32_t)e->it_id;
		if (create(p, e, &id, err) < 0)
			return -1;
		if (id == (int32_t)e->it_id)
			return 0;
		if (CRIMG_DO(p, err, "a timer in between", NULL, SYS_timer_delete, (uint64_t)id) < 0)
			return -1;
		if (id > (int32_t)e->it_id)
			break;
	}
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
	                  "task %u: this kernel gives no timer the number %u", p->shown, e->it_id);
}

static int arm(struct crimg_puppet *p, const PosixTimerEntry *e, struct crimg_err *err)
{
	struct itimerspec t = {
		.it_interval = { (time_t)e->isec, (long)e->insec },
		.it_value = { (time_t)e->vsec, (long)e->vnsec },
	};
	if (e->vsec == 0 && e->vnsec == 0)
		return 0;
	return CRIMG_DO(p, err, "arming a timer", NULL, SYS_timer_settime, e->it_id, 0,
	                crimg_puppet_lend(p, &t, sizeof t), 0);
}

static int by_id(const void *a, const void *b)
{
	const PosixTimerEntry *x = *(const PosixTimerEntry *const *)a;
	const PosixTimerEntry *y = *(const PosixTimerEntry *const *)b;
	return x->it_id < y->it_id ? -1 : x->it_id > y->it_id;
}

static int choose_ids(struct crimg_puppet *p, uint64_t on, struct crimg_err *err)
{
	int64_t ignored;
	struct crimg_call call = { .what = "choosing the numbers of timers", .number = SYS_prctl,
		                   .args = { RESTORE_IDS, on } };
	return crimg_puppet_try(p, call, &ignored, err); // unknown to older kernels
}

static int create_all(struct crimg_puppet *p, const PosixTimerEntry **sorted, size_t count,
                      struct crimg_err *err)
{
	if (choose_ids(p, 1, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (create_numbered(p, sorted[i], err) < 0)
			return -1;
	if (choose_ids(p, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (arm(p, sorted[i], err) < 0)
			return -1;
	return 0;
}

int crimg_restart_timers(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list timers;
	struct crimg_puppet *p = &a->puppets[0];
	int rc = 0;
	if (set_intervals(r, a, err) < 0
	    || crimg_task_list(r->image, a->task, CRIMG_PART_POSIX_TIMERS, &timers, err) < 0)
		return -1;
	if (timers.count > 0) {
		const PosixTimerEntry **sorted = calloc(timers.count, sizeof *sorted);
		if (sorted == NULL)
			return crimg_fail_nomem(err, timers.count * sizeof *sorted);
		for (size_t i = 0; i < timers.count; i++)
			sorted[i] = timers.items[i];
		qsort(sorted, timers.count, sizeof *sorted, by_id);
		rc = create_all(p, sorted, timers.count, err);
		free(sorted);
	}
	return rc < 0 ? -1 : crimg_puppet_flush(p, err);
}
