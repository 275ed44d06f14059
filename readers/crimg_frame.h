// Frames of a crimg stream: reading one, checking it, and expanding content. Source: SPEC.md.
#ifndef CRIMG_READERS_CRIMG_FRAME_H
#define CRIMG_READERS_CRIMG_FRAME_H

#include "format/buf.h"
#include "format/checked.h"
#include "format/cursor.h"
#include "format/layout_crimg.h"
#include "format/source.h"

struct crimg_frame {
	uint16_t type;
	bool ignorable;       // a reader that does not know type passes over it
	uint64_t number, body;
	uint32_t covered;
	uint64_t checksum;
	uint64_t at;          // offset of the frame in the stream
};

struct crimg_stream_header {
	uint32_t length;                  // of all of it, bytes
	uint64_t incompatible, autoclear; // feature words
};

// Checks the 64 and more bytes of the stream's header. Lends nothing.
CRIMG_MUST_CHECK int crimg_stream_check_header(struct crimg_window *w,
                                               struct crimg_stream_header *header,
                                               struct crimg_err *err);
// Reads the frame at the window's place, which stays: header and covered body, checksum verified. *body
// is over the covered body, lent until the window moves. A stream that ends here or within: the error
// says that it is cut.
CRIMG_MUST_CHECK int crimg_frame_peek(struct crimg_window *w, struct crimg_frame *frame,
                                      struct crimg_cursor *body, struct crimg_err *err);

// Bytes to read ahead when contents are not wanted: a frame's header and the chunks that it mostly has.
#define CRIMG_TABLES_AHEAD 320u

// What a CONTENT frame holds.
struct crimg_content {
	uint64_t payload, offset, length;
	uint32_t count, encoding;
	uint64_t stored, stored_sum;
	const uint8_t *rows;  // count chunks, lent as body is
	uint64_t data_at;     // offset of the stored bytes in the stream
};

// Limits of version 1 hold: at most 1 MiB and 4096 chunks a frame, sums that agree.
CRIMG_MUST_CHECK int crimg_content_parse(const struct crimg_frame *frame, struct crimg_cursor *body,
                                         struct crimg_content *out, struct crimg_err *err);
// From stored bytes to *data: the chunks that are not zero, one after the other, digests verified. raw
// content is lent from stored; packed content is expanded into room (CRIMG_CONTENT_MAX bytes).
CRIMG_MUST_CHECK int crimg_content_expand(const struct crimg_content *c, const uint8_t *stored,
                                          uint8_t *room, const uint8_t **data, const char *name,
                                          struct crimg_err *err);

// What a DIGESTS frame holds.
struct crimg_digests_body {
	uint64_t before;           // offset of the DIGESTS frame before it, less than its own; 0: none
	uint32_t contents, chunks; // contents is 0 only in the first
	const uint8_t *rows;       // chunks of them, lent as body is
};

CRIMG_MUST_CHECK int crimg_digests_parse(const struct crimg_frame *frame, struct crimg_cursor *body,
                                         struct crimg_digests_body *out, struct crimg_err *err);

// Of chunk rows, as CONTENT and DIGESTS frames hold them.
static inline uint32_t crimg_chunk_length(const uint8_t *rows, uint32_t i)
{
	return crimg_get_u32(rows + (size_t)i * CRIMG_K_BYTES + CRIMG_K_LENGTH);
}

static inline bool crimg_chunk_is_zero(const uint8_t *rows, uint32_t i)
{
	return (rows[(size_t)i * CRIMG_K_BYTES + CRIMG_K_FLAGS] & CRIMG_CHUNK_ZERO) != 0;
}

#endif
