// What a socket of IPv4 or IPv6 is, asked through a duplicate of it: nothing of it changes. And which of them no
// image holds. Knows getsockopt(2); refuses to know images.
#ifndef CRIMG_PRODUCER_INET_SOCKET_H
#define CRIMG_PRODUCER_INET_SOCKET_H

#include "format/tcp_state.h"
#include "producer/netlock.h"

struct crimg_inet {
	int family, type, protocol;
	uint32_t state;       // as TCP counts them; of others ESTABLISHED when they are connected, else CLOSE
	bool tcp;             // not a raw socket of that protocol
	struct crimg_connection ends; // as the socket has them: IPv4 in IPv6 is not IPv4 here; zeros: none
	uint32_t backlog, waiting;    // of one that listens: its limit, and how many nobody has accepted
	bool read_ended;      // the peer sends no more, or nobody reads any more
};

CRIMG_MUST_CHECK int crimg_inet_look(int fd, const char *name, struct crimg_inet *out, struct crimg_err *err);

// skip_in_flight: connections that nobody has accepted are dropped. CRIMG_E_UNSUPPORTED: why no image holds it;
// name: of the socket.
CRIMG_MUST_CHECK int crimg_inet_refuse(int fd, const char *name, const struct crimg_inet *i, bool skip_in_flight,
                                       struct crimg_err *err);

// Whether it is an end of a connection of TCP, which goes into the image with its queues; and that, as its packets
// are.
bool crimg_inet_is_connection(const struct crimg_inet *i);
struct crimg_connection crimg_inet_connection(const struct crimg_inet *i);

// Whether the socket is in the network namespace of crimg; true when that cannot be told.
bool crimg_socket_is_here(int fd);

#endif
