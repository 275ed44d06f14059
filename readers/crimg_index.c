// The index of a crimg stream.
#include "readers/crimg_index.h"

#include <stdlib.h>

#include "format/search.h"
#include "readers/crimg_frame.h"

static int add_row(struct crimg_content_index *x, struct crimg_content_row row, struct crimg_err *err)
{
	void *array = x->rows;
	if (crimg_grow(&array, &x->capacity, x->count, sizeof *x->rows, err) < 0)
		return -1;
	x->rows = array;
	x->rows[x->count++] = row;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct crimg_content_row *x = a, *y = b;
	if (x->payload != y->payload)
		return x->payload < y->payload ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// Who changed the stream without keeping its index or digests has cleared their bits.
static uint64_t autoclear_features(struct crimg_source *source)
{
	uint8_t word[8];
	return crimg_source_read_exact(source, CRIMG_H_AUTOCLEAR, word, sizeof word, NULL) < 0
		? 0 : crimg_get_u64(word);
}

// The last frame: false when the end is gone. *index_at: the offset of the index, 0: there is none.
static bool read_end(struct crimg_source *source, uint64_t *index_at, uint64_t *bytes)
{
	uint64_t frames;
	struct crimg_frame f;
	struct crimg_cursor body;
	if (source->size == CRIMG_SIZE_UNKNOWN || source->size < CRIMG_END_BYTES)
		return false;
	struct crimg_window w = crimg_window_make(source, source->size - CRIMG_END_BYTES);
	bool good = crimg_frame_peek(&w, &f, &body, NULL) == 0 && f.type == CRIMG_FRAME_END
		&& crimg_cursor_u64(&body, index_at, "", NULL) == 0
		&& crimg_cursor_u64(&body, &frames, "", NULL) == 0
		&& crimg_cursor_u64(&body, bytes, "", NULL) == 0;
	crimg_window_fini(&w);
	return good;
}

bool crimg_stream_has_end(struct crimg_source *source)
{
	uint64_t index_at, bytes;
	return read_end(source, &index_at, &bytes) && bytes == source->size;
}

static int read_rows(struct crimg_content_index *x, struct crimg_cursor *body, uint64_t count,
                     struct crimg_err *err)
{
	for (uint64_t i = 0; i < count; i++) {
		struct crimg_content_row row;
		if (crimg_cursor_u64(body, &row.at, "frame", err) < 0
		    || crimg_cursor_u64(body, &row.payload, "payload", err) < 0
		    || crimg_cursor_u64(body, &row.offset, "offset", err) < 0
		    || crimg_cursor_u64(body, &row.length, "length", err) < 0
		    || add_row(x, row, err) < 0)
			return -1;
	}
	return 0;
}

static int read_index(struct crimg_content_index *x, struct crimg_source *source, uint64_t at,
                      bool digests, struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(source, at);
	struct crimg_frame f;
	struct crimg_cursor body;
	uint64_t count = 0;
	int rc = crimg_frame_peek(&w, &f, &body, err);
	if (rc == 0)
		rc = crimg_cursor_u64(&body, &count, "index count", err);
	if (rc == 0 && (f.type != CRIMG_FRAME_INDEX || count != crimg_cursor_left(&body) / CRIMG_I_ROW))
		rc = crimg_fail(err, CRIMG_E_FORMAT, source->name, at, "no index is here");
	if (rc == 0)
		rc = read_rows(x, &body, count, err);
	if (rc == 0 && digests)
		x->digests_at = at + CRIMG_F_BYTES + f.body;
	crimg_window_fini(&w);
	return rc;
}

// Without an index: every frame is looked at once. A cut stream ends where it is cut.
static int walk_frames(struct crimg_content_index *x, struct crimg_source *source,
                       struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(source, 0);
	struct crimg_stream_header header;
	int rc = crimg_stream_check_header(&w, &header, err);
	uint64_t at = rc == 0 ? header.length : 0;
	while (rc == 0) {
		struct crimg_frame f;
		struct crimg_cursor body;
		struct crimg_content c;
		crimg_window_fini(&w);
		w = crimg_window_make(source, at);
		if (crimg_frame_peek(&w, &f, &body, NULL) < 0 || f.type == CRIMG_FRAME_END)
			break;
		if (f.type == CRIMG_FRAME_CONTENT && crimg_content_parse(&f, &body, &c, NULL) == 0)
			rc = add_row(x, (struct crimg_content_row){ f.at, c.payload, c.offset, c.length },
			             err);
		at = f.at + CRIMG_F_BYTES + f.body;
	}
	crimg_window_fini(&w);
	return rc;
}

int crimg_content_index_load(struct crimg_content_index *x, struct crimg_source *source,
                             struct crimg_err *err)
{
	uint64_t features = autoclear_features(source);
	uint64_t at = 0, bytes;
	if ((features & CRIMG_FEATURE_INDEX) != 0 && !read_end(source, &at, &bytes))
		at = 0;
	int rc = at != 0 ? read_index(x, source, at, (features & CRIMG_FEATURE_DIGESTS) != 0, err)
		: walk_frames(x, source, err);
	size_t in_order = 1;
	while (in_order < x->count && by_place(&x->rows[in_order - 1], &x->rows[in_order]) <= 0)
		in_order++;
	if (rc == 0 && in_order < x->count) // no writer of ours
		qsort(x->rows, x->count, sizeof *x->rows, by_place);
	return rc;
}

void crimg_content_index_fini(struct crimg_content_index *x)
{
	free(x->rows);
	*x = (struct crimg_content_index){ .rows = NULL };
}

bool crimg_content_index_holds(const struct crimg_content_index *x, size_t row, uint64_t payload,
                               uint64_t offset)
{
	if (row >= x->count)
		return false;
	const struct crimg_content_row *r = &x->rows[row];
	return r->payload == payload && offset >= r->offset && offset - r->offset < r->length;
}

size_t crimg_content_index_find(const struct crimg_content_index *x, uint64_t payload,
                                uint64_t offset)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, x->count,
	                   x->rows[low].payload < payload
	                   || (x->rows[low].payload == payload && x->rows[low].offset <= offset));
	if (low == 0)
		return x->count;
	return crimg_content_index_holds(x, low - 1, payload, offset) ? low - 1 : x->count;
}
