// Tasks: who they are and whose, credentials, limits, interval timers.
#include <string.h>

#include "format/checked.h"
#include "format/x86.h"
#include "writers/cptmake_task.h"

enum { GROUPS = 32, LIMITS = 16 };

#define NS_PER_US 1000u
#define US_PER_S 1000000u
#define HZ 1000u
#define STATE_SLEEPING 1u
#define STATE_STOPPED 4u
#define STATE_ZOMBIE 16u
#define NICE_ZERO 120
#define SIGCHLD_NUMBER 17u

static uint64_t words(const uint32_t *list, size_t count)
{
	return (count > 0 ? list[0] : 0) | (uint64_t)(count > 1 ? list[1] : 0) << 32;
}

static int set_creds(struct cptmake *k, struct cptmake_object *o, const struct crimg_task *task,
		     const struct crimg_thread *thread, struct crimg_err *err)
{
	const CredsEntry *c = crimg_thread_creds(k->image, task, thread, err);
	if (c == NULL)
		return 0;
	const uint32_t ids[] = {c->uid, c->euid, c->suid, c->fsuid,
				c->gid, c->egid, c->sgid, c->fsgid};
	if (c->n_groups > GROUPS)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "thread %u is in %zu groups, at most %u have a place in an OpenVZ "
				  "image",
				  thread->tid, c->n_groups, GROUPS);
	for (unsigned i = 0; i < 8; i++)
		cptmake_set(o, (enum crimg_cpt_field)(CRIMG_CPT_TASK_UID + i), ids[i]);
	cptmake_set(o, CRIMG_CPT_TASK_NGIDS, c->n_groups);
	for (unsigned i = 0; i < c->n_groups; i++)
		cptmake_set_at(o, CRIMG_CPT_TASK_GIDS, i, c->groups[i]);
	cptmake_set(o, CRIMG_CPT_TASK_ECAP, words(c->cap_eff, c->n_cap_eff));
	cptmake_set(o, CRIMG_CPT_TASK_ICAP, words(c->cap_inh, c->n_cap_inh));
	cptmake_set(o, CRIMG_CPT_TASK_PCAP, words(c->cap_prm, c->n_cap_prm));
	cptmake_set(o, CRIMG_CPT_TASK_BCAP, words(c->cap_bnd, c->n_cap_bnd));
	cptmake_set(o, CRIMG_CPT_TASK_KEEPCAP, c->secbits);
	if (words(c->cap_amb, c->n_cap_amb) != 0 || c->no_new_privs != 0)
		return cptmake_lose(k, CRIMG_KIND_CORE, thread->tid, "thread_core.creds",
				    "ambient capabilities and no_new_privs are left out", err);
	return 0;
}

static uint64_t us_of(uint64_t sec, uint64_t usec)
{
	return sec * US_PER_S + usec;
}

static int set_timers(struct cptmake *k, struct cptmake_object *o, const struct crimg_task *task,
		      struct crimg_err *err)
{
	static const enum crimg_cpt_field fields[] = {CRIMG_CPT_TASK_IT_REAL_VALUE,
						      CRIMG_CPT_TASK_IT_VIRT_VALUE,
						      CRIMG_CPT_TASK_IT_PROF_VALUE};
	struct crimg_list list;
	if (crimg_task_list(k->image, task, CRIMG_PART_ITIMERS, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count && i < 3; i++) {
		const ItimerEntry *t = list.items[i];
		uint64_t value = us_of(t->vsec, t->vusec), every = us_of(t->isec, t->iusec);
		bool real = i == 0; // in ns, others in jiffies
		cptmake_set(o, fields[i], real ? value * NS_PER_US : value / (US_PER_S / HZ));
		cptmake_set(o, (enum crimg_cpt_field)(fields[i] + 1),
			    real ? every * NS_PER_US : every / (US_PER_S / HZ));
	}
	return 0;
}

static int set_limits(struct cptmake *k, struct cptmake_object *o, const struct crimg_task *task,
		      enum crimg_cpt_field cur, enum crimg_cpt_field max, struct crimg_err *err)
{
	struct crimg_list list;
	if (crimg_task_list(k->image, task, CRIMG_PART_RLIMITS, &list, err) < 0)
		return -1;
	for (unsigned i = 0; i < LIMITS; i++) {
		const RlimitEntry *e = i < list.count ? list.items[i] : NULL;
		cptmake_set_at(o, cur, i, e != NULL ? e->cur : UINT64_MAX);
		cptmake_set_at(o, max, i, e != NULL ? e->max : UINT64_MAX);
	}
	return 0;
}

static int set_thread(struct cptmake *k, struct cptmake_object *o, const struct crimg_thread *thread,
		      struct crimg_err *err)
{
	const CoreEntry *core = thread->core;
	const ThreadInfoX86 *info = core->thread_info;
	const ThreadCoreEntry *t = core->thread_core;
	bool is_32 = crimg_x86_is_32(info->gpregs);
	cptmake_set(o, CRIMG_CPT_TASK_64BIT, !is_32);
	cptmake_set(o, CRIMG_CPT_TASK_CLEAR_TID, info->clear_tid_addr);
	cptmake_set(o, CRIMG_CPT_TASK_USED_MATH, info->fpregs != NULL);
	if (cptmake_tls(o, thread->tid, info, err) < 0)
		return -1;
	if (t == NULL)
		return 0;
	if (t->has_seccomp_mode && t->seccomp_mode != SECCOMP_MODE__disabled)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "thread %u is under seccomp, which has no place in an OpenVZ image",
				  thread->tid);
	cptmake_set(o, CRIMG_CPT_TASK_STATIC_PRIO, (uint32_t)(NICE_ZERO + t->sched_nice));
	cptmake_set(o, CRIMG_CPT_TASK_POLICY, t->sched_policy);
	cptmake_set(o, CRIMG_CPT_TASK_RT_PRIORITY, t->sched_prio);
	cptmake_set(o, CRIMG_CPT_TASK_PDEATH_SIGNAL, t->pdeath_sig);
	if (t->rseq_entry != NULL && t->rseq_entry->rseq_abi_pointer != 0)
		return cptmake_lose(k, CRIMG_KIND_CORE, thread->tid, "thread_core.rseq_entry",
				    "left out", err);
	return 0;
}

static int put_inner(struct cptmake *k, const struct crimg_thread *thread,
		     const struct crimg_list *pending, struct crimg_err *err)
{
	const ThreadInfoX86 *info = thread->core->thread_info;
	const ThreadCoreEntry *t = thread->core->thread_core;
	struct cptmake_object sas = cptmake_new(CRIMG_CPT_OBJ_SIGALTSTACK, CRIMG_CPT_CONTENT_VOID);
	struct cptmake_object aux = cptmake_new(CRIMG_CPT_OBJ_TASK_AUX, CRIMG_CPT_CONTENT_VOID);
	if (cptmake_regs(k, thread->tid, info, err) < 0)
		return -1;
	if (t != NULL && t->sas != NULL && t->sas->ss_size != 0) {
		cptmake_set(&sas, CRIMG_CPT_SIGALTSTACK_STACK, t->sas->ss_sp);
		cptmake_set(&sas, CRIMG_CPT_SIGALTSTACK_STACKSIZE, t->sas->ss_size);
		if (cptmake_put(k, &sas, NULL, 0, err) < 0)
			return -1;
	}
	if (t != NULL && t->futex_rla != 0) {
		cptmake_set(&aux, CRIMG_CPT_TASK_AUX_ROBUST_LIST, t->futex_rla);
		if (cptmake_put(k, &aux, NULL, 0, err) < 0)
			return -1;
	}
	return cptmake_siginfos(k, pending, err);
}

static int put_signal(struct cptmake *k, const struct crimg_task *task, uint64_t *at,
		      struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SIGNAL_STRUCT, CRIMG_CPT_CONTENT_ARRAY);
	struct crimg_list shared;
	struct cptmake_mark mark;
	if (crimg_task_list(k->image, task, CRIMG_PART_SIGNALS, &shared, err) < 0
	    || set_limits(k, &o, task, CRIMG_CPT_SIGNAL_STRUCT_RLIM_CUR,
			  CRIMG_CPT_SIGNAL_STRUCT_RLIM_MAX, err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_SIGNAL_STRUCT_LEADER, task->sid == task->pid);
	cptmake_set(&o, CRIMG_CPT_SIGNAL_STRUCT_PGRP, task->pgid);
	cptmake_set(&o, CRIMG_CPT_SIGNAL_STRUCT_SESSION, task->sid);
	cptmake_set(&o, CRIMG_CPT_SIGNAL_STRUCT_SIGPENDING, cptmake_signal_set(&shared));
	if (cptmake_begin(k, &o, &mark, err) < 0 || cptmake_siginfos(k, &shared, err) < 0)
		return -1;
	*at = mark.at;
	return cptmake_end(k, mark, err);
}

static uint64_t shared_at(const struct cptmake *k, enum crimg_cpt_object kind, uint32_t id)
{
	return cptmake_at(&k->shared, CPTMAKE_KEY(kind, id));
}

static struct cptmake_object task_object(const struct cptmake *k, const struct crimg_task *task,
					 uint32_t tid)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_TASK, CRIMG_CPT_CONTENT_ARRAY);
	const TaskKobjIdsEntry *ids = task->ids;
	uint32_t parent = task->parent != CRIMG_NO_TASK ? task->ppid : 0;
	cptmake_set(&o, CRIMG_CPT_TASK_STATE,
		    task->state == CRIMG_TASK_DEAD      ? STATE_ZOMBIE
		    : task->state == CRIMG_TASK_STOPPED ? STATE_STOPPED
							: STATE_SLEEPING);
	cptmake_set(&o, CRIMG_CPT_TASK_PRIO, NICE_ZERO);
	cptmake_set(&o, CRIMG_CPT_TASK_STATIC_PRIO, NICE_ZERO);
	if (ids != NULL) {
		cptmake_set(&o, CRIMG_CPT_TASK_MM, shared_at(k, CRIMG_CPT_OBJ_MM, ids->vm_id));
		cptmake_set(&o, CRIMG_CPT_TASK_FILES,
			    shared_at(k, CRIMG_CPT_OBJ_FILES, ids->files_id));
		cptmake_set(&o, CRIMG_CPT_TASK_FS, shared_at(k, CRIMG_CPT_OBJ_FS, ids->fs_id));
		cptmake_set(&o, CRIMG_CPT_TASK_SIGHAND,
			    shared_at(k, CRIMG_CPT_OBJ_SIGHAND_STRUCT, ids->sighand_id));
	}
	cptmake_set(&o, CRIMG_CPT_TASK_NAMESPACE, k->namespace_at);
	cptmake_set(&o, CRIMG_CPT_TASK_PID, tid);
	cptmake_set(&o, CRIMG_CPT_TASK_TGID, task->pid);
	cptmake_set(&o, CRIMG_CPT_TASK_LEADER, task->pid);
	cptmake_set(&o, CRIMG_CPT_TASK_PPID, parent);
	cptmake_set(&o, CRIMG_CPT_TASK_RPPID, parent);
	cptmake_set(&o, CRIMG_CPT_TASK_PGRP, task->pgid);
	cptmake_set(&o, CRIMG_CPT_TASK_SESSION, task->sid);
	cptmake_set(&o, CRIMG_CPT_TASK_EXIT_SIGNAL, tid == task->pid ? SIGCHLD_NUMBER : UINT32_MAX);
	return o;
}

static int set_process(struct cptmake *k, struct cptmake_object *o, const struct crimg_task *task,
		       struct crimg_err *err)
{
	const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
	if (tc != NULL) {
		cptmake_set(o, CRIMG_CPT_TASK_PERSONALITY, tc->personality);
		cptmake_set(o, CRIMG_CPT_TASK_FLAGS, tc->flags);
		cptmake_set(o, CRIMG_CPT_TASK_EXIT_CODE, tc->exit_code);
	}
	return set_timers(k, o, task, err) < 0
			       || set_limits(k, o, task, CRIMG_CPT_TASK_RLIM_CUR,
					     CRIMG_CPT_TASK_RLIM_MAX, err) < 0
		       ? -1
		       : 0;
}

// The signal structure stands in the last thread, and all speak of it.
static int put_threads(struct cptmake *k, const struct crimg_task *task, size_t index,
		       struct crimg_err *err)
{
	size_t first = k->c->heads.length, count = 0;
	uint64_t signal = 0;
	for (size_t i = 0; i < task->thread_count; i++) {
		const struct crimg_thread *thread = &task->threads[i];
		struct cptmake_object o = task_object(k, task, thread->tid);
		struct crimg_list pending;
		struct cptmake_mark mark;
		const char *comm = crimg_thread_comm(task, thread);
		if (thread->core == NULL || thread->core->thread_info == NULL)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "the registers of thread %u are not in the image, or of "
					  "another machine than x86",
					  thread->tid);
		if (crimg_thread_signals(k->image, thread, &pending, err) < 0
		    || set_process(k, &o, task, err) < 0 || set_thread(k, &o, thread, err) < 0
		    || set_creds(k, &o, task, thread, err) < 0)
			return -1;
		cptmake_set_bytes(&o, CRIMG_CPT_TASK_COMM, comm, strlen(comm));
		cptmake_set(&o, CRIMG_CPT_TASK_SIGBLOCKED, crimg_thread_blocked(task, thread));
		cptmake_set(&o, CRIMG_CPT_TASK_SIGPENDING, cptmake_signal_set(&pending));
		if (i == 0)
			cptmake_set(&o, CRIMG_CPT_TASK_POSIX_TIMERS, k->timers[index]);
		if (cptmake_begin(k, &o, &mark, err) < 0
		    || put_inner(k, thread, &pending, err) < 0
		    || (i + 1 == task->thread_count && put_signal(k, task, &signal, err) < 0)
		    || cptmake_end(k, mark, err) < 0)
			return -1;
		count++;
	}
	// Tasks hold no contents, so each begins as far behind the other as its length says.
	for (uint8_t *at = k->c->heads.data + first; count > 0; count--) {
		crimg_put_u64(at + crimg_cpt_fields[CRIMG_CPT_TASK_SIGNAL].offset, signal);
		at += crimg_get_u64(at);
	}
	return 0;
}

static int put_zombie(struct cptmake *k, const struct crimg_task *task, struct crimg_err *err)
{
	struct cptmake_object o = task_object(k, task, task->pid);
	struct cptmake_mark mark;
	const char *comm = crimg_task_comm(task);
	if (set_process(k, &o, task, err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_TASK_64BIT, 1);
	cptmake_set_bytes(&o, CRIMG_CPT_TASK_COMM, comm, strlen(comm));
	return cptmake_begin(k, &o, &mark, err) < 0 || cptmake_no_regs(k, err) < 0
		       ? -1
		       : cptmake_end(k, mark, err);
}

int cptmake_tasks(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_TASKS, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		const struct crimg_task *t = &k->tasks.list[i];
		int rc = t->state == CRIMG_TASK_DEAD ? put_zombie(k, t, err)
						     : put_threads(k, t, i, err);
		if (rc < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
