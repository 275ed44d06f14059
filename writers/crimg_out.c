// Header and frames of a crimg stream.
#include "writers/crimg_out.h"

#include <string.h>
#include <xxhash.h>

#include "format/checked.h"
#include "format/limits.h"

static int put_header(struct crimg_out *o, bool zstd, struct crimg_err *err)
{
	static const struct {
		uint8_t word, bit;
		const char *name;
	} features[] = {
		{ 0, 0, "zstd" }, { 1, 0, "aligned-chunks" }, { 2, 0, "index" }, { 2, 1, "digests" },
	};
	uint8_t h[256] = { 0 };
	size_t at = CRIMG_H_NAMES;
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
		size_t n = strlen(features[i].name);
		h[at] = features[i].word;
		h[at + 1] = features[i].bit;
		crimg_put_u16(h + at + 2, (uint16_t)n);
		memcpy(h + at + 4, features[i].name, n);
		at += 4 + n;
	}
	memcpy(h, CRIMG_STREAM_MAGIC, 8);
	crimg_put_u32(h + CRIMG_H_NAMES_BYTES, (uint32_t)(at - CRIMG_H_NAMES));
	size_t length = (at + 7) / 8 * 8 + 8;
	crimg_put_u32(h + CRIMG_H_VERSION, CRIMG_STREAM_VERSION);
	crimg_put_u32(h + CRIMG_H_LENGTH, (uint32_t)length);
	crimg_put_u64(h + CRIMG_H_INCOMPATIBLE, zstd ? CRIMG_FEATURE_ZSTD : 0);
	crimg_put_u64(h + CRIMG_H_COMPATIBLE, CRIMG_FEATURE_ALIGNED_CHUNKS);
	crimg_put_u64(h + CRIMG_H_AUTOCLEAR, CRIMG_FEATURE_INDEX | CRIMG_FEATURE_DIGESTS);
	crimg_put_u32(h + CRIMG_H_PAGE_BYTES, CRIMG_PAGE_BYTES);
	crimg_put_u64(h + length - 8, XXH3_64bits(h, length - 8));
	return crimg_sink_append(&o->sink, h, length, err);
}

int crimg_out_open(struct crimg_out *o, struct crimg_output *output, bool zstd,
                   struct crimg_err *err)
{
	if (crimg_sink_create(output, "", CRIMG_SIZE_UNKNOWN, &o->sink, err) < 0)
		return -1;
	o->open = true;
	return put_header(o, zstd, err);
}

// Completes the header; its checksum is its last field.
static int seal(enum crimg_frame_type type, uint64_t number, uint8_t *frame, uint64_t body,
                size_t covered, struct crimg_err *err)
{
	bool ignorable = type == CRIMG_FRAME_DIGESTS || type == CRIMG_FRAME_PADDING;
	memset(frame, 0, CRIMG_F_BYTES);
	crimg_put_u32(frame + CRIMG_F_MAGIC, CRIMG_FRAME_MAGIC);
	crimg_put_u16(frame + CRIMG_F_TYPE, (uint16_t)type);
	crimg_put_u16(frame + CRIMG_F_FLAGS, ignorable ? CRIMG_FRAME_IGNORABLE : 0);
	crimg_put_u64(frame + CRIMG_F_NUMBER, number);
	crimg_put_u64(frame + CRIMG_F_BODY, body);
	crimg_put_u32(frame + CRIMG_F_COVERED, (uint32_t)covered);
	XXH3_state_t *x = XXH3_createState();
	if (x == NULL)
		return crimg_fail_nomem(err, 0);
	XXH3_64bits_reset(x);
	XXH3_64bits_update(x, frame, CRIMG_F_CHECKSUM);
	XXH3_64bits_update(x, frame + CRIMG_F_BYTES, covered);
	crimg_put_u64(frame + CRIMG_F_CHECKSUM, XXH3_64bits_digest(x));
	XXH3_freeState(x);
	return 0;
}

int crimg_out_frame(struct crimg_out *o, enum crimg_frame_type type, uint8_t *frame, uint64_t body,
                    size_t covered, struct crimg_err *err)
{
	if (seal(type, o->frames, frame, body, covered, err) < 0
	    || crimg_buf_append(&o->sums, frame + CRIMG_F_CHECKSUM, 8, err) < 0)
		return -1;
	o->frames++;
	return crimg_sink_append(&o->sink, frame, CRIMG_F_BYTES + covered, err);
}

int crimg_out_buf(struct crimg_out *o, enum crimg_frame_type type, struct crimg_buf *buf,
                  struct crimg_err *err)
{
	size_t body = buf->length - CRIMG_F_BYTES;
	buf->length = 0;
	if (body > UINT32_MAX)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "%zu bytes do not fit a frame", body);
	return crimg_out_frame(o, type, buf->data, body, body, err);
}

int crimg_out_again(struct crimg_out *o, uint64_t number, uint64_t at, enum crimg_frame_type type,
                    struct crimg_buf *buf, struct crimg_err *err)
{
	size_t length = buf->length, body = length - CRIMG_F_BYTES;
	buf->length = 0;
	if (seal(type, number, buf->data, body, body, err) < 0)
		return -1;
	memcpy(o->sums.data + 8 * number, buf->data + CRIMG_F_CHECKSUM, 8);
	return crimg_sink_write(&o->sink, at, buf->data, length, err);
}

int crimg_out_end(struct crimg_out *o, uint64_t index_at, struct crimg_err *err)
{
	uint8_t frame[CRIMG_END_BYTES], *body = frame + CRIMG_F_BYTES;
	crimg_put_u64(body, index_at);
	crimg_put_u64(body + 8, o->frames);
	crimg_put_u64(body + 16, o->sink.at + CRIMG_END_BYTES);
	crimg_put_u64(body + 24, XXH3_64bits(o->sums.data, o->sums.length));
	if (crimg_out_frame(o, CRIMG_FRAME_END, frame, CRIMG_END_BODY, CRIMG_END_BODY, err) < 0)
		return -1;
	o->open = false;
	return crimg_sink_end(&o->sink, err);
}

void crimg_out_fini(struct crimg_out *o)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (o->open && crimg_sink_end(&o->sink, &ignored) < 0)
		o->open = false;
	crimg_buf_fini(&o->sums);
}
