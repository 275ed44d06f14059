// The grammar from the header to the tail: what stands between, and the tasks.
#include <stdlib.h>
#include <string.h>

#include "format/cursor.h"
#include "format/limits.h"
#include "readers/linuxcr_model.h"

#define MAX_DEPTH 16u // objects within objects; the kernel writes 5

static int fail_kind(struct linuxcr *c, uint32_t kind, uint32_t type, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, c->stream.window.offset,
	                  "a record of type %u (%s) found, %s wanted", type,
	                  linuxcr_kind_name(linuxcr_kind(&c->stream.profile, type)),
	                  linuxcr_kind_name(kind));
}

static int read_object(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_object *o;
	struct linuxcr_record *r = linuxcr_stream_take(&c->stream, 0, err);
	const char *source = c->stream.source->name;
	if (r == NULL)
		return -1;
	uint32_t found = linuxcr_u32(r, 0), type = linuxcr_object_type(&c->stream.profile, found);
	if (r->length != 8 || type == 0)
		return crimg_fail(err, CRIMG_E_FORMAT, source, r->offset,
		                  "OBJREF: object type %u in %u bytes found, a type known in this posting "
		                  "in 8 wanted", found, r->length);
	if (c->depth == MAX_DEPTH)
		return crimg_fail(err, CRIMG_E_LIMIT, source, r->offset,
		                  "objects within objects %u deep", MAX_DEPTH);
	if (linuxcr_introduce(c, type, linuxcr_ref(r, 4), r->offset, &o, err) < 0)
		return -1;
	o->partial = true;
	c->depth++;
	int rc = linuxcr_read_body(c, o, err);
	c->depth--;
	o->partial = rc < 0;
	return rc;
}

// The kernel says why it gave up; nothing follows. The text is in the record, or in a STRING behind it that
// begins with a NUL.
static int fail_error(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_record *r = linuxcr_stream_take(&c->stream, 0, err);
	char text[CRIMG_ERR_TEXT_MAX / 2];
	uint32_t type, length;
	uint64_t offset = r != NULL ? r->offset : 0;
	if (r == NULL)
		return -1;
	if (r->length == 0) {
		int rc = linuxcr_stream_peek(&c->stream, &type, &length, err);
		if (rc < 0 || (rc > 0 && (r = linuxcr_stream_take(&c->stream, 0, err)) == NULL))
			return -1;
	}
	const char *from = (const char *)r->data;
	size_t skip = r->length > 0 && from[0] == '\0' ? 1 : 0;
	size_t count = strnlen(from + skip, r->length - skip);
	if (count > 0 && from[skip + count - 1] == '\n')
		count--;
	crimg_safe_text(text, sizeof text, from + skip, count);
	return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, offset,
	                  "the kernel gave up the checkpoint here: %s", text);
}

static int keep_unknown(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_record *r = linuxcr_stream_take(&c->stream, 0, err);
	if (r == NULL)
		return -1;
	crimg_fail(&c->damage, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
	           "a record of type %u (%u bytes) found, which no posting defines; it is kept",
	           r->type, r->length);
	return 0;
}

int linuxcr_next_kind(struct linuxcr *c, uint32_t *kind, uint32_t *length, struct crimg_err *err)
{
	for (;;) {
		uint32_t type;
		int rc = linuxcr_stream_peek(&c->stream, &type, length, err);
		if (rc < 0)
			return -1;
		*kind = rc == 0 ? 0 : linuxcr_kind(&c->stream.profile, type);
		if (rc == 0)
			return 0;
		if (*kind == CRIMG_LCR_ERROR)
			return fail_error(c, err);
		if (*kind != 0 && *kind != CRIMG_LCR_OBJREF)
			return 0;
		if ((*kind == 0 ? keep_unknown(c, err) : read_object(c, err)) < 0)
			return -1;
	}
}

struct linuxcr_record *linuxcr_expect(struct linuxcr *c, uint32_t kind, uint32_t length,
                                      struct crimg_err *err)
{
	uint32_t found, found_length, type;
	if (linuxcr_next_kind(c, &found, &found_length, err) < 0)
		return NULL;
	if (found == 0) {
		crimg_fail(err, CRIMG_E_CUT, c->stream.source->name, c->stream.window.offset,
		           "the stream ends, %s wanted", linuxcr_kind_name(kind));
		return NULL;
	}
	if (found != kind) {
		if (linuxcr_stream_peek(&c->stream, &type, &found_length, err) > 0)
			fail_kind(c, kind, type, err);
		return NULL;
	}
	if (length != LINUXCR_ANY && found_length != length) {
		crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, c->stream.window.offset,
		           "%s: a payload of %u bytes found, %u wanted", linuxcr_kind_name(kind),
		           found_length, length);
		return NULL;
	}
	return linuxcr_stream_take(&c->stream, 0, err);
}

int linuxcr_need(struct linuxcr *c, const struct linuxcr_record *r, uint32_t at, uint32_t type,
                 bool optional, struct linuxcr_object **out, struct crimg_err *err)
{
	int32_t ref = linuxcr_ref(r, at);
	struct linuxcr_object *o = linuxcr_find(c, 0, ref);
	if (out != NULL)
		*out = NULL;
	if (ref == 0 && optional)
		return 0;
	if (o == NULL || o->partial || o->type != type)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name,
		                  r->offset + CRIMG_LCR_HEADER_BYTES + at,
		                  "%s: reference %d found, that of a %s introduced before wanted%s%s",
		                  linuxcr_kind_name(r->kind), ref, linuxcr_object_name(type),
		                  o == NULL ? "" : o->partial ? ", not one within itself"
		                                              : ", and this is a ",
		                  o == NULL || o->partial ? "" : linuxcr_object_name(o->type));
	if (out != NULL)
		*out = o;
	return 0;
}

// HEADER, names of the system, HEADER_ARCH, CONTAINER, the security module.
static int read_head(struct linuxcr *c, struct crimg_err *err)
{
	static const uint32_t names[] = { CRIMG_LCR_CONST_RELEASE, CRIMG_LCR_CONST_VERSION,
		                          CRIMG_LCR_CONST_MACHINE };
	uint32_t kind, length;
	const char *source = c->stream.source->name;
	c->header = linuxcr_expect(c, CRIMG_LCR_HEADER, CRIMG_LCR_HEADER_PAYLOAD, err);
	if (c->header == NULL)
		return -1;
	if (linuxcr_u64(c->header, CRIMG_LCR_HEADER_MAGIC) != CRIMG_LCR_HEAD_MAGIC)
		return crimg_fail(err, CRIMG_E_MAGIC, source, CRIMG_LCR_HEADER_BYTES,
		                  "magic 0x%llx found, 0x%llx wanted",
		                  (unsigned long long)linuxcr_u64(c->header, CRIMG_LCR_HEADER_MAGIC),
		                  (unsigned long long)CRIMG_LCR_HEAD_MAGIC);
	if (linuxcr_profile_begin(linuxcr_u16(c->header, CRIMG_LCR_HEADER_ARCH_ID),
	                          linuxcr_u16(c->header, CRIMG_LCR_HEADER_REV), source,
	                          CRIMG_LCR_HEADER_BYTES + CRIMG_LCR_HEADER_ARCH_ID,
	                          &c->stream.profile, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (linuxcr_expect(c, CRIMG_LCR_BUFFER, linuxcr_u16(c->header, names[i]), err) == NULL)
			return -1;
	c->header_arch =
		linuxcr_expect(c, CRIMG_LCR_HEADER_ARCH, CRIMG_LCR_HEADER_ARCH_PAYLOAD, err);
	if (c->header_arch == NULL || linuxcr_expect(c, CRIMG_LCR_CONTAINER, 0, err) == NULL
	    || linuxcr_next_kind(c, &kind, &length, err) < 0)
		return -1;
	c->stream.profile.lsm = kind == CRIMG_LCR_BUFFER;
	if (!c->stream.profile.lsm)
		return 0;
	return linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err) == NULL
	                       || linuxcr_expect(c, CRIMG_LCR_LSM_INFO, LINUXCR_ANY, err) == NULL
	               ? -1
	               : 0;
}

// Pid objects have no OBJREF: they are numbered from the offset on.
static int read_pids(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_object *o;
	struct linuxcr_record *r =
		linuxcr_expect(c, CRIMG_LCR_PIDS, CRIMG_LCR_PIDS_PAYLOAD, err), *b;
	if (r == NULL || (b = linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err)) == NULL)
		return -1;
	struct crimg_cursor cur = crimg_cursor_make(b->data, b->length, c->stream.source->name,
	                                            b->offset + CRIMG_LCR_HEADER_BYTES);
	uint32_t count = linuxcr_u32(r, 0);
	c->pid_offset = linuxcr_ref(r, CRIMG_LCR_PIDS_OFFSET);
	if (count > b->length / 8)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
		                  "PIDS: %u pid objects found in %u bytes, of 8 each at least wanted",
		                  count, b->length);
	c->pids = calloc((size_t)count + 1, sizeof *c->pids);
	if (c->pids == NULL)
		return crimg_fail_nomem(err, count * sizeof *c->pids);
	while (c->pid_count < count) {
		uint32_t depth, number;
		const uint8_t *rest;
		if (crimg_cursor_u32(&cur, &depth, "depth of a pid", err) < 0
		    || crimg_cursor_u32(&cur, &number, "number of a pid", err) < 0
		    || crimg_cursor_bytes(&cur, (uint64_t)depth * 4, &rest, "numbers of a pid", err) < 0
		    || linuxcr_introduce(c, CRIMG_LCR_OBJ_PID,
		                         (int32_t)((uint32_t)c->pid_offset + (uint32_t)c->pid_count),
		                         r->offset, &o, err) < 0)
			return -1;
		c->pids[c->pid_count++] = (int32_t)number;
	}
	if (crimg_cursor_left(&cur) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name,
		                  crimg_cursor_offset(&cur), "%zu bytes behind the last pid",
		                  crimg_cursor_left(&cur));
	return 0;
}

// A number of a task entry as the root task's namespace sees it; 0: outside, or none.
static int32_t number_of(const struct linuxcr *c, int32_t value)
{
	if (value <= 0 || !c->stream.profile.pids)
		return value < 0 ? 0 : value;
	int64_t at = (int64_t)value - c->pid_offset;
	if (at < 0) // the parent's was seen to be counted from 1
		at = (int64_t)value - 1;
	return at < (int64_t)c->pid_count ? c->pids[at] : 0;
}

static int read_tree(struct linuxcr *c, struct crimg_err *err)
{
	uint32_t kind, length;
	const char *source = c->stream.source->name;
	if (linuxcr_stream_peek(&c->stream, &kind, &length, err) <= 0)
		return crimg_fail(err, CRIMG_E_CUT, source, c->stream.window.offset,
		                  "the stream ends, PIDS or TREE wanted");
	c->stream.profile.pids = kind == CRIMG_LCR_PIDS && length == CRIMG_LCR_PIDS_PAYLOAD;
	if (c->stream.profile.pids && read_pids(c, err) < 0)
		return -1;
	struct linuxcr_record *r =
		linuxcr_expect(c, CRIMG_LCR_TREE, CRIMG_LCR_TREE_PAYLOAD, err), *b;
	if (r == NULL || (b = linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err)) == NULL)
		return -1;
	uint32_t count = linuxcr_u32(r, 0);
	if (count == 0 || b->length % CRIMG_LCR_ENTRY_BYTES != 0
	    || b->length / CRIMG_LCR_ENTRY_BYTES != count)
		return crimg_fail(err, CRIMG_E_FORMAT, source, r->offset,
		                  "TREE: %u tasks found in %u bytes, at least one in %u each wanted", count,
		                  b->length, CRIMG_LCR_ENTRY_BYTES);
	c->tasks = calloc(count, sizeof *c->tasks);
	if (c->tasks == NULL)
		return crimg_fail_nomem(err, count * sizeof *c->tasks);
	c->task_capacity = count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i * CRIMG_LCR_ENTRY_BYTES;
		struct linuxcr_task *t = &c->tasks[i];
		t->pid = number_of(c, linuxcr_ref(b, at));
		t->ppid = number_of(c, linuxcr_ref(b, at + 4));
		t->tgid = number_of(c, linuxcr_ref(b, at + 8));
		t->pgid = number_of(c, linuxcr_ref(b, at + 12));
		t->sid = number_of(c, linuxcr_ref(b, at + 16));
		if (t->pid <= 0 || t->tgid <= 0)
			return crimg_fail(err, CRIMG_E_FORMAT, source,
			                  b->offset + CRIMG_LCR_HEADER_BYTES + at,
			                  "task %u: pid %d of process %d found, positive numbers wanted", i,
			                  linuxcr_ref(b, at), linuxcr_ref(b, at + 8));
	}
	return 0;
}

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
	if (linuxcr_introduce(c, CRIMG_LCR_OBJ_SIGNAL, linuxcr_ref(t->objs, at), t->objs->offset, &o,
	                      err) < 0)
		return -1;
	o->body = linuxcr_expect(c, CRIMG_LCR_SIGNAL, limits * 16 + CRIMG_LCR_SIGNAL_FIXED, err);
	return o->body == NULL || (o->parts[0] = read_pending(c, err)) == NULL ? -1 : 0;
}

static int read_objects(struct linuxcr *c, struct linuxcr_task *t, struct crimg_err *err)
{
	static const uint32_t types[] = { CRIMG_LCR_OBJ_FILE_TABLE, CRIMG_LCR_OBJ_MM,
		                          CRIMG_LCR_OBJ_FS };
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
	uint32_t sighand = c->stream.profile.task_v23 ? 16 : 12;
	if (linuxcr_need(c, t->objs, sighand, CRIMG_LCR_OBJ_SIGHAND, false, NULL, err) < 0
	    || read_signal(c, t, sighand + 4, err) < 0 || (t->pending = read_pending(c, err)) == NULL)
		return -1;
	t->mask = linuxcr_expect(c, CRIMG_LCR_SIGNAL_TASK, CRIMG_LCR_SIGNAL_TASK_PAYLOAD, err);
	return t->mask == NULL ? -1 : 0;
}

static int read_cpu(struct linuxcr *c, struct linuxcr_task *t, struct crimg_err *err)
{
	t->restart = linuxcr_expect(c, CRIMG_LCR_RESTART_BLOCK, CRIMG_LCR_RESTART_PAYLOAD, err);
	if (t->restart == NULL)
		return -1;
	t->cpu = linuxcr_expect(c, CRIMG_LCR_CPU,
	                        c->stream.profile.rev < 5 ? CRIMG_LCR_CPU_PAYLOAD_V18
	                                                  : CRIMG_LCR_CPU_PAYLOAD, err);
	if (t->cpu == NULL)
		return -1;
	if (linuxcr_u32(t->cpu, CRIMG_LCR_CPU_USED_MATH) == 0)
		return 0;
	t->fpu = linuxcr_expect(c, CRIMG_LCR_CPU_FPU,
	                        linuxcr_u16(c->header_arch, CRIMG_LCR_HEADER_ARCH_XSTATE), err);
	return t->fpu == NULL ? -1 : 0;
}

// Of a zombie nothing follows its name. Which layout TASK has is not sure yet, so what follows tells.
static int read_task(struct linuxcr *c, struct linuxcr_task *t, struct crimg_err *err)
{
	uint32_t kind, length;
	t->task = linuxcr_expect(c, CRIMG_LCR_TASK, LINUXCR_ANY, err);
	if (t->task == NULL)
		return -1;
	if (t->task->length != 56 && t->task->length != 72)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, t->task->offset,
		                  "TASK: a payload of %u bytes found, 56 or 72 wanted", t->task->length);
	c->stream.profile.task_v23 = t->task->length == 72;
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
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, t->thread->offset,
		                  "THREAD: %u bytes of descriptors in a payload of %u found, up to %u "
		                  "behind %u wanted", tls, t->thread->length,
		                  8 * CRIMG_LCR_TLS_ENTRIES, fixed);
	return read_cpu(c, t, err) < 0 ? -1 : read_objects(c, t, err);
}

// What the layout, by now known, says of the zombies.
static int check_zombies(struct linuxcr *c, struct crimg_err *err)
{
	const struct linuxcr_task_places *at = linuxcr_task_places(&c->stream.profile);
	for (size_t i = 0; i < c->task_count; i++) {
		const struct linuxcr_task *t = &c->tasks[i];
		uint32_t state = linuxcr_u32(t->task, at->exit_state);
		if (t->zombie != (state != 0))
			return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, t->task->offset,
			                  "TASK %d: exit state %u found, and its records are those of a %s "
			                  "task", t->pid, state, t->zombie ? "dead" : "living");
	}
	return 0;
}

static int read_tail(struct linuxcr *c, struct crimg_err *err)
{
	const char *source = c->stream.source->name;
	struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_TAIL, 8, err);
	uint32_t type, length;
	if (r == NULL)
		return -1;
	if (linuxcr_u64(r, 0) != CRIMG_LCR_TAIL_MAGIC)
		return crimg_fail(err, CRIMG_E_MAGIC, source, r->offset + CRIMG_LCR_HEADER_BYTES,
		                  "TAIL: magic 0x%llx found, 0x%llx wanted",
		                  (unsigned long long)linuxcr_u64(r, 0),
		                  (unsigned long long)CRIMG_LCR_TAIL_MAGIC);
	if (linuxcr_stream_peek(&c->stream, &type, &length, err) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, source, c->stream.window.offset,
		                  "bytes found behind TAIL, the end wanted");
	return 0;
}

static int read_rest(struct linuxcr *c, struct crimg_err *err)
{
	while (c->task_count < c->task_capacity)
		if (read_task(c, &c->tasks[c->task_count++], err) < 0)
			return -1;
	return read_tail(c, err) < 0 ? -1 : check_zombies(c, err);
}

int linuxcr_load(struct linuxcr *c, struct crimg_source *source, struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	c->stream.source = source;
	c->stream.window = crimg_window_make(source, 0);
	c->stream.arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES);
	c->damage = CRIMG_ERR_INIT;
	if (read_head(c, err) < 0 || read_tree(c, err) < 0)
		return -1;
	if (read_rest(c, &why) < 0) {
		if (why.code == CRIMG_E_NOMEM || why.code == CRIMG_E_LIMIT || why.code == CRIMG_E_IO) {
			if (err != NULL)
				*err = why;
			return -1;
		}
		if (c->damage.code == CRIMG_OK)
			c->damage = why;
	}
	return linuxcr_sort_objects(c, err);
}

void linuxcr_fini(struct linuxcr *c)
{
	for (size_t i = 0; i < c->table_capacity; i++)
		if (c->table[i] != NULL)
			free(c->table[i]->runs);
	free(c->table);
	free(c->objects);
	free(c->tasks);
	free(c->pids);
	crimg_window_fini(&c->stream.window);
	crimg_arena_fini(&c->stream.arena);
}
