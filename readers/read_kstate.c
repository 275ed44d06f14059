// The reader of "LinuxC/R" images, which kernels patched with the postings of February and March 2009
// wrote: a skeleton of tasks and of what they share, to records. Refuses later postings: what they wrote
// is not known. Source: SPEC.md, chapter "LinuxC/R images".
#include "readers/kstate_records.h"
#include "readers/model_reader.h"
#include "readers/readers.h"

static int load(void *model, const struct crimg_input *in, struct model_parts *parts,
                struct crimg_err *err)
{
	struct kstate_image *m = model;
	*parts = (struct model_parts){ in->source, &m->payloads, &m->k.damage };
	return kstate_load(&m->k, in->source, err) < 0 ? -1 : kstate_image_build(m, err);
}

static void fini(void *model)
{
	kstate_image_fini(model);
}

static int kstate_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	static const struct model_loader loader = { &kstate_format, sizeof(struct kstate_image),
		                                    "a LinuxC/R image", load, fini };
	return model_reader_open(reader, in, &loader, err);
}

static int kstate_probe(const struct crimg_input *in)
{
	return in->source != NULL && crimg_is_kstate(in->head, in->head_length) ? 100 : 0;
}

const struct crimg_reader_driver crimg_reader_kstate = {
	.name = "kstate",
	.summary = "LinuxC/R image of the postings of February (F) and March 2009 (M), x86-32",
	.keeps = "every object, bit for bit: names, numbers, credentials, limits, umask, flags and positions "
		 "of files, who shares what",
	.loses = "memory, registers, paths, descriptors, signals and parents, which such images never hold",
	.probe = kstate_probe,
	.open = kstate_open,
	.next = model_reader_next,
	.read = model_reader_read,
	.close = model_reader_close,
};
