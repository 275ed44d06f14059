// Area, then own pages, then segment, then what an untouched page of the area is.
#include "format/space.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"

// The segment number of an area that is shared memory; false when it is none.
static int segment_id(struct crimg_image *image, const struct crimg_files *files,
                      const VmaEntry *vma, bool *found, uint64_t *id, struct crimg_err *err)
{
	struct crimg_list inodes = { NULL, 0 };
	*id = vma->shmid;
	*found = (vma->status & (CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) != 0;
	if ((vma->status & CRIMG_VMA_MEMFD) == 0)
		return 0;
	const struct crimg_file *file = crimg_files_find(files, (uint32_t)vma->shmid);
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

// System V segments of old images have their contents behind their message.
static struct crimg_payload_ref sysv_contents(struct crimg_image *image, uint64_t id,
                                              struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_IPCNS_SHM);
	for (; o != NULL; o = crimg_image_next(image, o))
		for (size_t i = 0; i < o->count; i++) {
			const IpcShmEntry *shm = crimg_image_message(image, o, i, err);
			if (shm != NULL && shm->desc->id == id && !shm->in_pagemaps)
				return o->entries[i].payload;
		}
	return (struct crimg_payload_ref){ CRIMG_NO_PAYLOAD, 0 };
}

static int load_area(struct crimg_image *image, const struct crimg_files *files,
                     const VmaEntry *vma, struct crimg_area *out, struct crimg_err *err)
{
	uint64_t id;
	bool shared;
	*out = (struct crimg_area){ .start = vma->start, .end = vma->end, .vma = vma,
		                    .contents = { CRIMG_NO_PAYLOAD, 0 } };
	if (segment_id(image, files, vma, &shared, &id, err) < 0)
		return -1;
	if (!shared)
		return 0;
	out->segment = crimg_image_find(image, CRIMG_KIND_PAGEMAP_SHMEM, id);
	if (out->segment == NULL && (vma->status & CRIMG_VMA_SYSV) != 0)
		out->contents = sysv_contents(image, id, err);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct crimg_area *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

int crimg_space_load(struct crimg_image *image, const struct crimg_files *files,
                     const struct crimg_task *task, struct crimg_space *out, struct crimg_err *err)
{
	struct crimg_list vmas;
	struct crimg_space space = { .image = image, .task = task };
	bool sorted = true;
	int rc = crimg_task_list(image, task, CRIMG_PART_VMAS, &vmas, err);
	space.areas = calloc(vmas.count + 1, sizeof *space.areas);
	if (space.areas == NULL)
		return crimg_fail_nomem(err, vmas.count * sizeof *space.areas);
	for (size_t i = 0; i < vmas.count; i++) {
		const VmaEntry *vma = vmas.items[i];
		if (vma->end <= vma->start)
			continue;
		if (load_area(image, files, vma, &space.areas[space.count], err) < 0)
			rc = -1;
		if (space.count > 0 && space.areas[space.count - 1].start > vma->start)
			sorted = false;
		space.count++;
	}
	if (!sorted)
		qsort(space.areas, space.count, sizeof *space.areas, by_start);
	*out = space;
	return rc;
}

void crimg_space_fini(struct crimg_space *space)
{
	free(space->areas);
	*space = (struct crimg_space){ .image = NULL };
}

// How many areas begin at or below address.
static size_t begun(const struct crimg_space *space, uint64_t address)
{
	size_t low = 0, high = space->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (space->areas[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct crimg_area *crimg_space_find(const struct crimg_space *space, uint64_t address)
{
	size_t n = begun(space, address);
	return n > 0 && space->areas[n - 1].end > address ? &space->areas[n - 1] : NULL;
}

const struct crimg_area *crimg_space_next(const struct crimg_space *space, uint64_t address)
{
	size_t n = begun(space, address);
	if (n > 0 && space->areas[n - 1].end > address)
		return &space->areas[n - 1];
	return n < space->count ? &space->areas[n] : NULL;
}

// What a page is that the image says nothing of.
static enum crimg_bytes untouched(const struct crimg_area *area)
{
	const VmaEntry *vma = area->vma;
	if ((vma->status & (CRIMG_VMA_VSYSCALL | CRIMG_VMA_VVAR | CRIMG_VMA_VDSO | CRIMG_VMA_SOCKET
	                    | CRIMG_VMA_GUARD)) != 0)
		return CRIMG_BYTES_KERNEL;
	if ((vma->status & CRIMG_VMA_MEMFD) != 0)
		return area->segment != NULL ? CRIMG_BYTES_ZERO : CRIMG_BYTES_LOST;
	return (vma->status & CRIMG_VMA_FILE) != 0 ? CRIMG_BYTES_FILE : CRIMG_BYTES_ZERO;
}

static uint64_t offset_of(const struct crimg_area *area, uint64_t address)
{
	return area->vma->pgoff + (address - area->start); // may wrap: then nothing is found there
}

// Narrows *end to the same kind of answer within one layer of pages.
static int layer(const struct crimg_space *space, enum crimg_kind kind, uint64_t id, uint64_t at,
                 uint64_t address, enum crimg_pages_state *state, uint64_t *end,
                 struct crimg_err *err)
{
	uint64_t until;
	if (crimg_memory_state(space->image, kind, id, at, state, &until, err) < 0)
		return -1;
	if (until - at < *end - address)
		*end = address + (until - at);
	return 0;
}

static int segment_bytes(const struct crimg_space *space, const struct crimg_area *area,
                         uint64_t address, enum crimg_bytes *kind, uint64_t *end,
                         struct crimg_err *err)
{
	enum crimg_pages_state state = CRIMG_PAGES_NONE;
	uint64_t offset = offset_of(area, address);
	if (area->contents.number != CRIMG_NO_PAYLOAD && offset < area->contents.length) {
		*end = crimg_min_u64(*end, address + (area->contents.length - offset));
		state = CRIMG_PAGES_HERE;
	} else if (area->segment != NULL
	           && layer(space, CRIMG_KIND_PAGEMAP_SHMEM, area->segment->object.id, offset,
	                    address, &state, end, err) < 0) {
		return -1;
	}
	*kind = state == CRIMG_PAGES_HERE ? CRIMG_BYTES_SEGMENT
		: state == CRIMG_PAGES_LOST ? CRIMG_BYTES_LOST : untouched(area);
	return 0;
}

int crimg_space_bytes(const struct crimg_space *space, uint64_t address, enum crimg_bytes *kind,
                      uint64_t *end, struct crimg_err *err)
{
	size_t n = begun(space, address);
	uint64_t limit = n < space->count ? space->areas[n].start : UINT64_MAX;
	enum crimg_pages_state own;
	if (n == 0 || space->areas[n - 1].end <= address) {
		*kind = CRIMG_BYTES_UNMAPPED;
		*end = limit;
		return 0;
	}
	const struct crimg_area *area = &space->areas[n - 1];
	limit = crimg_min_u64(limit, area->end);
	if (layer(space, CRIMG_KIND_PAGEMAP, space->task->pid, address, address, &own, &limit, err) < 0)
		return -1;
	*end = limit;
	if (own != CRIMG_PAGES_NONE) {
		*kind = own == CRIMG_PAGES_HERE ? CRIMG_BYTES_PRIVATE : CRIMG_BYTES_LOST;
		return 0;
	}
	return segment_bytes(space, area, address, kind, end, err);
}

const char *crimg_bytes_word(enum crimg_bytes kind)
{
	static const char *const words[] = {
		[CRIMG_BYTES_UNMAPPED] = "unmapped", [CRIMG_BYTES_PRIVATE] = "private",
		[CRIMG_BYTES_SEGMENT] = "shared",    [CRIMG_BYTES_ZERO] = "zero",
		[CRIMG_BYTES_FILE] = "file",         [CRIMG_BYTES_LOST] = "lost",
		[CRIMG_BYTES_KERNEL] = "kernel",
	};
	return words[kind];
}

static int read_segment(const struct crimg_space *space, const struct crimg_area *area,
                        uint64_t address, void *buf, size_t length, struct crimg_err *err)
{
	uint64_t offset = offset_of(area, address);
	if (area->contents.number == CRIMG_NO_PAYLOAD)
		return crimg_memory_read(space->image, CRIMG_KIND_PAGEMAP_SHMEM,
		                         area->segment->object.id, offset, buf, length, err);
	return crimg_image_read(space->image, area->contents.number, offset, buf, length, err) < 0
		? -1 : 1;
}

// One stretch of one kind.
static int read_stretch(const struct crimg_space *space, enum crimg_bytes kind, uint64_t address,
                        void *buf, size_t length, struct crimg_err *err)
{
	const struct crimg_area *area = crimg_space_find(space, address);
	switch (kind) {
	case CRIMG_BYTES_PRIVATE:
		return crimg_memory_read(space->image, CRIMG_KIND_PAGEMAP, space->task->pid, address,
		                         buf, length, err);
	case CRIMG_BYTES_SEGMENT:
		return read_segment(space, area, address, buf, length, err);
	case CRIMG_BYTES_ZERO:
		memset(buf, 0, length);
		return 1;
	case CRIMG_BYTES_FILE:
		if (space->file_bytes == NULL)
			return 0;
		return space->file_bytes(space->file_context, area, offset_of(area, address), buf,
		                         length, err);
	default:
		return 0;
	}
}

int crimg_space_read_some(const struct crimg_space *space, uint64_t address, void *buf,
                          size_t length, size_t *got, struct crimg_err *err)
{
	uint8_t *out = buf;
	size_t done = 0;
	while (done < length && address + done >= address) {
		enum crimg_bytes kind;
		uint64_t end;
		if (crimg_space_bytes(space, address + done, &kind, &end, err) < 0)
			return -1;
		size_t piece = (size_t)crimg_min_u64(end - (address + done), length - done);
		int rc = read_stretch(space, kind, address + done, out + done, piece, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		done += piece;
	}
	*got = done;
	return 0;
}

int crimg_space_read(const struct crimg_space *space, uint64_t address, void *buf, size_t length,
                     struct crimg_err *err)
{
	size_t got;
	if (crimg_space_read_some(space, address, buf, length, &got, err) < 0)
		return -1;
	return got == length ? 1 : 0;
}
