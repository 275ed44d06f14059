// Contents come in order, pieces are sorted: those that contents have reached are held in a short
// list.
#include "writers/scatter.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"

#define BUF_BYTES ((size_t)1 << 20)
#define HOLE_BYTES ((size_t)64 << 10) // fewer zeros are written: small holes are slow to make

static int by_origin(const void *a, const void *b)
{
	const struct scatter_piece *x = a, *y = b;
	if (x->payload != y->payload)
		return x->payload < y->payload ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

void scatter_pieces_sort(struct scatter_pieces *pieces)
{
	if (pieces->count > 0)
		qsort(pieces->list, pieces->count, sizeof *pieces->list, by_origin);
}

void scatter_begin(struct scatter *s, struct scatter_file *cores, size_t count,
                   scatter_open_fn *open, void *context)
{
	s->cores = cores;
	s->count = count;
	s->open = open;
	s->context = context;
	s->payload = CRIMG_NO_PAYLOAD;
	scatter_pieces_sort(&s->pieces);
	for (size_t i = 0; i < s->pieces.count; i++)
		cores[s->pieces.list[i].core].waiting++;
}

void scatter_fini(struct scatter *s)
{
	free(s->pieces.list);
	free(s->active);
	free(s->buf);
	*s = (struct scatter){ .count = 0 };
}

static int open_core(struct scatter *s, size_t core, struct crimg_err *err)
{
	struct scatter_file *c = &s->cores[core];
	if (c->opened)
		return 0;
	if (s->open(s->context, core, &c->sink, err) < 0)
		return -1;
	c->opened = true;
	return 0;
}

// Arguments as ps shows them: blanks between them.
static int put_args(struct scatter_file *c, struct crimg_err *err)
{
	if (c->args_length == 0)
		return 0;
	for (uint32_t i = 0; i < c->args_length; i++)
		if (c->args[i] == '\0')
			c->args[i] = ' ';
	return crimg_sink_write(&c->sink, c->args_at, c->args, sizeof c->args, err);
}

static int end_core(struct scatter *s, size_t core, struct crimg_err *err)
{
	struct scatter_file *c = &s->cores[core];
	if (open_core(s, core, err) < 0 || put_args(c, err) < 0)
		return -1;
	uint64_t at = c->sink.at;
	if (at < c->size && crimg_sink_zero(&c->sink, at, c->size - at, err) < 0)
		return -1;
	c->ended = true;
	return crimg_sink_end(&c->sink, err);
}

// The part of a record that a piece wants: `length` bytes at offset `at` of the payload.
static int put_args_part(struct scatter_file *c, const struct crimg_record *r, uint64_t at,
                         size_t length, uint64_t to, struct crimg_err *err)
{
	uint64_t skip = at - r->content_offset;
	if (!crimg_in_range(to, length, c->args_length) || r->zero)
		return 0;
	if (r->bytes == NULL)
		return crimg_source_read_exact(r->span.source, r->span.offset + skip, c->args + to,
		                               length, err);
	memcpy(c->args + to, r->bytes + skip, length);
	return 0;
}

// Bytes of zeros, in whole pages of the file, that p begins with; p goes to offset `to`.
static size_t zero_pages(const uint8_t *p, size_t length, uint64_t to)
{
	size_t at = 0;
	while (at < length) {
		size_t n = CRIMG_PAGE_BYTES - (size_t)((to + at) % CRIMG_PAGE_BYTES);
		n = n < length - at ? n : length - at;
		if (!crimg_all_zero(p + at, n))
			break;
		at += n;
	}
	return at;
}

// Long zeros are left out: the file is new, a hole is there already.
static int put_memory(struct crimg_sink *sink, uint64_t to, const uint8_t *p, size_t length,
                      struct crimg_err *err)
{
	size_t from = 0;
	for (size_t at = 0; at < length;) {
		size_t zeros = zero_pages(p + at, length - at, to + at);
		if (zeros >= HOLE_BYTES) {
			if (at > from && crimg_sink_write(sink, to + from, p + from, at - from, err) < 0)
				return -1;
			from = at + zeros;
		}
		at += zeros;
		if (at < length)
			at += crimg_min_u64(length - at, CRIMG_PAGE_BYTES - (to + at) % CRIMG_PAGE_BYTES);
	}
	return from < length ? crimg_sink_write(sink, to + from, p + from, length - from, err) : 0;
}

// Read and not copied by the kernel: zeros show, and a large file is written by a thread of its own.
static int put_span(struct scatter *s, struct crimg_sink *sink, uint64_t to,
                    struct crimg_span span, struct crimg_err *err)
{
	if (s->buf == NULL && (s->buf = aligned_alloc(4096, BUF_BYTES)) == NULL)
		return crimg_fail_nomem(err, BUF_BYTES);
	for (uint64_t done = 0; done < span.length;) {
		size_t n = (size_t)crimg_min_u64(BUF_BYTES, span.length - done);
		if (crimg_source_read_exact(span.source, span.offset + done, s->buf, n, err) < 0
		    || put_memory(sink, to + done, s->buf, n, err) < 0)
			return -1;
		done += n;
	}
	return 0;
}

static int put_part(struct scatter *s, const struct scatter_piece *piece,
                    const struct crimg_record *r, uint64_t at, uint64_t length,
                    struct crimg_err *err)
{
	struct scatter_file *c = &s->cores[piece->core];
	uint64_t to = piece->to + (at - piece->from), skip = at - r->content_offset;
	if (open_core(s, piece->core, err) < 0)
		return -1;
	if (piece->args)
		return put_args_part(c, r, at, (size_t)length, to, err);
	if (r->zero) // the file is new: a hole is there already
		return 0;
	to += c->data_at;
	if (r->bytes != NULL)
		return put_memory(&c->sink, to, r->bytes + skip, (size_t)length, err);
	struct crimg_span span = { r->span.source, r->span.offset + skip, length };
	return put_span(s, &c->sink, to, span, err);
}

static int reach_pieces(struct scatter *s, const struct crimg_record *r, uint64_t end,
                        struct crimg_err *err)
{
	const struct scatter_pieces *p = &s->pieces;
	while (s->next < p->count && p->list[s->next].payload == r->payload.number
	       && p->list[s->next].from < end) {
		void *array = s->active;
		if (crimg_grow(&array, &s->active_capacity, s->active_count, sizeof *s->active,
		               err) < 0)
			return -1;
		s->active = array;
		s->active[s->active_count++] = s->next++;
	}
	return 0;
}

// Bytes that can be handed on as often as they are wanted.
static int put_bytes(struct scatter *s, const struct crimg_record *r,
                     struct crimg_err *err)
{
	uint64_t end = r->content_offset + r->content_length;
	size_t kept = 0;
	if (reach_pieces(s, r, end, err) < 0)
		return -1;
	for (size_t i = 0; i < s->active_count; i++) {
		const struct scatter_piece *piece = &s->pieces.list[s->active[i]];
		uint64_t from = piece->from > r->content_offset ? piece->from : r->content_offset;
		uint64_t to = crimg_min_u64(piece->from + piece->length, end);
		if (put_part(s, piece, r, from, to - from, err) < 0)
			return -1;
		if (piece->from + piece->length > end)
			s->active[kept++] = s->active[i];
		else if (--s->cores[piece->core].waiting == 0 && end_core(s, piece->core, err) < 0)
			return -1;
	}
	s->active_count = kept;
	return 0;
}

// A source that is only read forwards (an archive) is read once, a buffer at a time.
static int put_forwards(struct scatter *s, const struct crimg_record *r,
                        struct crimg_err *err)
{
	struct crimg_record part = *r;
	if (s->buf == NULL && (s->buf = aligned_alloc(4096, BUF_BYTES)) == NULL)
		return crimg_fail_nomem(err, BUF_BYTES);
	for (uint64_t done = 0; done < r->content_length; done += part.content_length) {
		part.content_offset = r->content_offset + done;
		part.content_length = crimg_min_u64(BUF_BYTES, r->content_length - done);
		part.bytes = s->buf;
		part.span.source = NULL;
		if (crimg_source_read_exact(r->span.source, r->span.offset + done, s->buf,
		                            (size_t)part.content_length, err) < 0
		    || put_bytes(s, &part, err) < 0)
			return -1;
	}
	return 0;
}

static int fail_missing(const struct scatter *s, struct crimg_err *err)
{
	const struct scatter_piece *piece =
		&s->pieces.list[s->active_count > 0 ? s->active[0] : s->next];
	return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
	                  "the image ends before all of payload %llu has come",
	                  (unsigned long long)piece->payload);
}

// Contents without gaps: what the list of active pieces relies on.
static int check_order(struct scatter *s, const struct crimg_record *r,
                       struct crimg_err *err)
{
	uint64_t wanted = r->payload.number == s->payload ? s->offset : 0;
	if (r->content_offset != wanted)
		return crimg_fail(err, CRIMG_E_FORMAT, r->origin, CRIMG_NO_OFFSET,
		                  "contents of payload %llu at %llu found, at %llu wanted",
		                  (unsigned long long)r->payload.number,
		                  (unsigned long long)r->content_offset,
		                  (unsigned long long)wanted);
	s->payload = r->payload.number;
	s->offset = r->content_offset + r->content_length;
	return 0;
}

int scatter_put(struct scatter *s, const struct crimg_record *r,
                struct crimg_err *err)
{
	bool over = s->active_count == 0 && s->next == s->pieces.count;
	if (over || r->content_length == 0)
		return 0;
	uint64_t waiting = s->pieces.list[s->active_count > 0 ? s->active[0] : s->next].payload;
	if (r->payload.number > waiting)
		return fail_missing(s, err);
	if (check_order(s, r, err) < 0)
		return -1;
	if (r->payload.number < waiting)
		return 0;
	if (r->span.source != NULL && r->span.source->forward_only)
		return put_forwards(s, r, err);
	return put_bytes(s, r, err);
}

int scatter_end(struct scatter *s, struct crimg_err *err)
{
	if (s->active_count > 0 || s->next < s->pieces.count)
		return fail_missing(s, err);
	for (size_t i = 0; i < s->count; i++)
		if (!s->cores[i].ended && end_core(s, i, err) < 0)
			return -1;
	return 0;
}
