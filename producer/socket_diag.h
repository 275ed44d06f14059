// Asking the kernel about sockets (sock_diag): those of one family in crimg's network namespace. Knows netlink;
// refuses to know what an answer means.
#ifndef CRIMG_PRODUCER_SOCKET_DIAG_H
#define CRIMG_PRODUCER_SOCKET_DIAG_H

#include <stddef.h>

#include "format/err.h"

// Of one message: its fixed part (of the size asked for), and the attributes that it brings, by type.
struct crimg_diag_answer {
	const void *message;
	struct crimg_diag_attribute {
		const void *data; // NULL: it was not told
		size_t length;
	} attributes[32];
};

// request: what follows the netlink header (struct unix_diag_req, …), whose first byte is the family. all: of all
// sockets that it fits; else of the one that it names. each may fail with its own error, which ends it.
// message_bytes: of the fixed part of answers; shorter ones are errors.
CRIMG_MUST_CHECK int crimg_socket_diag(const void *request, size_t length, bool all, size_t message_bytes,
				       int (*each)(void *context, const struct crimg_diag_answer *answer,
						   struct crimg_err *err),
				       void *context, struct crimg_err *err);

#endif
