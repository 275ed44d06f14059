// Tasks: registers in portable codes, credentials, signals, timers, limits.
#include <string.h>

#include "format/checked.h"
#include "format/siginfo.h"
#include "format/x86.h"
#include "writers/cptmake.h"

enum { GROUPS = 32, LIMITS = 16, SLOTS = 3 };
enum { CODE_USER32_DS = 4, CODE_USER32_CS, CODE_USER64_DS, CODE_USER64_CS, CODE_LDT = 256 };

#define NS_PER_US 1000u
#define US_PER_S 1000000u
#define HZ 1000u
#define FIRST_SLOT 12u
#define STATE_SLEEPING 1u
#define STATE_STOPPED 4u
#define STATE_ZOMBIE 16u
#define NICE_ZERO 120
#define SIGCHLD_NUMBER 17u

static uint64_t segment_code(uint64_t selector, bool is_32)
{
	if (selector >> 3 >= FIRST_SLOT && selector >> 3 < FIRST_SLOT + SLOTS)
		return (selector >> 3) - FIRST_SLOT + 1;
	if ((selector & 4) != 0)
		return CODE_LDT + (selector >> 3);
	switch (selector) {
	case 0x23:
		return CODE_USER32_CS;
	case 0x33:
		return CODE_USER64_CS;
	case 0x2b:
		return is_32 ? CODE_USER32_DS : CODE_USER64_DS;
	default:
		return 0;
	}
}

// The processor's own eight bytes; an empty slot is all zero.
static uint64_t descriptor_of(const UserDescT *d)
{
	enum { PRESENT_IN_USER_MODE = 0x7000 };
	bool empty = d->base_addr == 0 && d->limit == 0 && d->seg_not_present;
	uint64_t low = (d->limit & 0xffff) | (uint64_t)(d->base_addr & 0xffff) << 16;
	uint32_t high = (d->base_addr >> 16 & 0xff) | (d->base_addr & 0xff000000)
			| (d->limit & 0xf0000) | PRESENT_IN_USER_MODE;
	high |= (uint32_t)!d->read_exec_only << 9 | (uint32_t)d->contents_l << 10;
	high |= (uint32_t)d->contents_h << 11 | (uint32_t)!d->seg_not_present << 15;
	high |= (uint32_t)d->usable << 20 | (uint32_t)d->seg_32bit << 22;
	high |= (uint32_t)d->limit_in_pages << 23;
	return empty ? 0 : (uint64_t)high << 32 | low;
}

// CRIU's registers are final: a result that a restart would make something of is told as if there had been
// no call.
static uint64_t call_of(const UserX86RegsEntry *r, bool is_32)
{
	int64_t error = is_32 ? -(int64_t)(int32_t)(uint32_t)r->ax : -(int64_t)r->ax;
	bool changes = error == 4 || error == 11 || (error >= 512 && error <= 516);
	return changes ? UINT64_MAX : r->orig_ax;
}

static int put_regs_64(struct cptmake *k, const UserX86RegsEntry *r, struct crimg_err *err)
{
	const uint64_t words[] = {r->r15, r->r14, r->r13, r->r12,     r->bp, r->bx,
				  r->r11, r->r10, r->r9,  r->r8,      r->ax, r->cx,
				  r->dx,  r->si,  r->di,  call_of(r, false), r->ip};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_X86_64_REGS, CRIMG_CPT_CONTENT_VOID);
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		cptmake_set(&o, (enum crimg_cpt_field)(CRIMG_CPT_X86_64_REGS_R15 + i), words[i]);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_FSBASE, r->fs_base);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_GSBASE, r->gs_base);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_FSINDEX, segment_code(r->fs, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_GSINDEX, segment_code(r->gs, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_DS, segment_code(r->ds, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_ES, segment_code(r->es, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_CS, segment_code(r->cs, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_SS, segment_code(r->ss, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_EFLAGS, r->flags);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_RSP, r->sp);
	return cptmake_put(k, &o, NULL, 0, err);
}

static int put_regs_32(struct cptmake *k, const UserX86RegsEntry *r, struct crimg_err *err)
{
	const uint64_t words[] = {r->bx, r->cx, r->dx, r->si, r->di, r->bp, r->ax};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_X86_REGS, CRIMG_CPT_CONTENT_VOID);
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		cptmake_set(&o, (enum crimg_cpt_field)(CRIMG_CPT_X86_REGS_EBX + i), words[i]);
	cptmake_set(&o, CRIMG_CPT_X86_REGS_FS, segment_code(r->fs, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_UGS, segment_code(r->gs, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XDS, segment_code(r->ds, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XES, segment_code(r->es, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XCS, segment_code(r->cs, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XSS, segment_code(r->ss, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_ORIG_EAX, call_of(r, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_EIP, r->ip);
	cptmake_set(&o, CRIMG_CPT_X86_REGS_EFLAGS, r->flags);
	cptmake_set(&o, CRIMG_CPT_X86_REGS_ESP, r->sp);
	return cptmake_put(k, &o, NULL, 0, err);
}

static int put_fpu(struct cptmake *k, const UserX86FpregsEntry *fp, struct crimg_err *err)
{
	uint8_t area[CRIMG_XSAVE_MAX_BYTES];
	if (fp == NULL)
		return 0;
	if (crimg_x86_xcr0(fp) <= 3) {
		crimg_x86_fxsave(fp, area);
		return cptmake_bits(k, CRIMG_CPT_CONTENT_X86_FPUSTATE, area, CRIMG_FXSAVE_BYTES,
				    err);
	}
	size_t size = crimg_x86_xsave(fp, area);
	return cptmake_bits(k, CRIMG_CPT_CONTENT_X86_XSAVE, area, size, err);
}

// The union as it is; and what older kernels would have told of it.
static int put_siginfos(struct cptmake *k, const struct crimg_list *list, struct crimg_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const SiginfoEntry *e = list->items[i];
		struct cptmake_object o =
			cptmake_new(CRIMG_CPT_OBJ_SIGINFO, CRIMG_CPT_CONTENT_VOID);
		struct crimg_siginfo s;
		if (!crimg_siginfo_decode(e->siginfo.data, e->siginfo.len, &s))
			continue;
		cptmake_set(&o, CRIMG_CPT_SIGINFO_SIGNO, (uint32_t)s.signo);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_ERRNO, (uint32_t)s.sys_errno);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_CODE, (uint32_t)s.code);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_SIGVAL, s.value);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_PID, s.pid);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_UID, s.uid);
		if (e->siginfo.len > 16)
			cptmake_set_bytes(&o, CRIMG_CPT_SIGINFO_SIFIELDS, e->siginfo.data + 16,
					  crimg_min_u64(e->siginfo.len - 16, 112));
		if (cptmake_put(k, &o, NULL, 0, err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t set_of(const struct crimg_list *list)
{
	uint64_t set = 0;
	for (size_t i = 0; i < list->count; i++) {
		const SiginfoEntry *e = list->items[i];
		uint32_t signo = e->siginfo.len >= 4 ? crimg_get_u32(e->siginfo.data) : 0;
		if (signo >= 1 && signo <= 64)
			set |= UINT64_C(1) << (signo - 1);
	}
	return set;
}

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
	if (info->n_tls > SLOTS)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "thread %u has %zu slots of thread-local storage, at most %u have "
				  "a place in an OpenVZ image",
				  thread->tid, info->n_tls, SLOTS);
	for (size_t i = 0; i < info->n_tls; i++)
		if (info->tls[i]->entry_number - FIRST_SLOT < SLOTS)
			cptmake_set_at(o, CRIMG_CPT_TASK_TLS, info->tls[i]->entry_number - FIRST_SLOT,
				       descriptor_of(info->tls[i]));
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
	bool is_32 = crimg_x86_is_32(info->gpregs);
	if ((is_32 ? put_regs_32(k, info->gpregs, err) : put_regs_64(k, info->gpregs, err)) < 0
	    || put_fpu(k, info->fpregs, err) < 0)
		return -1;
	k->wide += !is_32;
	if (call_of(info->gpregs, is_32) != info->gpregs->orig_ax
	    && cptmake_lose(k, CRIMG_KIND_CORE, thread->tid, "thread_info.gpregs.orig_ax",
			    "left out, so that the call is not run again", err) < 0)
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
	return put_siginfos(k, pending, err);
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
	cptmake_set(&o, CRIMG_CPT_SIGNAL_STRUCT_SIGPENDING, set_of(&shared));
	if (cptmake_begin(k, &o, &mark, err) < 0 || put_siginfos(k, &shared, err) < 0)
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
		cptmake_set(&o, CRIMG_CPT_TASK_SIGPENDING, set_of(&pending));
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
	UserX86RegsEntry none = USER_X86_REGS_ENTRY__INIT;
	struct cptmake_mark mark;
	const char *comm = crimg_task_comm(task);
	if (set_process(k, &o, task, err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_TASK_64BIT, 1);
	cptmake_set_bytes(&o, CRIMG_CPT_TASK_COMM, comm, strlen(comm));
	if (cptmake_begin(k, &o, &mark, err) < 0 || put_regs_64(k, &none, err) < 0)
		return -1;
	k->wide++;
	return cptmake_end(k, mark, err);
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

static int put_handlers(struct cptmake *k, const struct crimg_task *task, struct cptmake_place *p,
			struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SIGHAND_STRUCT, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	struct crimg_list list;
	if (crimg_task_list(k->image, task, CRIMG_PART_SIGACTIONS, &list, err) < 0
	    || cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0, signal = 0; i < list.count; i++, signal++) {
		const SaEntry *e = list.items[i];
		struct cptmake_object h =
			cptmake_new(CRIMG_CPT_OBJ_SIGHANDLER, CRIMG_CPT_CONTENT_VOID);
		if (signal == 8 || signal == 18) // KILL and STOP, from 0, are not in the list
			signal++;
		if (e->sigaction == 0 && e->flags == 0)
			continue;
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_SIGNO, signal);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_HANDLER, e->sigaction);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_RESTORER, e->restorer);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_FLAGS, e->flags);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_MASK, e->mask);
		if (cptmake_put(k, &h, NULL, 0, err) < 0)
			return -1;
	}
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

int cptmake_handlers(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_SIGHAND_STRUCT, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		const struct crimg_task *t = &k->tasks.list[i];
		struct cptmake_place *p =
			t->ids == NULL ? NULL
				       : cptmake_map_find(
						 &k->shared,
						 CPTMAKE_KEY(CRIMG_CPT_OBJ_SIGHAND_STRUCT,
							     t->ids->sighand_id));
		if (p != NULL && p->at == 0 && put_handlers(k, t, p, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}

static int put_timers(struct cptmake *k, const struct crimg_list *list, uint64_t *at,
		      struct crimg_err *err)
{
	enum { NS = 1000000000 };
	struct cptmake_object o =
		cptmake_new(CRIMG_CPT_OBJ_POSIX_TIMER_LIST, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < list->count; i++) {
		const PosixTimerEntry *e = list->items[i];
		struct cptmake_object t =
			cptmake_new(CRIMG_CPT_OBJ_POSIX_TIMER, CRIMG_CPT_CONTENT_VOID);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_ID, e->it_id);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_CLOCK, e->clock_id);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_OVERRUN, e->overrun);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_INTERVAL, e->isec * NS + e->insec);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_VALUE, e->vsec * NS + e->vnsec);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_VALUE, e->sival_ptr);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_SIGNO, e->si_signo);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY, e->it_sigev_notify);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY_TID,
			    (uint32_t)e->notify_thread_id);
		if (cptmake_put(k, &t, NULL, 0, err) < 0)
			return -1;
	}
	*at = mark.at;
	return cptmake_end(k, mark, err);
}

int cptmake_timers(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_POSIX_TIMERS, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		struct crimg_list list;
		k->timers[i] = CRIMG_CPT_NONE;
		if (crimg_task_list(k->image, &k->tasks.list[i], CRIMG_PART_POSIX_TIMERS, &list,
				    err) < 0)
			return -1;
		if (list.count > 0 && put_timers(k, &list, &k->timers[i], err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
