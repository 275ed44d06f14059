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
// Trees taken from now on go on as soon as their contents lie in a file without a name in dir (borrowed), from
// where they are read. stopped is asked now and then whether to give up; it may be NULL.
void crimg_live_spool(const char *dir, bool (*stopped)(void));
// Of the tree of pid, until it went on or until now. False: no reader of it is open.
bool crimg_live_stats(pid_t pid, DumpStatsEntry *out);

#endif
