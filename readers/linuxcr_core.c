// The core of a task or thread: everything but its registers (linuxcr_regs.c) and its memory.
#include <string.h>

#include "format/tasks.h"
#include "readers/kernel_task.h"
#include "readers/linuxcr_records.h"

#define SIGKILL_NUMBER 9u
#define SIGSTOP_NUMBER 19u
#define ROBUST_LIST_BYTES 24u // of its head, as set_robust_list() wants it
#define ROBUST_LIST_BYTES_32 12u
#define CAP_WORDS 2u

static void *make(struct linuxcr_image *m, size_t count, size_t size, struct crimg_err *err)
{
	void *p = count > SIZE_MAX / 4 / size ? NULL
					      : crimg_arena_alloc(&m->arena, (count + 1) * size);
	if (p != NULL)
		memset(p, 0, (count + 1) * size);
	else
		crimg_fail_nomem(err, size);
	return p;
}

// Limits and timers; they belong to the process.
static int add_signal(struct linuxcr_image *m, TaskCoreEntry *tc, const struct linuxcr_object *o,
		      struct crimg_err *err)
{
	uint32_t count = linuxcr_u16(m->c.header, CRIMG_LCR_CONST_RLIMITS);
	TaskRlimitsEntry *limits = make(m, 1, sizeof *limits, err);
	TaskTimersEntry *timers = make(m, 1, sizeof *timers, err);
	RlimitEntry *list = make(m, count, sizeof *list, err);
	ItimerEntry *three = make(m, 3, sizeof *three, err);
	if (limits == NULL || timers == NULL || list == NULL || three == NULL)
		return -1;
	task_rlimits_entry__init(limits);
	task_timers_entry__init(timers);
	limits->rlimits = make(m, count, sizeof *limits->rlimits, err);
	if (limits->rlimits == NULL)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		rlimit_entry__init(&list[i]);
		list[i].cur = linuxcr_u64(o->body, 16 * i);
		list[i].max = linuxcr_u64(o->body, 16 * i + 8);
		limits->rlimits[limits->n_rlimits++] = &list[i];
	}
	for (uint32_t i = 0; i < 3; i++)
		kernel_itimer(&three[i], linuxcr_u64(o->body, 16 * count + 16 * i),
			      linuxcr_u64(o->body, 16 * count + 16 * i + 8));
	timers->real = &three[0];
	timers->virt = &three[1];
	timers->prof = &three[2];
	tc->timers = timers;
	tc->rlimits = limits;
	tc->signals_s = linuxcr_signals(m, o->parts[0], err);
	return tc->signals_s == NULL ? -1 : 0;
}

static int add_handlers(struct linuxcr_image *m, TaskCoreEntry *tc, const struct linuxcr_object *o,
			bool is_32, struct crimg_err *err)
{
	uint32_t count = o->body->length / CRIMG_LCR_SIGACTION_BYTES;
	SaEntry *list = make(m, count, sizeof *list, err);
	tc->sigactions = make(m, count, sizeof *tc->sigactions, err);
	if (list == NULL || tc->sigactions == NULL)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		SaEntry *e = &list[i];
		uint32_t at = i * CRIMG_LCR_SIGACTION_BYTES;
		if (i + 1 == SIGKILL_NUMBER || i + 1 == SIGSTOP_NUMBER)
			continue; // CRIU's list has none for those that cannot be caught
		sa_entry__init(e);
		e->sigaction = linuxcr_u64(o->body, at);
		e->flags = linuxcr_u64(o->body, at + 8);
		e->restorer = linuxcr_u64(o->body, at + 16);
		e->mask = linuxcr_u64(o->body, at + 24);
		e->has_compat_sigaction = e->compat_sigaction = is_32;
		tc->sigactions[tc->n_sigactions++] = e;
	}
	return 0;
}

// The words of the image; in v19 the members of the union share fields.
static struct kernel_siginfo siginfo_at(const struct linuxcr_record *r, uint32_t at, bool v23)
{
	uint32_t code = linuxcr_u32(r, at + 8);
	// Codes of timers and message queues are negative below their class.
	if (code >> 16 != 0 && (code & 0x8000) != 0)
		code |= 0xffff0000;
	bool timer = v23 && code == (uint32_t)-2;
	return (struct kernel_siginfo){
		.signo = linuxcr_u32(r, at),
		.error = linuxcr_u32(r, at + 4),
		.code = code,
		.pid = linuxcr_u32(r, at + (timer ? 24 : 12)),
		.uid = linuxcr_u32(r, at + (timer ? 32 : 16)),
		.status = linuxcr_u32(r, at + (v23 ? 40 : 20)),
		.value = linuxcr_u64(r, at + (v23 ? 48 : 24)),
		.address = linuxcr_u64(r, at + (v23 ? 72 : 24)),
		.utime = linuxcr_u64(r, at + (v23 ? 56 : 32)),
		.stime = linuxcr_u64(r, at + (v23 ? 64 : 40)),
		.band = linuxcr_u32(r, at + (v23 ? 28 : 12)),
		.fd = linuxcr_u32(r, at + 20),
	};
}

// Only those in the queue: a bit of the set without one says less than a siginfo would.
SignalQueueEntry *linuxcr_signals(struct linuxcr_image *m, const struct linuxcr_record *pending,
				  struct crimg_err *err)
{
	bool v23 = m->c.stream.profile.task_v23;
	uint32_t each = v23 ? CRIMG_LCR_SIGINFO_V23 : CRIMG_LCR_SIGINFO_V19;
	uint32_t count = pending == NULL ? 0 : linuxcr_u32(pending, 0);
	SignalQueueEntry *queue = make(m, 1, sizeof *queue, err);
	SiginfoEntry *list = make(m, count, sizeof *list, err);
	uint8_t *bytes = make(m, count, KERNEL_SIGINFO_BYTES, err);
	if (queue == NULL || list == NULL || bytes == NULL)
		return NULL;
	signal_queue_entry__init(queue);
	queue->signals = make(m, count, sizeof *queue->signals, err);
	if (queue->signals == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		SiginfoEntry *e = &list[i];
		siginfo_entry__init(e);
		e->siginfo = (ProtobufCBinaryData){.len = KERNEL_SIGINFO_BYTES,
						   .data = bytes + (size_t)i * KERNEL_SIGINFO_BYTES};
		struct kernel_siginfo words =
			siginfo_at(pending, CRIMG_LCR_SIGPENDING_PAYLOAD + i * each, v23);
		kernel_siginfo(e->siginfo.data, &words);
		queue->signals[queue->n_signals++] = e;
	}
	return queue;
}

static int add_groups(struct linuxcr_image *m, CredsEntry *e, const struct linuxcr_record *cred,
		      struct crimg_err *err)
{
	const struct linuxcr_object *o = linuxcr_find(&m->c, CRIMG_LCR_OBJ_GROUPINFO,
						      linuxcr_ref(cred, CRIMG_LCR_CRED_GROUPS));
	if (o == NULL || o->body == NULL)
		return 0;
	uint32_t count = linuxcr_u32(o->body, 0);
	e->groups = make(m, count, sizeof *e->groups, err);
	if (e->groups == NULL)
		return -1;
	while (e->n_groups < count) {
		e->groups[e->n_groups] =
			linuxcr_u32(o->body, CRIMG_LCR_GROUPS_ARRAY + 4 * (uint32_t)e->n_groups);
		e->n_groups++;
	}
	return 0;
}

CredsEntry *linuxcr_creds(struct linuxcr_image *m, const struct linuxcr_task *t,
			  struct crimg_err *err)
{
	const struct linuxcr_record *r =
		linuxcr_find(&m->c, CRIMG_LCR_OBJ_CRED, linuxcr_ref(t->creds, 0))->body;
	CredsEntry *e = make(m, 1, sizeof *e, err);
	uint32_t *caps = make(m, 4 * CAP_WORDS, sizeof *caps, err);
	uint32_t at = CRIMG_LCR_CRED_CAPS - (m->c.stream.profile.rev < 4 ? 8u : 0u);
	if (e == NULL || caps == NULL)
		return NULL;
	creds_entry__init(e);
	uint32_t *const fields[] = {&e->uid, &e->suid, &e->euid, &e->fsuid,
				    &e->gid, &e->sgid, &e->egid, &e->fsgid};
	for (uint32_t i = 0; i < 8; i++)
		*fields[i] = linuxcr_u32(r, 4 * i);
	for (uint32_t i = 0; i < 4 * CAP_WORDS; i++)
		caps[i] = linuxcr_u32(r, at + 4 * i);
	e->cap_inh = caps;
	e->cap_prm = caps + CAP_WORDS;
	e->cap_eff = caps + 2 * CAP_WORDS;
	e->cap_bnd = caps + 3 * CAP_WORDS;
	e->n_cap_inh = e->n_cap_prm = e->n_cap_eff = e->n_cap_bnd = CAP_WORDS;
	e->secbits = linuxcr_u32(r, at + 4 * 4 * CAP_WORDS);
	return add_groups(m, e, r, err) < 0 ? NULL : e;
}

// The list of a 32-bit task stands at a place of its own, unless the kernel is one too.
static void put_robust_list(const struct linuxcr_image *m, const struct linuxcr_task *t,
			    ThreadCoreEntry *e)
{
	const struct linuxcr_task_places *at = linuxcr_task_places(&m->c.stream.profile);
	bool compat = linuxcr_is_32(m, t);
	bool apart = compat && m->c.stream.profile.arch == CRIMG_LCR_ARCH_X86_64;
	e->futex_rla = apart ? linuxcr_u32(t->task, at->compat) : linuxcr_u64(t->task, at->robust);
	e->futex_rla_len = compat ? ROBUST_LIST_BYTES_32 : ROBUST_LIST_BYTES;
}

static ThreadCoreEntry *thread_core(struct linuxcr_image *m, const struct linuxcr_task *t,
				    struct crimg_err *err)
{
	const struct linuxcr_task_places *at = linuxcr_task_places(&m->c.stream.profile);
	ThreadCoreEntry *e = make(m, 1, sizeof *e, err);
	ThreadSasEntry *sas = make(m, 1, sizeof *sas, err);
	if (e == NULL || sas == NULL)
		return NULL;
	thread_core_entry__init(e);
	put_robust_list(m, t, e);
	e->has_pdeath_sig = linuxcr_u32(t->task, at->pdeath) != 0;
	e->pdeath_sig = linuxcr_u32(t->task, at->pdeath);
	e->has_blk_sigset = t->mask != NULL;
	e->blk_sigset = t->mask != NULL ? linuxcr_u64(t->mask, 0) : 0;
	if (at->sas != 0) {
		thread_sas_entry__init(sas);
		sas->ss_sp = linuxcr_u64(t->task, at->sas);
		sas->ss_size = linuxcr_u32(t->task, at->sas + 8);
		sas->ss_flags = sas->ss_size == 0 ? 2 : 0; // SS_DISABLE
		e->sas = sas;
	}
	if (t->comm != NULL)
		e->comm = crimg_arena_text(&m->arena, (const char *)t->comm->data,
					   strnlen((const char *)t->comm->data, t->comm->length));
	if (t->pending != NULL && (e->signals_p = linuxcr_signals(m, t->pending, err)) == NULL)
		return NULL;
	if (t->creds != NULL && t->ns != NULL && (e->creds = linuxcr_creds(m, t, err)) == NULL)
		return NULL;
	return e;
}

// As the kernel of today numbers them, which is what CRIU keeps.
static uint32_t task_flags(uint32_t flags)
{
	enum { FORKNOEXEC = 0x40, SUPERPRIV = 0x100 };
	return ((flags & CRIMG_LCR_TASK_FORKNOEXEC) != 0 ? FORKNOEXEC : 0u)
	       | ((flags & CRIMG_LCR_TASK_SUPERPRIV) != 0 ? SUPERPRIV : 0u);
}

static TaskCoreEntry *task_core(struct linuxcr_image *m, const struct linuxcr_task *t,
				const ThreadCoreEntry *thread, struct crimg_err *err)
{
	const struct linuxcr_task_places *at = linuxcr_task_places(&m->c.stream.profile);
	TaskCoreEntry *e = make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	task_core_entry__init(e);
	uint32_t state = linuxcr_u32(t->task, at->state);
	e->task_state = t->zombie                                ? CRIMG_TASK_DEAD
			: (state & CRIMG_LCR_STATE_STOPPED) != 0 ? CRIMG_TASK_STOPPED
								 : CRIMG_TASK_ALIVE;
	e->exit_code = linuxcr_u32(t->task, at->exit_code);
	if (m->c.stream.profile.rc2)
		e->flags = task_flags(linuxcr_u32(t->task, 0));
	e->blk_sigset = thread->blk_sigset;
	e->comm = thread->comm != NULL ? thread->comm : e->comm;
	const struct linuxcr_object *signal = linuxcr_task_object(&m->c, t, 5);
	const struct linuxcr_object *handlers = linuxcr_task_object(&m->c, t, 4);
	if ((signal != NULL && add_signal(m, e, signal, err) < 0)
	    || (handlers != NULL
		&& add_handlers(m, e, handlers, linuxcr_is_32(m, t), err) < 0))
		return NULL;
	return e;
}

int linuxcr_put_core(struct linuxcr_image *m, size_t object, uint64_t index,
		     struct model_entry *out, struct crimg_err *err)
{
	const struct linuxcr_task *t = &m->c.tasks[m->tasks.by_tid[object]];
	CoreEntry e = CORE_ENTRY__INIT;
	if (index > 0 || t->task == NULL)
		return 0;
	crimg_arena_reset(&m->arena);
	e.mtype = CORE_ENTRY__MARCH__X86_64;
	ThreadCoreEntry *thread = thread_core(m, t, err);
	if (thread == NULL)
		return -1;
	if (t->cpu != NULL && (e.thread_info = linuxcr_thread_info(m, t, err)) == NULL)
		return -1;
	if (!t->zombie)
		e.thread_core = thread;
	if (t->pid == t->tgid && (e.tc = task_core(m, t, thread, err)) == NULL)
		return -1;
	linuxcr_from(out, t->task);
	return model_encode(&e.base, out, err);
}
