// The ELF core writer: records to one core a process. Gathers the metadata that cores need, plans
// all cores when the first contents come, and lets every piece of contents fall to its places.
// Knows the file's frame; its plan, notes and contents have files of their own. Source: SPEC.md,
// chapter "ELF cores".
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "format/output.h"
#include "writers/elfcore_choice.h"
#include "writers/elfcore_notes.h"
#include "writers/elfcore_plan.h"
#include "writers/scatter.h"
#include "writers/writers.h"

struct core_writer {
	struct crimg_output *output;
	struct crimg_writer_options options;
	struct crimg_image *image;         // index of what cores are made of
	bool taking;                       // the object that came last is part of it
	uint64_t seen[CRIMG_KIND_COUNT];   // objects
	struct crimg_tasks tasks;
	struct crimg_files files;
	bool planned;
	struct elfcore_plan *plans;
	struct scatter_file *cores;
	size_t count;
	struct scatter scatter;
};

static struct elfcore_process process_of(const struct core_writer *w, const struct elfcore_plan *p)
{
	return (struct elfcore_process){ w->image, &w->files, p->space.task, &p->space, p->is32 };
}

// The places of everything in one file.
struct frame {
	bool is32, extended;    // extended: the count of segments is in section 0
	uint32_t header_bytes, entry_bytes, section_bytes;
	uint64_t segments;      // PT_NOTE among them
	uint64_t section_at;    // 0: none
	uint64_t notes_at, notes_bytes, data_at;
};

static struct frame frame_of(const struct elfcore_plan *plan, uint64_t notes_bytes)
{
	struct frame f = {
		.is32 = plan->is32,
		.header_bytes = plan->is32 ? CRIMG_ELF32_EHDR_BYTES : CRIMG_ELF64_EHDR_BYTES,
		.entry_bytes = plan->is32 ? CRIMG_ELF32_PHDR_BYTES : CRIMG_ELF64_PHDR_BYTES,
		.segments = (uint64_t)plan->count + 1, .notes_bytes = notes_bytes,
	};
	f.extended = f.segments >= CRIMG_ELF_PN_XNUM;
	f.notes_at = f.header_bytes + f.segments * f.entry_bytes;
	if (f.extended) {
		f.section_bytes = plan->is32 ? CRIMG_ELF32_SHDR_BYTES : CRIMG_ELF64_SHDR_BYTES;
		f.section_at = (f.notes_at + 7) & ~UINT64_C(7);
		f.notes_at = f.section_at + f.section_bytes;
	}
	f.data_at = (f.notes_at + notes_bytes + CRIMG_PAGE_BYTES - 1)
		& ~(uint64_t)(CRIMG_PAGE_BYTES - 1);
	return f;
}

// Fields of a header one after the other; `word` has the size of an address.
struct fields {
	uint8_t bytes[CRIMG_ELF64_EHDR_BYTES];
	size_t length;
	bool is32;
};

static void u16(struct fields *f, uint32_t value)
{
	crimg_put_u16(f->bytes + f->length, (uint16_t)value);
	f->length += 2;
}

static void u32(struct fields *f, uint64_t value)
{
	crimg_put_u32(f->bytes + f->length, (uint32_t)value);
	f->length += 4;
}

static void word(struct fields *f, uint64_t value)
{
	if (f->is32) {
		u32(f, value);
		return;
	}
	crimg_put_u64(f->bytes + f->length, value);
	f->length += 8;
}

static int put_header(struct crimg_sink *sink, const struct frame *f, struct crimg_err *err)
{
	struct fields h = { .bytes = CRIMG_ELF_MAGIC, .is32 = f->is32 };
	h.bytes[4] = f->is32 ? CRIMG_ELF_CLASS32 : CRIMG_ELF_CLASS64;
	h.bytes[5] = CRIMG_ELF_LITTLE;
	h.bytes[6] = 1; // version
	h.length = 16;
	u16(&h, CRIMG_ELF_TYPE_CORE);
	u16(&h, f->is32 ? CRIMG_ELF_MACHINE_386 : CRIMG_ELF_MACHINE_X86_64);
	u32(&h, 1); // version
	word(&h, 0); // entry point
	word(&h, f->header_bytes);
	word(&h, f->section_at);
	u32(&h, 0); // flags
	u16(&h, f->header_bytes);
	u16(&h, f->entry_bytes);
	u16(&h, f->extended ? CRIMG_ELF_PN_XNUM : (uint32_t)f->segments);
	u16(&h, f->section_bytes);
	u16(&h, f->extended); // sections
	u16(&h, 0);           // section with names
	return crimg_sink_append(sink, h.bytes, h.length, err);
}

struct entry {
	uint32_t type, flags;
	uint64_t offset, address, in_file, in_memory, alignment;
};

static int put_entry(struct crimg_sink *sink, bool is32, const struct entry *e,
                     struct crimg_err *err)
{
	struct fields p = { .is32 = is32 };
	u32(&p, e->type);
	if (!is32)
		u32(&p, e->flags);
	word(&p, e->offset);
	word(&p, e->address);
	word(&p, 0); // physical address
	word(&p, e->in_file);
	word(&p, e->in_memory);
	if (is32)
		u32(&p, e->flags);
	word(&p, e->alignment);
	return crimg_sink_append(sink, p.bytes, p.length, err);
}

static int put_entries(struct crimg_sink *sink, const struct elfcore_plan *plan,
                       const struct frame *f, struct crimg_err *err)
{
	uint64_t offset = f->data_at;
	struct entry notes = { CRIMG_ELF_PT_NOTE, 0, f->notes_at, 0, f->notes_bytes, 0, 4 };
	if (put_entry(sink, f->is32, &notes, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->count; i++) {
		const struct elfcore_segment *s = &plan->segments[i];
		uint64_t stored = s->stored ? s->bytes : 0;
		struct entry load = {
			CRIMG_ELF_PT_LOAD, s->flags, offset, s->start, stored, s->bytes,
			CRIMG_PAGE_BYTES,
		};
		if (put_entry(sink, f->is32, &load, err) < 0)
			return -1;
		offset += stored;
	}
	return 0;
}

// Section 0 holds nothing but the number of segments that the header has no room for.
static int put_section(struct crimg_sink *sink, const struct frame *f, struct crimg_err *err)
{
	uint8_t section[CRIMG_ELF64_SHDR_BYTES] = { 0 };
	if (!f->extended)
		return 0;
	if (f->is32) {
		crimg_put_u32(section + 20, 1);
		crimg_put_u32(section + 28, (uint32_t)f->segments);
	} else {
		crimg_put_u64(section + 32, 1);
		crimg_put_u32(section + 44, (uint32_t)f->segments);
	}
	return crimg_sink_write(sink, f->section_at, section, f->section_bytes, err);
}

// Notes are made twice, here and in open_core(): cheaper than to hold those of all processes.
static int measure_core(struct core_writer *w, size_t i, struct crimg_err *err)
{
	const struct elfcore_plan *plan = &w->plans[i];
	struct elfcore_process process = process_of(w, plan);
	struct crimg_buf notes = CRIMG_BUF_INIT;
	size_t args;
	int rc = elfcore_notes_make(&process, &notes, &args, err);
	struct frame f = frame_of(plan, notes.length);
	uint64_t limit = plan->is32 ? UINT32_MAX : (uint64_t)INT64_MAX;
	crimg_buf_fini(&notes);
	if (rc == 0 && (plan->stored_bytes > limit || f.data_at > limit - plan->stored_bytes))
		rc = crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                "process %" PRIu32 " has more memory than an ELF%s core can hold",
		                plan->space.task->pid, plan->is32 ? "32" : "64");
	w->cores[i] = (struct scatter_file){ .data_at = f.data_at,
		                             .size = f.data_at + plan->stored_bytes };
	if (rc == 0 && args != ELFCORE_NO_ARGS && plan->args_length > 0) {
		w->cores[i].args_at = f.notes_at + args;
		w->cores[i].args_length = plan->args_length;
	}
	return rc;
}

static int put_front(struct crimg_sink *sink, const struct elfcore_plan *plan,
                     const struct crimg_buf *notes, struct crimg_err *err)
{
	struct frame f = frame_of(plan, notes->length);
	if (put_header(sink, &f, err) < 0 || put_entries(sink, plan, &f, err) < 0
	    || put_section(sink, &f, err) < 0)
		return -1;
	return crimg_sink_write(sink, f.notes_at, notes->data, notes->length, err);
}

// Creates the file of a core and writes all that is not memory.
static int open_core(void *context, size_t i, struct crimg_sink *sink, struct crimg_err *err)
{
	struct core_writer *w = context;
	struct elfcore_process process = process_of(w, &w->plans[i]);
	struct crimg_buf notes = CRIMG_BUF_INIT;
	char name[32] = "";
	size_t args;
	if (w->options.members)
		snprintf(name, sizeof name, "core.%" PRIu32, process.task->pid);
	int rc = elfcore_notes_make(&process, &notes, &args, err);
	if (rc == 0)
		rc = crimg_sink_create(w->output, name, w->cores[i].size, sink, err);
	if (rc == 0)
		rc = put_front(sink, &w->plans[i], &notes, err);
	crimg_buf_fini(&notes);
	return rc;
}

static int plan_one(struct core_writer *w, const struct crimg_task *task, struct crimg_err *err)
{
	struct elfcore_plan *plan = &w->plans[w->count];
	uint32_t core = (uint32_t)w->count;
	if (elfcore_check_task(task, err) < 0)
		return -1;
	w->count++; // from here on there is something to free
	if (elfcore_plan_make(w->image, &w->files, task, core, &w->scatter.pieces, plan, err) < 0
	    || measure_core(w, core, err) < 0)
		return -1;
	if (w->options.ledger == NULL)
		return 0;
	if (elfcore_tell_task(task, w->options.ledger, err) < 0)
		return -1;
	return elfcore_plan_losses(plan, w->options.ledger, err);
}

static int plan_all(struct core_writer *w, struct crimg_err *err)
{
	size_t count;
	crimg_image_seal(w->image);
	if (crimg_tasks_load(w->image, &w->tasks, err) < 0
	    || crimg_files_load(w->image, &w->files, err) < 0
	    || elfcore_check_choice(&w->tasks, &w->options, &count, err) < 0)
		return -1;
	w->plans = calloc(count, sizeof *w->plans);
	w->cores = calloc(count, sizeof *w->cores);
	if (w->plans == NULL || w->cores == NULL)
		return crimg_fail_nomem(err, count * sizeof *w->plans);
	for (size_t i = 0; i < w->tasks.count; i++)
		if (elfcore_is_chosen(&w->tasks.list[i], &w->options)
		    && plan_one(w, &w->tasks.list[i], err) < 0)
			return -1;
	if (w->options.ledger != NULL
	    && elfcore_tell_rest(w->seen, &w->tasks, &w->options, w->options.ledger, err) < 0)
		return -1;
	w->planned = true;
	scatter_begin(&w->scatter, w->cores, w->count, open_core, w);
	return 0;
}

static int core_put(struct crimg_writer *writer, const struct crimg_record *r,
                    struct crimg_err *err)
{
	struct core_writer *w = writer->state;
	if (r->type == CRIMG_RECORD_CONTENT) {
		if (!w->planned && plan_all(w, err) < 0)
			return -1;
		return scatter_put(&w->scatter, r, err);
	}
	if (r->type == CRIMG_RECORD_OBJECT) {
		w->seen[r->object->kind]++;
		w->taking = elfcore_wants(r->object);
	}
	return w->taking ? crimg_image_put(w->image, r, err) : 0;
}

static int core_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct core_writer *w = writer->state;
	if (!w->planned && plan_all(w, err) < 0)
		return -1;
	return scatter_end(&w->scatter, err);
}

static void core_close(struct crimg_writer *writer)
{
	struct core_writer *w = writer->state;
	scatter_fini(&w->scatter);
	for (size_t i = 0; w->plans != NULL && i < w->count; i++)
		elfcore_plan_fini(&w->plans[i]);
	free(w->plans);
	free(w->cores);
	crimg_tasks_fini(&w->tasks);
	crimg_files_fini(&w->files);
	crimg_image_close(w->image);
	free(w);
}

static int core_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
                     struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "one file of an image found, a whole image wanted for a core");
	if (!writer->output->at_offsets)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, writer->output->path, CRIMG_NO_OFFSET,
		                  "a core has holes and is not written in order: a file is wanted");
	if (options->compress != NULL && strcmp(options->compress, "none") != 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "a core is not compressed: --compress=%s cannot be kept",
		                  options->compress);
	struct core_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	w->output = writer->output;
	w->options = *options;
	if (crimg_image_make("", &w->image, err) < 0) {
		free(w);
		return -1;
	}
	writer->state = w;
	return 0;
}

static const char *const suffixes[] = { ".core", NULL };

const struct crimg_writer_driver crimg_writer_core = {
	.name = "core",
	.suffixes = suffixes,
	.single = true,
	.per_process = true,
	.whole_pages = true,
	.open = core_open,
	.put = core_put,
	.finish = core_finish,
	.close = core_close,
};
