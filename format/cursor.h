// The bounded cursor: the only hand that touches foreign bytes. A failed read moves nothing and writes
// nothing. A view: it borrows the bytes, which must outlive it.
#ifndef CRIMG_FORMAT_CURSOR_H
#define CRIMG_FORMAT_CURSOR_H

#include "format/err.h"

struct crimg_cursor {
	const uint8_t *data;
	size_t length;     // bytes in data
	size_t at;         // next byte to read, <= length
	const char *name;  // of the source, for errors; may be NULL
	uint64_t base;     // offset of data[0] within the source, for errors
};

// A cursor over length bytes that begin at offset base of the source called name.
struct crimg_cursor crimg_cursor_make(const void *data, size_t length, const char *name,
                                      uint64_t base);

static inline size_t crimg_cursor_left(const struct crimg_cursor *c)
{
	return c->length - c->at;
}

static inline uint64_t crimg_cursor_offset(const struct crimg_cursor *c)
{
	return c->base + c->at;
}

// Each reads one value and moves on; what names the field in the error. 0, or -1 with err filled
// (CRIMG_E_WIRE: fewer bytes are left than wanted).
CRIMG_MUST_CHECK int crimg_cursor_u8(struct crimg_cursor *c, uint8_t *out, const char *what,
                                     struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_cursor_u16(struct crimg_cursor *c, uint16_t *out, const char *what,
                                      struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_cursor_u32(struct crimg_cursor *c, uint32_t *out, const char *what,
                                      struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_cursor_u64(struct crimg_cursor *c, uint64_t *out, const char *what,
                                      struct crimg_err *err);
// A protobuf base-128 varint of at most 10 bytes.
CRIMG_MUST_CHECK int crimg_cursor_varint(struct crimg_cursor *c, uint64_t *out, const char *what,
                                         struct crimg_err *err);
// Lends the next length bytes.
CRIMG_MUST_CHECK int crimg_cursor_bytes(struct crimg_cursor *c, uint64_t length, const uint8_t **out,
                                        const char *what, struct crimg_err *err);
// A cursor over the next length bytes; this one moves past them.
CRIMG_MUST_CHECK int crimg_cursor_sub(struct crimg_cursor *c, uint64_t length,
                                      struct crimg_cursor *out, const char *what,
                                      struct crimg_err *err);

#endif
