// The tasks' time namespace. Used by restart_birth.c alone.
#ifndef CRIMG_PRODUCER_RESTART_CLOCK_H
#define CRIMG_PRODUCER_RESTART_CLOCK_H

#include "producer/clocks.h"
#include "producer/restart_parts.h"

// What the clocks said when the image was made; false: it does not say.
bool crimg_restart_clocks(const struct crimg_restart *r, struct crimg_clocks *out);
// A note, when task pid, as crimg sees it, does not have them.
void crimg_restart_note_clocks(struct crimg_restart *r, pid_t pid);

#endif
