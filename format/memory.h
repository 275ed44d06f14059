// Memory of an image: bytes at an address, looked up in page maps through the chain of parents.
// Knows pages and blocks; knows nothing of tasks or of files that are mapped.
#ifndef CRIMG_FORMAT_MEMORY_H
#define CRIMG_FORMAT_MEMORY_H

#include "format/image.h"

// Reads length bytes at vaddr of address space id (kind PAGEMAP: a pid; PAGEMAP_SHMEM: a segment,
// vaddr is the offset in it). 1: done. 0: a page is not in the image (never touched, or still equal
// to the file that is mapped); buf is undefined. -1: err.
CRIMG_MUST_CHECK int crimg_memory_read(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                                       uint64_t vaddr, void *buf, size_t length,
                                       struct crimg_err *err);

// Where the page at an address lies.
struct crimg_page_place {
	struct crimg_image *image; // the layer that holds it
	const struct crimg_image_object *pages; // its pages object
	uint64_t offset;           // in that, unless packed
	uint64_t end;              // address where the run ends
	bool packed;               // in LZ4 blocks: crimg_memory_read() expands them
};

// 1: *out. 0: it is not in the image (CRIMG_PAGES_NONE, CRIMG_PAGES_LOST), or its pages object is not. -1: err.
CRIMG_MUST_CHECK int crimg_memory_place(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                                        uint64_t vaddr, struct crimg_page_place *out,
                                        struct crimg_err *err);

enum crimg_pages_state {
	CRIMG_PAGES_NONE, // no entry: never touched, or still equal to the file that is mapped
	CRIMG_PAGES_HERE, // crimg_memory_read() gives them
	CRIMG_PAGES_LOST, // an entry, but no pages: lazy, or in a parent that is not at hand
};

// What the image (with its parents) holds at vaddr, and up to *end the same; *end is UINT64_MAX
// behind the last entry. 0, or -1 with err filled: only without memory.
CRIMG_MUST_CHECK int crimg_memory_state(struct crimg_image *image, enum crimg_kind kind,
                                        uint64_t id, uint64_t vaddr,
                                        enum crimg_pages_state *state, uint64_t *end,
                                        struct crimg_err *err);

// Pages of map within [start, end): *present in this image's pages, *parent in the parent's. Runs
// must be in address order (crimg_image_object.sorted).
void crimg_memory_count(const struct crimg_pagemap *map, uint64_t start, uint64_t end,
                        uint64_t *present, uint64_t *parent);

#endif
