// Page maps: which pages of an address space (or shared segment) an image holds, and where their bytes
// lie in its pages object. The one place that knows old and new page counts, flags, and the page blocks
// of image version 1.2. Source: SPEC.md, chapter on page maps.
#ifndef CRIMG_FORMAT_PAGEMAP_H
#define CRIMG_FORMAT_PAGEMAP_H

#include "format/schema.h"

#define CRIMG_PE_PARENT 1u  // in the parent image
#define CRIMG_PE_LAZY 2u    // may be restored on demand
#define CRIMG_PE_PRESENT 4u // in the pages object; only these have payload
#define CRIMG_PE_ALIGNED 8u // version 1.2: payload begins at the next page boundary

// A run of pages, as one pagemap entry.
struct crimg_page_run {
	uint64_t vaddr;    // of the first page; offset in the segment for shared memory
	uint64_t pages;
	uint64_t offset;   // bytes into the pages object; never falls from run to run
	uint64_t stored;   // bytes there: pages * 4096 unless blocks; 0 unless PRESENT
	uint32_t flags;    // CRIMG_PE_*, derived when the image has none
	uint32_t blocks;   // index + 1 into crimg_pagemap.blocks, 0: stored as they are
};

// LZ4 blocks of one run (image version 1.2): block i holds pages_per_block pages (the last may be
// short) in sizes[i] bytes: 0 all zeros, the full size raw, else one LZ4 block.
struct crimg_page_blocks {
	uint32_t pages_per_block;
	uint32_t count;
	uint32_t *sizes;   // owned by the pagemap
};

struct crimg_pagemap {
	uint64_t pages_id;            // the number N of pages-N.img
	bool has_head;
	struct crimg_page_run *runs;  // in entry order, which is also address order in a valid image
	size_t count, capacity;
	struct crimg_page_blocks *blocks;
	size_t blocks_count, blocks_capacity;
	uint64_t stored_bytes;        // what the pages object must hold
	uint64_t present_pages, parent_pages;
	uint64_t last_end;            // end address of the last run
	struct crimg_arena arena;     // for decoding an entry
};

#define CRIMG_PAGEMAP_INIT ((struct crimg_pagemap){ .runs = NULL })

void crimg_pagemap_fini(struct crimg_pagemap *map);
// Adds entry number index (0 is the head), encoded. name and base place it for errors. Refuses what no
// reader could follow: sums that overflow, block tables that do not fit their run.
CRIMG_MUST_CHECK int crimg_pagemap_add(struct crimg_pagemap *map, uint64_t index,
                                       const uint8_t *data, size_t length, const char *name,
                                       uint64_t base, struct crimg_err *err);
// The run that holds vaddr, or NULL. Needs runs in address order (crimg_pagemap_sorted).
const struct crimg_page_run *crimg_pagemap_find(const struct crimg_pagemap *map, uint64_t vaddr);
// The run whose bytes lie at offset of the pages object, or NULL. *next is where the first run behind offset
// begins, UINT64_MAX behind the last.
const struct crimg_page_run *crimg_pagemap_at_offset(const struct crimg_pagemap *map,
                                                     uint64_t offset, uint64_t *next);
bool crimg_pagemap_sorted(const struct crimg_pagemap *map);

// Expands one LZ4 block (stored as above) of exactly `length` uncompressed bytes.
CRIMG_MUST_CHECK int crimg_page_block_expand(const uint8_t *stored, size_t stored_length,
                                             uint8_t *out, size_t length, const char *name,
                                             uint64_t base, struct crimg_err *err);

#endif
