// Sockets of the internet, of netlink and of packets, in a network namespace of their own (whose lo it brings up): what
// waits in connections of TCP in both directions, sent or not, whoever has ended sending; datagrams, raw ones, what
// listens, options. All go on. "plain": only what CRIU's images have a place for.
#include "loopback.h"
#include "prove.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#define SOL_NETLINK_LEVEL 270

static int plain;

static void set(int fd, int level, int option, int value)
{
	PROVE(setsockopt(fd, level, option, &value, sizeof value) == 0);
}

static int get(int fd, int level, int option)
{
	int value = -1;
	socklen_t length = sizeof value;
	PROVE(getsockopt(fd, level, option, &value, &length) == 0);
	return value;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t loopback(int family, int port, union address *a)
{
	memset(a, 0, sizeof *a);
	if (family == AF_INET) {
		a->v4 = (struct sockaddr_in){AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
		return sizeof a->v4;
	}
	a->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
	return sizeof a->v6;
}

static int make(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);
	PROVE(fd >= 0);
	return fd;
}

static int bound(int family, int type, int port, int reuse)
{
	union address a;
	int fd = make(family, type, 0);
	if (reuse)
		set(fd, SOL_SOCKET, reuse, 1);
	socklen_t length = loopback(family, port, &a);
	PROVE(bind(fd, &a.any, length) == 0);
	return fd;
}

static int connected(int family, int type, int port)
{
	union address a;
	int fd = make(family, type, 0);
	socklen_t length = loopback(family, port, &a);
	PROVE(connect(fd, &a.any, length) == 0);
	return fd;
}

// A stream whose bytes tell their place; so many were written, and read.
struct stream {
	int in, out;
	uint64_t written, read;
};

static uint8_t byte_at(uint64_t place)
{
	return (uint8_t)(place * 31 + place / 251);
}

// Until it would wait, at most so many.
static void fill(struct stream *s, uint64_t most)
{
	uint8_t piece[4096];
	while (s->written < most) {
		size_t n = most - s->written < sizeof piece ? (size_t)(most - s->written) : sizeof piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(s->written + i);
		ssize_t done = send(s->out, piece, n, MSG_DONTWAIT);
		if (done < 0 && errno == EAGAIN)
			return;
		PROVE(done > 0);
		s->written += (uint64_t)done;
	}
}

static void drain(struct stream *s)
{
	uint8_t piece[4096];
	while (s->read < s->written) {
		struct pollfd p = {s->in, POLLIN, 0};
		PROVE(poll(&p, 1, 20000) == 1);
		ssize_t done = recv(s->in, piece, sizeof piece, 0);
		PROVE(done > 0);
		for (ssize_t i = 0; i < done; i++)
			PROVE(piece[i] == byte_at(s->read + (uint64_t)i));
		s->read += (uint64_t)done;
	}
	PROVE(s->read == s->written);
}

static void prove_end(int fd)
{
	char c;
	struct pollfd p = {fd, POLLIN, 0};
	PROVE(poll(&p, 1, 20000) == 1 && recv(fd, &c, 1, 0) == 0);
}

// Both ends of a connection, and both its streams.
struct connection {
	int a, b;
	struct stream there, back;
};

static struct connection connect_pair(int family, int listener, int port)
{
	struct connection c;
	c.a = connected(family, SOCK_STREAM, port);
	c.b = accept(listener, NULL, NULL);
	PROVE(c.b >= 0);
	c.there = (struct stream){c.b, c.a, 0, 0};
	c.back = (struct stream){c.a, c.b, 0, 0};
	return c;
}

static void prove_traffic(struct connection *c)
{
	drain(&c->there);
	drain(&c->back);
	fill(&c->there, c->there.written + 5000);
	fill(&c->back, c->back.written + 70);
	drain(&c->there);
	drain(&c->back);
}

static int state_of(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	PROVE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
	return info.tcpi_state;
}

enum { QUIET, FULL, HALF, HALF_FULL, BOTH_FULL, LAST, SIX, MAPPED, CONNECTIONS };

static int listener, listener_six, shared[2];
static struct connection connections[CONNECTIONS];

static void make_connections(void)
{
	struct connection *c = connections;
	listener = bound(AF_INET, SOCK_STREAM, 7001, 0);
	set(listener, SOL_SOCKET, SO_RCVBUF, 32768);
	PROVE(listen(listener, 7) == 0);
	listener_six = make(AF_INET6, SOCK_STREAM, 0);
	union address any = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(7002)}};
	PROVE(bind(listener_six, &any.any, sizeof any.v6) == 0 && listen(listener_six, 3) == 0);
	for (int i = 0; i < 2; i++) {
		shared[i] = bound(AF_INET, SOCK_STREAM, 7003, SO_REUSEPORT);
		PROVE(listen(shared[i], 5) == 0);
	}
	for (int i = 0; i < SIX; i++)
		c[i] = connect_pair(AF_INET, listener, 7001);
	c[SIX] = connect_pair(AF_INET6, listener_six, 7002);
	c[MAPPED] = connect_pair(AF_INET, listener_six, 7002);
	fill(&c[QUIET].there, 1000);
	fill(&c[QUIET].back, 500);
	fill(&c[FULL].there, UINT64_MAX);
	fill(&c[FULL].back, UINT64_MAX);
	fill(&c[HALF].there, 3000);
	fill(&c[HALF].back, 200);
	PROVE(shutdown(c[HALF].a, SHUT_WR) == 0);
	fill(&c[HALF_FULL].there, UINT64_MAX);
	PROVE(shutdown(c[HALF_FULL].a, SHUT_WR) == 0);
	fill(&c[BOTH_FULL].there, UINT64_MAX);
	fill(&c[BOTH_FULL].back, 10);
	PROVE(shutdown(c[BOTH_FULL].a, SHUT_WR) == 0 && shutdown(c[BOTH_FULL].b, SHUT_WR) == 0);
	fill(&c[LAST].there, UINT64_MAX);
	PROVE(shutdown(c[LAST].b, SHUT_WR) == 0 && shutdown(c[LAST].a, SHUT_WR) == 0);
	fill(&c[SIX].there, 2000);
	set(c[QUIET].a, IPPROTO_TCP, TCP_NODELAY, 1);
	set(c[QUIET].a, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(c[QUIET].a, IPPROTO_TCP, TCP_KEEPIDLE, 77);
}

static void prove_connections(void)
{
	struct connection *c = connections;
	PROVE(get(c[QUIET].a, IPPROTO_TCP, TCP_NODELAY) == 1 && get(c[QUIET].b, IPPROTO_TCP, TCP_NODELAY) == 0);
	PROVE(get(c[QUIET].a, IPPROTO_TCP, TCP_KEEPIDLE) == 77 && get(c[QUIET].a, SOL_SOCKET, SO_KEEPALIVE) == 1);
	PROVE(state_of(c[HALF].a) == TCP_FIN_WAIT2 && state_of(c[HALF].b) == TCP_CLOSE_WAIT);
	prove_traffic(&c[QUIET]);
	drain(&c[FULL].there);
	drain(&c[FULL].back);
	prove_traffic(&c[FULL]);
	prove_traffic(&c[SIX]);
	prove_traffic(&c[MAPPED]);
	drain(&c[HALF].there);
	prove_end(c[HALF].b);
	fill(&c[HALF].back, 900);
	drain(&c[HALF].back);
	PROVE(shutdown(c[HALF].b, SHUT_WR) == 0);
	prove_end(c[HALF].a);
	drain(&c[HALF_FULL].there);
	prove_end(c[HALF_FULL].b);
	fill(&c[HALF_FULL].back, 50);
	drain(&c[HALF_FULL].back);
	for (int i = BOTH_FULL; i <= LAST; i++) {
		drain(&c[i].there);
		drain(&c[i].back);
		prove_end(c[i].a);
		prove_end(c[i].b);
	}
	PROVE(get(listener, SOL_SOCKET, SO_REUSEADDR) == 0 && get(shared[0], SOL_SOCKET, SO_REUSEPORT) == 1);
	struct connection again = connect_pair(AF_INET, listener, 7001);
	prove_traffic(&again);
	again = connect_pair(AF_INET6, listener_six, 7002);
	prove_traffic(&again);
	close(connected(AF_INET, SOCK_STREAM, 7003));
}

static int udp, udp_peer, udp_deaf, udp_six, udp_filtered, unbound, raw, pinger = -1, tcp_bound, tcp_fresh;

// Only datagrams that begin with 'y' come in: the header of UDP is in front of them.
static void attach_filter(int fd)
{
	struct sock_filter code[] = {
		{BPF_LD | BPF_B | BPF_ABS, 0, 0, 8}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 'y'},
		{BPF_RET | BPF_K, 0, 0, 0xffff}, {BPF_RET | BPF_K, 0, 0, 0},
	};
	struct sock_fprog program = {4, code};
	PROVE(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}

static void make_datagrams(void)
{
	udp = bound(AF_INET, SOCK_DGRAM, 7011, SO_REUSEADDR);
	set(udp, IPPROTO_IP, IP_TOS, 0x10);
	set(udp, IPPROTO_IP, IP_TTL, 33);
	set(udp, IPPROTO_IP, IP_PKTINFO, 1);
	udp_peer = connected(AF_INET, SOCK_DGRAM, 7011);
	udp_deaf = connected(AF_INET, SOCK_DGRAM, 7011);
	PROVE(shutdown(udp_deaf, SHUT_WR) == 0);
	udp_six = make(AF_INET6, SOCK_DGRAM, 0);
	set(udp_six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set(udp_six, SOL_SOCKET, SO_BROADCAST, 1);
	union address a;
	socklen_t length = loopback(AF_INET6, 7012, &a);
	PROVE(bind(udp_six, &a.any, length) == 0);
	udp_filtered = bound(AF_INET, SOCK_DGRAM, 7013, 0);
	PROVE(setsockopt(udp_filtered, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0);
	attach_filter(udp_filtered);
	unbound = make(AF_INET, SOCK_DGRAM, 0);
	PROVE(fcntl(unbound, F_SETFL, O_NONBLOCK) == 0);
	raw = make(AF_INET, SOCK_RAW, IPPROTO_UDPLITE);
	tcp_bound = bound(AF_INET, SOCK_STREAM, 7014, 0);
	tcp_fresh = make(AF_INET6, SOCK_STREAM, 0);
	pinger = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static void send_to(int family, int port, const char *text)
{
	union address a;
	int fd = make(family, SOCK_DGRAM, 0);
	socklen_t length = loopback(family, port, &a);
	PROVE(sendto(fd, text, strlen(text), 0, &a.any, length) == (ssize_t)strlen(text));
	close(fd);
}

static void prove_comes(int fd, const char *text)
{
	char found[64];
	struct pollfd p = {fd, POLLIN, 0};
	PROVE(poll(&p, 1, 20000) == 1);
	ssize_t n = recv(fd, found, sizeof found, 0);
	PROVE(n == (ssize_t)strlen(text) && memcmp(found, text, (size_t)n) == 0);
}

static void prove_datagrams(void)
{
	char device[IFNAMSIZ] = "";
	socklen_t length = sizeof device;
	PROVE(get(udp, IPPROTO_IP, IP_TOS) == 0x10 && get(udp, IPPROTO_IP, IP_TTL) == 33);
	PROVE(get(udp, IPPROTO_IP, IP_PKTINFO) == 1 && get(udp, SOL_SOCKET, SO_REUSEADDR) == 1);
	PROVE(send(udp_peer, "one", 3, 0) == 3);
	prove_comes(udp, "one");
	PROVE(send(udp_deaf, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	PROVE(get(udp_six, IPPROTO_IPV6, IPV6_V6ONLY) == 1 && get(udp_six, SOL_SOCKET, SO_BROADCAST) == 1);
	send_to(AF_INET6, 7012, "six");
	prove_comes(udp_six, "six");
	send_to(AF_INET, 7013, "no");
	send_to(AF_INET, 7013, "yes");
	prove_comes(udp_filtered, "yes");
	PROVE(getsockopt(udp_filtered, SOL_SOCKET, SO_BINDTODEVICE, device, &length) == 0);
	PROVE(strcmp(device, "lo") == 0 && get(udp_filtered, SOL_SOCKET, SO_REUSEADDR) == 0);
	PROVE((fcntl(unbound, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(udp, F_GETFL) & O_NONBLOCK) == 0);
	PROVE(get(raw, SOL_SOCKET, SO_TYPE) == SOCK_RAW && get(raw, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDPLITE);
	PROVE(listen(tcp_bound, 1) == 0);
	struct connection c = connect_pair(AF_INET, tcp_bound, 7014);
	prove_traffic(&c);
	union address a;
	socklen_t n = loopback(AF_INET6, 7002, &a);
	PROVE(connect(tcp_fresh, &a.any, n) == 0);
}

static int route, packet;

static void make_others(void)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_groups = 0x11};
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1};
	struct packet_mreq m = {1, PACKET_MR_MULTICAST, 6, {1, 2, 3, 4, 5, 6}};
	route = make(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	PROVE(bind(route, (struct sockaddr *)&nl, sizeof nl) == 0);
	packet = make(AF_PACKET, SOCK_DGRAM, htons(0x88b5));
	PROVE(bind(packet, (struct sockaddr *)&ll, sizeof ll) == 0);
	PROVE(setsockopt(packet, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m) == 0);
	set(packet, SOL_PACKET, PACKET_AUXDATA, 1);
}

static void prove_others(void)
{
	struct sockaddr_nl nl;
	socklen_t n = sizeof nl;
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1, .sll_halen = 6};
	PROVE(getsockname(route, (struct sockaddr *)&nl, &n) == 0 && nl.nl_groups == 0x11 && nl.nl_pid != 0);
	PROVE(get(packet, SOL_PACKET, PACKET_AUXDATA) == 1);
	PROVE(sendto(packet, "frame", 5, 0, (struct sockaddr *)&ll, sizeof ll) == 5);
	prove_comes(packet, "frame");
}

static int member, member_six;

// What only images of ours hold.
static void make_rare(void)
{
	struct ip_mreqn m = {.imr_ifindex = 1};
	inet_pton(AF_INET, "224.5.6.7", &m.imr_multiaddr);
	struct ipv6_mreq six = {.ipv6mr_interface = 1};
	inet_pton(AF_INET6, "ff01::5:6", &six.ipv6mr_multiaddr);
	member = make(AF_INET, SOCK_DGRAM, 0);
	union address any = {.v4 = {AF_INET, htons(7021), {0}, {0}}};
	PROVE(bind(member, &any.any, sizeof any.v4) == 0);
	PROVE(setsockopt(member, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m) == 0);
	set(member, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	set(member, IPPROTO_IP, IP_RECVTTL, 1);
	member_six = make(AF_INET6, SOCK_DGRAM, 0);
	PROVE(setsockopt(member_six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six) == 0);
	set(member_six, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
	set(unbound, IPPROTO_IP, IP_MULTICAST_TTL, 9);
	PROVE(setsockopt(connections[QUIET].a, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	set(connections[QUIET].b, IPPROTO_TCP, TCP_USER_TIMEOUT, 54321);
	set(route, SOL_NETLINK_LEVEL, NETLINK_EXT_ACK, 1);
	set(route, SOL_NETLINK_LEVEL, NETLINK_ADD_MEMBERSHIP, 33);
}

static void prove_rare(void)
{
	char name[16] = "";
	uint32_t groups[4] = {0};
	socklen_t n = sizeof name, g = sizeof groups;
	union address to = {.v4 = {AF_INET, htons(7021), {0}, {0}}};
	inet_pton(AF_INET, "224.5.6.7", &to.v4.sin_addr);
	struct ip_mreqn by = {.imr_ifindex = 1};
	struct ipv6_mreq six = {.ipv6mr_interface = 1};
	inet_pton(AF_INET6, "ff01::5:6", &six.ipv6mr_multiaddr);
	PROVE(setsockopt(unbound, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by) == 0);
	PROVE(sendto(unbound, "group", 5, 0, &to.any, sizeof to.v4) == 5);
	prove_comes(member, "group");
	PROVE(get(member, IPPROTO_IP, IP_MULTICAST_ALL) == 0 && get(member, IPPROTO_IP, IP_RECVTTL) == 1);
	PROVE(setsockopt(member_six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &six, sizeof six) == 0);
	PROVE(get(member_six, IPPROTO_IPV6, IPV6_TCLASS) == 0x20 && get(unbound, IPPROTO_IP, IP_MULTICAST_TTL) == 9);
	PROVE(getsockopt(connections[QUIET].a, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0);
	PROVE(strcmp(name, "reno") == 0);
	PROVE(get(connections[QUIET].b, IPPROTO_TCP, TCP_USER_TIMEOUT) == 54321);
	PROVE(get(route, SOL_NETLINK_LEVEL, NETLINK_EXT_ACK) == 1);
	PROVE(getsockopt(route, SOL_NETLINK_LEVEL, NETLINK_LIST_MEMBERSHIPS, groups, &g) == 0);
	PROVE(groups[0] == 0x11 && groups[1] == 1);
}

int main(int argc, char **argv)
{
	plain = argc > 1 && strcmp(argv[1], "plain") == 0;
	loopback_up();
	make_connections();
	make_datagrams();
	make_others();
	if (!plain)
		make_rare();
	ready();
	wait_for_go();
	if (!plain)
		prove_rare();
	prove_connections();
	prove_datagrams();
	prove_others();
	return 0;
}
