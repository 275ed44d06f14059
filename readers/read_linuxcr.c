// The reader of kernel streams: what checkpoint(2) of the kernels of 2009 to 2011 wrote, to
// records. Knows the order of records; its parts (linuxcr_*) know framing, grammar and messages.
// The stream is read once, forwards; contents of pages stay where they are until they are asked
// for. Source: SPEC.md, chapter "Kernel streams".
#include <stdlib.h>

#include "format/limits.h"
#include "readers/linuxcr_records.h"
#include "readers/readers.h"

struct linuxcr_state {
	struct linuxcr_image image;
	struct model_records records;
};

static enum crimg_kind kind_of(size_t step)
{
	return linuxcr_steps[step].kind;
}

static size_t count_of(const void *model, size_t step)
{
	return linuxcr_steps[step].count != NULL ? linuxcr_steps[step].count(model) : 1;
}

static uint64_t id_of(const void *model, size_t step, size_t object)
{
	return linuxcr_steps[step].id != NULL ? linuxcr_steps[step].id(model, object) : 0;
}

static int entry_of(void *model, size_t step, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err)
{
	return linuxcr_steps[step].entry(model, object, index, out, err);
}

// Address spaces, then segments, are numbered as their pages objects.
static int announce_pages(void *model, size_t step, size_t object, struct crimg_err *err)
{
	struct linuxcr_image *m = model;
	size_t spaces = linuxcr_count(&m->c, CRIMG_LCR_OBJ_MM);
	const struct linuxcr_object *o = object < spaces
						 ? linuxcr_nth(&m->c, CRIMG_LCR_OBJ_MM, object)
						 : m->segments[object - spaces];
	(void)step;
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	for (size_t i = 0; i < o->run_count; i++)
		if (model_payload_add(&m->payloads, NULL, o->runs[i].offset,
				      o->runs[i].pages * CRIMG_PAGE_BYTES, err)
		    < 0)
			return -1;
	return 0;
}

static const struct model_format format = {
	.steps = LINUXCR_STEPS,
	.kind = kind_of,
	.count = count_of,
	.id = id_of,
	.entry = entry_of,
	.announce = announce_pages,
};

static int linuxcr_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct linuxcr_state *s = reader->state;
	return model_records_next(&s->records, r, err);
}

static int linuxcr_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
			size_t length, struct crimg_err *err)
{
	const struct linuxcr_state *s = reader->state;
	return model_records_read(&s->records, payload, offset, buf, length, err);
}

static int linuxcr_tell(struct crimg_reader *reader, struct crimg_ledger *ledger,
			struct crimg_err *err)
{
	return linuxcr_notes(&((struct linuxcr_state *)reader->state)->image, ledger, err);
}

static void state_free(struct linuxcr_state *s)
{
	linuxcr_image_fini(&s->image);
	model_records_fini(&s->records);
	free(s);
}

static void linuxcr_close(struct crimg_reader *reader)
{
	struct linuxcr_state *s = reader->state;
	struct crimg_source *source = s->image.c.stream.source;
	state_free(s);
	crimg_source_close(source);
}

static int load(struct linuxcr_state *s, struct crimg_source *source, struct crimg_err *err)
{
	if (linuxcr_load(&s->image.c, source, err) < 0 || linuxcr_image_build(&s->image, err) < 0)
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

// The first postings had records with 16-bit types and lengths; their magic stands at the same
// place.
static bool is_early(const struct crimg_input *in)
{
	return crimg_get_u32(in->head) >> 16 != 0
	       && (crimg_get_u32(in->head) & 0xffff) == CRIMG_LCR_HEADER;
}

static int linuxcr_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	if (in->source == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
				  "a directory or archive found, a kernel stream wanted");
	if (in->head_length >= 8 && is_early(in))
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, in->source->name, 0,
			"a kernel stream of v1 to v13 (16-bit record headers) found, v18 to "
			"v23-rc2 wanted");
	struct linuxcr_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->image.arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	if (load(s, in->source, err) < 0) {
		state_free(s);
		return -1;
	}
	in->source = NULL;
	reader->state = s;
	return 0;
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
	.next = linuxcr_next,
	.read = linuxcr_read,
	.notes = linuxcr_tell,
	.close = linuxcr_close,
};
