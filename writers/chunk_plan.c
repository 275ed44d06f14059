// Where chunks end.
#include "writers/chunk_plan.h"

#include <stdlib.h>

#include "format/checked.h"
#include "format/layout_crimg.h"
#include "format/limits.h"

static int note_object(struct crimg_chunk_plan *plan, const struct crimg_record *r,
                       struct crimg_err *err)
{
	enum crimg_kind kind = r->object->kind;
	plan->in_map = kind == CRIMG_KIND_PAGEMAP || kind == CRIMG_KIND_PAGEMAP_SHMEM;
	if (plan->in_map) {
		void *array = plan->maps;
		if (crimg_grow(&array, &plan->maps_capacity, plan->maps_count, sizeof *plan->maps,
		               err) < 0)
			return -1;
		plan->maps = array;
		plan->maps[plan->maps_count++] = CRIMG_PAGEMAP_INIT;
	}
	if (kind != CRIMG_KIND_PAGES || r->payload.number == CRIMG_NO_PAYLOAD)
		return 0;
	void *array = plan->pages;
	if (crimg_grow(&array, &plan->pages_capacity, plan->pages_count, sizeof *plan->pages, err) < 0)
		return -1;
	plan->pages = array;
	plan->pages[plan->pages_count].pages_id = r->object->id;
	plan->pages[plan->pages_count++].payload = r->payload.number;
	return 0;
}

int crimg_chunk_plan_note(struct crimg_chunk_plan *plan, const struct crimg_record *r,
                          struct crimg_err *err)
{
	if (r->type == CRIMG_RECORD_OBJECT)
		return note_object(plan, r, err);
	if (!plan->in_map || r->tail)
		return 0;
	return crimg_pagemap_add(&plan->maps[plan->maps_count - 1], r->index, r->data, r->length,
	                         r->origin, r->origin_offset + 4, err);
}

// The first map that points at this payload; a later one with the same number is its rival and has to
// live with the first one's chunks.
static const struct crimg_pagemap *map_of(const struct crimg_chunk_plan *plan, uint64_t payload)
{
	for (size_t i = 0; i < plan->pages_count; i++) {
		if (plan->pages[i].payload != payload)
			continue;
		for (size_t k = 0; k < plan->maps_count; k++)
			if (plan->maps[k].has_head && plan->maps[k].pages_id == plan->pages[i].pages_id)
				return &plan->maps[k];
	}
	return NULL;
}

size_t crimg_chunk_plan_region(struct crimg_chunk_plan *plan, uint64_t payload, uint64_t offset)
{
	size_t fixed = CRIMG_CHUNK_MAX - (size_t)(offset % CRIMG_CHUNK_MAX);
	if (plan->payload != payload || plan->map == NULL) {
		plan->payload = payload;
		plan->map = map_of(plan, payload);
	}
	if (plan->map == NULL)
		return fixed;
	uint64_t next;
	const struct crimg_page_run *run = crimg_pagemap_at_offset(plan->map, offset, &next);
	if (run == NULL) // padding before an aligned run, or bytes behind the last
		return (size_t)crimg_min_u64(fixed, next - offset);
	uint64_t into = offset - run->offset, left = run->stored - into;
	// Of compressed runs, addresses do not follow from offsets: those count from the run's beginning.
	uint64_t from = run->blocks != 0 ? into : run->vaddr + into;
	return (size_t)crimg_min_u64(left, CRIMG_CHUNK_MAX - from % CRIMG_CHUNK_MAX);
}

void crimg_chunk_plan_fini(struct crimg_chunk_plan *plan)
{
	for (size_t i = 0; i < plan->maps_count; i++)
		crimg_pagemap_fini(&plan->maps[i]);
	free(plan->maps);
	free(plan->pages);
	*plan = (struct crimg_chunk_plan){ .maps = NULL };
}
