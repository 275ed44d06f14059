// What is given back to sockets of all families. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_SOCKETS_H
#define CRIMG_PRODUCER_RESTART_SOCKETS_H

#include "producer/restart_parts.h"

// What the image tells of the socket with this number beyond CRIU's messages; or NULL.
const SkMoreEntry *crimg_restart_socket_more(struct crimg_restart *r, uint32_t id);
// The options of file, which is open as fd; the last thing that is done to it
// before it is shut down. What cannot be set for want of privileges is noted.
CRIMG_MUST_CHECK int crimg_restart_socket_options(struct crimg_restart *r, const struct crimg_file *file, int fd,
						  const SkOptsEntry *opts, struct crimg_err *err);

#endif
