// Which pages a parent has: those that nobody wrote since it was made, or those that are equal.
#include "producer/parent.h"

#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/memory.h"
#include "format/space.h"
#include "producer/proc.h"

#define PIECE_BYTES (256u << 10) // compared at a time

void crimg_parent_fini(struct crimg_parent *p)
{
	for (size_t i = 0; i < p->count; i++)
		crimg_watch_end(&p->watches[i]);
	free(p->watches);
	free(p->link);
	crimg_image_close(p->image);
	*p = (struct crimg_parent){.link = NULL};
}

struct comparison {
	struct crimg_image *image;
	pid_t pid;
	struct crimg_ranges *equal;
	uint8_t *ours, *theirs; // PIECE_BYTES each
	struct crimg_err *err;
};

// What cannot be read as memory of the process is not equal.
static int compare_piece(struct comparison *c, uint64_t start, size_t length)
{
	struct crimg_err unreadable = CRIMG_ERR_INIT;
	int got = crimg_memory_read(c->image, CRIMG_KIND_PAGEMAP, (uint64_t)c->pid, start,
				    c->theirs, length, c->err);
	if (got <= 0)
		return got;
	if (crimg_proc_get(c->pid, start, c->ours, length, &unreadable) < 0)
		return 0;
	for (size_t at = 0; at < length; at += CRIMG_PAGE_BYTES)
		if (memcmp(c->ours + at, c->theirs + at, CRIMG_PAGE_BYTES) == 0
		    && crimg_ranges_add(c->equal, start + at, start + at + CRIMG_PAGE_BYTES, c->err)
			       < 0)
			return -1;
	return 0;
}

static int compare_run(void *context, uint64_t start, uint64_t end)
{
	struct comparison *c = context;
	for (uint64_t at = start; at < end;) {
		enum crimg_pages_state state;
		uint64_t same;
		if (crimg_memory_state(c->image, CRIMG_KIND_PAGEMAP, (uint64_t)c->pid, at, &state,
				       &same, c->err)
		    < 0)
			return -1;
		uint64_t piece = crimg_min_u64(crimg_min_u64(same, end) - at, PIECE_BYTES);
		if (state == CRIMG_PAGES_HERE && compare_piece(c, at, (size_t)piece) < 0)
			return -1;
		at += state == CRIMG_PAGES_HERE ? piece : crimg_min_u64(same, end) - at;
	}
	return 0;
}

static int compare(const struct crimg_parent *p, pid_t pid, const MmEntry *mm,
		   struct crimg_page_scan *scan, struct crimg_ranges *out, struct crimg_err *err)
{
	struct comparison c = {p->image, pid, out, malloc(PIECE_BYTES), malloc(PIECE_BYTES), err};
	int rc = c.ours != NULL && c.theirs != NULL ? 0 : crimg_fail_nomem(err, PIECE_BYTES);
	for (size_t i = 0; rc == 0 && i < mm->n_vmas; i++)
		if ((mm->vmas[i]->flags & CRIMG_MAP_SHARED) == 0
		    && (mm->vmas[i]->status & (CRIMG_VMA_VVAR | CRIMG_VMA_VSYSCALL)) == 0)
			rc = crimg_page_scan(scan, mm->vmas[i]->start, mm->vmas[i]->end,
					     CRIMG_PAGES_OWN, compare_run, &c, err);
	free(c.ours);
	free(c.theirs);
	return rc;
}

int crimg_parent_pages(const struct crimg_parent *p, pid_t pid, const MmEntry *mm,
		       struct crimg_page_scan *scan, struct crimg_ranges *out,
		       struct crimg_err *err)
{
	if (p->image != NULL)
		return compare(p, pid, mm, scan, out, err);
	for (size_t i = 0; i < p->count; i++)
		if (p->watches[i].pid == pid)
			return crimg_watch_unwritten(&p->watches[i], scan, out, err);
	return 0;
}
