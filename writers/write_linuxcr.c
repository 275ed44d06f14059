// The writer of kernel streams: the records that came from one (KERNEL_RECORDS), each with its header,
// put together again. Makes no stream from other images.
#include <stdlib.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"
#include "writers/carried.h"
#include "writers/writers.h"

static int add_record(struct carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	uint8_t header[CRIMG_LCR_HEADER_BYTES];
	const KernelRecordEntry *e = carried_record(c, r, err);
	if (e == NULL)
		return -1;
	uint64_t length = CRIMG_LCR_HEADER_BYTES + (uint64_t)e->payload.len, pages = 0;
	if (!crimg_mul_u64(e->pages, CRIMG_PAGE_BYTES, &pages)
	    || !crimg_add_u64(length, pages, &length) || length > UINT32_MAX)
		return crimg_fail(
			err, CRIMG_E_FORMAT, r->origin, r->origin_offset,
			"a record of %zu bytes and %llu pages found, less than 4 GiB wanted",
			e->payload.len, (unsigned long long)e->pages);
	crimg_put_u32(header, e->type);
	crimg_put_u32(header + 4, (uint32_t)length);
	if (carried_head(c, header, sizeof header, err) < 0
	    || carried_head(c, e->payload.data, e->payload.len, err) < 0)
		return -1;
	return e->pages == 0 ? 0
			     : carried_contents(c,
						(struct carried_piece){.kind = CRIMG_KIND_PAGES,
								       .id = e->pages_id,
								       .from = CARRIED_NEXT,
								       .length = pages},
						err);
}

static int linuxcr_put(struct crimg_writer *writer, const struct crimg_record *r,
		       struct crimg_err *err)
{
	bool ours = r->type == CRIMG_RECORD_MESSAGE && r->object->kind == CRIMG_KIND_KERNEL_RECORDS
		    && !r->tail;
	return ours ? add_record(writer->state, r, err) : carried_put(writer->state, r, err);
}

static int linuxcr_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	return carried_finish(writer->state, err);
}

static void linuxcr_close(struct crimg_writer *writer)
{
	carried_fini(writer->state);
	free(writer->state);
}

static int linuxcr_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
			struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "one file of an image found, a whole image wanted");
	struct carried *c = malloc(sizeof *c);
	if (c == NULL)
		return crimg_fail_nomem(err, sizeof *c);
	*c = carried_make(writer->output, "a kernel stream", "linux-cr");
	writer->state = c;
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
