// Payload of a crimg stream at any offset.
#include "readers/crimg_random.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "readers/crimg_digests.h"
#include "readers/crimg_frame.h"

struct crimg_random {
	struct crimg_source *source;
	struct crimg_content_index index;
	struct crimg_digests *digests; // NULL: the stream has none
	size_t held;                   // the row whose bytes are in plain, or index.count
	uint8_t *plain, *room;         // CRIMG_CONTENT_MAX bytes each

	// The row whose chunks were asked for last, or index.count; its chunks, and the last of these.
	size_t digested;
	const uint8_t *chunks;
	uint32_t chunk;
	uint64_t chunk_at;             // its offset in the payload
	struct crimg_window window;    // the row's frame, when there are no digests
};

int crimg_random_open(struct crimg_source *source, struct crimg_random **out, struct crimg_err *err)
{
	if (source->forward_only)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, source->name, CRIMG_NO_OFFSET,
		                  "a pipe cannot be read at random: store the stream in a file");
	struct crimg_random *r = calloc(1, sizeof *r);
	if (r == NULL)
		return crimg_fail_nomem(err, sizeof *r);
	r->source = source;
	r->window = crimg_window_make(source, 0);
	r->window.ahead = CRIMG_TABLES_AHEAD;
	r->plain = malloc(CRIMG_CONTENT_MAX);
	r->room = malloc(CRIMG_CONTENT_MAX);
	int rc = r->plain == NULL || r->room == NULL ? crimg_fail_nomem(err, CRIMG_CONTENT_MAX)
		: crimg_content_index_load(&r->index, source, err);
	if (rc == 0 && r->index.digests_at != 0)
		rc = crimg_digests_open(source, &r->index, &r->digests, err);
	if (rc < 0) {
		crimg_random_close(r);
		return -1;
	}
	r->held = r->digested = r->index.count;
	*out = r;
	return 0;
}

void crimg_random_close(struct crimg_random *r)
{
	if (r == NULL)
		return;
	crimg_digests_close(r->digests);
	crimg_content_index_fini(&r->index);
	crimg_window_fini(&r->window);
	free(r->plain);
	free(r->room);
	free(r);
}

// The row that holds the place, which may be the one that was used last; or index.count.
static size_t find_row(const struct crimg_random *r, size_t last, uint64_t payload, uint64_t offset)
{
	return crimg_content_index_holds(&r->index, last, payload, offset) ? last
		: crimg_content_index_find(&r->index, payload, offset);
}

// Lays the frame's chunks out as they are in the payload, zero chunks as zeros.
static void lay_out(struct crimg_random *r, const struct crimg_content *c, const uint8_t *data)
{
	size_t at = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		size_t n = crimg_chunk_length(c->rows, i);
		if (crimg_chunk_is_zero(c->rows, i)) {
			memset(r->plain + at, 0, n);
		} else {
			memcpy(r->plain + at, data, n);
			data += n;
		}
		at += n;
	}
}

// The frame that the row speaks of, its checksum verified; w stands there.
static int peek_row(struct crimg_random *r, const struct crimg_content_row *row, struct crimg_window *w,
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

// What the digests say of a frame is what it says itself.
static int check_digests(struct crimg_random *r, size_t index, const struct crimg_content *c,
                         struct crimg_err *err)
{
	const uint8_t *rows;
	uint32_t count;
	if (r->digests == NULL)
		return 0;
	r->digested = r->index.count; // whose chunks are lent no longer
	if (crimg_digests_lend(r->digests, index, &rows, &count, err) < 0)
		return -1;
	if (count == c->count && memcmp(rows, c->rows, (size_t)count * CRIMG_K_BYTES) == 0)
		return 0;
	return crimg_fail(err, CRIMG_E_FORMAT, r->source->name, r->index.rows[index].at,
	                  "the stream's digests and the frame they speak of disagree");
}

static int hold_row(struct crimg_random *r, size_t index, struct crimg_err *err)
{
	const struct crimg_content_row *row = &r->index.rows[index];
	struct crimg_window w = crimg_window_make(r->source, row->at);
	struct crimg_content c;
	const uint8_t *data;
	r->held = r->index.count;
	int rc = peek_row(r, row, &w, &c, err);
	if (rc == 0)
		rc = check_digests(r, index, &c, err);
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
		size_t index = find_row(r, r->held, payload, offset);
		if (index == r->index.count)
			return crimg_fail(err, CRIMG_E_FORMAT, r->source->name, CRIMG_NO_OFFSET,
			                  "payload %llu is not in the stream at %llu",
			                  (unsigned long long)payload, (unsigned long long)offset);
		if (index != r->held && hold_row(r, index, err) < 0)
			return -1;
		uint64_t into = offset - r->index.rows[index].offset;
		size_t n = (size_t)crimg_min_u64(length, r->index.rows[index].length - into);
		memcpy(out, r->plain + into, n);
		out += n;
		offset += n;
		length -= n;
	}
	return 0;
}

// Has the chunks of a row lent, from the stream's digests or from the frame itself.
static int lend_chunks(struct crimg_random *r, size_t index, struct crimg_err *err)
{
	const struct crimg_content_row *row = &r->index.rows[index];
	struct crimg_content c;
	uint32_t count;
	r->digested = r->index.count;
	if (r->digests != NULL) {
		if (crimg_digests_lend(r->digests, index, &r->chunks, &count, err) < 0)
			return -1;
	} else {
		crimg_window_seek(&r->window, row->at);
		if (peek_row(r, row, &r->window, &c, err) < 0)
			return -1;
		r->chunks = c.rows;
	}
	r->digested = index;
	r->chunk = 0;
	r->chunk_at = row->offset;
	return 0;
}

int crimg_random_digest(struct crimg_random *r, uint64_t payload, uint64_t offset,
                        struct crimg_digest *out, struct crimg_err *err)
{
	size_t index = find_row(r, r->digested, payload, offset);
	if (index == r->index.count)
		return 0;
	if ((index != r->digested || offset < r->chunk_at) && lend_chunks(r, index, err) < 0)
		return -1;
	while (offset - r->chunk_at >= crimg_chunk_length(r->chunks, r->chunk))
		r->chunk_at += crimg_chunk_length(r->chunks, r->chunk++);
	*out = (struct crimg_digest){ r->chunk_at, crimg_chunk_length(r->chunks, r->chunk),
		                      crimg_chunk_is_zero(r->chunks, r->chunk), { 0 } };
	memcpy(out->digest, r->chunks + (size_t)r->chunk * CRIMG_K_BYTES + CRIMG_K_DIGEST,
	       sizeof out->digest);
	return 1;
}
