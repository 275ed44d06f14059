// The numbers of user space become those that the kernel kept for an area.
#include "writers/kstream_areas.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/layout_kernel.h"
#include "format/limits.h"
#include "format/names.h"

// Bits of a page table entry
#define PAGE_USER 0x25u // present, for users, accessed
#define PAGE_RW 0x2u
#define PAGE_NONE 0x120u
#define PAGE_NX (UINT64_C(1) << 63)

#define ACCESS_MASK 3u
#define READ_ONLY 0u
#define DEV_ZERO "/dev/zero" // what shared memory without a name is called

static const struct {
	uint32_t status;
	const char *lost;
} no_place[] = {
	{ CRIMG_VMA_VSYSCALL, NULL }, // the kernel's own, everywhere
	{ CRIMG_VMA_VVAR, "left out: these kernels have no such area, and their vDSO needs none" },
	{ CRIMG_VMA_GUARD, "left out: a guard region becomes a gap" },
	{ CRIMG_VMA_AIO, "left out: asynchronous input and output have no place" },
	{ CRIMG_VMA_SOCKET, "left out: mapped sockets have no place" },
	{ CRIMG_VMA_SHADOW_STACK, "left out: shadow stacks have no place" },
};

static const struct {
	uint32_t user, vm;
} flags[] = {
	{ CRIMG_MAP_GROWSDOWN, KERNEL_VM_GROWSDOWN }, { CRIMG_MAP_LOCKED, KERNEL_VM_LOCKED },
	{ CRIMG_MAP_NORESERVE, KERNEL_VM_NORESERVE },
}, advice[] = {
	{ 1u << 1, KERNEL_VM_RAND_READ }, { 1u << 2, KERNEL_VM_SEQ_READ },
	{ 1u << 10, KERNEL_VM_DONTCOPY },
};

// Shared memory that is a file without name (since CRIU 4) is what it was.
static bool is_plain_memory(struct kstream *k, const VmaEntry *vma)
{
	const struct crimg_file *f = crimg_files_find(&k->files, (uint32_t)vma->shmid);
	const MemfdFileEntry *memfd = f != NULL && f->type == FD_TYPES__MEMFD ? f->message : NULL;
	struct crimg_list inodes = { .count = 0 };
	if (memfd == NULL || kstream_failed(&k->out)
	    || crimg_image_select(k->image, CRIMG_KIND_MEMFD_INODE, "inode_id", memfd->inode_id, &inodes,
	                          &k->out.err) < 0)
		return false;
	const MemfdInodeEntry *inode = inodes.count > 0 ? inodes.items[0] : NULL;
	return inode != NULL && strcmp(inode->name, DEV_ZERO) == 0;
}

static bool is_standin(const VmaEntry *vma)
{
	return (vma->status & CRIMG_VMA_ANON_SHARED) != 0
		&& (vma->shmid == CRIMG_VDSO_SEGMENT || vma->shmid == CRIMG_VDSO_SEGMENT_32);
}

static uint32_t type_of_file(struct kstream *k, const VmaEntry *vma, const char **lost)
{
	const struct crimg_file *f = crimg_files_find(&k->files, (uint32_t)vma->shmid);
	bool named = f != NULL && f->type == FD_TYPES__REG && f->message != NULL;
	if (!named) {
		*lost = "its file has no place: it becomes private memory, with the pages that are its own";
		return CRIMG_LCR_VMA_ANON;
	}
	return (vma->status & CRIMG_VMA_FILE_SHARED) != 0 ? CRIMG_LCR_VMA_SHM_FILE : CRIMG_LCR_VMA_FILE_PRIVATE;
}

uint32_t kstream_area_type(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                           const char **lost)
{
	const VmaEntry *vma = area->vma;
	const char *ignored;
	(void)task;
	if (lost == NULL)
		lost = &ignored;
	for (size_t i = 0; i < sizeof no_place / sizeof no_place[0]; i++)
		if ((vma->status & no_place[i].status) != 0) {
			*lost = no_place[i].lost;
			return 0;
		}
	if ((vma->flags & CRIMG_MAP_HUGETLB) != 0)
		*lost = "its pages become those of usual size";
	if ((vma->status & CRIMG_VMA_VDSO) != 0 || is_standin(vma))
		return CRIMG_LCR_VMA_VDSO;
	if ((vma->status & CRIMG_VMA_SYSV) != 0)
		return CRIMG_LCR_VMA_SHM_IPC_SKIP;
	if ((vma->status & CRIMG_VMA_ANON_SHARED) != 0)
		return CRIMG_LCR_VMA_SHM_ANON;
	if ((vma->status & CRIMG_VMA_MEMFD) != 0 && (vma->status & CRIMG_VMA_FILE_SHARED) != 0) {
		if (!is_plain_memory(k, vma))
			*lost = "its file in memory becomes shared memory without name";
		return CRIMG_LCR_VMA_SHM_ANON;
	}
	return (vma->status & CRIMG_VMA_FILE) != 0 ? type_of_file(k, vma, lost) : CRIMG_LCR_VMA_ANON;
}

// Advice that these kernels do not know.
static void lose_advice(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area)
{
	uint64_t known = 0, left;
	char names[128], what[192];
	for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++)
		known |= advice[i].user;
	left = area->vma->has_madv ? area->vma->madv & ~known : 0;
	if (left == 0)
		return;
	snprintf(what, sizeof what, "no place for the advice %s",
	         crimg_flags_text(CRIMG_NAMES_MADVISE, left, names, sizeof names));
	kstream_area_lose(k, task, area, what);
}

void kstream_area_tell(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                       uint32_t type, const char *lost)
{
	if (lost != NULL)
		kstream_area_lose(k, task, area, lost);
	if (type != 0)
		lose_advice(k, task, area);
}

void kstream_area_lose(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                       const char *what)
{
	char text[192];
	snprintf(text, sizeof text, "0x%" PRIx64 "-0x%" PRIx64 ": %s", area->start, area->end, what);
	kstream_lose_of(k, CRIMG_KIND_MM, task->pid, "vmas", text);
}

uint64_t kstream_area_segment_bytes(const struct crimg_area *area)
{
	const struct crimg_pagemap *map = area->segment != NULL ? area->segment->map : NULL;
	uint64_t end = crimg_area_offset(area, area->start) + (area->end - area->start);
	return map != NULL && map->last_end > end ? map->last_end : end;
}

// A file that is not open for writing is mapped as if it were private.
static uint32_t sharing(const VmaEntry *vma, const struct kstream_area *a)
{
	if ((vma->flags & CRIMG_MAP_SHARED) == 0 || a->type == CRIMG_LCR_VMA_VDSO)
		return KERNEL_VM_MAYPROT;
	if (a->type == CRIMG_LCR_VMA_SHM_FILE && vma->has_fdflags && (vma->fdflags & ACCESS_MASK) == READ_ONLY)
		return (KERNEL_VM_MAYPROT & ~KERNEL_VM_MAYWRITE) | KERNEL_VM_MAYSHARE;
	return KERNEL_VM_MAYPROT | KERNEL_VM_MAYSHARE | KERNEL_VM_SHARED;
}

static uint64_t flags_of(const VmaEntry *vma, const struct kstream_area *a, bool executable)
{
	uint32_t vm = (vma->prot & KERNEL_VM_PROT) | sharing(vma, a);
	if (a->type == CRIMG_LCR_VMA_VDSO)
		return vm | KERNEL_VM_DONTEXPAND | KERNEL_VM_ALWAYSDUMP;
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		vm |= (vma->flags & flags[i].user) != 0 ? flags[i].vm : 0;
	for (size_t i = 0; vma->has_madv && i < sizeof advice / sizeof advice[0]; i++)
		vm |= (vma->madv & advice[i].user) != 0 ? advice[i].vm : 0;
	if ((vm & (KERNEL_VM_WRITE | KERNEL_VM_SHARED | KERNEL_VM_NORESERVE)) == KERNEL_VM_WRITE)
		vm |= KERNEL_VM_ACCOUNT;
	if (a->file != 0 || a->type == CRIMG_LCR_VMA_SHM_IPC_SKIP)
		vm |= KERNEL_VM_CAN_NONLINEAR;
	return executable ? vm | KERNEL_VM_DENYWRITE | KERNEL_VM_EXECUTABLE : vm;
}

// Pages of files are written only once they are told of; private ones once they are copied.
static uint64_t protection_of(uint64_t vm, const struct kstream_area *a)
{
	uint64_t bits = PAGE_USER;
	if ((vm & KERNEL_VM_PROT) == 0)
		return PAGE_NONE;
	if ((vm & (KERNEL_VM_WRITE | KERNEL_VM_SHARED)) == (KERNEL_VM_WRITE | KERNEL_VM_SHARED)
	    && a->type != CRIMG_LCR_VMA_SHM_FILE)
		bits |= PAGE_RW;
	return (vm & CRIMG_PROT_EXEC) != 0 ? bits : bits | PAGE_NX;
}

static uint64_t page_offset(const struct crimg_area *area, const struct kstream_area *a)
{
	if (a->type == CRIMG_LCR_VMA_ANON || a->type == CRIMG_LCR_VMA_VDSO)
		return area->start / CRIMG_PAGE_BYTES;
	return crimg_area_offset(area, area->start) / CRIMG_PAGE_BYTES;
}

void kstream_area_put(struct kstream_out *o, const struct crimg_area *area, const struct kstream_area *a)
{
	uint64_t vm = flags_of(area->vma, a, a->executable);
	kstream_begin(o, CRIMG_LCR_VMA);
	kstream_u32(o, a->type);
	kstream_ref(o, a->file);
	kstream_ref(o, a->inode);
	kstream_u32(o, 0);
	kstream_u64(o, a->size);
	kstream_u64(o, area->start);
	kstream_u64(o, area->end);
	kstream_u64(o, protection_of(vm, a));
	kstream_u64(o, vm);
	kstream_u64(o, page_offset(area, a));
	if (o->rc2)
		kstream_u64(o, 0); // size of huge pages
	kstream_end(o);
}
