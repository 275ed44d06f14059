// The meaning of page maps: runs that a restore can follow, and mappings for all of them. That the pages
// are there is the image pass's.
#include <inttypes.h>

#include "format/checked.h"
#include "format/limits.h"
#include "validate/meaning.h"

#define PE_KNOWN (CRIMG_PE_PARENT | CRIMG_PE_LAZY | CRIMG_PE_PRESENT | CRIMG_PE_ALIGNED)

// Cores of ELF, which have no ids, note so what the kernel left out of them.
static void check_flags(struct crimg_checker *c, const struct crimg_place *p, size_t entry,
                        const struct crimg_page_run *run)
{
	uint32_t source = run->flags & (CRIMG_PE_PARENT | CRIMG_PE_PRESENT);
	if (source == (CRIMG_PE_PARENT | CRIMG_PE_PRESENT))
		CRIMG_FIND(c, PAGE_FLAGS, p, "entry %zu: 0x%x found, here (4) or in the parent (1) wanted",
		           entry, run->flags);
	else if (source == 0 && (run->flags & CRIMG_PE_LAZY) == 0)
		CRIMG_FIND(c, PAGE_FLAGS, p, "entry %zu: 0x%x found: its pages are nowhere", entry,
		           run->flags);
	else if (source == 0 && crimg_image_first(c->image, CRIMG_KIND_IDS) != NULL)
		CRIMG_FIND(c, PAGE_LAZY, p,
		           "entry %zu: %" PRIu64 " pages at 0x%" PRIx64 " are not in the image", entry,
		           run->pages, run->vaddr);
	if ((run->flags & ~PE_KNOWN) != 0)
		CRIMG_FIND(c, MEMORY_ODD, p, "entry %zu: flags 0x%x found: 0x%x says nothing", entry,
		           run->flags, run->flags & ~PE_KNOWN);
}

static void check_runs(struct crimg_checker *c, const struct crimg_image_object *o)
{
	struct crimg_place p = crimg_place_object(o);
	uint64_t last_end = 0;
	for (size_t i = 0; i < o->map->count; i++) {
		const struct crimg_page_run *run = &o->map->runs[i];
		size_t entry = i + 1; // behind the head
		if (run->vaddr % CRIMG_PAGE_BYTES != 0)
			CRIMG_FIND(c, PAGE_ALIGN, &p, "entry %zu: 0x%" PRIx64 " found, whole pages wanted",
			           entry, run->vaddr);
		if (run->vaddr < last_end)
			CRIMG_FIND(c, PAGE_ORDER, &p, "entry %zu: 0x%" PRIx64 " found, 0x%" PRIx64
			           " or more wanted: the entry before ends there", entry, run->vaddr,
			           last_end);
		if (run->pages == 0)
			CRIMG_FIND(c, PAGE_EMPTY, &p, "entry %zu: no pages at 0x%" PRIx64, entry, run->vaddr);
		check_flags(c, &p, entry, run);
		last_end = run->vaddr + run->pages * CRIMG_PAGE_BYTES;
	}
}

// Shared memory has its pages in a map of its own.
static bool holds_pages(const struct crimg_area *area)
{
	return (area->vma->flags & CRIMG_MAP_SHARED) == 0 || (area->vma->status & CRIMG_VMA_AIO) != 0;
}

// The first address of run without a mapping for its pages; *area goes up with the runs.
static uint64_t first_unmapped(const struct crimg_space *space, size_t *area,
                               const struct crimg_page_run *run)
{
	uint64_t end = run->vaddr + run->pages * CRIMG_PAGE_BYTES, at = run->vaddr;
	while (*area < space->count && space->areas[*area].end <= at)
		++*area;
	for (size_t i = *area; at < end; i++) {
		if (i == space->count || space->areas[i].start > at || !holds_pages(&space->areas[i]))
			return at;
		at = space->areas[i].end;
	}
	return end;
}

static void check_mapped(struct crimg_checker *c, const struct crimg_task *task)
{
	const struct crimg_image_object *o = task->pagemap;
	struct crimg_space space = crimg_checker_space(c, task);
	size_t area = 0;
	for (size_t i = 0; i < o->map->count && space.count > 0; i++) {
		const struct crimg_page_run *run = &o->map->runs[i];
		uint64_t end = run->vaddr + run->pages * CRIMG_PAGE_BYTES;
		uint64_t at = first_unmapped(&space, &area, run);
		if (at >= end)
			continue;
		struct crimg_place p = crimg_place_object(o);
		CRIMG_FIND(c, PAGE_UNMAPPED, &p,
		           "entry %zu: no private mapping at 0x%" PRIx64 " for its pages 0x%" PRIx64
		           "-0x%" PRIx64, i + 1, at, run->vaddr, end);
	}
	crimg_space_fini(&space);
}

void crimg_pass_pagemaps(struct crimg_checker *c)
{
	for (size_t i = 0; i < c->image->count; i++)
		if (c->image->objects[i].map != NULL)
			check_runs(c, &c->image->objects[i]);
	for (size_t i = 0; i < c->tasks.count; i++) {
		const struct crimg_task *task = &c->tasks.list[i];
		if (task->pagemap != NULL && task->pagemap->map != NULL && task->pagemap->sorted)
			check_mapped(c, task);
	}
}
