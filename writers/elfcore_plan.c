// Goes through the areas of a task stretch by stretch.
#include "writers/elfcore_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "format/x86.h"
#include "writers/elfcore_ghost.h"

#define NOWHERE UINT64_MAX // no address to tell

// What a plan is being made of.
struct making {
	struct crimg_image *image;
	const struct crimg_files *files;
	const struct crimg_task *task;
	uint32_t core;
	struct scatter_pieces *pieces;
	struct elfcore_plan *plan;
	uint64_t room;                 // bytes that segments may take in the file
	const struct crimg_area *area; // that the last segment belongs to
	struct elfcore_ghost ghost;    // of the file that the area at hand maps
};

// Bytes that lie one behind the other in a payload.
struct origin {
	uint64_t payload, from;
};

static int check_map(const struct crimg_image_object *o, struct crimg_err *err)
{
	if (!o->sorted)
		return crimg_fail(err, CRIMG_E_FORMAT, o->origin, CRIMG_NO_OFFSET,
		                  "the entries are not in the order of their addresses");
	if (o->map->parent_pages > 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->origin, CRIMG_NO_OFFSET,
		                  "%" PRIu64 " pages are in the parent image, which cannot be "
		                  "reached through a pipe: name the image itself",
		                  o->map->parent_pages);
	return 0;
}

// Where the pages at vaddr of a page map are, and how many bytes of the wanted ones are there: 0
// when the pages object is cut short or missing.
static int find_pages(struct making *m, const struct crimg_image_object *o, uint64_t vaddr,
                      uint64_t wanted, struct origin *origin, uint64_t *held, struct crimg_err *err)
{
	const struct crimg_page_run *run = crimg_pagemap_find(o->map, vaddr);
	const struct crimg_image_object *pages =
		crimg_image_find(m->image, CRIMG_KIND_PAGES, o->map->pages_id);
	*held = 0;
	if (run == NULL || pages == NULL || pages->payload.number == CRIMG_NO_PAYLOAD)
		return 0;
	if (run->blocks > 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->origin, CRIMG_NO_OFFSET,
		                  "the pages are in LZ4 blocks, which cannot be expanded from a "
		                  "pipe: name the image itself");
	*origin = (struct origin){ pages->payload.number, run->offset + (vaddr - run->vaddr) };
	uint64_t size = pages->payload.length & ~(uint64_t)(CRIMG_PAGE_BYTES - 1);
	if (origin->from < size)
		*held = crimg_min_u64(wanted, size - origin->from);
	return 0;
}

// The same for memory that is shared: by its offset in the segment.
static int find_shared(struct making *m, const struct crimg_area *area, uint64_t vaddr,
                       uint64_t wanted, struct origin *origin, uint64_t *held,
                       struct crimg_err *err)
{
	uint64_t offset = crimg_area_offset(area, vaddr);
	if (area->segment != NULL)
		return find_pages(m, area->segment, offset, wanted, origin, held, err);
	*origin = (struct origin){ area->contents.number, offset };
	*held = wanted;
	return 0;
}

static int add_piece(struct scatter_pieces *p, const struct scatter_piece *piece,
                     struct crimg_err *err)
{
	void *array = p->list;
	struct scatter_piece *last = p->count > 0 ? &p->list[p->count - 1] : NULL;
	if (last != NULL && last->core == piece->core && !last->args && !piece->args
	    && last->payload == piece->payload && last->from + last->length == piece->from
	    && last->to + last->length == piece->to) {
		last->length += piece->length;
		return 0;
	}
	if (crimg_grow(&array, &p->capacity, p->count, sizeof *p->list, err) < 0)
		return -1;
	p->list = array;
	p->list[p->count++] = *piece;
	return 0;
}

static uint32_t segment_flags(const VmaEntry *vma)
{
	static const uint32_t flags[][2] = {
		{ CRIMG_PROT_READ, CRIMG_ELF_PF_R },
		{ CRIMG_PROT_WRITE, CRIMG_ELF_PF_W },
		{ CRIMG_PROT_EXEC, CRIMG_ELF_PF_X },
	};
	uint32_t all = 0;
	for (size_t i = 0; i < 3; i++)
		all |= (vma->prot & flags[i][0]) != 0 ? flags[i][1] : 0;
	return all;
}

// The next bytes of address space, in the segment before them if they are of the same area and
// sort.
static int extend(struct making *m, const struct crimg_area *area, uint64_t start, uint64_t bytes,
                  bool stored, struct crimg_err *err)
{
	struct elfcore_plan *plan = m->plan;
	void *array = plan->segments;
	if (stored && bytes > m->room - plan->stored_bytes)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "process %" PRIu32 " has more memory than an ELF%s core can hold",
		                  m->task->pid, plan->is32 ? "32" : "64");
	plan->stored_bytes += stored ? bytes : 0;
	if (m->area == area && plan->segments[plan->count - 1].stored == stored) {
		plan->segments[plan->count - 1].bytes += bytes;
		return 0;
	}
	if (start % CRIMG_PAGE_BYTES != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "process %" PRIu32 ": memory at 0x%" PRIx64
		                  " found, the beginning of a page wanted", m->task->pid, start);
	if (crimg_grow(&array, &plan->capacity, plan->count, sizeof *plan->segments, err) < 0)
		return -1;
	plan->segments = array;
	plan->segments[plan->count++] = (struct elfcore_segment){
		start, bytes, segment_flags(area->vma), stored,
	};
	m->area = area;
	return 0;
}

static void note_loss(uint64_t address, uint64_t bytes, uint64_t *sum, uint64_t *first)
{
	if (*sum == 0)
		*first = address;
	*sum += bytes;
}

// Memory that was never touched is a hole of the file; where even a hole does not fit, it is left
// out.
static bool must_cut(const struct making *m, const struct crimg_area *area, enum crimg_bytes kind,
                     uint64_t at, uint64_t bytes)
{
	return kind == CRIMG_BYTES_ZERO && at == area->start
	       && bytes > m->room - m->plan->stored_bytes;
}

static int count_step(struct scatter_pieces *p, struct crimg_err *err)
{
	if (p->steps++ < CRIMG_MAX_PAGE_RUNS)
		return 0;
	return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
	                  "more than %u stretches of memory", CRIMG_MAX_PAGE_RUNS);
}

// Bytes of a mapped file that was deleted and is kept in the image: from at to *end, which moves
// back to the end of the file's last page.
static int place_ghost(struct making *m, const struct crimg_area *area, uint64_t at, uint64_t *end,
                       struct crimg_err *err)
{
	uint64_t offset = crimg_area_offset(area, at), rounded = 0;
	struct scatter_piece piece = { .core = m->core };
	struct elfcore_extent extent;
	int rc;
	if (crimg_add_u64(m->ghost.size, CRIMG_PAGE_BYTES - 1, &rounded))
		rounded &= ~(uint64_t)(CRIMG_PAGE_BYTES - 1);
	if (offset >= rounded)
		return extend(m, area, at, *end - at, false, err);
	uint64_t length = crimg_min_u64(*end - at, rounded - offset), base = m->plan->stored_bytes;
	*end = at + length;
	if (extend(m, area, at, length, true, err) < 0)
		return -1;
	m->ghost.entry = 0;
	while ((rc = elfcore_ghost_next(m->image, &m->ghost, &extent, err)) > 0) {
		if (count_step(m->pieces, err) < 0)
			return -1;
		uint64_t from = extent.offset > offset ? extent.offset : offset;
		uint64_t to = offset + length;
		if (extent.length < to - crimg_min_u64(extent.offset, to))
			to = extent.offset + extent.length;
		if (extent.offset >= offset + length || to <= from)
			continue;
		piece.payload = extent.payload;
		piece.from = from - extent.offset;
		piece.length = to - from;
		piece.to = base + (from - offset);
		if (add_piece(m->pieces, &piece, err) < 0)
			return -1;
	}
	return rc;
}

// What is left of a file in an area that was not dumped (gdb's cores) has a row of NT_FILE and no
// segment, as it had: gdb takes a segment without bytes for zeros where it has not the file.
static bool is_left_out(const struct crimg_area *area, enum crimg_bytes kind)
{
	return kind == CRIMG_BYTES_FILE && (area->vma->status & CRIMG_VMA_REGULAR) == 0;
}

// One stretch of one kind, from at to *end, which moves back when only a part of it is there.
static int place(struct making *m, const struct crimg_area *area, enum crimg_bytes kind,
                 uint64_t at, uint64_t *end, struct crimg_err *err)
{
	struct origin origin = { CRIMG_NO_PAYLOAD, 0 };
	uint64_t bytes = *end - at, held = bytes;
	bool has_bytes = kind == CRIMG_BYTES_PRIVATE || kind == CRIMG_BYTES_SEGMENT;
	if (kind == CRIMG_BYTES_FILE && m->ghost.object != NULL)
		return place_ghost(m, area, at, end, err);
	if (is_left_out(area, kind)) {
		m->area = NULL;
		return 0;
	}
	if (kind == CRIMG_BYTES_PRIVATE
	    && find_pages(m, m->task->pagemap, at, bytes, &origin, &held, err) < 0)
		return -1;
	if (kind == CRIMG_BYTES_SEGMENT
	    && find_shared(m, area, at, bytes, &origin, &held, err) < 0)
		return -1;
	bool lost = kind == CRIMG_BYTES_LOST || held == 0;
	bool cut = !lost && must_cut(m, area, kind, at, bytes);
	if (held > 0 && held < bytes)
		*end = at + (bytes = held);
	if (kind == CRIMG_BYTES_PRIVATE)
		m->plan->own_bytes += bytes;
	if (lost)
		note_loss(at, bytes, &m->plan->lost_bytes, &m->plan->lost_at);
	if (cut)
		note_loss(at, bytes, &m->plan->cut_bytes, &m->plan->cut_at);
	struct scatter_piece piece = {
		.payload = origin.payload, .from = origin.from, .length = bytes,
		.to = m->plan->stored_bytes, .core = m->core,
	};
	bool stored = !lost && !cut && (has_bytes || kind == CRIMG_BYTES_ZERO);
	if (extend(m, area, at, bytes, stored, err) < 0)
		return -1;
	return has_bytes && !lost ? add_piece(m->pieces, &piece, err) : 0;
}

static int plan_area(struct making *m, const struct crimg_area *area, struct crimg_err *err)
{
	const uint64_t end = area->end;
	if (m->plan->is32 && end > UINT32_MAX + UINT64_C(1))
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "process %" PRIu32 ": memory up to 0x%" PRIx64
		                  " found, at most 4 GiB of a 32-bit process wanted", m->task->pid,
		                  end);
	if (area->segment != NULL && check_map(area->segment, err) < 0)
		return -1;
	if (elfcore_ghost_find(m->image, m->files, area, &m->ghost, err) < 0)
		return -1;
	for (uint64_t at = area->start; at < end;) {
		enum crimg_bytes kind;
		uint64_t until;
		if (count_step(m->pieces, err) < 0
		    || crimg_space_bytes(&m->plan->space, at, &kind, &until, err) < 0
		    || place(m, area, kind, at, &until, err) < 0)
			return -1;
		at = until;
	}
	return 0;
}

static int plan_areas(struct making *m, struct crimg_err *err)
{
	const struct crimg_space *space = &m->plan->space;
	for (size_t i = 0; i < space->count; i++)
		if (plan_area(m, &space->areas[i], err) < 0)
			return -1;
	return 0;
}

// The first bytes of the arguments, as many as the note takes (the kernel keeps one for a NUL).
static int plan_args(struct making *m, struct crimg_err *err)
{
	const MmEntry *mm = m->task->mm;
	if (mm->mm_arg_end <= mm->mm_arg_start || m->task->pagemap == NULL)
		return 0;
	uint64_t wanted =
		crimg_min_u64(mm->mm_arg_end - mm->mm_arg_start, CRIMG_PRPSINFO_ARGS_BYTES - 1);
	for (uint64_t done = 0; done < wanted;) {
		uint64_t at = mm->mm_arg_start + done, end, held;
		enum crimg_bytes kind;
		struct origin origin = { CRIMG_NO_PAYLOAD, 0 };
		if (crimg_space_bytes(&m->plan->space, at, &kind, &end, err) < 0)
			return -1;
		if (kind != CRIMG_BYTES_PRIVATE)
			return 0;
		end = crimg_min_u64(end, at + (wanted - done));
		if (find_pages(m, m->task->pagemap, at, end - at, &origin, &held, err) < 0)
			return -1;
		struct scatter_piece piece = {
			origin.payload, origin.from, held, done, m->core, true,
		};
		if (held == 0 || add_piece(m->pieces, &piece, err) < 0)
			return held == 0 ? 0 : -1;
		done += held;
		m->plan->args_length = (uint32_t)done;
	}
	return 0;
}

static bool task_is_32(const struct crimg_task *task)
{
	const CoreEntry *core = task->core;
	return core != NULL && core->thread_info != NULL
	       && crimg_x86_is_32(core->thread_info->gpregs);
}

int elfcore_plan_make(struct crimg_image *image, const struct crimg_files *files,
                      const struct crimg_task *task, uint32_t core, struct scatter_pieces *pieces,
                      struct elfcore_plan *out, struct crimg_err *err)
{
	*out = (struct elfcore_plan){ .is32 = task_is_32(task) };
	struct making m = {
		.image = image, .files = files, .task = task, .core = core, .pieces = pieces,
		.plan = out,
		.room = (out->is32 ? UINT32_MAX : (uint64_t)INT64_MAX) - ELFCORE_FRONT_BYTES,
	};
	if (crimg_space_load(image, files, task, &out->space, err) < 0)
		return -1;
	if (task->pagemap != NULL && check_map(task->pagemap, err) < 0)
		return -1;
	return plan_areas(&m, err) < 0 ? -1 : plan_args(&m, err);
}

void elfcore_plan_fini(struct elfcore_plan *plan)
{
	crimg_space_fini(&plan->space);
	free(plan->segments);
	*plan = (struct elfcore_plan){ .count = 0 };
}

static int tell(const struct elfcore_plan *plan, struct crimg_ledger *ledger, uint64_t bytes,
                uint64_t first, const char *why, struct crimg_err *err)
{
	char object[CRIMG_FILE_NAME_MAX], what[160], place[48] = "";
	if (bytes == 0)
		return 0;
	if (first != NOWHERE)
		snprintf(place, sizeof place, ", the first at 0x%" PRIx64, first);
	crimg_kind_file(CRIMG_KIND_PAGEMAP, plan->space.task->pid, object);
	snprintf(what, sizeof what, "%" PRIu64 " pages left out%s: %s", bytes / CRIMG_PAGE_BYTES,
	         place, why);
	return crimg_ledger_add(ledger, object, "", what, err);
}

int elfcore_plan_losses(const struct elfcore_plan *plan, struct crimg_ledger *ledger,
                        struct crimg_err *err)
{
	const struct crimg_image_object *map = plan->space.task->pagemap;
	uint64_t own = map != NULL ? map->map->present_pages * CRIMG_PAGE_BYTES : 0;
	if (tell(plan, ledger, plan->lost_bytes, plan->lost_at,
	         "their contents are not in the image", err) < 0
	    || tell(plan, ledger, plan->cut_bytes, plan->cut_at,
	            "never touched, and the file would be too large", err) < 0)
		return -1;
	return tell(plan, ledger, own > plan->own_bytes ? own - plan->own_bytes : 0, NOWHERE,
	            "they are in no area of the process's memory", err);
}
