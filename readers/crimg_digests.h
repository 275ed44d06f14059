// The DIGESTS frames of a crimg stream: what chunks its CONTENT frames have, in few places, so that
// digests are had without a visit to each frame. Source: SPEC.md, 3.7.
#ifndef CRIMG_READERS_CRIMG_DIGESTS_H
#define CRIMG_READERS_CRIMG_DIGESTS_H

#include "readers/crimg_frame.h"
#include "readers/crimg_index.h"

// At random.
struct crimg_digests;

// Borrows source and index, whose digests_at is not 0; they must outlive *out. Every frame is read
// once, and must agree with the index. Errors name the frame's offset.
CRIMG_MUST_CHECK int crimg_digests_open(struct crimg_source *source,
                                        const struct crimg_content_index *index,
                                        struct crimg_digests **out, struct crimg_err *err);
// The chunk rows of the frame that row `row` of the index is of: count times CRIMG_K_BYTES, lent until
// the next call. Their lengths sum up to the row's length.
CRIMG_MUST_CHECK int crimg_digests_lend(struct crimg_digests *d, size_t row, const uint8_t **rows,
                                        uint32_t *count, struct crimg_err *err);
void crimg_digests_close(struct crimg_digests *d); // NULL is allowed

// In sequence: whether DIGESTS frames repeat what the CONTENT frames before them say.
struct crimg_digests_check {
	uint64_t at;           // offset of the last DIGESTS frame, 0: none yet
	struct crimg_buf rows; // of the CONTENT frames since
	uint32_t contents;     // how many these are
};

// The next CONTENT frame; name is the stream's. More chunks than one DIGESTS frame can repeat:
// CRIMG_E_FORMAT.
CRIMG_MUST_CHECK int crimg_digests_check_content(struct crimg_digests_check *check,
                                                 const struct crimg_frame *frame,
                                                 const struct crimg_content *content,
                                                 const char *name, struct crimg_err *err);
// The next DIGESTS frame: what disagrees is CRIMG_E_FORMAT, with the offset of the frame or the row.
CRIMG_MUST_CHECK int crimg_digests_check_frame(struct crimg_digests_check *check,
                                               const struct crimg_frame *frame,
                                               struct crimg_cursor *body, struct crimg_err *err);
void crimg_digests_check_fini(struct crimg_digests_check *check);

#endif
