// An image of the memory of running processes: what a later one, taken of the same processes, need
// not take again.
#ifndef CRIMG_PRODUCER_PREDUMP_H
#define CRIMG_PRODUCER_PREDUMP_H

#include "producer/parent.h"
#include "producer/shelf.h"

// Stops the tree below root, begins to watch it (into parent, zeroed), and lets it go; the image's
// records onto the shelf (zeroed), sealed. Its pages are read while the tasks run: what is gone by
// then reads as zeros. After an error both are to be ended all the same. *stopped_us: how long it
// stood still.
CRIMG_MUST_CHECK int crimg_predump(pid_t root, struct crimg_parent *parent,
				   struct crimg_shelf *shelf, uint64_t *stopped_us,
				   struct crimg_err *err);

#endif
