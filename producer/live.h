// A running tree of processes as an image: the reader driver "live" (readers/readers.h), named pid:N. The
// tree is frozen as long as a reader of it is open (one freeze, however many readers), and then goes on.
#ifndef CRIMG_PRODUCER_LIVE_H
#define CRIMG_PRODUCER_LIVE_H

#include "format/schema.h"
#include "producer/tree.h"

// Ends the freeze of the tree of pid now, in this way: no contents can be read any more. Nothing, when it
// is not frozen.
void crimg_live_thaw(pid_t pid, enum crimg_thaw how);

// Images taken from now on have no statistics: who asks for them writes what crimg_live_stats tells once the
// contents are read.
void crimg_live_without_stats(void);
// Of the frozen tree of pid, until now. False: it is not frozen.
bool crimg_live_stats(pid_t pid, DumpStatsEntry *out);

#endif
