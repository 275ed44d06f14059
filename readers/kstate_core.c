// The core of a task: its name, credentials and limits. The image has no registers, no signals and no
// timers; CRIU's message cannot do without a state, and what could be frozen lived.
#include "format/tasks.h"
#include "readers/kstate_records.h"

#define CAP_WORDS 2u
#define CAP_SETS 4u

static CredsEntry *make_creds(struct kstate_image *m, const struct kstate_object *cred)
{
	CredsEntry *e = crimg_arena_alloc(&m->arena, sizeof *e);
	uint32_t *caps = crimg_arena_alloc(&m->arena, CAP_SETS * CAP_WORDS * sizeof *caps);
	if (e == NULL || caps == NULL)
		return NULL;
	creds_entry__init(e);
	const struct {
		uint32_t *to, at;
	} numbers[] = {
		{ &e->uid, CRIMG_KST_CRED_UID },     { &e->gid, CRIMG_KST_CRED_GID },
		{ &e->suid, CRIMG_KST_CRED_SUID },   { &e->sgid, CRIMG_KST_CRED_SGID },
		{ &e->euid, CRIMG_KST_CRED_EUID },   { &e->egid, CRIMG_KST_CRED_EGID },
		{ &e->fsuid, CRIMG_KST_CRED_FSUID }, { &e->fsgid, CRIMG_KST_CRED_FSGID },
	};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		*numbers[i].to = kstate_u32(cred, numbers[i].at);
	for (uint32_t i = 0; i < CAP_SETS * CAP_WORDS; i++)
		caps[i] = kstate_u32(cred, CRIMG_KST_CRED_INHERITABLE + 4 * i);
	e->cap_inh = caps;
	e->cap_prm = caps + CAP_WORDS;
	e->cap_eff = caps + 2 * CAP_WORDS;
	e->cap_bnd = caps + 3 * CAP_WORDS;
	e->n_cap_inh = e->n_cap_prm = e->n_cap_eff = e->n_cap_bnd = CAP_WORDS;
	return e;
}

static uint64_t limit_at(const struct kstate_object *signal, uint32_t at)
{
	uint64_t value = kstate_u64(signal, at);
	return value == CRIMG_KST_INFINITY ? UINT64_MAX : value;
}

static TaskRlimitsEntry *make_limits(struct kstate_image *m, const struct kstate_object *signal)
{
	TaskRlimitsEntry *e = crimg_arena_alloc(&m->arena, sizeof *e);
	RlimitEntry *list = crimg_arena_alloc(&m->arena, CRIMG_KST_LIMITS * sizeof *list);
	RlimitEntry **pointers = crimg_arena_alloc(&m->arena, CRIMG_KST_LIMITS * sizeof *pointers);
	if (e == NULL || list == NULL || pointers == NULL)
		return NULL;
	task_rlimits_entry__init(e);
	e->rlimits = pointers;
	for (uint32_t i = 0; i < CRIMG_KST_LIMITS; i++) {
		rlimit_entry__init(&list[i]);
		list[i].cur = limit_at(signal, CRIMG_KST_SIGNAL_LIMITS + 16 * i);
		list[i].max = limit_at(signal, CRIMG_KST_SIGNAL_LIMITS + 16 * i + 8);
		e->rlimits[e->n_rlimits++] = &list[i];
	}
	return e;
}

int kstate_put_core(struct kstate_image *m, const struct kstate_object *task, bool leads,
                    struct model_entry *out, struct crimg_err *err)
{
	CoreEntry e = CORE_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	ThreadCoreEntry thread = THREAD_CORE_ENTRY__INIT;
	const struct kstate_object *cred = kstate_ref(&m->k, task, CRIMG_KST_TASK_REAL_CRED);
	const struct kstate_object *signal = kstate_ref(&m->k, task, CRIMG_KST_TASK_SIGNAL);
	const char *comm = (const char *)task->data + CRIMG_KST_TASK_COMM;
	crimg_arena_reset(&m->arena);
	tc.comm = thread.comm = crimg_arena_text(&m->arena, comm, strnlen(comm, CRIMG_KST_COMM_BYTES));
	thread.creds = cred != NULL ? make_creds(m, cred) : NULL;
	tc.rlimits = signal != NULL ? make_limits(m, signal) : NULL;
	if (tc.comm == NULL || (cred != NULL && thread.creds == NULL)
	    || (signal != NULL && tc.rlimits == NULL))
		return crimg_fail_nomem(err, 0);
	tc.task_state = CRIMG_TASK_ALIVE;
	e.mtype = CORE_ENTRY__MARCH__X86_64; // as CRIU says of 32-bit tasks, too
	e.tc = leads ? &tc : NULL;
	e.thread_core = &thread;
	kstate_from(out, task);
	return model_encode(&e.base, out, err);
}
