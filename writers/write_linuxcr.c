// The writer of kernel streams. Records that came from one are written as they are, each with its header
// (carried.c); from other images, or where a posting is asked for, the stream is made (kstream.c). Either way
// all but the pages is known before the first page comes, and pages fall into the gaps that were left.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"
#include "format/output.h"
#include "writers/carried.h"
#include "writers/kstream.h"
#include "writers/writers.h"

struct linuxcr_writer {
	struct crimg_output *output;
	struct crimg_ledger *ledger;
	bool asked, rc2;           // for a posting, and which
	struct carried carried;    // known: its records are what is written
	struct crimg_image *image; // index; NULL with those
	struct kstream_contents contents;
	uint64_t first_page;       // payload
	struct kstream_out out;
	struct scatter scatter;
	struct scatter_file file;
	bool begun;
};

static int open_file(void *context, size_t number, struct crimg_sink *sink, struct crimg_err *err)
{
	struct linuxcr_writer *w = context;
	(void)number;
	if (crimg_sink_create(w->output, "", w->file.size, sink, err) < 0)
		return -1;
	return kstream_out_write(&w->out, sink, err);
}

static int make(struct linuxcr_writer *w, struct crimg_err *err)
{
	struct kstream k = { .image = w->image, .contents = &w->contents, .ledger = w->ledger };
	k.out.rc2 = w->rc2;
	crimg_image_seal(w->image);
	int rc = kstream_make(&k, err);
	if (rc == 0) {
		w->out = k.out;
		k.out = (struct kstream_out){ .rc2 = false };
	}
	kstream_fini(&k);
	return rc;
}

static int begin(struct linuxcr_writer *w, struct crimg_err *err)
{
	if (w->begun)
		return 0;
	w->begun = true;
	if (make(w, err) < 0)
		return -1;
	if (w->out.pieces.count > 0 && !w->output->at_offsets)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "a kernel stream has pages between its records and is written to a "
		                  "regular file only");
	w->scatter.pieces = w->out.pieces;
	w->out.pieces = (struct scatter_pieces){ .list = NULL };
	w->file.size = kstream_size(&w->out);
	scatter_begin(&w->scatter, &w->file, 1, open_file, w);
	return 0;
}

static void forget_index(struct linuxcr_writer *w)
{
	crimg_image_close(w->image);
	w->image = NULL;
	kstream_contents_fini(&w->contents);
}

static int put_object(struct linuxcr_writer *w, const struct crimg_record *r, struct crimg_err *err)
{
	bool pages = r->object->kind == CRIMG_KIND_PAGES && r->payload.number != CRIMG_NO_PAYLOAD;
	if (pages && r->payload.number < w->first_page)
		w->first_page = r->payload.number;
	if (carried_put(&w->carried, r, err) < 0)
		return -1;
	bool wanted = w->image != NULL && r->object->type == CRIMG_OBJECT_FILE
		&& r->object->kind != CRIMG_KIND_KERNEL_RECORDS;
	return wanted ? crimg_image_put(w->image, r, err) : 0;
}

// A record as it was found: its header, what follows it, and its pages.
static int put_record(struct linuxcr_writer *w, const struct crimg_record *r, struct crimg_err *err)
{
	uint8_t header[CRIMG_LCR_HEADER_BYTES];
	const KernelRecordEntry *e = carried_record(&w->carried, r, err);
	uint64_t length, pages;
	if (e == NULL)
		return -1;
	if (!w->carried.known)
		return 0;
	forget_index(w);
	if (e->beyond > e->payload.len || !crimg_mul_u64(e->pages, CRIMG_PAGE_BYTES, &pages)
	    || !crimg_add_u64(CRIMG_LCR_HEADER_BYTES + (uint64_t)e->payload.len - e->beyond, pages, &length)
	    || length > UINT32_MAX)
		return crimg_fail(err, CRIMG_E_FORMAT, r->origin, r->origin_offset,
		                  "a record of %zu bytes and %llu pages found, less than 4 GiB wanted",
		                  e->payload.len, (unsigned long long)e->pages);
	crimg_put_u32(header, e->type);
	crimg_put_u32(header + 4, (uint32_t)length);
	if (carried_head(&w->carried, header, sizeof header, err) < 0
	    || carried_head(&w->carried, e->payload.data, e->payload.len, err) < 0)
		return -1;
	struct carried_piece piece = { .kind = CRIMG_KIND_PAGES, .id = e->pages_id, .from = CARRIED_NEXT,
	                               .length = pages };
	return pages == 0 ? 0 : carried_contents(&w->carried, piece, err);
}

static int put_message(struct linuxcr_writer *w, const struct crimg_record *r, struct crimg_err *err)
{
	if (r->object->kind == CRIMG_KIND_KERNEL_RECORDS)
		return w->asked || r->tail ? 0 : put_record(w, r, err);
	if (w->image == NULL || r->object->type != CRIMG_OBJECT_FILE)
		return 0;
	if (kstream_wants_content(r->object->kind) && kstream_announce(&w->contents, r->payload, err) < 0)
		return -1;
	return crimg_image_put(w->image, r, err);
}

static int linuxcr_put(struct crimg_writer *writer, const struct crimg_record *r,
                       struct crimg_err *err)
{
	struct linuxcr_writer *w = writer->state;
	if (r->type == CRIMG_RECORD_OBJECT)
		return put_object(w, r, err);
	if (r->type == CRIMG_RECORD_MESSAGE)
		return put_message(w, r, err);
	if (w->carried.known)
		return carried_put(&w->carried, r, err);
	if (r->payload.number == CRIMG_NO_PAYLOAD || r->content_length == 0)
		return 0;
	if (r->payload.number < w->first_page)
		return kstream_take(&w->contents, r, err);
	return begin(w, err) < 0 ? -1 : scatter_put(&w->scatter, r, err);
}

static int linuxcr_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct linuxcr_writer *w = writer->state;
	if (w->carried.known)
		return carried_finish(&w->carried, err);
	return begin(w, err) < 0 ? -1 : scatter_end(&w->scatter, err);
}

static void linuxcr_close(struct crimg_writer *writer)
{
	struct linuxcr_writer *w = writer->state;
	scatter_fini(&w->scatter);
	carried_fini(&w->carried);
	kstream_out_fini(&w->out);
	forget_index(w);
	free(w);
}

static int linuxcr_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
                        struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "one file of an image found, a whole image wanted");
	if (options->compress != NULL && strcmp(options->compress, "none") != 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "a kernel stream is not compressed: --compress=%s cannot be kept",
		                  options->compress);
	struct linuxcr_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	if (crimg_image_make("", &w->image, err) < 0) {
		free(w);
		return -1;
	}
	w->output = writer->output;
	w->ledger = options->ledger;
	w->asked = options->posting != NULL;
	w->rc2 = options->posting == NULL || strcmp(options->posting, "v20") != 0;
	w->first_page = CRIMG_NO_PAYLOAD;
	w->carried = carried_make(writer->output, "a kernel stream", "linux-cr");
	w->carried.otherwise = "--linux-cr-version makes new records";
	writer->state = w;
	return 0;
}

static const char *const suffixes[] = { ".ckpt", NULL };

const struct crimg_writer_driver crimg_writer_linuxcr = {
	.name = "linux-cr",
	.suffixes = suffixes,
	.single = true,
	.whole_pages = true,
	.open = linuxcr_open,
	.put = linuxcr_put,
	.finish = linuxcr_finish,
	.close = linuxcr_close,
};
