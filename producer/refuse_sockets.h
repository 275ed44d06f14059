// Sockets that no image of ours can hold, found before a process is touched: a table of families.
#ifndef CRIMG_PRODUCER_REFUSE_SOCKETS_H
#define CRIMG_PRODUCER_REFUSE_SOCKETS_H

#include <sys/types.h>

#include "format/err.h"

// A descriptor of the tree that is a socket.
struct crimg_seen_socket {
	pid_t pid;
	int fd;
	int family; // AF_UNIX, …; -1: it was closed meanwhile
	uint64_t ino;
};

// All of a tree, by inode.
struct crimg_seen_sockets {
	pid_t root; // of the tree
	struct crimg_seen_socket *list;
	size_t count, capacity;
};

// The first descriptor with this inode, or NULL.
const struct crimg_seen_socket *crimg_seen_socket(const struct crimg_seen_sockets *s, uint64_t ino);

// The process is of the tree, which runs on while it is looked at: what it opened meanwhile was not seen.
bool crimg_seen_inside(const struct crimg_seen_sockets *s, pid_t pid);

// Of the tree below root.
CRIMG_MUST_CHECK int crimg_sockets_refuse(pid_t root, struct crimg_err *err);

// refuse_unix.c: sockets of AF_UNIX.
CRIMG_MUST_CHECK int crimg_unix_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err);
// refuse_inet.c: those of AF_INET and AF_INET6, as net_policy.h wants it; of AF_NETLINK, AF_PACKET.
CRIMG_MUST_CHECK int crimg_inet_sockets_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_netlink_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_packet_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err);

#endif
