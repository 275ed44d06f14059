// Connections of TCP, as if they had just become what they are: no round trip was measured, no packet is lost.
#include <stdio.h>

#include "format/tcp_state.h"
#include "writers/cptmake_net.h"

#define HZ 1000u
#define HEADER 20u          // of TCP
#define STAMP 12u           // what timestamps add to it
#define FIRST_TIMEOUT (3 * HZ)
#define FIRST_WINDOW 10u    // of segments
#define NO_THRESHOLD 0x7fffffffu
#define MOST_WINDOW 0xffffu
#define REORDERING 3u
#define SMALLEST_SEGMENT 88u
#define MOST_SEGMENT 8192u  // an SKB of a larger one needs pages that follow each other
#define PENDING_RETRANSMIT 1u

struct field {
	enum crimg_cpt_field field;
	uint64_t value;
};

static void set_all(struct cptmake_object *o, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cptmake_set(o, fields[i].field, fields[i].value);
}

uint32_t cptmake_segment(const TcpStreamEntry *e)
{
	uint32_t stamp = (e->opt_mask & CRIMG_TCP_TIMESTAMPS) != 0 ? STAMP : 0;
	uint32_t mss = e->mss_clamp > SMALLEST_SEGMENT + stamp ? e->mss_clamp - stamp : SMALLEST_SEGMENT;
	return mss < MOST_SEGMENT ? mss : MOST_SEGMENT;
}

// What a socket that only listens has, too.
static void put_tuning(struct cptmake_object *o, const InetSkEntry *i, const TcpStreamEntry *e)
{
	const TcpOptsEntry *t = i->tcp_opts;
	const SkOptsEntry *s = i->opts;
	bool nodelay = (t != NULL && t->has_nodelay && t->nodelay) || (e != NULL && e->has_nodelay && e->nodelay);
	bool cork = (t != NULL && t->has_cork && t->cork) || (e != NULL && e->has_cork && e->cork);
	uint32_t idle = t != NULL && t->has_keepidle ? t->keepidle : s->has_tcp_keepidle ? s->tcp_keepidle : 0;
	uint32_t every = t != NULL && t->has_keepintvl ? t->keepintvl : s->has_tcp_keepintvl ? s->tcp_keepintvl : 0;
	uint32_t probes = t != NULL && t->has_keepcnt ? t->keepcnt : s->has_tcp_keepcnt ? s->tcp_keepcnt : 0;
	const struct field fields[] = {
		{CRIMG_CPT_SOCKET_NONAGLE, (nodelay ? CRIMG_TCP_NODELAY : 0) | (cork ? CRIMG_TCP_CORK : 0)},
		{CRIMG_CPT_SOCKET_KEEPALIVE_TIME, (uint64_t)idle * HZ},
		{CRIMG_CPT_SOCKET_KEEPALIVE_INTVL, (uint64_t)every * HZ},
		{CRIMG_CPT_SOCKET_KEEPALIVE_PROBES, probes},
		{CRIMG_CPT_SOCKET_REORDERING, REORDERING},
		{CRIMG_CPT_SOCKET_TCP_HEADER_LEN, HEADER},
	};
	set_all(o, fields, sizeof fields / sizeof fields[0]);
}

static void put_options(struct cptmake_object *o, const TcpStreamEntry *e)
{
	bool stamps = (e->opt_mask & CRIMG_TCP_TIMESTAMPS) != 0;
	const struct field fields[] = {
		{CRIMG_CPT_SOCKET_TSTAMP_OK, stamps},
		{CRIMG_CPT_SOCKET_SACK_OK, (e->opt_mask & CRIMG_TCP_SACK) != 0},
		{CRIMG_CPT_SOCKET_WSCALE_OK, (e->opt_mask & CRIMG_TCP_WSCALE) != 0},
		{CRIMG_CPT_SOCKET_ECN_FLAGS, (e->opt_mask & CRIMG_TCP_ECN) != 0},
		{CRIMG_CPT_SOCKET_SND_WSCALE, e->snd_wscale},
		{CRIMG_CPT_SOCKET_RCV_WSCALE, e->has_rcv_wscale ? e->rcv_wscale : 0},
		{CRIMG_CPT_SOCKET_RCV_TSECR, stamps && e->has_timestamp ? e->timestamp : 0},
		{CRIMG_CPT_SOCKET_MSS_CLAMP, e->mss_clamp},
		{CRIMG_CPT_SOCKET_MSS_CACHE, cptmake_segment(e)},
		{CRIMG_CPT_SOCKET_MSS_CACHE_STD, cptmake_segment(e)},
		{CRIMG_CPT_SOCKET_ADVMSS, e->mss_clamp},
		{CRIMG_CPT_SOCKET_RCV_MSS, cptmake_segment(e)},
		{CRIMG_CPT_SOCKET_TCP_HEADER_LEN, HEADER + (stamps ? STAMP : 0)},
	};
	set_all(o, fields, sizeof fields / sizeof fields[0]);
}

static void put_windows(struct cptmake_object *o, const TcpStreamEntry *e)
{
	const struct field fields[] = {
		{CRIMG_CPT_SOCKET_SND_WL1, e->has_snd_wl1 ? e->snd_wl1 : 0},
		{CRIMG_CPT_SOCKET_SND_WND, e->has_snd_wnd ? e->snd_wnd : 0},
		{CRIMG_CPT_SOCKET_MAX_WINDOW, e->has_max_window ? e->max_window : 0},
		{CRIMG_CPT_SOCKET_RCV_WND, e->has_rcv_wnd ? e->rcv_wnd : 0},
		{CRIMG_CPT_SOCKET_RCV_WUP, e->has_rcv_wup ? e->rcv_wup : e->inq_seq},
		{CRIMG_CPT_SOCKET_WINDOW_CLAMP, e->has_rcv_wnd && e->rcv_wnd > MOST_WINDOW ? e->rcv_wnd : MOST_WINDOW},
		{CRIMG_CPT_SOCKET_RCV_SSTHRESH, e->has_rcv_wnd ? e->rcv_wnd : MOST_WINDOW},
		{CRIMG_CPT_SOCKET_SND_SSTHRESH, NO_THRESHOLD},
		{CRIMG_CPT_SOCKET_SND_CWND, FIRST_WINDOW},
		{CRIMG_CPT_SOCKET_SND_CWND_CLAMP, MOST_WINDOW},
		{CRIMG_CPT_SOCKET_MDEV, FIRST_TIMEOUT},
		{CRIMG_CPT_SOCKET_RTO, FIRST_TIMEOUT},
		{CRIMG_CPT_SOCKET_TIMEOUT, FIRST_TIMEOUT},
	};
	set_all(o, fields, sizeof fields / sizeof fields[0]);
}

static void put_sequence(struct cptmake_object *o, const TcpStreamEntry *e, uint32_t state)
{
	struct crimg_tcp_seqs s = crimg_tcp_seqs_of(e, state);
	uint32_t sent = s.snd_nxt - s.snd_una, most = cptmake_segment(e);
	const struct field fields[] = {
		{CRIMG_CPT_SOCKET_RCV_NXT, s.rcv_nxt},
		{CRIMG_CPT_SOCKET_COPIED_SEQ, s.copied_seq},
		{CRIMG_CPT_SOCKET_SND_UNA, s.snd_una},
		{CRIMG_CPT_SOCKET_SND_NXT, s.snd_nxt},
		{CRIMG_CPT_SOCKET_WRITE_SEQ, s.write_seq},
		{CRIMG_CPT_SOCKET_PUSHED_SEQ, s.write_seq},
		{CRIMG_CPT_SOCKET_SND_SML, s.snd_nxt},
		{CRIMG_CPT_SOCKET_SND_UP, s.snd_una},
		{CRIMG_CPT_SOCKET_URG_SEQ, s.copied_seq},
		{CRIMG_CPT_SOCKET_HIGH_SEQ, s.snd_nxt},
		{CRIMG_CPT_SOCKET_PACKETS_OUT, sent / most + (sent % most != 0)},
		{CRIMG_CPT_SOCKET_PENDING, sent > 0 ? PENDING_RETRANSMIT : 0},
	};
	set_all(o, fields, sizeof fields / sizeof fields[0]);
}

int cptmake_tcp(struct cptmake *k, const struct crimg_file *f, struct cptmake_object *o, struct crimg_err *err)
{
	const InetSkEntry *i = f->message;
	bool connected = crimg_tcp_is_connected(i->state);
	const TcpStreamEntry *e = connected ? crimg_image_get(k->image, CRIMG_KIND_TCP_STREAM, i->ino, err) : NULL;
	char what[96];
	put_tuning(o, i, e);
	snprintf(what, sizeof what, "socket %u: its connection is not in the image: none", f->id);
	if (e == NULL)
		return connected ? cptmake_lose(k, CRIMG_KIND_FILES, 0, "isk.state", what, err) : 0;
	put_options(o, e);
	put_windows(o, e);
	put_sequence(o, e, i->state);
	return e->has_timestamp ? cptmake_lose(k, CRIMG_KIND_TCP_STREAM, i->ino, "timestamp",
					       "kept where an OpenVZ kernel does not look: it stamps with its own ticks", err)
				: 0;
}
