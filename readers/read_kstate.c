// The reader of "LinuxC/R" images, which kernels patched with the postings of February and March 2009
// wrote: a skeleton of tasks and of what they share, to records. Refuses later postings: what they wrote
// is not known. Source: SPEC.md, chapter "LinuxC/R images".
#include <stdlib.h>

#include "readers/kstate_records.h"
#include "readers/readers.h"

struct kstate_state {
	struct kstate_image image;
	struct model_records records;
};

static int kstate_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct kstate_state *s = reader->state;
	return model_records_next(&s->records, r, err);
}

static int kstate_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
                       size_t length, struct crimg_err *err)
{
	const struct kstate_state *s = reader->state;
	return model_records_read(&s->records, payload, offset, buf, length, err);
}

static void state_free(struct kstate_state *s)
{
	kstate_image_fini(&s->image);
	model_records_fini(&s->records);
	free(s);
}

static void kstate_close(struct crimg_reader *reader)
{
	struct kstate_state *s = reader->state;
	struct crimg_source *source = s->image.k.source;
	state_free(s);
	crimg_source_close(source);
}

static int load(struct kstate_state *s, struct crimg_source *source, struct crimg_err *err)
{
	if (kstate_load(&s->image.k, source, err) < 0 || kstate_image_build(&s->image, err) < 0)
		return -1;
	s->records = (struct model_records){
		.format = &kstate_format,
		.model = &s->image,
		.source = source,
		.payloads = &s->image.payloads,
		.damage = &s->image.k.damage,
	};
	return model_records_init(&s->records, err);
}

static int kstate_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	if (in->source == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
		                  "a directory or archive found, a LinuxC/R image wanted");
	struct kstate_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	if (load(s, in->source, err) < 0) {
		state_free(s);
		return -1;
	}
	in->source = NULL;
	reader->state = s;
	return 0;
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
	.next = kstate_next,
	.read = kstate_read,
	.close = kstate_close,
};
