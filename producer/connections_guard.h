// A child that ends repair mode of a connection if we die while it is on. Private to connections.c.
#ifndef CRIMG_PRODUCER_CONNECTIONS_GUARD_H
#define CRIMG_PRODUCER_CONNECTIONS_GUARD_H

#include <sys/types.h>

#include "format/err.h"

CRIMG_MUST_CHECK int crimg_connections_guard_start(pid_t *guard, int *pipe, struct crimg_err *err);
// From here on it has a duplicate of fd, whose SO_REUSEADDR is reuse; one at a time.
CRIMG_MUST_CHECK int crimg_connections_guard_hold(int pipe, int fd, int reuse, struct crimg_err *err);
void crimg_connections_guard_done(int pipe);
// The process does not run, should we die, before it is let go on; all of them run as they like again.
CRIMG_MUST_CHECK int crimg_connections_guard_park(int pipe, pid_t pid, struct crimg_err *err);
void crimg_connections_guard_unpark(int pipe);
// The socket is not closed before the guard is: if we die, and the process root does, it is silent then.
CRIMG_MUST_CHECK int crimg_connections_guard_keep(int pipe, int fd, pid_t root, struct crimg_err *err);
void crimg_connections_guard_unkeep(int pipe);
// It goes; closes pipe.
void crimg_connections_guard_dismiss(pid_t guard, int pipe);

#endif
