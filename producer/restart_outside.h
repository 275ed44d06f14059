// Descriptors that come from crimg and not from the image.
#ifndef CRIMG_PRODUCER_RESTART_OUTSIDE_H
#define CRIMG_PRODUCER_RESTART_OUTSIDE_H

#include <termios.h>

#include "producer/restart_parts.h"

// What the user brings along for this file, or NULL.
const struct crimg_inherit *crimg_restart_inherited(struct crimg_restart *r,
                                                    const struct crimg_file *file);
// crimg's own terminal: 0, 1 or 2; -1: none.
int crimg_restart_terminal(void);

struct crimg_lent_terminal {
	int fd; // -1: nothing was lent
	struct termios before;
};

// Before the tasks are let go, and when the root has ended.
void crimg_restart_lend_terminal(struct crimg_restart *r, struct crimg_lent_terminal *lent);
void crimg_restart_take_terminal(const struct crimg_lent_terminal *lent);

#endif
