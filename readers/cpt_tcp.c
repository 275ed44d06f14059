// Connections of TCP: where they stand, and the bytes that wait in their queues, which are SKBs.
#include "format/tcp_state.h"
#include "readers/cpt_records.h"

enum { STREAM = 1 };
enum { QUEUE_RECEIVE = 1, QUEUE_WRITE };

static uint32_t field(const struct cpt *c, const struct cpt_object *s, enum crimg_cpt_field f)
{
	return cpt_u32(c, s, f);
}

bool cpt_is_tcp(const struct cpt *c, const struct cpt_object *s)
{
	enum { INET = 2, INET6 = 10 };
	uint64_t family = cpt_get(c, s, CRIMG_CPT_SOCKET_FAMILY);
	return (family == INET || family == INET6) && cpt_get(c, s, CRIMG_CPT_SOCKET_TYPE) == STREAM
	       && cpt_get(c, s, CRIMG_CPT_SOCKET_PROTOCOL) == CRIMG_PROTOCOL_TCP;
}

bool cpt_skb_data(const struct cpt *c, const struct cpt_object *skb, uint64_t *at, uint64_t *length)
{
	const struct cpt_object *bits = cpt_child(c, skb, NULL, CRIMG_CPT_OBJ_BITS);
	uint64_t head = cpt_get(c, skb, CRIMG_CPT_SKB_HSPACE);
	*length = cpt_get(c, skb, CRIMG_CPT_SKB_LEN);
	if (bits == NULL || !crimg_in_range(head, *length, cpt_data_bytes(c, bits)))
		return false;
	*at = cpt_body(bits) + head;
	return true;
}

// The next SKB of a queue that holds something.
static const struct cpt_object *next_skb(const struct cpt *c, const struct cpt_object *s,
					 const struct cpt_object *skb, unsigned queue, uint64_t *at,
					 uint64_t *length)
{
	while ((skb = cpt_child(c, s, skb, CRIMG_CPT_OBJ_SKB)) != NULL)
		if (cpt_get(c, skb, CRIMG_CPT_SKB_QUEUE) == queue && cpt_skb_data(c, skb, at, length)
		    && *length > 0)
			return skb;
	return NULL;
}

// Adds what waits in a queue: its last `wanted` bytes, for of the first SKB a part may be read or acknowledged
// already. *wanted becomes what there is.
static int add_queue(struct cpt_image *m, const struct cpt_object *s, unsigned queue, uint32_t *wanted,
		     struct crimg_err *err)
{
	struct cpt *c = &m->c;
	const struct cpt_object *skb = NULL;
	uint64_t at, length, total = 0;
	while ((skb = next_skb(c, s, skb, queue, &at, &length)) != NULL)
		total += length;
	if (total < *wanted) {
		cpt_damage(c, s->offset, "%llu bytes in a queue of TCP found, %u wanted",
			   (unsigned long long)total, *wanted);
		*wanted = (uint32_t)total;
	}
	uint64_t skip = total - *wanted;
	while ((skb = next_skb(c, s, skb, queue, &at, &length)) != NULL) {
		uint64_t over = crimg_min_u64(skip, length);
		skip -= over;
		if (length > over && model_payload_add(&m->payloads, NULL, at + over, length - over, err) < 0)
			return -1;
	}
	return 0;
}

static void put_options(TcpStreamEntry *e, const struct cpt *c, const struct cpt_object *s)
{
	static const struct {
		enum crimg_cpt_field field;
		uint32_t bit, option;
	} options[] = {
		{CRIMG_CPT_SOCKET_TSTAMP_OK, UINT32_MAX, CRIMG_TCP_TIMESTAMPS},
		{CRIMG_CPT_SOCKET_SACK_OK, UINT32_MAX, CRIMG_TCP_SACK},
		{CRIMG_CPT_SOCKET_WSCALE_OK, UINT32_MAX, CRIMG_TCP_WSCALE},
		{CRIMG_CPT_SOCKET_ECN_FLAGS, 1, CRIMG_TCP_ECN},
	};
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if ((field(c, s, options[i].field) & options[i].bit) != 0)
			e->opt_mask |= options[i].option;
	e->has_rcv_wscale = (e->opt_mask & CRIMG_TCP_WSCALE) != 0;
	e->rcv_wscale = e->has_rcv_wscale ? field(c, s, CRIMG_CPT_SOCKET_RCV_WSCALE) : 0;
	e->snd_wscale = e->has_rcv_wscale ? field(c, s, CRIMG_CPT_SOCKET_SND_WSCALE) : 0;
	e->mss_clamp = field(c, s, CRIMG_CPT_SOCKET_MSS_CLAMP);
	// The kernel stamps with its ticks. An image that does not tell them has what the peer gave back last.
	uint64_t ticks = crimg_get_u64(c->major + CRIMG_CPT_MAJOR_JIFFIES);
	e->has_timestamp = (e->opt_mask & CRIMG_TCP_TIMESTAMPS) != 0;
	e->timestamp = !e->has_timestamp ? 0
		       : ticks != 0      ? (uint32_t)ticks
					 : field(c, s, CRIMG_CPT_SOCKET_RCV_TSECR);
}

static void put_windows(TcpStreamEntry *e, const struct cpt *c, const struct cpt_object *s)
{
	e->has_snd_wl1 = e->has_snd_wnd = e->has_max_window = e->has_rcv_wnd = e->has_rcv_wup = true;
	e->snd_wl1 = field(c, s, CRIMG_CPT_SOCKET_SND_WL1);
	e->snd_wnd = field(c, s, CRIMG_CPT_SOCKET_SND_WND);
	e->max_window = field(c, s, CRIMG_CPT_SOCKET_MAX_WINDOW);
	e->rcv_wnd = field(c, s, CRIMG_CPT_SOCKET_RCV_WND);
	e->rcv_wup = field(c, s, CRIMG_CPT_SOCKET_RCV_WUP);
}

size_t cpt_count_sockets(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_SOCKET);
}

// One object a socket; of those without a connection, or that no descriptor leads to, there is none.
CPT_ENTRY(cpt_put_tcp)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *s = cpt_nth(c, CRIMG_CPT_OBJ_SOCKET, object);
	uint32_t state = cpt_u32(c, s, CRIMG_CPT_SOCKET_STATE);
	TcpStreamEntry e = TCP_STREAM_ENTRY__INIT;
	if (index > 0 || !cpt_is_tcp(c, s) || !crimg_tcp_is_connected(state)
	    || cpt_ref(c, s, CRIMG_CPT_SOCKET_FILE) == NULL)
		return 0;
	struct crimg_tcp_seqs seqs = {
		.rcv_nxt = field(c, s, CRIMG_CPT_SOCKET_RCV_NXT),
		.copied_seq = field(c, s, CRIMG_CPT_SOCKET_COPIED_SEQ),
		.snd_una = field(c, s, CRIMG_CPT_SOCKET_SND_UNA),
		.snd_nxt = field(c, s, CRIMG_CPT_SOCKET_SND_NXT),
		.write_seq = field(c, s, CRIMG_CPT_SOCKET_WRITE_SEQ),
	};
	crimg_tcp_lengths(&e, state, &seqs);
	put_options(&e, c, s);
	put_windows(&e, c, s);
	if (model_payload_begin(&m->payloads, err) < 0
	    || add_queue(m, s, QUEUE_RECEIVE, &e.inq_len, err) < 0
	    || add_queue(m, s, QUEUE_WRITE, &e.outq_len, err) < 0)
		return -1;
	e.unsq_len = e.unsq_len < e.outq_len ? e.unsq_len : e.outq_len;
	out->has_payload = true;
	cpt_from(out, s);
	return model_encode(&e.base, out, err);
}
