// The reader of OpenVZ images (CPT 0x302 to 0x803), to records. Its parts (cpt_*) know the container and
// messages; model_records.c knows the order of records. Needs random access: what is spoken of may stand
// anywhere. Source: SPEC.md, chapter "OpenVZ CPT".
#include "format/limits.h"
#include "readers/cpt_records.h"
#include "readers/model_reader.h"
#include "readers/readers.h"

static int load(void *model, const struct crimg_input *in, struct model_parts *parts,
		struct crimg_err *err)
{
	struct cpt_image *m = model;
	m->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	*parts = (struct model_parts){in->source, &m->payloads, &m->c.damage};
	return cpt_load(&m->c, in->source, err) < 0 ? -1 : cpt_image_build(m, err);
}

static void fini(void *model)
{
	cpt_image_fini(model);
}

static int cpt_tell(struct crimg_reader *reader, struct crimg_ledger *ledger, struct crimg_err *err)
{
	return cpt_notes(model_reader_model(reader), ledger, err);
}

static int cpt_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	static const struct model_loader loader = {&cpt_format, sizeof(struct cpt_image),
						   "an OpenVZ image", load, fini};
	return model_reader_open(reader, in, &loader, err);
}

static int cpt_probe(const struct crimg_input *in)
{
	return in->source != NULL && crimg_is_cpt(in->head, in->head_length) ? 100 : 0;
}

const struct crimg_reader_driver crimg_reader_cpt = {
	.name = "cpt",
	.summary = "OpenVZ CPT 0x302 to 0x803, x86-64 and i386",
	.keeps = "every byte, and what CRIU's messages can say of it; of other images tasks, memory, "
		 "files, sockets and connections, signals, timers",
	.loses = "in CRIU's messages: beancounters, connection tracking, connections not yet accepted; "
		 "of other images terminals, rseq",
	.probe = cpt_probe,
	.open = cpt_open,
	.next = model_reader_next,
	.read = model_reader_read,
	.notes = cpt_tell,
	.close = model_reader_close,
};
