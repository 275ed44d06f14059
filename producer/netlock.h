// A lock on connections of TCP: packets of theirs are dropped, in both directions, so that neither end learns that
// the other is gone for a while. Rules of nf_tables in the network namespace of crimg, in a table of their own, made
// without nft(8). Knows nf_tables' messages; refuses to know why.
//
// A table that this process owns goes with it, however it ends. One that stays has the name that CRIU 4.2 gives to
// its own ("CRIU-" and the begin of the inventory's run id), lets through what is marked as CRIU marks its packets, and is
// removed by whoever restarts the image: crimg, or criu.
#ifndef CRIMG_PRODUCER_NETLOCK_H
#define CRIMG_PRODUCER_NETLOCK_H

#include "format/buf.h"

#define CRIMG_NETLOCK_NAME_BYTES 64u

// An end of a connection: its own address, and the other end's. Of IPv4, what an IPv6 socket speaks of it
// included, the first four bytes count and the rest is zeros.
struct crimg_connection {
	bool v6;
	uint8_t source[16], target[16];
	uint16_t source_port, target_port;
};

// Whether b is the other end of a, and an order for sorting.
bool crimg_connection_meets(const struct crimg_connection *a, const struct crimg_connection *b);
int crimg_connection_order(const struct crimg_connection *a, const struct crimg_connection *b);

struct crimg_netlock {
	int fd; // of netlink; -1: there is no lock
	uint32_t serial;
	char name[CRIMG_NETLOCK_NAME_BYTES];
	struct crimg_buf buf; // of the messages being made
};

#define CRIMG_NETLOCK_INIT {.fd = -1}

// Makes a table without connections. owned: it lasts no longer than this lock is open; otherwise until somebody
// removes it. An error: CRIMG_E_IO with the errno of the kernel, and nothing is left.
CRIMG_MUST_CHECK int crimg_netlock_open(struct crimg_netlock *l, const char *name, bool owned,
                                        struct crimg_err *err);
// From here on packets of these are dropped.
CRIMG_MUST_CHECK int crimg_netlock_add(struct crimg_netlock *l, const struct crimg_connection *list,
                                       size_t count, struct crimg_err *err);
void crimg_netlock_close(struct crimg_netlock *l);
// Removes a table that stayed. *there: there was one; there being none is no error.
CRIMG_MUST_CHECK int crimg_netlock_remove(const char *name, bool *there, struct crimg_err *err);

#endif
