// The reader of kernel streams: what checkpoint(2) of the kernels of 2009 to 2011 wrote, to
// records. Knows the order of records; its parts (linuxcr_*) know framing, grammar and messages.
// The stream is read once, forwards; contents of pages stay where they are until they are asked
// for. Source: SPEC.md, chapter "Kernel streams".
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "readers/linuxcr_records.h"
#include "readers/readers.h"

enum phase { PHASE_OBJECT, PHASE_ENTRIES, PHASE_CONTENT };

struct linuxcr_state {
	struct linuxcr_image image;
	enum phase phase;
	size_t step, object;          // being read: linuxcr_steps[step], of its objects
	size_t seen;                  // objects so far
	struct crimg_object *objects; // all, since they live as long as the reader
	uint64_t index;               // of the next entry
	struct linuxcr_entry entry;
	size_t payload, piece; // next to give contents of
	bool said;             // the damage was told
};

static size_t objects_of(const struct linuxcr_image *m, const struct linuxcr_step *step)
{
	return step->count != NULL ? step->count(m) : 1;
}

static struct crimg_payload_ref last_payload(const struct linuxcr_image *m)
{
	return (struct crimg_payload_ref){m->payload_count - 1,
					  m->payloads[m->payload_count - 1].length};
}

// Address spaces, then segments, are numbered as their pages objects.
static int announce_pages(struct linuxcr_image *m, size_t object, struct crimg_err *err)
{
	size_t spaces = linuxcr_count(&m->c, CRIMG_LCR_OBJ_MM);
	const struct linuxcr_object *o = object < spaces
						 ? linuxcr_nth(&m->c, CRIMG_LCR_OBJ_MM, object)
						 : m->segments[object - spaces];
	if (linuxcr_payload_begin(m, err) < 0)
		return -1;
	for (size_t i = 0; i < o->run_count; i++)
		if (linuxcr_payload_add(m, NULL, o->runs[i].offset,
					o->runs[i].pages * CRIMG_PAGE_BYTES, err)
		    < 0)
			return -1;
	return 0;
}

static int begin_object(struct linuxcr_state *s, struct crimg_record *r, struct crimg_err *err)
{
	const struct linuxcr_step *step = &linuxcr_steps[s->step];
	struct crimg_object *o = &s->objects[s->seen];
	bool raw = step->entry == NULL;
	if (raw && announce_pages(&s->image, s->object, err) < 0)
		return -1;
	s->seen++;
	*o = (struct crimg_object){
		.kind = step->kind,
		.name = "",
		.id = step->id != NULL ? step->id(&s->image, s->object) : 0,
		.framing = raw ? CRIMG_FRAMING_RAW : CRIMG_FRAMING_V11,
	};
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_OBJECT,
		.object = o,
		.origin = s->image.c.stream.source->name,
		.payload = {.number = CRIMG_NO_PAYLOAD},
	};
	if (raw)
		r->payload = last_payload(&s->image);
	s->phase = PHASE_ENTRIES;
	return 1;
}

// 1: *out is filled. 0: the object has no more entries. -1.
static int make_entry(struct linuxcr_state *s, uint64_t index, struct crimg_err *err)
{
	const struct linuxcr_step *step = &linuxcr_steps[s->step];
	struct linuxcr_entry *e = &s->entry;
	e->message.length = 0;
	e->offset = e->length = 0;
	e->has_payload = false;
	int rc = step->entry == NULL ? 0 : step->entry(&s->image, s->object, index, e, err);
	if (rc > 0 && e->message.length > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, s->image.c.stream.source->name, e->offset,
				  "an entry of %zu bytes, at most %u wanted", e->message.length,
				  CRIMG_MAX_MESSAGE_BYTES);
	return rc;
}

static int give_entry(struct linuxcr_state *s, struct crimg_record *r)
{
	const struct linuxcr_entry *e = &s->entry;
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE,
		.object = &s->objects[s->seen - 1],
		.index = s->index++,
		.data = e->message.data,
		.length = e->message.length,
		.payload = {.number = CRIMG_NO_PAYLOAD},
		.origin = s->image.c.stream.source->name,
		.origin_offset = e->offset,
		.origin_length = e->length,
	};
	if (e->has_payload)
		r->payload = last_payload(&s->image);
	return 1;
}

static int next_content(struct linuxcr_state *s, struct crimg_record *r)
{
	const struct linuxcr_image *m = &s->image;
	while (s->payload < m->payload_count && s->piece == m->payloads[s->payload].count) {
		s->payload++;
		s->piece = 0;
	}
	if (s->payload == m->payload_count)
		return 0;
	const struct linuxcr_payload *p = &m->payloads[s->payload];
	const struct linuxcr_piece *piece = &m->pieces[p->first + s->piece++];
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT,
		.payload = {s->payload, p->length},
		.content_offset = piece->at,
		.content_length = piece->length,
		.bytes = piece->bytes,
		.origin = m->c.stream.source->name,
	};
	if (piece->bytes == NULL)
		r->span = (struct crimg_span){m->c.stream.source, piece->offset, piece->length};
	return 1;
}

static bool is_last_metadata(const struct linuxcr_state *s)
{
	return s->step >= LINUXCR_STEPS - 1;
}

// On to the next object that has entries. What was wrong is told before the pages, when all else
// was given.
static int next_object(struct linuxcr_state *s, struct crimg_record *r, struct crimg_err *err)
{
	for (;;) {
		while (s->step < LINUXCR_STEPS
		       && s->object >= objects_of(&s->image, &linuxcr_steps[s->step])) {
			s->step++;
			s->object = 0;
		}
		if (is_last_metadata(s) && !s->said && s->image.c.damage.code != CRIMG_OK) {
			s->said = true;
			if (err != NULL && err->code == CRIMG_OK)
				*err = s->image.c.damage;
			return -1;
		}
		if (s->step == LINUXCR_STEPS) {
			s->phase = PHASE_CONTENT;
			return next_content(s, r);
		}
		if (linuxcr_steps[s->step].entry == NULL)
			return begin_object(s, r, err);
		int rc = make_entry(s, 0, err);
		if (rc > 0)
			return begin_object(s, r, err);
		s->object++;
		if (rc < 0)
			return rc;
	}
}

static int linuxcr_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct linuxcr_state *s = reader->state;
	if (s->phase == PHASE_CONTENT)
		return next_content(s, r);
	if (s->phase == PHASE_ENTRIES) {
		// The first entry was made to see whether there is an object.
		int rc = s->index == 0 && linuxcr_steps[s->step].entry != NULL
				 ? 1
				 : make_entry(s, s->index, err);
		if (rc > 0)
			return give_entry(s, r);
		s->object++;
		s->index = 0;
		s->phase = PHASE_OBJECT;
		if (rc < 0)
			return rc;
	}
	return next_object(s, r, err);
}

static const struct linuxcr_piece *piece_at(const struct linuxcr_image *m,
					    const struct linuxcr_payload *p, uint64_t at)
{
	size_t low = 0, high = p->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (m->pieces[p->first + middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return &m->pieces[p->first + low];
}

static int linuxcr_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
			size_t length, struct crimg_err *err)
{
	const struct linuxcr_image *m = &((struct linuxcr_state *)reader->state)->image;
	struct crimg_source *source = m->c.stream.source;
	if (payload >= m->payload_count
	    || !crimg_in_range(offset, length, m->payloads[payload].length))
		return crimg_fail(err, CRIMG_E_USAGE, source->name, CRIMG_NO_OFFSET,
				  "%zu bytes at %llu of payload %llu wanted, which are not there",
				  length, (unsigned long long)offset, (unsigned long long)payload);
	uint8_t *to = buf;
	while (length > 0) {
		const struct linuxcr_piece *p = piece_at(m, &m->payloads[payload], offset);
		uint64_t into = offset - p->at;
		size_t n = (size_t)crimg_min_u64(length, p->length - into);
		if (p->bytes != NULL)
			memcpy(to, p->bytes + into, n);
		else if (crimg_source_read_exact(source, p->offset + into, to, n, err) < 0)
			return -1;
		to += n;
		offset += n;
		length -= n;
	}
	return 0;
}

static int linuxcr_tell(struct crimg_reader *reader, struct crimg_ledger *ledger,
			struct crimg_err *err)
{
	return linuxcr_notes(&((struct linuxcr_state *)reader->state)->image, ledger, err);
}

static void state_free(struct linuxcr_state *s)
{
	linuxcr_image_fini(&s->image);
	crimg_buf_fini(&s->entry.message);
	free(s->objects);
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
	size_t count = 0;
	if (linuxcr_load(&s->image.c, source, err) < 0 || linuxcr_image_build(&s->image, err) < 0)
		return -1;
	for (size_t i = 0; i < LINUXCR_STEPS; i++)
		count += objects_of(&s->image, &linuxcr_steps[i]);
	s->objects = calloc(count, sizeof *s->objects);
	return s->objects == NULL ? crimg_fail_nomem(err, count * sizeof *s->objects) : 0;
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
	.keeps = "every record, bit for bit, and what CRIU's messages can say of it; writes what "
		 "it read",
	.loses = "in CRIU's messages: connections and queues of internet sockets, local descriptor "
		 "tables, semaphore undo, debug registers",
	.probe = linuxcr_probe,
	.open = linuxcr_open,
	.next = linuxcr_next,
	.read = linuxcr_read,
	.notes = linuxcr_tell,
	.close = linuxcr_close,
};
