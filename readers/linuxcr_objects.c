// Shared objects by reference, and the pages that some of them hold.
#include <stdlib.h>

#include "format/limits.h"
#include "readers/linuxcr_model.h"

static size_t slot_of(const struct linuxcr *c, int32_t ref)
{
	size_t mask = c->table_capacity - 1, i = (uint32_t)ref * 2654435761u & mask;
	while (c->table[i] != NULL && c->table[i]->ref != ref)
		i = (i + 1) & mask;
	return i;
}

struct linuxcr_object *linuxcr_find(const struct linuxcr *c, uint32_t type, int32_t ref)
{
	struct linuxcr_object *o = c->table_capacity == 0 ? NULL : c->table[slot_of(c, ref)];
	return o != NULL && (type == 0 || o->type == type) ? o : NULL;
}

// Half of the slots at most are taken.
static int make_room(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_object **old = c->table;
	size_t count = c->table_capacity, capacity = count == 0 ? 256 : 2 * count;
	if (c->table_count < count / 2)
		return 0;
	struct linuxcr_object **table = calloc(capacity, sizeof(struct linuxcr_object *));
	if (table == NULL)
		return crimg_fail_nomem(err, capacity * sizeof(struct linuxcr_object *));
	c->table = table;
	c->table_capacity = capacity;
	for (size_t i = 0; i < count; i++)
		if (old[i] != NULL)
			table[slot_of(c, old[i]->ref)] = old[i];
	free(old);
	return 0;
}

int linuxcr_introduce(struct linuxcr *c, uint32_t type, int32_t ref, uint64_t offset,
		      struct linuxcr_object **out, struct crimg_err *err)
{
	const char *source = c->stream.source->name, *name = linuxcr_object_name(type);
	struct linuxcr_object *o = linuxcr_find(c, 0, ref);
	if (ref <= 0)
		return crimg_fail(err, CRIMG_E_FORMAT, source, offset,
				  "reference %d of a %s found, a positive number wanted", ref,
				  name);
	if (o != NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, source, offset,
				  "reference %d is given to a %s, and a %s has it already", ref,
				  name, linuxcr_object_name(o->type));
	if (make_room(c, err) < 0 || (o = linuxcr_stream_alloc(&c->stream, sizeof *o, err)) == NULL)
		return -1;
	o->ref = ref;
	o->type = type;
	o->order = c->table_count++;
	c->table[slot_of(c, ref)] = o;
	*out = o;
	return 0;
}

void linuxcr_list_add(struct linuxcr_object *o, struct linuxcr_record *r)
{
	if (o->last != NULL)
		o->last->sibling = r;
	else
		o->first = r;
	o->last = r;
}

static int add_page(struct linuxcr *c, struct linuxcr_object *o, uint64_t start, uint64_t offset,
		    struct crimg_err *err)
{
	struct linuxcr_run *last = o->run_count > 0 ? &o->runs[o->run_count - 1] : NULL;
	uint64_t end = last == NULL ? 0 : last->start + last->pages * CRIMG_PAGE_BYTES;
	if (start % CRIMG_PAGE_BYTES != 0 || start > UINT64_MAX - 2 * CRIMG_PAGE_BYTES)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, offset,
				  "a page at 0x%llx found, an address of a page wanted",
				  (unsigned long long)start);
	if (start < end)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, offset,
				  "a page at 0x%llx found, one at 0x%llx or above wanted",
				  (unsigned long long)start, (unsigned long long)end);
	if (last != NULL && start == end
	    && offset == last->offset + last->pages * CRIMG_PAGE_BYTES) {
		last->pages++;
		return 0;
	}
	void *array = o->runs;
	if (o->run_count >= CRIMG_MAX_PAGE_RUNS)
		return crimg_fail(err, CRIMG_E_LIMIT, c->stream.source->name, offset,
				  "more than %u runs of pages", CRIMG_MAX_PAGE_RUNS);
	if (crimg_grow(&array, &o->run_capacity, o->run_count, sizeof *o->runs, err) < 0)
		return -1;
	o->runs = array;
	o->runs[o->run_count++] = (struct linuxcr_run){start, 1, offset};
	return 0;
}

int linuxcr_add_pages(struct linuxcr *c, struct linuxcr_object *o, struct linuxcr_record *r,
		      bool shared, struct crimg_err *err)
{
	unsigned word = c->stream.profile.word;
	uint64_t contents = r->offset + CRIMG_LCR_HEADER_BYTES + r->length;
	for (uint64_t i = 0; i < r->pages; i++) {
		const uint8_t *at = r->data + i * word;
		uint64_t start = word == 8 ? crimg_get_u64(at) : crimg_get_u32(at);
		if (shared && !crimg_mul_u64(start, CRIMG_PAGE_BYTES, &start))
			start = UINT64_MAX;
		if (add_page(c, o, start, contents + i * CRIMG_PAGE_BYTES, err) < 0)
			return -1;
	}
	o->pages += r->pages;
	return 0;
}

static int by_type(const void *a, const void *b)
{
	const struct linuxcr_object *x = *(struct linuxcr_object *const *)a;
	const struct linuxcr_object *y = *(struct linuxcr_object *const *)b;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

int linuxcr_sort_objects(struct linuxcr *c, struct crimg_err *err)
{
	size_t count = 0;
	c->objects = calloc(c->table_count + 1, sizeof(struct linuxcr_object *));
	if (c->objects == NULL)
		return crimg_fail_nomem(err, c->table_count * sizeof(struct linuxcr_object *));
	for (size_t i = 0; i < c->table_capacity; i++)
		if (c->table[i] != NULL)
			c->objects[count++] = c->table[i];
	qsort(c->objects, count, sizeof(struct linuxcr_object *), by_type);
	for (size_t i = 0; i < count; i++)
		c->starts[c->objects[i]->type + 1]++;
	for (size_t t = 1; t <= CRIMG_LCR_OBJ_COUNT; t++)
		c->starts[t] += c->starts[t - 1];
	return 0;
}
