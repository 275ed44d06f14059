// The crimg reader: one stream to records, forwards only; payload at random through crimg_random.
// Every byte is verified before it is lent. Source: SPEC.md, chapter "The crimg stream".
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/checked.h"
#include "readers/readers.h"
#include "format/limits.h"
#include "readers/crimg_digests.h"
#include "readers/crimg_index.h"
#include "readers/crimg_random.h"

struct payload_seen {
	uint64_t length, given;
};

struct stream_state {
	struct crimg_source *source;
	struct crimg_window window;
	struct crimg_arena arena;        // objects: they live as long as the reader
	struct crimg_object *object;     // opened last
	char *origin;
	XXH3_state_t *sums;              // over the frames' checksums
	struct crimg_stream_header header;
	uint64_t frames, objects, entries, payload_bytes;
	uint64_t index_at, index_end;    // where the INDEX frame begins and ends, 0 before
	bool metadata_over, over;
	uint64_t next_frame;             // offset of the next frame: where the window goes when done here

	struct crimg_cursor batch;       // entries of the frame under the window
	uint32_t batch_left;
	uint64_t batch_index;

	struct crimg_content content;    // of the frame under the window
	uint64_t payload;                // that content came of last: their numbers never fall
	bool in_content;
	const uint8_t *data;             // its bytes that are not zero
	uint8_t *room;                   // for expanding
	uint8_t *rows;                   // own copy of the chunk rows
	uint32_t chunk;                  // next
	uint64_t chunk_at, data_at;      // its place in the frame, and in data

	bool tables_only;                // contents are passed over, their tables are not
	bool digests_promised;
	struct crimg_digests_check digests;

	struct payload_seen *payloads;
	size_t payload_count, payload_capacity;
	struct crimg_random *random;     // made by the first read()
};

static int fail_at(const struct stream_state *s, uint64_t at, struct crimg_err *err,
                   const char *what)
{
	return crimg_fail(err, CRIMG_E_FORMAT, s->source->name, at, "%s", what);
}

static int note_payload(struct stream_state *s, struct crimg_payload_ref ref, uint64_t at,
                        struct crimg_err *err)
{
	void *array = s->payloads;
	if (ref.number == CRIMG_NO_PAYLOAD)
		return 0;
	if (ref.number != s->payload_count)
		return crimg_fail(err, CRIMG_E_FORMAT, s->source->name, at,
		                  "payload %llu announced, %zu wanted",
		                  (unsigned long long)ref.number, s->payload_count);
	if (crimg_grow(&array, &s->payload_capacity, s->payload_count, sizeof *s->payloads, err) < 0)
		return -1;
	s->payloads = array;
	s->payloads[s->payload_count++] = (struct payload_seen){ .length = ref.length };
	s->payload_bytes += ref.length;
	return 0;
}

struct object_texts {
	uint16_t kind_length;
	uint32_t name_length, target_length, reserved;
	const uint8_t *kind, *name, *target;
};

static int read_texts(struct crimg_cursor *c, struct object_texts *t, struct crimg_err *err)
{
	if (crimg_cursor_bytes(c, t->kind_length, &t->kind, "kind", err) < 0
	    || crimg_cursor_bytes(c, t->name_length, &t->name, "name", err) < 0
	    || crimg_cursor_bytes(c, t->target_length, &t->target, "link target", err) < 0)
		return -1;
	if (t->name_length > CRIMG_MAX_NAME_BYTES || t->target_length > CRIMG_MAX_NAME_BYTES
	    || memchr(t->name, 0, t->name_length) != NULL
	    || memchr(t->target, 0, t->target_length) != NULL || t->reserved != 0
	    || crimg_cursor_left(c) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, c->name, c->base,
		                  "an object with an impossible name");
	return 0;
}

static int set_object(struct stream_state *s, struct crimg_object *o, const struct object_texts *t,
                      uint64_t at, struct crimg_err *err)
{
	char kind[64];
	if (s->objects >= CRIMG_MAX_OBJECTS || t->kind_length >= sizeof kind)
		return crimg_fail(err, CRIMG_E_LIMIT, s->source->name, at, "too many objects");
	memcpy(kind, t->kind, t->kind_length);
	kind[t->kind_length] = '\0';
	o->kind = crimg_kind_by_name(kind);
	if (o->kind == CRIMG_KIND_COUNT)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, s->source->name, at,
		                  "objects of kind %s are not known: the stream is newer than this crimg",
		                  kind);
	o->name = crimg_arena_text(&s->arena, (const char *)t->name, t->name_length);
	o->target = o->type != CRIMG_OBJECT_LINK ? NULL
		: crimg_arena_text(&s->arena, (const char *)t->target, t->target_length);
	if (o->name == NULL || (o->type == CRIMG_OBJECT_LINK && o->target == NULL))
		return crimg_fail_nomem(err, t->name_length);
	return 0;
}

static int take_object(struct stream_state *s, struct crimg_cursor *c, struct crimg_record *r,
                       struct crimg_err *err)
{
	uint8_t type, framing;
	struct object_texts t;
	struct crimg_payload_ref payload;
	uint64_t id;
	if (crimg_cursor_u8(c, &type, "object type", err) < 0
	    || crimg_cursor_u8(c, &framing, "framing", err) < 0
	    || crimg_cursor_u16(c, &t.kind_length, "kind length", err) < 0
	    || crimg_cursor_u32(c, &t.name_length, "name length", err) < 0
	    || crimg_cursor_u32(c, &t.target_length, "target length", err) < 0
	    || crimg_cursor_u32(c, &t.reserved, "reserved", err) < 0
	    || crimg_cursor_u64(c, &id, "number", err) < 0
	    || crimg_cursor_u64(c, &payload.number, "payload", err) < 0
	    || crimg_cursor_u64(c, &payload.length, "payload length", err) < 0
	    || read_texts(c, &t, err) < 0)
		return -1;
	if (type > CRIMG_OBJECT_DIR || framing > CRIMG_FRAMING_RAW)
		return fail_at(s, c->base, err, "an object of no known type or framing");
	struct crimg_object *o = crimg_arena_alloc(&s->arena, sizeof *o);
	if (o == NULL)
		return crimg_fail_nomem(err, sizeof *o);
	*o = (struct crimg_object){ .type = (enum crimg_object_type)type, .id = id,
	                            .framing = (enum crimg_framing)framing };
	if (set_object(s, o, &t, c->base, err) < 0 || note_payload(s, payload, c->base, err) < 0)
		return -1;
	bool raw = o->type == CRIMG_OBJECT_FILE && crimg_kind_info(o->kind)->payload == CRIMG_PAYLOAD_RAW;
	bool plain = o->type != CRIMG_OBJECT_FILE && o->kind != CRIMG_KIND_OPAQUE;
	if (plain || raw != (payload.number != CRIMG_NO_PAYLOAD)
	    || (raw && o->framing != CRIMG_FRAMING_RAW))
		return fail_at(s, c->base, err, "an object whose kind, type and payload disagree");
	s->object = o;
	s->objects++;
	s->batch_index = 0;
	*r = (struct crimg_record){ .type = CRIMG_RECORD_OBJECT, .object = o, .payload = payload,
	                            .origin = s->source->name };
	return 1;
}

static int begin_batch(struct stream_state *s, struct crimg_cursor *c, struct crimg_err *err)
{
	uint64_t first;
	uint32_t reserved;
	if (crimg_cursor_u64(c, &first, "first index", err) < 0
	    || crimg_cursor_u32(c, &s->batch_left, "entry count", err) < 0
	    || crimg_cursor_u32(c, &reserved, "reserved", err) < 0)
		return -1;
	if (s->object == NULL || first != s->batch_index || reserved != 0 || s->batch_left == 0)
		return crimg_fail(err, CRIMG_E_FORMAT, c->name, c->base,
		                  "entries from %llu found, from %llu of an open object wanted",
		                  (unsigned long long)first, (unsigned long long)s->batch_index);
	if (s->object->type != CRIMG_OBJECT_FILE || crimg_kind_info(s->object->kind)->entry == NULL)
		return fail_at(s, c->base, err, "entries of an object that can have none");
	s->batch = *c;
	return 0;
}

// Payload goes with kinds that have some, and tails are nothing else.
static bool payload_fits(const struct stream_state *s, const struct crimg_record *r)
{
	const struct crimg_kind_info *info = crimg_kind_info(s->object->kind);
	bool has = r->payload.number != CRIMG_NO_PAYLOAD;
	if (r->tail)
		return has && r->length == 0 && r->index > 0;
	return !has || info->payload != CRIMG_PAYLOAD_NONE;
}

static int take_entry(struct stream_state *s, struct crimg_record *r, struct crimg_err *err)
{
	uint32_t length, flags;
	uint64_t at = crimg_cursor_offset(&s->batch);
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE, .object = s->object, .index = s->batch_index,
		.payload = { .number = CRIMG_NO_PAYLOAD }, .origin = s->source->name,
	};
	if (crimg_cursor_u32(&s->batch, &length, "message length", err) < 0
	    || crimg_cursor_u32(&s->batch, &flags, "entry flags", err) < 0)
		return -1;
	if ((flags & ~(CRIMG_ENTRY_PAYLOAD | CRIMG_ENTRY_TAIL)) != 0)
		return fail_at(s, at, err, "reserved bits of an entry are not zero");
	if ((flags & CRIMG_ENTRY_PAYLOAD) != 0
	    && (crimg_cursor_u64(&s->batch, &r->payload.number, "payload", err) < 0
	        || crimg_cursor_u64(&s->batch, &r->payload.length, "payload length", err) < 0
	        || note_payload(s, r->payload, at, err) < 0))
		return -1;
	// Errors in the message speak of its offset here: 4 bytes of length stand in front of it in the
	// CRIU layout, and origin_offset is where those would be.
	r->origin_offset = crimg_cursor_offset(&s->batch) - 4;
	if (crimg_cursor_bytes(&s->batch, length, &r->data, "message", err) < 0)
		return -1;
	r->length = length;
	r->origin_length = 4 + (uint64_t)length;
	r->tail = (flags & CRIMG_ENTRY_TAIL) != 0;
	if (!payload_fits(s, r))
		return fail_at(s, at, err, "an entry whose kind and payload disagree");
	s->batch_left--;
	s->batch_index++;
	s->entries++;
	if (s->batch_left == 0 && crimg_cursor_left(&s->batch) != 0)
		return fail_at(s, crimg_cursor_offset(&s->batch), err, "bytes behind the last entry");
	return 1;
}

static int end_metadata(struct stream_state *s, struct crimg_cursor *c, struct crimg_record *r,
                        struct crimg_err *err)
{
	uint64_t objects, entries, payloads, bytes;
	if (crimg_cursor_u64(c, &objects, "object count", err) < 0
	    || crimg_cursor_u64(c, &entries, "entry count", err) < 0
	    || crimg_cursor_u64(c, &payloads, "payload count", err) < 0
	    || crimg_cursor_u64(c, &bytes, "payload bytes", err) < 0)
		return -1;
	if (objects != s->objects || entries != s->entries || payloads != s->payload_count
	    || bytes != s->payload_bytes || crimg_cursor_left(c) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, c->name, c->base,
		                  "%llu objects, %llu entries, %zu payloads of %llu bytes found, %llu, "
		                  "%llu, %llu and %llu wanted",
		                  (unsigned long long)s->objects, (unsigned long long)s->entries,
		                  s->payload_count, (unsigned long long)s->payload_bytes,
		                  (unsigned long long)objects, (unsigned long long)entries,
		                  (unsigned long long)payloads, (unsigned long long)bytes);
	s->metadata_over = true;
	*r = (struct crimg_record){ .type = CRIMG_RECORD_CONTENT, .origin = s->source->name,
	                            .payload = { .number = CRIMG_NO_PAYLOAD } };
	return 1;
}

// The frame's content must go on where its payload stopped.
static int check_place(struct stream_state *s, const struct crimg_frame *f, struct crimg_err *err)
{
	const struct crimg_content *c = &s->content;
	if (c->payload >= s->payload_count || c->payload < s->payload
	    || c->offset != s->payloads[c->payload].given
	    || c->length > s->payloads[c->payload].length - c->offset)
		return crimg_fail(err, CRIMG_E_FORMAT, s->source->name, f->at,
		                  "content of payload %llu at %llu has no place there",
		                  (unsigned long long)c->payload, (unsigned long long)c->offset);
	s->payload = c->payload;
	s->payloads[c->payload].given += c->length;
	return 0;
}

static int fail_cut(const struct stream_state *s, uint64_t at, uint64_t got, uint64_t wanted, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_CUT, s->source->name, at,
	                  "the stream is cut: %llu bytes of a frame found, %llu wanted", (unsigned long long)got,
	                  (unsigned long long)wanted);
}

static int begin_content(struct stream_state *s, const struct crimg_frame *f,
                         struct crimg_cursor *c, struct crimg_err *err)
{
	const uint8_t *p;
	size_t got, wanted = CRIMG_F_BYTES + (size_t)f->body;
	if (crimg_content_parse(f, c, &s->content, err) < 0 || check_place(s, f, err) < 0
	    || (s->digests_promised
	        && crimg_digests_check_content(&s->digests, f, &s->content, s->source->name, err) < 0))
		return -1;
	if (s->content.encoding == CRIMG_ENCODING_ZSTD && (s->header.incompatible & CRIMG_FEATURE_ZSTD) == 0)
		return fail_at(s, f->at, err, "compressed content, but the header lacks feature 0 (zstd)");
	if (s->tables_only)
		return wanted <= s->source->size - f->at ? 0
			: fail_cut(s, f->at, s->source->size - f->at, wanted, err);
	memcpy(s->rows, s->content.rows, (size_t)s->content.count * CRIMG_K_BYTES);
	s->content.rows = s->rows;
	if (crimg_window_peek(&s->window, wanted, &p, &got, err) < 0)
		return -1;
	if (got < wanted)
		return fail_cut(s, s->window.offset, got, wanted, err);
	s->in_content = true;
	s->chunk = 0;
	s->chunk_at = 0;
	s->data_at = 0;
	return crimg_content_expand(&s->content, p + CRIMG_F_BYTES + f->covered, s->room, &s->data,
	                            s->source->name, err);
}

// Chunks that stand together, all zero or all not, as one record.
static int take_content(struct stream_state *s, struct crimg_record *r)
{
	const struct crimg_content *c = &s->content;
	bool zero = crimg_chunk_is_zero(c->rows, s->chunk);
	uint64_t length = 0;
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT, .zero = zero, .origin = s->source->name,
		.payload = { c->payload, s->payloads[c->payload].length },
		.content_offset = c->offset + s->chunk_at, .bytes = zero ? NULL : s->data + s->data_at,
	};
	for (; s->chunk < c->count && crimg_chunk_is_zero(c->rows, s->chunk) == zero; s->chunk++)
		length += crimg_chunk_length(c->rows, s->chunk);
	r->content_length = length;
	s->chunk_at += length;
	s->data_at += zero ? 0 : length;
	s->in_content = s->chunk < c->count;
	return 1;
}

static int end_stream(struct stream_state *s, const struct crimg_frame *f, struct crimg_cursor *c,
                      struct crimg_err *err)
{
	uint64_t index_at, frames, bytes, sum;
	const uint8_t *p;
	size_t got;
	if (crimg_cursor_u64(c, &index_at, "index offset", err) < 0
	    || crimg_cursor_u64(c, &frames, "frame count", err) < 0
	    || crimg_cursor_u64(c, &bytes, "stream length", err) < 0
	    || crimg_cursor_u64(c, &sum, "sum of checksums", err) < 0)
		return -1;
	if (frames != s->frames || bytes != f->at + CRIMG_END_BYTES || index_at != s->index_at
	    || sum != XXH3_64bits_digest(s->sums) || crimg_cursor_left(c) != 0)
		return fail_at(s, f->at, err, "the end frame contradicts the stream before it");
	for (size_t i = 0; i < s->payload_count; i++)
		if (s->payloads[i].given != s->payloads[i].length)
			return crimg_fail(err, CRIMG_E_FORMAT, s->source->name, f->at,
			                  "payload %zu: %llu bytes found, %llu wanted", i,
			                  (unsigned long long)s->payloads[i].given,
			                  (unsigned long long)s->payloads[i].length);
	if (s->digests_promised && (s->index_at == 0 || s->digests.at != s->index_end))
		return fail_at(s, f->at, err,
		               "the header promises digests behind the index: none are there");
	if (crimg_window_skip(&s->window, CRIMG_END_BYTES, err) < 0
	    || crimg_window_peek(&s->window, 1, &p, &got, err) < 0)
		return -1;
	if (got > 0)
		return fail_at(s, s->window.offset, err, "bytes behind the end of the stream");
	s->over = true;
	return 0;
}

// 1: a record is in *r. 0: none yet, go on. -1.
static int take_frame(struct stream_state *s, const struct crimg_frame *f, struct crimg_cursor *c,
                      struct crimg_record *r, struct crimg_err *err)
{
	bool metadata = f->type <= CRIMG_FRAME_METADATA_END;
	if (f->type <= CRIMG_FRAME_END && f->type != 0 && metadata == s->metadata_over)
		return fail_at(s, f->at, err, s->metadata_over ? "metadata behind their end"
		                                               : "contents before the metadata's end");
	if (s->index_at != 0 && f->type != CRIMG_FRAME_END && !f->ignorable)
		return fail_at(s, f->at, err, "a frame between the index and the end");
	switch (f->type) {
	case CRIMG_FRAME_OBJECT:
		return take_object(s, c, r, err);
	case CRIMG_FRAME_ENTRIES:
		return begin_batch(s, c, err);
	case CRIMG_FRAME_METADATA_END:
		return end_metadata(s, c, r, err);
	case CRIMG_FRAME_CONTENT:
		return begin_content(s, f, c, err);
	case CRIMG_FRAME_INDEX:
		s->index_at = f->at;
		s->index_end = f->at + CRIMG_F_BYTES + f->body;
		return 0;
	case CRIMG_FRAME_DIGESTS:
		return s->digests_promised ? crimg_digests_check_frame(&s->digests, f, c, err) : 0;
	case CRIMG_FRAME_END:
		return end_stream(s, f, c, err);
	default:
		if (f->ignorable)
			return 0;
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, s->source->name, f->at,
		                  "a frame of type %u, which this crimg does not know", f->type);
	}
}

static int next_frame(struct stream_state *s, struct crimg_record *r, struct crimg_err *err)
{
	struct crimg_frame f;
	struct crimg_cursor body;
	if (crimg_window_skip(&s->window, s->next_frame - s->window.offset, err) < 0
	    || crimg_frame_peek(&s->window, &f, &body, err) < 0)
		return -1;
	if (f.number != s->frames)
		return crimg_fail(err, CRIMG_E_FORMAT, s->source->name, f.at,
		                  "frame %llu found, %llu wanted", (unsigned long long)f.number,
		                  (unsigned long long)s->frames);
	int rc = take_frame(s, &f, &body, r, err);
	uint8_t sum[8];
	crimg_put_u64(sum, f.checksum);
	XXH3_64bits_update(s->sums, sum, sizeof sum);
	s->frames++;
	s->next_frame = f.at + CRIMG_F_BYTES + f.body;
	return rc;
}

static int stream_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct stream_state *s = reader->state;
	int rc = 0;
	while (rc == 0 && !s->over) {
		if (s->batch_left > 0)
			return take_entry(s, r, err);
		if (s->in_content)
			return take_content(s, r);
		rc = next_frame(s, r, err);
	}
	return rc;
}

static int stream_whole(struct crimg_reader *reader, bool thorough, struct crimg_err *err)
{
	struct stream_state *s = reader->state;
	struct crimg_record record;
	int rc = 0;
	if (!s->metadata_over) // who read them was told why
		return 0;
	if (!thorough && (s->source->forward_only || crimg_stream_has_end(s->source)))
		return 0;
	s->tables_only = !s->source->forward_only;
	s->window.ahead = CRIMG_TABLES_AHEAD;
	do
		rc = stream_next(reader, &record, err);
	while (rc > 0);
	return rc;
}

static int stream_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
                       size_t length, struct crimg_err *err)
{
	struct stream_state *s = reader->state;
	if (s->random == NULL && crimg_random_open(s->source, &s->random, err) < 0)
		return -1;
	return crimg_random_read(s->random, payload, offset, buf, length, err);
}

static int stream_digest(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
                         struct crimg_digest *out, struct crimg_err *err)
{
	struct stream_state *s = reader->state;
	if (s->random == NULL && crimg_random_open(s->source, &s->random, err) < 0)
		return -1;
	return crimg_random_digest(s->random, payload, offset, out, err);
}

static void stream_free(struct stream_state *s)
{
	crimg_random_close(s->random);
	crimg_window_fini(&s->window);
	crimg_arena_fini(&s->arena);
	crimg_digests_check_fini(&s->digests);
	XXH3_freeState(s->sums);
	free(s->payloads);
	free(s->room);
	free(s->rows);
	free(s);
}

static void stream_close(struct crimg_reader *reader)
{
	struct stream_state *s = reader->state;
	crimg_source_close(s->source);
	stream_free(s);
}

static int begin_stream(struct stream_state *s, struct crimg_err *err)
{
	s->room = malloc(CRIMG_CONTENT_MAX);
	s->rows = malloc((size_t)CRIMG_CONTENT_CHUNKS_MAX * CRIMG_K_BYTES);
	s->sums = XXH3_createState();
	if (s->room == NULL || s->rows == NULL || s->sums == NULL)
		return crimg_fail_nomem(err, CRIMG_CONTENT_MAX);
	XXH3_64bits_reset(s->sums);
	if (crimg_stream_check_header(&s->window, &s->header, err) < 0)
		return -1;
	const uint64_t both = CRIMG_FEATURE_INDEX | CRIMG_FEATURE_DIGESTS;
	s->digests_promised = (s->header.autoclear & both) == both;
	s->next_frame = s->header.length;
	return 0;
}

static int stream_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	if (in->source == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
		                  "a directory or archive found, a crimg stream wanted");
	struct stream_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->source = in->source;
	s->window = crimg_window_make(s->source, 0);
	s->arena = crimg_arena_make(CRIMG_MAX_INDEX_BYTES);
	if (begin_stream(s, err) < 0) {
		stream_free(s);
		return -1;
	}
	in->source = NULL;
	reader->state = s;
	return 0;
}

static int stream_probe(const struct crimg_input *in)
{
	return in->source != NULL && in->head_length >= 8
		&& memcmp(in->head, CRIMG_STREAM_MAGIC, 8) == 0 ? 100 : 0;
}

const struct crimg_reader_driver crimg_reader_crimg = {
	.name = "crimg",
	.summary = "crimg stream, version 1: checksummed, indexed, optionally compressed",
	.keeps = "everything, bit for bit",
	.loses = "nothing",
	.probe = stream_probe,
	.open = stream_open,
	.next = stream_next,
	.read = stream_read,
	.digest = stream_digest,
	.whole = stream_whole,
	.close = stream_close,
};
