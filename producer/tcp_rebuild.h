// A connection of TCP put together in a new socket (TCP_REPAIR), step by step: nothing of it goes out before the last.
// Knows the kernel's state machine, and how a socket gets from connected to any state of it.
#ifndef CRIMG_PRODUCER_TCP_REBUILD_H
#define CRIMG_PRODUCER_TCP_REBUILD_H

#include <sys/socket.h>

#include "format/err.h"
#include "format/tcp_state.h"

struct crimg_tcp_end {
	int fd;
	const char *name;             // for errors
	struct sockaddr_storage source, target;
	uint32_t state;               // that it is to be in
	const TcpStreamEntry *stream;
};

// Whether a state of it is reached by a packet that is made up, for which CAP_NET_RAW is wanted.
bool crimg_tcp_wants_forging(uint32_t state);
bool crimg_tcp_may_forge(int family);

// In repair mode from here on: bound, connected, with its numbers, and what was agreed on.
CRIMG_MUST_CHECK int crimg_tcp_rebuild(const struct crimg_tcp_end *t, struct crimg_err *err);
// Appends to a queue, TCP_RECV_QUEUE or TCP_SEND_QUEUE (as sent). There is room for it.
CRIMG_MUST_CHECK int crimg_tcp_fill(const struct crimg_tcp_end *t, int queue, const void *data, size_t length,
                                    struct crimg_err *err);
// When both queues are filled.
CRIMG_MUST_CHECK int crimg_tcp_set_window(const struct crimg_tcp_end *t, struct crimg_err *err);

// When all connections of an image are that far, and what locks them is gone: who had ended sending has again, and
// the socket is a usual one, which does not block. *unsaid: it is to end sending when what was not sent yet is written
// to it.
CRIMG_MUST_CHECK int crimg_tcp_release(const struct crimg_tcp_end *t, bool *unsaid, struct crimg_err *err);

#endif
