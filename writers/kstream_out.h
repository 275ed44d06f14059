// The bytes of a kernel stream being made: records one behind the other, and gaps where pages come later.
// An error stays: what follows it does nothing, and the caller asks once, at the end. Knows framing and
// the numbers of the two postings; knows nothing of what records say.
#ifndef CRIMG_WRITERS_KSTREAM_OUT_H
#define CRIMG_WRITERS_KSTREAM_OUT_H

#include "format/buf.h"
#include "format/layout_linuxcr.h"
#include "writers/scatter.h"

struct kstream_gap {
	size_t head;     // bytes of heads before it
	uint64_t length; // bytes of pages
};

struct kstream_out {
	bool rc2;               // numbered as v23-rc2 does, else as v20 does
	struct crimg_buf heads; // all that is no page
	struct kstream_gap *gaps;
	size_t gap_count, gap_capacity;
	uint64_t gap_bytes;
	struct scatter_pieces pieces;
	size_t record;          // where in heads the record in hand begins
	uint64_t record_gaps;   // gap_bytes then
	struct crimg_err err;   // the first
};

void kstream_out_fini(struct kstream_out *o);
// Takes err as the error that stays, unless there is one.
void kstream_fail(struct kstream_out *o, const struct crimg_err *err);
static inline bool kstream_failed(const struct kstream_out *o)
{
	return o->err.code != CRIMG_OK;
}

// A record of this kind (as v23-rc2 numbers it), what it says, and its end, where its length is known.
void kstream_begin(struct kstream_out *o, uint32_t kind);
void kstream_begin_type(struct kstream_out *o, uint32_t type); // the number as it is
void kstream_u8(struct kstream_out *o, unsigned value);
void kstream_u16(struct kstream_out *o, unsigned value);
void kstream_u32(struct kstream_out *o, uint32_t value);
void kstream_ref(struct kstream_out *o, int32_t value);
void kstream_u64(struct kstream_out *o, uint64_t value);
void kstream_bytes(struct kstream_out *o, const void *data, size_t length);
void kstream_zeros(struct kstream_out *o, size_t length);
// Text in a field of this width, filled up with zeros; the last byte is one.
void kstream_text(struct kstream_out *o, const char *text, size_t width);
// Bytes [from, from + length) of a payload come here.
void kstream_pages(struct kstream_out *o, uint64_t payload, uint64_t from, uint64_t length);
void kstream_end(struct kstream_out *o);

static inline uint64_t kstream_size(const struct kstream_out *o)
{
	return o->heads.length + o->gap_bytes;
}
// Writes all but the pages.
CRIMG_MUST_CHECK int kstream_out_write(const struct kstream_out *o, struct crimg_sink *sink,
                                       struct crimg_err *err);

#endif
