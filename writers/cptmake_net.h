// The parts of an OpenVZ image that know the network. Each file knows one thing of it.
#ifndef CRIMG_WRITERS_CPTMAKE_NET_H
#define CRIMG_WRITERS_CPTMAKE_NET_H

#include "writers/cptmake.h"

// The state of a socket of TCP, into its object.
CRIMG_MUST_CHECK int cptmake_tcp(struct cptmake *k, const struct crimg_file *f, struct cptmake_object *o,
				 struct crimg_err *err);
// What waits in a socket, as SKBs; peer: the index of who sent it.
CRIMG_MUST_CHECK int cptmake_queues(struct cptmake *k, const struct crimg_file *f, uint32_t peer,
				    struct crimg_err *err);
// Where each packet's bytes are among those of all.
CRIMG_MUST_CHECK int cptmake_find_packets(struct cptmake *k, struct crimg_err *err);

// A run of SKBs of one queue of TCP, each of at most `most` bytes.
struct cptmake_stretch {
	uint32_t queue, seq, length; // seq: of its first byte
	uint64_t from, total;        // where its bytes are in the tcp-stream, of how many
	uint32_t most;
	bool fin; // an SKB without bytes, which ends it
};
CRIMG_MUST_CHECK int cptmake_stretch(struct cptmake *k, uint32_t stream, const struct cptmake_stretch *s,
				     struct crimg_err *err);
// The largest segment of a connection.
uint32_t cptmake_segment(const TcpStreamEntry *e);

#endif
