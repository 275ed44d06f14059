// A task: its records, and the objects they speak of.
#include "readers/linuxcr_model.h"

static struct linuxcr_record *read_pending(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_SIGPENDING, LINUXCR_ANY, err);
	uint32_t each = c->stream.profile.task_v23 ? CRIMG_LCR_SIGINFO_V23 : CRIMG_LCR_SIGINFO_V19;
	if (r != NULL
	    && (r->length < CRIMG_LCR_SIGPENDING_PAYLOAD
		|| (r->length - CRIMG_LCR_SIGPENDING_PAYLOAD) % each != 0
		|| (r->length - CRIMG_LCR_SIGPENDING_PAYLOAD) / each != linuxcr_u32(r, 0))) {
		crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
			   "SIGPENDING: %u signals found in %u bytes, 16 and %u each wanted",
			   linuxcr_u32(r, 0), r->length, each);
		return NULL;
	}
	return r;
}

// Limits, timers and the shared queue follow the first task that has them.
static int read_signal(struct linuxcr *c, struct linuxcr_task *t, uint32_t at,
		       struct crimg_err *err)
{
	struct linuxcr_object *o = linuxcr_find(c, 0, linuxcr_ref(t->objs, at));
	uint32_t limits = linuxcr_u16(c->header, CRIMG_LCR_CONST_RLIMITS);
	if (o != NULL)
		return linuxcr_need(c, t->objs, at, CRIMG_LCR_OBJ_SIGNAL, false, NULL, err);
	if (linuxcr_introduce(c, CRIMG_LCR_OBJ_SIGNAL, linuxcr_ref(t->objs, at), t->objs->offset,
			      &o, err)
	    < 0)
		return -1;
	o->body = linuxcr_expect(c, CRIMG_LCR_SIGNAL, limits * 16 + CRIMG_LCR_SIGNAL_FIXED, err);
	return o->body == NULL || (o->parts[0] = read_pending(c, err)) == NULL ? -1 : 0;
}

static int read_objects(struct linuxcr *c, struct linuxcr_task *t, struct crimg_err *err)
{
	static const uint32_t types[] = {CRIMG_LCR_OBJ_FILE_TABLE, CRIMG_LCR_OBJ_MM,
					 CRIMG_LCR_OBJ_FS};
	t->creds = linuxcr_expect(c, CRIMG_LCR_TASK_CREDS, CRIMG_LCR_TASK_CREDS_PAYLOAD, err);
	if (t->creds == NULL
	    || linuxcr_need(c, t->creds, 0, CRIMG_LCR_OBJ_CRED, false, NULL, err) < 0
	    || linuxcr_need(c, t->creds, 4, CRIMG_LCR_OBJ_CRED, false, NULL, err) < 0)
		return -1;
	t->ns = linuxcr_expect(c, CRIMG_LCR_TASK_NS, 8, err);
	if (t->ns == NULL || linuxcr_need(c, t->ns, 0, CRIMG_LCR_OBJ_NS, false, NULL, err) < 0)
		return -1;
	t->objs = linuxcr_expect(c, CRIMG_LCR_TASK_OBJS, CRIMG_LCR_TASK_OBJS_PAYLOAD, err);
	if (t->objs == NULL)
		return -1;
	for (uint32_t i = 0; i < 3; i++)
		if (linuxcr_need(c, t->objs, i * 4, types[i], true, NULL, err) < 0)
			return -1;
	uint32_t sighand = c->stream.profile.task_v23 ? CRIMG_LCR_TASK_SIGHAND_V23 : CRIMG_LCR_TASK_SIGHAND;
	if (linuxcr_need(c, t->objs, sighand, CRIMG_LCR_OBJ_SIGHAND, false, NULL, err) < 0
	    || read_signal(c, t, sighand + 4, err) < 0
	    || (t->pending = read_pending(c, err)) == NULL)
		return -1;
	t->mask = linuxcr_expect(c, CRIMG_LCR_SIGNAL_TASK, CRIMG_LCR_SIGNAL_TASK_PAYLOAD, err);
	return t->mask == NULL ? -1 : 0;
}

static int read_cpu(struct linuxcr *c, struct linuxcr_task *t, struct crimg_err *err)
{
	t->restart = linuxcr_expect(c, CRIMG_LCR_RESTART_BLOCK, CRIMG_LCR_RESTART_PAYLOAD, err);
	if (t->restart == NULL)
		return -1;
	t->cpu = linuxcr_expect(
		c, CRIMG_LCR_CPU,
		c->stream.profile.rev < 5 ? CRIMG_LCR_CPU_PAYLOAD_V18 : CRIMG_LCR_CPU_PAYLOAD, err);
	if (t->cpu == NULL)
		return -1;
	if (linuxcr_u32(t->cpu, CRIMG_LCR_CPU_USED_MATH) == 0)
		return 0;
	t->fpu = linuxcr_expect(c, CRIMG_LCR_CPU_FPU,
				linuxcr_u16(c->header_arch, CRIMG_LCR_HEADER_ARCH_XSTATE), err);
	return t->fpu == NULL ? -1 : 0;
}

// Of a zombie nothing follows its name. Which layout TASK has is not sure yet, so what follows
// tells.
int linuxcr_read_task(struct linuxcr *c, struct linuxcr_task *t, struct crimg_err *err)
{
	uint32_t kind, length;
	t->task = linuxcr_expect(c, CRIMG_LCR_TASK, LINUXCR_ANY, err);
	if (t->task == NULL)
		return -1;
	bool v23 = t->task->length == CRIMG_LCR_TASK_PAYLOAD_V23;
	if (!v23 && t->task->length != CRIMG_LCR_TASK_PAYLOAD_V19)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, t->task->offset,
				  "TASK: a payload of %u bytes found, %u or %u wanted",
				  t->task->length, CRIMG_LCR_TASK_PAYLOAD_V19,
				  CRIMG_LCR_TASK_PAYLOAD_V23);
	c->stream.profile.task_v23 = v23;
	t->comm = linuxcr_expect(c, CRIMG_LCR_STRING, linuxcr_u16(c->header, CRIMG_LCR_CONST_COMM),
				 err);
	if (t->comm == NULL || linuxcr_next_kind(c, &kind, &length, err) < 0)
		return -1;
	t->zombie = kind == CRIMG_LCR_TASK || kind == CRIMG_LCR_TAIL;
	if (t->zombie)
		return 0;
	t->thread = linuxcr_expect(c, CRIMG_LCR_THREAD, LINUXCR_ANY, err);
	if (t->thread == NULL)
		return -1;
	uint32_t fixed = c->stream.profile.task_v23 ? CRIMG_LCR_THREAD_PAYLOAD_V23
						    : CRIMG_LCR_THREAD_PAYLOAD_V19;
	uint32_t tls = linuxcr_u16(t->thread, fixed - 2);
	if (t->thread->length != fixed + tls || tls % 8 != 0 || tls > 8 * CRIMG_LCR_TLS_ENTRIES)
		return crimg_fail(
			err, CRIMG_E_FORMAT, c->stream.source->name, t->thread->offset,
			"THREAD: %u bytes of descriptors in a payload of %u found, up to %u "
			"behind %u wanted",
			tls, t->thread->length, 8 * CRIMG_LCR_TLS_ENTRIES, fixed);
	return read_cpu(c, t, err) < 0 ? -1 : read_objects(c, t, err);
}

// What the layout, by now known, says of the zombies.
int linuxcr_check_zombies(struct linuxcr *c, struct crimg_err *err)
{
	const struct linuxcr_task_places *at = linuxcr_task_places(&c->stream.profile);
	for (size_t i = 0; i < c->task_count; i++) {
		const struct linuxcr_task *t = &c->tasks[i];
		uint32_t state = linuxcr_u32(t->task, at->exit_state);
		if (t->zombie != (state != 0))
			return crimg_fail(
				err, CRIMG_E_FORMAT, c->stream.source->name, t->task->offset,
				"TASK %d: exit state %u found, and its records are those of a %s "
				"task",
				t->pid, state, t->zombie ? "dead" : "living");
	}
	return 0;
}
