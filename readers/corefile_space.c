// Segments, cut where mapped files begin and end, to areas and runs of pages.
#include "readers/corefile_space.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "format/search.h"
#include "format/space.h"
#include "readers/corefile_modules.h"

#define PAGE ((uint64_t)CRIMG_PAGE_BYTES)
#define VSYSCALL_ADDRESS 0xffffffffff600000u // x86-64
#define VVAR_BYTES_MAX (16 * PAGE)           // right below the vDSO
#define HOLES_MAX (4u << 20) // runs; in a file of more pieces the remaining holes are read as zeros

struct builder {
	const struct corefile_elf *elf;
	const struct corefile_process *process;
	struct corefile_space space;
	uint64_t vdso;  // its address, or 0
	uint64_t stack; // an address in the stack, or 0
	size_t mapping; // the first that does not end before what is built
	// What was last found out of holes: [from, to) of the file.
	uint64_t from, to;
	bool hole;
	uint64_t bytes; // of the file, that segments hold so far
	struct crimg_err *damage, *err;
};

static uint64_t page_up(uint64_t bytes)
{
	return bytes > UINT64_MAX - PAGE ? UINT64_MAX / PAGE * PAGE
	                                 : (bytes + PAGE - 1) / PAGE * PAGE;
}

uint32_t corefile_prot(uint32_t flags)
{
	return ((flags & CRIMG_ELF_PF_R) != 0 ? CRIMG_PROT_READ : 0u)
	       | ((flags & CRIMG_ELF_PF_W) != 0 ? CRIMG_PROT_WRITE : 0u)
	       | ((flags & CRIMG_ELF_PF_X) != 0 ? CRIMG_PROT_EXEC : 0u);
}

static uint32_t status_of(const struct builder *b, const struct corefile_area *a)
{
	if (a->mapping != 0) // regular: dumped
		return (a->no_segment ? 0 : CRIMG_VMA_REGULAR) | CRIMG_VMA_FILE_PRIVATE;
	if (a->start == VSYSCALL_ADDRESS)
		return CRIMG_VMA_VSYSCALL | CRIMG_VMA_ANON_PRIVATE;
	uint32_t status = CRIMG_VMA_REGULAR | CRIMG_VMA_ANON_PRIVATE;
	if (a->start <= b->vdso && b->vdso < a->end)
		return status | CRIMG_VMA_VDSO;
	if (a->end <= b->vdso && b->vdso - a->start <= VVAR_BYTES_MAX && a->prot == CRIMG_PROT_READ)
		return status | CRIMG_VMA_VVAR;
	return status;
}

static uint32_t flags_of(const struct builder *b, const struct corefile_area *a)
{
	if (a->mapping != 0)
		return CRIMG_MAP_PRIVATE;
	bool stack = a->start <= b->stack && b->stack < a->end;
	return CRIMG_MAP_PRIVATE | CRIMG_MAP_ANONYMOUS | (stack ? CRIMG_MAP_GROWSDOWN : 0u);
}

// One mapping may be dumped as several segments.
static bool continues(const struct corefile_area *a, const struct corefile_area *next)
{
	return a->end == next->start && a->prot == next->prot && a->mapping == next->mapping
	       && a->no_segment == next->no_segment && a->status == next->status
	       && next->mapping != 0;
}

static int add_area(struct builder *b, struct corefile_area area)
{
	struct corefile_space *s = &b->space;
	area.status = status_of(b, &area);
	area.flags = flags_of(b, &area);
	if (s->count > 0 && continues(&s->areas[s->count - 1], &area)) {
		s->areas[s->count - 1].end = area.end;
		return 0;
	}
	if (s->count >= CRIMG_MAX_SEGMENTS)
		return crimg_fail(b->err, CRIMG_E_LIMIT, b->elf->source->name, CRIMG_NO_OFFSET,
		                  "more than %u areas of memory", CRIMG_MAX_SEGMENTS);
	void *array = s->areas;
	if (crimg_grow(&array, &s->capacity, s->count, sizeof *s->areas, b->err) < 0)
		return -1;
	s->areas = array;
	s->areas[s->count++] = area;
	return 0;
}

// Makes area that of the mapping at its start, or of none, and cuts it where that changes.
static void cut_at_mapping(struct builder *b, struct corefile_area *area)
{
	const struct corefile_process *p = b->process;
	while (b->mapping < p->mapping_count && p->mappings[b->mapping].end <= area->start)
		b->mapping++;
	if (b->mapping == p->mapping_count)
		return;
	const struct corefile_mapping *m = &p->mappings[b->mapping];
	if (m->start > area->start) {
		area->end = crimg_min_u64(area->end, m->start);
		return;
	}
	area->end = crimg_min_u64(area->end, m->end);
	area->mapping = b->mapping + 1;
	area->file = m->file;
	area->offset = m->offset + (area->start - m->start);
}

static int add_run(struct builder *b, struct corefile_run run)
{
	struct corefile_space *s = &b->space;
	struct corefile_run *last = s->run_count > 0 ? &s->runs[s->run_count - 1] : NULL;
	run.payload = s->payload_bytes;
	if (run.kind != COREFILE_RUN_LOST
	    && !crimg_add_u64(s->payload_bytes, run.length, &s->payload_bytes))
		return crimg_fail(b->err, CRIMG_E_FORMAT, b->elf->source->name, CRIMG_NO_OFFSET,
		                  "more pages than 64 bits can count");
	if (last != NULL && last->kind == run.kind && last->start + last->length == run.start
	    && (run.kind != COREFILE_RUN_BYTES
	        || (last->bytes == last->length && last->offset + last->bytes == run.offset))) {
		last->length += run.length;
		last->bytes += run.bytes;
		return 0;
	}
	void *array = s->runs;
	if (crimg_grow(&array, &s->run_capacity, s->run_count, sizeof *s->runs, b->err) < 0)
		return -1;
	s->runs = array;
	s->runs[s->run_count++] = run;
	return 0;
}

// How many bytes at offset, of at most length, are all in a hole or all not.
static uint64_t extent(struct builder *b, uint64_t offset, uint64_t length, bool *hole)
{
	*hole = false;
	if (b->space.run_count >= HOLES_MAX)
		return length;
	if (offset < b->from || offset >= b->to) {
		b->from = offset;
		crimg_source_extent(b->elf->source, offset, &b->hole, &b->to);
	}
	*hole = b->hole;
	return crimg_min_u64(length, b->to - offset);
}

// Only anonymous memory is zero where it has no page: there the zeros of a hole need none.
static bool untouched_is_zero(const struct builder *b, const struct corefile_area *area)
{
	const uint32_t kernel = CRIMG_VMA_VVAR | CRIMG_VMA_VDSO | CRIMG_VMA_VSYSCALL;
	return area->mapping == 0
	       && (b->space.areas[b->space.count - 1].status & kernel) == 0;
}

// Pages whose bytes the file holds: `bytes` at offset for memory from start on.
static int add_present(struct builder *b, const struct corefile_area *area, uint64_t start,
                       uint64_t offset, uint64_t bytes)
{
	while (bytes > 0) {
		bool hole;
		uint64_t same = extent(b, offset, bytes, &hole);
		// A page of which the hole has only a part is data.
		if (hole && same < bytes && same % PAGE != 0) {
			hole = same >= PAGE;
			same = hole ? same / PAGE * PAGE : PAGE;
		}
		same = same < bytes ? crimg_min_u64(page_up(same), bytes) : bytes;
		struct corefile_run run = {
			.start = start, .length = page_up(same), .offset = offset, .bytes = same
		};
		if (hole)
			run = (struct corefile_run){ .kind = COREFILE_RUN_ZERO,
				                     .start = start,
				                     .length = run.length };
		if ((!hole || !untouched_is_zero(b, area)) && add_run(b, run) < 0)
			return -1;
		start += run.length;
		offset += same;
		bytes -= same;
	}
	return 0;
}

static int add_lost(struct builder *b, uint64_t start, uint64_t end)
{
	if (start >= end)
		return 0;
	return add_run(b, (struct corefile_run){ .kind = COREFILE_RUN_LOST,
	                                         .start = start,
	                                         .length = end - start });
}

// Bytes of a segment that are in the file: all, or whole pages before the end of a file that is
// cut.
static uint64_t bytes_there(struct builder *b, const struct corefile_segment *s)
{
	const struct crimg_source *source = b->elf->source;
	uint64_t there = s->offset < source->size ? source->size - s->offset : 0;
	if (there >= s->bytes)
		return s->bytes;
	crimg_fail(b->damage, CRIMG_E_FORMAT, source->name, s->offset,
	           "the file ends: %llu bytes of the memory at 0x%llx found, %llu wanted",
	           (unsigned long long)there, (unsigned long long)s->start,
	           (unsigned long long)s->bytes);
	return there / PAGE * PAGE;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : crimg_min_u64(value, high);
}

// The pages of an area that is part of segment s; there: bytes of s that the file holds.
static int add_pages(struct builder *b, const struct corefile_segment *s, uint64_t there,
                     const struct corefile_area *area)
{
	uint64_t from = area->start - s->start, to = area->end - s->start;
	uint64_t held = clamp(page_up(there), from, to), dumped = clamp(page_up(s->bytes), from, to);
	uint64_t bytes = held > from ? crimg_min_u64(there, to) - from : 0;
	if (add_present(b, area, area->start, s->offset + from, bytes) < 0
	    || add_lost(b, s->start + held, s->start + dumped) < 0)
		return -1;
	// What was never dumped: of a file it is still in the file; of the kernel nobody has it.
	const struct corefile_area *last = &b->space.areas[b->space.count - 1];
	if (area->mapping != 0 || (last->status & (CRIMG_VMA_VVAR | CRIMG_VMA_VSYSCALL)) != 0)
		return 0;
	return add_lost(b, s->start + dumped, area->end);
}

static int add_segment(struct builder *b, const struct corefile_segment *s)
{
	uint64_t there = bytes_there(b, s);
	// Else a small file could stand for any amount of memory.
	if (there > b->elf->source->size - b->bytes)
		return crimg_fail(
			b->err, CRIMG_E_FORMAT, b->elf->source->name,
			corefile_row_offset(b->elf, s->row),
			"segments that share their bytes: more of them than the file has");
	b->bytes += there;
	for (uint64_t at = s->start; at < s->end;) {
		struct corefile_area area = { .start = at,
			                      .end = s->end,
			                      .prot = corefile_prot(s->flags) };
		cut_at_mapping(b, &area);
		if (add_area(b, area) < 0 || add_pages(b, s, there, &area) < 0)
			return -1;
		at = area.end;
	}
	return 0;
}

// gdb leaves out areas that are still equal to their files; NT_FILE has them.
static int add_gap(struct builder *b, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct corefile_area area = {
			.start = start, .end = end, .prot = CRIMG_PROT_READ, .no_segment = true
		};
		cut_at_mapping(b, &area);
		if (area.mapping != 0 && add_area(b, area) < 0)
			return -1;
		start = area.end;
	}
	return 0;
}

static int build(struct builder *b)
{
	uint64_t at = 0;
	for (size_t i = 0; i < b->elf->count; i++) {
		const struct corefile_segment *s = &b->elf->segments[i];
		if (add_gap(b, at, s->start) < 0 || add_segment(b, s) < 0)
			return -1;
		at = s->end;
	}
	if (add_gap(b, at, UINT64_MAX) < 0)
		return -1;
	corefile_modules_protect(b->elf, &b->space);
	return 0;
}

int corefile_space_build(const struct corefile_elf *elf, const struct corefile_process *process,
                         struct corefile_space *out, struct crimg_err *damage,
                         struct crimg_err *err)
{
	struct builder b = { .elf = elf,
		             .process = process,
		             .damage = damage,
		             .err = err,
		             .space = { .source = elf->source } };
	if (!corefile_auxv(elf, process, CRIMG_AT_SYSINFO_EHDR, &b.vdso))
		b.vdso = 0;
	if (!corefile_auxv(elf, process, CRIMG_AT_RANDOM, &b.stack)
	    && !corefile_auxv(elf, process, CRIMG_AT_EXECFN, &b.stack))
		b.stack = 0;
	if (build(&b) < 0) {
		corefile_space_fini(&b.space);
		return -1;
	}
	*out = b.space;
	return 0;
}

void corefile_space_fini(struct corefile_space *space)
{
	free(space->areas);
	free(space->runs);
	*space = (struct corefile_space){ .source = NULL };
}

// Bytes [at, at + length) of a run.
static int read_run(const struct corefile_space *space, const struct corefile_run *run, uint64_t at,
                    uint8_t *buf, size_t length, struct crimg_err *err)
{
	size_t there = run->kind == COREFILE_RUN_BYTES && at < run->bytes
	                       ? (size_t)crimg_min_u64(length, run->bytes - at)
	                       : 0;
	memset(buf + there, 0, length - there);
	return there == 0
	               ? 0
	               : crimg_source_read_exact(space->source, run->offset + at, buf, there, err);
}

// The run behind the last that begins at or before place; by_payload: place is in the pages object.
static size_t runs_until(const struct corefile_space *space, uint64_t place, bool by_payload)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, space->run_count,
	                   (by_payload ? space->runs[low].payload : space->runs[low].start) <= place);
	return low;
}

int corefile_space_payload(const struct corefile_space *space, uint64_t offset, void *buf,
                           size_t length, struct crimg_err *err)
{
	uint8_t *out = buf;
	if (!crimg_in_range(offset, length, space->payload_bytes))
		return crimg_fail(err, CRIMG_E_USAGE, space->source->name, CRIMG_NO_OFFSET,
		                  "the memory in it has no %zu bytes at %llu", length,
		                  (unsigned long long)offset);
	if (length == 0)
		return 0;
	// Lost runs begin where the next one with bytes begins: the search finds the last of those.
	size_t i = runs_until(space, offset, true) - 1;
	while (length > 0) {
		const struct corefile_run *run = &space->runs[i++];
		uint64_t end = run->payload + (run->kind == COREFILE_RUN_LOST ? 0 : run->length);
		if (end <= offset)
			continue;
		size_t n = (size_t)crimg_min_u64(length, end - offset);
		if (read_run(space, run, offset - run->payload, out, n, err) < 0)
			return -1;
		out += n;
		offset += n;
		length -= n;
	}
	return 0;
}

bool corefile_space_locate(const struct corefile_space *space, uint64_t offset,
                           struct crimg_span *out)
{
	if (offset >= space->payload_bytes)
		return false;
	const struct corefile_run *run = &space->runs[runs_until(space, offset, true) - 1];
	uint64_t into = offset - run->payload;
	if (run->kind != COREFILE_RUN_BYTES || into >= run->bytes)
		return false;
	*out = (struct crimg_span){ space->source, run->offset + into, run->bytes - into };
	return true;
}

bool corefile_space_read(const struct corefile_space *space, uint64_t address, void *buf,
                         size_t length)
{
	uint8_t *out = buf;
	while (length > 0) {
		size_t n = runs_until(space, address, false);
		const struct corefile_run *run = n > 0 ? &space->runs[n - 1] : NULL;
		if (run == NULL || run->kind == COREFILE_RUN_LOST
		    || address - run->start >= run->length)
			return false;
		uint64_t at = address - run->start;
		size_t piece = (size_t)crimg_min_u64(length, run->length - at);
		if (read_run(space, run, at, out, piece, NULL) < 0)
			return false;
		out += piece;
		address += piece;
		length -= piece;
	}
	return true;
}

const struct corefile_area *corefile_space_area(const struct corefile_space *space,
                                                uint64_t address)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, space->count, space->areas[low].start <= address);
	return low > 0 && space->areas[low - 1].end > address ? &space->areas[low - 1] : NULL;
}
