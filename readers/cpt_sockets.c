// Sockets of the unix and internet families, and packets that wait in them.
#include "format/limits.h"
#include "format/tcp_state.h"
#include "readers/cpt_records.h"

enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10 };
enum { QUEUE_RECEIVE = 1 };

// Bits of sock.flags (2.6.18 to 2.6.32)
#define SOCK_URGINLINE 0x4u
#define SOCK_KEEPOPEN 0x8u
#define SOCK_LINGER 0x10u
#define SOCK_BROADCAST 0x40u

#define BUFFER_LOCKS 3u // of userlocks: sizes of buffers that were asked for

#define NAME_GONE 1u
#define NAME_BYTES 128u // of an address
#define US_PER_S 1000000u

static void put_timeout(const struct cpt *c, uint64_t jiffies, uint64_t *sec, uint64_t *usec)
{
	if (jiffies >= INT32_MAX)
		return; // for ever: longer than any that can be asked for
	*sec = jiffies / c->hz;
	*usec = jiffies % c->hz * US_PER_S / c->hz;
}

// The kernel's own copy of a program, eight bytes an instruction.
static int add_filter(struct cpt_image *m, const struct cpt_object *s, SkOptsEntry *e, struct crimg_err *err)
{
	enum { INSTRUCTION = 8, LONGEST = 4096 * INSTRUCTION };
	const struct cpt_object *o = cpt_child(&m->c, s, NULL, CRIMG_CPT_OBJ_SKFILTER);
	size_t length = 0;
	uint8_t *code = o == NULL ? NULL : cpt_read(&m->c, o, LONGEST, &length, &m->arena, err);
	if (o == NULL)
		return 0;
	if (code == NULL || (e->so_filter = cpt_make(m, length / INSTRUCTION, INSTRUCTION, err)) == NULL)
		return -1;
	for (; e->n_so_filter < length / INSTRUCTION; e->n_so_filter++)
		e->so_filter[e->n_so_filter] = crimg_get_u64(code + INSTRUCTION * e->n_so_filter);
	return 0;
}

SkOptsEntry *cpt_socket_options(struct cpt_image *m, const struct cpt_object *s, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	uint64_t flags = cpt_get(c, s, CRIMG_CPT_SOCKET_FLAGS);
	SkOptsEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	sk_opts_entry__init(e);
	e->so_sndbuf = cpt_u32(c, s, CRIMG_CPT_SOCKET_SNDBUF);
	e->so_rcvbuf = cpt_u32(c, s, CRIMG_CPT_SOCKET_RCVBUF);
	put_timeout(c, cpt_get(c, s, CRIMG_CPT_SOCKET_SNDTIMEO), &e->so_snd_tmo_sec,
		    &e->so_snd_tmo_usec);
	put_timeout(c, cpt_get(c, s, CRIMG_CPT_SOCKET_RCVTIMEO), &e->so_rcv_tmo_sec,
		    &e->so_rcv_tmo_usec);
	e->has_reuseaddr = e->has_so_priority = e->has_so_rcvlowat = e->has_so_passcred = true;
	e->has_so_dontroute = e->has_so_no_check = e->has_so_broadcast = e->has_so_keepalive = true;
	e->reuseaddr = cpt_get(c, s, CRIMG_CPT_SOCKET_REUSE) != 0;
	e->so_priority = cpt_u32(c, s, CRIMG_CPT_SOCKET_PRIORITY);
	e->so_rcvlowat = cpt_u32(c, s, CRIMG_CPT_SOCKET_RCVLOWAT);
	e->so_passcred = cpt_get(c, s, CRIMG_CPT_SOCKET_PASSCRED) != 0;
	e->so_dontroute = cpt_get(c, s, CRIMG_CPT_SOCKET_LOCALROUTE) != 0;
	e->so_no_check = cpt_get(c, s, CRIMG_CPT_SOCKET_NO_CHECK) != 0;
	e->so_broadcast = (flags & SOCK_BROADCAST) != 0;
	e->so_keepalive = (flags & SOCK_KEEPOPEN) != 0;
	e->has_so_oobinline = (flags & SOCK_URGINLINE) != 0;
	e->so_oobinline = e->has_so_oobinline ? 1 : 0;
	e->has_so_linger = (flags & SOCK_LINGER) != 0;
	e->so_linger = (uint32_t)(cpt_get(c, s, CRIMG_CPT_SOCKET_LINGERTIME) / c->hz);
	e->so_buf_lock = cpt_u32(c, s, CRIMG_CPT_SOCKET_USERLOCKS) & BUFFER_LOCKS;
	e->has_so_buf_lock = e->so_buf_lock != 0;
	return add_filter(m, s, e, err) < 0 ? NULL : e;
}

static SkShutdown shutdown_of(const struct cpt *c, const struct cpt_object *s)
{
	return (SkShutdown)(cpt_get(c, s, CRIMG_CPT_SOCKET_SHUTDOWN) & 3);
}

// The bytes of an address behind its family.
static ProtobufCBinaryData unix_name(struct cpt_image *m, const struct cpt_object *s,
				     struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	uint64_t length = cpt_get(c, s, CRIMG_CPT_SOCKET_LADDRLEN);
	ProtobufCBinaryData name = {0};
	if (length > NAME_BYTES || length < 2)
		length = 2;
	name.len = (size_t)length - 2;
	if ((name.data = cpt_make(m, name.len, 1, err)) != NULL)
		memcpy(name.data, cpt_bytes(c, s, CRIMG_CPT_SOCKET_LADDR) + 2, name.len);
	return name;
}

// Owner and mode of the file that is the name; there are none of others.
static FilePermsEntry *permissions(struct cpt_image *m, const struct cpt_object *s, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	FilePermsEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	file_perms_entry__init(e);
	e->mode = cpt_u32(c, s, CRIMG_CPT_SOCKET_I_MODE);
	e->uid = cpt_u32(c, s, CRIMG_CPT_SOCKET_I_UID);
	e->gid = cpt_u32(c, s, CRIMG_CPT_SOCKET_I_GID);
	return e;
}

static int put_unix(struct cpt_image *m, const struct cpt_object *file, const struct cpt_object *s,
		    FileEntry *e, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	UnixSkEntry *u = cpt_make(m, 1, sizeof *u, err);
	uint64_t peer = cpt_get(c, s, CRIMG_CPT_SOCKET_PEER);
	const struct cpt_object *other =
		peer == CRIMG_CPT_NO_INDEX ? NULL : cpt_socket_by_index(m, peer);
	if (u == NULL)
		return -1;
	unix_sk_entry__init(u);
	u->id = e->id;
	u->ino = cpt_id(s);
	u->type = cpt_u32(c, s, CRIMG_CPT_SOCKET_TYPE);
	u->state = cpt_u32(c, s, CRIMG_CPT_SOCKET_STATE);
	u->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	u->backlog = cpt_u32(c, s, CRIMG_CPT_SOCKET_MAX_ACK_BACKLOG);
	u->peer = cpt_id(other);
	u->has_shutdown = shutdown_of(c, s) != SK_SHUTDOWN__NONE;
	u->shutdown = shutdown_of(c, s);
	u->has_ns_id = true;
	u->ns_id = CPT_NS_NET;
	u->name = unix_name(m, s, err);
	u->has_deleted = u->deleted = (cpt_get(c, s, CRIMG_CPT_SOCKET_SOCKFLAGS) & NAME_GONE) != 0;
	bool owned = cpt_has(c, s, CRIMG_CPT_SOCKET_I_UID)
		     && cpt_get(c, s, CRIMG_CPT_SOCKET_I_UID) != UINT32_MAX;
	if (owned && (u->file_perms = permissions(m, s, err)) == NULL)
		return -1;
	if (u->name.data == NULL || (u->fown = cpt_fown(m, file, err)) == NULL
	    || (u->opts = cpt_socket_options(m, s, err)) == NULL)
		return -1;
	e->usk = u;
	return 1;
}

// An address of the internet: *port in this machine's order, words as they are sent.
static int put_endpoint(struct cpt_image *m, const struct cpt_object *s, enum crimg_cpt_field field,
			uint32_t **words, size_t *count, uint32_t *port, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const uint8_t *a = cpt_bytes(c, s, field);
	bool six = cpt_get(c, s, CRIMG_CPT_SOCKET_FAMILY) == FAMILY_INET6;
	*count = six ? 4 : 1;
	if ((*words = cpt_make(m, *count, sizeof **words, err)) == NULL)
		return -1;
	*port = (uint32_t)a[2] << 8 | a[3];
	for (size_t i = 0; i < *count; i++)
		(*words)[i] = crimg_get_u32(a + (six ? 8 : 4) + 4 * i);
	return 0;
}

// Of TCP's own options those that are not the system's.
static TcpOptsEntry *tcp_options(struct cpt_image *m, const struct cpt_object *s, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	uint32_t nonagle = cpt_u32(c, s, CRIMG_CPT_SOCKET_NONAGLE);
	TcpOptsEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	tcp_opts_entry__init(e);
	e->has_nodelay = e->nodelay = (nonagle & CRIMG_TCP_NODELAY) != 0;
	e->has_cork = e->cork = (nonagle & CRIMG_TCP_CORK) != 0;
	e->keepcnt = cpt_u32(c, s, CRIMG_CPT_SOCKET_KEEPALIVE_PROBES);
	e->keepidle = cpt_u32(c, s, CRIMG_CPT_SOCKET_KEEPALIVE_TIME) / c->hz;
	e->keepintvl = cpt_u32(c, s, CRIMG_CPT_SOCKET_KEEPALIVE_INTVL) / c->hz;
	e->has_keepcnt = e->keepcnt != 0;
	e->has_keepidle = e->keepidle != 0;
	e->has_keepintvl = e->keepintvl != 0;
	return e;
}

static IpOptsEntry *ip_options(struct cpt_image *m, const struct cpt_object *s, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	IpOptsEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	ip_opts_entry__init(e);
	e->ttl = cpt_u32(c, s, CRIMG_CPT_SOCKET_UC_TTL);
	e->has_ttl = e->ttl >= 1 && e->ttl <= 255; // else the system's
	e->tos = cpt_u32(c, s, CRIMG_CPT_SOCKET_TOS);
	e->has_tos = e->tos != 0;
	e->has_freebind = e->freebind = cpt_get(c, s, CRIMG_CPT_SOCKET_FREEBIND) != 0;
	return e;
}

static int put_inet(struct cpt_image *m, const struct cpt_object *file, const struct cpt_object *s,
		    FileEntry *e, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	InetSkEntry *i = cpt_make(m, 1, sizeof *i, err);
	if (i == NULL)
		return -1;
	inet_sk_entry__init(i);
	i->id = e->id;
	i->ino = cpt_id(s);
	i->family = cpt_u32(c, s, CRIMG_CPT_SOCKET_FAMILY);
	i->type = cpt_u32(c, s, CRIMG_CPT_SOCKET_TYPE);
	i->proto = cpt_u32(c, s, CRIMG_CPT_SOCKET_PROTOCOL);
	i->state = cpt_u32(c, s, CRIMG_CPT_SOCKET_STATE);
	i->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	i->backlog = cpt_u32(c, s, CRIMG_CPT_SOCKET_MAX_ACK_BACKLOG);
	i->has_v6only = i->family == FAMILY_INET6;
	i->v6only = cpt_get(c, s, CRIMG_CPT_SOCKET_IPV6ONLY6) != 0;
	i->has_shutdown = shutdown_of(c, s) != SK_SHUTDOWN__NONE;
	i->shutdown = shutdown_of(c, s);
	i->has_ns_id = true;
	i->ns_id = CPT_NS_NET;
	if (put_endpoint(m, s, CRIMG_CPT_SOCKET_LADDR, &i->src_addr, &i->n_src_addr, &i->src_port,
			 err) < 0
	    || put_endpoint(m, s, CRIMG_CPT_SOCKET_RADDR, &i->dst_addr, &i->n_dst_addr,
			    &i->dst_port, err) < 0
	    || (i->fown = cpt_fown(m, file, err)) == NULL
	    || (i->opts = cpt_socket_options(m, s, err)) == NULL
	    || (i->ip_opts = ip_options(m, s, err)) == NULL
	    || (cpt_is_tcp(c, s) && (i->tcp_opts = tcp_options(m, s, err)) == NULL))
		return -1;
	e->isk = i;
	return 1;
}

int cpt_put_socket(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		   struct crimg_err *err)
{
	const struct cpt_object *s = m->files[file->nth].socket;
	switch (e->type) {
	case FD_TYPES__UNIXSK:
		return put_unix(m, file, s, e, err);
	case FD_TYPES__INETSK:
		return put_inet(m, file, s, e, err);
	case FD_TYPES__PACKETSK:
		return cpt_put_packet(m, file, s, e, err);
	case FD_TYPES__NETLINKSK:
		return cpt_put_netlink(m, file, s, e, err);
	default:
		return 0;
	}
}

// Packets that wait to be received; those of TCP are bytes of a stream (cpt_tcp.c).
CPT_ENTRY(cpt_put_queue)
{
	const struct cpt *c = &m->c;
	size_t sockets = cpt_count(c, CRIMG_CPT_OBJ_SOCKET);
	(void)object;
	if (index == 0)
		m->cursor = m->inner = 0;
	for (; m->cursor < cpt_count(c, CRIMG_CPT_OBJ_SKB); m->cursor++) {
		const struct cpt_object *skb = cpt_nth(c, CRIMG_CPT_OBJ_SKB, m->cursor);
		size_t place = (size_t)(skb - c->objects);
		uint64_t at, length;
		SkPacketEntry e = SK_PACKET_ENTRY__INIT;
		while (m->inner < sockets
		       && cpt_nth(c, CRIMG_CPT_OBJ_SOCKET, m->inner)->end <= place)
			m->inner++;
		const struct cpt_object *s =
			m->inner < sockets ? cpt_nth(c, CRIMG_CPT_OBJ_SOCKET, m->inner) : NULL;
		const struct cpt_object *file =
			s == NULL ? NULL : cpt_ref(c, s, CRIMG_CPT_SOCKET_FILE);
		if (file == NULL || cpt_is_tcp(c, s)
		    || cpt_get(c, skb, CRIMG_CPT_SKB_QUEUE) != QUEUE_RECEIVE
		    || !cpt_skb_data(c, skb, &at, &length))
			continue;
		m->cursor++;
		e.id_for = cpt_id(file);
		e.length = (uint32_t)length;
		cpt_from(out, skb);
		out->has_payload = true;
		if (model_payload_begin(&m->payloads, err) < 0
		    || model_payload_add(&m->payloads, NULL, at, length, err) < 0)
			return -1;
		return model_encode(&e.base, out, err);
	}
	return 0;
}
