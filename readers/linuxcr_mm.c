// Address spaces: the kernel's numbers of a mapping become those that user space gives mmap().
#include "format/limits.h"
#include "readers/kernel_task.h"
#include "readers/linuxcr_records.h"

static uint64_t mm_word(const struct linuxcr_object *mm, uint32_t which)
{
	return linuxcr_u64(mm->body, CRIMG_LCR_MM_WORDS + 8 * which);
}

static void put_type(const struct linuxcr *c, VmaEntry *e, const MmEntry *mm,
		     const struct linuxcr_record *r)
{
	const struct linuxcr_object *inode =
		linuxcr_find(c, CRIMG_LCR_OBJ_INODE, linuxcr_ref(r, CRIMG_LCR_VMA_INODE));
	// A file that is not open for writing is shared by the second flag alone.
	bool shared = (linuxcr_u64(r, CRIMG_LCR_VMA_FLAGS) & (KERNEL_VM_SHARED | KERNEL_VM_MAYSHARE)) != 0;
	e->status = CRIMG_VMA_REGULAR;
	switch (linuxcr_u32(r, CRIMG_LCR_VMA_TYPE)) {
	case CRIMG_LCR_VMA_FILE_PRIVATE:
	case CRIMG_LCR_VMA_SHM_FILE:
		e->status |= shared ? CRIMG_VMA_FILE_SHARED : CRIMG_VMA_FILE_PRIVATE;
		e->shmid = linuxcr_u32(r, CRIMG_LCR_VMA_FILE);
		e->pgoff = linuxcr_u64(r, CRIMG_LCR_VMA_PGOFF) * CRIMG_PAGE_BYTES;
		return;
	case CRIMG_LCR_VMA_SHM_ANON:
	case CRIMG_LCR_VMA_SHM_ANON_SKIP:
		e->status |= CRIMG_VMA_ANON_SHARED;
		e->flags |= CRIMG_MAP_ANONYMOUS;
		break;
	case CRIMG_LCR_VMA_SHM_IPC:
	case CRIMG_LCR_VMA_SHM_IPC_SKIP:
		e->status |= CRIMG_VMA_SYSV | CRIMG_VMA_ANON_SHARED;
		e->flags |= CRIMG_MAP_ANONYMOUS;
		break;
	case CRIMG_LCR_VMA_VDSO: // not a regular area: the kernel kept no contents of it
		e->status = CRIMG_VMA_VDSO | CRIMG_VMA_ANON_PRIVATE;
		e->flags |= CRIMG_MAP_ANONYMOUS;
		return;
	default:
		e->status |= CRIMG_VMA_ANON_PRIVATE | kernel_area_place(mm, e->start, e->end);
		e->flags |= CRIMG_MAP_ANONYMOUS;
		return;
	}
	e->shmid = inode != NULL ? linuxcr_segment_id(inode) : 0;
	e->pgoff = linuxcr_u64(r, CRIMG_LCR_VMA_PGOFF) * CRIMG_PAGE_BYTES;
}

static void put_vma(const struct linuxcr *c, VmaEntry *e, const MmEntry *mm,
		    const struct linuxcr_record *r)
{
	uint64_t flags = linuxcr_u64(r, CRIMG_LCR_VMA_FLAGS);
	vma_entry__init(e);
	e->start = linuxcr_u64(r, CRIMG_LCR_VMA_START);
	e->end = linuxcr_u64(r, CRIMG_LCR_VMA_END);
	e->fd = -1;
	put_type(c, e, mm, r);
	kernel_vm_flags(e, flags);
	const struct linuxcr_object *file =
		linuxcr_find(c, CRIMG_LCR_OBJ_FILE, linuxcr_ref(r, CRIMG_LCR_VMA_FILE));
	e->has_fdflags = file != NULL && file->body != NULL;
	if (e->has_fdflags)
		e->fdflags = linuxcr_file_flags(file);
}

static int add_vmas(struct linuxcr_image *m, MmEntry *e, const struct linuxcr_object *mm,
		    struct crimg_err *err)
{
	size_t count = 0;
	for (const struct linuxcr_record *r = mm->first; r != NULL; r = r->sibling)
		count++;
	VmaEntry *list = crimg_arena_alloc(&m->arena, (count + 1) * sizeof *list);
	e->vmas = crimg_arena_alloc(&m->arena, (count + 1) * sizeof *e->vmas);
	if (list == NULL || e->vmas == NULL)
		return crimg_fail_nomem(err, count * sizeof *list);
	for (const struct linuxcr_record *r = mm->first; r != NULL; r = r->sibling) {
		put_vma(&m->c, &list[e->n_vmas], e, r);
		e->vmas[e->n_vmas] = &list[e->n_vmas];
		e->n_vmas++;
	}
	return 0;
}

// The kernel's array of longs in words of 64 bits; a 32-bit kernel's longs are half of one.
static int add_auxv(struct linuxcr_image *m, MmEntry *e, const struct linuxcr_record *r,
		    struct crimg_err *err)
{
	size_t count = r == NULL ? 0 : r->length / 8;
	bool narrow = m->c.stream.profile.word == 4;
	e->mm_saved_auxv = crimg_arena_alloc(&m->arena, (count + 1) * sizeof *e->mm_saved_auxv);
	if (e->mm_saved_auxv == NULL)
		return crimg_fail_nomem(err, count * 8);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t word = linuxcr_u64(r, 8 * i);
		if (narrow && ++i < count)
			word = (word & UINT32_MAX) | linuxcr_u64(r, 8 * i) << 32;
		e->mm_saved_auxv[e->n_mm_saved_auxv++] = word;
	}
	return 0;
}

int linuxcr_put_mm(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err)
{
	MmEntry e = MM_ENTRY__INIT;
	const struct linuxcr_task *t = linuxcr_living(m, &m->tasks.processes[object]);
	const struct linuxcr_object *mm = t == NULL ? NULL : linuxcr_task_object(&m->c, t, 1);
	if (index > 0 || mm == NULL)
		return 0;
	uint64_t *const words[] = {&e.mm_start_code,  &e.mm_end_code,  &e.mm_start_data,
				   &e.mm_end_data,    &e.mm_start_brk, &e.mm_brk,
				   &e.mm_start_stack, &e.mm_arg_start, &e.mm_arg_end,
				   &e.mm_env_start,   &e.mm_env_end};
	for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++)
		*words[i] = mm_word(mm, i);
	e.exe_file_id = linuxcr_u32(mm->body, CRIMG_LCR_MM_EXE);
	e.has_dumpable = true;
	e.dumpable = (int32_t)(linuxcr_u64(mm->body, CRIMG_LCR_MM_FLAGS) & 3);
	if (e.dumpable == 3) // by root alone: the kernel keeps a bit for each step
		e.dumpable = 2;
	crimg_arena_reset(&m->arena);
	if (add_vmas(m, &e, mm, err) < 0 || add_auxv(m, &e, mm->parts[0], err) < 0)
		return -1;
	linuxcr_from(out, mm->body);
	return model_encode(&e.base, out, err);
}
