// The table of options, and reading and setting them.
#include "producer/level_options.h"

#include <errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VALUE_MAX_BYTES 64u // of one option; the longest are names of congestion control, and IP_OPTIONS
#define SOL_NETLINK_LEVEL 270u
#define CHECKSUM_COVERAGE 136u // SOL_UDPLITE

// Sorts of sockets.
enum { V4 = 1, V6 = 2, TCP = 4, UDP = 8, LITE = 16, RAW = 32, NL = 64, INET = V4 | V6, ANY = TCP | UDP | LITE | RAW };

// An option that some sorts of sockets have: one bit of its sorts each of a family and of a protocol. quiet: a
// connection of TCP does not tell what its program wanted, but what was agreed on.
static const struct option {
	uint32_t level, name;
	const char *text;
	unsigned sorts;
	bool quiet;
} options[] = {
	{IPPROTO_IP, IP_TOS, "IP_TOS", V6 | TCP | UDP | LITE, false},
	{IPPROTO_IP, IP_TTL, "IP_TTL", V6 | TCP | UDP | LITE, false},
	{IPPROTO_IP, IP_OPTIONS, "IP_OPTIONS", INET | ANY, false},
	{IPPROTO_IP, IP_RECVOPTS, "IP_RECVOPTS", INET | ANY, false},
	{IPPROTO_IP, IP_RETOPTS, "IP_RETOPTS", INET | ANY, false},
	{IPPROTO_IP, IP_PKTINFO, "IP_PKTINFO", V6 | UDP | LITE, false},
	{IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", INET | ANY, false},
	{IPPROTO_IP, IP_RECVERR, "IP_RECVERR", INET | ANY, false},
	{IPPROTO_IP, IP_RECVERR_RFC4884, "IP_RECVERR_RFC4884", INET | ANY, false},
	{IPPROTO_IP, IP_RECVTTL, "IP_RECVTTL", INET | ANY, false},
	{IPPROTO_IP, IP_RECVTOS, "IP_RECVTOS", INET | ANY, false},
	{IPPROTO_IP, IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR", INET | ANY, false},
	{IPPROTO_IP, IP_RECVFRAGSIZE, "IP_RECVFRAGSIZE", INET | UDP | LITE | RAW, false},
	{IPPROTO_IP, IP_CHECKSUM, "IP_CHECKSUM", INET | UDP | LITE, false},
	{IPPROTO_IP, IP_TRANSPARENT, "IP_TRANSPARENT", INET | ANY, false},
	{IPPROTO_IP, IP_MINTTL, "IP_MINTTL", INET | ANY, false},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT", INET | ANY, false},
	{IPPROTO_IP, IP_LOCAL_PORT_RANGE, "IP_LOCAL_PORT_RANGE", INET | ANY, false},
	{IPPROTO_IP, IP_MULTICAST_IF, "IP_MULTICAST_IF", INET | UDP | LITE | RAW, false},
	{IPPROTO_IP, IP_MULTICAST_TTL, "IP_MULTICAST_TTL", INET | UDP | LITE | RAW, false},
	{IPPROTO_IP, IP_MULTICAST_LOOP, "IP_MULTICAST_LOOP", INET | UDP | LITE | RAW, false},
	{IPPROTO_IP, IP_MULTICAST_ALL, "IP_MULTICAST_ALL", INET | UDP | LITE | RAW, false},
	{IPPROTO_IP, IP_UNICAST_IF, "IP_UNICAST_IF", INET | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_MULTICAST_IF, "IPV6_MULTICAST_IF", V6 | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, "IPV6_MULTICAST_HOPS", V6 | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP, "IPV6_MULTICAST_LOOP", V6 | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_MULTICAST_ALL, "IPV6_MULTICAST_ALL", V6 | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVERR, "IPV6_RECVERR", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVERR_RFC4884, "IPV6_RECVERR_RFC4884", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_FLOWINFO_SEND, "IPV6_FLOWINFO_SEND", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVHOPOPTS, "IPV6_RECVHOPOPTS", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVRTHDR, "IPV6_RECVRTHDR", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVDSTOPTS, "IPV6_RECVDSTOPTS", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVPATHMTU, "IPV6_RECVPATHMTU", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_DONTFRAG, "IPV6_DONTFRAG", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, "IPV6_RECVTCLASS", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_TCLASS, "IPV6_TCLASS", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, "IPV6_AUTOFLOWLABEL", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_MINHOPCOUNT, "IPV6_MINHOPCOUNT", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, "IPV6_RECVORIGDSTADDR", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_TRANSPARENT, "IPV6_TRANSPARENT", V6 | ANY, false},
	{IPPROTO_IPV6, IPV6_UNICAST_IF, "IPV6_UNICAST_IF", V6 | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_RECVFRAGSIZE, "IPV6_RECVFRAGSIZE", V6 | UDP | LITE | RAW, false},
	{IPPROTO_IPV6, IPV6_CHECKSUM, "IPV6_CHECKSUM", V6 | RAW, false},
	{IPPROTO_TCP, TCP_MAXSEG, "TCP_MAXSEG", INET | TCP, true},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP", INET | TCP, true},
	{IPPROTO_TCP, TCP_SYNCNT, "TCP_SYNCNT", INET | TCP, false},
	{IPPROTO_TCP, TCP_LINGER2, "TCP_LINGER2", INET | TCP, false},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", INET | TCP, true},
	{IPPROTO_TCP, TCP_CONGESTION, "TCP_CONGESTION", INET | TCP, false},
	{IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, "TCP_THIN_LINEAR_TIMEOUTS", INET | TCP, false},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", INET | TCP, false},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT", INET | TCP, false},
	{IPPROTO_TCP, TCP_SAVE_SYN, "TCP_SAVE_SYN", INET | TCP, true},
	{IPPROTO_TCP, TCP_FASTOPEN, "TCP_FASTOPEN", INET | TCP, true},
	{IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, "TCP_FASTOPEN_NO_COOKIE", INET | TCP, true},
	{IPPROTO_TCP, TCP_INQ, "TCP_INQ", INET | TCP, false},
	{IPPROTO_TCP, TCP_TX_DELAY, "TCP_TX_DELAY", INET | TCP, false},
	{IPPROTO_UDP, UDP_NO_CHECK6_TX, "UDP_NO_CHECK6_TX", INET | UDP, false},
	{IPPROTO_UDP, UDP_NO_CHECK6_RX, "UDP_NO_CHECK6_RX", INET | UDP, false},
	{IPPROTO_UDP, UDP_SEGMENT, "UDP_SEGMENT", INET | UDP, false},
	{IPPROTO_UDP, UDP_GRO, "UDP_GRO", INET | UDP, false},
	{IPPROTO_UDP, UDP_ENCAP, "UDP_ENCAP", INET | UDP, false},
	{CHECKSUM_COVERAGE, 10, "UDPLITE_SEND_CSCOV", INET | LITE, false},
	{CHECKSUM_COVERAGE, 11, "UDPLITE_RECV_CSCOV", INET | LITE, false},
	{SOL_NETLINK_LEVEL, NETLINK_PKTINFO, "NETLINK_PKTINFO", NL, false},
	{SOL_NETLINK_LEVEL, NETLINK_BROADCAST_ERROR, "NETLINK_BROADCAST_ERROR", NL, false},
	{SOL_NETLINK_LEVEL, NETLINK_NO_ENOBUFS, "NETLINK_NO_ENOBUFS", NL, false},
	{SOL_NETLINK_LEVEL, NETLINK_LISTEN_ALL_NSID, "NETLINK_LISTEN_ALL_NSID", NL, false},
	{SOL_NETLINK_LEVEL, NETLINK_CAP_ACK, "NETLINK_CAP_ACK", NL, false},
	{SOL_NETLINK_LEVEL, NETLINK_EXT_ACK, "NETLINK_EXT_ACK", NL, false},
	{SOL_NETLINK_LEVEL, NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK", NL, false},
};

static unsigned sort_of(int family, int type, int protocol)
{
	if (family == AF_NETLINK)
		return NL;
	unsigned sort = family == AF_INET6 ? V6 : V4;
	if (type == SOCK_RAW)
		return sort | RAW;
	if (type == SOCK_STREAM)
		return sort | TCP;
	return sort | (protocol == IPPROTO_UDPLITE ? LITE : UDP); // ping sockets are asked, and do not know
}

static bool has(const struct option *o, unsigned sort)
{
	return (o->sorts & sort) == sort && !(o->level == IPPROTO_IP && (sort & V6) != 0 && (sort & RAW) != 0);
}

static bool get(int fd, int level, int name, void *value, socklen_t *length)
{
	*length = VALUE_MAX_BYTES;
	memset(value, 0, VALUE_MAX_BYTES);
	return getsockopt(fd, level, name, value, length) == 0;
}

int crimg_level_option_add(LevelOptionsEntry *more, struct crimg_arena *arena, uint32_t level, uint32_t name,
			   const void *value, size_t length, struct crimg_err *err)
{
	LevelOptionEntry **list = crimg_arena_alloc(arena, (more->n_option + 1) * sizeof(void *));
	LevelOptionEntry *e = crimg_arena_alloc(arena, sizeof *e);
	uint8_t *bytes = crimg_arena_alloc(arena, length + 1);
	if (list == NULL || e == NULL || bytes == NULL)
		return crimg_fail_nomem(err, length + sizeof *e);
	level_option_entry__init(e);
	e->level = level;
	e->name = name;
	memcpy(bytes, value, length);
	e->value = (ProtobufCBinaryData){length, bytes};
	if (more->n_option > 0)
		memcpy(list, more->option, more->n_option * sizeof(void *));
	list[more->n_option++] = e;
	more->option = list;
	return 0;
}

int crimg_level_options_get(int fd, const char *name, bool connected, struct crimg_arena *arena,
			    LevelOptionsEntry *more, struct crimg_err *err)
{
	int what[3], rc = 0;
	static const int asked[3] = {SO_DOMAIN, SO_TYPE, SO_PROTOCOL};
	for (size_t i = 0; i < 3; i++) {
		socklen_t length = sizeof what[i];
		if (getsockopt(fd, SOL_SOCKET, asked[i], &what[i], &length) < 0)
			return crimg_fail_sys(err, errno, name, "what socket it is cannot be told");
	}
	unsigned sort = sort_of(what[0], what[1], what[2]);
	int fresh = socket(what[0], what[1] | SOCK_CLOEXEC, what[2]);
	if (fresh < 0)
		return crimg_fail_sys(err, errno, name, "another socket of its kind cannot be made");
	for (size_t i = 0; rc == 0 && i < sizeof options / sizeof options[0]; i++) {
		uint8_t theirs[VALUE_MAX_BYTES], plain[VALUE_MAX_BYTES];
		socklen_t length, plain_length;
		int level = (int)options[i].level, number = (int)options[i].name;
		if (!has(&options[i], sort) || (connected && options[i].quiet)
		    || !get(fd, level, number, theirs, &length)
		    || !get(fresh, level, number, plain, &plain_length)
		    || memcmp(theirs, plain, VALUE_MAX_BYTES) == 0)
			continue;
		rc = crimg_level_option_add(more, arena, options[i].level, options[i].name, theirs, length, err);
	}
	close(fresh);
	return rc;
}

static const char *text_of(const LevelOptionEntry *e)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (options[i].level == e->level && options[i].name == e->name)
			return options[i].text;
	return "a membership of a multicast group";
}

int crimg_level_options_set(int fd, const char *name, const LevelOptionsEntry *more, const char **lost,
			    struct crimg_err *err)
{
	for (size_t i = 0; more != NULL && i < more->n_option; i++) {
		const LevelOptionEntry *e = more->option[i];
		int rc;
		if (e->level == SOL_SOCKET) // SO_TYPE: what it was made as
			continue;
		if (!crimg_multicast_set(fd, e, &rc))
			rc = setsockopt(fd, (int)e->level, (int)e->name, e->value.data, (socklen_t)e->value.len);
		if (rc < 0 && errno != EPERM)
			return crimg_fail_sys(err, errno, name, "its option %s", text_of(e));
		if (rc < 0 && *lost == NULL)
			*lost = text_of(e);
	}
	return 0;
}
