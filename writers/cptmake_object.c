// Headers, lengths, places: the container.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "writers/cptmake.h"

struct cptmake_object cptmake_new(enum crimg_cpt_object kind, enum crimg_cpt_content content)
{
	struct cptmake_object o = {.kind = kind, .content = (uint16_t)content};
	o.header = crimg_cpt_objects[kind].longest;
	if (kind == CRIMG_CPT_OBJ_NAME)
		o.header = CRIMG_CPT_OBJECT_BYTES;
	if (kind == CRIMG_CPT_OBJ_SIGINFO)
		o.header = 184; // the longer one is that of a 32-bit kernel
	for (unsigned i = 0; i < CRIMG_CPT_FIELD_COUNT; i++)
		if (crimg_cpt_fields[i].object == kind && crimg_cpt_fields[i].reference)
			cptmake_set(&o, (enum crimg_cpt_field)i, CRIMG_CPT_NONE);
	return o;
}

void cptmake_set_at(struct cptmake_object *o, enum crimg_cpt_field field, unsigned index,
		    uint64_t value)
{
	const struct crimg_cpt_field_info *f = &crimg_cpt_fields[field];
	uint8_t *at = o->data + f->offset + (size_t)f->size * index;
	if (f->size == 1)
		*at = (uint8_t)value;
	else if (f->size == 2)
		crimg_put_u16(at, (uint16_t)value);
	else if (f->size == 4)
		crimg_put_u32(at, (uint32_t)value);
	else
		crimg_put_u64(at, value);
}

void cptmake_set(struct cptmake_object *o, enum crimg_cpt_field field, uint64_t value)
{
	cptmake_set_at(o, field, 0, value);
}

void cptmake_set_bytes(struct cptmake_object *o, enum crimg_cpt_field field, const void *bytes,
		       size_t length)
{
	const struct crimg_cpt_field_info *f = &crimg_cpt_fields[field];
	size_t room = (size_t)f->size * f->count;
	memcpy(o->data + f->offset, bytes, length < room ? length : room);
}

static int align(struct cptmake *k, struct crimg_err *err)
{
	static const uint8_t zeros[8] = {0};
	return carried_head(k->c, zeros, (size_t)(-k->c->size & 7), err);
}

static struct cptmake_mark here(const struct cptmake *k)
{
	return (struct cptmake_mark){k->c->size, k->c->heads.length};
}

int cptmake_begin(struct cptmake *k, const struct cptmake_object *o, struct cptmake_mark *mark,
		  struct crimg_err *err)
{
	struct cptmake_object copy = *o;
	crimg_put_u32(copy.data + 8, crimg_cpt_objects[o->kind].number);
	crimg_put_u16(copy.data + 12, o->header);
	crimg_put_u16(copy.data + 14, o->content);
	*mark = here(k);
	return carried_head(k->c, copy.data, o->header, err);
}

int cptmake_end(struct cptmake *k, struct cptmake_mark mark, struct crimg_err *err)
{
	if (align(k, err) < 0)
		return -1;
	crimg_put_u64(k->c->heads.data + mark.head, k->c->size - mark.at);
	return 0;
}

int cptmake_put(struct cptmake *k, const struct cptmake_object *o, const void *bytes, size_t length,
		struct crimg_err *err)
{
	struct cptmake_mark mark;
	if (cptmake_begin(k, o, &mark, err) < 0
	    || (length > 0 && carried_head(k->c, bytes, length, err) < 0))
		return -1;
	return cptmake_end(k, mark, err);
}

int cptmake_name(struct cptmake *k, const char *text, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_NAME, CRIMG_CPT_CONTENT_NAME);
	return cptmake_put(k, &o, text, strlen(text) + 1, err);
}

int cptmake_bits(struct cptmake *k, enum crimg_cpt_content content, const void *bytes,
		 size_t length, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_BITS, content);
	cptmake_set(&o, CRIMG_CPT_BITS_SIZE, length);
	return cptmake_put(k, &o, bytes, length, err);
}

int cptmake_section(struct cptmake *k, enum crimg_cpt_section number, struct crimg_err *err)
{
	uint8_t head[CRIMG_CPT_SECTION_BYTES] = {0};
	crimg_put_u32(head + 8, number);
	crimg_put_u16(head + 12, sizeof head);
	k->section = here(k);
	if (number < CRIMG_CPT_INDEXED_SECTIONS)
		k->sections[number] = k->c->size;
	return carried_head(k->c, head, sizeof head, err);
}

int cptmake_section_end(struct cptmake *k, struct crimg_err *err)
{
	return cptmake_end(k, k->section, err);
}

static int by_key(const void *a, const void *b)
{
	const struct cptmake_place *x = a, *y = b;
	return x->key < y->key ? -1 : x->key > y->key;
}

int cptmake_map_add(struct cptmake_map *map, uint64_t key, struct crimg_err *err)
{
	void *array = map->list;
	if (crimg_grow(&array, &map->capacity, map->count, sizeof *map->list, err) < 0)
		return -1;
	map->list = array;
	map->list[map->count++] = (struct cptmake_place){.key = key};
	return 0;
}

void cptmake_map_seal(struct cptmake_map *map)
{
	size_t kept = 0;
	if (map->count == 0)
		return;
	qsort(map->list, map->count, sizeof *map->list, by_key);
	for (size_t i = 1; i < map->count; i++)
		if (map->list[i].key != map->list[kept].key)
			map->list[++kept] = map->list[i];
	map->count = kept + 1;
}

struct cptmake_place *cptmake_map_find(const struct cptmake_map *map, uint64_t key)
{
	struct cptmake_place wanted = {.key = key};
	return map->count == 0
		       ? NULL
		       : bsearch(&wanted, map->list, map->count, sizeof *map->list, by_key);
}

uint64_t cptmake_at(const struct cptmake_map *map, uint64_t key)
{
	const struct cptmake_place *p = cptmake_map_find(map, key);
	return p != NULL && p->at != 0 ? p->at : CRIMG_CPT_NONE;
}

int cptmake_lose(struct cptmake *k, enum crimg_kind kind, uint64_t id, const char *field,
		 const char *what, struct crimg_err *err)
{
	char object[CRIMG_FILE_NAME_MAX];
	crimg_kind_file(kind, id, object);
	return k->ledger == NULL ? 0 : crimg_ledger_add(k->ledger, object, field, what, err);
}
