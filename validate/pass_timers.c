// The meaning of timers and limits: what setitimer, timer_create and setrlimit would take.
#include <inttypes.h>
#include <stdlib.h>

#include "validate/meaning.h"

#define USEC_PER_SEC 1000000u
#define NSEC_PER_SEC 1000000000u

static void missing(struct crimg_checker *c, const struct crimg_task *task, const char *what)
{
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, task->pid, "%s", "");
	CRIMG_FIND(c, PART_MISSING, &p, "process %u has no %s", task->pid, what);
}

static bool is_time(uint64_t seconds, uint64_t fraction, uint64_t per_second)
{
	return seconds <= (uint64_t)INT64_MAX && fraction < per_second;
}

static void check_itimers(struct crimg_checker *c, const struct crimg_task *task)
{
	struct crimg_list timers = crimg_checker_list(c, task, CRIMG_PART_ITIMERS);
	for (size_t i = 0; i < timers.count; i++) {
		const ItimerEntry *t = timers.items[i];
		if (is_time(t->isec, t->iusec, USEC_PER_SEC) && is_time(t->vsec, t->vusec, USEC_PER_SEC))
			continue;
		struct crimg_place p = crimg_place_part(c, task, CRIMG_PART_ITIMERS, i, "");
		CRIMG_FIND(c, ITIMER, &p,
		           "every %" PRIu64 " s %" PRIu64 " us, in %" PRIu64 " s %" PRIu64
		           " us found, less than 2^63 s and 1000000 us wanted", t->isec, t->iusec, t->vsec,
		           t->vusec);
	}
	if (timers.count == 0)
		missing(c, task, "interval timers");
}

enum { NOTIFY_SIGNAL = 0, NOTIFY_NONE = 1, NOTIFY_THREAD = 2, NOTIFY_THREAD_ID = 4 };
// Clocks with timer_create(2): realtime, monotonic, the two of CPU time, boottime, alarms, TAI.
#define CLOCKS_WITH_TIMERS 0xb8fu

// Negative numbers are CPU clocks of a process or thread.
static bool has_timers(uint32_t clock)
{
	return clock > INT32_MAX || (clock < 32 && (CLOCKS_WITH_TIMERS & 1u << clock) != 0);
}

struct fault {
	const char *field, *wanted; // field NULL: none
	int64_t found;
};

static struct fault timer_fault(struct crimg_checker *c, const struct crimg_task *task,
                                const PosixTimerEntry *t)
{
	uint32_t notify = t->it_sigev_notify;
	if (!has_timers(t->clock_id))
		return (struct fault){ "clock_id", "a clock that has timers", t->clock_id };
	if (notify != NOTIFY_SIGNAL && notify != NOTIFY_NONE && notify != NOTIFY_THREAD
	    && notify != NOTIFY_THREAD_ID)
		return (struct fault){ "it_sigev_notify", "0, 1, 2 or 4", notify };
	if (notify != NOTIFY_NONE && (t->si_signo < 1 || t->si_signo > CRIMG_SIGNAL_MAX))
		return (struct fault){ "si_signo", "1 to 64", t->si_signo };
	if (notify == NOTIFY_THREAD_ID
	    && crimg_tasks_of_thread(&c->tasks, (uint32_t)t->notify_thread_id) != task)
		return (struct fault){ "notify_thread_id", "a thread of the process", t->notify_thread_id };
	if (!is_time(t->isec, t->insec, NSEC_PER_SEC))
		return (struct fault){ "insec", "less than 10^9, and less than 2^63 s", (int64_t)t->insec };
	if (!is_time(t->vsec, t->vnsec, NSEC_PER_SEC))
		return (struct fault){ "vnsec", "less than 10^9, and less than 2^63 s", (int64_t)t->vnsec };
	return (struct fault){ NULL, NULL, 0 };
}

struct numbered {
	uint32_t number;
	size_t index;
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void check_numbers(struct crimg_checker *c, const struct crimg_task *task,
                          const struct crimg_list *timers)
{
	struct numbered *sorted = calloc(timers->count + 1, sizeof *sorted);
	if (sorted == NULL) {
		crimg_fail_nomem(&c->findings.fault, timers->count * sizeof *sorted);
		return;
	}
	for (size_t i = 0; i < timers->count; i++)
		sorted[i] = (struct numbered){ ((const PosixTimerEntry *)timers->items[i])->it_id, i };
	qsort(sorted, timers->count, sizeof *sorted, by_number);
	for (size_t i = 0; i < timers->count; i++) {
		uint32_t number = sorted[i].number;
		bool twice = i > 0 && sorted[i - 1].number == number;
		if (!twice && number <= INT32_MAX)
			continue;
		struct crimg_place p = crimg_place_part(c, task, CRIMG_PART_POSIX_TIMERS,
		                                        sorted[i].index, "it_id");
		CRIMG_FIND(c, TIMER_NUMBER, &p, "%u found%s", number,
		           twice ? " twice" : ", at most 2^31 - 1 wanted");
	}
	free(sorted);
}

static void check_posix_timers(struct crimg_checker *c, const struct crimg_task *task)
{
	struct crimg_list timers = crimg_checker_list(c, task, CRIMG_PART_POSIX_TIMERS);
	for (size_t i = 0; i < timers.count; i++) {
		struct fault f = timer_fault(c, task, timers.items[i]);
		if (f.field == NULL)
			continue;
		struct crimg_place p = crimg_place_part(c, task, CRIMG_PART_POSIX_TIMERS, i, f.field);
		CRIMG_FIND(c, POSIX_TIMER, &p, "%" PRId64 " found, %s wanted", f.found, f.wanted);
	}
	if (timers.count > 0)
		check_numbers(c, task, &timers);
}

#define RLIMITS 16u

static void check_rlimits(struct crimg_checker *c, const struct crimg_task *task)
{
	struct crimg_list limits = crimg_checker_list(c, task, CRIMG_PART_RLIMITS);
	for (size_t i = 0; i < limits.count && i < RLIMITS; i++) {
		const RlimitEntry *l = limits.items[i];
		if (l->cur <= l->max)
			continue;
		struct crimg_place p = crimg_place_part(c, task, CRIMG_PART_RLIMITS, i, "cur");
		CRIMG_FIND(c, RLIMIT, &p, "%" PRIu64 " found, at most %" PRIu64 " wanted", l->cur, l->max);
	}
	if (limits.count == 0) {
		missing(c, task, "limits");
	} else if (limits.count != RLIMITS) {
		struct crimg_place p = crimg_place_part(c, task, CRIMG_PART_RLIMITS, 0, "");
		CRIMG_FIND(c, RLIMITS, &p, "%zu found, %u wanted", limits.count, RLIMITS);
	}
}

void crimg_pass_timers(struct crimg_checker *c)
{
	for (size_t i = 0; i < c->tasks.count; i++) {
		const struct crimg_task *task = &c->tasks.list[i];
		if (task->thread_count == 0 || task->ids == NULL || task->core == NULL
		    || task->core->tc == NULL)
			continue; // a zombie; an ELF core, which does not tell; told
		if (!c->skeleton) {
			check_itimers(c, task);
			check_posix_timers(c, task);
		}
		check_rlimits(c, task);
	}
}
