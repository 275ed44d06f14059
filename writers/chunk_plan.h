// Where the chunks of a crimg stream may end: at the ends of page runs and, within a run, at addresses
// that are multiples of 256 KiB. So two images of one process have the same chunks where their pages are
// the same, and digests can be compared without reading pages. Payload that is not pages is cut every
// 256 KiB.
#ifndef CRIMG_WRITERS_CHUNK_PLAN_H
#define CRIMG_WRITERS_CHUNK_PLAN_H

#include "format/pagemap.h"
#include "format/record.h"

struct crimg_chunk_plan {
	struct crimg_pagemap *maps;   // one for each page map seen
	size_t maps_count, maps_capacity;
	bool in_map;                  // the object open now is a page map: the last of maps
	struct {
		uint64_t pages_id, payload;
	} *pages;                     // the pages objects seen
	size_t pages_count, pages_capacity;
	uint64_t payload;             // asked for last, and its map
	const struct crimg_pagemap *map;
};

// Takes note of an OBJECT or MESSAGE record on its way to the stream.
CRIMG_MUST_CHECK int crimg_chunk_plan_note(struct crimg_chunk_plan *plan,
                                           const struct crimg_record *record,
                                           struct crimg_err *err);
// Bytes from offset of a payload to the next place where a chunk must end: 1 to 256 KiB. May go
// beyond the end of the payload.
size_t crimg_chunk_plan_region(struct crimg_chunk_plan *plan, uint64_t payload, uint64_t offset);
void crimg_chunk_plan_fini(struct crimg_chunk_plan *plan);

#endif
