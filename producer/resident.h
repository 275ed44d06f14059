// Which pages of files that live in memory (shared anonymous memory, memory files, tmpfs) there are, where only mappings
// lead to them: a hole that is read is none any more.
#ifndef CRIMG_PRODUCER_RESIDENT_H
#define CRIMG_PRODUCER_RESIDENT_H

#include "producer/capture.h"

// A run of pages, by addresses of the mapping. Not 0 ends the search.
typedef int crimg_run_taker(void *context, uint64_t start, uint64_t end, struct crimg_err *err);

// Calls one with the runs of [start, end), which the task that r holds has mapped.
CRIMG_MUST_CHECK int crimg_resident_runs(struct crimg_remote *r, uint64_t start, uint64_t end,
                                         crimg_run_taker *one, void *context, struct crimg_err *err);
// How much of the area that begins at start is swapped out.
CRIMG_MUST_CHECK int crimg_resident_swapped(pid_t pid, uint64_t start, uint64_t *bytes, struct crimg_err *err);
// Pages of m (of the task that r holds) that are swapped out are read in, and looked at, until the kernel counts none.
// 1: it does; 0: which they are cannot be known.
CRIMG_MUST_CHECK int crimg_resident_swap_in(struct crimg_remote *r, const struct crimg_hidden_map *m,
                                            struct crimg_err *err);

#endif
