// The reader of kernel streams: what checkpoint(2) of the kernels of 2009 to 2011 wrote, to
// records. Knows the order of records; its parts (linuxcr_*) know framing, grammar and messages.
// The stream is read once, forwards; contents of pages stay where they are until they are asked
// for. Source: SPEC.md, chapter "Kernel streams".
#include "format/limits.h"
#include "readers/linuxcr_records.h"
#include "readers/model_reader.h"
#include "readers/readers.h"

static int load(void *model, const struct crimg_input *in, struct model_parts *parts,
		struct crimg_err *err)
{
	struct linuxcr_image *m = model;
	m->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	*parts = (struct model_parts){in->source, &m->payloads, &m->c.damage};
	return linuxcr_load(&m->c, in->source, err) < 0 ? -1 : linuxcr_image_build(m, err);
}

static void fini(void *model)
{
	linuxcr_image_fini(model);
}

static int linuxcr_tell(struct crimg_reader *reader, struct crimg_ledger *ledger,
			struct crimg_err *err)
{
	return linuxcr_notes(model_reader_model(reader), ledger, err);
}

// The first postings had records with 16-bit types and lengths; their magic stands at the same
// place.
static bool is_early(const struct crimg_input *in)
{
	return crimg_get_u32(in->head) >> 16 != 0
	       && (crimg_get_u32(in->head) & 0xffff) == CRIMG_LCR_HEADER;
}

static int linuxcr_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	static const struct model_loader loader = {&linuxcr_format, sizeof(struct linuxcr_image),
						   "a kernel stream", load, fini};
	if (in->source != NULL && in->head_length >= 8 && is_early(in))
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, in->source->name, 0,
			"a kernel stream of v1 to v13 (16-bit record headers) found, v18 to "
			"v23-rc2 wanted");
	return model_reader_open(reader, in, &loader, err);
}

static int linuxcr_probe(const struct crimg_input *in)
{
	return in->source != NULL && crimg_is_linuxcr(in->head, in->head_length) ? 100 : 0;
}

const struct crimg_reader_driver crimg_reader_linuxcr = {
	.name = "linux-cr",
	.summary = "kernel stream of checkpoint(2), v18 to v23-rc2, x86-64 and x86-32",
	.keeps = "every record, bit for bit, and what CRIU's messages can say of it; of other "
		 "images what v20 and v23-rc2 have a place for",
	.loses = "in CRIU's messages: agreed options of connections, packets of UDP, local descriptor "
		 "tables, semaphore undo, debug registers",
	.probe = linuxcr_probe,
	.open = linuxcr_open,
	.next = model_reader_next,
	.read = model_reader_read,
	.notes = linuxcr_tell,
	.close = model_reader_close,
};
