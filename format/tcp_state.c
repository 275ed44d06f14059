// Lengths of queues and sequence numbers of TCP.
#include "format/tcp_state.h"

#define STATES(a, b, c, d) (1u << CRIMG_TCP_##a | 1u << CRIMG_TCP_##b | 1u << CRIMG_TCP_##c | 1u << CRIMG_TCP_##d)

static bool is_in(uint32_t state, uint32_t states)
{
	return state < 32 && (states >> state & 1) != 0;
}

bool crimg_tcp_is_connected(uint32_t state)
{
	return is_in(state, STATES(ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2)
				    | STATES(CLOSE_WAIT, LAST_ACK, CLOSING, CLOSING));
}

// Whether write_seq, and rcv_nxt, count a FIN.
static bool has_ended(uint32_t state)
{
	return is_in(state, STATES(FIN_WAIT1, FIN_WAIT2, CLOSING, LAST_ACK));
}

static bool peer_has_ended(uint32_t state)
{
	return is_in(state, STATES(CLOSE_WAIT, LAST_ACK, CLOSING, CLOSING));
}

static uint32_t between(uint32_t from, uint32_t to, bool fin)
{
	uint32_t length = to - from;
	if (length > INT32_MAX)
		return 0;
	return length > 0 && fin ? length - 1 : length;
}

void crimg_tcp_lengths(TcpStreamEntry *e, uint32_t state, const struct crimg_tcp_seqs *s)
{
	bool begun = state != CRIMG_TCP_SYN_SENT; // else there is a SYN in the queue, and nothing more
	e->inq_seq = s->rcv_nxt;
	e->outq_seq = s->write_seq;
	e->inq_len = begun ? between(s->copied_seq, s->rcv_nxt, peer_has_ended(state)) : 0;
	e->outq_len = begun ? between(s->snd_una, s->write_seq, has_ended(state)) : 0;
	e->has_unsq_len = true;
	e->unsq_len = begun ? between(s->snd_nxt, s->write_seq, has_ended(state)) : 0;
}

struct crimg_tcp_seqs crimg_tcp_seqs_of(const TcpStreamEntry *e, uint32_t state)
{
	bool acknowledged = state == CRIMG_TCP_FIN_WAIT2;
	uint32_t fin = has_ended(state) && !acknowledged, unsent = e->has_unsq_len ? e->unsq_len : 0;
	struct crimg_tcp_seqs s = {.rcv_nxt = e->inq_seq, .write_seq = e->outq_seq};
	s.copied_seq = s.rcv_nxt - e->inq_len - peer_has_ended(state);
	s.snd_una = s.write_seq - e->outq_len - fin - (state == CRIMG_TCP_SYN_SENT);
	s.snd_nxt = s.write_seq - unsent - (unsent > 0 ? fin : 0);
	return s;
}
