// A crimg stream made byte by byte, right or wrong, and what a reader says of it.
#ifndef CRIMG_TESTS_STREAM_MADE_H
#define CRIMG_TESTS_STREAM_MADE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "format/checked.h"
#include "format/driver.h"
#include "format/layout_crimg.h"
#include "tests/suite.h"

#define MADE_BYTES ((size_t)4 << 20)

// A stream being made.
struct made {
	uint8_t *data;
	size_t length;
	uint64_t frames;         // so far
	size_t frame;            // offset of the frame that is open
	uint8_t sums[64 * 8];    // checksums of the frames so far
	size_t index_at;
	uint64_t objects, entries, payloads, bytes; // for METADATA_END
};

static inline void put(struct made *m, const void *data, size_t length)
{
	CU_ASSERT_FATAL(m->length + length <= MADE_BYTES);
	memcpy(m->data + m->length, data, length);
	m->length += length;
}

static inline void put16(struct made *m, uint16_t v)
{
	uint8_t b[2];
	crimg_put_u16(b, v);
	put(m, b, sizeof b);
}

static inline void put32(struct made *m, uint32_t v)
{
	uint8_t b[4];
	crimg_put_u32(b, v);
	put(m, b, sizeof b);
}

static inline void put64(struct made *m, uint64_t v)
{
	uint8_t b[8];
	crimg_put_u64(b, v);
	put(m, b, sizeof b);
}

struct header {
	uint32_t version, page;
	uint64_t incompatible, compatible, autoclear, reserved;
	const char *name;        // of incompatible feature 9
	size_t extra;            // bytes of a longer header
};

#define HEADER ((struct header){ .version = 1, .page = 4096 })

static inline struct made make_with(struct header h)
{
	struct made m = { .data = calloc(1, MADE_BYTES) };
	CU_ASSERT_FATAL(m.data != NULL);
	size_t names = h.name != NULL ? 4 + strlen(h.name) : 0;
	size_t length = 56 + (names + 7) / 8 * 8 + h.extra + 8;
	put(&m, CRIMG_STREAM_MAGIC, 8);
	put32(&m, h.version);
	put32(&m, (uint32_t)length);
	put64(&m, h.incompatible);
	put64(&m, h.compatible);
	put64(&m, h.autoclear);
	put32(&m, h.page);
	put32(&m, (uint32_t)names);
	put64(&m, h.reserved);
	if (h.name != NULL) {
		put(&m, "\0\x09", 2);
		put16(&m, (uint16_t)strlen(h.name));
		put(&m, h.name, strlen(h.name));
	}
	memset(m.data + length - 8 - h.extra, 0xee, h.extra); // of a later version: to be ignored
	m.length = length - 8;
	put64(&m, XXH3_64bits(m.data, length - 8));
	return m;
}

static inline struct made make(void)
{
	return make_with(HEADER);
}

static inline void begin(struct made *m, uint16_t type, uint16_t flags)
{
	m->frame = m->length;
	put32(m, CRIMG_FRAME_MAGIC);
	put16(m, type);
	put16(m, flags);
	put64(m, m->frames);
	put64(m, 0);
	put32(m, 0);
	put32(m, 0);
	put64(m, 0);
}

// Puts the checksum of the frame that is open right; covered bytes of its body are under it.
static inline void seal(struct made *m, size_t covered)
{
	uint8_t *f = m->data + m->frame;
	static uint8_t copy[MADE_BYTES];
	memcpy(copy, f, 32);
	memcpy(copy + 32, f + 40, covered);
	crimg_put_u64(f + 32, XXH3_64bits(copy, 32 + covered));
	memcpy(m->sums + (m->frames - 1) * 8, f + 32, 8);
}

static inline void finish_part(struct made *m, size_t covered)
{
	uint8_t *f = m->data + m->frame;
	crimg_put_u64(f + 16, m->length - m->frame - 40);
	crimg_put_u32(f + 24, (uint32_t)covered);
	m->frames++;
	seal(m, covered);
}

static inline void finish(struct made *m)
{
	finish_part(m, m->length - m->frame - 40);
}

struct object {
	uint8_t type, framing;
	const char *kind, *name, *target;
	uint64_t id, payload, length;
};

static inline void put_object(struct made *m, struct object o)
{
	const char *target = o.target != NULL ? o.target : "";
	begin(m, CRIMG_FRAME_OBJECT, 0);
	put(m, &o.type, 1);
	put(m, &o.framing, 1);
	put16(m, (uint16_t)strlen(o.kind));
	put32(m, (uint32_t)strlen(o.name));
	put32(m, (uint32_t)strlen(target));
	put32(m, 0);
	put64(m, o.id);
	put64(m, o.payload);
	put64(m, o.length);
	put(m, o.kind, strlen(o.kind));
	put(m, o.name, strlen(o.name));
	put(m, target, strlen(target));
	finish(m);
	m->objects++;
	m->payloads += o.payload != CRIMG_NO_PAYLOAD;
	m->bytes += o.length;
}

static inline void put_seccomp(struct made *m)
{
	put_object(m, (struct object){ .kind = "SECCOMP", .name = "seccomp.img",
	                               .payload = CRIMG_NO_PAYLOAD });
}

static inline void put_raw(struct made *m, const char *name, uint64_t payload, uint64_t length)
{
	put_object(m, (struct object){ .kind = "OPAQUE", .framing = 2, .name = name,
	                               .payload = payload, .length = length });
}

static inline void put_entry(struct made *m, uint64_t index, uint32_t flags, const char *message)
{
	begin(m, CRIMG_FRAME_ENTRIES, 0);
	put64(m, index);
	put32(m, 1);
	put32(m, 0);
	put32(m, (uint32_t)strlen(message));
	put32(m, flags);
	put(m, message, strlen(message));
	finish(m);
	m->entries++;
}

static inline void put_metadata_end(struct made *m)
{
	begin(m, CRIMG_FRAME_METADATA_END, 0);
	put64(m, m->objects);
	put64(m, m->entries);
	put64(m, m->payloads);
	put64(m, m->bytes);
	finish(m);
}

// A raw CONTENT frame of one chunk.
static inline void put_content(struct made *m, uint64_t payload, uint64_t offset, const char *text)
{
	XXH128_canonical_t sum;
	size_t n = strlen(text);
	XXH128_canonicalFromHash(&sum, XXH3_128bits(text, n));
	begin(m, CRIMG_FRAME_CONTENT, 0);
	put64(m, payload);
	put64(m, offset);
	put64(m, n);
	put32(m, 1);
	put32(m, 0);
	put64(m, n);
	put64(m, 0);
	put32(m, (uint32_t)n);
	put32(m, 0);
	put(m, sum.digest, 16);
	put(m, text, n);
	finish_part(m, 72);
}

static inline void put_zeros(struct made *m, uint64_t payload, uint64_t offset, uint32_t length)
{
	static const uint8_t none[16];
	begin(m, CRIMG_FRAME_CONTENT, 0);
	put64(m, payload);
	put64(m, offset);
	put64(m, length);
	put32(m, 1);
	put32(m, 0);
	put64(m, 0);
	put64(m, 0);
	put32(m, length);
	put32(m, CRIMG_CHUNK_ZERO);
	put(m, none, 16);
	finish(m);
}

static inline void put_zstd(struct made *m, uint64_t payload, const char *text)
{
	XXH128_canonical_t sum;
	uint8_t packed[256];
	size_t n = strlen(text), stored = ZSTD_compress(packed, sizeof packed, text, n, 3);
	CU_ASSERT_FATAL(!ZSTD_isError(stored));
	XXH128_canonicalFromHash(&sum, XXH3_128bits(text, n));
	begin(m, CRIMG_FRAME_CONTENT, 0);
	put64(m, payload);
	put64(m, 0);
	put64(m, n);
	put32(m, 1);
	put32(m, CRIMG_ENCODING_ZSTD);
	put64(m, stored);
	put64(m, XXH3_64bits(packed, stored));
	put32(m, (uint32_t)n);
	put32(m, 0);
	put(m, sum.digest, 16);
	put(m, packed, stored);
	finish_part(m, 72);
}

static inline void put_index(struct made *m, uint64_t frame, uint64_t length)
{
	m->index_at = m->length;
	begin(m, CRIMG_FRAME_INDEX, 0);
	put64(m, 1);
	put64(m, frame);
	put64(m, 0);
	put64(m, 0);
	put64(m, length);
	finish(m);
}

static inline void put_end(struct made *m)
{
	size_t n = m->frames * 8;
	begin(m, CRIMG_FRAME_END, 0);
	put64(m, m->index_at);
	put64(m, m->frames);
	put64(m, m->length + 16);
	put64(m, XXH3_64bits(m->sums, n));
	finish(m);
}

// Metadata, one payload of two frames, an end.
static inline struct made make_good(void)
{
	struct made m = make();
	put_seccomp(&m);
	put_entry(&m, 0, 0, "");
	put_raw(&m, "dump.log", 0, 11);
	put_metadata_end(&m);
	put_content(&m, 0, 0, "hello ");
	put_content(&m, 0, 6, "world");
	put_end(&m);
	return m;
}

// What came out.
struct seen {
	unsigned objects, messages, contents;
	unsigned ends; // of the metadata
	uint8_t bytes[64];
	size_t length;
	int rc;
	char text[1024];
	struct crimg_err err;
};

static inline struct crimg_source *open_bytes(const uint8_t *data, size_t length)
{
	struct crimg_source *s = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_memory(data, length, "x.crimg", &s, NULL), 0);
	return s;
}

static inline void take(struct seen *seen, const struct crimg_record *r)
{
	seen->objects += r->type == CRIMG_RECORD_OBJECT;
	seen->messages += r->type == CRIMG_RECORD_MESSAGE;
	if (r->type != CRIMG_RECORD_CONTENT)
		return;
	if (r->payload.number == CRIMG_NO_PAYLOAD) {
		CU_ASSERT_EQUAL(seen->contents, 0);
		seen->ends++;
		return;
	}
	seen->contents++;
	for (uint64_t i = 0; i < r->content_length && seen->length < sizeof seen->bytes; i++)
		seen->bytes[seen->length++] = r->zero ? 0 : r->bytes[i];
}

static inline void read_source(struct crimg_source *source, struct seen *seen)
{
	struct crimg_input in = { .path = strdup("x.crimg"), .source = source };
	struct crimg_reader reader;
	struct crimg_record r;
	*seen = (struct seen){ .err = CRIMG_ERR_INIT };
	seen->rc = crimg_reader_open(&in, "crimg", &reader, &seen->err);
	if (seen->rc == 0) {
		while ((seen->rc = crimg_reader_next(&reader, &r, &seen->err)) > 0)
			take(seen, &r);
		crimg_reader_close(&reader);
	}
	crimg_input_fini(&in);
	crimg_err_format(&seen->err, seen->text, sizeof seen->text);
}

static inline void read_made(const struct made *m, size_t length, struct seen *seen)
{
	read_source(open_bytes(m->data, length), seen);
}

// Reads the stream, which must fail with exactly this, and frees it.
static inline void refused(struct made m, const char *text)
{
	struct seen seen;
	read_made(&m, m.length, &seen);
	free(m.data);
	CU_ASSERT_EQUAL(seen.rc, -1);
	if (strcmp(seen.text, text) != 0)
		printf("\n  found  %s\n  wanted %s\n", seen.text, text);
	CU_ASSERT_STRING_EQUAL(seen.text, text);
}

static inline void accepted(struct made m, unsigned objects, unsigned messages, unsigned contents)
{
	struct seen seen;
	read_made(&m, m.length, &seen);
	free(m.data);
	CU_ASSERT_EQUAL(seen.rc, 0);
	if (seen.rc != 0)
		printf("\n  %s\n", seen.text);
	CU_ASSERT_EQUAL(seen.objects, objects);
	CU_ASSERT_EQUAL(seen.messages, messages);
	CU_ASSERT_EQUAL(seen.contents, contents);
	CU_ASSERT_EQUAL(seen.ends, 1);
}

// Every bit, flipped alone, is detected and placed. Frees the stream.
static inline void every_flip_is_seen(struct made m)
{
	struct seen seen;
	for (size_t bit = 0; bit < m.length * 8; bit++) {
		m.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		read_made(&m, m.length, &seen);
		m.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (seen.rc != -1 || !seen.err.has_offset)
			printf("\n  bit %zu of byte %zu: %s\n", bit % 8, bit / 8, seen.text);
		CU_ASSERT_EQUAL(seen.rc, -1);
		CU_ASSERT(seen.err.has_offset);
	}
	free(m.data);
}

#endif
