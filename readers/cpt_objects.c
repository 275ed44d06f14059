// Fields of objects, objects by offset and by kind, references.
#include <stdlib.h>

#include "format/limits.h"
#include "format/search.h"
#include "readers/cpt_model.h"

bool cpt_has(const struct cpt *c, const struct cpt_object *o, enum crimg_cpt_field field)
{
	const struct crimg_cpt_field_info *f = &crimg_cpt_fields[field];
	return f->object == o->kind && c->version >= f->version && c->version < f->before
	       && (size_t)f->offset + (size_t)f->size * f->count <= o->header;
}

uint64_t cpt_at(const struct cpt *c, const struct cpt_object *o, enum crimg_cpt_field field,
		unsigned index)
{
	const struct crimg_cpt_field_info *f = &crimg_cpt_fields[field];
	if (!cpt_has(c, o, field) || index >= f->count)
		return f->reference ? CRIMG_CPT_NONE : 0;
	const uint8_t *at = o->data + f->offset + (size_t)f->size * index;
	switch (f->size) {
	case 1:
		return *at;
	case 2:
		return crimg_get_u16(at);
	case 4:
		return crimg_get_u32(at);
	default:
		return crimg_get_u64(at);
	}
}

const uint8_t *cpt_bytes(const struct cpt *c, const struct cpt_object *o,
			 enum crimg_cpt_field field)
{
	return cpt_has(c, o, field) ? o->data + crimg_cpt_fields[field].offset : NULL;
}

const struct cpt_object *cpt_find(const struct cpt *c, uint64_t offset)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, c->count, c->objects[at].offset < offset);
	return at < c->count && c->objects[at].offset == offset ? &c->objects[at] : NULL;
}

const struct cpt_object *cpt_ref(const struct cpt *c, const struct cpt_object *o,
				 enum crimg_cpt_field field)
{
	enum crimg_cpt_object target = crimg_cpt_fields[field].target;
	const struct cpt_object *t = cpt_find(c, cpt_get(c, o, field));
	return t != NULL && (target == CRIMG_CPT_OBJ_ANY || t->kind == target) ? t : NULL;
}

const struct cpt_object *cpt_child(const struct cpt *c, const struct cpt_object *in,
				   const struct cpt_object *after, enum crimg_cpt_object kind)
{
	size_t i = after != NULL ? after->end : (size_t)(in - c->objects) + 1;
	while (i < in->end && kind != CRIMG_CPT_OBJ_ANY && c->objects[i].kind != kind)
		i = c->objects[i].end;
	return i < in->end ? &c->objects[i] : NULL;
}

const struct cpt_object *cpt_in_section(const struct cpt *c, uint32_t section,
					const struct cpt_object *after)
{
	size_t i = after != NULL ? after->end : 0;
	while (i < c->count && c->objects[i].section != section)
		i = c->objects[i].end;
	return i < c->count ? &c->objects[i] : NULL;
}

int cpt_sort_objects(struct cpt *c, struct crimg_err *err)
{
	size_t next[CRIMG_CPT_OBJ_COUNT];
	for (unsigned i = CRIMG_CPT_FIELD_COUNT; i-- > 0;)
		c->fields[crimg_cpt_fields[i].object] = i;
	c->by_kind = calloc(c->count + 1, sizeof *c->by_kind);
	if (c->by_kind == NULL)
		return crimg_fail_nomem(err, c->count * sizeof *c->by_kind);
	for (size_t i = 0; i < c->count; i++)
		c->starts[c->objects[i].kind + 1]++;
	for (size_t k = 1; k <= CRIMG_CPT_OBJ_COUNT; k++)
		c->starts[k] += c->starts[k - 1];
	memcpy(next, c->starts, sizeof next);
	for (size_t i = 0; i < c->count; i++) {
		enum crimg_cpt_object kind = c->objects[i].kind;
		c->objects[i].nth = next[kind] - c->starts[kind];
		c->by_kind[next[kind]++] = i;
	}
	return 0;
}

// A mount may be told of in other words.
static bool is_kind(const struct cpt_object *o, enum crimg_cpt_object kind)
{
	return kind == CRIMG_CPT_OBJ_ANY || o->kind == kind
	       || (kind == CRIMG_CPT_OBJ_VFSMOUNT
		   && (o->kind == CRIMG_CPT_OBJ_VFSMOUNT_REF
		       || o->kind == CRIMG_CPT_OBJ_VFSMOUNT_MISSED_REF));
}

static void check_reference(struct cpt *c, const struct cpt_object *o, enum crimg_cpt_field field)
{
	const struct crimg_cpt_field_info *f = &crimg_cpt_fields[field];
	uint64_t at = cpt_get(c, o, field);
	const char *target =
		f->target == CRIMG_CPT_OBJ_ANY ? "object" : crimg_cpt_objects[f->target].name;
	if (at == CRIMG_CPT_NONE || at == 0)
		return;
	const struct cpt_object *t = cpt_find(c, at);
	if (t == NULL || !is_kind(t, f->target))
		cpt_damage(c, o->offset + f->offset, "%s.%s: %s at %llu found, a %s wanted",
			   crimg_cpt_objects[o->kind].name, f->name,
			   t == NULL ? "no object" : crimg_cpt_objects[t->kind].name,
			   (unsigned long long)at, target);
}

// A cgroup's mount speaks of a cgroup where others speak of a mount, by index; hence MNT_BIND is none.
void cpt_check_references(struct cpt *c)
{
	for (unsigned field = 0; field < CRIMG_CPT_FIELD_COUNT; field++) {
		const struct crimg_cpt_field_info *f = &crimg_cpt_fields[field];
		for (size_t i = 0; f->reference && i < cpt_count(c, f->object); i++)
			check_reference(c, cpt_nth(c, f->object, i), (enum crimg_cpt_field)field);
	}
}

uint64_t cpt_data_bytes(const struct cpt *c, const struct cpt_object *o)
{
	uint64_t all = cpt_body_bytes(o);
	if (cpt_has(c, o, CRIMG_CPT_BITS_SIZE))
		return crimg_min_u64(all, cpt_get(c, o, CRIMG_CPT_BITS_SIZE));
	if (cpt_has(c, o, CRIMG_CPT_NAME_LEN)) // of a tar
		return crimg_min_u64(all, cpt_get(c, o, CRIMG_CPT_NAME_LEN));
	return all;
}

uint8_t *cpt_read(const struct cpt *c, const struct cpt_object *o, uint64_t limit, size_t *length,
		  struct crimg_arena *arena, struct crimg_err *err)
{
	size_t n = (size_t)crimg_min_u64(cpt_data_bytes(c, o), limit);
	uint8_t *out = crimg_arena_alloc(arena, n + 1);
	if (out == NULL) {
		crimg_fail_nomem(err, n + 1);
		return NULL;
	}
	out[n] = 0;
	*length = n;
	return crimg_source_read_exact(c->source, cpt_body(o), out, n, err) < 0 ? NULL : out;
}

char *cpt_text(const struct cpt *c, const struct cpt_object *name, struct crimg_arena *arena,
	       struct crimg_err *err)
{
	enum { LONGEST = 1 << 20 };
	size_t length;
	if (name == NULL) {
		char *empty = crimg_arena_text(arena, "", 0);
		if (empty == NULL)
			crimg_fail_nomem(err, 1);
		return empty;
	}
	return (char *)cpt_read(c, name, LONGEST, &length, arena, err);
}
