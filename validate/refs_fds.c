// Descriptor tables: each is somebody's, its descriptors are there once and hold a file of their type.
#include "validate/numbered.h"

static void check_fd(struct crimg_numbered *r, const FdinfoEntry *fd)
{
	struct crimg_place at;
	if (!crimg_ref_use(r, CRIMG_REF_FILE, fd->id)) {
		at = crimg_place_message(r->c, fd, "id");
		CRIMG_FIND(r->c, NO_FILE, &at, "descriptor %u is file %u, which is not in the image", fd->fd,
		           fd->id);
		return;
	}
	const struct crimg_file *file = crimg_ref_find(r, CRIMG_REF_FILE, fd->id);
	if (file == NULL || file->type == fd->type)
		return;
	at = crimg_place_message(r->c, fd, "type");
	CRIMG_FIND(r->c, FD_TYPE, &at, "descriptor %u has type %d, its file %u has type %d", fd->fd,
	           (int)fd->type, fd->id, (int)file->type);
}

// Repeats stand side by side.
static void check_repeats(struct crimg_numbered *r)
{
	const struct crimg_id_set *fds = &r->sets[CRIMG_REF_FD];
	for (size_t i = 1; i < fds->count; i++) {
		if (!crimg_id_set_repeats(fds, i))
			continue;
		const FdinfoEntry *fd = fds->list[i].thing;
		struct crimg_place at = crimg_place_message(r->c, fd, "fd");
		CRIMG_FIND(r->c, FD_TWICE, &at, "descriptor %u is there twice", fd->fd);
	}
}

static void check_task(struct crimg_numbered *r, const struct crimg_task *task)
{
	const struct crimg_image_object *table = crimg_ref_fdtable(r, task);
	if (table != NULL)
		(void)crimg_ref_use(r, CRIMG_REF_FDTABLE, table->object.id);
	if (table != NULL || !crimg_task_has_memory(task) || task->ids == NULL
	    || crimg_ref_use(r, CRIMG_REF_FDTABLE, task->ids->files_id))
		return;
	struct crimg_place at = crimg_place_message(r->c, task->ids, "files_id");
	CRIMG_FIND(r->c, NO_FDTABLE, &at, "process %u has descriptor table %u: fdinfo-%u.img is missing",
	           task->pid, task->ids->files_id, task->ids->files_id);
}

void crimg_refs_fds(struct crimg_numbered *r)
{
	for (size_t i = 0; i < r->c->tasks.count; i++)
		check_task(r, &r->c->tasks.list[i]);
	for (size_t i = 0; i < r->sets[CRIMG_REF_FD].count; i++)
		check_fd(r, r->sets[CRIMG_REF_FD].list[i].thing);
	check_repeats(r);
}
