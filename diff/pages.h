// Two memories, page by page: which pages are the same, changed, new, dropped or moved, wherever their
// images keep them (parents, segments, LZ4 blocks, streams, cores). Runs at the speed of memory; where
// both images are crimg streams their digests decide and no page is read, and bytes that lie in the same
// place of the same file are not compared. Knows nothing of how that is shown.
#ifndef CRIMG_DIFF_PAGES_H
#define CRIMG_DIFF_PAGES_H

#include "format/limits.h"
#include "format/space.h"

enum crimg_pages_kind {
	CRIMG_PAGES_SAME,    // the same bytes (a page of zeros and one never touched are the same)
	CRIMG_PAGES_CHANGED, // other bytes
	CRIMG_PAGES_NEW,     // only in b: the task wrote to it since
	CRIMG_PAGES_DROPPED, // only in a: unmapped, given back, or equal to its file again
	CRIMG_PAGES_MOVED,   // new in b, and a had the same page at another address, where it is no more
	CRIMG_PAGES_UNKNOWN, // one of the images should have it and has it not
	CRIMG_PAGES_UNTOLD,  // neither has it, though both should
	CRIMG_PAGES_KINDS
};

struct crimg_pages_range {
	uint64_t start, end;           // end exclusive; of a segment: offsets
	enum crimg_pages_kind kind;
	uint64_t from;                 // MOVED: where start was in a
	const struct crimg_area *area[2]; // that it lies in, in a and b; NULL: in none, or a segment
};

// How many pages that are; one that is there in part counts.
static inline uint64_t crimg_pages_in(const struct crimg_pages_range *range)
{
	return (range->end - range->start + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES;
}

struct crimg_pages_visitor {
	// Ranges come in the order of addresses and do not overlap. What neither image has pages of
	// (untouched, still equal to a file) is in none. Does not go beyond one area. Lent for the call.
	void (*range)(void *context, const struct crimg_pages_range *range);
	void *context;
	bool skip_segments;  // leave out what both map from shared segments
};

// Compares two address spaces. 0; -1: err is filled, but everything that could be compared was
// (without memory: not even that).
CRIMG_MUST_CHECK int crimg_pages_compare(const struct crimg_space *a, const struct crimg_space *b,
                                         const struct crimg_pages_visitor *visitor,
                                         struct crimg_err *err);
// A page map of an image.
struct crimg_map_name {
	struct crimg_image *image;
	enum crimg_kind kind;  // PAGEMAP_SHMEM: a segment of shared memory, by offset; PAGEMAP: a task's
	uint64_t id;
};

// The same of two page maps without areas: segments, and pre-dumps, which have no tasks.
CRIMG_MUST_CHECK int crimg_maps_compare(const struct crimg_map_name *a,
                                        const struct crimg_map_name *b,
                                        const struct crimg_pages_visitor *visitor,
                                        struct crimg_err *err);

// "same", "changed", "new", …
const char *crimg_pages_word(enum crimg_pages_kind kind);

#endif
