// Descriptors that watch files or processes. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_WATCHES_H
#define CRIMG_PRODUCER_RESTART_WATCHES_H

#include "producer/restart_parts.h"

CRIMG_MUST_CHECK int crimg_restart_open_inotify(struct crimg_restart *r, const struct crimg_file *file,
                                                struct crimg_err *err);
// Of a process that has ended.
CRIMG_MUST_CHECK int crimg_restart_open_pidfd(struct crimg_restart *r, const struct crimg_file *file,
                                              struct crimg_err *err);
// The entry, if it is a pidfd of a process that is there; NULL.
const PidfdEntry *crimg_restart_pidfd(const struct crimg_file *file);
// Before there are tasks: what these are sent through. When all are there: they are opened, by crimg alone. A task gets
// one, which crimg has open as ours, as what fd says.
CRIMG_MUST_CHECK int crimg_restart_open_channel(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_open_pidfds(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_receive(struct crimg_restart *r, struct crimg_puppet *p, int ours,
                                           const FdinfoEntry *fd, struct crimg_err *err);

struct crimg_hushed {
	int *fds;
	size_t count;
};

// Takes the events away that crimg has caused: before its handles are closed, and after. Where some had waited, the
// descriptor says that events were lost.
void crimg_restart_hush(struct crimg_restart *r, struct crimg_hushed *hushed);
void crimg_restart_hushed(struct crimg_hushed *hushed);

#endif
