// A TCP connection as the kernel keeps it, in sequence numbers, and as CRIU's message has it, in lengths of queues. Both
// count the FIN of a side that has ended, lengths do not. Knows the state machine; knows no format.
#ifndef CRIMG_FORMAT_TCP_STATE_H
#define CRIMG_FORMAT_TCP_STATE_H

#include "format/schema.h"

#define CRIMG_PROTOCOL_TCP 6u

enum crimg_tcp_state {
	CRIMG_TCP_ESTABLISHED = 1,
	CRIMG_TCP_SYN_SENT,
	CRIMG_TCP_SYN_RECV,
	CRIMG_TCP_FIN_WAIT1,
	CRIMG_TCP_FIN_WAIT2,
	CRIMG_TCP_TIME_WAIT,
	CRIMG_TCP_CLOSE,
	CRIMG_TCP_CLOSE_WAIT,
	CRIMG_TCP_LAST_ACK,
	CRIMG_TCP_LISTEN,
	CRIMG_TCP_CLOSING,
};

// Of tcp_stream_entry.opt_mask.
#define CRIMG_TCP_TIMESTAMPS 1u
#define CRIMG_TCP_SACK 2u
#define CRIMG_TCP_WSCALE 4u
#define CRIMG_TCP_ECN 8u

// Bits of nonagle.
#define CRIMG_TCP_NODELAY 1u
#define CRIMG_TCP_CORK 2u

struct crimg_tcp_seqs {
	uint32_t rcv_nxt, copied_seq;           // up to what was received, and read
	uint32_t snd_una, snd_nxt, write_seq;   // up to what was acknowledged, sent, and written
};

// Whether a socket in this state has a stream in CRIU's images.
bool crimg_tcp_is_connected(uint32_t state);
// Sets inq_len, inq_seq, outq_len, outq_seq, unsq_len. Numbers that run backwards are empty queues.
void crimg_tcp_lengths(TcpStreamEntry *e, uint32_t state, const struct crimg_tcp_seqs *s);
// What crimg_tcp_lengths() was made of, an unread FIN being counted as received.
struct crimg_tcp_seqs crimg_tcp_seqs_of(const TcpStreamEntry *e, uint32_t state);

#endif
