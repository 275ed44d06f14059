// A crimg stream being written: its header, and frames one behind the other, each with its number and
// checksum. Knows nothing of what frames hold. Source: SPEC.md, 3.1 and 3.2.
#ifndef CRIMG_WRITERS_CRIMG_OUT_H
#define CRIMG_WRITERS_CRIMG_OUT_H

#include "format/buf.h"
#include "format/layout_crimg.h"
#include "format/output.h"

struct crimg_out {
	struct crimg_sink sink; // sink.at is the offset of the next frame
	bool open;
	struct crimg_buf sums;  // the frames' checksums
	uint64_t frames;
};

// Writes the header; zstd: contents may be compressed. _fini is due on failure, too.
CRIMG_MUST_CHECK int crimg_out_open(struct crimg_out *o, struct crimg_output *output, bool zstd,
                                    struct crimg_err *err);
// Completes the frame header (CRIMG_F_BYTES at frame) in front of a body whose covered part follows it,
// and writes both. The rest of the body, body - covered bytes, is the caller's to append.
CRIMG_MUST_CHECK int crimg_out_frame(struct crimg_out *o, enum crimg_frame_type type, uint8_t *frame,
                                     uint64_t body, size_t covered, struct crimg_err *err);
// A frame whose header and body, all covered, are in buf, which is empty afterwards.
CRIMG_MUST_CHECK int crimg_out_buf(struct crimg_out *o, enum crimg_frame_type type,
                                   struct crimg_buf *buf, struct crimg_err *err);
// Writes a frame anew, whose header and body, all covered, are in buf: in the place of the number-th, which began at
// at and was as long. The sink must be one that is written at offsets.
CRIMG_MUST_CHECK int crimg_out_again(struct crimg_out *o, uint64_t number, uint64_t at,
                                     enum crimg_frame_type type, struct crimg_buf *buf,
                                     struct crimg_err *err);
// Writes the END frame and completes the stream. index_at: offset of the INDEX frame.
CRIMG_MUST_CHECK int crimg_out_end(struct crimg_out *o, uint64_t index_at, struct crimg_err *err);
void crimg_out_fini(struct crimg_out *o); // one that is zeroed is allowed

#endif
