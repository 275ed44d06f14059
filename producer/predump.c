// Taking the pages of tasks that run: a page map of what each had when watching began.
#include "producer/predump.h"

#include <time.h>

#include "format/limits.h"
#include "format/pagemap.h"
#include "producer/tree.h"

#define BY_READING 2u // pre_dump_mode: as process_vm_readv does, not through pipes

static int put_inventory(struct crimg_shelf *shelf, struct crimg_err *err)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT; // version 0: a pre-dump
	struct timespec up;
	clock_gettime(CLOCK_BOOTTIME, &up);
	e.has_dump_uptime = e.has_pre_dump_mode = true;
	e.dump_uptime = (uint64_t)up.tv_sec * 1000000 + (uint64_t)up.tv_nsec / 1000;
	e.pre_dump_mode = BY_READING;
	return crimg_shelf_put(shelf, CRIMG_KIND_INVENTORY, 0, &e.base, err);
}

static int put_pages(struct crimg_shelf *shelf, const struct crimg_watch *w, uint32_t pages_id,
		     struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	size_t payload;
	head.pages_id = pages_id;
	if (crimg_shelf_put(shelf, CRIMG_KIND_PAGEMAP, (uint64_t)w->pid, &head.base, err) < 0
	    || crimg_shelf_put_payload(shelf, CRIMG_KIND_PAGES, pages_id, NULL, &payload, err) < 0)
		return -1;
	for (size_t i = 0; i < w->pages.count; i++) {
		const struct crimg_range *r = &w->pages.list[i];
		PagemapEntry e = PAGEMAP_ENTRY__INIT;
		e.vaddr = r->start;
		e.has_nr_pages = e.has_flags = true;
		e.nr_pages = (r->end - r->start) / CRIMG_PAGE_BYTES;
		e.flags = CRIMG_PE_PRESENT;
		struct crimg_shelf_run run = {
			.where = CRIMG_SHELF_TASK,
			.place = w->pid,
			.address = r->start,
			.length = r->end - r->start,
		};
		if (crimg_shelf_put(shelf, CRIMG_KIND_PAGEMAP, (uint64_t)w->pid, &e.base, err) < 0
		    || crimg_shelf_add(shelf, payload, run, err) < 0)
			return -1;
	}
	return 0;
}

static int watch_all(const struct crimg_tree *tree, struct crimg_parent *parent,
		     struct crimg_shelf *shelf, struct crimg_err *err)
{
	for (size_t i = 0; i < tree->count; i++) {
		void *array = parent->watches;
		if (tree->tasks[i].state == CRIMG_LIVE_ZOMBIE)
			continue;
		if (crimg_grow(&array, &parent->capacity, parent->count, sizeof *parent->watches,
			       err)
		    < 0)
			return -1;
		parent->watches = array;
		struct crimg_watch *w = &parent->watches[parent->count];
		if (crimg_watch_begin(w, tree->tasks[i].pid, err) < 0)
			return -1;
		parent->count++;
		if (put_pages(shelf, w, (uint32_t)parent->count, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_predump(pid_t root, struct crimg_parent *parent, struct crimg_shelf *shelf,
		  uint64_t *stopped_us, struct crimg_err *err)
{
	struct crimg_tree tree;
	crimg_shelf_init(shelf);
	shelf->running = true;
	if (put_inventory(shelf, err) < 0 || crimg_tree_refuse(root, err) < 0
	    || crimg_tree_freeze(root, &tree, err) < 0)
		return -1;
	int rc = watch_all(&tree, parent, shelf, err);
	if (rc < 0)
		crimg_tree_explain(&tree, err);
	*stopped_us = crimg_now_us() - tree.frozen_at;
	crimg_tree_thaw(&tree, CRIMG_THAW_RUN);
	return rc < 0 ? -1 : crimg_shelf_seal(shelf, err);
}
