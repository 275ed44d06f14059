// Calls that are made on the list, or, for SIGTRAP, without any code of the stage. Used by
// restart_signals.c and restart_leave.c.
#ifndef CRIMG_PRODUCER_RESTART_LEAVE_H
#define CRIMG_PRODUCER_RESTART_LEAVE_H

#include "producer/restart_parts.h"

// The signal whose action is number index in the image: all but 9 and 19.
unsigned crimg_restart_signal_of(size_t index);
struct crimg_call crimg_restart_action(struct crimg_puppet *p, unsigned signal, const SaEntry *e);
unsigned crimg_restart_pending_signal(const SiginfoEntry *e); // 0: damaged
struct crimg_call crimg_restart_pending(struct crimg_puppet *p, uint32_t pid, const SiginfoEntry *e,
                                        bool shared);

#endif
