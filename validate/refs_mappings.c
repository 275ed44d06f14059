// What address spaces refer to: the program, mapped files, shared memory; and which pages belong to which page map.
#include <inttypes.h>
#include <stdio.h>

#include "validate/numbered.h"

static bool is_file_mapping(const VmaEntry *vma)
{
	return (vma->status & CRIMG_VMA_FILE) != 0
	       && (vma->status & (CRIMG_VMA_SOCKET | CRIMG_VMA_AIO)) == 0;
}

// A file with a path, named by the field at this place.
static void check_path(struct crimg_numbered *r, uint64_t id, const struct crimg_place *at,
                       const char *what)
{
	if (!crimg_ref_use(r, CRIMG_REF_FILE, id))
		CRIMG_FIND(r->c, NO_FILE, at, "%s is file %" PRIu64 ", which is not in the image", what, id);
	else if (!crimg_ref_is_path(r, id))
		CRIMG_FIND(r->c, NOT_A_PATH, at, "%s is file %" PRIu64 ", which has no path", what, id);
}

static void check_file(struct crimg_numbered *r, const struct crimg_task *task, size_t i,
                       const VmaEntry *vma)
{
	char what[64];
	if (crimg_ref_use(r, CRIMG_REF_FILE, vma->shmid) && crimg_ref_is_path(r, vma->shmid))
		return;
	struct crimg_place at = crimg_place_part(r->c, task, CRIMG_PART_VMAS, i, "shmid");
	snprintf(what, sizeof what, "what process %u maps at 0x%" PRIx64, task->pid, vma->start);
	check_path(r, vma->shmid, &at, what);
}

static void check_segment(struct crimg_numbered *r, const struct crimg_task *task, size_t i,
                          const VmaEntry *vma)
{
	bool sysv = (vma->status & CRIMG_VMA_SYSV) != 0;
	bool found = crimg_ref_use(r, CRIMG_REF_SEGMENT, vma->shmid);
	// Namespaces of SysV objects are the host's, or in the image with all their segments.
	if (sysv)
		found = r->sets[CRIMG_REF_SYSV].count == 0 || r->c->damaged[CRIMG_KIND_IPCNS_SHM]
		        || crimg_ref_use(r, CRIMG_REF_SYSV, vma->shmid);
	if (found)
		return;
	struct crimg_place at = crimg_place_part(r->c, task, CRIMG_PART_VMAS, i, "shmid");
	CRIMG_FIND(r->c, NO_SEGMENT, &at, "process %u maps %s segment %" PRIu64 " at 0x%" PRIx64
	           ", which is not in the image", task->pid, sysv ? "SysV" : "shared memory", vma->shmid,
	           vma->start);
}

static void check_mappings(struct crimg_numbered *r, const struct crimg_task *task)
{
	struct crimg_list vmas = crimg_checker_list(r->c, task, CRIMG_PART_VMAS);
	for (size_t i = 0; i < vmas.count; i++) {
		const VmaEntry *vma = vmas.items[i];
		if (is_file_mapping(vma))
			check_file(r, task, i, vma);
		else if ((vma->status & (CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) != 0)
			check_segment(r, task, i, vma);
	}
}

static void check_program(struct crimg_numbered *r, const struct crimg_task *task)
{
	if (task->mm == NULL || task->mm->exe_file_id == 0)
		return;
	char what[64];
	struct crimg_place at = crimg_place_message(r->c, task->mm, "exe_file_id");
	snprintf(what, sizeof what, "the program of process %u", task->pid);
	check_path(r, task->mm->exe_file_id, &at, what);
}

// Memory files keep their contents as a segment; empty ones may have none.
static void check_memfds(struct crimg_numbered *r)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_MEMFD_INODE);
	const MemfdInodeEntry *inode;
	while ((inode = crimg_image_walk(r->c->image, &walk, NULL)) != NULL) {
		if (crimg_ref_use(r, CRIMG_REF_SEGMENT, inode->shmid) || inode->size == 0)
			continue;
		struct crimg_place at = crimg_place_message(r->c, inode, "shmid");
		CRIMG_FIND(r->c, NO_SEGMENT, &at, "memory file %" PRIu64 " is segment %u, which is not in the "
		           "image", inode->inode_id, inode->shmid);
	}
}

static void use_sysv_segments(struct crimg_numbered *r)
{
	const struct crimg_id_set *sysv = &r->sets[CRIMG_REF_SYSV];
	for (size_t i = 0; i < sysv->count; i++) {
		const IpcShmEntry *shm = sysv->list[i].thing;
		bool kept = !shm->has_in_pagemaps || !shm->in_pagemaps
		            || crimg_ref_use(r, CRIMG_REF_SEGMENT, sysv->list[i].id);
		if (kept)
			continue;
		struct crimg_place at = crimg_place_message(r->c, shm, "desc.id");
		CRIMG_FIND(r->c, NO_SEGMENT, &at, "SysV segment %u: pagemap-shmem-%u.img is missing",
		           shm->desc->id, shm->desc->id);
	}
}

static void use_pages(struct crimg_numbered *r, enum crimg_kind kind)
{
	for (struct crimg_image_object *o = crimg_image_first(r->c->image, kind); o != NULL;
	     o = crimg_image_next(r->c->image, o))
		if (o->map != NULL)
			(void)crimg_ref_use(r, CRIMG_REF_PAGES, o->map->pages_id); // missing ones were told
}

void crimg_refs_mappings(struct crimg_numbered *r)
{
	for (size_t i = 0; i < r->c->tasks.count; i++) {
		check_program(r, &r->c->tasks.list[i]);
		check_mappings(r, &r->c->tasks.list[i]);
	}
	check_memfds(r);
	use_sysv_segments(r);
	use_pages(r, CRIMG_KIND_PAGEMAP);
	use_pages(r, CRIMG_KIND_PAGEMAP_SHMEM);
}
