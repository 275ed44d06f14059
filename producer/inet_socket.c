// Looking at a socket of IPv4 or IPv6, and the reasons against one.
#include "producer/inet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

#define MPTCP 262
#define ULP_NAME_BYTES 16u
#define MAPPED_BYTES 12u // of ::ffff:a.b.c.d before the address of IPv4

static int fail(const char *name, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, name, "%s", what);
}

static int get(int fd, int level, int option, int *out)
{
	socklen_t length = sizeof *out;
	return getsockopt(fd, level, option, out, &length);
}

static void take_address(const struct sockaddr_storage *from, uint8_t address[16], uint16_t *port)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	if (from->ss_family == AF_INET) {
		memcpy(&v4, from, sizeof v4);
		memcpy(address, &v4.sin_addr, 4);
		*port = ntohs(v4.sin_port);
	} else if (from->ss_family == AF_INET6) {
		memcpy(&v6, from, sizeof v6);
		memcpy(address, &v6.sin6_addr, 16);
		*port = ntohs(v6.sin6_port);
	}
}

static int look_at_ends(int fd, const char *name, struct crimg_inet *out, struct crimg_err *err)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	out->ends.v6 = out->family == AF_INET6;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return fail(name, "its address cannot be told (getsockname)", err);
	take_address(&address, out->ends.source, &out->ends.source_port);
	memset(&address, 0, sizeof address);
	// It tells of a connection that is being made, or has ended, too, and wants to be asked for no byte too many.
	length = out->ends.v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &address, &length) < 0)
		return errno == ENOTCONN ? 0 : fail(name, "its peer's address cannot be told", err);
	take_address(&address, out->ends.target, &out->ends.target_port);
	out->state = CRIMG_TCP_ESTABLISHED;
	return 0;
}

static int look_at_tcp(int fd, const char *name, struct crimg_inet *out, struct crimg_err *err)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	memset(&info, 0, sizeof info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return fail(name, "its state cannot be told (TCP_INFO)", err);
	out->state = info.tcpi_state;
	if (out->state == CRIMG_TCP_LISTEN) { // two fields that mean another thing then
		out->waiting = info.tcpi_unacked;
		out->backlog = info.tcpi_sacked;
	}
	return 0;
}

int crimg_inet_look(int fd, const char *name, struct crimg_inet *out, struct crimg_err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	*out = (struct crimg_inet){.state = CRIMG_TCP_CLOSE};
	if (get(fd, SOL_SOCKET, SO_DOMAIN, &out->family) < 0 || get(fd, SOL_SOCKET, SO_TYPE, &out->type) < 0
	    || get(fd, SOL_SOCKET, SO_PROTOCOL, &out->protocol) < 0)
		return fail(name, "what socket it is cannot be told", err);
	out->tcp = out->type == SOCK_STREAM && out->protocol == IPPROTO_TCP;
	if (look_at_ends(fd, name, out, err) < 0 || (out->tcp && look_at_tcp(fd, name, out, err) < 0))
		return -1;
	out->read_ended = poll(&p, 1, 0) == 1 && (p.revents & POLLRDHUP) != 0;
	return 0;
}

bool crimg_inet_is_connection(const struct crimg_inet *i)
{
	return i->tcp && crimg_tcp_is_connected(i->state);
}

struct crimg_connection crimg_inet_connection(const struct crimg_inet *i)
{
	static const uint8_t mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
	struct crimg_connection c = i->ends;
	if (!c.v6 || memcmp(c.target, mapped, sizeof mapped) != 0)
		return c;
	c.v6 = false;
	memset(c.source, 0, sizeof c.source);
	memset(c.target, 0, sizeof c.target);
	memcpy(c.source, i->ends.source + MAPPED_BYTES, 4);
	memcpy(c.target, i->ends.target + MAPPED_BYTES, 4);
	return c;
}

bool crimg_socket_is_here(int fd)
{
	uint64_t theirs = 0, ours = 0;
	socklen_t a = sizeof theirs, b = sizeof ours;
	int mine = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool told = mine >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &a) == 0
		    && getsockopt(mine, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &b) == 0;
	if (mine >= 0)
		close(mine);
	return !told || theirs == ours;
}

static int refuse(const char *name, const char *why, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET, "%s", why);
}

static int refuse_protocol(const char *name, const struct crimg_inet *i, struct crimg_err *err)
{
	static const struct {
		int type, protocol;
	} known[] = {
		{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}, {SOCK_DGRAM, IPPROTO_UDPLITE},
		{SOCK_DGRAM, IPPROTO_ICMP}, {SOCK_DGRAM, IPPROTO_ICMPV6},
	};
	for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
		if (known[k].type == i->type && known[k].protocol == i->protocol)
			return 0;
	if (i->type == SOCK_RAW)
		return 0;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
			  i->protocol == MPTCP
				  ? "is a socket of multipath TCP (of programs in Go, GODEBUG=multipathtcp=0 makes "
				    "plain ones)"
				  : "is a socket of type %d, protocol %d, of the internet: TCP, UDP, UDP-Lite, ping "
				    "and raw ones are taken",
			  i->type, i->protocol);
}

static int refuse_tcp(int fd, const char *name, const struct crimg_inet *i, bool skip_in_flight,
		      struct crimg_err *err)
{
	char ulp[ULP_NAME_BYTES] = "";
	socklen_t length = sizeof ulp;
	if (i->state == CRIMG_TCP_LISTEN && i->waiting > 0 && !skip_in_flight)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
				  "listens, and %u connections wait to be accepted: accept them, or drop them with "
				  "--skip-in-flight", i->waiting);
	if (i->state != CRIMG_TCP_LISTEN && i->state != CRIMG_TCP_CLOSE && !crimg_tcp_is_connected(i->state))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
				  "is a connection of TCP in state %u, which no socket of a program is in: try again",
				  i->state);
	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, &length) == 0 && length > 0 && ulp[0] != '\0')
		return refuse(name, "is a connection that the kernel itself encrypts or frames (TCP_ULP)", err);
	return 0;
}

int crimg_inet_refuse(int fd, const char *name, const struct crimg_inet *i, bool skip_in_flight,
		      struct crimg_err *err)
{
	int corked = 0;
	if (!crimg_socket_is_here(fd))
		return refuse(name, "is a socket of another network namespace than crimg's", err);
	if (refuse_protocol(name, i, err) < 0 || (i->tcp && refuse_tcp(fd, name, i, skip_in_flight, err) < 0))
		return -1;
	if (i->type == SOCK_DGRAM && (i->protocol == IPPROTO_UDP || i->protocol == IPPROTO_UDPLITE)
	    && get(fd, IPPROTO_UDP, UDP_CORK, &corked) == 0 && corked != 0)
		return refuse(name, "is a corked socket of UDP (UDP_CORK): what is in it cannot be told", err);
	return 0;
}
