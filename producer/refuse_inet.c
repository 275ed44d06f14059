// Sockets of IPv4 and IPv6, of netlink and of packets that no image of ours can hold.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "producer/connections.h"
#include "producer/net_policy.h"
#include "producer/refuse_sockets.h"
#include "producer/tcp_repair.h"

#define NAME_BYTES 64u

struct connection_seen {
	struct crimg_connection ends;
	const struct crimg_seen_socket *socket;
};

struct seen {
	struct connection_seen *list;
	size_t count, capacity;
	bool may_repair;
};

static void name_of(const struct crimg_seen_socket *s, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "process %d: file descriptor %d", (int)s->pid, s->fd);
}

// A duplicate; -1: it is closed by now.
static int duplicate(const struct crimg_seen_socket *s)
{
	int pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, s->fd, 0);
	if (pidfd >= 0)
		close(pidfd);
	return fd;
}

static int refuse_unprivileged(const char *name, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
			  "is a connection of TCP, which is taken and made only with CAP_NET_ADMIN (TCP_REPAIR)");
}

static int look(struct seen *seen, const struct crimg_seen_socket *s, int fd, struct crimg_err *err)
{
	struct crimg_inet i;
	char name[NAME_BYTES];
	void *array = seen->list;
	name_of(s, name);
	if (crimg_inet_look(fd, name, &i, err) < 0
	    || crimg_inet_refuse(fd, name, &i, crimg_net_policy()->skip_in_flight, err) < 0)
		return -1;
	if (!crimg_inet_is_connection(&i))
		return 0;
	if (!seen->may_repair && !(seen->may_repair = crimg_tcp_may_repair()))
		return refuse_unprivileged(name, err);
	if (crimg_grow(&array, &seen->capacity, seen->count, sizeof *seen->list, err) < 0)
		return -1;
	seen->list = array;
	seen->list[seen->count++] = (struct connection_seen){crimg_inet_connection(&i), s};
	return 0;
}

static int by_ends(const void *a, const void *b)
{
	const struct connection_seen *x = a, *y = b;
	return crimg_connection_order(&x->ends, &y->ends);
}

// An end of a connection in words: "127.0.0.1:80".
static void address_text(const struct crimg_connection *c, char *out, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";
	inet_ntop(c->v6 ? AF_INET6 : AF_INET, c->target, address, sizeof address);
	snprintf(out, size, c->v6 ? "[%s]:%u" : "%s:%u", address, c->target_port);
}

static int refuse_outside(const struct seen *seen, struct crimg_err *err)
{
	struct crimg_connection *ends = calloc(seen->count + 1, sizeof *ends);
	const struct connection_seen *out = NULL;
	char name[NAME_BYTES], peer[INET6_ADDRSTRLEN + 16];
	if (ends == NULL)
		return crimg_fail_nomem(err, (seen->count + 1) * sizeof *ends);
	for (size_t i = 0; i < seen->count; i++)
		ends[i] = seen->list[i].ends;
	for (size_t i = 0; out == NULL && i < seen->count; i++)
		if (!crimg_connection_is_met(ends, seen->count, &ends[i]))
			out = &seen->list[i];
	free(ends);
	if (out == NULL)
		return 0;
	name_of(out->socket, name);
	address_text(&out->ends, peer, sizeof peer);
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
			  "is a connection of TCP with %s, and no process of the tree has its other end: "
			  "--tcp-established takes it all the same", peer);
}

int crimg_inet_sockets_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err)
{
	struct seen seen = {.list = NULL};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		const struct crimg_seen_socket *one = &s->list[i];
		if ((one->family != AF_INET && one->family != AF_INET6) || (i > 0 && s->list[i - 1].ino == one->ino))
			continue;
		int fd = duplicate(one);
		rc = fd < 0 ? 0 : look(&seen, one, fd, err);
		if (fd >= 0)
			close(fd);
	}
	if (rc == 0 && seen.count > 0)
		qsort(seen.list, seen.count, sizeof *seen.list, by_ends);
	if (rc == 0 && crimg_net_policy()->inside_only)
		rc = refuse_outside(&seen, err);
	free(seen.list);
	return rc;
}

// What waits in them cannot be put back.
static int refuse_waiting(const struct crimg_seen_sockets *s, int family, const char *what, struct crimg_err *err)
{
	char name[NAME_BYTES];
	for (size_t i = 0; i < s->count; i++) {
		const struct crimg_seen_socket *one = &s->list[i];
		int fd = one->family != family ? -1 : duplicate(one);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (fd < 0)
			continue;
		bool waiting = what != NULL && poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
		bool here = crimg_socket_is_here(fd);
		close(fd);
		if (here && !waiting)
			continue;
		name_of(one, name);
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET, "%s",
				  here ? what : "is a socket of another network namespace than crimg's");
	}
	return 0;
}

int crimg_netlink_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err)
{
	return refuse_waiting(s, AF_NETLINK, "is a netlink socket with messages that were not read yet, which no "
					     "image holds", err);
}

int crimg_packet_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err)
{
	return refuse_waiting(s, AF_PACKET, NULL, err);
}
