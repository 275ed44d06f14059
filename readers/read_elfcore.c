// The core reader: an ELF core of one x86 process to records. Made by the kernel, by gcore, or by
// crimg. Knows the order of records; its parts (corefile_*) know ELF, notes, memory and messages.
// What a core says beyond CRIU's messages stays whole in ELF_NOTES. Source: SPEC.md, chapter "ELF
// cores".
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "readers/corefile_records.h"
#include "readers/readers.h"

enum phase { PHASE_OBJECT, PHASE_ENTRIES, PHASE_CONTENT };

struct core_state {
	struct crimg_source *source;
	struct corefile core;
	enum phase phase;
	size_t step, object;          // being read: corefile_steps[step], of its objects
	size_t seen;                  // objects so far
	struct crimg_object *objects; // all, since they live as long as the reader
	uint64_t index;               // of the next entry
	struct corefile_entry entry;
	size_t run;  // next to give contents of
	bool padded; // of that one the bytes were given, its zeros not yet
};

static size_t objects_of(const struct corefile *core, const struct corefile_step *step)
{
	return step->count != NULL ? step->count(core) : 1;
}

static int begin_object(struct core_state *s, struct crimg_record *r)
{
	const struct corefile_step *step = &corefile_steps[s->step];
	struct crimg_object *o = &s->objects[s->seen++];
	bool raw = step->entry == NULL;
	*o = (struct crimg_object){
		.kind = step->kind,
		.name = "",
		.id = step->id != NULL ? step->id(&s->core, s->object) : 0,
		.framing = raw ? CRIMG_FRAMING_RAW : CRIMG_FRAMING_V11,
	};
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_OBJECT,
		.object = o,
		.origin = s->source->name,
		.payload = { .number = CRIMG_NO_PAYLOAD },
	};
	if (raw)
		r->payload = (struct crimg_payload_ref){ 0, s->core.space.payload_bytes };
	s->index = 0;
	s->phase = PHASE_ENTRIES;
	return 1;
}

// 1: an entry. 0: the object is over. -1.
static int next_entry(struct core_state *s, struct crimg_record *r, struct crimg_err *err)
{
	const struct corefile_step *step = &corefile_steps[s->step];
	struct corefile_entry *e = &s->entry;
	e->message.length = 0;
	e->offset = e->length = 0;
	int rc = step->entry == NULL ? 0 : step->entry(&s->core, s->object, s->index, e, err);
	if (rc <= 0)
		return rc;
	if (e->message.length > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, s->source->name, e->offset,
		                  "an entry of %zu bytes, at most %u wanted", e->message.length,
		                  CRIMG_MAX_MESSAGE_BYTES);
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE,
		.object = &s->objects[s->seen - 1],
		.index = s->index++,
		.data = e->message.data,
		.length = e->message.length,
		.payload = { .number = CRIMG_NO_PAYLOAD },
		.origin = s->source->name,
		.origin_offset = e->offset,
		.origin_length = e->length,
	};
	return 1;
}

// A run's bytes, then the zeros that fill up its last page.
static int next_content(struct core_state *s, struct crimg_record *r)
{
	const struct corefile_space *space = &s->core.space;
	while (s->run < space->run_count && space->runs[s->run].kind == COREFILE_RUN_LOST)
		s->run++;
	if (s->run == space->run_count)
		return 0;
	const struct corefile_run *run = &space->runs[s->run];
	bool zero = s->padded || run->bytes == 0;
	uint64_t from = zero ? run->bytes : 0, length = zero ? run->length - from : run->bytes;
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT,
		.payload = { 0, space->payload_bytes },
		.zero = zero,
		.content_offset = run->payload + from,
		.content_length = length,
		.origin = s->source->name,
	};
	if (!zero)
		r->span = (struct crimg_span){ s->source, run->offset, length };
	s->padded = !zero && run->bytes < run->length;
	s->run += !s->padded;
	return 1;
}

// On to the next object. What was wrong is told before the last of them, when all else was given.
static int next_object(struct core_state *s, struct crimg_record *r, struct crimg_err *err)
{
	while (s->step < COREFILE_STEPS
	       && s->object >= objects_of(&s->core, &corefile_steps[s->step])) {
		s->step++;
		s->object = 0;
	}
	if (s->step == COREFILE_STEPS) {
		s->phase = PHASE_CONTENT;
		return next_content(s, r);
	}
	if (s->step == COREFILE_STEPS - 1 && s->core.damage.code != CRIMG_OK) {
		if (err != NULL && err->code == CRIMG_OK)
			*err = s->core.damage;
		s->core.damage = CRIMG_ERR_INIT;
		return -1;
	}
	return begin_object(s, r);
}

static int core_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct core_state *s = reader->state;
	if (s->phase == PHASE_CONTENT)
		return next_content(s, r);
	if (s->phase == PHASE_ENTRIES) {
		int rc = next_entry(s, r, err);
		if (rc > 0)
			return rc;
		s->object++;
		s->phase = PHASE_OBJECT;
		if (rc < 0)
			return rc;
	}
	return next_object(s, r, err);
}

static int core_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
                     size_t length, struct crimg_err *err)
{
	struct core_state *s = reader->state;
	if (payload != 0)
		return crimg_fail(err, CRIMG_E_USAGE, s->source->name, CRIMG_NO_OFFSET,
		                  "payload %llu found, only 0 is in a core",
		                  (unsigned long long)payload);
	return corefile_space_payload(&s->core.space, offset, buf, length, err);
}

static int core_locate(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
                       struct crimg_span *out, struct crimg_err *err)
{
	const struct core_state *s = reader->state;
	(void)err;
	return payload == 0 && corefile_space_locate(&s->core.space, offset, out) ? 1 : 0;
}

static void core_free(struct core_state *s)
{
	corefile_space_fini(&s->core.space);
	corefile_process_fini(&s->core.process);
	corefile_elf_fini(&s->core.elf);
	crimg_arena_fini(&s->core.arena);
	crimg_buf_fini(&s->entry.message);
	free(s->objects);
	free(s);
}

static void core_close(struct crimg_reader *reader)
{
	struct core_state *s = reader->state;
	crimg_source_close(s->source);
	core_free(s);
}

static int load(struct core_state *s, struct crimg_err *err)
{
	struct corefile *c = &s->core;
	size_t count = 0;
	if (corefile_elf_open(s->source, &c->elf, &c->damage, err) < 0
	    || corefile_process_load(&c->elf, &c->process, &c->damage, err) < 0
	    || corefile_space_build(&c->elf, &c->process, &c->space, &c->damage, err) < 0)
		return -1;
	c->stack = corefile_stack_find(&c->elf, &c->process, &c->space);
	for (size_t i = 0; i < COREFILE_STEPS; i++)
		count += objects_of(c, &corefile_steps[i]);
	s->objects = calloc(count, sizeof *s->objects);
	return s->objects == NULL ? crimg_fail_nomem(err, count * sizeof *s->objects) : 0;
}

static int core_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	if (in->source == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
		                  "a directory or archive found, an ELF core wanted");
	struct core_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->source = in->source;
	s->core.arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	s->core.damage = CRIMG_ERR_INIT;
	if (load(s, err) < 0) {
		core_free(s);
		return -1;
	}
	in->source = NULL;
	reader->state = s;
	return 0;
}

// Of an ELF file that is no core, our open says best what it is.
static int core_probe(const struct crimg_input *in)
{
	if (in->source == NULL || in->head_length < CRIMG_ELF_EHDR_TYPE + 2
	    || memcmp(in->head, CRIMG_ELF_MAGIC, 4) != 0)
		return 0;
	return crimg_get_u16(in->head + CRIMG_ELF_EHDR_TYPE) == CRIMG_ELF_TYPE_CORE ? 100 : 1;
}

const struct crimg_reader_driver crimg_reader_elfcore = {
	.name = "core",
	.summary = "ELF core of one process, x86-64 or i386: from the kernel, gcore or crimg",
	.keeps = "memory, registers, threads, mapped files, and every note as it is",
	.loses = "what no core holds: descriptors, handlers, timers, namespaces",
	.probe = core_probe,
	.open = core_open,
	.next = core_next,
	.read = core_read,
	.locate = core_locate,
	.close = core_close,
};
