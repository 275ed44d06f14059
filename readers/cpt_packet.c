// Sockets of the packet and netlink families, whose own addresses tell most of what CRIU's messages ask for.
#include "format/limits.h"
#include "readers/cpt_records.h"

// Of an address of the packet family: u16 family, protocol as on the wire, u32 device, …
enum { LL_PROTOCOL = 2, LL_DEVICE = 4 };
// Of one of netlink: u16 family, u16 unused, u32 port, u32 groups
enum { NL_PORT = 4, NL_GROUPS = 8, NL_GROUP_COUNT = 32 };
enum { MEMBERSHIP_BYTES = 32, MOST_MEMBERSHIPS = 4096 };

static PacketRing *ring_of(struct cpt_image *m, const struct cpt_object *o, enum crimg_cpt_field field,
			   struct crimg_err *err)
{
	PacketRing *r = cpt_make(m, 1, sizeof *r, err);
	if (r == NULL)
		return NULL;
	packet_ring__init(r);
	r->block_size = (uint32_t)cpt_at(&m->c, o, field, 0);
	r->block_nr = (uint32_t)cpt_at(&m->c, o, field, 1);
	r->frame_size = (uint32_t)cpt_at(&m->c, o, field, 2);
	r->frame_nr = (uint32_t)cpt_at(&m->c, o, field, 3);
	return r;
}

// A membership that was asked for more than once is there as often.
static int add_membership(struct cpt_image *m, const struct cpt_object *o, PacketSockEntry *e, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	PacketMclist *one = cpt_make(m, 1, sizeof *one, err);
	uint64_t count = cpt_get(c, o, CRIMG_CPT_SOCK_PACKET_MC_COUNT);
	if (one == NULL)
		return -1;
	packet_mclist__init(one);
	one->index = cpt_u32(c, o, CRIMG_CPT_SOCK_PACKET_MC_IFINDEX);
	one->type = cpt_u32(c, o, CRIMG_CPT_SOCK_PACKET_MC_TYPE);
	one->addr.len = (size_t)crimg_min_u64(cpt_get(c, o, CRIMG_CPT_SOCK_PACKET_MC_ALEN), MEMBERSHIP_BYTES);
	if ((one->addr.data = cpt_make(m, MEMBERSHIP_BYTES, 1, err)) == NULL)
		return -1;
	const uint8_t *address = cpt_bytes(c, o, CRIMG_CPT_SOCK_PACKET_MC_ADDR);
	if (address != NULL)
		memcpy(one->addr.data, address, one->addr.len);
	for (; count > 0 && e->n_mclist < MOST_MEMBERSHIPS; count--)
		e->mclist[e->n_mclist++] = one;
	return 0;
}

static int add_memberships(struct cpt_image *m, const struct cpt_object *attr, PacketSockEntry *e,
			   struct crimg_err *err)
{
	const struct cpt_object *o = cpt_child(&m->c, attr, NULL, CRIMG_CPT_OBJ_SOCK_PACKET_MC);
	if (o == NULL)
		return 0;
	if ((e->mclist = cpt_make(m, MOST_MEMBERSHIPS, sizeof *e->mclist, err)) == NULL)
		return -1;
	for (; o != NULL; o = cpt_child(&m->c, attr, o, CRIMG_CPT_OBJ_SOCK_PACKET_MC))
		if (add_membership(m, o, e, err) < 0)
			return -1;
	return 0;
}

// What 042stab092 and later tell beside the address.
static int add_attributes(struct cpt_image *m, const struct cpt_object *s, PacketSockEntry *e, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *o = cpt_child(c, s, NULL, CRIMG_CPT_OBJ_SOCK_PACKET);
	if (o == NULL)
		return 0;
	e->version = cpt_u32(c, o, CRIMG_CPT_SOCK_PACKET_TP_VERSION);
	e->reserve = cpt_u32(c, o, CRIMG_CPT_SOCK_PACKET_TP_RESERVE);
	e->timestamp = cpt_u32(c, o, CRIMG_CPT_SOCK_PACKET_TP_TSTAMP);
	e->copy_thresh = cpt_u32(c, o, CRIMG_CPT_SOCK_PACKET_COPY_THRESH);
	e->aux_data = cpt_get(c, o, CRIMG_CPT_SOCK_PACKET_AUXDATA) != 0;
	e->orig_dev = cpt_get(c, o, CRIMG_CPT_SOCK_PACKET_ORIGDEV) != 0;
	e->loss = cpt_get(c, o, CRIMG_CPT_SOCK_PACKET_TP_LOSS) != 0;
	if ((cpt_at(c, o, CRIMG_CPT_SOCK_PACKET_RX_RING, 1) != 0
	     && (e->rx_ring = ring_of(m, o, CRIMG_CPT_SOCK_PACKET_RX_RING, err)) == NULL)
	    || (cpt_at(c, o, CRIMG_CPT_SOCK_PACKET_TX_RING, 1) != 0
		&& (e->tx_ring = ring_of(m, o, CRIMG_CPT_SOCK_PACKET_TX_RING, err)) == NULL))
		return -1;
	return add_memberships(m, o, e, err);
}

int cpt_put_packet(struct cpt_image *m, const struct cpt_object *file, const struct cpt_object *s, FileEntry *f,
		   struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const uint8_t *address = cpt_bytes(c, s, CRIMG_CPT_SOCKET_LADDR);
	PacketSockEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return -1;
	packet_sock_entry__init(e);
	e->id = f->id;
	e->type = cpt_u32(c, s, CRIMG_CPT_SOCKET_TYPE);
	e->protocol = address != NULL ? crimg_get_u16(address + LL_PROTOCOL) : 0;
	e->ifindex = address != NULL ? crimg_get_u32(address + LL_DEVICE) : 0;
	e->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	e->has_ns_id = true;
	e->ns_id = CPT_NS_NET;
	if ((e->fown = cpt_fown(m, file, err)) == NULL || (e->opts = cpt_socket_options(m, s, err)) == NULL
	    || add_attributes(m, s, e, err) < 0)
		return -1;
	f->psk = e;
	return 1;
}

// Groups are bits from 1 on.
static int add_group(struct cpt_image *m, NetlinkSkEntry *e, uint32_t groups, struct crimg_err *err)
{
	if (groups == 0)
		return 0;
	if ((e->groups = cpt_make(m, 1, sizeof *e->groups, err)) == NULL)
		return -1;
	e->groups[0] = groups;
	e->n_groups = 1;
	return 0;
}

static uint32_t lowest_group(uint32_t groups)
{
	for (uint32_t i = 0; i < NL_GROUP_COUNT; i++)
		if ((groups >> i & 1) != 0)
			return i + 1;
	return 0;
}

int cpt_put_netlink(struct cpt_image *m, const struct cpt_object *file, const struct cpt_object *s, FileEntry *f,
		    struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const uint8_t *own = cpt_bytes(c, s, CRIMG_CPT_SOCKET_LADDR), *peer = cpt_bytes(c, s, CRIMG_CPT_SOCKET_RADDR);
	NetlinkSkEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return -1;
	netlink_sk_entry__init(e);
	e->id = f->id;
	e->ino = cpt_id(s);
	e->protocol = cpt_u32(c, s, CRIMG_CPT_SOCKET_PROTOCOL);
	e->state = cpt_u32(c, s, CRIMG_CPT_SOCKET_STATE);
	e->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	e->portid = own != NULL ? crimg_get_u32(own + NL_PORT) : 0;
	e->dst_portid = peer != NULL ? crimg_get_u32(peer + NL_PORT) : 0;
	e->dst_group = peer != NULL ? lowest_group(crimg_get_u32(peer + NL_GROUPS)) : 0;
	e->has_ns_id = true;
	e->ns_id = CPT_NS_NET;
	if (add_group(m, e, own != NULL ? crimg_get_u32(own + NL_GROUPS) : 0, err) < 0
	    || (e->fown = cpt_fown(m, file, err)) == NULL || (e->opts = cpt_socket_options(m, s, err)) == NULL)
		return -1;
	f->nlsk = e;
	return 1;
}
