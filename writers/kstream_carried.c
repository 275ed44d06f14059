// Pieces take their pages one after the other, as records stand in the stream.
#include "writers/kstream_carried.h"

#include <stdlib.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/schema.h"

void kstream_carried_fini(struct kstream_carried *c)
{
	crimg_arena_fini(&c->arena);
	free(c->objects);
	*c = (struct kstream_carried){ .count = 0 };
}

int kstream_carried_pages(struct kstream_carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	void *array = c->objects;
	if (crimg_grow(&array, &c->capacity, c->count, sizeof *c->objects, err) < 0)
		return -1;
	c->objects = array;
	c->objects[c->count++] = (struct kstream_pages_object){
		.id = r->object->id, .length = r->payload.length, .payload = r->payload.number,
	};
	return 0;
}

int kstream_carried_add(struct kstream_carried *c, struct kstream_out *out, const struct crimg_record *r,
                        struct crimg_err *err)
{
	crimg_arena_reset(&c->arena);
	const void *message = crimg_message_decode(&kernel_record_entry__descriptor, r->data, r->length,
	                                           &c->arena, r->origin, r->origin_offset, err);
	const KernelRecordEntry *e = message;
	uint64_t length, pages;
	if (e == NULL)
		return -1;
	if (!crimg_mul_u64(e->pages, CRIMG_PAGE_BYTES, &pages)
	    || !crimg_add_u64(CRIMG_LCR_HEADER_BYTES + (uint64_t)e->payload.len, pages, &length)
	    || length > UINT32_MAX)
		return crimg_fail(err, CRIMG_E_FORMAT, r->origin, r->origin_offset,
		                  "a record of %zu bytes and %llu pages found, less than 4 GiB wanted",
		                  e->payload.len, (unsigned long long)e->pages);
	kstream_begin_type(out, e->type);
	kstream_bytes(out, e->payload.data, e->payload.len);
	kstream_pages(out, e->pages_id, 0, pages);
	kstream_end(out);
	if (!kstream_failed(out))
		return 0;
	if (err != NULL)
		*err = out->err;
	return -1;
}

static int by_id(const void *a, const void *b)
{
	const struct kstream_pages_object *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int check_used(const struct kstream_pages_object *o, struct crimg_err *err)
{
	return o->used == o->length
		? 0
		: crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
	                     "pages object %llu holds %llu bytes, the records of the kernel stream want %llu: its "
	                     "pages were changed or compressed (--compress=none undoes the latter, "
	                     "--linux-cr-version makes new records)", (unsigned long long)o->id,
	                     (unsigned long long)o->length, (unsigned long long)o->used);
}

int kstream_carried_place(struct kstream_carried *c, struct kstream_out *out, struct crimg_err *err)
{
	struct kstream_pages_object *o = NULL;
	if (c->count > 0)
		qsort(c->objects, c->count, sizeof *c->objects, by_id);
	for (size_t i = 0; i < out->pieces.count; i++) {
		struct scatter_piece *p = &out->pieces.list[i];
		struct kstream_pages_object key = { .id = p->payload };
		if (c->count > 0 && (o == NULL || o->id != key.id))
			o = bsearch(&key, c->objects, c->count, sizeof *c->objects, by_id);
		if (o == NULL)
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
			                  "records speak of pages object %llu, which is missing",
			                  (unsigned long long)key.id);
		p->payload = o->payload;
		p->from = o->used;
		if (!crimg_add_u64(o->used, p->length, &o->used))
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
			                  "records with more pages than there can be");
	}
	for (size_t i = 0; i < c->count; i++)
		if (check_used(&c->objects[i], err) < 0)
			return -1;
	return 0;
}
