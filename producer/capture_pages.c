// The pages of a process that an image keeps: those of private areas that are its own. Puts the map of
// runs, and where their bytes lie.
#include <string.h>
#include <sys/mman.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/pagemap.h"
#include "format/space.h"
#include "producer/capture.h"
#include "producer/page_scan.h"

// Pages of one pagemap being collected.
struct collect {
	struct crimg_capture *capture;
	const struct crimg_live_task *task;
	size_t payload;
	uint64_t start, end; // of the run that goes on; equal: none
	uint32_t flags;
	size_t area;         // in work
	size_t vma_capacity; // of mm->vmas, once guards are added
	uint32_t area_flags; // of its runs
	struct crimg_ranges kept; // what a parent has as it is
	size_t next_kept;         // the first of them that does not lie behind us
	struct crimg_err *err;
};

static int put_run(struct collect *c)
{
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	struct crimg_shelf *shelf = &c->capture->shelf;
	if (c->start == c->end)
		return 0;
	e.vaddr = c->start;
	e.has_nr_pages = e.has_flags = true;
	e.nr_pages = (c->end - c->start) / CRIMG_PAGE_BYTES;
	e.flags = c->flags;
	if (c->flags == CRIMG_PE_PARENT) {
		c->capture->pages_skipped += e.nr_pages;
		return crimg_shelf_put(shelf, CRIMG_KIND_PAGEMAP, (uint64_t)c->task->pid, &e.base,
				       c->err);
	}
	c->capture->pages_written += e.nr_pages;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_TASK, .place = c->task->pid, .address = c->start,
		.length = c->end - c->start,
	};
	if (crimg_shelf_put(shelf, CRIMG_KIND_PAGEMAP, (uint64_t)c->task->pid, &e.base, c->err) < 0)
		return -1;
	return crimg_shelf_add(shelf, c->payload, run, c->err);
}

static int add_run(struct collect *c, uint64_t start, uint64_t end, uint32_t flags)
{
	if (c->end == start && c->start != c->end && c->flags == flags) {
		c->end = end;
		return 0;
	}
	if (put_run(c) < 0)
		return -1;
	c->start = start;
	c->end = end;
	c->flags = flags;
	return 0;
}

// Pieces of a run in turn: not of the parent, and of it. Runs come in order.
static int divide_run(struct collect *c, uint64_t start, uint64_t end)
{
	const struct crimg_ranges *kept = &c->kept;
	while (start < end) {
		while (c->next_kept < kept->count && kept->list[c->next_kept].end <= start)
			c->next_kept++;
		struct crimg_range r = c->next_kept < kept->count
					       ? kept->list[c->next_kept]
					       : (struct crimg_range){UINT64_MAX, UINT64_MAX};
		bool in_parent = r.start <= start;
		uint64_t to = crimg_min_u64(end, in_parent ? r.end : r.start);
		if (add_run(c, start, to, in_parent ? CRIMG_PE_PARENT : c->area_flags) < 0)
			return -1;
		start = to;
	}
	return 0;
}

// Private memory without a file may be filled in after a restore, as CRIU has it.
static uint32_t flags_of(const VmaEntry *v)
{
	bool lazy = (v->status & CRIMG_VMA_ANON_PRIVATE) != 0 && (v->status & CRIMG_VMA_VDSO) == 0
		    && (v->flags & MAP_LOCKED) == 0;
	return CRIMG_PE_PRESENT | (lazy ? CRIMG_PE_LAZY : 0);
}

// Shared memory has its pages elsewhere, and the kernel's data for the vDSO has none. The vDSO itself is kept
// whole.
static bool is_scanned(const VmaEntry *v)
{
	return (v->status & (CRIMG_VMA_VVAR | CRIMG_VMA_VSYSCALL | CRIMG_VMA_VDSO)) == 0
	       && (v->flags & CRIMG_MAP_SHARED) == 0;
}

// A run that the kernel found may lie in several areas: those from c->area on, which are in order.
static int split_run(void *context, uint64_t start, uint64_t end)
{
	struct collect *c = context;
	const MmEntry *mm = c->capture->mm;
	while (start < end && c->area < mm->n_vmas) {
		const VmaEntry *v = mm->vmas[c->area];
		uint64_t from = v->start > start ? v->start : start;
		uint64_t to = crimg_min_u64(v->end, end);
		c->area_flags = flags_of(v);
		if (from < to && is_scanned(v) && divide_run(c, from, to) < 0)
			return -1;
		start = to > start ? to : start;
		if (v->end > end)
			break;
		c->area++;
	}
	return 0;
}

// As many areas as can be scanned at once: up to one that is not scanned.
static int scan_areas(struct collect *c, struct crimg_page_scan *scan, size_t first, size_t *next)
{
	const MmEntry *mm = c->capture->mm;
	size_t end = first;
	uint64_t pages = 0;
	for (; end < mm->n_vmas && is_scanned(mm->vmas[end]); end++)
		pages += (mm->vmas[end]->end - mm->vmas[end]->start) / CRIMG_PAGE_BYTES;
	c->area = first;
	c->capture->pages_scanned += pages;
	*next = end > first ? end : first + 1;
	if (end > first)
		return crimg_page_scan(scan, mm->vmas[first]->start, mm->vmas[end - 1]->end,
				       CRIMG_PAGES_OWN, split_run, c, c->err);
	const VmaEntry *v = mm->vmas[first];
	c->area_flags = flags_of(v);
	return (v->status & CRIMG_VMA_VDSO) != 0 ? divide_run(c, v->start, v->end) : 0;
}

// CRIU lists guard regions behind all areas, as areas of nothing else.
static int add_guard(void *context, uint64_t start, uint64_t end)
{
	struct collect *c = context;
	MmEntry *mm = c->capture->mm;
	VmaEntry *v = crimg_capture_alloc(c->capture, sizeof *v, c->err);
	if (v == NULL)
		return -1;
	if (mm->n_vmas == c->vma_capacity) {
		size_t more = mm->n_vmas * 2 + 16;
		VmaEntry **list = crimg_capture_alloc(c->capture, more * sizeof(void *), c->err);
		if (list == NULL)
			return -1;
		memcpy(list, mm->vmas, mm->n_vmas * sizeof(void *));
		mm->vmas = list;
		c->vma_capacity = more;
	}
	vma_entry__init(v);
	v->start = start;
	v->end = end;
	v->status = CRIMG_VMA_GUARD;
	v->fd = -1;
	mm->vmas[mm->n_vmas++] = v;
	return 0;
}

static int put_guards(struct collect *c, struct crimg_page_scan *scan)
{
	const MmEntry *mm = c->capture->mm;
	size_t count = mm->n_vmas;
	c->vma_capacity = count;
	for (size_t i = 0; i < count; i++) {
		uint64_t start = mm->vmas[i]->start;
		size_t last = i;
		if (!is_scanned(mm->vmas[i]))
			continue;
		while (last + 1 < count && is_scanned(mm->vmas[last + 1]))
			last++;
		if (crimg_page_scan(scan, start, mm->vmas[last]->end, CRIMG_PAGES_GUARD, add_guard, c,
				    c->err) < 0)
			return -1;
		i = last;
	}
	return 0;
}

int crimg_capture_pages(struct crimg_capture *c, const struct crimg_live_task *t,
			struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct crimg_page_scan scan;
	struct collect collect = {.capture = c, .task = t, .err = err};
	int rc = 0;
	head.pages_id = ++c->last_pages_id;
	if (crimg_shelf_put(&c->shelf, CRIMG_KIND_PAGEMAP, (uint64_t)t->pid, &head.base, err) < 0
	    || crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_PAGES, head.pages_id, NULL,
				       &collect.payload, err) < 0
	    || crimg_page_scan_open(&scan, t->pid, err) < 0)
		return -1;
	if (c->parent != NULL)
		rc = crimg_parent_pages(c->parent, t->pid, c->mm, &scan, &collect.kept, err);
	for (size_t i = 0; rc == 0 && i < c->mm->n_vmas;)
		rc = scan_areas(&collect, &scan, i, &i);
	if (rc == 0)
		rc = put_run(&collect);
	if (rc == 0)
		rc = put_guards(&collect, &scan);
	crimg_page_scan_close(&scan);
	crimg_ranges_fini(&collect.kept);
	return rc;
}
