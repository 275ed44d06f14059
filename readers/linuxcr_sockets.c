// Sockets as entries of files.img, and what waits in those of the unix family. No image with sockets was at
// hand: places are from the exported headers, what values mean is inferred from the kernels of that time.
// Of internet sockets names and states are told; their queues and windows are in the records alone.
#include <string.h>

#include "readers/linuxcr_records.h"

#define SOCKET_PASSCRED 0x8u // of the socket
#define SOCKET_PASSSEC 0x10u
#define SOCK_URGENT_INLINE 0x4u // of what is below it
#define SOCK_KEEPALIVE 0x8u
#define SOCK_LINGER 0x10u
#define SOCK_BROADCAST 0x40u
#define SOCK_DONTROUTE 0x2000u
#define FAMILY_INET6 10u

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

static void put_options(SkOptsEntry *e, const struct linuxcr_object *o)
{
	uint32_t socket = u32_of(o, CRIMG_LCR_SOCKET_FLAGS), sock = u32_of(o, CRIMG_LCR_SOCK_FLAGS);
	sk_opts_entry__init(e);
	e->so_sndbuf = u32_of(o, CRIMG_LCR_SOCK_SNDBUF);
	e->so_rcvbuf = u32_of(o, CRIMG_LCR_SOCK_RCVBUF);
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
	e->so_buf_lock = u8_of(o, CRIMG_LCR_SOCK_USERLOCKS);
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

// addresses: room for 8 words.
void linuxcr_put_inet(InetSkEntry *e, SkOptsEntry *options, const struct linuxcr_object *o,
		      uint32_t *addresses)
{
	const struct linuxcr_record *r = o->parts[0];
	put_options(options, o);
	e->family = u32_of(o, CRIMG_LCR_SOCK_FAMILY) & 0xffff;
	bool six = e->family == FAMILY_INET6;
	e->ino = (uint32_t)o->ref;
	e->type = type_of(o);
	e->proto = u8_of(o, CRIMG_LCR_SOCK_PROTOCOL);
	e->state = u8_of(o, CRIMG_LCR_SOCK_STATE);
	e->backlog = backlog_of(o);
	e->src_port = linuxcr_u16(r, CRIMG_LCR_INET_NUM);
	e->dst_port = swapped(linuxcr_u16(r, CRIMG_LCR_INET_DPORT));
	e->n_src_addr = e->n_dst_addr = six ? 4 : 1;
	e->src_addr = addresses;
	e->dst_addr = addresses + 4;
	for (uint32_t i = 0; i < e->n_src_addr; i++) {
		addresses[i] = linuxcr_u32(r, six ? CRIMG_LCR_INET6_RCV_SADDR + 4 * i
						  : CRIMG_LCR_INET_RCV_SADDR);
		addresses[4 + i] =
			linuxcr_u32(r, six ? CRIMG_LCR_INET6_DADDR + 4 * i : CRIMG_LCR_INET_DADDR);
	}
	e->opts = options;
	e->shutdown = shutdown_of(o);
	e->has_shutdown = e->shutdown != SK_SHUTDOWN__NONE;
}

// A part of what a buffer holds: `length` bytes at `skip` of the BUFFER r. 0: they are not there.
static int add_part(struct linuxcr_image *m, const struct linuxcr_record *r, uint64_t skip,
		    uint64_t length, struct crimg_err *err)
{
	if (r == NULL || r->kind != CRIMG_LCR_BUFFER || !crimg_in_range(skip, length, r->length))
		return 0;
	return model_payload_add(&m->payloads, r->data + skip, 0, length, err) < 0 ? -1 : 1;
}

// The linear part, which the kernel may have given from its head on, then the fragments.
static int add_packet(struct linuxcr_image *m, const struct linuxcr_record *r, struct crimg_err *err)
{
	uint32_t all = linuxcr_u32(r, CRIMG_LCR_SKB_LEN), apart = linuxcr_u32(r, CRIMG_LCR_SKB_FRG_LEN);
	uint32_t linear = all >= apart ? all - apart : 0;
	r = r->sibling;
	if (linear > 0) {
		bool headed = r != NULL && r->length > linear;
		uint32_t skip = headed ? linuxcr_u32(m->record, CRIMG_LCR_SKB_DATA_OFFSET) : 0;
		if (add_part(m, r, skip, linear, err) < 0)
			return -1;
	}
	if (r != NULL && r->kind == CRIMG_LCR_BUFFER)
		r = r->sibling;
	for (; r != NULL && r->kind == CRIMG_LCR_SOCKET_FRAG; r = r->sibling) {
		uint32_t length = linuxcr_u32(r, 0);
		r = r->sibling;
		int rc = add_part(m, r, 0, length, err);
		if (rc <= 0)
			return rc;
	}
	return 0;
}

// What waits in unix sockets, the next of all packets.
int linuxcr_put_queue(struct linuxcr_image *m, size_t object, uint64_t index,
		      struct model_entry *out, struct crimg_err *err)
{
	SkPacketEntry e = SK_PACKET_ENTRY__INIT;
	(void)object;
	if (index == 0) {
		m->cursor = 0;
		m->record = NULL;
	}
	for (; m->cursor < linuxcr_count(&m->c, CRIMG_LCR_OBJ_SOCK); m->cursor++, m->record = NULL) {
		const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_SOCK, m->cursor);
		struct linuxcr_record *r = m->record == NULL ? o->first : m->record->sibling;
		while (r != NULL && r->kind != CRIMG_LCR_SOCKET_BUFFER)
			r = r->sibling;
		if (r == NULL || o->held_by == 0 || linuxcr_socket_is_inet(o))
			continue;
		m->record = r;
		if (model_payload_begin(&m->payloads, err) < 0 || add_packet(m, r, err) < 0)
			return -1;
		e.id_for = (uint32_t)o->held_by;
		e.length = (uint32_t)m->payloads.list[m->payloads.count - 1].length;
		out->has_payload = true;
		linuxcr_from(out, r);
		return model_encode(&e.base, out, err);
	}
	return 0;
}
