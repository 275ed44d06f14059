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
	return a->start == b->start && a->end == b->end && a->under == NULL && b->under == NULL
		&& x->prot == y->prot && x->flags == y->flags
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
	const struct crimg_area *next = crimg_space_next(&a->space, m->bridge.start);
	if (m->bridge.start != 0 && next != NULL && next->start < m->bridge.end)
		kernel = false;
	if (kernel && count >= a->space.count / 2) {
		a->bridge = m->bridge;
		return 0;
	}
	free(a->kept); // little is left, or the vDSO would have to move: from the beginning
	a->kept = NULL;
	return 0;
}

// A stretch of pages that both have.
struct piece {
	const struct crimg_area *area;
	uint64_t at;
	size_t bytes;
};

#define PIECES_MAX 512u

struct comparison {
	struct crimg_restart *r;
	struct crimg_actor *actor;
	struct crimg_feed *feed;
	struct piece pieces[PIECES_MAX]; // gathered, so that each image is read in one go
	size_t count, bytes;
	uint8_t own[COMPARE_BYTES], mother[COMPARE_BYTES];
};

static int read_all(const struct comparison *c, uint32_t pid, uint8_t *out, struct crimg_err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct piece *p = &c->pieces[i];
		if (crimg_memory_read(c->r->image, CRIMG_KIND_PAGEMAP, pid, p->at, out, p->bytes, err) < 0)
			return -1;
		out += p->bytes;
	}
	return 0;
}

// Of the pieces in hand, pages that differ are read into the task.
static int compare(struct comparison *c, struct crimg_err *err)
{
	if (read_all(c, c->actor->task->pid, c->own, err) < 0
	    || read_all(c, c->actor->mother->task->pid, c->mother, err) < 0)
		return -1;
	const uint8_t *own = c->own, *mother = c->mother;
	for (size_t i = 0; i < c->count; i++) {
		const struct piece *p = &c->pieces[i];
		for (size_t k = 0; k < p->bytes; k += CRIMG_PAGE_BYTES)
			if (memcmp(own + k, mother + k, CRIMG_PAGE_BYTES) != 0
			    && crimg_feed_pages(c->feed, p->area, p->at + k, p->at + k + CRIMG_PAGE_BYTES,
			                        err) < 0)
				return -1;
		own += p->bytes;
		mother += p->bytes;
	}
	c->count = c->bytes = 0;
	return 0;
}

static int gather(struct comparison *c, const struct crimg_area *area, uint64_t from, uint64_t end,
                  struct crimg_err *err)
{
	while (from < end) {
		size_t n = (size_t)crimg_min_u64(end - from, COMPARE_BYTES - c->bytes);
		c->pieces[c->count++] = (struct piece){ area, from, n };
		c->bytes += n;
		from += n;
		if ((c->count == PIECES_MAX || c->bytes == COMPARE_BYTES) && compare(c, err) < 0)
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
		    && gather(c, area, at, end, err) < 0)
			return -1;
		if (own != CRIMG_PAGES_NONE && mother != CRIMG_PAGES_HERE
		    && crimg_feed_pages(c->feed, area, at, end, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_settle(struct crimg_restart *r, struct crimg_actor *a, struct crimg_feed *feed,
                         struct crimg_err *err)
{
	struct comparison *c = malloc(sizeof *c);
	int rc = 0;
	if (c == NULL)
		return crimg_fail_nomem(err, sizeof *c);
	c->r = r;
	c->actor = a;
	c->feed = feed;
	c->count = c->bytes = 0;
	for (size_t i = 0; rc == 0 && i < a->space.count; i++)
		if (a->kept[i] && crimg_restart_has_pages(&a->space.areas[i]))
			rc = settle(c, &a->space.areas[i], err);
	if (rc == 0)
		rc = compare(c, err);
	free(c);
	return rc;
}
