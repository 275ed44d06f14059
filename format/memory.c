// Address to run to bytes, layer by layer.
#include "format/memory.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/search.h"

// The reader knows payloads by number; people know files.
static int read_pages(struct crimg_image *image, const struct crimg_image_object *pages,
                      uint64_t offset, void *buf, size_t length, struct crimg_err *err)
{
	if (!crimg_in_range(offset, length, pages->payload.length))
		return crimg_fail(err, CRIMG_E_FORMAT, pages->origin, offset,
		                  "%zu bytes of pages wanted, the file ends at %llu", length,
		                  (unsigned long long)pages->payload.length);
	return crimg_image_read(image, pages->payload.number, offset, buf, length, err);
}

// A stretch of one LZ4 block, which is expanded whole.
struct block_part {
	uint64_t offset;  // of the block in the pages object
	size_t stored;    // bytes there
	size_t full;      // bytes once expanded
	size_t from;      // first byte of the stretch
};

static int read_block(struct crimg_image *image, const struct crimg_image_object *pages,
                      struct block_part part, uint8_t *buf, size_t length, struct crimg_err *err)
{
	if (part.full > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, pages->origin, part.offset,
		                  "an LZ4 block of %zu bytes, at most %u wanted", part.full,
		                  CRIMG_MAX_MESSAGE_BYTES);
	uint8_t *packed = malloc(part.stored + part.full + 1);
	if (packed == NULL)
		return crimg_fail_nomem(err, part.stored + part.full);
	int rc = read_pages(image, pages, part.offset, packed, part.stored, err);
	if (rc == 0)
		rc = crimg_page_block_expand(packed, part.stored, packed + part.stored, part.full,
		                             pages->origin, part.offset, err);
	if (rc == 0)
		memcpy(buf, packed + part.stored + part.from, length);
	free(packed);
	return rc;
}

// Where a block lies is a sum over the sizes of those before it, so all that length reaches are read in
// one go.
static int read_blocks(struct crimg_image *image, const struct crimg_image_object *pages,
                       const struct crimg_page_run *run, const struct crimg_page_blocks *blocks,
                       uint64_t vaddr, uint8_t *buf, size_t length, struct crimg_err *err)
{
	uint64_t block_bytes = (uint64_t)blocks->pages_per_block * CRIMG_PAGE_BYTES;
	uint64_t run_bytes = run->pages * CRIMG_PAGE_BYTES, into = vaddr - run->vaddr;
	uint64_t index = into / block_bytes;
	struct block_part part = { .offset = run->offset, .from = (size_t)(into % block_bytes) };
	for (uint64_t i = 0; i < index; i++)
		part.offset += blocks->sizes[i];
	for (; length > 0; index++) {
		part.stored = blocks->sizes[index];
		part.full = (size_t)crimg_min_u64(block_bytes, run_bytes - index * block_bytes);
		size_t piece = (size_t)crimg_min_u64(part.full - part.from, length);
		if (read_block(image, pages, part, buf, piece, err) < 0)
			return -1;
		buf += piece;
		length -= piece;
		part.offset += part.stored;
		part.from = 0;
	}
	return 0;
}

static int read_present(struct crimg_image *image, const struct crimg_pagemap *map,
                        const struct crimg_page_run *run, uint64_t vaddr, uint8_t *buf,
                        size_t length, struct crimg_err *err)
{
	struct crimg_image_object *pages = crimg_image_find(image, CRIMG_KIND_PAGES, map->pages_id);
	if (pages == NULL || pages->payload.number == CRIMG_NO_PAYLOAD)
		return crimg_fail(err, CRIMG_E_NOTFOUND, image->path, CRIMG_NO_OFFSET,
		                  "pages-%llu.img is missing", (unsigned long long)map->pages_id);
	if (run->blocks > 0)
		return read_blocks(image, pages, run, &map->blocks[run->blocks - 1], vaddr, buf, length,
		                   err);
	return read_pages(image, pages, run->offset + (vaddr - run->vaddr), buf, length, err);
}

// The run that holds vaddr, in this layer or the one below that it is left to; *end falls to where that
// changes.
struct layer_run {
	struct crimg_image *image;
	const struct crimg_pagemap *map;
	const struct crimg_page_run *run;
	uint64_t end;
};

static int find_run(struct crimg_image *image, enum crimg_kind kind, uint64_t id, uint64_t vaddr,
                    struct layer_run *out, struct crimg_err *err)
{
	out->end = UINT64_MAX;
	while (image != NULL) {
		const struct crimg_image_object *o = crimg_image_find(image, kind, id);
		if (o == NULL || o->map == NULL || !o->sorted)
			return 0;
		const struct crimg_page_run *run = crimg_pagemap_find(o->map, vaddr);
		if (run == NULL)
			return 0;
		out->end = crimg_min_u64(run->vaddr + run->pages * CRIMG_PAGE_BYTES, out->end);
		out->image = image;
		out->map = o->map;
		out->run = run;
		if ((run->flags & CRIMG_PE_PRESENT) != 0)
			return 1;
		if ((run->flags & CRIMG_PE_PARENT) == 0)
			return 0;
		if (image->parent == NULL && crimg_image_parent_link(image) == NULL)
			return 0;
		image = image->parent != NULL ? image->parent : crimg_image_parent(image, err);
		if (image == NULL)
			return -1;
	}
	return 0;
}

// One piece, within one run of each layer down to the one that holds it; *length shrinks to its size.
static int read_piece(struct crimg_image *image, enum crimg_kind kind, uint64_t id, uint64_t vaddr,
                      uint8_t *buf, size_t *length, struct crimg_err *err)
{
	struct layer_run at;
	int rc = find_run(image, kind, id, vaddr, &at, err);
	if (rc <= 0)
		return rc;
	*length = (size_t)crimg_min_u64(at.end - vaddr, *length);
	return read_present(at.image, at.map, at.run, vaddr, buf, *length, err) < 0 ? -1 : 1;
}

int crimg_memory_place(struct crimg_image *image, enum crimg_kind kind, uint64_t id, uint64_t vaddr,
                       struct crimg_page_place *out, struct crimg_err *err)
{
	struct layer_run at;
	int rc = find_run(image, kind, id, vaddr, &at, err);
	if (rc <= 0)
		return rc;
	const struct crimg_image_object *pages =
		crimg_image_find(at.image, CRIMG_KIND_PAGES, at.map->pages_id);
	if (pages == NULL || pages->payload.number == CRIMG_NO_PAYLOAD)
		return 0;
	*out = (struct crimg_page_place){
		.image = at.image, .pages = pages, .packed = at.run->blocks > 0, .end = at.end,
		.offset = at.run->offset + (vaddr - at.run->vaddr),
	};
	return 1;
}

int crimg_memory_read(struct crimg_image *image, enum crimg_kind kind, uint64_t id, uint64_t vaddr,
                      void *buf, size_t length, struct crimg_err *err)
{
	uint8_t *out = buf;
	uint64_t end;
	if (!crimg_add_u64(vaddr, length, &end))
		return 0;
	while (vaddr < end) {
		size_t piece = (size_t)(end - vaddr);
		int rc = read_piece(image, kind, id, vaddr, out, &piece, err);
		if (rc <= 0)
			return rc;
		vaddr += piece;
		out += piece;
	}
	return 1;
}

// The first run that ends behind vaddr.
static size_t first_run(const struct crimg_pagemap *map, uint64_t vaddr)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, map->count,
	                   map->runs[low].vaddr + map->runs[low].pages * CRIMG_PAGE_BYTES <= vaddr);
	return low;
}

// *end falls to where the answer of this layer changes.
static const struct crimg_page_run *run_at(const struct crimg_pagemap *map, uint64_t vaddr,
                                           uint64_t *end)
{
	size_t i = first_run(map, vaddr);
	if (i == map->count)
		return NULL;
	const struct crimg_page_run *run = &map->runs[i];
	if (run->vaddr > vaddr) {
		*end = crimg_min_u64(*end, run->vaddr);
		return NULL;
	}
	*end = crimg_min_u64(*end, run->vaddr + run->pages * CRIMG_PAGE_BYTES);
	return run;
}

// The parent, or NULL when it is not at hand: pages in it are lost, which is an answer, no error.
static int layer_below(struct crimg_image *image, struct crimg_image **parent, struct crimg_err *err)
{
	struct crimg_err broken = CRIMG_ERR_INIT;
	*parent = image->parent != NULL ? image->parent : crimg_image_parent(image, &broken);
	return broken.code == CRIMG_E_NOMEM ? crimg_fail_nomem(err, 0) : 0;
}

int crimg_memory_state(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                       uint64_t vaddr, enum crimg_pages_state *state, uint64_t *end,
                       struct crimg_err *err)
{
	enum crimg_pages_state found = CRIMG_PAGES_NONE;
	uint64_t limit = UINT64_MAX;
	while (image != NULL) {
		const struct crimg_image_object *o = crimg_image_find(image, kind, id);
		const struct crimg_page_run *run = NULL;
		if (o != NULL && o->map != NULL && !o->sorted)
			found = CRIMG_PAGES_LOST; // runs overlap: no page of them can be told
		else if (o != NULL && o->map != NULL)
			run = run_at(o->map, vaddr, &limit);
		if (run == NULL)
			break;
		found = CRIMG_PAGES_LOST;
		if ((run->flags & CRIMG_PE_PRESENT) != 0) {
			found = CRIMG_PAGES_HERE;
			break;
		}
		if ((run->flags & CRIMG_PE_PARENT) == 0)
			break;
		struct crimg_image *parent;
		if (layer_below(image, &parent, err) < 0)
			return -1;
		image = parent;
	}
	*state = found;
	*end = limit;
	return 0;
}

void crimg_memory_count(const struct crimg_pagemap *map, uint64_t start, uint64_t end,
                        uint64_t *present, uint64_t *parent)
{
	*present = *parent = 0;
	for (size_t i = first_run(map, start); i < map->count && map->runs[i].vaddr < end; i++) {
		const struct crimg_page_run *run = &map->runs[i];
		uint64_t run_end = run->vaddr + run->pages * CRIMG_PAGE_BYTES;
		uint64_t from = run->vaddr > start ? run->vaddr : start;
		uint64_t to = crimg_min_u64(run_end, end);
		if (to <= from)
			continue;
		uint64_t pages = (to - from) / CRIMG_PAGE_BYTES;
		*present += (run->flags & CRIMG_PE_PRESENT) != 0 ? pages : 0;
		*parent += (run->flags & (CRIMG_PE_PRESENT | CRIMG_PE_PARENT)) == CRIMG_PE_PARENT
			? pages : 0;
	}
}
