// The crimg writer: records to one stream, forwards only, so a pipe will do.
// Knows frames, chunks and digests; page contents pass through one buffer. Source: SPEC.md.
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "format/buf.h"
#include "format/checked.h"
#include "writers/writers.h"
#include "format/limits.h"
#include "writers/chunk_plan.h"
#include "writers/crimg_room.h"
#include "writers/crimg_tables.h"

#define ENTRIES_FLUSH_BYTES ((size_t)256 << 10)
#define FRAME_ROOM (CRIMG_F_BYTES + CRIMG_C_BYTES + CRIMG_CONTENT_CHUNKS_MAX * CRIMG_K_BYTES)

struct crimg_stream {
	struct crimg_out out;
	struct crimg_tables tables;
	uint64_t objects, entries, payloads, payload_bytes;

	bool amends;                   // the statistics come once more, behind the contents
	struct crimg_room room;        // where they are

	struct crimg_buf batch;        // ENTRIES being gathered: frame header, body
	uint32_t batch_count;
	struct crimg_chunk_plan plan;

	// The CONTENT frame being filled: FRAME_ROOM bytes for headers and chunks, then the data.
	bool content_begun;            // the METADATA_END frame is out
	uint8_t *frame, *data;
	size_t data_length;            // bytes kept in data (zero chunks are not)
	uint64_t payload, offset, length; // of the frame; length counts zero chunks
	size_t held;                   // bytes behind data that wait for the rest of their region
	uint32_t chunks;
	uint8_t *table;                // chunk rows

	ZSTD_CCtx *zstd;               // NULL: stored raw
	uint8_t *packed;
	size_t packed_capacity;
};

static void end_batch(struct crimg_stream *s)
{
	crimg_put_u32(s->batch.data + CRIMG_F_BYTES + CRIMG_E_COUNT, s->batch_count);
	s->batch_count = 0;
}

static int flush_batch(struct crimg_stream *s, struct crimg_err *err)
{
	if (s->batch_count == 0)
		return 0;
	end_batch(s);
	return crimg_out_buf(&s->out, CRIMG_FRAME_ENTRIES, &s->batch, err);
}

static void count_payload(struct crimg_stream *s, struct crimg_payload_ref payload)
{
	if (payload.number == CRIMG_NO_PAYLOAD)
		return;
	s->payloads++;
	s->payload_bytes += payload.length;
}

static int put_object(struct crimg_stream *s, const struct crimg_record *r, struct crimg_err *err)
{
	const struct crimg_object *o = r->object;
	const char *kind = crimg_kind_info(o->kind)->name;
	const char *target = o->target != NULL ? o->target : "";
	size_t kind_length = strlen(kind), name_length = strlen(o->name), link = strlen(target);
	uint8_t fixed[CRIMG_F_BYTES + CRIMG_O_BYTES] = { 0 }, *b = fixed + CRIMG_F_BYTES;
	b[CRIMG_O_TYPE] = (uint8_t)o->type;
	b[CRIMG_O_FRAMING] = (uint8_t)o->framing;
	crimg_put_u16(b + CRIMG_O_KIND_LENGTH, (uint16_t)kind_length);
	crimg_put_u32(b + CRIMG_O_NAME_LENGTH, (uint32_t)name_length);
	crimg_put_u32(b + CRIMG_O_TARGET_LENGTH, (uint32_t)link);
	crimg_put_u64(b + CRIMG_O_ID, o->id);
	crimg_put_u64(b + CRIMG_O_PAYLOAD, r->payload.number);
	crimg_put_u64(b + CRIMG_O_PAYLOAD_LENGTH,
	              r->payload.number == CRIMG_NO_PAYLOAD ? 0 : r->payload.length);
	if (flush_batch(s, err) < 0)
		return -1;
	s->objects++;
	count_payload(s, r->payload);
	s->batch.length = 0;
	if (crimg_buf_append(&s->batch, fixed, sizeof fixed, err) < 0
	    || crimg_buf_append(&s->batch, kind, kind_length, err) < 0
	    || crimg_buf_append(&s->batch, o->name, name_length, err) < 0
	    || crimg_buf_append(&s->batch, target, link, err) < 0)
		return -1;
	return crimg_out_buf(&s->out, CRIMG_FRAME_OBJECT, &s->batch, err);
}

static int begin_batch(struct crimg_stream *s, uint64_t first, struct crimg_err *err)
{
	uint8_t fixed[CRIMG_F_BYTES + CRIMG_E_BYTES] = { 0 };
	crimg_put_u64(fixed + CRIMG_F_BYTES + CRIMG_E_FIRST, first);
	s->batch.length = 0;
	return crimg_buf_append(&s->batch, fixed, sizeof fixed, err);
}

static int add_message(struct crimg_stream *s, const struct crimg_record *r, struct crimg_err *err)
{
	bool payload = r->payload.number != CRIMG_NO_PAYLOAD;
	uint8_t head[24];
	if (s->batch_count == 0 && begin_batch(s, r->index, err) < 0)
		return -1;
	crimg_put_u32(head, (uint32_t)r->length);
	crimg_put_u32(head + 4, (payload ? CRIMG_ENTRY_PAYLOAD : 0) | (r->tail ? CRIMG_ENTRY_TAIL : 0));
	crimg_put_u64(head + 8, r->payload.number);
	crimg_put_u64(head + 16, r->payload.length);
	if (crimg_buf_append(&s->batch, head, payload ? 24 : 8, err) < 0
	    || crimg_buf_append(&s->batch, r->data, r->length, err) < 0)
		return -1;
	s->batch_count++;
	return 0;
}

static int put_message(struct crimg_stream *s, const struct crimg_record *r, struct crimg_err *err)
{
	if (add_message(s, r, err) < 0)
		return -1;
	s->entries++;
	count_payload(s, r->payload);
	if (s->amends && r->object->kind == CRIMG_KIND_STATS_DUMP) {
		end_batch(s);
		return crimg_room_leave(&s->room, &s->out, &s->batch, err);
	}
	return s->batch.length >= ENTRIES_FLUSH_BYTES ? flush_batch(s, err) : 0;
}

// Behind the contents.
static int put_again(struct crimg_stream *s, const struct crimg_record *r, struct crimg_err *err)
{
	if (s->room.bytes == 0)
		return 0;
	if (add_message(s, r, err) < 0)
		return -1;
	end_batch(s);
	return crimg_room_fill(&s->room, &s->out, &s->batch, err);
}

static int end_metadata(struct crimg_stream *s, struct crimg_err *err)
{
	uint8_t frame[CRIMG_F_BYTES + CRIMG_M_BYTES];
	if (s->content_begun)
		return 0;
	s->content_begun = true;
	if (flush_batch(s, err) < 0)
		return -1;
	crimg_put_u64(frame + CRIMG_F_BYTES, s->objects);
	crimg_put_u64(frame + CRIMG_F_BYTES + 8, s->entries);
	crimg_put_u64(frame + CRIMG_F_BYTES + 16, s->payloads);
	crimg_put_u64(frame + CRIMG_F_BYTES + 24, s->payload_bytes);
	return crimg_out_frame(&s->out, CRIMG_FRAME_METADATA_END, frame, CRIMG_M_BYTES, CRIMG_M_BYTES,
	                       err);
}

// The stored form of the frame's data: zstd when that saves at least a sixteenth.
static const uint8_t *pack(struct crimg_stream *s, size_t *stored)
{
	*stored = s->data_length;
	if (s->zstd == NULL || s->data_length == 0)
		return s->data;
	size_t n = ZSTD_compress2(s->zstd, s->packed, s->packed_capacity, s->data, s->data_length);
	if (ZSTD_isError(n) || n > s->data_length - s->data_length / 16)
		return s->data;
	*stored = n;
	return s->packed;
}

static int flush_content(struct crimg_stream *s, struct crimg_err *err)
{
	if (s->held > 0)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "payload %llu ends at %llu, before its announced length",
		                  (unsigned long long)s->payload,
		                  (unsigned long long)(s->offset + s->length + s->held));
	if (s->chunks == 0)
		return 0;
	size_t stored, table = s->chunks * CRIMG_K_BYTES;
	const uint8_t *bytes = pack(s, &stored);
	bool packed = bytes == s->packed;
	// Headers and rows are put right in front of the data: raw frames leave in one write.
	uint8_t *frame = s->data - table - CRIMG_C_BYTES - CRIMG_F_BYTES, *b = frame + CRIMG_F_BYTES;
	memmove(b + CRIMG_C_BYTES, s->table, table);
	crimg_put_u64(b + CRIMG_C_PAYLOAD, s->payload);
	crimg_put_u64(b + CRIMG_C_OFFSET, s->offset);
	crimg_put_u64(b + CRIMG_C_LENGTH, s->length);
	crimg_put_u32(b + CRIMG_C_COUNT, s->chunks);
	crimg_put_u32(b + CRIMG_C_ENCODING, packed ? CRIMG_ENCODING_ZSTD : CRIMG_ENCODING_RAW);
	crimg_put_u64(b + CRIMG_C_STORED, stored);
	crimg_put_u64(b + CRIMG_C_STORED_SUM, packed ? XXH3_64bits(bytes, stored) : 0);
	size_t covered = CRIMG_C_BYTES + table;
	const struct crimg_tables_content content = { s->payload, s->offset, s->length, s->table,
		                                      s->chunks };
	if (crimg_tables_note(&s->tables, &s->out, &content, err) < 0
	    || crimg_out_frame(&s->out, CRIMG_FRAME_CONTENT, frame, covered + stored, covered, err) < 0
	    || crimg_sink_append(&s->out.sink, bytes, stored, err) < 0)
		return -1;
	s->offset += s->length;
	s->length = 0;
	s->chunks = 0;
	s->data_length = 0;
	return 0;
}

static void add_chunk(struct crimg_stream *s, const uint8_t *p, size_t length, bool zero)
{
	uint8_t *row = s->table + s->chunks * CRIMG_K_BYTES;
	memset(row, 0, CRIMG_K_BYTES);
	crimg_put_u32(row + CRIMG_K_LENGTH, (uint32_t)length);
	crimg_put_u32(row + CRIMG_K_FLAGS, zero ? CRIMG_CHUNK_ZERO : 0);
	s->chunks++;
	s->length += length;
	if (zero)
		return;
	XXH128_canonical_t digest;
	XXH128_canonicalFromHash(&digest, XXH3_128bits(p, length));
	memcpy(row + CRIMG_K_DIGEST, digest.digest, sizeof digest.digest);
	if (p != s->data + s->data_length)
		memmove(s->data + s->data_length, p, length);
	s->data_length += length;
}

// Cuts length bytes at p (which lie in s->data, at or behind what is kept) into chunks: within one
// region of the plan, a chunk is a longest run of zero pages, or of others.
static void cut_region(struct crimg_stream *s, const uint8_t *p, size_t length)
{
	while (length > 0) {
		size_t n = length < CRIMG_PAGE_BYTES ? length : CRIMG_PAGE_BYTES;
		bool zero = crimg_all_zero(p, n);
		while (n < length) {
			size_t page = length - n < CRIMG_PAGE_BYTES ? length - n : CRIMG_PAGE_BYTES;
			if (crimg_all_zero(p + n, page) != zero)
				break;
			n += page;
		}
		add_chunk(s, p, n, zero);
		p += n;
		length -= n;
	}
}

// Fetches `length` bytes of a content record, `done` of which are already taken, to p.
static int fetch(const struct crimg_record *r, uint64_t done, uint8_t *p, size_t length,
                 struct crimg_err *err)
{
	if (r->zero)
		memset(p, 0, length);
	else if (r->bytes != NULL)
		memcpy(p, r->bytes + done, length);
	else
		return crimg_source_read_exact(r->span.source, r->span.offset + done, p, length, err);
	return 0;
}

// Bytes from offset to where a chunk must end.
static size_t region_at(struct crimg_stream *s, uint64_t offset, uint64_t payload_length)
{
	size_t n = crimg_chunk_plan_region(&s->plan, s->payload, offset);
	return (size_t)crimg_min_u64(n, payload_length - offset);
}

// Whether one more region surely fits the frame when `sum` bytes and `pages` chunks are under way.
static bool fits(const struct crimg_stream *s, size_t region, size_t sum, uint32_t pages)
{
	uint32_t more = (uint32_t)((region + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES);
	return region <= CRIMG_CONTENT_MAX - (size_t)s->length - sum
		&& pages + more <= CRIMG_CONTENT_CHUNKS_MAX - s->chunks;
}

// How many bytes of whole regions the record has at `at`, as many as the frame has room for.
static size_t whole_regions(struct crimg_stream *s, const struct crimg_record *r, uint64_t at)
{
	uint64_t left = r->content_offset + r->content_length - at;
	size_t sum = 0;
	uint32_t pages = 0;
	while (sum < left) {
		size_t n = region_at(s, at + sum, r->payload.length);
		if (n > left - sum || !fits(s, n, sum, pages))
			break;
		sum += n;
		pages += (uint32_t)((n + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES);
	}
	return sum;
}

static void cut_regions(struct crimg_stream *s, uint64_t at, size_t length, uint64_t payload_length)
{
	const uint8_t *p = s->data + s->data_length;
	for (size_t cut = 0; cut < length;) {
		size_t n = region_at(s, at + cut, payload_length);
		cut_region(s, p + cut, n);
		cut += n;
	}
}

// Takes some bytes of a record from `done` on: whole regions if it can, else a part of one, which waits
// behind the data until it is whole. So chunks do not depend on the pieces in which contents come.
static int take_some(struct crimg_stream *s, const struct crimg_record *r, uint64_t *done,
                     struct crimg_err *err)
{
	uint64_t at = s->offset + s->length; // of the first byte that is in no chunk yet
	size_t n = s->held == 0 ? whole_regions(s, r, at) : 0;
	if (n > 0) {
		if (fetch(r, *done, s->data + s->data_length, n, err) < 0)
			return -1;
		cut_regions(s, at, n, r->payload.length);
		*done += n;
		return 0;
	}
	size_t region = region_at(s, at, r->payload.length);
	if (s->held == 0 && !fits(s, region, 0, 0))
		return flush_content(s, err);
	n = (size_t)crimg_min_u64(region - s->held, r->content_length - *done);
	if (fetch(r, *done, s->data + s->data_length + s->held, n, err) < 0)
		return -1;
	*done += n;
	s->held += n;
	if (s->held == region) {
		s->held = 0;
		cut_region(s, s->data + s->data_length, region);
	}
	return 0;
}

static int put_content(struct crimg_stream *s, const struct crimg_record *r, struct crimg_err *err)
{
	uint64_t done = 0;
	if (end_metadata(s, err) < 0)
		return -1;
	if (r->payload.number != s->payload || r->content_offset != s->offset + s->length + s->held) {
		if (flush_content(s, err) < 0)
			return -1;
		s->payload = r->payload.number;
		s->offset = r->content_offset;
	}
	if (!crimg_in_range(r->content_offset, r->content_length, r->payload.length))
		return crimg_fail(err, CRIMG_E_FORMAT, r->origin, CRIMG_NO_OFFSET,
		                  "content behind the end of payload %llu",
		                  (unsigned long long)r->payload.number);
	while (done < r->content_length)
		if (take_some(s, r, &done, err) < 0)
			return -1;
	return 0;
}

static int stream_put(struct crimg_writer *writer, const struct crimg_record *r,
                      struct crimg_err *err)
{
	struct crimg_stream *s = writer->state;
	if (r->type == CRIMG_RECORD_CONTENT)
		return put_content(s, r, err);
	if (s->content_begun)
		return put_again(s, r, err);
	if (crimg_chunk_plan_note(&s->plan, r, err) < 0)
		return -1;
	return r->type == CRIMG_RECORD_OBJECT ? put_object(s, r, err) : put_message(s, r, err);
}

static int stream_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct crimg_stream *s = writer->state;
	uint64_t index_at;
	if (end_metadata(s, err) < 0 || flush_content(s, err) < 0
	    || crimg_tables_write(&s->tables, &s->out, &index_at, err) < 0)
		return -1;
	return crimg_out_end(&s->out, index_at, err);
}

static void stream_free(struct crimg_stream *s)
{
	crimg_out_fini(&s->out);
	crimg_tables_fini(&s->tables);
	crimg_buf_fini(&s->batch);
	crimg_chunk_plan_fini(&s->plan);
	ZSTD_freeCCtx(s->zstd);
	free(s->packed);
	free(s->table);
	free(s->frame);
	free(s);
}

static void stream_close(struct crimg_writer *writer)
{
	stream_free(writer->state);
}

static int set_compression(struct crimg_stream *s, const struct crimg_writer_options *options,
                           struct crimg_err *err)
{
	if (options->compress == NULL || strcmp(options->compress, "none") == 0)
		return 0;
	if (strcmp(options->compress, "zstd") != 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "a crimg stream is compressed with zstd or none, not %s",
		                  options->compress);
	s->zstd = ZSTD_createCCtx();
	s->packed_capacity = ZSTD_compressBound(CRIMG_CONTENT_MAX);
	s->packed = malloc(s->packed_capacity);
	if (s->zstd == NULL || s->packed == NULL)
		return crimg_fail_nomem(err, s->packed_capacity);
	int level = options->level != 0 ? options->level : 3;
	if (ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, level)))
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "zstd has no level %d", level);
	return 0;
}

static int stream_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
                       struct crimg_err *err)
{
	struct crimg_stream *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->payload = CRIMG_NO_PAYLOAD;
	s->amends = options->amends && writer->output->at_offsets;
	s->frame = malloc(FRAME_ROOM + CRIMG_CONTENT_MAX);
	s->table = malloc((size_t)CRIMG_CONTENT_CHUNKS_MAX * CRIMG_K_BYTES);
	int rc = s->frame == NULL || s->table == NULL
		? crimg_fail_nomem(err, FRAME_ROOM + CRIMG_CONTENT_MAX)
		: set_compression(s, options, err);
	if (rc == 0) {
		s->data = s->frame + FRAME_ROOM;
		rc = crimg_out_open(&s->out, writer->output, s->zstd != NULL, err);
	}
	if (rc < 0) {
		stream_free(s);
		return -1;
	}
	writer->state = s;
	return 0;
}

static const char *const suffixes[] = { ".crimg", NULL };

const struct crimg_writer_driver crimg_writer_crimg = {
	.name = "crimg",
	.suffixes = suffixes,
	.single = true,
	.open = stream_open,
	.put = stream_put,
	.finish = stream_finish,
	.close = stream_close,
};
