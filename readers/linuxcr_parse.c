// The grammar from the header to the tail, and what may stand between any two records.
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
		return crimg_fail(
			err, CRIMG_E_FORMAT, source, r->offset,
			"OBJREF: object type %u in %u bytes found, a type known in this posting "
			"in 8 wanted",
			found, r->length);
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

// The kernel says why it gave up; nothing follows. The text is in the record, or in a STRING behind
// it that begins with a NUL.
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
		return crimg_fail(
			err, CRIMG_E_FORMAT, c->stream.source->name,
			r->offset + CRIMG_LCR_HEADER_BYTES + at,
			"%s: reference %d found, that of a %s introduced before wanted%s%s",
			linuxcr_kind_name(r->kind), ref, linuxcr_object_name(type),
			o == NULL    ? ""
			: o->partial ? ", not one within itself"
				     : ", and this is a ",
			o == NULL || o->partial ? "" : linuxcr_object_name(o->type));
	if (out != NULL)
		*out = o;
	return 0;
}

// HEADER, names of the system, HEADER_ARCH, CONTAINER, the security module.
static int read_head(struct linuxcr *c, struct crimg_err *err)
{
	static const uint32_t names[] = {CRIMG_LCR_CONST_RELEASE, CRIMG_LCR_CONST_VERSION,
					 CRIMG_LCR_CONST_MACHINE};
	uint32_t kind, length;
	const char *source = c->stream.source->name;
	c->header = linuxcr_expect(c, CRIMG_LCR_HEADER, CRIMG_LCR_HEADER_PAYLOAD, err);
	if (c->header == NULL)
		return -1;
	if (linuxcr_u64(c->header, CRIMG_LCR_HEADER_MAGIC) != CRIMG_LCR_HEAD_MAGIC)
		return crimg_fail(
			err, CRIMG_E_MAGIC, source, CRIMG_LCR_HEADER_BYTES,
			"magic 0x%llx found, 0x%llx wanted",
			(unsigned long long)linuxcr_u64(c->header, CRIMG_LCR_HEADER_MAGIC),
			(unsigned long long)CRIMG_LCR_HEAD_MAGIC);
	if (linuxcr_profile_begin(linuxcr_u16(c->header, CRIMG_LCR_HEADER_ARCH_ID),
				  linuxcr_u16(c->header, CRIMG_LCR_HEADER_REV), source,
				  CRIMG_LCR_HEADER_BYTES + CRIMG_LCR_HEADER_ARCH_ID,
				  &c->stream.profile, err)
	    < 0)
		return -1;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (linuxcr_expect(c, CRIMG_LCR_BUFFER, linuxcr_u16(c->header, names[i]), err)
		    == NULL)
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
	struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_PIDS, CRIMG_LCR_PIDS_PAYLOAD, err),
			      *b;
	if (r == NULL || (b = linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err)) == NULL)
		return -1;
	struct crimg_cursor cur = crimg_cursor_make(b->data, b->length, c->stream.source->name,
						    b->offset + CRIMG_LCR_HEADER_BYTES);
	uint32_t count = linuxcr_u32(r, 0);
	c->pid_offset = linuxcr_ref(r, CRIMG_LCR_PIDS_OFFSET);
	if (count > b->length / 8)
		return crimg_fail(
			err, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
			"PIDS: %u pid objects found in %u bytes, of 8 each at least wanted", count,
			b->length);
	c->pids = calloc((size_t)count + 1, sizeof *c->pids);
	if (c->pids == NULL)
		return crimg_fail_nomem(err, count * sizeof *c->pids);
	while (c->pid_count < count) {
		uint32_t depth, number;
		const uint8_t *rest;
		if (crimg_cursor_u32(&cur, &depth, "depth of a pid", err) < 0
		    || crimg_cursor_u32(&cur, &number, "number of a pid", err) < 0
		    || crimg_cursor_bytes(&cur, (uint64_t)depth * 4, &rest, "numbers of a pid", err)
			       < 0
		    || linuxcr_introduce(
			       c, CRIMG_LCR_OBJ_PID,
			       (int32_t)((uint32_t)c->pid_offset + (uint32_t)c->pid_count),
			       r->offset, &o, err)
			       < 0)
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
	struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_TREE, CRIMG_LCR_TREE_PAYLOAD, err),
			      *b;
	if (r == NULL || (b = linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err)) == NULL)
		return -1;
	uint32_t count = linuxcr_u32(r, 0);
	if (count == 0 || b->length % CRIMG_LCR_ENTRY_BYTES != 0
	    || b->length / CRIMG_LCR_ENTRY_BYTES != count)
		return crimg_fail(
			err, CRIMG_E_FORMAT, source, r->offset,
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
			return crimg_fail(
				err, CRIMG_E_FORMAT, source,
				b->offset + CRIMG_LCR_HEADER_BYTES + at,
				"task %u: pid %d of process %d found, positive numbers wanted", i,
				linuxcr_ref(b, at), linuxcr_ref(b, at + 8));
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
		if (linuxcr_read_task(c, &c->tasks[c->task_count++], err) < 0)
			return -1;
	return read_tail(c, err) < 0 ? -1 : linuxcr_check_zombies(c, err);
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
		if (why.code == CRIMG_E_NOMEM || why.code == CRIMG_E_LIMIT
		    || why.code == CRIMG_E_IO) {
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
