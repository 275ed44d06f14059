// What waits unread in a pseudo-terminal, at either end: taken out, and put in again so that whoever reads finds it as it
// was, whatever the terminal is set to. Knows both ends as descriptors; refuses to know whose they are.
#ifndef CRIMG_PRODUCER_TTY_QUEUE_H
#define CRIMG_PRODUCER_TTY_QUEUE_H

#include "format/buf.h"

// For who reads at the master: what was written at the other end, after output processing. For who reads at the
// other end: what was typed, lines that are complete and one that is not.
struct crimg_tty_queues {
	struct crimg_buf master, slave;
};

// Both ends are open here, slave with O_NONBLOCK; nobody else reads or writes meanwhile. The queues are empty then.
CRIMG_MUST_CHECK int crimg_tty_take(int master, int slave, struct crimg_tty_queues *out, struct crimg_err *err);
// Into empty queues. -1: something is missing then.
CRIMG_MUST_CHECK int crimg_tty_put(int master, int slave, const struct crimg_tty_queues *queues, struct crimg_err *err);

#endif
