// Sockets as entries of files.img. No image with sockets was at hand: places are from the exported headers, what values
// mean is read in the text of v20, or inferred from the kernels of that time. What waits in them is in
// linuxcr_packets.c, connections in linuxcr_tcp.c.
#include <string.h>

#include "format/tcp_state.h"
#include "readers/linuxcr_records.h"

#define SOCKET_PASSCRED 0x8u // of the socket
#define SOCKET_PASSSEC 0x10u
#define SOCK_URGENT_INLINE 0x4u // of what is below it
#define SOCK_KEEPALIVE 0x8u
#define SOCK_LINGER 0x10u
#define SOCK_BROADCAST 0x40u
#define SOCK_DONTROUTE 0x2000u
#define FAMILY_INET6 10u
#define BUFFER_LOCKS 3u // of userlocks: sizes of buffers
#define NS_PER_S 1000000000u
#define NS_PER_US 1000u

// Later postings have a field more at the front.
static uint32_t u32_of(const struct linuxcr_object *o, uint32_t at)
{
	return linuxcr_u32(o->body, at + (o->body->length > CRIMG_LCR_SOCKET_PAYLOAD_V19 ? 8 : 0));
}

static uint8_t u8_of(const struct linuxcr_object *o, uint32_t at)
{
	return (uint8_t)u32_of(o, at);
}

bool linuxcr_socket_is_inet(const struct linuxcr_object *o)
{
	return o->parts[0] != NULL && o->parts[0]->kind == CRIMG_LCR_SOCKET_INET;
}

// The kernel told what somebody asked for, which is half of what there is then.
static uint32_t buffer_bytes(uint32_t told, uint32_t least)
{
	return told == least || told > INT32_MAX ? told : 2 * told;
}

static void put_timeout(const struct linuxcr_object *o, uint32_t at, uint64_t *sec, uint64_t *usec)
{
	uint64_t ns = u32_of(o, at) | (uint64_t)u32_of(o, at + 4) << 32;
	if (ns >= INT64_MAX)
		return; // for ever
	*sec = ns / NS_PER_S;
	*usec = ns % NS_PER_S / NS_PER_US;
}

static void put_options(SkOptsEntry *e, const struct linuxcr_object *o)
{
	uint32_t socket = u32_of(o, CRIMG_LCR_SOCKET_FLAGS), sock = u32_of(o, CRIMG_LCR_SOCK_FLAGS);
	sk_opts_entry__init(e);
	e->so_sndbuf = buffer_bytes(u32_of(o, CRIMG_LCR_SOCK_SNDBUF), CRIMG_LCR_BUFFER_LEAST_SND);
	e->so_rcvbuf = buffer_bytes(u32_of(o, CRIMG_LCR_SOCK_RCVBUF), CRIMG_LCR_BUFFER_LEAST_RCV);
	put_timeout(o, CRIMG_LCR_SOCK_RCVTIMEO, &e->so_rcv_tmo_sec, &e->so_rcv_tmo_usec);
	put_timeout(o, CRIMG_LCR_SOCK_SNDTIMEO, &e->so_snd_tmo_sec, &e->so_snd_tmo_usec);
	e->has_so_priority = e->has_so_rcvlowat = e->has_reuseaddr = true;
	e->so_priority = u32_of(o, CRIMG_LCR_SOCK_PRIORITY);
	e->so_rcvlowat = u32_of(o, CRIMG_LCR_SOCK_RCVLOWAT);
	e->reuseaddr = u32_of(o, CRIMG_LCR_SOCK_REUSE) != 0;
	e->has_so_passcred = e->has_so_passsec = e->has_so_dontroute = true;
	e->so_passcred = (socket & SOCKET_PASSCRED) != 0;
	e->so_passsec = (socket & SOCKET_PASSSEC) != 0;
	e->so_dontroute = (sock & SOCK_DONTROUTE) != 0;
	e->has_so_no_check = e->has_so_broadcast = e->has_so_keepalive = true;
	e->so_no_check = u8_of(o, CRIMG_LCR_SOCK_NO_CHECK) != 0;
	e->so_broadcast = (sock & SOCK_BROADCAST) != 0;
	e->so_keepalive = (sock & SOCK_KEEPALIVE) != 0;
	e->has_so_oobinline = true;
	e->so_oobinline = (sock & SOCK_URGENT_INLINE) != 0;
	e->has_so_linger = (sock & SOCK_LINGER) != 0;
	e->so_linger = u32_of(o, CRIMG_LCR_SOCK_LINGER);
	e->so_buf_lock = u8_of(o, CRIMG_LCR_SOCK_USERLOCKS) & BUFFER_LOCKS;
	e->has_so_buf_lock = e->so_buf_lock != 0;
}

static SkShutdown shutdown_of(const struct linuxcr_object *o)
{
	return (SkShutdown)(u8_of(o, CRIMG_LCR_SOCK_SHUTDOWN) & 3);
}

static uint32_t type_of(const struct linuxcr_object *o)
{
	return u32_of(o, CRIMG_LCR_SOCK_TYPE) & 0xffff;
}

static uint32_t backlog_of(const struct linuxcr_object *o)
{
	return u32_of(o, CRIMG_LCR_SOCK_TYPE) >> 16;
}

void linuxcr_put_unix(const struct linuxcr_image *m, UnixSkEntry *e, SkOptsEntry *options,
		      const struct linuxcr_object *o)
{
	bool v23 = m->c.stream.profile.task_v23;
	const struct linuxcr_record *r = o->parts[0];
	uint32_t at = v23 ? CRIMG_LCR_UNIX_NAME_V23 : CRIMG_LCR_UNIX_NAME_V19;
	uint32_t length = linuxcr_u32(r, at - 8);
	union {
		const uint8_t *lent;
		uint8_t *bytes; // protobuf-c asks for these; encoding changes nothing
		char *text;
	} name = {.lent = r->data + at + 2}, dir;
	put_options(options, o);
	e->ino = linuxcr_u32(r, 0);
	e->peer = linuxcr_u32(r, 4);
	e->type = type_of(o);
	e->state = u8_of(o, CRIMG_LCR_SOCK_STATE);
	e->backlog = backlog_of(o);
	e->opts = options;
	e->shutdown = shutdown_of(o);
	e->has_shutdown = e->shutdown != SK_SHUTDOWN__NONE;
	// The length counts the family in front of the name.
	if (length > 2 && length <= CRIMG_LCR_UNIX_NAME_BYTES)
		e->name = (ProtobufCBinaryData){.len = length - 2, .data = name.bytes};
	if (o->parts[1] != NULL) {
		dir.lent = o->parts[1]->data;
		e->name_dir = dir.text;
	}
}

static uint32_t swapped(uint16_t port)
{
	return (uint32_t)(port >> 8 | (port & 0xff) << 8);
}

static bool is_stream(const struct linuxcr_object *o)
{
	enum { STREAM = 1 };
	return type_of(o) == STREAM;
}

bool linuxcr_socket_is_tcp(const struct linuxcr_object *o)
{
	return linuxcr_socket_is_inet(o) && is_stream(o) && u8_of(o, CRIMG_LCR_SOCK_PROTOCOL) == CRIMG_PROTOCOL_TCP;
}

uint32_t linuxcr_socket_state(const struct linuxcr_object *o)
{
	return u8_of(o, CRIMG_LCR_SOCK_STATE);
}

// Times of keep-alive are in ticks of a length that is not told.
static void put_inet_options(struct linuxcr_inet *i, const struct linuxcr_object *o)
{
	const struct linuxcr_record *r = o->parts[0];
	uint32_t nonagle = linuxcr_u32(r, CRIMG_LCR_TCP_NONAGLE) & 0xff;
	ip_opts_entry__init(&i->ip);
	i->ip.ttl = linuxcr_u16(r, CRIMG_LCR_INET_TTL);
	i->ip.has_ttl = i->ip.ttl >= 1 && i->ip.ttl <= 255; // else the system's
	i->inet.ip_opts = &i->ip;
	if (!linuxcr_socket_is_tcp(o))
		return;
	tcp_opts_entry__init(&i->tcp);
	i->tcp.has_nodelay = i->tcp.nodelay = (nonagle & CRIMG_TCP_NODELAY) != 0;
	i->tcp.has_cork = i->tcp.cork = (nonagle & CRIMG_TCP_CORK) != 0;
	i->tcp.keepcnt = linuxcr_u32(r, CRIMG_LCR_TCP_NONAGLE) >> 24;
	i->tcp.has_keepcnt = i->tcp.keepcnt != 0;
	i->inet.tcp_opts = &i->tcp;
}

void linuxcr_put_inet(struct linuxcr_inet *i, const struct linuxcr_object *o)
{
	const struct linuxcr_record *r = o->parts[0];
	InetSkEntry *e = &i->inet;
	put_options(&i->options, o);
	put_inet_options(i, o);
	e->family = u32_of(o, CRIMG_LCR_SOCK_FAMILY) & 0xffff;
	bool six = e->family == FAMILY_INET6;
	e->ino = (uint32_t)o->ref;
	e->type = type_of(o);
	e->proto = u8_of(o, CRIMG_LCR_SOCK_PROTOCOL);
	e->state = linuxcr_socket_state(o);
	e->backlog = backlog_of(o);
	e->src_port = linuxcr_u16(r, CRIMG_LCR_INET_NUM);
	e->dst_port = swapped(linuxcr_u16(r, CRIMG_LCR_INET_DPORT));
	e->n_src_addr = e->n_dst_addr = six ? 4 : 1;
	e->src_addr = i->addresses;
	e->dst_addr = i->addresses + 4;
	for (uint32_t w = 0; w < e->n_src_addr; w++) {
		e->src_addr[w] = linuxcr_u32(r, six ? CRIMG_LCR_INET6_RCV_SADDR + 4 * w
						    : CRIMG_LCR_INET_RCV_SADDR);
		e->dst_addr[w] =
			linuxcr_u32(r, six ? CRIMG_LCR_INET6_DADDR + 4 * w : CRIMG_LCR_INET_DADDR);
	}
	e->opts = &i->options;
	e->shutdown = shutdown_of(o);
	e->has_shutdown = e->shutdown != SK_SHUTDOWN__NONE;
}
