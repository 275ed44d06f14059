// Connections of TCP and what waits in them. Options that were agreed on have no place in kernel streams, nor has what was
// measured, which is as at a connection's beginning.
#include "format/tcp_state.h"
#include "writers/kstream_net.h"

#define SMALLEST_SEGMENT 88u
#define MOST_SEGMENT 8192u // the kernel refuses more in a buffer than a few pages
#define MOST_WINDOW 65535u
#define REORDERING 3u
// Of a buffer's control block, with IPv6 in the kernel: sequence numbers, time, flags, …
#define CB_BYTES 48u
#define CB_SEQ 24u
#define CB_END 28u
#define CB_FLAGS 36u
#define FLAG_FIN 0x1u
#define FLAG_PUSH 0x8u
#define FLAG_ACK 0x10u

const TcpStreamEntry *kstream_tcp_stream(struct kstream *k, const InetSkEntry *i)
{
	return i->proto != CRIMG_PROTOCOL_TCP || !crimg_tcp_is_connected(i->state)
	               ? NULL
	               : crimg_image_get(k->image, CRIMG_KIND_TCP_STREAM, i->ino, &k->out.err);
}

static uint32_t segment(const TcpStreamEntry *e)
{
	uint32_t mss = e->mss_clamp > SMALLEST_SEGMENT ? e->mss_clamp : SMALLEST_SEGMENT;
	return mss < MOST_SEGMENT ? mss : MOST_SEGMENT;
}

static void put_words(struct kstream_out *o, const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		kstream_u32(o, words[i]);
}

// From rcv_nxt up to keepalive_probes: 182 bytes. Without a stream there is nothing but the options.
void kstream_tcp_state(struct kstream *k, const InetSkEntry *i, const TcpStreamEntry *stream)
{
	static const TcpStreamEntry none = TCP_STREAM_ENTRY__INIT;
	const TcpStreamEntry *e = stream != NULL ? stream : &none;
	const TcpOptsEntry *t = i->tcp_opts;
	struct crimg_tcp_seqs s = crimg_tcp_seqs_of(e, stream != NULL ? i->state : CRIMG_TCP_CLOSE);
	struct kstream_out *o = &k->out;
	bool nodelay = (t != NULL && t->has_nodelay && t->nodelay) || (e->has_nodelay && e->nodelay);
	bool cork = (t != NULL && t->has_cork && t->cork) || (e->has_cork && e->cork);
	uint32_t sent = s.snd_nxt - s.snd_una, most = segment(e);
	const uint32_t sequence[] = {
		s.rcv_nxt, s.copied_seq, e->has_rcv_wup ? e->rcv_wup : s.rcv_nxt,
		s.snd_nxt, s.snd_una, s.snd_nxt, 0, 0, // snd_sml; times
		e->snd_wl1, e->snd_wnd, e->max_window, e->mss_clamp, MOST_WINDOW, MOST_WINDOW, 0,
		0, 0, 0, 0, 0, // round-trip times
		sent / most + (sent % most != 0), 0, s.snd_una, e->rcv_wnd, s.write_seq, s.write_seq,
	};
	put_words(o, sequence, sizeof sequence / sizeof sequence[0]);
	kstream_zeros(o, 9 * 4);       // lost_out … prior_ssthresh
	kstream_u32(o, s.snd_nxt);     // high_seq
	kstream_zeros(o, 4 * 4);       // retrans_stamp … total_retrans
	kstream_u32(o, s.copied_seq);  // urg_seq
	kstream_zeros(o, 2 * 4 + 2);   // keep-alive, urg_data
	kstream_u16(o, e->mss_clamp < UINT16_MAX ? e->mss_clamp : UINT16_MAX);
	kstream_u8(o, 0);
	kstream_u8(o, (nodelay ? CRIMG_TCP_NODELAY : 0) | (cork ? CRIMG_TCP_CORK : 0));
	kstream_u8(o, (e->opt_mask & CRIMG_TCP_ECN) != 0);
	kstream_u8(o, REORDERING);
	kstream_u8(o, t != NULL && t->has_keepcnt ? t->keepcnt : 0);
}

// Bytes of one queue; seq is that of the first.
struct stretch {
	const uint8_t *bytes;
	uint32_t length, seq, fin;
	bool write;
};

static void put_segment(struct kstream_out *o, const struct stretch *s, uint32_t at, uint32_t length, uint32_t fin)
{
	uint8_t cb[CB_BYTES] = { 0 };
	crimg_put_u32(cb + CB_SEQ, s->seq + at);
	crimg_put_u32(cb + CB_END, s->seq + at + length + fin);
	cb[CB_FLAGS] = !s->write ? 0 : (uint8_t)(FLAG_ACK | (fin > 0 ? FLAG_FIN : FLAG_PUSH));
	kstream_packet(o, s->bytes != NULL ? s->bytes + at : NULL, length, cb);
}

static uint32_t pieces(const struct stretch *s, uint32_t most)
{
	return s->length / most + (s->length % most != 0) + s->fin;
}

static void put_stretch(struct kstream_out *o, const struct stretch *s, uint32_t most)
{
	for (uint32_t at = 0; at < s->length; at += most)
		put_segment(o, s, at, s->length - at < most ? s->length - at : most, 0);
	if (s->fin > 0)
		put_segment(o, s, s->length, 0, 1);
}

static void put_queue(struct kstream_out *o, const struct stretch *parts, size_t count, uint32_t most)
{
	uint32_t buffers = 0, bytes = 0;
	for (size_t i = 0; i < count; i++) {
		buffers += pieces(&parts[i], most);
		bytes += parts[i].length;
	}
	kstream_queue(o, buffers, bytes);
	for (size_t i = 0; i < count; i++)
		put_stretch(o, &parts[i], most);
}

void kstream_tcp_queues(struct kstream *k, const InetSkEntry *i)
{
	const TcpStreamEntry *e = kstream_tcp_stream(k, i);
	struct crimg_image_object *o = crimg_image_find(k->image, CRIMG_KIND_TCP_STREAM, i->ino);
	if (e == NULL || o == NULL || o->count == 0) {
		kstream_queue(&k->out, 0, 0);
		kstream_queue(&k->out, 0, 0);
		return;
	}
	struct crimg_tcp_seqs s = crimg_tcp_seqs_of(e, i->state);
	const uint8_t *bytes = kstream_content(k->contents, o->entries[0].payload);
	uint64_t all = (uint64_t)e->inq_len + e->outq_len;
	uint32_t unsent = !e->has_unsq_len ? 0 : e->unsq_len < e->outq_len ? e->unsq_len : e->outq_len;
	uint32_t sent = e->outq_len - unsent;
	if (all > 0 && (bytes == NULL || o->entries[0].payload.length != all)) {
		crimg_fail(&k->out.err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		           "what waits in connection %u did not come", i->ino);
		return;
	}
	const uint8_t *out = bytes != NULL ? bytes + e->inq_len : NULL;
	uint32_t fin = s.write_seq - s.snd_una == e->outq_len + 1 && i->state != CRIMG_TCP_SYN_SENT;
	const struct stretch received = { bytes, e->inq_len, s.copied_seq, 0, false };
	const struct stretch to_send[] = {
		{ out, sent, s.snd_una, 0, true },
		{ out != NULL ? out + sent : NULL, unsent, s.snd_una + sent, fin, true },
	};
	put_queue(&k->out, &received, 1, segment(e));
	put_queue(&k->out, to_send, 2, segment(e));
}
