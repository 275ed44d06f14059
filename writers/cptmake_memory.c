// Address spaces: mappings in the kernel's flags, pages between them.
#include "format/checked.h"
#include "format/layout_kernel.h"
#include "format/limits.h"
#include "format/search.h"
#include "format/vma_flags.h"
#include "writers/cptmake.h"

#define TYPE_SHARED 1u
#define TYPE_VDSO 2u

static const struct {
	uint32_t user, vm;
} map_flags[] = {
	{CRIMG_MAP_GROWSDOWN, KERNEL_VM_GROWSDOWN},
	{CRIMG_MAP_LOCKED, KERNEL_VM_LOCKED},
	{CRIMG_MAP_NORESERVE, KERNEL_VM_NORESERVE},
};

static const struct {
	uint32_t advice, vm;
} advices[] = {
	{1, KERNEL_VM_RAND_READ},
	{2, KERNEL_VM_SEQ_READ},
	{10, KERNEL_VM_DONTCOPY},
};
#define KNOWN_ADVICE (1ull << 1 | 1ull << 2 | 1ull << 10)

// What mmap() was given, in the kernel's flags.
static uint64_t vm_flags(const VmaEntry *v, const MmEntry *mm, bool *advice_lost)
{
	bool shared = (v->flags & CRIMG_MAP_SHARED) != 0;
	uint64_t flags = (v->prot & KERNEL_VM_PROT) | KERNEL_VM_MAYPROT
			 | (shared ? KERNEL_VM_SHARED | KERNEL_VM_MAYSHARE : 0);
	for (size_t i = 0; i < sizeof map_flags / sizeof map_flags[0]; i++)
		if ((v->flags & map_flags[i].user) != 0)
			flags |= map_flags[i].vm;
	for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
		if ((v->madv >> advices[i].advice & 1) != 0)
			flags |= advices[i].vm;
	*advice_lost = (v->madv & ~KNOWN_ADVICE) != 0;
	if ((v->status & CRIMG_VMA_VVAR) != 0)
		flags |= KERNEL_VM_IO | KERNEL_VM_PFNMAP;
	if (!shared && (v->prot & CRIMG_PROT_WRITE) != 0 && (v->flags & CRIMG_MAP_NORESERVE) == 0)
		flags |= KERNEL_VM_ACCOUNT;
	if ((v->status & CRIMG_VMA_FILE) != 0 && v->shmid == mm->exe_file_id)
		flags |= KERNEL_VM_EXECUTABLE;
	return flags;
}

static uint64_t file_of(const struct cptmake *k, const VmaEntry *v)
{
	if ((v->status & CRIMG_VMA_SYSV) != 0) // which may say that it is shared, too
		return cptmake_at(&k->opened, CPTMAKE_KEY(CPTMAKE_SYSV, v->shmid));
	if ((v->status & CRIMG_VMA_ANON_SHARED) != 0)
		return cptmake_at(&k->opened, CPTMAKE_KEY(CPTMAKE_SEGMENT, v->shmid));
	return (v->status & CRIMG_VMA_FILE) != 0 ? cptmake_at(&k->opened, v->shmid) : CRIMG_CPT_NONE;
}

static int put_run(struct cptmake *k, const struct crimg_image_object *o,
		   const struct crimg_page_run *r, uint64_t start, uint64_t end,
		   struct crimg_err *err)
{
	struct cptmake_object head = cptmake_new(CRIMG_CPT_OBJ_PAGES, CRIMG_CPT_CONTENT_DATA);
	struct cptmake_mark mark;
	if (r->flags & CRIMG_PE_PARENT)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->origin, CRIMG_NO_OFFSET,
				  "pages of the parent image found, all in one image wanted: "
				  "--merge-parents makes one");
	if (r->blocks != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->origin, CRIMG_NO_OFFSET,
				  "compressed pages found, plain ones wanted: --compress=none makes "
				  "them");
	if ((r->flags & CRIMG_PE_PRESENT) == 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->origin, CRIMG_NO_OFFSET,
				  "pages that are not in the image found");
	cptmake_set(&head, CRIMG_CPT_PAGES_START, start);
	cptmake_set(&head, CRIMG_CPT_PAGES_END, end);
	struct carried_piece piece = {
		.kind = CRIMG_KIND_PAGES,
		.id = o->map->pages_id,
		.from = r->offset + (start - r->vaddr),
		.length = end - start,
		.total = o->map->stored_bytes,
	};
	return cptmake_begin(k, &head, &mark, err) < 0 || carried_contents(k->c, piece, err) < 0
		       ? -1
		       : cptmake_end(k, mark, err);
}

int cptmake_pages(struct cptmake *k, const struct crimg_image_object *o, uint64_t start,
		  uint64_t end, struct crimg_err *err)
{
	const struct crimg_pagemap *map = o != NULL ? o->map : NULL;
	size_t at = 0;
	if (map == NULL)
		return 0;
	CRIMG_COUNT_BEFORE(at, map->count,
			   map->runs[at].vaddr + map->runs[at].pages * CRIMG_PAGE_BYTES <= start);
	for (; at < map->count && map->runs[at].vaddr < end; at++) {
		const struct crimg_page_run *r = &map->runs[at];
		uint64_t from = r->vaddr > start ? r->vaddr : start;
		uint64_t to = crimg_min_u64(end, r->vaddr + r->pages * CRIMG_PAGE_BYTES);
		if (put_run(k, o, r, from, to, err) < 0)
			return -1;
	}
	return 0;
}

static int put_vma(struct cptmake *k, const struct crimg_task *task, const VmaEntry *v,
		   struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_VMA, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	bool advice_lost;
	if ((v->status & CRIMG_VMA_VSYSCALL) != 0)
		return cptmake_lose(k, CRIMG_KIND_MM, task->pid, "vmas",
				    "left out: an area of the kernel's own", err);
	uint64_t file = file_of(k, v);
	if (file == CRIMG_CPT_NONE
	    && (v->status & (CRIMG_VMA_FILE | CRIMG_VMA_SYSV | CRIMG_VMA_ANON_SHARED)) != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %u maps file or segment %llu, which has no place in an "
				  "OpenVZ image",
				  task->pid, (unsigned long long)v->shmid);
	if ((v->flags & CRIMG_MAP_HUGETLB) != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %u has huge pages, which have no place in an OpenVZ image",
				  task->pid);
	cptmake_set(&o, CRIMG_CPT_VMA_FILE, file);
	cptmake_set(&o, CRIMG_CPT_VMA_TYPE,
		    (v->status & CRIMG_VMA_VDSO) != 0                             ? TYPE_VDSO
		    : (v->status & (CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) != 0 ? TYPE_SHARED
									     : 0);
	cptmake_set(&o, CRIMG_CPT_VMA_START, v->start);
	cptmake_set(&o, CRIMG_CPT_VMA_END, v->end);
	cptmake_set(&o, CRIMG_CPT_VMA_FLAGS, vm_flags(v, task->mm, &advice_lost));
	if (advice_lost
	    && cptmake_lose(k, CRIMG_KIND_MM, task->pid, "vmas.madv", "advice is left out", err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_VMA_PGPROT, 0x25);
	cptmake_set(&o, CRIMG_CPT_VMA_PGOFF, v->pgoff / CRIMG_PAGE_BYTES);
	return cptmake_begin(k, &o, &mark, err) < 0
			       || cptmake_pages(k, task->pagemap, v->start, v->end, err) < 0
		       ? -1
		       : cptmake_end(k, mark, err);
}

static int put_auxv(struct cptmake *k, const MmEntry *mm, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_MM_AUXV, CRIMG_CPT_CONTENT_DATA);
	struct cptmake_mark mark;
	size_t count = mm->n_mm_saved_auxv;
	if (count == 0)
		return 0;
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		uint8_t word[8];
		crimg_put_u64(word, mm->mm_saved_auxv[i]);
		if (carried_head(k->c, word, sizeof word, err) < 0)
			return -1;
	}
	return cptmake_end(k, mark, err);
}

static int put_mm(struct cptmake *k, const struct crimg_task *task, uint64_t *at,
		  struct crimg_err *err)
{
	const MmEntry *mm = task->mm;
	const uint64_t words[] = {mm->mm_start_code,  mm->mm_end_code,  mm->mm_start_data,
				  mm->mm_end_data,    mm->mm_start_brk, mm->mm_brk,
				  mm->mm_start_stack, mm->mm_arg_start, mm->mm_arg_end,
				  mm->mm_env_start,   mm->mm_env_end};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_MM, CRIMG_CPT_CONTENT_ARRAY);
	struct crimg_list vmas;
	struct cptmake_mark mark;
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		cptmake_set(&o, (enum crimg_cpt_field)(CRIMG_CPT_MM_START_CODE + i), words[i]);
	cptmake_set(&o, CRIMG_CPT_MM_MM_FLAGS, 0xcc | (mm->has_dumpable ? mm->dumpable & 3 : 1));
	if (mm->n_aios > 0
	    && cptmake_lose(k, CRIMG_KIND_MM, task->pid, "aios", "left out", err) < 0)
		return -1;
	if (crimg_task_list(k->image, task, CRIMG_PART_VMAS, &vmas, err) < 0
	    || cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < vmas.count; i++)
		if (put_vma(k, task, vmas.items[i], err) < 0)
			return -1;
	*at = mark.at;
	return put_auxv(k, mm, err) < 0 ? -1 : cptmake_end(k, mark, err);
}

int cptmake_memory(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_MM, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		const struct crimg_task *t = &k->tasks.list[i];
		struct cptmake_place *p =
			t->ids == NULL ? NULL
				       : cptmake_map_find(&k->shared,
							  CPTMAKE_KEY(CRIMG_CPT_OBJ_MM,
								      t->ids->vm_id));
		if (p != NULL && p->at == 0 && t->mm != NULL && put_mm(k, t, &p->at, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
