// Sockets: what every family has, and their own addresses. What waits in them is in cptmake_queues.c, connections in
// cptmake_tcp.c.
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/tcp_state.h"
#include "writers/cptmake_net.h"

enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10, FAMILY_NETLINK = 16, FAMILY_PACKET = 17 };
enum { SERIES_UNIX = 1, SERIES_INET, SERIES_NETLINK, SERIES_PACKET };
enum { CONNECTED = 3, UNCONNECTED = 1, DISCONNECTING = 4 }; // of the socket, above the protocol
enum { TYPE_RAW = 3 };

// Bits of sock.flags (2.6.18 to 2.6.32)
#define SOCK_URGINLINE 0x4u
#define SOCK_KEEPOPEN 0x8u
#define SOCK_LINGER 0x10u
#define SOCK_BROADCAST 0x40u

#define PEER_SOCKETPAIR 1u
#define FLAG_GONE 1u
#define ADDRESS_BYTES 128u
#define HZ 1000u
#define US_PER_S 1000000u
#define DEFAULT_HOPS UINT32_MAX
#define PATH_MTU_WANTED 1u

// What a socket's message says, whichever it is.
struct common {
	uint32_t series, ino, family, type, protocol, state, backlog, shutdown;
	const SkOptsEntry *opts;
};

static struct common common_of(const struct crimg_file *f)
{
	const UnixSkEntry *u = f->type == FD_TYPES__UNIXSK ? f->message : NULL;
	const InetSkEntry *i = f->type == FD_TYPES__INETSK ? f->message : NULL;
	const NetlinkSkEntry *n = f->type == FD_TYPES__NETLINKSK ? f->message : NULL;
	const PacketSockEntry *p = f->type == FD_TYPES__PACKETSK ? f->message : NULL;
	if (u != NULL)
		return (struct common){SERIES_UNIX, u->ino, FAMILY_UNIX, u->type, 0, u->state, u->backlog,
				       u->has_shutdown ? (uint32_t)u->shutdown : 0, u->opts};
	if (i != NULL)
		return (struct common){SERIES_INET, i->ino, i->family, i->type, i->proto, i->state, i->backlog,
				       i->has_shutdown ? (uint32_t)i->shutdown : 0, i->opts};
	if (n != NULL)
		return (struct common){SERIES_NETLINK, n->ino, FAMILY_NETLINK, TYPE_RAW, n->protocol, n->state,
				       0, 0, n->opts};
	if (p != NULL)
		return (struct common){SERIES_PACKET, p->id, FAMILY_PACKET, p->type, 0, CRIMG_TCP_CLOSE, 0, 0,
				       p->opts};
	return (struct common){.series = 0};
}

static uint64_t key_of(const struct crimg_file *f)
{
	struct common c = common_of(f);
	return c.opts == NULL ? 0 : CPTMAKE_KEY(c.series, c.ino);
}

bool cptmake_is_socket(const struct crimg_file *f)
{
	return key_of(f) != 0;
}

// Sockets are known to each other by their place among all.
uint32_t cptmake_socket_index(const struct cptmake *k, const struct crimg_file *f)
{
	const struct cptmake_place *p = cptmake_map_find(&k->sockets, key_of(f));
	return p == NULL ? CRIMG_CPT_NO_INDEX : (uint32_t)(p - k->sockets.list);
}

static uint32_t peer_of(const struct cptmake *k, const struct crimg_file *f)
{
	const UnixSkEntry *u = f->type == FD_TYPES__UNIXSK ? f->message : NULL;
	const struct cptmake_place *p =
		u == NULL || u->peer == 0 ? NULL : cptmake_map_find(&k->sockets, CPTMAKE_KEY(SERIES_UNIX, u->peer));
	return p == NULL ? CRIMG_CPT_NO_INDEX : (uint32_t)(p - k->sockets.list);
}

static uint64_t ticks(uint64_t sec, uint64_t usec)
{
	uint64_t all = sec > INT32_MAX / HZ ? INT32_MAX : sec * HZ + usec * HZ / US_PER_S;
	return sec == 0 && usec == 0 ? CRIMG_CPT_NONE : all; // for ever
}

static uint32_t flags_of(const SkOptsEntry *e)
{
	return (e->has_so_oobinline && e->so_oobinline != 0 ? SOCK_URGINLINE : 0)
	       | (e->has_so_keepalive && e->so_keepalive ? SOCK_KEEPOPEN : 0)
	       | (e->has_so_linger ? SOCK_LINGER : 0)
	       | (e->has_so_broadcast && e->so_broadcast ? SOCK_BROADCAST : 0);
}

static uint32_t state_above(uint32_t state)
{
	if (state == CRIMG_TCP_ESTABLISHED || state == CRIMG_TCP_CLOSE_WAIT)
		return CONNECTED;
	return crimg_tcp_is_connected(state) ? DISCONNECTING : UNCONNECTED;
}

static void put_options(struct cptmake_object *o, const struct common *c)
{
	const SkOptsEntry *e = c->opts;
	const struct {
		enum crimg_cpt_field field;
		uint64_t value;
	} values[] = {
		{CRIMG_CPT_SOCKET_PARENT, CRIMG_CPT_NO_INDEX},
		{CRIMG_CPT_SOCKET_TYPE, c->type},
		{CRIMG_CPT_SOCKET_FAMILY, c->family},
		{CRIMG_CPT_SOCKET_SSTATE, c->series == SERIES_NETLINK ? UNCONNECTED : state_above(c->state)},
		{CRIMG_CPT_SOCKET_STATE, c->state},
		{CRIMG_CPT_SOCKET_PROTOCOL, c->protocol},
		{CRIMG_CPT_SOCKET_MAX_ACK_BACKLOG,
		 c->state == CRIMG_TCP_LISTEN ? crimg_min_u64(c->backlog, UINT16_MAX) : 0},
		{CRIMG_CPT_SOCKET_SHUTDOWN, c->shutdown},
		{CRIMG_CPT_SOCKET_PASSCRED, e->has_so_passcred && e->so_passcred},
		{CRIMG_CPT_SOCKET_REUSE, e->has_reuseaddr && e->reuseaddr},
		{CRIMG_CPT_SOCKET_USERLOCKS, e->has_so_buf_lock ? e->so_buf_lock : 0},
		{CRIMG_CPT_SOCKET_NO_CHECK, e->has_so_no_check && e->so_no_check},
		{CRIMG_CPT_SOCKET_LOCALROUTE, e->has_so_dontroute && e->so_dontroute},
		{CRIMG_CPT_SOCKET_PRIORITY, e->has_so_priority ? e->so_priority : 0},
		{CRIMG_CPT_SOCKET_RCVLOWAT, e->has_so_rcvlowat ? e->so_rcvlowat : 1},
		{CRIMG_CPT_SOCKET_RCVTIMEO, ticks(e->so_rcv_tmo_sec, e->so_rcv_tmo_usec)},
		{CRIMG_CPT_SOCKET_SNDTIMEO, ticks(e->so_snd_tmo_sec, e->so_snd_tmo_usec)},
		{CRIMG_CPT_SOCKET_RCVBUF, e->so_rcvbuf},
		{CRIMG_CPT_SOCKET_SNDBUF, e->so_sndbuf},
		{CRIMG_CPT_SOCKET_FLAGS, flags_of(e)},
		{CRIMG_CPT_SOCKET_LINGERTIME, e->has_so_linger ? (uint64_t)e->so_linger * HZ : 0},
		{CRIMG_CPT_SOCKET_PEER, CRIMG_CPT_NO_INDEX},
		{CRIMG_CPT_SOCKET_I_UID, UINT32_MAX},
		{CRIMG_CPT_SOCKET_I_GID, UINT32_MAX},
	};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		cptmake_set(o, values[i].field, values[i].value);
}

static int lose_options(struct cptmake *k, const struct crimg_file *f, const struct common *c, struct crimg_err *err)
{
	const SkOptsEntry *e = c->opts;
	char what[128];
	snprintf(what, sizeof what, "socket %u: left out, for it does not listen", f->id);
	if (c->backlog != 0 && c->state != CRIMG_TCP_LISTEN
	    && cptmake_lose(k, CRIMG_KIND_FILES, 0, "backlog", what, err) < 0)
		return -1;
	if (!((e->has_so_mark && e->so_mark != 0) || e->so_bound_dev != NULL
	      || (e->has_so_reuseport && e->so_reuseport) || (e->has_so_passsec && e->so_passsec)))
		return 0;
	snprintf(what, sizeof what, "socket %u: mark, device, shared port or passed labels are left out", f->id);
	return cptmake_lose(k, CRIMG_KIND_FILES, 0, "opts", what, err);
}

// A name is absolute there; one that is none is that of a file all the same, so it is put behind its directory.
static int put_unix(struct cptmake *k, const struct crimg_file *f, struct cptmake_object *o, struct crimg_err *err)
{
	const UnixSkEntry *u = f->message;
	uint8_t address[ADDRESS_BYTES] = {FAMILY_UNIX};
	size_t dir = u->name_dir != NULL && u->name.len > 0 && u->name.data[0] != '/' ? strlen(u->name_dir) : 0;
	size_t length = u->name.len + (dir > 0 ? dir + 1 : 0);
	char what[96];
	snprintf(what, sizeof what, "socket %u: its name of %zu bytes is left out", f->id, length);
	if (length > sizeof address - 2) {
		length = 0;
		if (cptmake_lose(k, CRIMG_KIND_FILES, 0, "usk.name", what, err) < 0)
			return -1;
	} else if (dir > 0) {
		memcpy(address + 2, u->name_dir, dir);
		address[2 + dir] = '/';
		memcpy(address + 3 + dir, u->name.data, u->name.len);
	} else if (length > 0) {
		memcpy(address + 2, u->name.data, length);
	}
	uint32_t peer = peer_of(k, f);
	cptmake_set(o, CRIMG_CPT_SOCKET_LADDRLEN, length + 2);
	cptmake_set_bytes(o, CRIMG_CPT_SOCKET_LADDR, address, sizeof address);
	cptmake_set(o, CRIMG_CPT_SOCKET_PEER, peer);
	cptmake_set(o, CRIMG_CPT_SOCKET_SOCKETPAIR, peer != CRIMG_CPT_NO_INDEX ? PEER_SOCKETPAIR : 0);
	cptmake_set(o, CRIMG_CPT_SOCKET_SOCKFLAGS, u->has_deleted && u->deleted ? FLAG_GONE : 0);
	cptmake_set(o, CRIMG_CPT_SOCKET_VFSMOUNT_REF, k->root_at);
	if (u->file_perms != NULL) {
		cptmake_set(o, CRIMG_CPT_SOCKET_I_MODE, u->file_perms->mode);
		cptmake_set(o, CRIMG_CPT_SOCKET_I_UID, u->file_perms->uid);
		cptmake_set(o, CRIMG_CPT_SOCKET_I_GID, u->file_perms->gid);
	}
	snprintf(what, sizeof what, "socket %u: its peer is outside", f->id);
	return u->peer != 0 && peer == CRIMG_CPT_NO_INDEX ? cptmake_lose(k, CRIMG_KIND_FILES, 0, "usk.peer", what, err) : 0;
}

static uint32_t on_wire(uint32_t port)
{
	return (port >> 8 & 0xff) | (port & 0xff) << 8;
}

// An address of the internet, and its copies in the fields of the protocol.
static void put_endpoint(struct cptmake_object *o, bool six, const uint32_t *words, size_t count, uint32_t port,
			 bool remote)
{
	static const enum crimg_cpt_field old[2][2] = {{CRIMG_CPT_SOCKET_RCV_SADDR, CRIMG_CPT_SOCKET_SADDR},
						       {CRIMG_CPT_SOCKET_DADDR, CRIMG_CPT_SOCKET_DADDR}};
	static const enum crimg_cpt_field of_six[2][2] = {{CRIMG_CPT_SOCKET_RCV_SADDR6, CRIMG_CPT_SOCKET_SADDR6},
							  {CRIMG_CPT_SOCKET_DADDR6, CRIMG_CPT_SOCKET_DADDR6}};
	uint8_t address[28] = {six ? FAMILY_INET6 : FAMILY_INET};
	uint8_t *at = address + (six ? 8 : 4);
	size_t bytes = six ? 16 : 4;
	for (size_t i = 0; i < bytes / 4 && i < count; i++)
		crimg_put_u32(at + 4 * i, words[i]);
	crimg_put_u16(address + 2, (uint16_t)on_wire(port));
	for (size_t i = 0; i < 2; i++)
		cptmake_set_bytes(o, six ? of_six[remote][i] : old[remote][i], at, bytes);
	cptmake_set(o, remote ? CRIMG_CPT_SOCKET_DPORT : CRIMG_CPT_SOCKET_SPORT, on_wire(port));
	cptmake_set(o, remote ? CRIMG_CPT_SOCKET_RADDRLEN : CRIMG_CPT_SOCKET_LADDRLEN, port == 0 ? 0 : six ? 28 : 16);
	cptmake_set_bytes(o, remote ? CRIMG_CPT_SOCKET_RADDR : CRIMG_CPT_SOCKET_LADDR, address, sizeof address);
}

static int put_inet(struct cptmake *k, const struct crimg_file *f, struct cptmake_object *o, struct crimg_err *err)
{
	const InetSkEntry *i = f->message;
	const IpOptsEntry *ip = i->ip_opts;
	bool six = i->family == FAMILY_INET6;
	char what[96];
	put_endpoint(o, six, i->src_addr, i->n_src_addr, i->src_port, false);
	put_endpoint(o, six, i->dst_addr, i->n_dst_addr, i->dst_port, true);
	cptmake_set(o, CRIMG_CPT_SOCKET_UC_TTL, ip != NULL && ip->has_ttl ? ip->ttl : DEFAULT_HOPS);
	cptmake_set(o, CRIMG_CPT_SOCKET_TOS, ip != NULL && ip->has_tos ? ip->tos : 0);
	cptmake_set(o, CRIMG_CPT_SOCKET_FREEBIND, ip != NULL && ip->has_freebind && ip->freebind);
	cptmake_set(o, CRIMG_CPT_SOCKET_MC_TTL, 1);
	cptmake_set(o, CRIMG_CPT_SOCKET_MC_LOOP, 1);
	cptmake_set(o, CRIMG_CPT_SOCKET_PMTUDISC, PATH_MTU_WANTED);
	if (six) {
		cptmake_set(o, CRIMG_CPT_SOCKET_HOP_LIMIT6, DEFAULT_HOPS);
		cptmake_set(o, CRIMG_CPT_SOCKET_MCAST_HOPS6, DEFAULT_HOPS);
		cptmake_set(o, CRIMG_CPT_SOCKET_MC_LOOP6, 1);
		cptmake_set(o, CRIMG_CPT_SOCKET_PMTUDISC6, PATH_MTU_WANTED);
		cptmake_set(o, CRIMG_CPT_SOCKET_IPV6ONLY6, i->has_v6only && i->v6only);
	}
	snprintf(what, sizeof what, "socket %u: options of raw sockets and packet information are left out", f->id);
	if (ip != NULL && (ip->raw != NULL || (ip->has_pktinfo && ip->pktinfo))
	    && cptmake_lose(k, CRIMG_KIND_FILES, 0, "isk.ip_opts", what, err) < 0)
		return -1;
	return i->proto == CRIMG_PROTOCOL_TCP ? cptmake_tcp(k, f, o, err) : 0;
}

static void put_netlink(struct cptmake_object *o, const NetlinkSkEntry *n)
{
	uint8_t own[12] = {FAMILY_NETLINK}, peer[12] = {FAMILY_NETLINK};
	crimg_put_u32(own + 4, n->portid);
	crimg_put_u32(own + 8, n->n_groups > 0 ? n->groups[0] : 0);
	crimg_put_u32(peer + 4, n->dst_portid);
	crimg_put_u32(peer + 8, n->dst_group >= 1 && n->dst_group <= 32 ? 1u << (n->dst_group - 1) : 0);
	cptmake_set(o, CRIMG_CPT_SOCKET_LADDRLEN, sizeof own);
	cptmake_set_bytes(o, CRIMG_CPT_SOCKET_LADDR, own, sizeof own);
	cptmake_set(o, CRIMG_CPT_SOCKET_RADDRLEN, sizeof peer);
	cptmake_set_bytes(o, CRIMG_CPT_SOCKET_RADDR, peer, sizeof peer);
}

static void put_packet(struct cptmake_object *o, const PacketSockEntry *p)
{
	uint8_t own[20] = {FAMILY_PACKET};
	crimg_put_u16(own + 2, (uint16_t)p->protocol);
	crimg_put_u32(own + 4, p->ifindex);
	cptmake_set(o, CRIMG_CPT_SOCKET_LADDRLEN, sizeof own);
	cptmake_set_bytes(o, CRIMG_CPT_SOCKET_LADDR, own, sizeof own);
}

static int put_own(struct cptmake *k, const struct crimg_file *f, struct cptmake_object *o, struct crimg_err *err)
{
	switch (f->type) {
	case FD_TYPES__UNIXSK:
		return put_unix(k, f, o, err);
	case FD_TYPES__INETSK:
		return put_inet(k, f, o, err);
	case FD_TYPES__NETLINKSK:
		put_netlink(o, f->message);
		return 0;
	default:
		put_packet(o, f->message);
		return 0;
	}
}

static int put_filter(struct cptmake *k, const SkOptsEntry *e, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SKFILTER, CRIMG_CPT_CONTENT_DATA);
	struct cptmake_mark mark;
	if (e->n_so_filter == 0)
		return 0;
	cptmake_set(&o, CRIMG_CPT_SKFILTER_SIZE, 8 * e->n_so_filter);
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < e->n_so_filter; i++) {
		uint8_t instruction[8];
		crimg_put_u64(instruction, e->so_filter[i]);
		if (carried_head(k->c, instruction, sizeof instruction, err) < 0)
			return -1;
	}
	return cptmake_end(k, mark, err);
}

static void put_ring(struct cptmake_object *o, enum crimg_cpt_field field, const PacketRing *r)
{
	const uint32_t words[] = {r != NULL ? r->block_size : 0, r != NULL ? r->block_nr : 0,
				  r != NULL ? r->frame_size : 0, r != NULL ? r->frame_nr : 0};
	for (unsigned i = 0; i < 4; i++)
		cptmake_set_at(o, field, i, words[i]);
}

static int put_memberships(struct cptmake *k, const PacketSockEntry *p, struct crimg_err *err)
{
	for (size_t i = 0; i < p->n_mclist; i++) {
		const PacketMclist *m = p->mclist[i];
		struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SOCK_PACKET_MC, CRIMG_CPT_CONTENT_VOID);
		cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_MC_IFINDEX, m->index);
		cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_MC_COUNT, 1);
		cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_MC_TYPE, m->type);
		cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_MC_ALEN, m->addr.len);
		cptmake_set_bytes(&o, CRIMG_CPT_SOCK_PACKET_MC_ADDR, m->addr.data, m->addr.len);
		if (cptmake_put(k, &o, NULL, 0, err) < 0)
			return -1;
	}
	return 0;
}

static int put_attributes(struct cptmake *k, const PacketSockEntry *p, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SOCK_PACKET, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_TP_VERSION, p->version);
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_TP_RESERVE, p->reserve);
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_TP_TSTAMP, p->timestamp);
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_COPY_THRESH, p->copy_thresh);
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_AUXDATA, p->aux_data != 0);
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_ORIGDEV, p->orig_dev != 0);
	cptmake_set(&o, CRIMG_CPT_SOCK_PACKET_TP_LOSS, p->loss != 0);
	put_ring(&o, CRIMG_CPT_SOCK_PACKET_RX_RING, p->rx_ring);
	put_ring(&o, CRIMG_CPT_SOCK_PACKET_TX_RING, p->tx_ring);
	if (cptmake_begin(k, &o, &mark, err) < 0 || put_memberships(k, p, err) < 0)
		return -1;
	if ((p->vnet_hdr || p->has_fanout)
	    && cptmake_lose(k, CRIMG_KIND_FILES, 0, "psk", "headers of virtual devices and fan-out are left out", err) < 0)
		return -1;
	return cptmake_end(k, mark, err);
}

static int put_socket(struct cptmake *k, const struct crimg_file *f, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SOCKET, CRIMG_CPT_CONTENT_ARRAY);
	struct common c = common_of(f);
	struct cptmake_mark mark;
	put_options(&o, &c);
	cptmake_set(&o, CRIMG_CPT_SOCKET_FILE, cptmake_at(&k->opened, f->id));
	cptmake_set(&o, CRIMG_CPT_SOCKET_INDEX, cptmake_socket_index(k, f));
	if (put_own(k, f, &o, err) < 0 || lose_options(k, f, &c, err) < 0 || cptmake_begin(k, &o, &mark, err) < 0
	    || put_filter(k, c.opts, err) < 0
	    || (f->type == FD_TYPES__PACKETSK && put_attributes(k, f->message, err) < 0)
	    || cptmake_queues(k, f, peer_of(k, f), err) < 0)
		return -1;
	return cptmake_end(k, mark, err);
}

int cptmake_find_sockets(struct cptmake *k, struct crimg_err *err)
{
	for (size_t i = 0; i < k->opened.count; i++) {
		uint64_t id = k->opened.list[i].key;
		const struct crimg_file *f = id >> 40 != 0 ? NULL : crimg_files_find(&k->files, (uint32_t)id);
		uint64_t key = f != NULL ? key_of(f) : 0;
		if (key != 0 && cptmake_map_add(&k->sockets, key, err) < 0)
			return -1;
	}
	cptmake_map_seal(&k->sockets);
	return 0;
}

int cptmake_sockets(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_find_packets(k, err) < 0 || cptmake_section(k, CRIMG_CPT_SECT_SOCKET, err) < 0)
		return -1;
	for (size_t i = 0; i < k->opened.count; i++) {
		uint64_t id = k->opened.list[i].key;
		const struct crimg_file *f = id >> 40 != 0 ? NULL : crimg_files_find(&k->files, (uint32_t)id);
		struct cptmake_place *p = f == NULL ? NULL : cptmake_map_find(&k->sockets, key_of(f));
		if (p == NULL || p->at != 0)
			continue; // none, or two files of one socket, which there are not
		p->at = k->c->size;
		if (put_socket(k, f, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
