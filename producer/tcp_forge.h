// Packets of TCP that are made up, in the name of the other end of a connection of this machine: only so does a
// socket learn that the other end has ended sending, or has heard that it itself has.
#ifndef CRIMG_PRODUCER_TCP_FORGE_H
#define CRIMG_PRODUCER_TCP_FORGE_H

#include <sys/socket.h>

#include "format/err.h"

struct crimg_forged {
	const struct sockaddr_storage *from, *to; // of one family
	uint32_t number, acknowledged;
	uint16_t window;
	bool fin;
};

bool crimg_forge_may(int family);
CRIMG_MUST_CHECK int crimg_forge_send(const struct crimg_forged *p, const char *name, struct crimg_err *err);

#endif
