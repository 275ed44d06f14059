// The writer of kernel streams: the records that came from one (KERNEL_RECORDS), put together
// again, page contents in their places between them. Makes no stream from other images. Knows
// lengths; knows nothing of what records say.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/driver.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"
#include "format/output.h"
#include "writers/writers.h"

// The pages of one record: where in which object they come from, and where they go.
struct piece {
	uint64_t pages_id;
	uint64_t from, length; // in it
	uint64_t to;
};

struct pages_object {
	uint64_t id, length;
	uint64_t payload; // its number
	uint64_t used;    // bytes that pieces want
};

struct linuxcr_writer {
	struct crimg_output *output;
	struct crimg_sink sink;
	struct crimg_buf heads; // all that is no page, one behind the other
	uint64_t size;          // of the stream so far
	struct crimg_arena arena;
	struct piece *pieces; // in the order of the stream, which is that of each payload too
	size_t piece_count, piece_capacity;
	struct pages_object *objects; // sorted by payload while contents come
	size_t object_count, object_capacity;
	bool begun, sink_open;
	size_t next; // piece that was reached last, of the payload in hand
	uint64_t payload;
};

static int add_pages_object(struct linuxcr_writer *w, const struct crimg_record *r,
			    struct crimg_err *err)
{
	void *array = w->objects;
	if (crimg_grow(&array, &w->object_capacity, w->object_count, sizeof *w->objects, err) < 0)
		return -1;
	w->objects = array;
	w->objects[w->object_count++] = (struct pages_object){
		.id = r->object->id,
		.length = r->payload.length,
		.payload = r->payload.number,
	};
	return 0;
}

// The pages of a record, whose head was added.
static int add_piece(struct linuxcr_writer *w, const KernelRecordEntry *e, struct crimg_err *err)
{
	void *array = w->pieces;
	uint64_t length = e->pages * CRIMG_PAGE_BYTES; // below 4 GiB
	if (crimg_grow(&array, &w->piece_capacity, w->piece_count, sizeof *w->pieces, err) < 0)
		return -1;
	w->pieces = array;
	w->pieces[w->piece_count++] =
		(struct piece){.pages_id = e->pages_id, .length = length, .to = w->size};
	w->size += length;
	return 0;
}

static int add_record(struct linuxcr_writer *w, const struct crimg_record *r, struct crimg_err *err)
{
	crimg_arena_reset(&w->arena);
	const void *message =
		crimg_message_decode(&kernel_record_entry__descriptor, r->data, r->length,
				     &w->arena, r->origin, r->origin_offset, err);
	const KernelRecordEntry *e = message;
	if (e == NULL)
		return -1;
	uint64_t length = CRIMG_LCR_HEADER_BYTES + (uint64_t)e->payload.len, pages = 0;
	if (!crimg_mul_u64(e->pages, CRIMG_PAGE_BYTES, &pages)
	    || !crimg_add_u64(length, pages, &length) || length > UINT32_MAX)
		return crimg_fail(
			err, CRIMG_E_FORMAT, r->origin, r->origin_offset,
			"a record of %zu bytes and %llu pages found, less than 4 GiB wanted",
			e->payload.len, (unsigned long long)e->pages);
	if (crimg_buf_u32(&w->heads, e->type, err) < 0
	    || crimg_buf_u32(&w->heads, (uint32_t)length, err) < 0
	    || crimg_buf_append(&w->heads, e->payload.data, e->payload.len, err) < 0)
		return -1;
	w->size += CRIMG_LCR_HEADER_BYTES + e->payload.len;
	return e->pages > 0 ? add_piece(w, e, err) : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct pages_object *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_payload(const void *a, const void *b)
{
	const struct pages_object *x = a, *y = b;
	return x->payload < y->payload ? -1 : x->payload > y->payload;
}

static void sort_objects(struct linuxcr_writer *w, int (*order)(const void *, const void *))
{
	if (w->object_count > 0)
		qsort(w->objects, w->object_count, sizeof *w->objects, order);
}

static struct pages_object *find_object(const struct linuxcr_writer *w, struct pages_object key,
					int (*order)(const void *, const void *))
{
	return w->object_count == 0
		       ? NULL
		       : bsearch(&key, w->objects, w->object_count, sizeof *w->objects, order);
}

static int by_source(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	if (x->pages_id != y->pages_id)
		return x->pages_id < y->pages_id ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

// Where in its pages object each piece begins; all of an object must be wanted, or nothing (that was
// put there for criu: what stands in for the vDSO).
static int place_pieces(struct linuxcr_writer *w, struct crimg_err *err)
{
	struct pages_object *o = NULL;
	sort_objects(w, by_id);
	for (size_t i = 0; i < w->piece_count; i++) {
		struct piece *p = &w->pieces[i];
		if (o == NULL || o->id != p->pages_id)
			o = find_object(w, (struct pages_object){.id = p->pages_id}, by_id);
		if (o == NULL)
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
					  "records speak of pages object %llu, which is missing",
					  (unsigned long long)p->pages_id);
		p->from = o->used;
		if (!crimg_add_u64(o->used, p->length, &o->used))
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
					  "records with more pages than there can be");
	}
	for (size_t i = 0; i < w->object_count; i++)
		if (w->objects[i].used != 0 && w->objects[i].used != w->objects[i].length)
			return crimg_fail(
				err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				"pages object %llu holds %llu bytes, the records want %llu: its "
				"pages "
				"were changed or compressed (--compress=none undoes the latter)",
				(unsigned long long)w->objects[i].id,
				(unsigned long long)w->objects[i].length,
				(unsigned long long)w->objects[i].used);
	sort_objects(w, by_payload);
	return 0;
}

// All records but pages; gaps are left where those come. Pieces are in the order of the stream.
static int write_heads(struct linuxcr_writer *w, struct crimg_err *err)
{
	uint64_t at = 0;
	size_t done = 0;
	for (size_t i = 0; i <= w->piece_count; i++) {
		uint64_t end = i < w->piece_count ? w->pieces[i].to : w->size;
		size_t length = (size_t)(end - at);
		if (length > 0
		    && crimg_sink_write(&w->sink, at, w->heads.data + done, length, err) < 0)
			return -1;
		done += length;
		at = i < w->piece_count ? end + w->pieces[i].length : end;
	}
	return 0;
}

static int begin(struct linuxcr_writer *w, struct crimg_err *err)
{
	if (w->begun)
		return 0;
	w->begun = true;
	if (w->size == 0)
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			"no records of a kernel stream are in the image, and streams are not made "
			"from anything else");
	if (w->piece_count > 0 && !w->output->at_offsets)
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			"a kernel stream has pages between its records and is written to a "
			"regular file only");
	if (crimg_sink_create(w->output, "", w->size, &w->sink, err) < 0)
		return -1;
	w->sink_open = true;
	if (write_heads(w, err) < 0)
		return -1;
	if (w->piece_count > 0)
		qsort(w->pieces, w->piece_count, sizeof *w->pieces, by_source);
	return place_pieces(w, err);
}

static int put_part(struct linuxcr_writer *w, const struct crimg_record *r, uint64_t skip,
		    uint64_t length, uint64_t to, struct crimg_err *err)
{
	struct crimg_span span = {r->span.source, r->span.offset + skip, length};
	if (r->zero)
		return crimg_sink_zero(&w->sink, to, length, err);
	if (r->bytes != NULL)
		return crimg_sink_write(&w->sink, to, r->bytes + skip, (size_t)length, err);
	return crimg_sink_copy(&w->sink, to, span, err);
}

// The first piece of a pages object.
static size_t first_piece(const struct linuxcr_writer *w, uint64_t id)
{
	size_t low = 0, high = w->piece_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (w->pieces[middle].pages_id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// Contents come in order, so the pieces of a payload are met in order too.
static int put_content(struct linuxcr_writer *w, const struct crimg_record *r,
		       struct crimg_err *err)
{
	const struct pages_object *o =
		find_object(w, (struct pages_object){.payload = r->payload.number}, by_payload);
	if (o == NULL || o->used == 0)
		return 0; // of pipes and the like: they are in the records
	if (w->payload != r->payload.number)
		w->next = first_piece(w, o->id);
	w->payload = r->payload.number;
	for (uint64_t at = r->content_offset, end = at + r->content_length; at < end;) {
		const struct piece *p = &w->pieces[w->next];
		if (w->next >= w->piece_count || p->pages_id != o->id || at < p->from)
			return crimg_fail(err, CRIMG_E_FORMAT, r->origin, CRIMG_NO_OFFSET,
					  "more contents of pages object %llu than were announced",
					  (unsigned long long)o->id);
		if (at == p->from + p->length) {
			w->next++;
			continue;
		}
		uint64_t n = crimg_min_u64(end, p->from + p->length) - at;
		if (put_part(w, r, at - r->content_offset, n, p->to + (at - p->from), err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int linuxcr_put(struct crimg_writer *writer, const struct crimg_record *r,
		       struct crimg_err *err)
{
	struct linuxcr_writer *w = writer->state;
	if (r->type == CRIMG_RECORD_OBJECT)
		return r->object->kind == CRIMG_KIND_PAGES && r->payload.number != CRIMG_NO_PAYLOAD
			       ? add_pages_object(w, r, err)
			       : 0;
	if (r->type == CRIMG_RECORD_MESSAGE)
		return r->object->kind == CRIMG_KIND_KERNEL_RECORDS && !r->tail
			       ? add_record(w, r, err)
			       : 0;
	if (begin(w, err) < 0)
		return -1;
	return r->payload.number == CRIMG_NO_PAYLOAD || r->content_length == 0
		       ? 0
		       : put_content(w, r, err);
}

static int linuxcr_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct linuxcr_writer *w = writer->state;
	if (begin(w, err) < 0)
		return -1;
	w->sink_open = false;
	return crimg_sink_end(&w->sink, err);
}

static void linuxcr_close(struct crimg_writer *writer)
{
	struct linuxcr_writer *w = writer->state;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (w->sink_open && crimg_sink_end(&w->sink, &ignored) < 0)
		w->sink_open = false;
	crimg_buf_fini(&w->heads);
	crimg_arena_fini(&w->arena);
	free(w->pieces);
	free(w->objects);
	free(w);
}

static int linuxcr_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
			struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "one file of an image found, a whole image wanted");
	struct linuxcr_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	w->output = writer->output;
	w->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	w->payload = CRIMG_NO_PAYLOAD;
	writer->state = w;
	return 0;
}

static const char *const suffixes[] = {".ckpt", NULL};

const struct crimg_writer_driver crimg_writer_linuxcr = {
	.name = "linux-cr",
	.suffixes = suffixes,
	.single = true,
	.open = linuxcr_open,
	.put = linuxcr_put,
	.finish = linuxcr_finish,
	.close = linuxcr_close,
};
