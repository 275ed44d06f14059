// The tables of a crimg stream: INDEX says where the CONTENT frames are, DIGESTS repeat what chunks they
// have. Source: SPEC.md, 3.7.
#ifndef CRIMG_WRITERS_CRIMG_TABLES_H
#define CRIMG_WRITERS_CRIMG_TABLES_H

#include "writers/crimg_out.h"

struct crimg_tables {
	struct crimg_buf index;    // the INDEX frame, its count not yet set
	struct crimg_buf digests;  // the DIGESTS frame, its head not yet set; empty: none is begun
	uint32_t contents, chunks; // that it speaks of
	uint64_t digests_at;       // offset of the one before it, 0: none
};

// What the CONTENT frame that is written next holds.
struct crimg_tables_content {
	uint64_t payload, offset, length;
	const uint8_t *rows; // of its chunks
	uint32_t chunks;
};

// Takes note of it. When its chunks have no room, the DIGESTS frame of those before is written first.
CRIMG_MUST_CHECK int crimg_tables_note(struct crimg_tables *t, struct crimg_out *o,
                                       const struct crimg_tables_content *content,
                                       struct crimg_err *err);
// Writes the INDEX frame, whose offset is in *index_at then, and the last DIGESTS frame.
CRIMG_MUST_CHECK int crimg_tables_write(struct crimg_tables *t, struct crimg_out *o,
                                        uint64_t *index_at, struct crimg_err *err);
void crimg_tables_fini(struct crimg_tables *t);

#endif
