// What waits in sockets: SKBs. Those of TCP that were received have a header in front without anything in it, for the
// kernel looks there for a FIN; those to be sent have room for all headers.
#include <stdio.h>

#include "format/checked.h"
#include "format/tcp_state.h"
#include "writers/cptmake_net.h"

enum { QUEUE_RECEIVE = 1, QUEUE_WRITE };

#define TCP_HEADER 20u
#define ALL_HEADERS 320u
#define PROTOCOL_IP 0x0008u // as on the wire
#define CHECKED 1u          // of ip_summed: nothing to be checked,
#define CHECKED_LATER 3u    // or summed when it is sent
// Of the control block, with IPv6 in the kernel: sequence numbers, time, flags, …
#define CB_SEQ 24u
#define CB_END 28u
#define CB_FLAGS 36u
#define CB_BYTES 40u
#define FLAG_FIN 0x1u
#define FLAG_PUSH 0x8u
#define FLAG_ACK 0x10u

static int put_skb(struct cptmake *k, struct cptmake_object *o, uint32_t queue, uint32_t head, struct carried_piece piece,
		   struct crimg_err *err)
{
	static const uint8_t zeros[ALL_HEADERS] = {0};
	struct cptmake_object bits = cptmake_new(CRIMG_CPT_OBJ_BITS, CRIMG_CPT_CONTENT_DATA);
	struct cptmake_mark mark, inner;
	cptmake_set(o, CRIMG_CPT_SKB_QUEUE, queue);
	cptmake_set(o, CRIMG_CPT_SKB_LEN, piece.length);
	cptmake_set(o, CRIMG_CPT_SKB_HSPACE, head);
	cptmake_set(o, CRIMG_CPT_SKB_IP_SUMMED, queue == QUEUE_WRITE ? CHECKED_LATER : CHECKED);
	cptmake_set(&bits, CRIMG_CPT_BITS_SIZE, head + piece.length);
	if (cptmake_begin(k, o, &mark, err) < 0)
		return -1;
	if (head + piece.length > 0
	    && (cptmake_begin(k, &bits, &inner, err) < 0 || carried_head(k->c, zeros, head, err) < 0
		|| (piece.length > 0 && carried_contents(k->c, piece, err) < 0) || cptmake_end(k, inner, err) < 0))
		return -1;
	return cptmake_end(k, mark, err);
}

static int put_segment(struct cptmake *k, const struct cptmake_stretch *s, uint32_t seq, uint32_t fin,
		       struct carried_piece piece, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SKB, CRIMG_CPT_CONTENT_ARRAY);
	bool write = s->queue == QUEUE_WRITE;
	uint8_t cb[CB_BYTES + 4] = {0};
	crimg_put_u32(cb + CB_SEQ, seq);
	crimg_put_u32(cb + CB_END, seq + (uint32_t)piece.length + fin);
	cb[CB_FLAGS] = !write ? 0 : (uint8_t)(FLAG_ACK | (fin > 0 ? FLAG_FIN : FLAG_PUSH));
	cptmake_set_bytes(&o, CRIMG_CPT_SKB_CB, cb, CB_BYTES);
	cptmake_set_bytes(&o, CRIMG_CPT_SKB_TCP_CB, cb, sizeof cb);
	cptmake_set(&o, CRIMG_CPT_SKB_PROTOCOL, PROTOCOL_IP);
	cptmake_set(&o, CRIMG_CPT_SKB_GSO_SEGS, 1);
	return put_skb(k, &o, s->queue, write ? ALL_HEADERS : TCP_HEADER, piece, err);
}

int cptmake_stretch(struct cptmake *k, uint32_t stream, const struct cptmake_stretch *s, struct crimg_err *err)
{
	struct carried_piece piece = {.kind = CRIMG_KIND_TCP_STREAM, .id = stream, .total = s->total};
	for (uint32_t at = 0; at < s->length; at += (uint32_t)piece.length) {
		piece.from = s->from + at;
		piece.length = crimg_min_u64(s->most, s->length - at);
		if (put_segment(k, s, s->seq + at, 0, piece, err) < 0)
			return -1;
	}
	piece.length = 0;
	return s->fin ? put_segment(k, s, s->seq + s->length, 1, piece, err) : 0;
}

// Received; sent and not acknowledged; not sent: none is in two of them.
static int put_stream(struct cptmake *k, const InetSkEntry *i, struct crimg_err *err)
{
	const TcpStreamEntry *e =
		crimg_tcp_is_connected(i->state) ? crimg_image_get(k->image, CRIMG_KIND_TCP_STREAM, i->ino, err) : NULL;
	if (e == NULL)
		return 0;
	struct crimg_tcp_seqs s = crimg_tcp_seqs_of(e, i->state);
	uint32_t unsent = e->has_unsq_len && e->unsq_len < e->outq_len ? e->unsq_len : e->has_unsq_len ? e->outq_len : 0;
	uint32_t sent = e->outq_len - unsent, most = cptmake_segment(e);
	uint64_t total = (uint64_t)e->inq_len + e->outq_len;
	const struct cptmake_stretch parts[] = {
		{QUEUE_RECEIVE, s.copied_seq, e->inq_len, 0, total, most, false},
		{QUEUE_WRITE, s.snd_una, sent, e->inq_len, total, most, false},
		{QUEUE_WRITE, s.snd_una + sent, unsent, (uint64_t)e->inq_len + sent, total, most,
		 s.write_seq - s.snd_una == e->outq_len + 1 && i->state != CRIMG_TCP_SYN_SENT},
	};
	for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++)
		if (cptmake_stretch(k, i->ino, &parts[p], err) < 0)
			return -1;
	return 0;
}

int cptmake_find_packets(struct cptmake *k, struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_first(k->image, CRIMG_KIND_SK_QUEUES);
	for (size_t i = 0; o != NULL && i < o->count; i++)
		if (o->entries[i].payload.number != CRIMG_NO_PAYLOAD
		    && cptmake_map_add(&k->packets, o->entries[i].payload.number, err) < 0)
			return -1;
	cptmake_map_seal(&k->packets);
	for (size_t i = 0; o != NULL && i < o->count; i++) {
		struct cptmake_place *p = cptmake_map_find(&k->packets, o->entries[i].payload.number);
		if (p == NULL)
			continue;
		p->from = k->packet_bytes;
		k->packet_bytes += o->entries[i].payload.length;
	}
	return 0;
}

static int put_packets(struct cptmake *k, const struct crimg_file *f, uint32_t peer, struct crimg_err *err)
{
	struct crimg_entries found = {.count = 0};
	char what[96];
	if (crimg_image_select_entries(k->image, CRIMG_KIND_SK_QUEUES, "id_for", f->id, &found, err) < 0)
		return -1;
	snprintf(what, sizeof what, "socket %u: descriptors that are sent along with a packet are left out", f->id);
	for (size_t i = 0; i < found.count; i++) {
		const SkPacketEntry *e = (const void *)found.items[i]->message;
		const struct cptmake_place *p = cptmake_map_find(&k->packets, found.items[i]->payload.number);
		struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SKB, CRIMG_CPT_CONTENT_ARRAY);
		struct carried_piece piece = {.kind = CRIMG_KIND_SK_QUEUES,
					      .from = p != NULL ? p->from : 0,
					      .length = p != NULL ? found.items[i]->payload.length : 0,
					      .total = k->packet_bytes};
		cptmake_set(&o, CRIMG_CPT_SKB_OWNER, peer);
		if ((e->n_scm > 0 && cptmake_lose(k, CRIMG_KIND_SK_QUEUES, 0, "scm", what, err) < 0)
		    || put_skb(k, &o, QUEUE_RECEIVE, 0, piece, err) < 0)
			return -1;
	}
	return 0;
}

int cptmake_queues(struct cptmake *k, const struct crimg_file *f, uint32_t peer, struct crimg_err *err)
{
	const InetSkEntry *i = f->type == FD_TYPES__INETSK ? f->message : NULL;
	return i != NULL && i->proto == CRIMG_PROTOCOL_TCP ? put_stream(k, i, err) : put_packets(k, f, peer, err);
}
