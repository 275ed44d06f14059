// The writer of OpenVZ images: the bytes that came from one (KERNEL_RECORDS), put together again.
#include <stdlib.h>

#include "format/checked.h"
#include "format/cursor.h"
#include "format/limits.h"
#include "writers/carried.h"
#include "writers/writers.h"

// What stood in the padding goes back to its place.
static int fill_padding(const KernelRecordEntry *e, const struct crimg_record *r,
			struct crimg_err *err)
{
	struct crimg_cursor c =
		crimg_cursor_make(e->pads.data, e->pads.len, r->origin, r->origin_offset);
	while (crimg_cursor_left(&c) > 0) {
		uint32_t offset, length;
		const uint8_t *bytes;
		if (crimg_cursor_u32(&c, &offset, "offset of padding", err) < 0
		    || crimg_cursor_u32(&c, &length, "length of padding", err) < 0
		    || crimg_cursor_bytes(&c, length, &bytes, "padding", err) < 0)
			return -1;
		if (!crimg_in_range(offset, length, e->payload.len))
			return crimg_fail(err, CRIMG_E_FORMAT, r->origin, r->origin_offset,
					  "%u bytes of padding at %u of a record of %zu found",
					  length, offset, e->payload.len);
		memcpy(e->payload.data + offset, bytes, length);
	}
	return 0;
}

static int add_record(struct carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	const KernelRecordEntry *e = carried_record(c, r, err);
	if (e == NULL || fill_padding(e, r, err) < 0
	    || carried_head(c, e->payload.data, e->payload.len, err) < 0)
		return -1;
	return e->content_bytes == 0
		       ? 0
		       : carried_contents(c,
					  (struct carried_piece){
						  .kind = e->has_ghost_id ? CRIMG_KIND_GHOST_FILE
									  : CRIMG_KIND_PAGES,
						  .id = e->has_ghost_id ? e->ghost_id : e->pages_id,
						  .from = e->content_at,
						  .length = e->content_bytes,
						  .total = e->content_of,
					  },
					  err);
}

static int cpt_put(struct crimg_writer *writer, const struct crimg_record *r, struct crimg_err *err)
{
	bool ours = r->type == CRIMG_RECORD_MESSAGE && r->object->kind == CRIMG_KIND_KERNEL_RECORDS
		    && !r->tail;
	return ours ? add_record(writer->state, r, err) : carried_put(writer->state, r, err);
}

static int cpt_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	return carried_finish(writer->state, err);
}

static void cpt_close(struct crimg_writer *writer)
{
	carried_fini(writer->state);
	free(writer->state);
}

static int cpt_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
		    struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "one file of an image found, a whole image wanted");
	struct carried *c = malloc(sizeof *c);
	if (c == NULL)
		return crimg_fail_nomem(err, sizeof *c);
	*c = carried_make(writer->output, "an OpenVZ image", "cpt");
	writer->state = c;
	return 0;
}

static const char *const suffixes[] = {".cpt", NULL};

const struct crimg_writer_driver crimg_writer_cpt = {
	.name = "cpt",
	.suffixes = suffixes,
	.single = true,
	.open = cpt_open,
	.put = cpt_put,
	.finish = cpt_finish,
	.close = cpt_close,
};
