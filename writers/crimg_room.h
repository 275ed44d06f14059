// Statistics in a crimg stream, of which some are known only behind the contents: they are written with room behind them,
// and then anew. Knows frames; refuses to know what the statistics say. Source: SPEC.md, 3.7.
#ifndef CRIMG_WRITERS_CRIMG_ROOM_H
#define CRIMG_WRITERS_CRIMG_ROOM_H

#include "writers/crimg_out.h"

struct crimg_room {
	uint64_t number, at; // of the ENTRIES frame; a PADDING frame follows
	uint64_t bytes;      // of both; 0: no room was left
};

// Writes an ENTRIES frame, whose header and body are in entries, and PADDING behind it.
CRIMG_MUST_CHECK int crimg_room_leave(struct crimg_room *room, struct crimg_out *o,
                                      struct crimg_buf *entries, struct crimg_err *err);
// Writes another one in its place.
CRIMG_MUST_CHECK int crimg_room_fill(const struct crimg_room *room, struct crimg_out *o,
                                     struct crimg_buf *entries, struct crimg_err *err);

#endif
