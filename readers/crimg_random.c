// Payload of a crimg stream at any offset.
#include "readers/crimg_random.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/search.h"
#include "readers/crimg_frame.h"

struct row {
	uint64_t at, payload, offset, length;
};

struct crimg_random {
	struct crimg_source *source;
	struct row *rows;            // of CONTENT frames, sorted by payload and offset
	size_t count, capacity;
	size_t held;                 // the row whose bytes are in plain, or count
	uint8_t *plain, *room;       // CRIMG_CONTENT_MAX bytes each
	struct crimg_window digests; // at the frame of row digested, whose chunks are in content
	struct crimg_content content;
	size_t digested;             // or count
};

// Enough for a frame's header and the chunks that it mostly has.
#define HEAD_BYTES 320u

static int add_row(struct crimg_random *r, struct row row, struct crimg_err *err)
{
	void *array = r->rows;
	if (crimg_grow(&array, &r->capacity, r->count, sizeof *r->rows, err) < 0)
		return -1;
	r->rows = array;
	r->rows[r->count++] = row;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->payload != y->payload)
		return x->payload < y->payload ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// Who changed the stream without keeping its index has cleared the bit.
static bool index_is_right(struct crimg_random *r)
{
	uint8_t word[8];
	return crimg_source_read_exact(r->source, CRIMG_H_AUTOCLEAR, word, sizeof word, NULL) == 0
		&& (crimg_get_u64(word) & CRIMG_FEATURE_INDEX) != 0;
}

// The offset of the index as the last frame tells it; 0 when there is none or the end is gone.
static uint64_t find_index(struct crimg_random *r)
{
	uint64_t size = r->source->size, at = 0;
	struct crimg_frame f;
	struct crimg_cursor body;
	if (size == CRIMG_SIZE_UNKNOWN || size < CRIMG_END_BYTES || !index_is_right(r))
		return 0;
	struct crimg_window w = crimg_window_make(r->source, size - CRIMG_END_BYTES);
	if (crimg_frame_peek(&w, &f, &body, NULL) == 0 && f.type == CRIMG_FRAME_END
	    && crimg_cursor_u64(&body, &at, "", NULL) < 0)
		at = 0;
	crimg_window_fini(&w);
	return at;
}

static int load_index(struct crimg_random *r, uint64_t at, struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(r->source, at);
	struct crimg_frame f;
	struct crimg_cursor body;
	uint64_t count = 0;
	int rc = crimg_frame_peek(&w, &f, &body, err);
	if (rc == 0)
		rc = crimg_cursor_u64(&body, &count, "index count", err);
	if (rc == 0 && (f.type != CRIMG_FRAME_INDEX || count != crimg_cursor_left(&body) / CRIMG_I_ROW))
		rc = crimg_fail(err, CRIMG_E_FORMAT, r->source->name, at, "no index is here");
	for (uint64_t i = 0; rc == 0 && i < count; i++) {
		struct row row;
		if (crimg_cursor_u64(&body, &row.at, "frame", err) < 0
		    || crimg_cursor_u64(&body, &row.payload, "payload", err) < 0
		    || crimg_cursor_u64(&body, &row.offset, "offset", err) < 0
		    || crimg_cursor_u64(&body, &row.length, "length", err) < 0
		    || add_row(r, row, err) < 0)
			rc = -1;
	}
	crimg_window_fini(&w);
	return rc;
}

// Without an index: every frame is looked at once. A cut stream ends where it is cut.
static int walk_frames(struct crimg_random *r, struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(r->source, 0);
	uint64_t at, features;
	int rc = crimg_stream_check_header(&w, &at, &features, err);
	while (rc == 0) {
		struct crimg_frame f;
		struct crimg_cursor body;
		struct crimg_content c;
		crimg_window_fini(&w);
		w = crimg_window_make(r->source, at);
		if (crimg_frame_peek(&w, &f, &body, NULL) < 0 || f.type == CRIMG_FRAME_END)
			break;
		if (f.type == CRIMG_FRAME_CONTENT && crimg_content_parse(&f, &body, &c, NULL) == 0)
			rc = add_row(r, (struct row){ f.at, c.payload, c.offset, c.length }, err);
		at = f.at + CRIMG_F_BYTES + f.body;
	}
	crimg_window_fini(&w);
	return rc;
}

int crimg_random_open(struct crimg_source *source, struct crimg_random **out, struct crimg_err *err)
{
	if (source->forward_only)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, source->name, CRIMG_NO_OFFSET,
		                  "a pipe cannot be read at random: store the stream in a file");
	struct crimg_random *r = calloc(1, sizeof *r);
	if (r == NULL)
		return crimg_fail_nomem(err, sizeof *r);
	r->source = source;
	r->plain = malloc(CRIMG_CONTENT_MAX);
	r->room = malloc(CRIMG_CONTENT_MAX);
	uint64_t index = find_index(r);
	int rc = r->plain == NULL || r->room == NULL ? crimg_fail_nomem(err, CRIMG_CONTENT_MAX)
		: index != 0 ? load_index(r, index, err) : walk_frames(r, err);
	if (rc < 0) {
		crimg_random_close(r);
		return -1;
	}
	if (r->count > 1)
		qsort(r->rows, r->count, sizeof *r->rows, by_place);
	r->held = r->digested = r->count;
	r->digests = crimg_window_make(source, 0);
	r->digests.ahead = HEAD_BYTES;
	*out = r;
	return 0;
}

void crimg_random_close(struct crimg_random *r)
{
	if (r == NULL)
		return;
	crimg_window_fini(&r->digests);
	free(r->rows);
	free(r->plain);
	free(r->room);
	free(r);
}

static bool in_row(const struct crimg_random *r, size_t index, uint64_t payload, uint64_t offset)
{
	const struct row *row = &r->rows[index];
	return index < r->count && row->payload == payload && offset >= row->offset
		&& offset - row->offset < row->length;
}

// The row that holds the place, or count.
static size_t find_row(const struct crimg_random *r, uint64_t payload, uint64_t offset)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, r->count,
	                   r->rows[low].payload < payload
	                   || (r->rows[low].payload == payload && r->rows[low].offset <= offset));
	if (low == 0)
		return r->count;
	return in_row(r, low - 1, payload, offset) ? low - 1 : r->count;
}

// Lays the frame's chunks out as they are in the payload, zero chunks as zeros.
static void lay_out(struct crimg_random *r, const struct crimg_content *c, const uint8_t *data)
{
	size_t at = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		size_t n = crimg_chunk_length(c, i);
		if (crimg_chunk_is_zero(c, i)) {
			memset(r->plain + at, 0, n);
		} else {
			memcpy(r->plain + at, data, n);
			data += n;
		}
		at += n;
	}
}

// The frame that the row speaks of, its checksum verified; w stands there.
static int peek_row(struct crimg_random *r, const struct row *row, struct crimg_window *w,
                    struct crimg_content *out, struct crimg_err *err)
{
	struct crimg_frame f;
	struct crimg_cursor body;
	if (crimg_frame_peek(w, &f, &body, err) < 0)
		return -1;
	if (f.type != CRIMG_FRAME_CONTENT)
		return crimg_fail(err, CRIMG_E_FORMAT, r->source->name, row->at,
		                  "the index points at a frame of type %u", f.type);
	if (crimg_content_parse(&f, &body, out, err) < 0)
		return -1;
	if (out->payload != row->payload || out->offset != row->offset || out->length != row->length)
		return crimg_fail(err, CRIMG_E_FORMAT, r->source->name, row->at,
		                  "the index and the frame it points at disagree");
	return 0;
}

static int hold_row(struct crimg_random *r, size_t index, struct crimg_err *err)
{
	const struct row *row = &r->rows[index];
	struct crimg_window w = crimg_window_make(r->source, row->at);
	struct crimg_content c;
	const uint8_t *data;
	r->held = r->count;
	int rc = peek_row(r, row, &w, &c, err);
	uint8_t *stored = rc == 0 ? malloc((size_t)c.stored + 1) : NULL;
	if (rc == 0 && stored == NULL)
		rc = crimg_fail_nomem(err, (size_t)c.stored);
	if (rc == 0)
		rc = crimg_source_read_exact(r->source, c.data_at, stored, (size_t)c.stored, err);
	if (rc == 0)
		rc = crimg_content_expand(&c, stored, r->room, &data, r->source->name, err);
	if (rc == 0) {
		lay_out(r, &c, data);
		r->held = index;
	}
	free(stored);
	crimg_window_fini(&w);
	return rc;
}

int crimg_random_read(struct crimg_random *r, uint64_t payload, uint64_t offset, void *buf,
                      size_t length, struct crimg_err *err)
{
	uint8_t *out = buf;
	while (length > 0) {
		size_t index = in_row(r, r->held, payload, offset) ? r->held
			: find_row(r, payload, offset);
		if (index == r->count)
			return crimg_fail(err, CRIMG_E_FORMAT, r->source->name, CRIMG_NO_OFFSET,
			                  "payload %llu is not in the stream at %llu",
			                  (unsigned long long)payload, (unsigned long long)offset);
		if (index != r->held && hold_row(r, index, err) < 0)
			return -1;
		uint64_t into = offset - r->rows[index].offset;
		size_t n = (size_t)crimg_min_u64(length, r->rows[index].length - into);
		memcpy(out, r->plain + into, n);
		out += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int crimg_random_digest(struct crimg_random *r, uint64_t payload, uint64_t offset,
                        struct crimg_digest *out, struct crimg_err *err)
{
	size_t index = in_row(r, r->digested, payload, offset) ? r->digested
		: find_row(r, payload, offset);
	if (index == r->count)
		return 0;
	if (index != r->digested) {
		r->digested = r->count;
		crimg_window_seek(&r->digests, r->rows[index].at);
		if (peek_row(r, &r->rows[index], &r->digests, &r->content, err) < 0)
			return -1;
		r->digested = index;
	}
	const struct crimg_content *c = &r->content;
	uint64_t at = c->offset;
	uint32_t i = 0;
	while (offset - at >= crimg_chunk_length(c, i))
		at += crimg_chunk_length(c, i++);
	*out = (struct crimg_digest){ at, crimg_chunk_length(c, i), crimg_chunk_is_zero(c, i), { 0 } };
	memcpy(out->digest, c->rows + (size_t)i * CRIMG_K_BYTES + CRIMG_K_DIGEST, sizeof out->digest);
	return 1;
}
