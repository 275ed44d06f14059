// What tasks refer to by number and several share: sets of control groups, chains of seccomp filters.
// Compared by what they say.
#ifndef CRIMG_DIFF_SHARED_SETS_H
#define CRIMG_DIFF_SHARED_SETS_H

#include "diff/tell.h"

// Tells controllers whose groups differ. 0 is no set.
void crimg_compare_cgroup_sets(const struct crimg_scope *s, uint32_t a, uint32_t b);
// Tells when the chain of filters that begins at a is not that of b.
void crimg_compare_filters(const struct crimg_scope *s, bool has_a, uint32_t a, bool has_b, uint32_t b);

#endif
