// Areas that are of System V segments. What was attached at once is attached at once, whatever was
// unmapped of it or protected since: shmdt() takes it away at once, too.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "format/limits.h"
#include "producer/restart_memory.h"
#include "producer/restart_sysv.h"

// Where the segment would begin; wraps for hostile ones, which were refused.
static uint64_t base_of(const struct crimg_area *area)
{
	return area->start - crimg_area_offset(area, area->start);
}

static bool together(const struct crimg_area *a, const struct crimg_area *b)
{
	return (a->vma->status & b->vma->status & CRIMG_VMA_SYSV) != 0
	       && a->vma->shmid == b->vma->shmid && base_of(a) == base_of(b);
}

static uint64_t protection(const struct crimg_area *area)
{
	return area->vma->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

// What it was attached for, whatever it was protected from since.
static uint64_t opened(const struct crimg_area *area)
{
	return area->vma->has_fdflags && (area->vma->fdflags & O_ACCMODE) == O_RDWR ? PROT_WRITE : 0;
}

// One piece from where the segment is attached to its place; at: its first byte there.
static int place(struct crimg_puppet *p, const struct crimg_area *area, uint64_t at,
		 uint64_t attached, struct crimg_err *err)
{
	uint64_t bytes = area->end - area->start;
	if (at != area->start
	    && CRIMG_DO(p, err, "moving a piece of a System V segment", NULL, SYS_mremap, at, bytes,
			bytes, MREMAP_MAYMOVE | MREMAP_FIXED, area->start)
		       < 0)
		return -1;
	return protection(area) == attached ? 0
					    : CRIMG_DO(p, err, "protecting", NULL, SYS_mprotect,
						       area->start, bytes, protection(area));
}

int crimg_restart_attach(struct crimg_restart *r, struct crimg_actor *a,
			 const struct crimg_area *area, struct crimg_err *err)
{
	const struct crimg_area *end = a->space.areas + a->space.count;
	const struct crimg_sysv *segment = crimg_restart_sysv(r, area->vma->shmid);
	struct crimg_puppet *p = &a->puppets[0];
	uint64_t size =
		(segment->size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	uint64_t attached = PROT_READ;
	for (const struct crimg_area *other = a->space.areas; other < area; other++)
		if (together(other, area))
			return 0; // that one brought this one along
	for (const struct crimg_area *other = area; other < end; other++)
		if (together(other, area))
			attached |= (protection(other) | opened(other)) & (PROT_WRITE | PROT_EXEC);
	bool whole = area->end - area->start == size;
	uint64_t at = whole ? area->start : crimg_restart_gap(r, &a->space, size);
	uint64_t flags = ((attached & PROT_WRITE) == 0 ? SHM_RDONLY : 0)
			 | ((attached & PROT_EXEC) != 0 ? SHM_EXEC : 0);
	struct crimg_call call = { .what = "attaching a System V segment",
				   .number = SYS_shmat,
				   .exact = true,
				   .wanted = (int64_t)at,
				   .args = { area->vma->shmid, at,
					     flags | (whole ? SHM_REMAP : 0) } };
	if (crimg_puppet_add(p, call, err) < 0)
		return -1;
	for (const struct crimg_area *other = area; other < end; other++)
		if (together(other, area)
		    && place(p, other, at + crimg_area_offset(other, other->start), attached, err)
			       < 0)
			return -1;
	return whole ? 0
		     : CRIMG_DO(p, err, "unmapping the rest of a System V segment", NULL,
				SYS_munmap, at, size);
}
