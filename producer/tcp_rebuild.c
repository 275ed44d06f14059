// The steps of putting a connection together.
#include "producer/tcp_rebuild.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "producer/tcp_forge.h"
#include "producer/tcp_repair.h"

#define IS(state, a, b, c) (((1u << CRIMG_TCP_##a | 1u << CRIMG_TCP_##b | 1u << CRIMG_TCP_##c) >> (state) & 1) != 0)
#define SACK_PERMITTED 4u // as options of packets are numbered
#define WINDOW_SCALE 3u
#define TIMESTAMP 8u
#define SEGMENT_SIZE 2u
#define CHUNK_MIN_BYTES 1024u
#define PATIENCE 200u     // looks at a state that a packet of ours is to bring about, a millisecond apart

static int fail(const struct crimg_tcp_end *t, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, t->name, "%s", what);
}

static int set(const struct crimg_tcp_end *t, int option, int value)
{
	return setsockopt(t->fd, IPPROTO_TCP, option, &value, sizeof value);
}

static socklen_t length_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

// The peer has ended: its FIN is counted in inq_seq.
static bool has_heard_fin(uint32_t state)
{
	return IS(state, CLOSE_WAIT, LAST_ACK, CLOSING) || state == CRIMG_TCP_CLOSE;
}

// It has ended: its FIN is counted in outq_seq.
static bool has_said_fin(uint32_t state)
{
	return IS(state, FIN_WAIT1, FIN_WAIT2, CLOSING) || IS(state, LAST_ACK, CLOSE, CLOSE);
}

static bool fin_is_acknowledged(uint32_t state)
{
	return IS(state, FIN_WAIT2, CLOSE, CLOSE);
}

bool crimg_tcp_wants_forging(uint32_t state)
{
	return has_heard_fin(state) || fin_is_acknowledged(state);
}

bool crimg_tcp_may_forge(int family)
{
	return crimg_forge_may(family);
}

// Numbers of queues are those in front of what will be filled in, without any FIN.
static uint32_t first_received(const struct crimg_tcp_end *t)
{
	return t->stream->inq_seq - has_heard_fin(t->state) - t->stream->inq_len;
}

static uint32_t first_sent(const struct crimg_tcp_end *t)
{
	return t->stream->outq_seq - has_said_fin(t->state) - t->stream->outq_len
	       - (t->state == CRIMG_TCP_SYN_SENT);
}

static int set_number(const struct crimg_tcp_end *t, int queue, uint32_t number, struct crimg_err *err)
{
	if (set(t, TCP_REPAIR_QUEUE, queue) < 0 || set(t, TCP_QUEUE_SEQ, (int)number) < 0)
		return fail(t, "where a queue stands (TCP_QUEUE_SEQ)", err);
	return 0;
}

static int set_agreed(const struct crimg_tcp_end *t, struct crimg_err *err)
{
	const TcpStreamEntry *e = t->stream;
	struct tcp_repair_opt list[4];
	size_t n = 0;
	list[n++] = (struct tcp_repair_opt){SEGMENT_SIZE, e->mss_clamp};
	if ((e->opt_mask & CRIMG_TCP_SACK) != 0)
		list[n++] = (struct tcp_repair_opt){SACK_PERMITTED, 0};
	if ((e->opt_mask & CRIMG_TCP_WSCALE) != 0)
		list[n++] = (struct tcp_repair_opt){WINDOW_SCALE, (e->snd_wscale & 0xffff) | e->rcv_wscale << 16};
	if ((e->opt_mask & CRIMG_TCP_TIMESTAMPS) != 0)
		list[n++] = (struct tcp_repair_opt){TIMESTAMP, 0};
	if (setsockopt(t->fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, list, (socklen_t)(n * sizeof list[0])) < 0)
		return fail(t, "what was agreed on (TCP_REPAIR_OPTIONS)", err);
	if ((e->opt_mask & CRIMG_TCP_TIMESTAMPS) != 0 && e->has_timestamp
	    && set(t, TCP_TIMESTAMP, (int)e->timestamp) < 0)
		return fail(t, "the clock of its packets (TCP_TIMESTAMP)", err);
	return 0;
}

int crimg_tcp_rebuild(const struct crimg_tcp_end *t, struct crimg_err *err)
{
	if (crimg_tcp_repair_on(t->fd, t->name, err) < 0)
		return -1;
	if (bind(t->fd, (const struct sockaddr *)&t->source, length_of(&t->source)) < 0)
		return fail(t, "its address (bind): it must be one of this machine, or network namespace", err);
	if (set_number(t, TCP_SEND_QUEUE, first_sent(t), err) < 0)
		return -1;
	if (t->state == CRIMG_TCP_SYN_SENT) // what it has agreed on, nothing, is not told yet
		return 0;
	if (set_number(t, TCP_RECV_QUEUE, first_received(t), err) < 0)
		return -1;
	if (connect(t->fd, (const struct sockaddr *)&t->target, length_of(&t->target)) < 0)
		return fail(t, errno == EADDRNOTAVAIL ? "connecting it: there is a connection like it already"
						      : "connecting it", err);
	return set_agreed(t, err);
}

// A piece that the kernel finds too large is halved.
int crimg_tcp_fill(const struct crimg_tcp_end *t, int queue, const void *data, size_t length, struct crimg_err *err)
{
	const uint8_t *at = data;
	size_t piece = length;
	if (set(t, TCP_REPAIR_QUEUE, queue) < 0)
		return fail(t, "TCP_REPAIR_QUEUE", err);
	while (length > 0) {
		ssize_t n = send(t->fd, at, piece < length ? piece : length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0 && piece <= CHUNK_MIN_BYTES)
			return fail(t, "what waits in a queue", err);
		if (n <= 0) {
			piece /= 2;
			continue;
		}
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int crimg_tcp_set_window(const struct crimg_tcp_end *t, struct crimg_err *err)
{
	const TcpStreamEntry *e = t->stream;
	uint32_t fin = has_heard_fin(t->state);
	struct tcp_repair_window w = {
		.snd_wl1 = e->snd_wl1, .snd_wnd = e->snd_wnd, .max_window = e->max_window,
		.rcv_wnd = e->rcv_wnd + fin, .rcv_wup = e->rcv_wup - fin,
	};
	if (!e->has_snd_wnd || t->state == CRIMG_TCP_SYN_SENT)
		return 0;
	if (setsockopt(t->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &w, sizeof w) < 0)
		return fail(t, "its windows (TCP_REPAIR_WINDOW)", err);
	return 0;
}

// A packet of ours is on its way.
static void await_change(const struct crimg_tcp_end *t, uint32_t before)
{
	const struct timespec pause = {0, 1000000};
	struct tcp_info info = {.tcpi_state = (uint8_t)before};
	for (unsigned i = 0; i < PATIENCE; i++) {
		socklen_t length = sizeof info;
		if (getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 || info.tcpi_state != before)
			return;
		nanosleep(&pause, NULL);
	}
}

static uint32_t state_of(const struct crimg_tcp_end *t)
{
	struct tcp_info info = {.tcpi_state = CRIMG_TCP_CLOSE};
	socklen_t length = sizeof info;
	(void)getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_state;
}

// Its own FIN, as one that went out already.
static int say_fin(const struct crimg_tcp_end *t, struct crimg_err *err)
{
	if (set(t, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) < 0 || shutdown(t->fd, SHUT_WR) < 0
	    || set(t, TCP_REPAIR_QUEUE, TCP_NO_QUEUE) < 0)
		return fail(t, "that it has ended sending", err);
	return 0;
}

static int forge(const struct crimg_tcp_end *t, bool fin, uint32_t number, uint32_t acknowledged,
		 struct crimg_err *err)
{
	uint32_t before = state_of(t), window = t->stream->snd_wnd >> (t->stream->snd_wscale & 15);
	struct crimg_forged p = {
		.from = &t->target, .to = &t->source, .number = number, .acknowledged = acknowledged,
		.window = (uint16_t)(window < UINT16_MAX ? window : UINT16_MAX), .fin = fin,
	};
	if (crimg_forge_send(&p, t->name, err) < 0)
		return -1;
	await_change(t, before);
	return 0;
}

// Brought to its state by what both ends have said. *unsaid: it is to say a FIN behind what it has not sent yet.
static int speak(const struct crimg_tcp_end *t, bool *unsaid, struct crimg_err *err)
{
	bool heard = has_heard_fin(t->state), said = has_said_fin(t->state);
	bool first = IS(t->state, FIN_WAIT1, FIN_WAIT2, CLOSING); // said before it was heard
	uint32_t received = t->stream->inq_seq - heard, sent = t->stream->outq_seq - said;
	*unsaid = said && t->stream->has_unsq_len && t->stream->unsq_len > 0;
	said = said && !*unsaid;
	if (said && first && say_fin(t, err) < 0)
		return -1;
	if (said && t->state == CRIMG_TCP_FIN_WAIT2 && forge(t, false, received, sent + 1, err) < 0)
		return -1;
	if (heard && forge(t, true, received, sent - t->stream->outq_len, err) < 0)
		return -1;
	if (said && !first && say_fin(t, err) < 0)
		return -1;
	return t->state == CRIMG_TCP_CLOSE && said ? forge(t, false, received + 1, sent + 1, err) : 0;
}

static int start_connecting(const struct crimg_tcp_end *t, struct crimg_err *err)
{
	if (crimg_tcp_repair_off(t->fd) < 0)
		return fail(t, "it cannot be released (TCP_REPAIR)", err);
	if (connect(t->fd, (const struct sockaddr *)&t->target, length_of(&t->target)) < 0 && errno != EINPROGRESS)
		return fail(t, "connecting it", err);
	return 0;
}

int crimg_tcp_release(const struct crimg_tcp_end *t, bool *unsaid, struct crimg_err *err)
{
	*unsaid = false;
	if (t->state == CRIMG_TCP_SYN_SENT)
		return start_connecting(t, err);
	if (speak(t, unsaid, err) < 0)
		return -1;
	// The other end learns what it missed: a window probe goes out.
	int off = t->state == CRIMG_TCP_CLOSE ? crimg_tcp_repair_off(t->fd) : set(t, TCP_REPAIR, TCP_REPAIR_OFF);
	return off < 0 ? fail(t, "it cannot be released (TCP_REPAIR)", err) : 0;
}
