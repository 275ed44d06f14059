// What a task has of its mother's memory from birth: areas that both have stay, and of their pages those that
// are the same in both, so that they share them again until one of them writes. Only for tasks that run the
// same program at the same places.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/restart_memory.h"

#define COMPARE_BYTES (1u << 20)
#define NOT_BORN_WITH (UINT64_C(1) << MADV_DONTFORK | UINT64_C(1) << MADV_WIPEONFORK)

static bool same_area(const struct crimg_area *a, const struct crimg_area *b)
{
	const VmaEntry *x = a->vma, *y = b->vma;
	uint64_t advice = (x->has_madv ? x->madv : 0) | (y->has_madv ? y->madv : 0);
	return a->start == b->start && a->end == b->end && x->prot == y->prot && x->flags == y->flags
		&& x->status == y->status && x->shmid == y->shmid
		&& x->pgoff - x->start == y->pgoff - y->start && (advice & NOT_BORN_WITH) == 0;
}

// Marks the areas that both have. Returns how many.
static size_t mark_kept(const struct crimg_space *own, const struct crimg_space *mother, bool *kept)
{
	size_t count = 0;
	for (size_t i = 0, k = 0; i < own->count; i++) {
		while (k < mother->count && mother->areas[k].start < own->areas[i].start)
			k++;
		kept[i] = k < mother->count && same_area(&own->areas[i], &mother->areas[k]);
		count += kept[i];
	}
	return count;
}

int crimg_restart_inherit(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	const struct crimg_actor *m = a->mother;
	if (m == NULL || m->task->mm == NULL || a->task->mm->exe_file_id != m->task->mm->exe_file_id
	    || a->task->mm->mm_start_code != m->task->mm->mm_start_code)
		return 0;
	(void)r;
	a->kept = calloc(a->space.count + 1, sizeof *a->kept);
	if (a->kept == NULL)
		return crimg_fail_nomem(err, a->space.count + 1);
	bool kernel = true;
	size_t count = mark_kept(&a->space, &m->space, a->kept);
	for (size_t i = 0; i < a->space.count; i++)
		if ((a->space.areas[i].vma->status & (CRIMG_VMA_VDSO | CRIMG_VMA_VVAR)) != 0)
			kernel = kernel && a->kept[i];
	if (kernel && count >= a->space.count / 2)
		return 0;
	free(a->kept); // little is left, or the vDSO would have to move: from the beginning
	a->kept = NULL;
	return 0;
}

struct comparison {
	struct crimg_restart *r;
	struct crimg_actor *actor;
	struct crimg_feed *feed;
	uint8_t *own, *mother; // COMPARE_BYTES each
};

// Both have pages at [from, end): those that differ are read.
static int compare(struct comparison *c, const struct crimg_area *area, uint64_t from, uint64_t end,
                   struct crimg_err *err)
{
	struct crimg_image *image = c->r->image;
	for (uint64_t at = from; at < end; at += COMPARE_BYTES) {
		size_t n = (size_t)crimg_min_u64(end - at, COMPARE_BYTES);
		if (crimg_memory_read(image, CRIMG_KIND_PAGEMAP, c->actor->task->pid, at, c->own, n, err) < 0
		    || crimg_memory_read(image, CRIMG_KIND_PAGEMAP, c->actor->mother->task->pid, at,
		                         c->mother, n, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i += CRIMG_PAGE_BYTES)
			if (memcmp(c->own + i, c->mother + i, CRIMG_PAGE_BYTES) != 0
			    && crimg_feed_pages(c->feed, area, at + i, at + i + CRIMG_PAGE_BYTES, err) < 0)
				return -1;
	}
	return 0;
}

static int settle(struct comparison *c, const struct crimg_area *area, struct crimg_err *err)
{
	struct crimg_image *image = c->r->image;
	enum crimg_pages_state own, mother;
	uint64_t own_end, mother_end, end;
	for (uint64_t at = area->start; at < area->end; at = end) {
		if (crimg_memory_state(image, CRIMG_KIND_PAGEMAP, c->actor->task->pid, at, &own, &own_end,
		                       err) < 0
		    || crimg_memory_state(image, CRIMG_KIND_PAGEMAP, c->actor->mother->task->pid, at,
		                          &mother, &mother_end, err) < 0)
			return -1;
		end = crimg_min_u64(crimg_min_u64(own_end, mother_end), area->end);
		if (own == CRIMG_PAGES_NONE && mother != CRIMG_PAGES_NONE
		    && CRIMG_DO(&c->actor->puppets[0], err, "leaving pages to its mother", NULL, SYS_madvise,
		                at, end - at, MADV_DONTNEED) < 0)
			return -1;
		if (own == CRIMG_PAGES_HERE && mother == CRIMG_PAGES_HERE
		    && compare(c, area, at, end, err) < 0)
			return -1;
		if (own != CRIMG_PAGES_NONE && mother != CRIMG_PAGES_HERE
		    && crimg_feed_pages(c->feed, area, at, end, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_settle(struct crimg_restart *r, struct crimg_actor *a, struct crimg_feed *feed,
                         const struct crimg_area *area, struct crimg_err *err)
{
	struct comparison c = { .r = r, .actor = a, .feed = feed };
	c.own = malloc(2 * COMPARE_BYTES);
	if (c.own == NULL)
		return crimg_fail_nomem(err, 2 * COMPARE_BYTES);
	c.mother = c.own + COMPARE_BYTES;
	int rc = settle(&c, area, err);
	free(c.own);
	return rc;
}
