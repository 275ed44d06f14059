// System calls that tell a program of our interruption, which was none of its business: epoll_wait and
// others that the kernel never restarts return EINTR when a task is stopped.
#ifndef CRIMG_PRODUCER_INTERRUPTED_H
#define CRIMG_PRODUCER_INTERRUPTED_H

#include <sys/types.h>

#include "format/err.h"
#include "producer/waits.h"

// Of a thread that stands in PTRACE_EVENT_STOP because of us: when it was caught in such a call and no
// signal is about to be delivered, it stands in front of the call again. wait: what is known of a timeout (to be
// confirmed): epoll_wait and epoll_pwait get what is left of it, other calls its full length.
CRIMG_MUST_CHECK int crimg_undo_interruption(pid_t tid, struct crimg_wait *wait, struct crimg_err *err);

#endif
