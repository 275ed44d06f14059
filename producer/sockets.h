// What sockets of all families have in common: the options of SOL_SOCKET, in both directions. One table of
// options serves taking and restarting.
#ifndef CRIMG_PRODUCER_SOCKETS_H
#define CRIMG_PRODUCER_SOCKETS_H

#include "format/buf.h"
#include "format/err.h"
#include "format/schema.h"

// AF_UNIX, …; -1: fd is no socket.
int crimg_socket_family(int fd);

// Reads the options of fd into opts (initialised), and those that CRIU has no place for into more, when they are
// not as in a new socket; what is repeated lies in arena. name: of the socket, for errors ("/proc/7/fd/3").
// CRIMG_E_UNSUPPORTED: it has one that no image holds.
CRIMG_MUST_CHECK int crimg_socket_get_options(int fd, const char *name, struct crimg_arena *arena, SkOptsEntry *opts,
					      SkMoreEntry *more, struct crimg_err *err);

// Room for as much as the kernel allows crimg to ask for, until crimg_socket_set_options: what waited is put back
// whatever the limits of its socket.
void crimg_socket_set_room(int fd);
// Sets the options of fd as they were; more may be NULL. That SO_MARK and sizes beyond the system's limits need
// privileges is no error: then *lost names the first option that is not as it was, else it stays as it is.
CRIMG_MUST_CHECK int crimg_socket_set_options(int fd, const char *name, const SkOptsEntry *opts, const SkMoreEntry *more,
					      const char **lost, struct crimg_err *err);

#endif
