// Ascending runs of addresses.
#ifndef CRIMG_PRODUCER_RANGES_H
#define CRIMG_PRODUCER_RANGES_H

#include <stdlib.h>

#include "format/buf.h"

struct crimg_range {
	uint64_t start, end; // exclusive
};

struct crimg_ranges {
	struct crimg_range *list;
	size_t count, capacity;
};

static inline void crimg_ranges_fini(struct crimg_ranges *r)
{
	free(r->list);
	*r = (struct crimg_ranges){.list = NULL};
}

// Behind the last one, or joined to it.
CRIMG_MUST_CHECK static inline int crimg_ranges_add(struct crimg_ranges *r, uint64_t start,
						    uint64_t end, struct crimg_err *err)
{
	void *array = r->list;
	if (r->count > 0 && r->list[r->count - 1].end == start) {
		r->list[r->count - 1].end = end;
		return 0;
	}
	if (crimg_grow(&array, &r->capacity, r->count, sizeof *r->list, err) < 0)
		return -1;
	r->list = array;
	r->list[r->count++] = (struct crimg_range){start, end};
	return 0;
}

#endif
