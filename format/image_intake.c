// Fills an index: takes records, keeps their messages, and puts the objects in order.
#include <stdlib.h>
#include <string.h>

#include "format/image.h"
#include "format/limits.h"

int crimg_image_make(const char *path, struct crimg_image **out, struct crimg_err *err)
{
	struct crimg_image *image = calloc(1, sizeof *image);
	char *copy = strdup(path);
	if (image == NULL || copy == NULL) {
		free(image);
		free(copy);
		return crimg_fail_nomem(err, sizeof *image);
	}
	image->arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES);
	image->path = copy;
	image->root = "";
	image->format = "";
	*out = image;
	return 0;
}

static const char *keep_text(struct crimg_image *image, const char *text, struct crimg_err *err)
{
	if (text == NULL)
		return NULL;
	size_t length = strlen(text);
	const char *kept = crimg_arena_text(&image->arena, text, length);
	if (kept == NULL)
		crimg_fail(err, image->arena.exhausted ? CRIMG_E_LIMIT : CRIMG_E_NOMEM, image->path,
		           CRIMG_NO_OFFSET, "no memory for the index (%zu bytes held)",
		           image->arena.held_bytes);
	return kept;
}

static int add_object(struct crimg_image *image, const struct crimg_record *record,
                      struct crimg_err *err)
{
	if (image->count >= CRIMG_MAX_OBJECTS)
		return crimg_fail(err, CRIMG_E_LIMIT, image->path, CRIMG_NO_OFFSET,
		                  "more than %u objects", CRIMG_MAX_OBJECTS);
	void *array = image->objects;
	if (crimg_grow(&array, &image->capacity, image->count, sizeof *image->objects, err) < 0)
		return -1;
	image->objects = array;
	const struct crimg_object *from = record->object;
	struct crimg_image_object o = { .object = *from, .payload = record->payload };
	char name[CRIMG_FILE_NAME_MAX];
	crimg_kind_file(from->kind, from->id, name);
	o.object.name = keep_text(
		image, from->name != NULL && from->name[0] != '\0' ? from->name : name, err);
	o.object.target = keep_text(image, from->target, err);
	o.origin = keep_text(image, record->origin != NULL ? record->origin : o.object.name, err);
	if (o.object.name == NULL || o.origin == NULL
	    || (from->target != NULL && o.object.target == NULL))
		return -1;
	if (from->type == CRIMG_OBJECT_FILE
	    && (from->kind == CRIMG_KIND_PAGEMAP || from->kind == CRIMG_KIND_PAGEMAP_SHMEM)) {
		o.map = calloc(1, sizeof *o.map);
		if (o.map == NULL)
			return crimg_fail_nomem(err, sizeof *o.map);
	}
	image->objects[image->count++] = o;
	return 0;
}

static int keep_entry(struct crimg_image *image, struct crimg_image_object *o,
                      const struct crimg_record *record, struct crimg_err *err)
{
	void *array = o->entries;
	if (crimg_grow(&array, &o->capacity, o->count, sizeof *o->entries, err) < 0)
		return -1;
	o->entries = array;
	struct crimg_image_entry e = {
		.length = record->length, .payload = record->payload, .tail = record->tail,
		.offset = record->origin_offset, .span = record->origin_length,
	};
	if (!record->tail) {
		uint8_t *data = crimg_arena_alloc(&image->arena, record->length + 1);
		if (data == NULL)
			return crimg_fail(err, image->arena.exhausted ? CRIMG_E_LIMIT : CRIMG_E_NOMEM,
			                  o->origin, record->origin_offset,
			                  "no memory for the index (%zu bytes held)",
			                  image->arena.held_bytes);
		if (record->length > 0)
			memcpy(data, record->data, record->length);
		e.data = data;
	}
	o->entries[o->count++] = e;
	return 0;
}

// The field behind a 64-bit count has number 5; the first run tells for all.
static int note_wide_count(struct crimg_image_object *o, const struct crimg_record *record,
                           struct crimg_err *err)
{
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	const void *m = crimg_message_decode(&pagemap_entry__descriptor, record->data, record->length,
	                                     &arena, o->origin, record->origin_offset, err);
	o->wide_counts = m != NULL && ((const PagemapEntry *)m)->has_nr_pages;
	crimg_arena_fini(&arena);
	return m != NULL ? 0 : -1;
}

static int add_entry(struct crimg_image *image, const struct crimg_record *record,
                     struct crimg_err *err)
{
	if (image->count == 0)
		return crimg_fail(err, CRIMG_E_FORMAT, record->origin, record->origin_offset,
		                  "an entry found, an object wanted before it");
	struct crimg_image_object *o = &image->objects[image->count - 1];
	uint64_t index = o->entries_in_file++;
	o->metadata_bytes += record->tail ? 0 : record->length;
	if (o->map == NULL || record->tail || index == 0)
		if (keep_entry(image, o, record, err) < 0)
			return -1;
	if (o->map == NULL || record->tail)
		return 0;
	bool draft = crimg_kind_message(o->object.kind, index, record->data, record->length)
		== &pagemap_entry_draft__descriptor;
	if (index == 1 && !draft && note_wide_count(o, record, err) < 0)
		return -1;
	return crimg_pagemap_add(o->map, index, record->data, record->length, o->origin,
	                         record->origin_offset, err);
}

int crimg_image_put(struct crimg_image *image, const struct crimg_record *record,
                    struct crimg_err *err)
{
	return record->type == CRIMG_RECORD_OBJECT ? add_object(image, record, err)
		: add_entry(image, record, err);
}

static int by_key(const void *a, const void *b)
{
	const struct crimg_object *x = &((const struct crimg_image_object *)a)->object;
	const struct crimg_object *y = &((const struct crimg_image_object *)b)->object;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->name, y->name);
}

// The directory of the names: that of the inventory, else none.
static void find_root(struct crimg_image *image)
{
	const struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_INVENTORY);
	const char *slash = o != NULL ? strrchr(o->object.name, '/') : NULL;
	const char *root = slash == NULL ? NULL
	                                 : crimg_arena_text(&image->arena, o->object.name,
	                                                    (size_t)(slash - o->object.name) + 1);
	image->root = root != NULL ? root : "";
}

void crimg_image_seal(struct crimg_image *image)
{
	if (image->count > 0)
		qsort(image->objects, image->count, sizeof *image->objects, by_key);
	for (size_t i = 0; i < image->count; i++)
		if (image->objects[i].map != NULL)
			image->objects[i].sorted = crimg_pagemap_sorted(image->objects[i].map);
	find_root(image);
}
