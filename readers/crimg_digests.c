// DIGESTS frames are chained backwards. One is held at a time, so memory does not grow with the stream.
#include "readers/crimg_digests.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/search.h"

// One DIGESTS frame, and the rows of the index that it speaks of.
struct part {
	uint64_t at, before;
	size_t first, end;
};

struct crimg_digests {
	struct crimg_source *source;
	const struct crimg_content_index *index;
	struct part *parts;          // the last in the stream comes first
	size_t count, capacity;
	struct part held;            // lies in window; empty: none
	struct crimg_window window;
	struct crimg_digests_body body;
	uint32_t starts[CRIMG_DIGESTS_CHUNKS_MAX + 1]; // of each row of held the first chunk; the end
};

static int fail_at(const struct crimg_digests *d, uint64_t at, const char *what,
                   struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, d->source->name, at, "%s", what);
}

// Deals the chunks of the body out to the rows of p: they must fill each exactly.
static int deal_out(struct crimg_digests *d, const struct part *p, struct crimg_err *err)
{
	uint32_t chunk = 0;
	for (size_t row = p->first; row < p->end; row++) {
		uint64_t left = d->index->rows[row].length;
		d->starts[row - p->first] = chunk;
		for (uint32_t n; chunk < d->body.chunks && left > 0; chunk++, left -= n) {
			n = crimg_chunk_length(d->body.rows, chunk);
			if (n == 0 || n > CRIMG_CHUNK_MAX || n > left)
				break;
		}
		if (left != 0)
			return fail_at(d, p->at, "digests of chunks that the index does not tell of", err);
	}
	d->starts[p->end - p->first] = chunk;
	return chunk == d->body.chunks ? 0
		: fail_at(d, p->at, "digests of chunks that the index does not tell of", err);
}

// Reads the frame at `at`, which speaks of the rows before `end`, and holds it.
static int hold(struct crimg_digests *d, uint64_t at, size_t end, struct crimg_err *err)
{
	struct crimg_frame f;
	struct crimg_cursor body;
	d->held = (struct part){ .at = 0 };
	crimg_window_seek(&d->window, at);
	if (crimg_frame_peek(&d->window, &f, &body, err) < 0)
		return -1;
	if (f.type != CRIMG_FRAME_DIGESTS)
		return crimg_fail(err, CRIMG_E_FORMAT, d->source->name, at,
		                  "a frame of type %u found, the promised digests wanted", f.type);
	if (crimg_digests_parse(&f, &body, &d->body, err) < 0)
		return -1;
	if (d->body.contents > end)
		return fail_at(d, at, "digests of more frames than the index tells of", err);
	struct part p = { at, d->body.before, end - d->body.contents, end };
	if (deal_out(d, &p, err) < 0)
		return -1;
	d->held = p;
	return 0;
}

// From the last frame back to the first, which is held then.
static int follow_chain(struct crimg_digests *d, struct crimg_err *err)
{
	size_t end = d->index->count;
	for (uint64_t at = d->index->digests_at; at != 0; at = d->held.before) {
		void *array = d->parts;
		if (hold(d, at, end, err) < 0
		    || crimg_grow(&array, &d->capacity, d->count, sizeof *d->parts, err) < 0)
			return -1;
		d->parts = array;
		d->parts[d->count++] = d->held;
		end = d->held.first;
	}
	return end == 0 ? 0
		: fail_at(d, d->held.at, "digests of fewer frames than the index tells of", err);
}

int crimg_digests_open(struct crimg_source *source, const struct crimg_content_index *index,
                       struct crimg_digests **out, struct crimg_err *err)
{
	struct crimg_digests *d = malloc(sizeof *d);
	if (d == NULL)
		return crimg_fail_nomem(err, sizeof *d);
	d->source = source;
	d->index = index;
	d->parts = NULL;
	d->count = d->capacity = 0;
	d->window = crimg_window_make(source, 0);
	if (follow_chain(d, err) < 0) {
		crimg_digests_close(d);
		return -1;
	}
	*out = d;
	return 0;
}

void crimg_digests_close(struct crimg_digests *d)
{
	if (d == NULL)
		return;
	crimg_window_fini(&d->window);
	free(d->parts);
	free(d);
}

int crimg_digests_lend(struct crimg_digests *d, size_t row, const uint8_t **rows, uint32_t *count,
                       struct crimg_err *err)
{
	if (row < d->held.first || row >= d->held.end) {
		size_t i;
		CRIMG_COUNT_BEFORE(i, d->count, d->parts[i].first > row);
		if (hold(d, d->parts[i].at, d->parts[i].end, err) < 0)
			return -1;
		if (row < d->held.first)
			return fail_at(d, d->held.at, "digests that changed since they were read first",
			               err);
	}
	const uint32_t *start = &d->starts[row - d->held.first];
	*rows = d->body.rows + (size_t)start[0] * CRIMG_K_BYTES;
	*count = start[1] - start[0];
	return 0;
}

int crimg_digests_check_content(struct crimg_digests_check *k, const struct crimg_frame *frame,
                                const struct crimg_content *content, const char *name,
                                struct crimg_err *err)
{
	size_t length = (size_t)content->count * CRIMG_K_BYTES;
	if (k->rows.length + length > (size_t)CRIMG_DIGESTS_CHUNKS_MAX * CRIMG_K_BYTES)
		return crimg_fail(err, CRIMG_E_FORMAT, name, frame->at,
		                  "more than %u chunks without the digests that the header promises",
		                  CRIMG_DIGESTS_CHUNKS_MAX);
	k->contents++;
	return crimg_buf_append(&k->rows, content->rows, length, err);
}

int crimg_digests_check_frame(struct crimg_digests_check *k, const struct crimg_frame *frame,
                              struct crimg_cursor *body, struct crimg_err *err)
{
	struct crimg_digests_body d;
	size_t chunks = k->rows.length / CRIMG_K_BYTES;
	if (crimg_digests_parse(frame, body, &d, err) < 0)
		return -1;
	if (d.before != k->at || d.contents != k->contents || d.chunks != chunks)
		return crimg_fail(err, CRIMG_E_FORMAT, body->name, frame->at,
		                  "digests of %u chunks of %u contents, the ones before at %llu, found; "
		                  "%zu, %u and %llu wanted", d.chunks, d.contents,
		                  (unsigned long long)d.before, chunks, k->contents,
		                  (unsigned long long)k->at);
	for (size_t i = 0; i < k->rows.length; i += CRIMG_K_BYTES)
		if (memcmp(d.rows + i, k->rows.data + i, CRIMG_K_BYTES) != 0)
			return crimg_fail(err, CRIMG_E_FORMAT, body->name,
			                  frame->at + CRIMG_F_BYTES + CRIMG_D_BYTES + i,
			                  "a digest that is not the content's");
	k->at = frame->at;
	k->rows.length = 0;
	k->contents = 0;
	return 0;
}

void crimg_digests_check_fini(struct crimg_digests_check *k)
{
	crimg_buf_fini(&k->rows);
}
