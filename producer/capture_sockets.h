// What is taken of sockets of all families. Private to producer/capture*.c.
#ifndef CRIMG_PRODUCER_CAPTURE_SOCKETS_H
#define CRIMG_PRODUCER_CAPTURE_SOCKETS_H

#include "producer/capture.h"

// The number of the network namespace that the tree is in, as entries of sockets name it (ns_id).
#define CRIMG_CAPTURE_NET_NS 2u

// The options of socket f: fills opts, initialised, and what CRIU has no field for into more, whose id is set.
CRIMG_MUST_CHECK int crimg_capture_socket_options(struct crimg_capture *c, const struct crimg_open_file *f,
						  SkOptsEntry *opts, SkMoreEntry *more, struct crimg_err *err);
// Puts more, unless it tells nothing.
CRIMG_MUST_CHECK int crimg_capture_socket_more(struct crimg_capture *c, const SkMoreEntry *more,
					       struct crimg_err *err);

#endif
