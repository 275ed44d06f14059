// The core of a task: everything but its registers (cpt_regs.c) and signals (cpt_signals.c).
#include "format/limits.h"
#include "format/tasks.h"
#include "readers/cpt_records.h"
#include "readers/kernel_task.h"

#define STATE_STOPPED 4u
#define STATE_EXITED 0x30u // zombie, dead
#define NICE_ZERO 120      // static_prio
#define ROBUST_BYTES_64 24u
#define ROBUST_BYTES_32 12u
#define SECUREBIT_KEEP_CAPS 0x10u
#define NS_PER_S 1000000000u

bool cpt_is_dead(const struct cpt *c, const struct cpt_object *task)
{
	return (cpt_get(c, task, CRIMG_CPT_TASK_STATE) & STATE_EXITED) != 0;
}

const struct cpt_object *cpt_living(const struct cpt_image *m, const struct model_process *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct cpt_object *t = cpt_task(m, m->tasks.by_process[p->first + i]);
		if (!cpt_is_dead(&m->c, t))
			return t;
	}
	return NULL;
}

bool cpt_is_32(const struct cpt *c, const struct cpt_object *task)
{
	return cpt_get(c, task, CRIMG_CPT_TASK_64BIT) == 0;
}

static void put_words(uint32_t *words, uint64_t set)
{
	words[0] = (uint32_t)set;
	words[1] = (uint32_t)(set >> 32);
}

static CredsEntry *creds(struct cpt_image *m, const struct cpt_object *t, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	CredsEntry *e = cpt_make(m, 1, sizeof *e, err);
	uint32_t *caps = cpt_make(m, 8, sizeof *caps, err);
	size_t groups = (size_t)crimg_min_u64(cpt_get(c, t, CRIMG_CPT_TASK_NGIDS), 32);
	if (e == NULL || caps == NULL)
		return NULL;
	creds_entry__init(e);
	uint32_t *const ids[] = {&e->uid, &e->euid, &e->suid, &e->fsuid,
				 &e->gid, &e->egid, &e->sgid, &e->fsgid};
	for (unsigned i = 0; i < 8; i++)
		*ids[i] = cpt_u32(c, t, (enum crimg_cpt_field)(CRIMG_CPT_TASK_UID + i));
	put_words(caps, cpt_get(c, t, CRIMG_CPT_TASK_ICAP));
	put_words(caps + 2, cpt_get(c, t, CRIMG_CPT_TASK_PCAP));
	put_words(caps + 4, cpt_get(c, t, CRIMG_CPT_TASK_ECAP));
	// Older kernels had no such set: nothing was taken out of it.
	put_words(caps + 6, cpt_has(c, t, CRIMG_CPT_TASK_BCAP) ? cpt_get(c, t, CRIMG_CPT_TASK_BCAP)
							       : UINT64_MAX);
	e->cap_inh = caps;
	e->cap_prm = caps + 2;
	e->cap_eff = caps + 4;
	e->cap_bnd = caps + 6;
	e->n_cap_inh = e->n_cap_prm = e->n_cap_eff = e->n_cap_bnd = 2;
	e->secbits = cpt_u32(c, t, CRIMG_CPT_TASK_KEEPCAP);
	if (c->version < 0x600 && e->secbits != 0)
		e->secbits = SECUREBIT_KEEP_CAPS;
	if ((e->groups = cpt_make(m, groups, sizeof *e->groups, err)) == NULL)
		return NULL;
	for (; e->n_groups < groups; e->n_groups++)
		e->groups[e->n_groups] =
			(uint32_t)cpt_at(c, t, CRIMG_CPT_TASK_GIDS, (unsigned)e->n_groups);
	return e;
}

static char *comm_of(struct cpt_image *m, const struct cpt_object *t, struct crimg_err *err)
{
	const char *text = (const char *)cpt_bytes(&m->c, t, CRIMG_CPT_TASK_COMM);
	size_t size = crimg_cpt_fields[CRIMG_CPT_TASK_COMM].count;
	char *comm = crimg_arena_text(&m->arena, text, strnlen(text, size));
	if (comm == NULL)
		crimg_fail_nomem(err, size);
	return comm;
}

static ThreadSasEntry *sigaltstack_of(struct cpt_image *m, const struct cpt_object *t,
				      struct crimg_err *err)
{
	const struct cpt_object *o = cpt_child(&m->c, t, NULL, CRIMG_CPT_OBJ_SIGALTSTACK);
	ThreadSasEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	thread_sas_entry__init(e);
	e->ss_flags = 2; // SS_DISABLE
	if (o == NULL)
		return e;
	e->ss_sp = cpt_get(&m->c, o, CRIMG_CPT_SIGALTSTACK_STACK);
	e->ss_size = cpt_get(&m->c, o, CRIMG_CPT_SIGALTSTACK_STACKSIZE);
	e->ss_flags = e->ss_size == 0 ? 2 : 0;
	return e;
}

static ThreadCoreEntry *thread_core(struct cpt_image *m, const struct cpt_object *t,
				    struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *aux = cpt_child(c, t, NULL, CRIMG_CPT_OBJ_TASK_AUX);
	ThreadCoreEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	thread_core_entry__init(e);
	e->futex_rla = aux != NULL ? cpt_get(c, aux, CRIMG_CPT_TASK_AUX_ROBUST_LIST) : 0;
	e->futex_rla_len = e->futex_rla == 0 ? 0
			   : cpt_is_32(c, t) ? ROBUST_BYTES_32
					     : ROBUST_BYTES_64;
	e->has_sched_nice = e->has_sched_policy = true;
	e->sched_nice = (int32_t)cpt_get(c, t, CRIMG_CPT_TASK_STATIC_PRIO) - NICE_ZERO;
	e->sched_policy = cpt_u32(c, t, CRIMG_CPT_TASK_POLICY);
	e->has_pdeath_sig = cpt_get(c, t, CRIMG_CPT_TASK_PDEATH_SIGNAL) != 0;
	e->pdeath_sig = cpt_u32(c, t, CRIMG_CPT_TASK_PDEATH_SIGNAL);
	// One that waits in sigsuspend() has two masks: the other one is its own.
	bool suspended = cpt_get(c, t, CRIMG_CPT_TASK_SIGSUSPEND_STATE) != 0;
	e->has_blk_sigset = true;
	e->blk_sigset = cpt_get(c, t, suspended ? CRIMG_CPT_TASK_SIGSUSPEND_BLOCKED
						: CRIMG_CPT_TASK_SIGBLOCKED);
	if ((e->comm = comm_of(m, t, err)) == NULL
	    || (e->sas = sigaltstack_of(m, t, err)) == NULL
	    || (e->signals_p = cpt_signals(m, t, err)) == NULL
	    || (e->creds = creds(m, t, err)) == NULL)
		return NULL;
	return e;
}

// They stand in every task, and in the signal structure, which counts.
static int add_limits(struct cpt_image *m, TaskCoreEntry *tc, const struct cpt_object *t,
		      struct crimg_err *err)
{
	enum { COUNT = 16 };
	const struct cpt *c = &m->c;
	const struct cpt_object *s = cpt_ref(c, t, CRIMG_CPT_TASK_SIGNAL);
	TaskRlimitsEntry *limits = cpt_make(m, 1, sizeof *limits, err);
	RlimitEntry *list = cpt_make(m, COUNT, sizeof *list, err);
	if (limits == NULL || list == NULL)
		return -1;
	task_rlimits_entry__init(limits);
	if ((limits->rlimits = cpt_make(m, COUNT, sizeof *limits->rlimits, err)) == NULL)
		return -1;
	for (unsigned i = 0; i < COUNT; i++) {
		RlimitEntry *e = &list[i];
		rlimit_entry__init(e);
		e->cur = s != NULL ? cpt_at(c, s, CRIMG_CPT_SIGNAL_STRUCT_RLIM_CUR, i)
				   : cpt_at(c, t, CRIMG_CPT_TASK_RLIM_CUR, i);
		e->max = s != NULL ? cpt_at(c, s, CRIMG_CPT_SIGNAL_STRUCT_RLIM_MAX, i)
				   : cpt_at(c, t, CRIMG_CPT_TASK_RLIM_MAX, i);
		limits->rlimits[limits->n_rlimits++] = e;
	}
	tc->rlimits = limits;
	return 0;
}

static uint32_t task_state(const struct cpt_image *m, const struct cpt_object *t)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *s = cpt_ref(c, t, CRIMG_CPT_TASK_SIGNAL);
	bool stopped = (cpt_get(c, t, CRIMG_CPT_TASK_STATE) & STATE_STOPPED) != 0
		       || cpt_get(c, t, CRIMG_CPT_TASK_STOPPED_STATE) != 0
		       || (s != NULL
			   && (cpt_get(c, s, CRIMG_CPT_SIGNAL_STRUCT_FLAGS) & 1) != 0);
	return stopped ? CRIMG_TASK_STOPPED : CRIMG_TASK_ALIVE;
}

// Of a process, told by its leader's core; a dead leader of living threads is one of them.
static TaskCoreEntry *task_core(struct cpt_image *m, const struct cpt_object *t,
				const struct cpt_object *living, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	TaskCoreEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	task_core_entry__init(e);
	e->exit_code = cpt_u32(c, t, CRIMG_CPT_TASK_EXIT_CODE);
	e->personality = cpt_u32(c, t, CRIMG_CPT_TASK_PERSONALITY);
	e->flags = cpt_u32(c, t, CRIMG_CPT_TASK_FLAGS);
	if ((e->comm = comm_of(m, t, err)) == NULL)
		return NULL;
	e->task_state = CRIMG_TASK_DEAD;
	if (living == NULL)
		return e;
	e->task_state = task_state(m, living);
	e->cg_set = cpt_cgroup_set(m, cpt_u32(c, t, CRIMG_CPT_TASK_TGID));
	e->has_cg_set = e->cg_set != 0;
	const struct cpt_object *s = cpt_ref(c, living, CRIMG_CPT_TASK_SIGNAL);
	if (add_limits(m, e, living, err) < 0 || cpt_add_timers(m, e, living, err) < 0
	    || cpt_add_handlers(m, e, living, err) < 0
	    || (s != NULL && (e->signals_s = cpt_signals(m, s, err)) == NULL))
		return NULL;
	return e;
}

CPT_ENTRY(cpt_put_core)
{
	const struct cpt_object *t = cpt_task(m, m->tasks.by_tid[object]);
	int32_t pid = (int32_t)cpt_get(&m->c, t, CRIMG_CPT_TASK_PID);
	int32_t tgid = (int32_t)cpt_get(&m->c, t, CRIMG_CPT_TASK_TGID);
	CoreEntry e = CORE_ENTRY__INIT;
	if (index > 0)
		return 0;
	crimg_arena_reset(&m->arena);
	e.mtype = CORE_ENTRY__MARCH__X86_64;
	const struct model_process *process = &m->tasks.processes[m->process_of[t->nth]];
	const struct cpt_object *living = pid == tgid ? cpt_living(m, process) : t;
	if (living != NULL) {
		if ((e.thread_info = cpt_thread_info(m, t, err)) == NULL
		    || (e.thread_core = thread_core(m, t, err)) == NULL)
			return -1;
	}
	if (pid == tgid) {
		if ((e.tc = task_core(m, t, living, err)) == NULL)
			return -1;
		e.tc->blk_sigset = e.thread_core != NULL ? e.thread_core->blk_sigset : 0;
	}
	cpt_from(out, t);
	return model_encode(&e.base, out, err);
}

static uint64_t jiffies_ns(const struct cpt *c, uint64_t jiffies)
{
	uint64_t seconds = jiffies / c->hz, rest = jiffies % c->hz;
	return seconds > UINT64_MAX / NS_PER_S - 1 ? UINT64_MAX
						   : seconds * NS_PER_S + rest * NS_PER_S / c->hz;
}

static int add_posix(struct cpt_image *m, TaskTimersEntry *timers, const struct cpt_object *list,
		     struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	size_t count = 0;
	const struct cpt_object *o = NULL;
	while ((o = cpt_child(c, list, o, CRIMG_CPT_OBJ_POSIX_TIMER)) != NULL)
		count++;
	PosixTimerEntry *all = cpt_make(m, count, sizeof *all, err);
	timers->posix = cpt_make(m, count, sizeof *timers->posix, err);
	if (all == NULL || timers->posix == NULL)
		return -1;
	while ((o = cpt_child(c, list, o, CRIMG_CPT_OBJ_POSIX_TIMER)) != NULL) {
		PosixTimerEntry *e = &all[timers->n_posix];
		uint64_t value = cpt_get(c, o, CRIMG_CPT_POSIX_TIMER_TIMER_VALUE);
		uint64_t interval = cpt_get(c, o, CRIMG_CPT_POSIX_TIMER_TIMER_INTERVAL);
		posix_timer_entry__init(e);
		e->it_id = cpt_u32(c, o, CRIMG_CPT_POSIX_TIMER_TIMER_ID);
		e->clock_id = cpt_u32(c, o, CRIMG_CPT_POSIX_TIMER_TIMER_CLOCK);
		e->overrun = cpt_u32(c, o, CRIMG_CPT_POSIX_TIMER_TIMER_OVERRUN);
		e->si_signo = cpt_u32(c, o, CRIMG_CPT_POSIX_TIMER_SIGEV_SIGNO);
		e->it_sigev_notify = cpt_u32(c, o, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY);
		e->sival_ptr = cpt_get(c, o, CRIMG_CPT_POSIX_TIMER_SIGEV_VALUE);
		e->has_notify_thread_id = cpt_get(c, o, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY_TID) != 0;
		e->notify_thread_id =
			(int32_t)cpt_get(c, o, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY_TID);
		e->vsec = value / NS_PER_S;
		e->vnsec = value % NS_PER_S;
		e->isec = interval / NS_PER_S;
		e->insec = interval % NS_PER_S;
		timers->posix[timers->n_posix++] = e;
	}
	return 0;
}

// The real one counts nanoseconds, the others jiffies. POSIX timers are the leader's.
int cpt_add_timers(struct cpt_image *m, TaskCoreEntry *tc, const struct cpt_object *t,
		   struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	TaskTimersEntry *timers = cpt_make(m, 1, sizeof *timers, err);
	ItimerEntry *three = cpt_make(m, 3, sizeof *three, err);
	const struct cpt_object *list = cpt_ref(c, t, CRIMG_CPT_TASK_POSIX_TIMERS);
	if (timers == NULL || three == NULL)
		return -1;
	task_timers_entry__init(timers);
	kernel_itimer(&three[0], cpt_get(c, t, CRIMG_CPT_TASK_IT_REAL_VALUE),
		      cpt_get(c, t, CRIMG_CPT_TASK_IT_REAL_INCR));
	kernel_itimer(&three[1], jiffies_ns(c, cpt_get(c, t, CRIMG_CPT_TASK_IT_VIRT_VALUE)),
		      jiffies_ns(c, cpt_get(c, t, CRIMG_CPT_TASK_IT_VIRT_INCR)));
	kernel_itimer(&three[2], jiffies_ns(c, cpt_get(c, t, CRIMG_CPT_TASK_IT_PROF_VALUE)),
		      jiffies_ns(c, cpt_get(c, t, CRIMG_CPT_TASK_IT_PROF_INCR)));
	timers->real = &three[0];
	timers->virt = &three[1];
	timers->prof = &three[2];
	tc->timers = timers;
	return list != NULL ? add_posix(m, timers, list, err) : 0;
}
