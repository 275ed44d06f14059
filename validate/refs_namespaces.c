// Namespaces and what hangs on them: their images, the mount tree, control groups.
#include <inttypes.h>

#include "validate/ns_table.h"
#include "validate/numbered.h"

static void check_task(struct crimg_numbered *r, const struct crimg_task *task,
                       const TaskKobjIdsEntry *outside)
{
	for (size_t i = 0; i < CRIMG_NS_COUNT; i++) {
		const struct crimg_ns_info *ns = &crimg_ns_table[i];
		uint32_t own, root;
		if (ns->kind == CRIMG_KIND_OPAQUE || !crimg_ns_of(task->ids, i, &own)
		    || !crimg_ns_of(outside, i, &root) || own == root
		    || crimg_image_find(r->c->image, ns->kind, own) != NULL)
			continue;
		char name[CRIMG_FILE_NAME_MAX];
		crimg_kind_file(ns->kind, own, name);
		struct crimg_place at =
			crimg_place_message(r->c, task->ids, "%s_ns_id", ns->word);
		CRIMG_FIND(r->c, NO_NAMESPACE, &at, "process %u is in %s namespace %u: %s is missing",
		           task->pid, ns->word, own, name);
	}
}

// Exactly one mount of a namespace hangs on something outside: its root.
static void check_mounts(struct crimg_numbered *r, struct crimg_image_object *tree)
{
	size_t roots = 0;
	for (size_t i = 0; i < tree->count; i++) {
		const MntEntry *m = crimg_image_message(r->c->image, tree, i, NULL);
		if (m == NULL || (crimg_ref_use(r, CRIMG_REF_MOUNT, m->parent_mnt_id)
		                  && m->parent_mnt_id != m->mnt_id))
			continue;
		if (roots++ == 0)
			continue;
		struct crimg_place at = crimg_place_message(r->c, m, "parent_mnt_id");
		CRIMG_FIND(r->c, MOUNT_TREE, &at, "mount %u on %s has parent %u, which is not in the image",
		           m->mnt_id, m->mountpoint, m->parent_mnt_id);
	}
	if (roots > 0 || tree->count == 0 || r->c->damaged[CRIMG_KIND_MNTS])
		return;
	struct crimg_place at = crimg_place_object(tree);
	CRIMG_FIND(r->c, MOUNT_TREE, &at, "no mount is the root of the others");
}

// Files name the mount they were opened on, where mounts are in the image at all.
static void check_file_mounts(struct crimg_numbered *r)
{
	for (size_t i = 0; i < r->c->files.count; i++) {
		const struct crimg_file *file = &r->c->files.list[i];
		const RegFileEntry *reg = file->type == FD_TYPES__REG ? file->message : NULL;
		if (reg == NULL || !reg->has_mnt_id || reg->mnt_id < 0
		    || crimg_ref_use(r, CRIMG_REF_MOUNT, (uint32_t)reg->mnt_id))
			continue;
		struct crimg_place at = crimg_place_opened(r->c, file, "mnt_id");
		CRIMG_FIND(r->c, MOUNT_TREE, &at, "file %u was opened on mount %d, which is not in the image",
		           file->id, reg->mnt_id);
	}
}

static void check_cgroups(struct crimg_numbered *r, const struct crimg_thread *thread,
                          const InventoryEntry *inventory)
{
	const CoreEntry *core = thread->core;
	const char *field = "thread_core.cg_set";
	uint32_t set = 0;
	if (core->thread_core != NULL && core->thread_core->has_cg_set) {
		set = core->thread_core->cg_set;
	} else if (core->tc != NULL && core->tc->has_cg_set) {
		set = core->tc->cg_set;
		field = "tc.cg_set";
	}
	if (set == 0 || set == inventory->root_cg_set || crimg_ref_use(r, CRIMG_REF_CGSET, set))
		return;
	struct crimg_place at = crimg_place_message(r->c, core, "%s", field);
	CRIMG_FIND(r->c, NO_CGROUP, &at, "thread %u is in set %u of control groups, which is not in the image",
	           thread->tid, set);
}

void crimg_refs_namespaces(struct crimg_numbered *r)
{
	struct crimg_image *image = r->c->image;
	const InventoryEntry *inventory = crimg_image_get(image, CRIMG_KIND_INVENTORY, 0, NULL);
	for (size_t i = 0; i < r->c->tasks.count; i++) {
		const struct crimg_task *task = &r->c->tasks.list[i];
		if (task->ids != NULL && inventory != NULL && inventory->root_ids != NULL)
			check_task(r, task, inventory->root_ids);
		for (size_t k = 0; k < task->thread_count; k++) {
			if (task->threads[k].core != NULL && inventory != NULL && inventory->has_root_cg_set)
				check_cgroups(r, &task->threads[k], inventory);
		}
	}
	for (struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_MNTS); o != NULL;
	     o = crimg_image_next(image, o))
		check_mounts(r, o);
	if (r->sets[CRIMG_REF_MOUNT].count > 0)
		check_file_mounts(r);
}
