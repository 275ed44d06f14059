// Heads first, then contents as they come.
#include "writers/carried.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"
#include "format/limits.h"
#include "format/search.h"

struct carried carried_make(struct crimg_output *output, const char *what, const char *format)
{
	return (struct carried){
		.output = output,
		.what = what,
		.format = format,
		.arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES),
	};
}

void carried_fini(struct carried *c)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (c->sink_open && crimg_sink_end(&c->sink, &ignored) < 0)
		c->sink_open = false;
	crimg_buf_fini(&c->heads);
	crimg_arena_fini(&c->arena);
	free(c->pieces);
	free(c->sources);
}

// What stood in the padding goes back to its place.
static int fill_padding(const KernelRecordEntry *e, const struct crimg_record *r, struct crimg_err *err)
{
	struct crimg_cursor c = crimg_cursor_make(e->pads.data, e->pads.len, r->origin, r->origin_offset);
	while (crimg_cursor_left(&c) > 0) {
		uint32_t offset, length;
		const uint8_t *bytes;
		if (crimg_cursor_u32(&c, &offset, "offset of padding", err) < 0
		    || crimg_cursor_u32(&c, &length, "length of padding", err) < 0
		    || crimg_cursor_bytes(&c, length, &bytes, "padding", err) < 0)
			return -1;
		if (!crimg_in_range(offset, length, e->payload.len))
			return crimg_fail(err, CRIMG_E_FORMAT, r->origin, r->origin_offset,
					  "%u bytes of padding at %u of a record of %zu found", length,
					  offset, e->payload.len);
		memcpy(e->payload.data + offset, bytes, length);
	}
	return 0;
}

const KernelRecordEntry *carried_record(struct carried *c, const struct crimg_record *r,
					struct crimg_err *err)
{
	crimg_arena_reset(&c->arena);
	const void *message =
		crimg_message_decode(&kernel_record_entry__descriptor, r->data, r->length,
				     &c->arena, r->origin, r->origin_offset, err);
	const KernelRecordEntry *e = message;
	if (e != NULL && e->origin != NULL)
		c->known = strcmp(e->origin->format, c->format) == 0;
	return e == NULL || fill_padding(e, r, err) < 0 ? NULL : e;
}

int carried_head(struct carried *c, const void *bytes, size_t length, struct crimg_err *err)
{
	if (crimg_buf_append(&c->heads, bytes, length, err) < 0)
		return -1;
	c->size += length;
	return 0;
}

int carried_contents(struct carried *c, struct carried_piece piece, struct crimg_err *err)
{
	void *array = c->pieces;
	if (crimg_grow(&array, &c->piece_capacity, c->piece_count, sizeof *c->pieces, err) < 0)
		return -1;
	c->pieces = array;
	piece.to = c->size;
	if (!crimg_add_u64(c->size, piece.length, &c->size))
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
				  "records with more contents than there can be");
	c->pieces[c->piece_count++] = piece;
	return 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_id(const void *a, const void *b)
{
	const struct carried_source *x = a, *y = b;
	int rc = compare(x->kind, y->kind);
	if (rc == 0)
		rc = compare(x->id, y->id);
	return rc != 0 ? rc : compare(x->base, y->base);
}

static int by_payload(const void *a, const void *b)
{
	const struct carried_source *x = a, *y = b;
	return compare(x->payload, y->payload);
}

static int by_place(const void *a, const void *b)
{
	const struct carried_piece *x = a, *y = b;
	int rc = compare(x->kind, y->kind);
	if (rc == 0)
		rc = compare(x->id, y->id);
	return rc != 0 ? rc : compare(x->from, y->from);
}

static int by_output(const void *a, const void *b)
{
	const struct carried_piece *x = a, *y = b;
	int rc = compare(x->kind, y->kind);
	if (rc == 0)
		rc = compare(x->id, y->id);
	return rc != 0 ? rc : compare(x->to, y->to);
}

static bool is_same(const struct carried_piece *p, enum crimg_kind kind, uint64_t id)
{
	return p->kind == kind && p->id == id;
}

// The bytes that there are of the object a piece is in. Sources are sorted by id.
static uint64_t available(const struct carried *c, const struct carried_piece *p)
{
	struct carried_source key = { .kind = p->kind, .id = p->id, .base = UINT64_MAX };
	size_t low;
	CRIMG_COUNT_BEFORE(low, c->source_count, by_id(&c->sources[low], &key) < 0);
	const struct carried_source *last = low > 0 ? &c->sources[low - 1] : NULL;
	return last != NULL && is_same(p, last->kind, last->id) ? last->base + last->length : 0;
}

static int check_source(const struct carried *c, const struct carried_piece *p, uint64_t wanted,
			struct crimg_err *err)
{
	uint64_t found = available(c, p);
	const char *name = p->kind == CRIMG_KIND_PAGES ? "pages object" : "deleted file";
	return found == wanted ? 0
		: crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
	                     "%s %llu holds %llu bytes, the records want %llu: its contents were changed or "
	                     "compressed (--compress=none undoes the latter%s%s)", name,
	                     (unsigned long long)p->id, (unsigned long long)found,
	                     (unsigned long long)wanted, c->otherwise != NULL ? ", " : "",
	                     c->otherwise != NULL ? c->otherwise : "");
}

// Where in its source each piece begins; every source must be as long as the records want.
static int place_pieces(struct carried *c, struct crimg_err *err)
{
	uint64_t used = 0, wanted = 0;
	if (c->source_count > 0)
		qsort(c->sources, c->source_count, sizeof *c->sources, by_id);
	if (c->piece_count > 0)
		qsort(c->pieces, c->piece_count, sizeof *c->pieces, by_output);
	for (size_t i = 0; i < c->piece_count; i++) {
		struct carried_piece *p = &c->pieces[i];
		if (i == 0 || !is_same(p, p[-1].kind, p[-1].id))
			used = wanted = 0;
		if (p->from == CARRIED_NEXT)
			p->from = used;
		used = p->from + p->length;
		wanted = p->total != 0 ? p->total : used;
		if (!crimg_in_range(p->from, p->length, wanted))
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
					  "records want %llu bytes at %llu of an object of %llu",
					  (unsigned long long)p->length,
					  (unsigned long long)p->from, (unsigned long long)wanted);
		bool last = i + 1 == c->piece_count || !is_same(p, p[1].kind, p[1].id);
		if (last && check_source(c, p, wanted, err) < 0)
			return -1;
	}
	if (c->piece_count > 0)
		qsort(c->pieces, c->piece_count, sizeof *c->pieces, by_place);
	if (c->source_count > 0)
		qsort(c->sources, c->source_count, sizeof *c->sources, by_payload);
	return 0;
}

// All but contents; gaps are left where those come. Pieces are in the order of the output.
static int write_heads(struct carried *c, struct crimg_err *err)
{
	uint64_t at = 0;
	size_t done = 0;
	for (size_t i = 0; i <= c->piece_count; i++) {
		uint64_t end = i < c->piece_count ? c->pieces[i].to : c->size;
		size_t length = (size_t)(end - at);
		if (length > 0
		    && crimg_sink_write(&c->sink, at, c->heads.data + done, length, err) < 0)
			return -1;
		done += length;
		at = i < c->piece_count ? end + c->pieces[i].length : end;
	}
	return 0;
}

static int begin(struct carried *c, struct crimg_err *err)
{
	if (c->begun)
		return 0;
	c->begun = true;
	if (c->size == 0 || !c->known)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "no records of %s are in the image, and none are made from "
				  "anything else",
				  c->what);
	if (c->piece_count > 0 && !c->output->at_offsets)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "%s has pages between its records and is written to a regular "
				  "file only",
				  c->what);
	if (crimg_sink_create(c->output, "", c->size, &c->sink, err) < 0)
		return -1;
	c->sink_open = true;
	return write_heads(c, err) < 0 ? -1 : place_pieces(c, err);
}

static int add_source(struct carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	void *array = c->sources;
	struct carried_source *last = c->source_count > 0 ? &c->sources[c->source_count - 1] : NULL;
	bool more = last != NULL && last->kind == r->object->kind && last->id == r->object->id;
	uint64_t base = more ? last->base + last->length : 0;
	if (crimg_grow(&array, &c->source_capacity, c->source_count, sizeof *c->sources, err) < 0)
		return -1;
	c->sources = array;
	c->sources[c->source_count++] = (struct carried_source){
		.kind = r->object->kind,
		.id = r->object->id,
		.base = base,
		.length = r->payload.length,
		.payload = r->payload.number,
	};
	return 0;
}

static int put_part(struct carried *c, const struct crimg_record *r, uint64_t skip, uint64_t length,
		    uint64_t to, struct crimg_err *err)
{
	struct crimg_span span = {r->span.source, r->span.offset + skip, length};
	if (r->zero)
		return crimg_sink_zero(&c->sink, to, length, err);
	if (r->bytes != NULL)
		return crimg_sink_write(&c->sink, to, r->bytes + skip, (size_t)length, err);
	return crimg_sink_copy(&c->sink, to, span, err);
}

// The first piece of a source that ends behind `at`. Pieces do not overlap.
static size_t first_piece(const struct carried *c, const struct carried_source *s, uint64_t at)
{
	struct carried_piece key = {.kind = s->kind, .id = s->id, .from = at};
	size_t low;
	CRIMG_COUNT_BEFORE(low, c->piece_count, by_place(&c->pieces[low], &key) <= 0);
	const struct carried_piece *before = low > 0 ? &c->pieces[low - 1] : NULL;
	bool holds = before != NULL && is_same(before, s->kind, s->id)
		     && before->from + before->length > at;
	return holds ? low - 1 : low;
}

static int put_content(struct carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	struct carried_source key = {.payload = r->payload.number};
	const struct carried_source *s =
		c->source_count == 0
			? NULL
			: bsearch(&key, c->sources, c->source_count, sizeof key, by_payload);
	if (s == NULL)
		return 0; // of pipes and the like: they are in the records
	uint64_t at = s->base + r->content_offset, end = at + r->content_length;
	for (size_t i = first_piece(c, s, at); i < c->piece_count; i++) {
		const struct carried_piece *p = &c->pieces[i];
		if (!is_same(p, s->kind, s->id) || p->from >= end)
			break;
		uint64_t from = at > p->from ? at : p->from;
		uint64_t n = crimg_min_u64(end, p->from + p->length) - from;
		if (put_part(c, r, from - at, n, p->to + (from - p->from), err) < 0)
			return -1;
	}
	return 0;
}

int carried_put(struct carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	if (r->type == CRIMG_RECORD_CONTENT) {
		if (begin(c, err) < 0)
			return -1;
		return r->payload.number == CRIMG_NO_PAYLOAD || r->content_length == 0
			       ? 0
			       : put_content(c, r, err);
	}
	bool holds = r->object->kind == CRIMG_KIND_PAGES || r->object->kind == CRIMG_KIND_GHOST_FILE
		     || r->object->kind == CRIMG_KIND_PIPES_DATA
		     || r->object->kind == CRIMG_KIND_FIFO_DATA
		     || r->object->kind == CRIMG_KIND_SK_QUEUES
		     || r->object->kind == CRIMG_KIND_TCP_STREAM;
	return holds && r->payload.number != CRIMG_NO_PAYLOAD ? add_source(c, r, err) : 0;
}

int carried_finish(struct carried *c, struct crimg_err *err)
{
	if (begin(c, err) < 0)
		return -1;
	c->sink_open = false;
	return crimg_sink_end(&c->sink, err);
}
