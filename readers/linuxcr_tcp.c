// Connections of TCP. The kernel told where they stand and what waits in them, but none of the options that were agreed
// on: it would itself have gone on without timestamps, selective acknowledgement and scaled windows.
#include "format/tcp_state.h"
#include "readers/linuxcr_records.h"

size_t linuxcr_count_sockets(const struct linuxcr_image *m)
{
	return linuxcr_count(&m->c, CRIMG_LCR_OBJ_SOCK);
}

uint64_t linuxcr_socket_id(const struct linuxcr_image *m, size_t object)
{
	return (uint64_t)linuxcr_nth(&m->c, CRIMG_LCR_OBJ_SOCK, object)->ref;
}

// Adds what waits in a queue: its last `wanted` bytes, for of the first buffer a part may be read or acknowledged
// already. *wanted becomes what there is.
static int add_queue(struct linuxcr_image *m, const struct linuxcr_object *o, bool send, uint32_t *wanted,
		     struct crimg_err *err)
{
	const struct linuxcr_record *r = NULL;
	uint64_t total = 0;
	bool to_send = false;
	while ((r = linuxcr_next_packet(o, r, &to_send)) != NULL)
		total += to_send == send ? linuxcr_packet_bytes(r) : 0;
	if (total < *wanted) {
		if (m->c.damage.code == CRIMG_OK)
			crimg_fail(&m->c.damage, CRIMG_E_FORMAT, m->c.stream.source->name, o->body->offset,
				   "%llu bytes in a queue of TCP found, %u wanted", (unsigned long long)total, *wanted);
		*wanted = (uint32_t)total;
	}
	uint64_t skip = total - *wanted;
	to_send = false;
	while ((r = linuxcr_next_packet(o, r, &to_send)) != NULL)
		if (to_send == send && linuxcr_add_packet(m, r, &skip, err) < 0)
			return -1;
	return 0;
}

static void put_windows(TcpStreamEntry *e, const struct linuxcr_record *r)
{
	e->has_snd_wl1 = e->has_snd_wnd = e->has_max_window = e->has_rcv_wnd = e->has_rcv_wup = true;
	e->snd_wl1 = linuxcr_u32(r, CRIMG_LCR_TCP_SND_WL1);
	e->snd_wnd = linuxcr_u32(r, CRIMG_LCR_TCP_SND_WND);
	e->max_window = linuxcr_u32(r, CRIMG_LCR_TCP_MAX_WINDOW);
	e->rcv_wnd = linuxcr_u32(r, CRIMG_LCR_TCP_RCV_WND);
	e->rcv_wup = linuxcr_u32(r, CRIMG_LCR_TCP_RCV_WUP);
	e->mss_clamp = linuxcr_u32(r, CRIMG_LCR_TCP_MSS_CACHE);
	e->opt_mask = (linuxcr_u32(r, CRIMG_LCR_TCP_NONAGLE) >> 8 & 1) != 0 ? CRIMG_TCP_ECN : 0; // ecn_flags
}

// One object a socket; of those without a connection, or that no file is of, there is none.
int linuxcr_put_tcp(struct linuxcr_image *m, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err)
{
	const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_SOCK, object);
	TcpStreamEntry e = TCP_STREAM_ENTRY__INIT;
	if (index > 0 || o->partial || o->held_by == 0 || !linuxcr_socket_is_tcp(o)
	    || !crimg_tcp_is_connected(linuxcr_socket_state(o)))
		return 0;
	const struct linuxcr_record *r = o->parts[0];
	struct crimg_tcp_seqs seqs = {
		.rcv_nxt = linuxcr_u32(r, CRIMG_LCR_TCP_RCV_NXT),
		.copied_seq = linuxcr_u32(r, CRIMG_LCR_TCP_COPIED_SEQ),
		.snd_una = linuxcr_u32(r, CRIMG_LCR_TCP_SND_UNA),
		.snd_nxt = linuxcr_u32(r, CRIMG_LCR_TCP_SND_NXT),
		.write_seq = linuxcr_u32(r, CRIMG_LCR_TCP_WRITE_SEQ),
	};
	crimg_tcp_lengths(&e, linuxcr_socket_state(o), &seqs);
	put_windows(&e, r);
	if (model_payload_begin(&m->payloads, err) < 0 || add_queue(m, o, false, &e.inq_len, err) < 0
	    || add_queue(m, o, true, &e.outq_len, err) < 0)
		return -1;
	e.unsq_len = e.unsq_len < e.outq_len ? e.unsq_len : e.outq_len;
	out->has_payload = true;
	linuxcr_from(out, r);
	return model_encode(&e.base, out, err);
}
