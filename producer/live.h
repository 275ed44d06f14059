// A running tree of processes as an image: the reader driver "live" (readers/readers.h), named pid:N. The tree is frozen as
// long as a reader of it is open (one freeze, however many readers), and then goes on.
#ifndef CRIMG_PRODUCER_LIVE_H
#define CRIMG_PRODUCER_LIVE_H

#include "producer/tree.h"

// Ends the freeze of the tree of pid now, in this way: no contents can be read any more. Nothing, when it is not
// frozen.
void crimg_live_thaw(pid_t pid, enum crimg_thaw how);

// How long it has been frozen, in microseconds; 0: it is not.
uint64_t crimg_live_frozen_us(pid_t pid);

#endif
