// The areas of a task, each with the object that its shared pages are in.
#include "format/space.h"

#include <stdlib.h>

#include "format/checked.h"

// The segment number of an area that is shared memory; false when it is none.
static int segment_id(struct crimg_image *image, const struct crimg_files *files,
                      const VmaEntry *vma, bool *found, uint64_t *id, struct crimg_err *err)
{
	struct crimg_list inodes = { NULL, 0 };
	*id = vma->shmid;
	*found = (vma->status & (CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) != 0;
	if ((vma->status & CRIMG_VMA_MEMFD) == 0)
		return 0;
	const struct crimg_file *file = vma->shmid > UINT32_MAX ? NULL
		: crimg_files_find(files, (uint32_t)vma->shmid);
	const MemfdFileEntry *memfd =
		file != NULL && file->type == FD_TYPES__MEMFD ? file->message : NULL;
	*found = false;
	if (memfd == NULL)
		return 0;
	if (crimg_image_select(image, CRIMG_KIND_MEMFD_INODE, "inode_id", memfd->inode_id, &inodes,
	                       err) < 0)
		return -1;
	*found = inodes.count > 0;
	if (*found)
		*id = ((const MemfdInodeEntry *)inodes.items[0])->shmid;
	return 0;
}

// System V segments of old images have their contents behind their message: all of one namespace, sorted
// by number.
struct old_segment {
	uint64_t id;
	struct crimg_payload_ref payload;
};

struct old_segments {
	struct old_segment *list;
	size_t count;
	bool loaded;
};

static int by_id(const void *a, const void *b)
{
	const struct old_segment *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

// Before namespaces had numbers there was one, under another number.
static struct crimg_image_object *segments_of(struct crimg_image *image,
                                              const struct crimg_task *task)
{
	struct crimg_image_object *o =
		task->ids == NULL || !task->ids->has_ipc_ns_id ? NULL
		: crimg_image_find(image, CRIMG_KIND_IPCNS_SHM, task->ids->ipc_ns_id);
	return o != NULL ? o : crimg_image_first(image, CRIMG_KIND_IPCNS_SHM);
}

static int load_old_segments(struct crimg_image *image, const struct crimg_task *task,
                             struct old_segments *out, struct crimg_err *err)
{
	struct crimg_image_object *o = segments_of(image, task);
	out->loaded = true;
	if (o == NULL)
		return 0;
	out->list = calloc(o->count + 1, sizeof *out->list);
	if (out->list == NULL)
		return crimg_fail_nomem(err, o->count * sizeof *out->list);
	for (size_t i = 0; i < o->count; i++) {
		const IpcShmEntry *shm = crimg_image_message(image, o, i, err);
		if (shm != NULL && !shm->in_pagemaps)
			out->list[out->count++] =
				(struct old_segment){ shm->desc->id, o->entries[i].payload };
	}
	qsort(out->list, out->count, sizeof *out->list, by_id);
	return 0;
}

// What loading one area needs of its image and task.
struct loading {
	struct crimg_image *image;
	const struct crimg_files *files;
	const struct crimg_task *task;
	struct old_segments old;
};

static int sysv_contents(struct loading *l, uint64_t id, struct crimg_payload_ref *out,
                         struct crimg_err *err)
{
	const struct old_segment key = { .id = id };
	if (!l->old.loaded && load_old_segments(l->image, l->task, &l->old, err) < 0)
		return -1;
	const struct old_segment *found =
		l->old.count == 0 ? NULL
		: bsearch(&key, l->old.list, l->old.count, sizeof key, by_id);
	if (found != NULL)
		*out = found->payload;
	return 0;
}

// A deleted file was kept in the image: its contents follow its message, unless they are in chunks.
static void ghost_contents(struct loading *l, const VmaEntry *vma, struct crimg_area *out,
                           struct crimg_err *err)
{
	const struct crimg_file *file = (vma->status & CRIMG_VMA_FILE) == 0 || vma->shmid > UINT32_MAX
		? NULL : crimg_files_find(l->files, (uint32_t)vma->shmid);
	const RemapFilePathEntry *remap = file != NULL ? file->remap : NULL;
	// Before 1.6 there was no type: the top bit of the number told ghosts.
	if (remap == NULL || (remap->has_remap_type ? remap->remap_type != REMAP_TYPE__GHOST
	                                            : remap->remap_id >> 31 == 0))
		return;
	struct crimg_image_object *o =
		crimg_image_find(l->image, CRIMG_KIND_GHOST_FILE, remap->remap_id & 0x7fffffff);
	const GhostFileEntry *ghost =
		o != NULL && o->count > 0 ? crimg_image_message(l->image, o, 0, err) : NULL;
	if (ghost != NULL && !(ghost->has_chunks && ghost->chunks))
		out->contents = o->entries[0].payload;
}

static int load_area(struct loading *l, const VmaEntry *vma, struct crimg_area *out,
                     struct crimg_err *err)
{
	uint64_t id;
	bool shared;
	*out = (struct crimg_area){ .start = vma->start, .end = vma->end, .vma = vma,
		                    .contents = { CRIMG_NO_PAYLOAD, 0 } };
	if (segment_id(l->image, l->files, vma, &shared, &id, err) < 0)
		return -1;
	ghost_contents(l, vma, out, err);
	if (!shared)
		return 0;
	out->segment = crimg_image_find(l->image, CRIMG_KIND_PAGEMAP_SHMEM, id);
	if (out->segment == NULL && (vma->status & CRIMG_VMA_SYSV) != 0)
		return sysv_contents(l, id, &out->contents, err);
	return 0;
}

// Of areas that begin at one address the longest comes first: the others lie in it.
static int by_start(const void *a, const void *b)
{
	const struct crimg_area *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end > y->end ? -1 : x->end < y->end;
}

// Areas that are open while addresses go up: the innermost is the last.
struct sweep {
	struct crimg_area *out;          // pieces
	size_t count;
	const struct crimg_area **open;
	size_t open_count;
	uint64_t at;                     // up to here all is in out
};

// The innermost area up to end.
static void take_piece(struct sweep *s, uint64_t end)
{
	struct crimg_area piece = *s->open[s->open_count - 1];
	piece.start = piece.start > s->at ? piece.start : s->at;
	piece.end = crimg_min_u64(piece.end, end);
	if ((piece.vma->status & CRIMG_VMA_GUARD) != 0 && s->open_count > 1)
		piece.under = s->open[s->open_count - 2]->vma;
	if (piece.end <= piece.start)
		return;
	s->out[s->count++] = piece;
	s->at = piece.end;
}

static void sweep_areas(struct sweep *s, const struct crimg_area *areas, size_t count)
{
	for (size_t i = 0; i <= count; i++) {
		uint64_t start = i < count ? areas[i].start : UINT64_MAX;
		while (s->open_count > 0 && (i == count || s->open[s->open_count - 1]->end <= start)) {
			take_piece(s, start);
			s->open_count--;
		}
		if (s->open_count > 0)
			take_piece(s, start);
		if (i < count)
			s->open[s->open_count++] = &areas[i];
	}
}

// An area that begins in another takes its place there, and behind it the outer one goes on. CRIU notes
// guard regions so; other areas that overlap no kernel made. Every area begins and ends one piece more.
static int make_disjoint(struct crimg_space *space, struct crimg_err *err)
{
	struct sweep s = { .out = calloc(2 * space->count, sizeof *s.out) };
	s.open = calloc(space->count, sizeof *s.open);
	if (s.out == NULL || s.open == NULL) {
		free(s.out);
		free(s.open);
		return crimg_fail_nomem(err, 2 * space->count * sizeof *s.out);
	}
	qsort(space->areas, space->count, sizeof *space->areas, by_start);
	sweep_areas(&s, space->areas, space->count);
	free(s.open);
	free(space->areas);
	space->areas = s.out;
	space->count = s.count;
	return 0;
}

int crimg_space_load(struct crimg_image *image, const struct crimg_files *files,
                     const struct crimg_task *task, struct crimg_space *out, struct crimg_err *err)
{
	struct crimg_list vmas;
	struct crimg_space space = { .image = image, .task = task };
	struct loading l = { image, files, task, { NULL, 0, false } };
	bool disjoint = true;
	int rc = crimg_task_list(image, task, CRIMG_PART_VMAS, &vmas, err);
	space.areas = calloc(vmas.count + 1, sizeof *space.areas);
	if (space.areas == NULL)
		return crimg_fail_nomem(err, vmas.count * sizeof *space.areas);
	for (size_t i = 0; i < vmas.count; i++) {
		const VmaEntry *vma = vmas.items[i];
		if (vma->end <= vma->start)
			continue;
		if (load_area(&l, vma, &space.areas[space.count], err) < 0)
			rc = -1;
		if (space.count > 0 && space.areas[space.count - 1].end > vma->start)
			disjoint = false;
		space.count++;
	}
	free(l.old.list);
	if (!disjoint && make_disjoint(&space, err) < 0) {
		free(space.areas);
		return -1;
	}
	*out = space;
	return rc;
}
