// Finding entries of one kind by the value of a field: sorted once, searched often.
#include <stdlib.h>
#include <string.h>

#include "format/image.h"
#include "format/search.h"

struct crimg_image_index {
	const char *field;
	const void **messages;  // in the order of keys
	const struct crimg_image_entry **entries; // that they are of
	uint64_t *keys;
	size_t count;
};

struct item {
	uint64_t key;
	size_t order;           // of the entry in its object
	const void *message;
};

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static uint64_t key_of(const void *message, const ProtobufCFieldDescriptor *field)
{
	const char *at = (const char *)message + field->offset;
	uint64_t wide;
	uint32_t narrow;
	if (field->type == PROTOBUF_C_TYPE_UINT64) {
		memcpy(&wide, at, sizeof wide);
		return wide;
	}
	memcpy(&narrow, at, sizeof narrow);
	return narrow;
}

static size_t gather(struct crimg_image *image, struct crimg_image_object *o,
                     const ProtobufCFieldDescriptor *field, struct item *items,
                     struct crimg_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < o->count; i++) {
		const void *m = crimg_image_message(image, o, i, err);
		if (m != NULL)
			items[count++] = (struct item){ key_of(m, field), i, m };
	}
	if (count > 0)
		qsort(items, count, sizeof *items, by_key);
	return count;
}

static int build(struct crimg_image *image, struct crimg_image_object *o, const char *name,
                 struct crimg_err *err)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
		crimg_kind_info(o->object.kind)->entry, name);
	struct crimg_image_index *index = crimg_arena_alloc(&image->arena, sizeof *index);
	const void **messages = crimg_arena_alloc(&image->arena, o->count * sizeof *messages);
	const struct crimg_image_entry **entries =
		crimg_arena_alloc(&image->arena, o->count * sizeof *entries);
	uint64_t *keys = crimg_arena_alloc(&image->arena, o->count * sizeof *keys);
	struct item *items = calloc(o->count + 1, sizeof *items);
	if (index == NULL || messages == NULL || entries == NULL || keys == NULL || items == NULL) {
		free(items);
		return crimg_fail_nomem(err, o->count * sizeof *items);
	}
	*index = (struct crimg_image_index){ name, messages, entries, keys, 0 };
	index->count = gather(image, o, field, items, err);
	for (size_t i = 0; i < index->count; i++) {
		messages[i] = items[i].message;
		entries[i] = &o->entries[items[i].order];
		keys[i] = items[i].key;
	}
	free(items);
	o->index = index;
	return 0;
}

// The first key that is not below value.
static size_t lower_bound(const struct crimg_image_index *index, uint64_t value)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, index->count, index->keys[low] < value);
	return low;
}

// The object's index over field, and which of its rows have value.
static int look_up(struct crimg_image *image, enum crimg_kind kind, const char *field, uint64_t value,
                   const struct crimg_image_index **index, size_t *first, size_t *count,
                   struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_first(image, kind);
	*first = *count = 0;
	*index = NULL;
	if (o == NULL || o->count == 0)
		return 0;
	if ((o->index == NULL || strcmp(o->index->field, field) != 0)
	    && build(image, o, field, err) < 0)
		return -1;
	*index = o->index;
	*first = lower_bound(o->index, value);
	*count = (value == UINT64_MAX ? o->index->count : lower_bound(o->index, value + 1)) - *first;
	return 0;
}

int crimg_image_select(struct crimg_image *image, enum crimg_kind kind, const char *field,
                       uint64_t value, struct crimg_list *out, struct crimg_err *err)
{
	const struct crimg_image_index *index;
	size_t first, count;
	*out = (struct crimg_list){ NULL, 0 };
	if (look_up(image, kind, field, value, &index, &first, &count, err) < 0)
		return -1;
	if (index != NULL)
		*out = (struct crimg_list){ index->messages + first, count };
	return 0;
}

const void *crimg_image_select_one(struct crimg_image *image, enum crimg_kind kind,
                                   const char *field, uint64_t value, struct crimg_err *err)
{
	struct crimg_list list;
	return crimg_image_select(image, kind, field, value, &list, err) == 0 && list.count > 0
		? list.items[0] : NULL;
}

int crimg_image_select_entries(struct crimg_image *image, enum crimg_kind kind, const char *field,
                               uint64_t value, struct crimg_entries *out, struct crimg_err *err)
{
	const struct crimg_image_index *index;
	size_t first, count;
	*out = (struct crimg_entries){ NULL, 0 };
	if (look_up(image, kind, field, value, &index, &first, &count, err) < 0)
		return -1;
	if (index != NULL)
		*out = (struct crimg_entries){ index->entries + first, count };
	return 0;
}
