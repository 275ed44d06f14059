// Frames of a crimg stream.
#define XXH_STATIC_LINKING_ONLY // for a hash state on the stack
#include "readers/crimg_frame.h"

#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "format/checked.h"
#include "format/limits.h"

static int fail_cut(const struct crimg_window *w, const char *what, size_t got, uint64_t wanted,
                    struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_CUT, w->source->name, w->offset,
	                  "the stream is cut: %zu bytes of %s found, %llu wanted", got, what,
	                  (unsigned long long)wanted);
}

static const char *known_feature(unsigned word, unsigned bit)
{
	return word == 0 && bit == 0 ? "zstd" : NULL;
}

// The name that the stream itself gives to a feature bit, for the error.
static void feature_name(const uint8_t *h, unsigned word, unsigned bit, char out[64])
{
	struct crimg_cursor c = crimg_cursor_make(h + CRIMG_H_NAMES,
	                                          crimg_get_u32(h + CRIMG_H_NAMES_BYTES), NULL, 0);
	uint8_t w, b;
	uint16_t n;
	const uint8_t *text;
	strcpy(out, "unnamed");
	while (crimg_cursor_left(&c) > 0) {
		if (crimg_cursor_u8(&c, &w, "", NULL) < 0 || crimg_cursor_u8(&c, &b, "", NULL) < 0
		    || crimg_cursor_u16(&c, &n, "", NULL) < 0
		    || crimg_cursor_bytes(&c, n, &text, "", NULL) < 0)
			return;
		if (w == word && b == bit)
			crimg_safe_text(out, 64, (const char *)text, n);
	}
}

static int check_features(const uint8_t *h, const char *name, struct crimg_err *err)
{
	uint64_t word = crimg_get_u64(h + CRIMG_H_INCOMPATIBLE);
	for (unsigned bit = 0; bit < 64; bit++) {
		char text[64];
		if ((word >> bit & 1) == 0 || known_feature(0, bit) != NULL)
			continue;
		feature_name(h, 0, bit, text);
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_H_INCOMPATIBLE,
		                  "the stream needs feature %u (%s), which this crimg does not have",
		                  bit, text);
	}
	return 0;
}

static int check_fixed(const uint8_t *h, const char *name, struct crimg_err *err)
{
	uint32_t length = crimg_get_u32(h + CRIMG_H_LENGTH);
	if (memcmp(h, CRIMG_STREAM_MAGIC, 8) != 0)
		return crimg_fail(err, CRIMG_E_MAGIC, name, 0,
		                  "no crimg stream: it does not begin with the magic 89 CRIMG");
	if (crimg_get_u32(h + CRIMG_H_VERSION) != CRIMG_STREAM_VERSION)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_H_VERSION,
		                  "version %u found, %u wanted", crimg_get_u32(h + CRIMG_H_VERSION),
		                  CRIMG_STREAM_VERSION);
	if (length < CRIMG_H_MIN || length > CRIMG_H_MAX || length % 8 != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_H_LENGTH,
		                  "a header of %u bytes found, %d to %d in steps of 8 wanted", length,
		                  CRIMG_H_MIN, CRIMG_H_MAX);
	if (crimg_get_u32(h + CRIMG_H_NAMES_BYTES) > length - CRIMG_H_NAMES - 8)
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_H_NAMES_BYTES,
		                  "the feature names leave the header");
	return 0;
}

int crimg_stream_check_header(struct crimg_window *w, struct crimg_stream_header *header,
                              struct crimg_err *err)
{
	const uint8_t *h;
	size_t got;
	const char *name = w->source->name;
	if (crimg_window_peek(w, CRIMG_H_MIN, &h, &got, err) < 0)
		return -1;
	if (got < CRIMG_H_MIN)
		return fail_cut(w, "the header", got, CRIMG_H_MIN, err);
	if (check_fixed(h, name, err) < 0)
		return -1;
	uint32_t wanted = crimg_get_u32(h + CRIMG_H_LENGTH);
	if (crimg_window_peek(w, wanted, &h, &got, err) < 0)
		return -1;
	if (got < wanted)
		return fail_cut(w, "the header", got, wanted, err);
	if (XXH3_64bits(h, wanted - 8) != crimg_get_u64(h + wanted - 8))
		return crimg_fail(err, CRIMG_E_CHECKSUM, name, wanted - 8,
		                  "the header's checksum is wrong");
	if (check_features(h, name, err) < 0)
		return -1;
	if (crimg_get_u32(h + CRIMG_H_PAGE_BYTES) != CRIMG_PAGE_BYTES)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_H_PAGE_BYTES,
		                  "pages of %u bytes found, %u wanted",
		                  crimg_get_u32(h + CRIMG_H_PAGE_BYTES), CRIMG_PAGE_BYTES);
	if (crimg_get_u64(h + CRIMG_H_RESERVED) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_H_RESERVED,
		                  "reserved bytes are not zero");
	*header = (struct crimg_stream_header){ wanted, crimg_get_u64(h + CRIMG_H_INCOMPATIBLE),
		                                crimg_get_u64(h + CRIMG_H_AUTOCLEAR) };
	return 0;
}

static int parse_frame(const uint8_t *h, struct crimg_frame *f, const char *name,
                       struct crimg_err *err)
{
	uint16_t flags = crimg_get_u16(h + CRIMG_F_FLAGS);
	if (crimg_get_u32(h + CRIMG_F_MAGIC) != CRIMG_FRAME_MAGIC)
		return crimg_fail(err, CRIMG_E_MAGIC, name, f->at,
		                  "frame magic 0x%08x found, 0x%08x wanted",
		                  crimg_get_u32(h + CRIMG_F_MAGIC), CRIMG_FRAME_MAGIC);
	f->type = crimg_get_u16(h + CRIMG_F_TYPE);
	f->ignorable = (flags & CRIMG_FRAME_IGNORABLE) != 0;
	f->number = crimg_get_u64(h + CRIMG_F_NUMBER);
	f->body = crimg_get_u64(h + CRIMG_F_BODY);
	f->covered = crimg_get_u32(h + CRIMG_F_COVERED);
	f->checksum = crimg_get_u64(h + CRIMG_F_CHECKSUM);
	if ((flags & ~CRIMG_FRAME_IGNORABLE) != 0 || crimg_get_u32(h + CRIMG_F_RESERVED) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, f->at,
		                  "reserved bits of a frame are not zero");
	if (f->covered > f->body || f->body > UINT64_MAX / 2
	    || (f->type != CRIMG_FRAME_CONTENT && f->covered != f->body))
		return crimg_fail(err, CRIMG_E_FORMAT, name, f->at,
		                  "a frame of %llu bytes with %u under its checksum",
		                  (unsigned long long)f->body, f->covered);
	if (f->covered > 2 * CRIMG_MAX_MESSAGE_BYTES && f->type != CRIMG_FRAME_INDEX)
		return crimg_fail(err, CRIMG_E_LIMIT, name, f->at, "a frame of %u bytes", f->covered);
	return 0;
}

static uint64_t frame_sum(const uint8_t *h, uint32_t covered)
{
	// One pass over two ranges: the checksum itself stands between them. Short frames are put together,
	// which is faster than a state.
	uint8_t small[512];
	if (covered <= sizeof small - CRIMG_F_CHECKSUM) {
		memcpy(small, h, CRIMG_F_CHECKSUM);
		memcpy(small + CRIMG_F_CHECKSUM, h + CRIMG_F_BYTES, covered);
		return XXH3_64bits(small, CRIMG_F_CHECKSUM + covered);
	}
	XXH3_state_t x;
	XXH3_INITSTATE(&x);
	XXH3_64bits_reset(&x);
	XXH3_64bits_update(&x, h, CRIMG_F_CHECKSUM);
	XXH3_64bits_update(&x, h + CRIMG_F_BYTES, covered);
	return XXH3_64bits_digest(&x);
}

int crimg_frame_peek(struct crimg_window *w, struct crimg_frame *frame, struct crimg_cursor *body,
                     struct crimg_err *err)
{
	const uint8_t *h;
	size_t got;
	struct crimg_frame f = { .at = w->offset };
	if (crimg_window_peek(w, CRIMG_F_BYTES, &h, &got, err) < 0)
		return -1;
	if (got < CRIMG_F_BYTES)
		return fail_cut(w, "a frame header", got, CRIMG_F_BYTES, err);
	if (parse_frame(h, &f, w->source->name, err) < 0)
		return -1;
	size_t wanted = CRIMG_F_BYTES + (size_t)f.covered;
	if (crimg_window_peek(w, wanted, &h, &got, err) < 0)
		return -1;
	if (got < wanted)
		return fail_cut(w, "a frame", got, wanted, err);
	if (frame_sum(h, f.covered) != f.checksum)
		return crimg_fail(err, CRIMG_E_CHECKSUM, w->source->name, f.at,
		                  "the checksum of frame %llu is wrong",
		                  (unsigned long long)f.number);
	*frame = f;
	*body = crimg_cursor_make(h + CRIMG_F_BYTES, f.covered, w->source->name,
	                          f.at + CRIMG_F_BYTES);
	return 0;
}

static int check_rows(const struct crimg_content *c, const char *name, uint64_t at,
                      struct crimg_err *err)
{
	uint64_t length = 0, kept = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		uint32_t flags = crimg_get_u32(c->rows + (size_t)i * CRIMG_K_BYTES + CRIMG_K_FLAGS);
		uint32_t n = crimg_chunk_length(c->rows, i);
		if (n == 0 || n > CRIMG_CHUNK_MAX || (flags & ~CRIMG_CHUNK_ZERO) != 0)
			return crimg_fail(err, CRIMG_E_FORMAT, name, at,
			                  "chunk %u has %u bytes and flags 0x%x", i, n, flags);
		length += n;
		kept += flags == 0 ? n : 0;
	}
	if (length != c->length || length > CRIMG_CONTENT_MAX
	    || (c->encoding == CRIMG_ENCODING_RAW && kept != c->stored))
		return crimg_fail(err, CRIMG_E_FORMAT, name, at,
		                  "chunks of %llu bytes in all found, %llu wanted",
		                  (unsigned long long)length, (unsigned long long)c->length);
	return 0;
}

int crimg_content_parse(const struct crimg_frame *frame, struct crimg_cursor *body,
                        struct crimg_content *out, struct crimg_err *err)
{
	struct crimg_content c = { .data_at = frame->at + CRIMG_F_BYTES + frame->covered };
	if (crimg_cursor_u64(body, &c.payload, "payload", err) < 0
	    || crimg_cursor_u64(body, &c.offset, "offset", err) < 0
	    || crimg_cursor_u64(body, &c.length, "length", err) < 0
	    || crimg_cursor_u32(body, &c.count, "chunk count", err) < 0
	    || crimg_cursor_u32(body, &c.encoding, "encoding", err) < 0
	    || crimg_cursor_u64(body, &c.stored, "stored length", err) < 0
	    || crimg_cursor_u64(body, &c.stored_sum, "stored sum", err) < 0
	    || crimg_cursor_bytes(body, (uint64_t)c.count * CRIMG_K_BYTES, &c.rows, "chunks", err) < 0)
		return -1;
	if (c.count == 0 || c.count > CRIMG_CONTENT_CHUNKS_MAX || c.encoding > CRIMG_ENCODING_ZSTD
	    || crimg_cursor_left(body) != 0 || c.stored != frame->body - frame->covered
	    || c.stored > CRIMG_CONTENT_MAX || (c.encoding == CRIMG_ENCODING_RAW && c.stored_sum != 0))
		return crimg_fail(err, CRIMG_E_FORMAT, body->name, frame->at,
		                  "a content frame that contradicts itself");
	if (check_rows(&c, body->name, frame->at, err) < 0)
		return -1;
	*out = c;
	return 0;
}

int crimg_digests_parse(const struct crimg_frame *frame, struct crimg_cursor *body,
                        struct crimg_digests_body *out, struct crimg_err *err)
{
	struct crimg_digests_body d;
	if (crimg_cursor_u64(body, &d.before, "the frame before", err) < 0
	    || crimg_cursor_u32(body, &d.contents, "content count", err) < 0
	    || crimg_cursor_u32(body, &d.chunks, "chunk count", err) < 0
	    || crimg_cursor_bytes(body, (uint64_t)d.chunks * CRIMG_K_BYTES, &d.rows, "chunks", err) < 0)
		return -1;
	if (d.chunks > CRIMG_DIGESTS_CHUNKS_MAX || d.contents > d.chunks || d.before >= frame->at
	    || (d.contents == 0 && (d.chunks > 0 || d.before > 0)) || crimg_cursor_left(body) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, body->name, frame->at,
		                  "a digests frame that contradicts itself");
	*out = d;
	return 0;
}

static int unpack(const struct crimg_content *c, const uint8_t *stored, uint8_t *room,
                  const uint8_t **data, const char *name, struct crimg_err *err)
{
	uint64_t kept = 0;
	for (uint32_t i = 0; i < c->count; i++)
		kept += crimg_chunk_is_zero(c->rows, i) ? 0 : crimg_chunk_length(c->rows, i);
	*data = c->encoding == CRIMG_ENCODING_RAW ? stored : room;
	if (c->encoding == CRIMG_ENCODING_RAW)
		return 0;
	if (XXH3_64bits(stored, (size_t)c->stored) != c->stored_sum)
		return crimg_fail(err, CRIMG_E_CHECKSUM, name, c->data_at,
		                  "the checksum of %llu stored bytes is wrong",
		                  (unsigned long long)c->stored);
	size_t n = ZSTD_decompress(room, CRIMG_CONTENT_MAX, stored, (size_t)c->stored);
	if (ZSTD_isError(n) || n != kept)
		return crimg_fail(err, CRIMG_E_FORMAT, name, c->data_at,
		                  "zstd data that do not expand to %llu bytes",
		                  (unsigned long long)kept);
	return 0;
}

int crimg_content_expand(const struct crimg_content *c, const uint8_t *stored, uint8_t *room,
                         const uint8_t **data, const char *name, struct crimg_err *err)
{
	size_t at = 0;
	if (unpack(c, stored, room, data, name, err) < 0)
		return -1;
	for (uint32_t i = 0; i < c->count; i++) {
		XXH128_canonical_t sum = { { 0 } };
		size_t n = crimg_chunk_length(c->rows, i);
		bool zero = crimg_chunk_is_zero(c->rows, i);
		if (!zero)
			XXH128_canonicalFromHash(&sum, XXH3_128bits(*data + at, n));
		if (memcmp(sum.digest, c->rows + (size_t)i * CRIMG_K_BYTES + CRIMG_K_DIGEST, 16) != 0)
			return crimg_fail(err, CRIMG_E_CHECKSUM, name, c->data_at + at,
			                  "the digest of %zu bytes (payload %llu at %llu) is wrong", n,
			                  (unsigned long long)c->payload, (unsigned long long)c->offset);
		at += zero ? 0 : n;
	}
	return 0;
}
