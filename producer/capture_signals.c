// Signals that wait, what is done on each, and timers that will send them.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "producer/capture.h"
#include "producer/proc.h"

#define SIGNALS 64
#define AT_A_TIME 32
#define MAX_QUEUED (1u << 20)

// The kernel's struct sigaction.
struct action {
	uint64_t handler, flags, restorer, mask;
};

static int add_signal(struct crimg_capture *c, SignalQueueEntry *q, size_t *capacity,
		      const siginfo_t *info, struct crimg_err *err)
{
	SiginfoEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	uint8_t *bytes = crimg_capture_alloc(c, sizeof *info, err);
	if (e == NULL || bytes == NULL)
		return -1;
	if (q->n_signals == *capacity) {
		size_t more = *capacity * 2 + 16;
		SiginfoEntry **list = crimg_capture_alloc(c, more * sizeof *list, err);
		if (list == NULL)
			return -1;
		if (q->n_signals > 0)
			memcpy(list, q->signals, q->n_signals * sizeof *list);
		q->signals = list;
		*capacity = more;
	}
	siginfo_entry__init(e);
	e->siginfo = (ProtobufCBinaryData){sizeof *info, memcpy(bytes, info, sizeof *info)};
	q->signals[q->n_signals++] = e;
	return 0;
}

int crimg_capture_queue(struct crimg_capture *c, pid_t tid, bool shared, SignalQueueEntry **out,
			struct crimg_err *err)
{
	SignalQueueEntry *q = crimg_capture_alloc(c, sizeof *q, err);
	siginfo_t infos[AT_A_TIME];
	size_t capacity = 0;
	if (q == NULL)
		return -1;
	signal_queue_entry__init(q);
	for (long n = 1; n > 0 && q->n_signals < MAX_QUEUED;) {
		struct __ptrace_peeksiginfo_args a = {
			.off = q->n_signals, .nr = AT_A_TIME,
			.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		};
		n = ptrace(PTRACE_PEEKSIGINFO, tid, &a, infos);
		if (n < 0)
			return crimg_fail_sys(err, errno, NULL,
					      "task %d: signals that wait cannot be read", (int)tid);
		for (long i = 0; i < n; i++)
			if (add_signal(c, q, &capacity, &infos[i], err) < 0)
				return -1;
	}
	*out = q;
	return 0;
}

static int read_action(struct crimg_remote *r, int number, SaEntry *e, struct crimg_err *err)
{
	struct action a;
	if (crimg_capture_call(r, "rt_sigaction", SYS_rt_sigaction, (uint64_t)number, 0, r->data,
			       sizeof a.mask, NULL, err) < 0
	    || crimg_proc_get(r->tid, r->data, &a, sizeof a, err) < 0)
		return -1;
	e->sigaction = a.handler;
	e->flags = a.flags;
	e->restorer = a.restorer;
	e->mask = a.mask;
	return 0;
}

// Those that need asking for: a default action is nothing but its number, save that flags of SIGCHLD say what
// becomes of children.
static int actions_to_ask(struct crimg_capture *c, pid_t tid, uint64_t *out, struct crimg_err *err)
{
	const char *status = crimg_capture_text(c, tid, "status", err);
	if (status == NULL)
		return -1;
	const char *caught = crimg_proc_field(status, "SigCgt");
	const char *ignored = crimg_proc_field(status, "SigIgn");
	*out = caught == NULL || ignored == NULL ? UINT64_MAX // whatever this kernel calls them
		: strtoull(caught, NULL, 16) | strtoull(ignored, NULL, 16)
			  | UINT64_C(1) << (SIGCHLD - 1);
	return 0;
}

// All but SIGKILL and SIGSTOP, in the order of their numbers.
int crimg_capture_actions(struct crimg_capture *c, struct crimg_remote *r, TaskCoreEntry *tc,
			  struct crimg_err *err)
{
	uint64_t asked;
	SaEntry *entries = crimg_capture_alloc(c, SIGNALS * sizeof *entries, err);
	tc->sigactions = crimg_capture_alloc(c, SIGNALS * sizeof(void *), err);
	if (entries == NULL || tc->sigactions == NULL || actions_to_ask(c, r->tid, &asked, err) < 0)
		return -1;
	for (int i = 1; i <= SIGNALS; i++) {
		SaEntry *e = &entries[i - 1];
		if (i == SIGKILL || i == SIGSTOP)
			continue;
		sa_entry__init(e);
		e->has_compat_sigaction = true;
		e->compat_sigaction = c->compat;
		if ((asked >> (i - 1) & 1) != 0 && read_action(r, i, e, err) < 0)
			return -1;
		tc->sigactions[tc->n_sigactions++] = e;
	}
	return 0;
}

static int read_itimer(struct crimg_capture *c, struct crimg_remote *r, int which, ItimerEntry **out,
		       struct crimg_err *err)
{
	struct itimerval v;
	ItimerEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL
	    || crimg_capture_call(r, "getitimer", SYS_getitimer, (uint64_t)which, r->data, 0, 0, NULL,
				  err) < 0
	    || crimg_proc_get(r->tid, r->data, &v, sizeof v, err) < 0)
		return -1;
	itimer_entry__init(e);
	e->isec = (uint64_t)v.it_interval.tv_sec;
	e->iusec = (uint64_t)v.it_interval.tv_usec;
	e->vsec = (uint64_t)v.it_value.tv_sec;
	e->vusec = (uint64_t)v.it_value.tv_usec;
	*out = e;
	return 0;
}

static int read_timer_state(struct crimg_remote *r, PosixTimerEntry *e, struct crimg_err *err)
{
	struct itimerspec v;
	int64_t overrun;
	if (crimg_capture_call(r, "timer_gettime", SYS_timer_gettime, e->it_id, r->data, 0, 0, NULL,
			       err) < 0
	    || crimg_proc_get(r->tid, r->data, &v, sizeof v, err) < 0
	    || crimg_capture_call(r, "timer_getoverrun", SYS_timer_getoverrun, e->it_id, 0, 0, 0,
				  &overrun, err) < 0)
		return -1;
	e->overrun = (uint32_t)overrun;
	e->isec = (uint64_t)v.it_interval.tv_sec;
	e->insec = (uint64_t)v.it_interval.tv_nsec;
	e->vsec = (uint64_t)v.it_value.tv_sec;
	e->vnsec = (uint64_t)v.it_value.tv_nsec;
	return 0;
}

// Four lines of /proc/PID/timers:
//   ID: 0 / signal: 34/00000000deadbeef / notify: signal/pid.7 / ClockID: 1
static int parse_timer(const char *text, PosixTimerEntry *e)
{
	char how[16], who[8];
	int id, signal, task, clock;
	unsigned long long value;
	if (sscanf(text, "ID: %d signal: %d/%llx notify: %15[^/]/%7[^.].%d ClockID: %d", &id, &signal,
		   &value, how, who, &task, &clock) != 7)
		return -1;
	e->it_id = (uint32_t)id;
	e->si_signo = (uint32_t)signal;
	e->sival_ptr = value;
	e->clock_id = (uint32_t)clock;
	e->it_sigev_notify = strcmp(how, "none") == 0 ? SIGEV_NONE
			     : strcmp(how, "thread") == 0 ? SIGEV_THREAD : SIGEV_SIGNAL;
	if (strcmp(who, "tid") == 0) {
		e->it_sigev_notify |= SIGEV_THREAD_ID;
		e->has_notify_thread_id = true;
		e->notify_thread_id = task;
	}
	return 0;
}

static int read_posix(struct crimg_capture *c, struct crimg_remote *r, TaskTimersEntry *t,
		      struct crimg_err *err)
{
	const char *text = crimg_capture_text(c, r->tid, "timers", err);
	size_t count = 0;
	if (text == NULL)
		return -1;
	for (const char *p = text; (p = strstr(p, "ID: ")) != NULL; p++)
		count += p == text || p[-1] == '\n';
	t->posix = crimg_capture_alloc(c, (count + 1) * sizeof(void *), err);
	if (t->posix == NULL)
		return -1;
	for (const char *p = text; (p = strstr(p, "ID: ")) != NULL; p++) {
		if (p != text && p[-1] != '\n')
			continue;
		PosixTimerEntry *e = crimg_capture_alloc(c, sizeof *e, err);
		if (e == NULL)
			return -1;
		posix_timer_entry__init(e);
		if (parse_timer(p, e) < 0)
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
					  "process %d: its list of timers is not understood", (int)r->tid);
		if (read_timer_state(r, e, err) < 0)
			return -1;
		t->posix[t->n_posix++] = e;
	}
	return 0;
}

int crimg_capture_timers(struct crimg_capture *c, struct crimg_remote *r, TaskCoreEntry *tc,
			 struct crimg_err *err)
{
	TaskTimersEntry *t = crimg_capture_alloc(c, sizeof *t, err);
	if (t == NULL)
		return -1;
	task_timers_entry__init(t);
	if (read_itimer(c, r, ITIMER_REAL, &t->real, err) < 0
	    || read_itimer(c, r, ITIMER_VIRTUAL, &t->virt, err) < 0
	    || read_itimer(c, r, ITIMER_PROF, &t->prof, err) < 0 || read_posix(c, r, t, err) < 0)
		return -1;
	tc->timers = t;
	return 0;
}
