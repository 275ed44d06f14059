// Packet sockets, of which only the kernel's list of sockets tells. Packets that wait in them are lost, as packets may
// be.
#include <arpa/inet.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "producer/capture_inet.h"
#include "producer/capture_sockets.h"
#include "producer/socket_diag.h"

#define MULTICAST 0u // PACKET_MR_MULTICAST, whose addresses count; those of promiscuity do not
#define UNICAST 3u
#define MEMBERSHIPS_MAX 4096u

struct packet {
	struct crimg_capture *capture;
	const struct crimg_open_file *file;
	PacketSockEntry *entry;
	bool found;
};

static void fill_info(PacketSockEntry *e, const struct packet_diag_info *i)
{
	e->ifindex = i->pdi_index;
	e->version = i->pdi_version;
	e->reserve = i->pdi_reserve;
	e->timestamp = i->pdi_tstamp;
	e->copy_thresh = i->pdi_copy_thresh;
	e->aux_data = (i->pdi_flags & PDI_AUXDATA) != 0;
	e->orig_dev = (i->pdi_flags & PDI_ORIGDEV) != 0;
	e->vnet_hdr = (i->pdi_flags & PDI_VNETHDR) != 0;
	e->loss = (i->pdi_flags & PDI_LOSS) != 0;
}

static int fill_ring(struct crimg_capture *c, const struct crimg_diag_attribute *a, PacketRing **out,
		     struct crimg_err *err)
{
	struct packet_diag_ring r;
	if (a->data == NULL || a->length < sizeof r)
		return 0;
	memcpy(&r, a->data, sizeof r);
	PacketRing *ring = crimg_capture_alloc(c, sizeof *ring, err);
	if (ring == NULL)
		return -1;
	packet_ring__init(ring);
	ring->block_size = r.pdr_block_size;
	ring->block_nr = r.pdr_block_nr;
	ring->frame_size = r.pdr_frame_size;
	ring->frame_nr = r.pdr_frame_nr;
	ring->retire_tmo = r.pdr_retire_tmo;
	ring->sizeof_priv = r.pdr_sizeof_priv;
	ring->features = r.pdr_features;
	*out = ring;
	return 0;
}

// One that was joined twice is told once, with a count: CRIU has no field for that.
static int fill_membership(struct packet *p, const struct packet_diag_mclist *m, struct crimg_err *err)
{
	PacketMclist *one = crimg_capture_alloc(p->capture, sizeof *one, err);
	if (one == NULL)
		return -1;
	packet_mclist__init(one);
	one->index = m->pdmc_index;
	one->type = m->pdmc_type;
	if (m->pdmc_type == MULTICAST || m->pdmc_type == UNICAST) {
		size_t length = m->pdmc_alen < sizeof m->pdmc_addr ? m->pdmc_alen : sizeof m->pdmc_addr;
		one->addr.data = crimg_capture_alloc(p->capture, length + 1, err);
		if (one->addr.data == NULL)
			return -1;
		memcpy(one->addr.data, m->pdmc_addr, length);
		one->addr.len = length;
	}
	for (uint32_t i = 0; i < m->pdmc_count && p->entry->n_mclist < MEMBERSHIPS_MAX; i++)
		p->entry->mclist[p->entry->n_mclist++] = one;
	return 0;
}

static int fill_memberships(struct packet *p, const struct crimg_diag_attribute *a, struct crimg_err *err)
{
	size_t count = a->data == NULL ? 0 : a->length / sizeof(struct packet_diag_mclist);
	if (count == 0)
		return 0;
	p->entry->mclist = crimg_capture_alloc(p->capture, MEMBERSHIPS_MAX * sizeof(void *), err);
	if (p->entry->mclist == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct packet_diag_mclist m;
		memcpy(&m, (const uint8_t *)a->data + i * sizeof m, sizeof m);
		if (fill_membership(p, &m, err) < 0)
			return -1;
	}
	return 0;
}

static int take(void *context, const struct crimg_diag_answer *answer, struct crimg_err *err)
{
	struct packet *p = context;
	struct packet_diag_msg m;
	struct packet_diag_info info;
	const struct crimg_diag_attribute *a = answer->attributes;
	memcpy(&m, answer->message, sizeof m);
	if (m.pdiag_ino != (uint32_t)p->file->ino || a[PACKET_DIAG_INFO].length < sizeof info)
		return 0;
	memcpy(&info, a[PACKET_DIAG_INFO].data, sizeof info);
	p->found = true;
	p->entry->type = m.pdiag_type;
	p->entry->protocol = htons((uint16_t)m.pdiag_num);
	fill_info(p->entry, &info);
	if (a[PACKET_DIAG_FANOUT].length >= sizeof p->entry->fanout) {
		p->entry->has_fanout = true;
		memcpy(&p->entry->fanout, a[PACKET_DIAG_FANOUT].data, sizeof p->entry->fanout);
	}
	if (fill_memberships(p, &a[PACKET_DIAG_MCLIST], err) < 0
	    || fill_ring(p->capture, &a[PACKET_DIAG_RX_RING], &p->entry->rx_ring, err) < 0)
		return -1;
	return fill_ring(p->capture, &a[PACKET_DIAG_TX_RING], &p->entry->tx_ring, err);
}

int crimg_capture_packet(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	PacketSockEntry e = PACKET_SOCK_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	SkMoreEntry sk_more = SK_MORE_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	struct packet p = {c, f, &e, false};
	struct packet_diag_req q = {
		.sdiag_family = AF_PACKET,
		.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT,
	};
	e.id = f->id;
	e.flags = f->flags;
	e.has_ns_id = true;
	e.ns_id = CRIMG_CAPTURE_NET_NS;
	e.fown = crimg_capture_owner(c, f->ours, err);
	if (e.fown == NULL || crimg_capture_socket_options(c, f, &opts, &sk_more, err) < 0
	    || crimg_socket_diag(&q, sizeof q, true, sizeof(struct packet_diag_msg), take, &p, err) < 0)
		return -1;
	if (!p.found)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
				  "is a packet socket that the kernel does not list (CONFIG_PACKET_DIAG)");
	e.opts = &opts;
	file.type = FD_TYPES__PACKETSK;
	file.id = f->id;
	file.psk = &e;
	if (crimg_capture_socket_more(c, &sk_more, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &file.base, err);
}
