// Pseudo-terminals with their master among the files of the image.
#ifndef CRIMG_PRODUCER_RESTART_PTYS_H
#define CRIMG_PRODUCER_RESTART_PTYS_H

#include "producer/restart_parts.h"

// Whether it is an end of one; other terminals are outside of the image.
bool crimg_restart_has_master(struct crimg_restart *r, const struct crimg_file *file);
CRIMG_MUST_CHECK int crimg_restart_open_pty(struct crimg_restart *r, const struct crimg_file *file,
                                            struct crimg_err *err);
// When all have theirs: exclusive mode, and locks on settings; what cannot be set is noted.
void crimg_restart_seal_ptys(struct crimg_restart *r);
// A leader gets the terminal that its session had, before it bears those who have it from birth; and puts the group in
// front that was, when there are groups, before its descriptors are its own.
CRIMG_MUST_CHECK int crimg_restart_control(struct crimg_restart *r, struct crimg_actor *a,
                                           struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_foreground(struct crimg_restart *r, struct crimg_actor *a,
                                              struct crimg_err *err);

#endif
