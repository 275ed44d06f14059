// Which areas of one address space are which of the other, and what changed in them.
#ifndef CRIMG_DIFF_MAPPINGS_H
#define CRIMG_DIFF_MAPPINGS_H

#include "diff/tell.h"

// Tells what differs. Shared segments that are mapped in both are remembered as pairs.
void crimg_compare_mappings(struct crimg_diff *d, const struct crimg_task_pair *pair,
                            const struct crimg_space *a, const struct crimg_space *b);

#endif
