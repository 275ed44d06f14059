// A file that a task has mapped shared, seen whole: for as long as the tree stands still, the task has it mapped once
// more, from its first page on, where it has nothing; so what it has unmapped, and may map again (mremap), is seen too.
// Should we die meanwhile, the task unmaps that before it goes on.
#ifndef CRIMG_PRODUCER_CAPTURE_WHOLE_H
#define CRIMG_PRODUCER_CAPTURE_WHOLE_H

#include "producer/resident.h"

struct crimg_whole {
	struct crimg_remote remote;
	pid_t pid;
	uint64_t start, bytes; // of the mapping
	uint64_t size;         // of the file, in whole pages
};

// map: one that is shared; mapped_end: how much of the file is mapped by anybody; fixed: the file is not shorter than
// that. 1: the view is open, and is to be closed; 0: there can be none, and nothing is changed.
CRIMG_MUST_CHECK int crimg_whole_open(struct crimg_whole *v, const struct crimg_capture *c,
                                     const struct crimg_hidden_map *map, uint64_t mapped_end, bool fixed,
                                     struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_whole_close(struct crimg_whole *v, struct crimg_err *err);

// The call that the first thread of a process of the tree waits in, as far as it was seen; -1.
long crimg_capture_call_of(const struct crimg_capture *c, pid_t pid);

#endif
