// Whose memory is meant, and which part of it: -p, -t and --at, understood for all processes.
#ifndef CRIMG_INSPECT_MEMORY_RANGE_H
#define CRIMG_INSPECT_MEMORY_RANGE_H

#include "inspect/debuggee.h"

struct crimg_memory_range {
	struct crimg_debuggee *d;
	uint64_t start, end;   // end exclusive; the whole address space without --at
};

// Calls show for every live process that is wanted and has something mapped where --at says. bytes is the length
// when none was given: no further than the area, though. Returns how many processes there were; when there
// is nothing to show, view->fault says so.
typedef void crimg_memory_range_fn(void *context, const struct crimg_memory_range *range);
size_t crimg_memory_ranges(struct crimg_view *view, uint64_t bytes, crimg_memory_range_fn *show,
                           void *context);

#endif
