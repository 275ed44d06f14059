// An output in memory.
#include "fuzz/output_mem.h"

#include "format/store.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"

struct mem_state {
	struct crimg_mem_member *last;
	size_t held, limit;
};

const struct crimg_mem_member *crimg_output_mem_last(const struct crimg_output *o)
{
	return ((const struct mem_state *)o->state)->last;
}

const struct crimg_mem_member *crimg_output_mem_find(const struct crimg_output *o, const char *name)
{
	const struct crimg_mem_member *m = crimg_output_mem_last(o);
	while (m != NULL && strcmp(m->name, name) != 0)
		m = m->next;
	return m;
}

static void free_member(struct crimg_mem_member *m)
{
	free(m->name);
	free(m->target);
	crimg_buf_fini(&m->data);
	free(m);
}

static int add_member(struct crimg_output *o, const char *name, const char *target,
                      struct crimg_mem_member **out, struct crimg_err *err)
{
	struct mem_state *s = o->state;
	if (name[0] != '\0' && !crimg_name_is_safe(name))
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_NO_OFFSET,
		                  "a member name that leaves the output");
	if (crimg_output_mem_find(o, name) != NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_NO_OFFSET, "two members of this name");
	struct crimg_mem_member *m = calloc(1, sizeof *m);
	if (m == NULL)
		return crimg_fail_nomem(err, sizeof *m);
	m->size = CRIMG_SIZE_UNKNOWN;
	m->name = strdup(name);
	m->target = target != NULL ? strdup(target) : NULL;
	if (m->name == NULL || (target != NULL && m->target == NULL)) {
		free_member(m);
		return crimg_fail_nomem(err, 0);
	}
	m->next = s->last;
	s->last = m;
	*out = m;
	return 0;
}

static int mem_create(struct crimg_output *o, const char *name, uint64_t size,
                      struct crimg_sink *sink, struct crimg_err *err)
{
	struct crimg_mem_member *m;
	if (add_member(o, name, NULL, &m, err) < 0)
		return -1;
	m->size = size;
	sink->state = m;
	return 0;
}

// Makes the member at least `end` bytes long, new ones zero.
static int reach(struct crimg_sink *sink, uint64_t end, struct crimg_err *err)
{
	struct mem_state *s = sink->output->state;
	struct crimg_mem_member *m = sink->state;
	if (end <= m->data.length)
		return 0;
	uint64_t more = end - m->data.length;
	if (more > s->limit - s->held)
		return crimg_fail(err, CRIMG_E_LIMIT, m->name, CRIMG_NO_OFFSET,
		                  "more than %zu bytes of output", s->limit);
	if (crimg_buf_reserve(&m->data, (size_t)more, err) < 0)
		return -1;
	memset(m->data.data + m->data.length, 0, (size_t)more);
	m->data.length += (size_t)more;
	s->held += (size_t)more;
	return 0;
}

static int mem_zero(struct crimg_sink *sink, uint64_t offset, uint64_t length,
                    struct crimg_err *err)
{
	struct crimg_mem_member *m = sink->state;
	size_t before = m->data.length;
	if (reach(sink, offset + length, err) < 0)
		return -1;
	if (offset < before)
		memset(m->data.data + offset, 0, (size_t)crimg_min_u64(length, before - offset));
	return 0;
}

static int mem_write(struct crimg_sink *sink, uint64_t offset, const void *data, size_t length,
                     struct crimg_err *err)
{
	struct crimg_mem_member *m = sink->state;
	if (reach(sink, offset + length, err) < 0)
		return -1;
	memcpy(m->data.data + offset, data, length);
	return 0;
}

static int mem_end(struct crimg_sink *sink, struct crimg_err *err)
{
	struct crimg_mem_member *m = sink->state;
	if (m->size != CRIMG_SIZE_UNKNOWN && m->size != m->data.length)
		return crimg_fail(err, CRIMG_E_FORMAT, m->name, m->data.length,
		                  "%zu bytes written, %llu promised", m->data.length,
		                  (unsigned long long)m->size);
	m->ended = true;
	return 0;
}

static int mem_link(struct crimg_output *o, const char *name, const char *target,
                    struct crimg_err *err)
{
	struct crimg_mem_member *m;
	if (add_member(o, name, target, &m, err) < 0)
		return -1;
	m->ended = true;
	return 0;
}

static int mem_mkdir(struct crimg_output *o, const char *name, struct crimg_err *err)
{
	struct crimg_mem_member *m;
	if (add_member(o, name, NULL, &m, err) < 0)
		return -1;
	m->directory = m->ended = true;
	return 0;
}

static int mem_commit(struct crimg_output *o, struct crimg_err *err)
{
	for (const struct crimg_mem_member *m = crimg_output_mem_last(o); m != NULL; m = m->next)
		if (!m->ended)
			return crimg_fail(err, CRIMG_E_USAGE, m->name, CRIMG_NO_OFFSET,
			                  "a member is still being written");
	return 0;
}

static void mem_discard(struct crimg_output *o)
{
	struct mem_state *s = o->state;
	while (s->last != NULL) {
		struct crimg_mem_member *m = s->last;
		s->last = m->next;
		free_member(m);
	}
	free(s);
}

static const struct crimg_output_ops mem_ops = {
	.create = mem_create, .write = mem_write, .zero = mem_zero, .end = mem_end,
	.link = mem_link, .mkdir = mem_mkdir, .commit = mem_commit, .discard = mem_discard,
};

int crimg_output_open_mem(bool at_offsets, size_t limit, struct crimg_output **out,
                          struct crimg_err *err)
{
	struct mem_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->limit = limit;
	if (crimg_output_make(&mem_ops, "memory", s, out, err) < 0) {
		free(s);
		return -1;
	}
	(*out)->at_offsets = at_offsets;
	return 0;
}
