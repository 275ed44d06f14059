// Headers of IP and TCP, without contents and options.
#include "producer/tcp_forge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <unistd.h>

#define TCP_BYTES 20u
#define ACK 0x10u
#define FIN 0x01u
#define CRIU_MARK 0xC114 // of packets that locks of connections let through
#define HOPS 64

// As they are written into the headers.
struct ends {
	bool v6;
	struct in_addr from4, to4;
	struct in6_addr from6, to6;
	uint16_t from_port, to_port; // in network order
};

static int open_raw(int family)
{
	return socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
}

bool crimg_forge_may(int family)
{
	int fd = open_raw(family);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void take(const struct sockaddr_storage *a, struct in_addr *v4, struct in6_addr *v6, uint16_t *port)
{
	struct sockaddr_in x;
	struct sockaddr_in6 y;
	if (a->ss_family == AF_INET) {
		memcpy(&x, a, sizeof x);
		*v4 = x.sin_addr;
		*port = x.sin_port;
		return;
	}
	memcpy(&y, a, sizeof y);
	*v6 = y.sin6_addr;
	memcpy(v4, (const uint8_t *)&y.sin6_addr + 12, sizeof *v4); // of IPv4 in IPv6
	*port = y.sin6_port;
}

static struct ends ends_of(const struct crimg_forged *p)
{
	struct ends e;
	memset(&e, 0, sizeof e);
	take(p->from, &e.from4, &e.from6, &e.from_port);
	take(p->to, &e.to4, &e.to6, &e.to_port);
	e.v6 = p->from->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&e.from6);
	return e;
}

static uint32_t sum(const void *data, size_t length)
{
	uint32_t total = 0;
	for (size_t i = 0; i + 1 < length; i += 2) {
		uint16_t word;
		memcpy(&word, (const uint8_t *)data + i, 2);
		total += word;
	}
	return total;
}

static void make_tcp(const struct crimg_forged *p, const struct ends *e, uint8_t out[TCP_BYTES])
{
	uint32_t number = htonl(p->number), acknowledged = htonl(p->acknowledged);
	uint16_t window = htons(p->window);
	memset(out, 0, TCP_BYTES);
	memcpy(out, &e->from_port, 2);
	memcpy(out + 2, &e->to_port, 2);
	memcpy(out + 4, &number, 4);
	memcpy(out + 8, &acknowledged, 4);
	out[12] = TCP_BYTES / 4 << 4;
	out[13] = (uint8_t)(ACK | (p->fin ? FIN : 0));
	memcpy(out + 14, &window, 2);
	uint32_t total = htons(IPPROTO_TCP) + (uint32_t)htons(TCP_BYTES) + sum(out, TCP_BYTES);
	total += e->v6 ? sum(&e->from6, 16) + sum(&e->to6, 16) : sum(&e->from4, 4) + sum(&e->to4, 4);
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	uint16_t check = (uint16_t)~total;
	memcpy(out + 16, &check, 2);
}

static size_t make_packet(const struct crimg_forged *p, const struct ends *e, uint8_t *out)
{
	struct ip6_hdr six;
	struct iphdr four;
	if (e->v6) {
		memset(&six, 0, sizeof six);
		six.ip6_flow = htonl(6u << 28);
		six.ip6_plen = htons(TCP_BYTES);
		six.ip6_nxt = IPPROTO_TCP;
		six.ip6_hlim = HOPS;
		six.ip6_src = e->from6;
		six.ip6_dst = e->to6;
		memcpy(out, &six, sizeof six);
		make_tcp(p, e, out + sizeof six);
		return sizeof six + TCP_BYTES;
	}
	memset(&four, 0, sizeof four); // the kernel fills in its checksum
	four.version = 4;
	four.ihl = sizeof four / 4;
	four.tot_len = htons(sizeof four + TCP_BYTES);
	four.ttl = HOPS;
	four.protocol = IPPROTO_TCP;
	four.saddr = e->from4.s_addr;
	four.daddr = e->to4.s_addr;
	memcpy(out, &four, sizeof four);
	make_tcp(p, e, out + sizeof four);
	return sizeof four + TCP_BYTES;
}

int crimg_forge_send(const struct crimg_forged *p, const char *name, struct crimg_err *err)
{
	uint8_t packet[sizeof(struct ip6_hdr) + TCP_BYTES];
	struct ends e = ends_of(p);
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = e.to4};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = e.to6};
	int mark = CRIU_MARK, fd = open_raw(e.v6 ? AF_INET6 : AF_INET);
	if (fd < 0)
		return crimg_fail_sys(err, errno, name, "a packet in the name of its other end (SOCK_RAW)");
	(void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
	size_t length = make_packet(p, &e, packet);
	ssize_t n = e.v6 ? sendto(fd, packet, length, 0, (const struct sockaddr *)&six, sizeof six)
			 : sendto(fd, packet, length, 0, (const struct sockaddr *)&four, sizeof four);
	int number = errno;
	close(fd);
	return n == (ssize_t)length ? 0
	       : crimg_fail_sys(err, number, name, "a packet in the name of its other end cannot be sent");
}
