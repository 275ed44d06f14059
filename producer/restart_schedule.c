// How a thread is scheduled, on which CPUs, and how its input and output are. crimg sets it from outside, when all
// threads of the process are there: new ones take over what their creator has.
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/number_set.h"
#include "producer/extras.h"
#include "producer/restart_parts.h"

#define CPU_WORDS 1024u
#define TEXT_BYTES 256u

// What the image says, and what the thread has now where it says nothing.
static struct crimg_sched_attr wanted_of(const ThreadCoreEntry *t, const ThreadExtraEntry *e,
                                         const struct crimg_sched_attr *now)
{
	struct crimg_sched_attr w = { .size = sizeof w, .policy = now->policy, .nice = now->nice };
	if (t != NULL && t->has_sched_policy) {
		w.policy = t->sched_policy & ~CRIMG_SCHED_RESET_ON_FORK;
		w.flags = (t->sched_policy & CRIMG_SCHED_RESET_ON_FORK) != 0 ? CRIMG_SCHED_FLAG_RESET_ON_FORK : 0;
		w.priority = t->sched_prio;
	}
	w.nice = t != NULL && t->has_sched_nice ? t->sched_nice : w.nice;
	if (e == NULL)
		return w;
	w.flags |= e->has_sched_flags ? e->sched_flags & CRIMG_SCHED_FLAGS_KEPT : 0;
	w.runtime_ns = e->has_sched_runtime_ns ? e->sched_runtime_ns : 0;
	w.deadline_ns = e->has_sched_deadline_ns ? e->sched_deadline_ns : 0;
	w.period_ns = e->has_sched_period_ns ? e->sched_period_ns : 0;
	if (e->has_util_min && e->has_util_max) {
		w.flags |= CRIMG_SCHED_FLAGS_UTIL;
		w.util_min = e->util_min;
		w.util_max = e->util_max;
	}
	return w;
}

static bool is_so(const struct crimg_sched_attr *now, const struct crimg_sched_attr *w)
{
	return now->policy == w->policy && now->priority == w->priority
		&& now->flags == (w->flags & ~(uint64_t)CRIMG_SCHED_FLAGS_UTIL)
		&& (w->runtime_ns == 0 || now->runtime_ns == w->runtime_ns)
		&& now->deadline_ns == w->deadline_ns && now->period_ns == w->period_ns
		&& ((w->flags & CRIMG_SCHED_FLAGS_UTIL) == 0
		    || (now->util_min == w->util_min && now->util_max == w->util_max));
}

static int fail(const struct crimg_puppet *p, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, NULL, "task %u (%s): %s", p->shown, p->name, what);
}

static int set_policy(const struct crimg_puppet *p, const ThreadCoreEntry *t, const ThreadExtraEntry *e,
                      struct crimg_err *err)
{
	struct crimg_sched_attr now = { .size = sizeof now };
	if (syscall(SYS_sched_getattr, p->tid, &now, sizeof now, 0) < 0)
		return fail(p, "how it is scheduled cannot be asked for", err);
	errno = 0;
	now.nice = getpriority(PRIO_PROCESS, (id_t)p->tid); // of those in real time, too
	struct crimg_sched_attr w = wanted_of(t, e, &now);
	if (now.nice != w.nice && setpriority(PRIO_PROCESS, (id_t)p->tid, w.nice) < 0)
		return fail(p, "its niceness", err);
	if (!is_so(&now, &w) && syscall(SYS_sched_setattr, p->tid, &w, 0) < 0)
		return fail(p, "how it is scheduled", err);
	return 0;
}

// Where CPUs are missing the kernel takes those that are there.
static void set_cpus(struct crimg_restart *r, const struct crimg_puppet *p, const ThreadExtraEntry *e)
{
	uint64_t words[CPU_WORDS] = { 0 }, found[CPU_WORDS] = { 0 };
	size_t count = e->n_cpus < CPU_WORDS ? e->n_cpus : CPU_WORDS;
	char wanted[TEXT_BYTES], got[TEXT_BYTES];
	if (count == 0 && !e->any_cpu)
		return;
	if (e->any_cpu)
		memset(words, 0xff, sizeof words);
	else
		memcpy(words, e->cpus, count * sizeof *words);
	long rc = syscall(SYS_sched_setaffinity, p->tid, sizeof words, words);
	int number = errno;
	if (e->any_cpu || syscall(SYS_sched_getaffinity, p->tid, sizeof found, found) < 0
	    || memcmp(words, found, sizeof words) == 0)
		return;
	crimg_number_set_text(words, count, wanted, sizeof wanted);
	crimg_number_set_text(found, CPU_WORDS, got, sizeof got);
	crimg_lines_add(&r->notes, "task %u ran on CPUs %s; it runs on %s%s%s", p->shown, wanted, got,
	                rc < 0 ? ": " : ", since not all of those are here", rc < 0 ? strerror(number) : "");
}

static void set_io_priority(struct crimg_restart *r, const struct crimg_puppet *p, const ThreadExtraEntry *e)
{
	long now = syscall(SYS_ioprio_get, CRIMG_IOPRIO_WHO_PROCESS, p->tid);
	uint32_t wanted = e->has_io_priority ? e->io_priority : 0;
	bool none = now < 0 || now >> CRIMG_IOPRIO_CLASS_SHIFT == 0;
	if ((none && !e->has_io_priority) || now == (long)wanted)
		return;
	if (syscall(SYS_ioprio_set, CRIMG_IOPRIO_WHO_PROCESS, p->tid, wanted) < 0)
		crimg_lines_add(&r->notes, "task %u: the priority of its input and output is not as it was: %s",
		                p->shown, strerror(errno));
}

int crimg_restart_schedule(struct crimg_restart *r, struct crimg_actor *a, size_t i, struct crimg_err *err)
{
	const struct crimg_thread *thread = &a->task->threads[i];
	const struct crimg_puppet *p = &a->puppets[i];
	struct crimg_err damage = CRIMG_ERR_INIT;
	const ThreadExtraEntry *e = crimg_thread_extra(r->image, thread->tid, &damage);
	if (e != NULL) {
		set_cpus(r, p, e);
		set_io_priority(r, p, e);
	}
	return set_policy(p, thread->core->thread_core, e, err);
}
