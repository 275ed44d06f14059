// The address space of one task: crimg's mappings go, its own come at their old addresses, the vDSO moves to
// its old place. What is in them: restart_pages.c.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "format/limits.h"
#include "producer/restart_memory.h"
#include "producer/restart_sysv.h"
#include "producer/restart_vdso.h"

#define END_32 (UINT64_C(1) << 32) // a 64-bit program may run 32-bit code, but its vDSO is above
#define GUARD_INSTALL 102 // MADV_GUARD_INSTALL, Linux 6.13
#define FLAGS_KEPT (MAP_GROWSDOWN | MAP_NORESERVE)

static int unmap(struct crimg_puppet *p, uint64_t from, uint64_t to, struct crimg_err *err)
{
	return from >= to ? 0
		: CRIMG_DO(p, err, "unmapping what was crimg's", NULL, SYS_munmap, from, to - from);
}

// The same, and the stage stays.
static int unmap_around(const struct crimg_restart *r, struct crimg_puppet *p, uint64_t from, uint64_t to,
                        struct crimg_err *err)
{
	const struct crimg_stage *s = &r->stage;
	if (from < s->end && to > s->start)
		return unmap(p, from, s->start, err) < 0 ? -1 : unmap(p, s->end, to, err);
	return unmap(p, from, to, err);
}

// Everything of [from, to) goes but the stage, and this kernel's vDSO where its mother has it.
static int clear_gap(const struct crimg_restart *r, struct crimg_actor *a, uint64_t from, uint64_t to,
                     struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	const struct crimg_map_range *bridge = &a->bridge;
	if (a->kept == NULL || bridge->start < from || bridge->end > to)
		return unmap_around(r, p, from, to, err);
	return unmap_around(r, p, from, bridge->start, err) < 0 ? -1
		: unmap_around(r, p, bridge->end, to, err);
}

// Everything goes but that, and what was kept of its mother's.
static int clear(const struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	uint64_t from = 0;
	for (size_t i = 0; a->kept != NULL && i < a->space.count; i++) {
		const struct crimg_area *area = &a->space.areas[i];
		if (!a->kept[i] || area->end > CRIMG_USER_END)
			continue;
		if (clear_gap(r, a, from, area->start, err) < 0)
			return -1;
		from = area->end;
	}
	return clear_gap(r, a, from, CRIMG_USER_END, err);
}

// The descriptor to map, and the name for errors; -1 for anonymous memory.
static int backing(const struct crimg_restart *r, const VmaEntry *v, const char **name)
{
	const struct crimg_file *file = crimg_files_find(&r->files, (uint32_t)v->shmid);
	*name = file != NULL && file->path != NULL ? file->path->name : NULL;
	if ((v->status & CRIMG_VMA_MEMFD) != 0) {
		const MemfdFileEntry *m =
			file != NULL && file->type == FD_TYPES__MEMFD ? file->message : NULL;
		const MemfdInodeEntry *inode =
			m != NULL ? crimg_restart_inode((struct crimg_restart *)(uintptr_t)r, m->inode_id)
			          : NULL;
		return inode == NULL ? -2
			: crimg_handles_find(&r->handles, CRIMG_HANDLE_SEGMENT, inode->shmid, 0);
	}
	if ((v->status & CRIMG_VMA_ANON_SHARED) != 0)
		return crimg_handles_find(&r->handles, CRIMG_HANDLE_SEGMENT, v->shmid, 0);
	if ((v->status & CRIMG_VMA_FILE) == 0)
		return -1;
	int fd = (v->status & CRIMG_VMA_FILE_SHARED) == 0 ? -1
		: crimg_handles_find(&r->handles, CRIMG_HANDLE_SHARED, v->shmid, 0);
	if (fd < 0)
		fd = crimg_handles_find(&r->handles, CRIMG_HANDLE_MAPPED, v->shmid, 0);
	return fd >= 0 ? fd : -2;
}

bool crimg_restart_is_private(const VmaEntry *v)
{
	return (v->flags & MAP_TYPE) == MAP_PRIVATE;
}

static bool is_kernel(const VmaEntry *v)
{
	return (v->status & (CRIMG_VMA_VSYSCALL | CRIMG_VMA_VDSO | CRIMG_VMA_VVAR)) != 0;
}

// True when pages of the image come into it.
static bool has_pages(const struct crimg_restart *r, const struct crimg_actor *a,
                      const struct crimg_area *area)
{
	enum crimg_pages_state state;
	uint64_t end;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (!crimg_restart_is_private(area->vma))
		return false;
	for (uint64_t at = area->start; at < area->end; at = end)
		if (crimg_memory_state(r->image, CRIMG_KIND_PAGEMAP, a->task->pid, at, &state, &end,
		                       &ignored) < 0 || state != CRIMG_PAGES_NONE)
			return true;
	return false;
}

// What is mapped there: a guard region is no mapping, but pages of one.
static const VmaEntry *mapping_of(const struct crimg_area *area)
{
	return area->under != NULL ? area->under : area->vma;
}

static int map_area(struct crimg_restart *r, struct crimg_actor *a, const struct crimg_area *area,
                    struct crimg_err *err)
{
	const VmaEntry *v = mapping_of(area);
	const char *name;
	uint64_t flags = MAP_FIXED | (v->flags & FLAGS_KEPT);
	uint64_t prot = v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	if ((v->status & CRIMG_VMA_SYSV) != 0)
		return crimg_restart_attach(r, a, area, err);
	int fd = backing(r, v, &name);
	if (fd == -2)
		return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
		                  "task %u: what area 0x%" PRIx64 " maps is missing in the image",
		                  a->task->pid, area->start);
	flags |= crimg_restart_is_private(v) ? MAP_PRIVATE : MAP_SHARED;
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	if ((prot & PROT_WRITE) == 0 && has_pages(r, a, area))
		prot |= PROT_WRITE; // for a while
	return CRIMG_DO(&a->puppets[0], err, "mapping", name, SYS_mmap, area->start,
	                area->end - area->start, prot, flags, (uint64_t)(int64_t)fd,
	                fd < 0 ? 0 : v->pgoff + (area->start - v->start));
}

// Advice that stays with a mapping; other bits would throw memory away. It is given before pages come: it
// says how large they may be.
#define ADVICE_KEPT                                                                                \
	(UINT64_C(1) << MADV_RANDOM | UINT64_C(1) << MADV_SEQUENTIAL | UINT64_C(1) << MADV_DONTFORK \
	 | UINT64_C(1) << MADV_MERGEABLE | UINT64_C(1) << MADV_HUGEPAGE                            \
	 | UINT64_C(1) << MADV_NOHUGEPAGE | UINT64_C(1) << MADV_DONTDUMP                           \
	 | UINT64_C(1) << MADV_WIPEONFORK)

static int advise(struct crimg_puppet *p, const struct crimg_area *area, struct crimg_err *err)
{
	const VmaEntry *v = mapping_of(area);
	for (unsigned bit = 0; v->has_madv && bit < 64; bit++)
		if (((v->madv & ADVICE_KEPT) >> bit & 1) != 0
		    && CRIMG_DO(p, err, "advising about memory", NULL, SYS_madvise, area->start,
		                area->end - area->start, bit) < 0)
			return -1;
	return 0;
}

// One of its mother's, which may have to be writable for a while.
static int reopen_area(struct crimg_restart *r, struct crimg_actor *a, const struct crimg_area *area,
                       struct crimg_err *err)
{
	uint64_t prot = area->vma->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	if ((prot & PROT_WRITE) != 0 || !has_pages(r, a, area))
		return 0;
	return CRIMG_DO(&a->puppets[0], err, "opening for pages", NULL, SYS_mprotect, area->start,
	                area->end - area->start, prot | PROT_WRITE);
}

static int map_all(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	for (size_t i = 0; i < a->space.count; i++) {
		const struct crimg_area *area = &a->space.areas[i];
		bool kept = a->kept != NULL && a->kept[i];
		if (!is_kernel(area->vma)
		    && ((kept ? reopen_area(r, a, area, err) : map_area(r, a, area, err)) < 0
		        || advise(&a->puppets[0], area, err) < 0))
			return -1;
	}
	return 0;
}

static int finish_area(struct crimg_puppet *p, const struct crimg_area *area, struct crimg_err *err)
{
	const VmaEntry *v = area->vma;
	uint64_t bytes = area->end - area->start;
	if ((v->status & CRIMG_VMA_GUARD) != 0
	    && CRIMG_DO(p, err, "a guard region", NULL, SYS_madvise, area->start, bytes, GUARD_INSTALL) < 0)
		return -1;
	if ((v->flags & MAP_LOCKED) != 0
	    && CRIMG_DO(p, err, "locking memory", NULL, SYS_mlock, area->start, bytes) < 0)
		return -1;
	return 0;
}

// What had to be writable while its pages came.
static int finish_areas(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	for (size_t i = 0; i < a->space.count; i++) {
		const struct crimg_area *area = &a->space.areas[i];
		if (is_kernel(area->vma))
			continue;
		uint64_t prot = area->vma->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
		if ((prot & PROT_WRITE) == 0 && has_pages(r, a, area)
		    && CRIMG_DO(p, err, "protecting", NULL, SYS_mprotect, area->start,
		                area->end - area->start, prot) < 0)
			return -1;
		if (finish_area(p, area, err) < 0)
			return -1;
	}
	return 0;
}

// Where code, data, heap, stack, arguments and environment are said to be, and which file runs.
static int set_bounds(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	const MmEntry *mm = a->task->mm;
	struct crimg_puppet *p = &a->puppets[0];
	if (mm->mm_start_code == 0 && mm->mm_end_code == 0) {
		crimg_lines_add(&r->notes, "task %u: the image does not say where its code, heap and "
		                "stack are, nor which program it is: brk() begins elsewhere, and "
		                "/proc/%u/exe is crimg", a->task->pid, a->task->pid);
		return 0;
	}
	size_t auxv_bytes = mm->n_mm_saved_auxv * sizeof *mm->mm_saved_auxv;
	// Which program runs cannot be said again while it is mapped.
	bool known = a->mother != NULL && a->mother->task->mm->exe_file_id == mm->exe_file_id;
	int exe = known ? -1 : crimg_handles_find(&r->handles, CRIMG_HANDLE_MAPPED, mm->exe_file_id, 0);
	if (auxv_bytes > 4096)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "task %u: an auxiliary vector of %zu bytes", a->task->pid, auxv_bytes);
	struct prctl_mm_map map = {
		.start_code = mm->mm_start_code, .end_code = mm->mm_end_code,
		.start_data = mm->mm_start_data, .end_data = mm->mm_end_data,
		.start_brk = mm->mm_start_brk, .brk = mm->mm_brk, .start_stack = mm->mm_start_stack,
		.arg_start = mm->mm_arg_start, .arg_end = mm->mm_arg_end,
		.env_start = mm->mm_env_start, .env_end = mm->mm_env_end,
		.auxv_size = (uint32_t)auxv_bytes, .exe_fd = (uint32_t)exe,
	};
	uint64_t auxv = auxv_bytes > 0 ? crimg_puppet_lend(p, mm->mm_saved_auxv, auxv_bytes) : 0;
	memcpy(&map.auxv, &auxv, sizeof auxv);
	return CRIMG_DO(p, err, "bounds of code, data, heap and stack", NULL, SYS_prctl, PR_SET_MM,
	                PR_SET_MM_MAP, crimg_puppet_lend(p, &map, sizeof map), sizeof map);
}

// Where the vDSO is in a task that was just born: as its mother has it by now, or as crimg has it.
static int find_vdso(const struct crimg_actor *a, struct crimg_vdso *vdso, struct crimg_err *err)
{
	struct crimg_map_range *ranges = NULL;
	size_t count;
	int rc = crimg_restart_maps(a->puppets[0].tid, &ranges, &count, vdso, err);
	free(ranges);
	return rc;
}

// Of another width than the one that the task was born with. To a 32-bit task whose own is not in the
// image it is what handlers of signals return through: the kernel knows where it is.
static int map_vdso(struct crimg_restart *r, struct crimg_actor *a,
                    const struct crimg_old_vdso *old, bool is_32, struct crimg_err *err)
{
	struct crimg_vdso vdso = { .count = 0 };
	uint64_t at = old->data != 0 ? old->data : old->code;
	if (at == 0)
		at = crimg_restart_gap(r, &a->space, CRIMG_STAGE_PARK_BYTES);
	if (crimg_restart_map_vdso(r, a, at, is_32, err) < 0 || find_vdso(a, &vdso, err) < 0)
		return -1;
	a->vdso_32 = is_32;
	if (old->code == 0)
		return 0;
	if (crimg_restart_check_vdso(r, a, &vdso, old, err) < 0)
		return -1;
	if (a->bridge.start == 0)
		return vdso.parts[0].start == at ? 0
			: crimg_restart_fail_vdso(a, "its place is taken", err);
	return crimg_restart_park_vdso(r, &a->puppets[0], &vdso, err) < 0 ? -1
		: crimg_restart_place_vdso(r, a, &vdso, old, err);
}

static int fill_space(struct crimg_restart *r, struct crimg_actor *a, const struct crimg_vdso *vdso,
                      struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	struct crimg_old_vdso old;
	bool has_vdso = crimg_restart_old_vdso(&a->space, &old);
	bool is_32 = crimg_restart_is_32(a->task) && old.end <= END_32;
	bool anew = a->kept == NULL && is_32 != a->vdso_32 && (has_vdso || is_32);
	bool moves = a->kept == NULL && !anew;
	if (moves && has_vdso && crimg_restart_check_vdso(r, a, vdso, &old, err) < 0)
		return -1;
	if (a->kept != NULL && a->bridge.start != 0 && crimg_restart_check_standing(a, &old, err) < 0)
		return -1;
	if ((moves && crimg_restart_park_vdso(r, p, vdso, err) < 0) || clear(r, a, err) < 0
	    || (anew && map_vdso(r, a, &old, is_32, err) < 0) || map_all(r, a, err) < 0)
		return -1;
	if ((moves && has_vdso && crimg_restart_place_vdso(r, a, vdso, &old, err) < 0)
	    || crimg_restart_build_bridge(a, err) < 0)
		return -1;
	if (crimg_puppet_flush(p, err) < 0 || crimg_restart_pages(r, a, err) < 0)
		return -1;
	if (finish_areas(r, a, err) < 0 || set_bounds(r, a, err) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

int crimg_restart_memory(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_vdso vdso = { .count = 0 };
	a->vdso_32 = a->mother != NULL && a->mother->vdso_32;
	if (crimg_restart_inherit(r, a, err) < 0 || find_vdso(a, &vdso, err) < 0)
		return -1;
	return fill_space(r, a, &vdso, err);
}
