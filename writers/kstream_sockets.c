// Sockets, and what waits in those of the unix family; connections are in kstream_tcp.c. No image with sockets was at hand:
// places are those of the published headers, what values mean is read in the text of v20, or inferred from the kernels of
// that time.
#include <stdio.h>
#include <string.h>

#include "format/layout_linuxcr.h"
#include "format/tcp_state.h"
#include "writers/kstream_net.h"

#define FAMILY_UNIX 1u
#define FAMILY_INET6 10u
#define SOCKET_UNCONNECTED 1u
#define SOCKET_CONNECTED 3u
#define SOCKET_DISCONNECTING 4u
#define SOCKET_PASSCRED 0x8u
#define SOCKET_PASSSEC 0x10u
#define SOCK_URGENT_INLINE 0x4u
#define SOCK_KEEPALIVE 0x8u
#define SOCK_LINGER 0x10u
#define SOCK_BROADCAST 0x40u
#define SOCK_DONTROUTE 0x2000u
#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_US 1000u
#define PROTOCOL_UDP 17u
#define SOCKADDR_IN_BYTES 16u
#define DEFAULT_TTL 0xffffu // -1

// What SOCKET says of a socket of any family.
struct socket {
	uint32_t family, type, protocol, state, backlog, shutdown;
	const SkOptsEntry *opts;
};

// What waits in those that listen are connections, which have no place. The names of states are TCP's.
static bool has_queues(uint32_t state)
{
	return state != CRIMG_TCP_LISTEN;
}

// The kernel refuses a socket that is connected in any other state.
static uint32_t state_above(uint32_t state)
{
	if (state == CRIMG_TCP_ESTABLISHED)
		return SOCKET_CONNECTED;
	return crimg_tcp_is_connected(state) ? SOCKET_DISCONNECTING : SOCKET_UNCONNECTED;
}

// Half of what there is, as somebody would ask for it; 0 s is no timeout.
static uint32_t asked_for(uint32_t bytes, uint32_t least)
{
	return bytes == least ? bytes : bytes / 2;
}

static uint64_t timeout_ns(uint64_t sec, uint64_t usec)
{
	return sec > INT64_MAX / NS_PER_S - 1 ? 0 : sec * NS_PER_S + usec * NS_PER_US;
}

static bool is_on(bool has, bool value)
{
	return has && value;
}

static uint32_t flags_of(const SkOptsEntry *e)
{
	return (is_on(e->has_so_oobinline, e->so_oobinline != 0) ? SOCK_URGENT_INLINE : 0)
		| (is_on(e->has_so_keepalive, e->so_keepalive) ? SOCK_KEEPALIVE : 0)
		| (e->has_so_linger ? SOCK_LINGER : 0)
		| (is_on(e->has_so_broadcast, e->so_broadcast) ? SOCK_BROADCAST : 0)
		| (is_on(e->has_so_dontroute, e->so_dontroute) ? SOCK_DONTROUTE : 0);
}

static void put_socket(struct kstream_out *o, const struct socket *s)
{
	const SkOptsEntry *e = s->opts;
	kstream_begin(o, CRIMG_LCR_SOCKET);
	if (o->rc2)
		kstream_u64(o, has_queues(s->state));
	kstream_u64(o, (is_on(e->has_so_passcred, e->so_passcred) ? SOCKET_PASSCRED : 0)
	                       | (is_on(e->has_so_passsec, e->so_passsec) ? SOCKET_PASSSEC : 0));
	kstream_u64(o, state_above(s->state));
	kstream_u32(o, 0); // device it is bound to
	kstream_u32(o, is_on(e->has_reuseaddr, e->reuseaddr));
	kstream_u16(o, s->family);
	kstream_u8(o, s->state);
	kstream_zeros(o, 5);
	kstream_u32(o, e->has_so_rcvlowat ? e->so_rcvlowat : 1);
	kstream_u32(o, 0);
	kstream_u64(o, flags_of(e));
	kstream_u64(o, timeout_ns(e->so_rcv_tmo_sec, e->so_rcv_tmo_usec));
	kstream_u64(o, timeout_ns(e->so_snd_tmo_sec, e->so_snd_tmo_usec));
	kstream_u64(o, 0); // errors
	kstream_u32(o, e->has_so_priority ? e->so_priority : 0);
	kstream_u32(o, asked_for(e->so_rcvbuf, CRIMG_LCR_BUFFER_LEAST_RCV));
	kstream_u32(o, asked_for(e->so_sndbuf, CRIMG_LCR_BUFFER_LEAST_SND));
	kstream_u16(o, s->type);
	kstream_u16(o, s->backlog);
	kstream_u8(o, s->protocol);
	kstream_u8(o, s->state);
	kstream_u8(o, s->shutdown);
	kstream_u8(o, e->has_so_buf_lock ? e->so_buf_lock : 0);
	kstream_u8(o, is_on(e->has_so_no_check, e->so_no_check));
	kstream_zeros(o, 3);
	kstream_u32(o, e->has_so_linger ? 1 : 0);
	kstream_u32(o, e->has_so_linger ? e->so_linger : 0);
	kstream_end(o);
}

static bool is_unix_of(const struct kstream *k, uint32_t ino)
{
	for (size_t i = 0; i < k->files.count; i++)
		if (k->files.list[i].type == FD_TYPES__UNIXSK && k->files.list[i].message != NULL
		    && crimg_file_inode(&k->files.list[i]) == ino)
			return true;
	return false;
}

static void put_address(struct kstream_out *o, const uint8_t *name, size_t length)
{
	kstream_u16(o, FAMILY_UNIX);
	kstream_bytes(o, name, length);
	kstream_zeros(o, CRIMG_LCR_UNIX_NAME_BYTES - 2 - length);
}

static void put_unix(struct kstream *k, const struct crimg_file *f, const UnixSkEntry *e, int32_t ref)
{
	struct kstream_out *o = &k->out;
	struct socket s = { FAMILY_UNIX, e->type, 0, e->state, e->backlog,
		            e->has_shutdown ? (uint32_t)e->shutdown : 0, e->opts };
	size_t length = e->name.len <= CRIMG_LCR_UNIX_NAME_BYTES - 2 ? e->name.len : 0;
	bool inside = e->peer != 0 && is_unix_of(k, e->peer);
	int32_t peer = inside ? kstream_number_of(k, CRIMG_LCR_OBJ_SOCK, e->peer, NULL) : 0;
	if (e->peer != 0 && !inside)
		kstream_lose(k, "files.img", "usk.peer", "file %u: its peer is outside", f->id);
	put_socket(o, &s);
	kstream_begin(o, CRIMG_LCR_SOCKET_UNIX);
	kstream_ref(o, ref);
	kstream_ref(o, peer);
	kstream_ref(o, o->rc2 && peer != 0 ? k->creds : 0);
	if (!o->rc2)
		kstream_u32(o, 0);
	kstream_u32(o, 0); // flags
	kstream_u32(o, length > 0 ? (uint32_t)length + 2 : 2);
	kstream_u32(o, 2);
	put_address(o, e->name.data, length);
	put_address(o, NULL, 0);
	kstream_zeros(o, o->rc2 ? 4 : 0);
	kstream_end(o);
	if (e->name_dir == NULL)
		return;
	kstream_begin(o, CRIMG_LCR_STRING);
	kstream_bytes(o, e->name_dir, strlen(e->name_dir) + 1);
	kstream_end(o);
}

static uint32_t on_wire(uint32_t port)
{
	return (port >> 8 & 0xff) | (port & 0xff) << 8;
}

static uint32_t word(const uint32_t *words, size_t count, size_t i)
{
	return i < count ? words[i] : 0;
}

static void put_inet(struct kstream *k, const InetSkEntry *e)
{
	struct kstream_out *o = &k->out;
	struct socket s = { e->family, e->type, e->proto, e->state, e->backlog,
		            e->has_shutdown ? (uint32_t)e->shutdown : 0, e->opts };
	const TcpStreamEntry *stream = kstream_tcp_stream(k, e);
	bool six = e->family == FAMILY_INET6;
	put_socket(o, &s);
	kstream_begin(o, CRIMG_LCR_SOCKET_INET);
	kstream_u32(o, six ? 0 : word(e->dst_addr, e->n_dst_addr, 0));
	kstream_u32(o, six ? 0 : word(e->src_addr, e->n_src_addr, 0));
	kstream_u32(o, six ? 0 : word(e->src_addr, e->n_src_addr, 0));
	kstream_u16(o, on_wire(e->dst_port));
	kstream_u16(o, e->src_port);
	kstream_u16(o, on_wire(e->src_port));
	kstream_u16(o, e->ip_opts != NULL && e->ip_opts->has_ttl ? e->ip_opts->ttl : DEFAULT_TTL);
	kstream_zeros(o, CRIMG_LCR_TCP_RCV_NXT - CRIMG_LCR_INET_TTL - 2); // acknowledgements that wait
	if (e->proto == CRIMG_PROTOCOL_TCP)
		kstream_tcp_state(k, e, stream);
	else
		kstream_zeros(o, KSTREAM_TCP_BYTES);
	kstream_zeros(o, CRIMG_LCR_INET6_RCV_SADDR - 16 - CRIMG_LCR_TCP_RCV_NXT - KSTREAM_TCP_BYTES);
	for (size_t copy = 0; copy < 2; copy++) // saddr, rcv_saddr
		for (size_t i = 0; i < 4; i++)
			kstream_u32(o, six ? word(e->src_addr, e->n_src_addr, i) : 0);
	for (size_t i = 0; i < 4; i++)
		kstream_u32(o, six ? word(e->dst_addr, e->n_dst_addr, i) : 0);
	kstream_u32(o, six ? 0 : SOCKADDR_IN_BYTES);
	kstream_u32(o, six ? 0 : SOCKADDR_IN_BYTES);
	for (size_t end = 0; end < 2; end++) {
		kstream_u16(o, six ? 0 : e->family);
		kstream_u16(o, six ? 0 : on_wire(end == 0 ? e->src_port : e->dst_port));
		kstream_u32(o, six ? 0 : end == 0 ? word(e->src_addr, e->n_src_addr, 0)
		                                  : word(e->dst_addr, e->n_dst_addr, 0));
		kstream_u64(o, 0);
	}
	kstream_end(o);
}

bool kstream_socket_has_place(const struct crimg_file *f)
{
	const void *message = f->message;
	const InetSkEntry *inet = message;
	const UnixSkEntry *usk = message;
	if (f->type == FD_TYPES__UNIXSK)
		return usk->opts != NULL && (usk->state == CRIMG_TCP_ESTABLISHED || usk->state == CRIMG_TCP_CLOSE
		                             || usk->state == CRIMG_TCP_LISTEN);
	return inet->opts != NULL
		&& (inet->proto == PROTOCOL_UDP
	            || (inet->proto == CRIMG_PROTOCOL_TCP
	                && (inet->state == CRIMG_TCP_CLOSE || inet->state == CRIMG_TCP_LISTEN
	                    || crimg_tcp_is_connected(inet->state))));
}

static void lose_of_socket(struct kstream *k, const struct crimg_file *f, const SkOptsEntry *e)
{
	bool others = (e->has_so_mark && e->so_mark != 0) || e->so_bound_dev != NULL || e->n_so_filter > 0
		|| is_on(e->has_so_reuseport, e->so_reuseport);
	if (others)
		kstream_lose(k, "files.img", "opts", "file %u: options without a place: mark, device, filter or shared "
		             "port", f->id);
}

static void lose_of_connection(struct kstream *k, const struct crimg_file *f, const InetSkEntry *e)
{
	const TcpStreamEntry *stream = kstream_tcp_stream(k, e);
	if (e->proto != CRIMG_PROTOCOL_TCP || !crimg_tcp_is_connected(e->state))
		return;
	if (stream == NULL)
		kstream_lose(k, "files.img", "isk.state", "file %u: its connection is not in the image: none", f->id);
	else if ((stream->opt_mask & ~CRIMG_TCP_ECN) != 0)
		kstream_lose_of(k, CRIMG_KIND_TCP_STREAM, e->ino, "opt_mask",
		                "timestamps, selective acknowledgement and scaled windows have no place: none");
}

// What every socket of today has, and none of then.
static void note_of_socket(struct kstream *k, const struct crimg_file *f)
{
	char what[96];
	snprintf(what, sizeof what, "left out of file %u: options of IP, times of keep-alive, owner and mode of its name", f->id);
	kstream_note_of(k, CRIMG_KIND_FILES, 0, "opts", what);
}

int32_t kstream_socket(struct kstream *k, const struct crimg_file *f)
{
	const void *message = f->message;
	const UnixSkEntry *usk = message;
	const InetSkEntry *inet = message;
	bool is_unix = f->type == FD_TYPES__UNIXSK;
	uint64_t key = is_unix ? usk->ino : UINT64_C(1) << 32 | inet->ino;
	int32_t ref;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_SOCK, key, &ref))
		return ref;
	if (is_unix)
		put_unix(k, f, usk, ref);
	else
		put_inet(k, inet);
	lose_of_socket(k, f, is_unix ? usk->opts : inet->opts);
	note_of_socket(k, f);
	if (!is_unix)
		lose_of_connection(k, f, inet);
	if (!is_unix && inet->has_v6only && inet->v6only)
		kstream_lose(k, "files.img", "isk.v6only", "file %u: takes IPv4 as well", f->id);
	return ref;
}

void kstream_queue(struct kstream_out *o, uint32_t buffers, uint32_t bytes)
{
	kstream_begin(o, CRIMG_LCR_SOCKET_QUEUE);
	kstream_u32(o, buffers);
	kstream_u32(o, bytes);
	kstream_end(o);
}

void kstream_packet(struct kstream_out *o, const uint8_t *bytes, uint32_t length, const uint8_t *cb)
{
	enum { CB_BYTES = 48 };
	kstream_begin(o, CRIMG_LCR_SOCKET_BUFFER);
	kstream_zeros(o, 12);
	kstream_u32(o, length);
	kstream_u32(o, 0); // in fragments
	kstream_u32(o, length);
	kstream_zeros(o, 24);
	if (cb != NULL)
		kstream_bytes(o, cb, CB_BYTES);
	else
		kstream_zeros(o, CB_BYTES);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_BUFFER);
	kstream_bytes(o, bytes, bytes != NULL ? length : 0);
	kstream_end(o);
}

static void put_packet(struct kstream *k, const struct crimg_image_entry *entry)
{
	const SkPacketEntry *e = (const void *)entry->message;
	if (e->n_scm > 0)
		kstream_lose(k, "sk-queues.img", "scm", "file %u: what is sent along with a packet has no place", e->id_for);
	kstream_packet(&k->out, kstream_content(k->contents, entry->payload), (uint32_t)entry->payload.length, NULL);
}

// What was received, then what waits to be sent, which is nothing: those of unix hand over at once.
static void put_packets(struct kstream *k, const struct crimg_file *f)
{
	struct kstream_out *o = &k->out;
	struct crimg_entries found = { .count = 0 };
	uint64_t total = 0;
	bool received = f->type == FD_TYPES__UNIXSK;
	if (received
	    && crimg_image_select_entries(k->image, CRIMG_KIND_SK_QUEUES, "id_for", f->id, &found, &o->err) < 0)
		return;
	for (size_t i = 0; i < found.count; i++) {
		total += found.items[i]->payload.length;
		if (found.items[i]->payload.length > 0
		    && kstream_content(k->contents, found.items[i]->payload) == NULL && !kstream_failed(o))
			crimg_fail(&o->err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
			           "what waits in socket %u did not come", f->id);
	}
	kstream_queue(o, (uint32_t)found.count, (uint32_t)total);
	for (size_t i = 0; i < found.count; i++)
		put_packet(k, found.items[i]);
	kstream_queue(o, 0, 0);
}

void kstream_socket_queues(struct kstream *k, const struct crimg_file *f)
{
	const void *message = f->message;
	const UnixSkEntry *usk = message;
	const InetSkEntry *inet = message;
	bool is_unix = f->type == FD_TYPES__UNIXSK;
	if (kstream_failed(&k->out) || !has_queues(is_unix ? usk->state : inet->state))
		return;
	if (!is_unix && inet->proto == CRIMG_PROTOCOL_TCP)
		kstream_tcp_queues(k, inet);
	else
		put_packets(k, f);
}
