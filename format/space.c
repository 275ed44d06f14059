// Area, then own pages, then segment, then what an untouched page of the area is.
#include "format/space.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/search.h"

void crimg_space_fini(struct crimg_space *space)
{
	free(space->areas);
	*space = (struct crimg_space){ .image = NULL };
}

// How many areas begin at or below address.
static size_t begun(const struct crimg_space *space, uint64_t address)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, space->count, space->areas[low].start <= address);
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

// True when the offsets of an area leave 64 bits: nothing can be found at them.
static bool offsets_wrap(const struct crimg_area *area)
{
	return area->vma->pgoff > UINT64_MAX - (area->end - area->vma->start);
}

uint64_t crimg_area_offset(const struct crimg_area *area, uint64_t address)
{
	return area->vma->pgoff + (address - area->vma->start);
}

// What a page is that the image says nothing of. Shared memory without its object is not zero: it is
// missing.
static enum crimg_bytes untouched(const struct crimg_area *area)
{
	const VmaEntry *vma = area->vma;
	bool held = area->segment != NULL || area->contents.number != CRIMG_NO_PAYLOAD;
	if ((vma->status & (CRIMG_VMA_VSYSCALL | CRIMG_VMA_VVAR | CRIMG_VMA_VDSO | CRIMG_VMA_SOCKET
	                    | CRIMG_VMA_GUARD)) != 0)
		return CRIMG_BYTES_KERNEL;
	if ((vma->status & (CRIMG_VMA_MEMFD | CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) != 0)
		return held && !offsets_wrap(area) ? CRIMG_BYTES_ZERO : CRIMG_BYTES_LOST;
	if ((vma->status & CRIMG_VMA_FILE) != 0)
		return offsets_wrap(area) ? CRIMG_BYTES_LOST : CRIMG_BYTES_FILE;
	return CRIMG_BYTES_ZERO;
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

// Contents end anywhere, the page that they end in with zeros.
static void contents_bytes(const struct crimg_area *area, uint64_t address, enum crimg_bytes *kind,
                           uint64_t *end)
{
	uint64_t offset = crimg_area_offset(area, address), length = area->contents.length;
	uint64_t rest = (CRIMG_PAGE_BYTES - length % CRIMG_PAGE_BYTES) % CRIMG_PAGE_BYTES;
	if (offset < length) {
		*kind = CRIMG_BYTES_SEGMENT;
		*end = crimg_min_u64(*end, address + (length - offset));
	} else if (offset - length < rest) {
		*kind = CRIMG_BYTES_ZERO;
		*end = crimg_min_u64(*end, address + (rest - (offset - length)));
	}
}

static int segment_bytes(const struct crimg_space *space, const struct crimg_area *area,
                         uint64_t address, enum crimg_bytes *kind, uint64_t *end,
                         struct crimg_err *err)
{
	enum crimg_pages_state state = CRIMG_PAGES_NONE;
	uint64_t offset = crimg_area_offset(area, address);
	*kind = untouched(area);
	if (offsets_wrap(area))
		return 0;
	if (area->contents.number != CRIMG_NO_PAYLOAD) {
		contents_bytes(area, address, kind, end);
		return 0;
	}
	if (area->segment != NULL
	    && layer(space, CRIMG_KIND_PAGEMAP_SHMEM, area->segment->object.id, offset, address,
	             &state, end, err) < 0)
		return -1;
	if (state != CRIMG_PAGES_NONE)
		*kind = state == CRIMG_PAGES_HERE ? CRIMG_BYTES_SEGMENT : CRIMG_BYTES_LOST;
	return 0;
}

// Without its page map nothing is known of a task's own pages; what they would hide is no answer.
static int own_bytes(const struct crimg_space *space, const struct crimg_area *area,
                     uint64_t address, enum crimg_bytes *kind, uint64_t *end,
                     struct crimg_err *err)
{
	bool known = space->task->pagemap != NULL && space->task->pagemap->map != NULL;
	enum crimg_pages_state own;
	if (layer(space, CRIMG_KIND_PAGEMAP, space->task->pid, address, address, &own, end, err) < 0)
		return -1;
	if (own != CRIMG_PAGES_NONE)
		*kind = own == CRIMG_PAGES_HERE ? CRIMG_BYTES_PRIVATE : CRIMG_BYTES_LOST;
	else if (segment_bytes(space, area, address, kind, end, err) < 0)
		return -1;
	else if (!known && (area->vma->flags & CRIMG_MAP_SHARED) == 0
	         && *kind != CRIMG_BYTES_KERNEL)
		*kind = CRIMG_BYTES_LOST;
	return 0;
}

int crimg_space_bytes(const struct crimg_space *space, uint64_t address, enum crimg_bytes *kind,
                      uint64_t *end, struct crimg_err *err)
{
	size_t n = begun(space, address);
	uint64_t limit = n < space->count ? space->areas[n].start : UINT64_MAX;
	enum crimg_bytes found = CRIMG_BYTES_UNMAPPED;
	if (n > 0 && space->areas[n - 1].end > address) {
		const struct crimg_area *area = &space->areas[n - 1];
		limit = area->end;
		if (own_bytes(space, area, address, &found, &limit, err) < 0)
			return -1;
	}
	*kind = found;
	*end = limit;
	return 0;
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
	uint64_t offset = crimg_area_offset(area, address);
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
		return space->file_bytes(space->file_context, area, crimg_area_offset(area, address), buf,
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
