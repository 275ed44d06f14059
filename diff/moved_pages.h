// Pages that are in one memory at an address and in another at another: found by hash, made sure by their
// bytes. Knows sides; shows nothing.
#ifndef CRIMG_DIFF_MOVED_PAGES_H
#define CRIMG_DIFF_MOVED_PAGES_H

#include "diff/page_side.h"

// Beyond so many candidates on a side (4 GiB of pages) none is looked for: the table would take too much room.
#define CRIMG_MOVED_MAX ((size_t)1 << 20)

struct crimg_moved_range {
	uint64_t from, to;     // addresses in a and in b
	uint64_t bytes;
};

struct crimg_moved {
	struct crimg_moved_range *list;   // owned; sorted by to
	struct crimg_moved_range *by_from; // owned; the same, sorted by from
	size_t count, capacity;
};

// Looks at the pages that are HERE on one side and not on the other. What cannot be read is passed over.
// 0, or -1: only without memory.
CRIMG_MUST_CHECK int crimg_moved_find(struct crimg_page_side *a, struct crimg_page_side *b,
                                      struct crimg_moved *out, struct crimg_err *err);
void crimg_moved_fini(struct crimg_moved *moved);

// The range that holds address (of a with from, else of b), or NULL; *next falls to where the next begins.
const struct crimg_moved_range *crimg_moved_at(const struct crimg_moved *moved, bool from,
                                               uint64_t address, uint64_t *next);

#endif
