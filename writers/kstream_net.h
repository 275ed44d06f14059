// Parts of a kernel stream that know sockets.
#ifndef CRIMG_WRITERS_KSTREAM_NET_H
#define CRIMG_WRITERS_KSTREAM_NET_H

#include "format/checked.h"
#include "writers/kstream.h"

// The connection of a socket; NULL: it has none, or k->out.err says why it cannot be read.
const TcpStreamEntry *kstream_tcp_stream(struct kstream *k, const InetSkEntry *i);
// The part of SOCKET_INET that is TCP's; stream may be NULL.
void kstream_tcp_state(struct kstream *k, const InetSkEntry *i, const TcpStreamEntry *stream);
#define KSTREAM_TCP_BYTES 181u
// Its queues: what was received, what is to be sent.
void kstream_tcp_queues(struct kstream *k, const InetSkEntry *i);

// A queue's head, and a buffer of it. cb: 48 bytes, or NULL for zeros.
void kstream_queue(struct kstream_out *o, uint32_t buffers, uint32_t bytes);
void kstream_packet(struct kstream_out *o, const uint8_t *bytes, uint32_t length, const uint8_t *cb);

#endif
