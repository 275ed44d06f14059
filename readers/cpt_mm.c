// Address spaces: the kernel's numbers of a mapping become those that user space gives mmap().
#include "format/limits.h"
#include "readers/cpt_records.h"
#include "readers/kernel_task.h"

enum { TYPE_PLAIN, TYPE_SHARED, TYPE_VDSO, TYPE_VDSO_OLD };

#define VM_EXECUTABLE 0x1000u // a mapping of the program's file
#define MM_DUMPABLE 3u        // of mm_flags

static void put_file(struct cpt_image *m, VmaEntry *e, const struct cpt_object *file)
{
	const struct cpt_object *inode = m->files[file->nth].inode;
	const struct cpt_inode *of = inode == NULL ? NULL : &m->inodes[inode->nth];
	bool shared = (e->flags & CRIMG_MAP_SHARED) != 0;
	if (of != NULL && of->role == CPT_ROLE_SYSV) {
		const struct cpt_object *shm =
			cpt_child(&m->c, inode, NULL, CRIMG_CPT_OBJ_SYSV_SHM);
		e->status |= CRIMG_VMA_SYSV | CRIMG_VMA_ANON_SHARED;
		e->flags |= CRIMG_MAP_ANONYMOUS;
		e->shmid = cpt_get(&m->c, shm, CRIMG_CPT_SYSV_SHM_ID);
	} else if (of != NULL && of->role == CPT_ROLE_SEGMENT && shared) {
		e->status |= CRIMG_VMA_ANON_SHARED;
		e->flags |= CRIMG_MAP_ANONYMOUS;
		e->shmid = 0x80000000u + cpt_id(inode);
	} else {
		e->status |= m->files[file->nth].type == FD_TYPES__PACKETSK
				     ? CRIMG_VMA_SOCKET
			     : shared ? CRIMG_VMA_FILE_SHARED
				      : CRIMG_VMA_FILE_PRIVATE;
		e->shmid = cpt_id(file);
	}
	e->has_fdflags = true;
	e->fdflags = cpt_u32(&m->c, file, CRIMG_CPT_FILE_FLAGS);
}

// Private memory that may be written is accounted, unless the program asked for none to be kept ready.
static uint32_t reserve_flag(uint64_t flags)
{
	uint64_t both = flags & (KERNEL_VM_WRITE | KERNEL_VM_SHARED);
	return both == KERNEL_VM_WRITE && (flags & KERNEL_VM_ACCOUNT) == 0 ? CRIMG_MAP_NORESERVE
									   : 0;
}

static void put_vma(struct cpt_image *m, VmaEntry *e, const MmEntry *mm,
		    const struct cpt_object *vma)
{
	const struct cpt *c = &m->c;
	uint64_t type = cpt_get(c, vma, CRIMG_CPT_VMA_TYPE);
	uint64_t flags = cpt_get(c, vma, CRIMG_CPT_VMA_FLAGS);
	const struct cpt_object *file = cpt_ref(c, vma, CRIMG_CPT_VMA_FILE);
	vma_entry__init(e);
	e->fd = -1;
	e->start = cpt_get(c, vma, CRIMG_CPT_VMA_START);
	e->end = cpt_get(c, vma, CRIMG_CPT_VMA_END);
	e->status = CRIMG_VMA_REGULAR;
	kernel_vm_flags(e, flags);
	e->flags |= reserve_flag(flags);
	if (file != NULL) {
		put_file(m, e, file);
		e->pgoff = cpt_get(c, vma, CRIMG_CPT_VMA_PGOFF) * CRIMG_PAGE_BYTES;
		return;
	}
	e->flags |= CRIMG_MAP_ANONYMOUS;
	e->status |= CRIMG_VMA_ANON_PRIVATE;
	if (type == TYPE_VDSO || type == TYPE_VDSO_OLD)
		e->status |= CRIMG_VMA_VDSO;
	else if ((flags & (KERNEL_VM_IO | KERNEL_VM_PFNMAP)) == (KERNEL_VM_IO | KERNEL_VM_PFNMAP))
		e->status |= CRIMG_VMA_VVAR; // of kernels after OpenVZ's, in images made of theirs
	else
		e->status |= kernel_area_place(mm, e->start, e->end) & CRIMG_VMA_HEAP; // as CRIU tells
}

// A mapping whose pages are not in the order of the file is as many mappings as there are runs in order.
static size_t split(const struct cpt *c, const struct cpt_object *vma, const VmaEntry *whole,
		    VmaEntry *list)
{
	const struct cpt_object *o = NULL;
	VmaEntry *e = list;
	uint64_t at = whole->start;
	while ((o = cpt_child(c, vma, o, CRIMG_CPT_OBJ_REMAPPAGES)) != NULL) {
		uint64_t start = cpt_get(c, o, CRIMG_CPT_REMAPPAGES_START);
		uint64_t end = cpt_get(c, o, CRIMG_CPT_REMAPPAGES_END);
		if (start < at || end <= start || end > whole->end
		    || (start | end) % CRIMG_PAGE_BYTES != 0)
			continue;
		if (start > at) {
			*e = *whole;
			e->start = at;
			e->pgoff = whole->pgoff + (at - whole->start);
			e++->end = start;
		}
		*e = *whole;
		e->start = start;
		e->end = at = end;
		e++->pgoff = cpt_get(c, o, CRIMG_CPT_REMAPPAGES_PGOFF) * CRIMG_PAGE_BYTES;
	}
	if (at < whole->end) {
		*e = *whole;
		e->start = at;
		e++->pgoff = whole->pgoff + (at - whole->start);
	}
	return (size_t)(e - list);
}

// As many entries as there can be.
static size_t count_areas(const struct cpt *c, const struct cpt_object *mm)
{
	const struct cpt_object *vma = NULL, *o;
	size_t count = 0;
	while ((vma = cpt_child(c, mm, vma, CRIMG_CPT_OBJ_VMA)) != NULL) {
		count++;
		o = NULL;
		while ((o = cpt_child(c, vma, o, CRIMG_CPT_OBJ_REMAPPAGES)) != NULL)
			count += 2;
	}
	return count;
}

static int add_vmas(struct cpt_image *m, MmEntry *e, const struct cpt_object *mm,
		    struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *vma = NULL;
	size_t count = count_areas(c, mm);
	VmaEntry *list = cpt_make(m, count, sizeof *list, err), whole;
	e->vmas = cpt_make(m, count, sizeof *e->vmas, err);
	if (list == NULL || e->vmas == NULL)
		return -1;
	while ((vma = cpt_child(c, mm, vma, CRIMG_CPT_OBJ_VMA)) != NULL) {
		put_vma(m, &whole, e, vma);
		if ((cpt_get(c, vma, CRIMG_CPT_VMA_FLAGS) & VM_EXECUTABLE) != 0
		    && e->exe_file_id == 0)
			e->exe_file_id = cpt_id(cpt_ref(c, vma, CRIMG_CPT_VMA_FILE));
		size_t n = whole.start < whole.end ? split(c, vma, &whole, &list[e->n_vmas]) : 0;
		for (; n > 0; n--, e->n_vmas++)
			e->vmas[e->n_vmas] = &list[e->n_vmas];
	}
	return 0;
}

// Neither has the pair of zeros that ends it.
static int add_auxv(struct cpt_image *m, MmEntry *e, const struct cpt_object *mm,
		    struct crimg_err *err)
{
	enum { LONGEST = 1 << 16 };
	const struct cpt_object *o = cpt_child(&m->c, mm, NULL, CRIMG_CPT_OBJ_MM_AUXV);
	size_t length;
	if (o == NULL)
		return 0;
	uint8_t *data = cpt_read(&m->c, o, LONGEST, &length, &m->arena, err);
	if (data == NULL)
		return -1;
	size_t count = length / 8;
	e->mm_saved_auxv = cpt_make(m, count, sizeof *e->mm_saved_auxv, err);
	if (e->mm_saved_auxv == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		e->mm_saved_auxv[i] = crimg_get_u64(data + 8 * i);
	e->n_mm_saved_auxv = count;
	return 0;
}

static int add_aio(struct cpt_image *m, MmEntry *e, const struct cpt_object *mm,
		   struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *o = NULL;
	size_t count = 0;
	while ((o = cpt_child(c, mm, o, CRIMG_CPT_OBJ_AIO_CONTEXT)) != NULL)
		count++;
	AioRingEntry *list = cpt_make(m, count, sizeof *list, err);
	e->aios = cpt_make(m, count, sizeof *e->aios, err);
	if (list == NULL || e->aios == NULL)
		return -1;
	while ((o = cpt_child(c, mm, o, CRIMG_CPT_OBJ_AIO_CONTEXT)) != NULL) {
		AioRingEntry *a = &list[e->n_aios];
		aio_ring_entry__init(a);
		a->id = cpt_get(c, o, CRIMG_CPT_AIO_CONTEXT_MMAP_BASE);
		a->nr_req = cpt_u32(c, o, CRIMG_CPT_AIO_CONTEXT_MAX_REQS);
		a->ring_len = cpt_u32(c, o, CRIMG_CPT_AIO_CONTEXT_RING_PAGES) * CRIMG_PAGE_BYTES;
		e->aios[e->n_aios++] = a;
	}
	return 0;
}

// Until 2.6.32 it had a byte of its own, which later held whatever was there.
static void put_dumpable(const struct cpt *c, MmEntry *e, const struct cpt_object *mm)
{
	bool flags = cpt_has(c, mm, CRIMG_CPT_MM_MM_FLAGS);
	e->has_dumpable = flags || cpt_has(c, mm, CRIMG_CPT_MM_DUMPABLE);
	e->dumpable = flags ? (int32_t)(cpt_get(c, mm, CRIMG_CPT_MM_MM_FLAGS) & MM_DUMPABLE)
			    : (int32_t)cpt_get(c, mm, CRIMG_CPT_MM_DUMPABLE);
}

CPT_ENTRY(cpt_put_mm)
{
	const struct cpt *c = &m->c;
	MmEntry e = MM_ENTRY__INIT;
	const struct cpt_object *t = cpt_living(m, &m->tasks.processes[object]);
	const struct cpt_object *mm = t == NULL ? NULL : cpt_ref(c, t, CRIMG_CPT_TASK_MM);
	uint64_t *const words[] = {&e.mm_start_code,  &e.mm_end_code,  &e.mm_start_data,
				   &e.mm_end_data,    &e.mm_start_brk, &e.mm_brk,
				   &e.mm_start_stack, &e.mm_arg_start, &e.mm_arg_end,
				   &e.mm_env_start,   &e.mm_env_end};
	if (index > 0 || mm == NULL)
		return 0;
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		*words[i] = cpt_get(c, mm, (enum crimg_cpt_field)(CRIMG_CPT_MM_START_CODE + i));
	put_dumpable(c, &e, mm);
	crimg_arena_reset(&m->arena);
	if (add_vmas(m, &e, mm, err) < 0 || add_auxv(m, &e, mm, err) < 0
	    || add_aio(m, &e, mm, err) < 0)
		return -1;
	cpt_from(out, mm);
	return model_encode(&e.base, out, err);
}
