// The reader of OpenVZ images (CPT 0x302 to 0x803), to records. Its parts (cpt_*) know the container and
// messages; model_records.c knows the order of records. Needs random access: what is spoken of may stand
// anywhere. Source: SPEC.md, chapter "OpenVZ CPT".
#include <stdlib.h>

#include "format/limits.h"
#include "readers/cpt_records.h"
#include "readers/readers.h"

struct cpt_state {
	struct cpt_image image;
	struct model_records records;
};

static enum crimg_kind kind_of(size_t step)
{
	return cpt_steps[step].kind;
}

static size_t count_of(const void *model, size_t step)
{
	return cpt_steps[step].count != NULL ? cpt_steps[step].count(model) : 1;
}

static uint64_t id_of(const void *model, size_t step, size_t object)
{
	return cpt_steps[step].id != NULL ? cpt_steps[step].id(model, object) : 0;
}

static int entry_of(void *model, size_t step, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err)
{
	return cpt_steps[step].entry(model, object, index, out, err);
}

static int announce(void *model, size_t step, size_t object, struct crimg_err *err)
{
	return cpt_steps[step].announce(model, object, err);
}

static const struct model_format format = {
	.steps = CPT_STEPS,
	.kind = kind_of,
	.count = count_of,
	.id = id_of,
	.entry = entry_of,
	.announce = announce,
};

static int cpt_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct cpt_state *s = reader->state;
	return model_records_next(&s->records, r, err);
}

static int cpt_read_payload(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
			    void *buf, size_t length, struct crimg_err *err)
{
	const struct cpt_state *s = reader->state;
	return model_records_read(&s->records, payload, offset, buf, length, err);
}

static int cpt_tell(struct crimg_reader *reader, struct crimg_ledger *ledger, struct crimg_err *err)
{
	return cpt_notes(&((struct cpt_state *)reader->state)->image, ledger, err);
}

static void state_free(struct cpt_state *s)
{
	cpt_image_fini(&s->image);
	model_records_fini(&s->records);
	free(s);
}

static void cpt_close(struct crimg_reader *reader)
{
	struct cpt_state *s = reader->state;
	struct crimg_source *source = s->image.c.source;
	state_free(s);
	crimg_source_close(source);
}

static int load(struct cpt_state *s, struct crimg_source *source, struct crimg_err *err)
{
	s->image.arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	if (cpt_load(&s->image.c, source, err) < 0 || cpt_image_build(&s->image, err) < 0)
		return -1;
	s->records = (struct model_records){
		.format = &format,
		.model = &s->image,
		.source = source,
		.payloads = &s->image.payloads,
		.damage = &s->image.c.damage,
	};
	return model_records_init(&s->records, err);
}

static int cpt_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	if (in->source == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
				  "a directory or archive found, an OpenVZ image wanted");
	struct cpt_state *s = calloc(1, sizeof *s);
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
	.next = cpt_next,
	.read = cpt_read_payload,
	.notes = cpt_tell,
	.close = cpt_close,
};
