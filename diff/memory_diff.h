// The address spaces of two tasks: mappings that came, went, grew, were cut up or re-protected, and pages.
#ifndef CRIMG_DIFF_MEMORY_DIFF_H
#define CRIMG_DIFF_MEMORY_DIFF_H

#include "diff/tell.h"

// The areas of a pair of tasks, then their pages.
void crimg_compare_memory(struct crimg_diff *d, const struct crimg_task_pair *pair);
// Page maps that are of no task: segments of shared memory, by the pairs that areas and files refer to, and
// those of a pre-dump.
void crimg_compare_lone_maps(struct crimg_diff *d);

#endif
