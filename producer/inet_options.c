// A row an option: where the kernel has it, and where the message does.
#include "producer/inet_options.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ICMP_FILTER_OPTION 1
#define SOL_RAW_LEVEL 255
#define ICMP6_FILTER_OPTION 1
#define ICMP_FILTER_WORDS 1u
#define ICMP6_FILTER_WORDS 8u

// A number of a message: protobuf_c_boolean or uint32_t, and its has_ flag.
struct row {
	int family; // 0: any
	bool raw;   // of raw sockets
	int level, option;
	const char *text;
	bool flag;
	size_t value, has;
};

#define ROW(family, raw, level, option, type, member, flag)                                        \
	{                                                                                          \
		family, raw, level, option, #option, flag, offsetof(type, member), offsetof(type, has_##member) \
	}

static const struct row ip_rows[] = {
	ROW(AF_INET, false, IPPROTO_IP, IP_FREEBIND, IpOptsEntry, freebind, true),
	ROW(AF_INET, false, IPPROTO_IP, IP_PKTINFO, IpOptsEntry, pktinfo, true),
	ROW(AF_INET, false, IPPROTO_IP, IP_TOS, IpOptsEntry, tos, false),
	ROW(AF_INET, false, IPPROTO_IP, IP_TTL, IpOptsEntry, ttl, false),
	ROW(AF_INET6, false, IPPROTO_IPV6, IPV6_FREEBIND, IpOptsEntry, freebind, true),
	ROW(AF_INET6, false, IPPROTO_IPV6, IPV6_RECVPKTINFO, IpOptsEntry, pktinfo, true),
};

static const struct row raw_rows[] = {
	ROW(AF_INET, true, IPPROTO_IP, IP_HDRINCL, IpOptsRawEntry, hdrincl, true),
	ROW(AF_INET, true, IPPROTO_IP, IP_NODEFRAG, IpOptsRawEntry, nodefrag, true),
	ROW(AF_INET6, true, IPPROTO_IPV6, IPV6_HDRINCL, IpOptsRawEntry, hdrincl, true),
};

static const struct row tcp_rows[] = {
	ROW(0, false, IPPROTO_TCP, TCP_NODELAY, TcpOptsEntry, nodelay, true),
	ROW(0, false, IPPROTO_TCP, TCP_CORK, TcpOptsEntry, cork, true),
	ROW(0, false, IPPROTO_TCP, TCP_KEEPCNT, TcpOptsEntry, keepcnt, false),
	ROW(0, false, IPPROTO_TCP, TCP_KEEPIDLE, TcpOptsEntry, keepidle, false),
	ROW(0, false, IPPROTO_TCP, TCP_KEEPINTVL, TcpOptsEntry, keepintvl, false),
};

static const struct row old_rows[] = {
	ROW(0, false, IPPROTO_TCP, TCP_KEEPCNT, SkOptsEntry, tcp_keepcnt, false),
	ROW(0, false, IPPROTO_TCP, TCP_KEEPIDLE, SkOptsEntry, tcp_keepidle, false),
	ROW(0, false, IPPROTO_TCP, TCP_KEEPINTVL, SkOptsEntry, tcp_keepintvl, false),
};

static const struct row stream_rows[] = {
	ROW(0, false, IPPROTO_TCP, TCP_NODELAY, TcpStreamEntry, nodelay, true),
	ROW(0, false, IPPROTO_TCP, TCP_CORK, TcpStreamEntry, cork, true),
};

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static bool get(int fd, int level, int option, uint32_t *value)
{
	socklen_t length = sizeof *value;
	*value = 0;
	return getsockopt(fd, level, option, value, &length) == 0;
}

// plain: a new socket of the same kind, whose numbers are not worth telling; -1: tell all but zero.
static void get_rows(int fd, int plain, int family, const struct row *rows, size_t count, void *message)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t value, usual = 0;
		if ((rows[i].family != 0 && rows[i].family != family)
		    || !get(fd, rows[i].level, rows[i].option, &value))
			continue;
		if (plain >= 0 && !get(plain, rows[i].level, rows[i].option, &usual))
			continue;
		protobuf_c_boolean has = value != usual, flag = value != 0;
		memcpy((char *)message + rows[i].has, &has, sizeof has);
		if (rows[i].flag)
			memcpy((char *)message + rows[i].value, &flag, sizeof flag);
		else
			memcpy((char *)message + rows[i].value, &value, sizeof value);
	}
}

static int set_rows(int fd, const char *name, int family, const struct row *rows, size_t count, const void *message,
		    struct crimg_err *err)
{
	for (size_t i = 0; i < count; i++) {
		protobuf_c_boolean has, flag;
		int value;
		memcpy(&has, (const char *)message + rows[i].has, sizeof has);
		if (!has || (rows[i].family != 0 && rows[i].family != family))
			continue;
		memcpy(&flag, (const char *)message + rows[i].value, sizeof flag);
		if (rows[i].flag)
			value = flag ? 1 : 0;
		else
			memcpy(&value, (const char *)message + rows[i].value, sizeof value);
		if (setsockopt(fd, rows[i].level, rows[i].option, &value, sizeof value) < 0)
			return crimg_fail_sys(err, errno, name, "its option %s", rows[i].text);
	}
	return 0;
}

struct icmp_filter_place {
	int level, option;
	size_t words;
};

static bool icmp_filter(int family, int protocol, struct icmp_filter_place *out)
{
	if (family == AF_INET && protocol == IPPROTO_ICMP)
		*out = (struct icmp_filter_place){SOL_RAW_LEVEL, ICMP_FILTER_OPTION, ICMP_FILTER_WORDS};
	else if (family == AF_INET6 && protocol == IPPROTO_ICMPV6)
		*out = (struct icmp_filter_place){IPPROTO_ICMPV6, ICMP6_FILTER_OPTION, ICMP6_FILTER_WORDS};
	else
		return false;
	return true;
}

static int get_icmp_filter(int fd, const struct crimg_inet *i, struct crimg_arena *arena, IpOptsRawEntry *raw,
			   struct crimg_err *err)
{
	struct icmp_filter_place place;
	if (!icmp_filter(i->family, i->protocol, &place))
		return 0;
	socklen_t length = (socklen_t)(place.words * sizeof(uint32_t));
	raw->icmpv_filter = crimg_arena_alloc(arena, length);
	if (raw->icmpv_filter == NULL)
		return crimg_fail_nomem(err, length);
	if (getsockopt(fd, place.level, place.option, raw->icmpv_filter, &length) == 0)
		raw->n_icmpv_filter = place.words;
	return 0;
}

int crimg_ip_options_get(int fd, const struct crimg_inet *i, struct crimg_arena *arena, IpOptsEntry *e,
			 IpOptsRawEntry *raw, struct crimg_err *err)
{
	int plain = socket(i->family, i->type | SOCK_CLOEXEC, i->protocol);
	get_rows(fd, plain, i->family, ip_rows, COUNT(ip_rows), e);
	if (plain >= 0)
		close(plain);
	if (i->type != SOCK_RAW)
		return 0;
	e->raw = raw;
	get_rows(fd, -1, i->family, raw_rows, COUNT(raw_rows), raw);
	return get_icmp_filter(fd, i, arena, raw, err);
}

void crimg_tcp_options_get(int fd, TcpOptsEntry *e)
{
	get_rows(fd, -1, 0, tcp_rows, COUNT(tcp_rows), e);
}

static int set_icmp_filter(int fd, const char *name, const InetSkEntry *sk, const IpOptsRawEntry *raw,
			   struct crimg_err *err)
{
	struct icmp_filter_place place;
	if (!icmp_filter((int)sk->family, (int)sk->proto, &place) || raw->n_icmpv_filter != place.words)
		return 0;
	if (setsockopt(fd, place.level, place.option, raw->icmpv_filter,
		       (socklen_t)(place.words * sizeof(uint32_t))) < 0)
		return crimg_fail_sys(err, errno, name, "its filter of ICMP");
	return 0;
}

int crimg_ip_options_set(int fd, const char *name, const InetSkEntry *sk, struct crimg_err *err)
{
	const IpOptsEntry *e = sk->ip_opts;
	int family = (int)sk->family;
	if (e == NULL)
		return 0;
	if (set_rows(fd, name, family, ip_rows, COUNT(ip_rows), e, err) < 0)
		return -1;
	if (e->raw == NULL || sk->type != SOCK_RAW)
		return 0;
	if (set_rows(fd, name, family, raw_rows, COUNT(raw_rows), e->raw, err) < 0)
		return -1;
	return set_icmp_filter(fd, name, sk, e->raw, err);
}

int crimg_tcp_options_set(int fd, const char *name, const TcpOptsEntry *e, struct crimg_err *err)
{
	return e == NULL ? 0 : set_rows(fd, name, 0, tcp_rows, COUNT(tcp_rows), e, err);
}

int crimg_tcp_old_options_set(int fd, const char *name, const SkOptsEntry *opts, const TcpStreamEntry *stream,
			      struct crimg_err *err)
{
	if (set_rows(fd, name, 0, old_rows, COUNT(old_rows), opts, err) < 0)
		return -1;
	return stream == NULL ? 0 : set_rows(fd, name, 0, stream_rows, COUNT(stream_rows), stream, err);
}
