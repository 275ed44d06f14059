// From a mapped file to its ghost, and through its extents.
#include "writers/elfcore_ghost.h"

#include "format/checked.h"

#define OLD_GHOST_BIT UINT32_C(0x80000000) // of remap_id, before there was a type (1.6)

static bool ghost_number(const struct crimg_files *files, const struct crimg_area *area,
                         uint32_t *number)
{
	const struct crimg_file *file = crimg_files_find(files, (uint32_t)area->vma->shmid);
	const RemapFilePathEntry *remap = file != NULL ? file->remap : NULL;
	if ((area->vma->status & CRIMG_VMA_FILE) == 0 || (area->vma->status & CRIMG_VMA_MEMFD) != 0
	    || remap == NULL)
		return false;
	bool old = !remap->has_remap_type && (remap->remap_id & OLD_GHOST_BIT) != 0;
	*number = remap->remap_id & ~(old ? OLD_GHOST_BIT : 0);
	return old || (remap->has_remap_type && remap->remap_type == REMAP_TYPE__GHOST);
}

int elfcore_ghost_find(struct crimg_image *image, const struct crimg_files *files,
                       const struct crimg_area *area, struct elfcore_ghost *out,
                       struct crimg_err *err)
{
	uint32_t number;
	*out = (struct elfcore_ghost){ .object = NULL };
	if (!ghost_number(files, area, &number))
		return 0;
	struct crimg_image_object *o = crimg_image_find(image, CRIMG_KIND_GHOST_FILE, number);
	if (o == NULL || o->count == 0)
		return 0;
	const GhostFileEntry *head = crimg_image_message(image, o, 0, err);
	if (head == NULL)
		return -1;
	struct crimg_payload_ref payload = o->entries[0].payload;
	out->chunked = head->has_chunks && head->chunks;
	out->size = payload.number != CRIMG_NO_PAYLOAD ? payload.length : 0;
	if (head->has_size)
		out->size = head->size;
	if (out->chunked ? head->has_size : payload.number != CRIMG_NO_PAYLOAD)
		out->object = o;
	return 0;
}

int elfcore_ghost_next(struct crimg_image *image, struct elfcore_ghost *ghost,
                       struct elfcore_extent *out, struct crimg_err *err)
{
	const struct crimg_image_object *o = ghost->object;
	size_t i = ghost->chunked && ghost->entry == 0 ? 1 : ghost->entry;
	for (; i < (ghost->chunked ? o->count : 1); i++) {
		const struct crimg_image_entry *e = &o->entries[i];
		uint64_t offset = 0;
		if (e->tail || e->payload.number == CRIMG_NO_PAYLOAD)
			continue;
		if (ghost->chunked) {
			const GhostChunkEntry *chunk =
				crimg_image_message(image, ghost->object, i, err);
			if (chunk == NULL)
				return -1;
			offset = chunk->off;
		}
		ghost->entry = i + 1;
		*out = (struct elfcore_extent){ offset, e->payload.length, e->payload.number };
		return 1;
	}
	ghost->entry = i;
	return 0;
}
