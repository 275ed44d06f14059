// Tasks that must not go on should we die, before somebody has put right what they must not meet: SIGSTOP waits for each
// of their threads, and the guard of connections lets them go on (SIGCONT) when that is done. As long as we live they
// learn nothing of either.
#ifndef CRIMG_PRODUCER_PARKING_H
#define CRIMG_PRODUCER_PARKING_H

#include "producer/tree.h"

struct crimg_parking {
	pid_t *list; // processes
	size_t count;
	int guard;   // connections_guard.h
};

// After an error crimg_parking_end is to be called, too.
CRIMG_MUST_CHECK int crimg_parking_begin(struct crimg_parking *p, const struct crimg_tree *tree, int guard,
                                         struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_parking_end(struct crimg_parking *p, struct crimg_err *err);

#endif
