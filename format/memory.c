// Address to run to bytes, layer by layer.
#include "format/memory.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"

// Bytes [from, from + length) of one LZ4 block, which is expanded whole.
static int read_block(struct crimg_image *image, const struct crimg_image_object *pages,
                      const struct crimg_page_run *run, const struct crimg_page_blocks *blocks,
                      uint64_t vaddr, uint8_t *buf, size_t length, struct crimg_err *err)
{
	uint64_t block_bytes = (uint64_t)blocks->pages_per_block * CRIMG_PAGE_BYTES;
	uint64_t index = (vaddr - run->vaddr) / block_bytes, offset = run->offset;
	uint64_t start = run->vaddr + index * block_bytes;
	size_t full = (size_t)crimg_min_u64(block_bytes, run->vaddr + run->pages * CRIMG_PAGE_BYTES - start);
	for (uint64_t i = 0; i < index; i++)
		offset += blocks->sizes[i];
	size_t stored = blocks->sizes[index];
	if (full > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, pages->origin, offset,
		                  "an LZ4 block of %zu bytes, at most %u wanted", full,
		                  CRIMG_MAX_MESSAGE_BYTES);
	uint8_t *packed = malloc(stored + full + 1);
	if (packed == NULL)
		return crimg_fail_nomem(err, stored + full);
	int rc = crimg_image_read(image, pages->payload.number, offset, packed, stored, err);
	if (rc == 0)
		rc = crimg_page_block_expand(packed, stored, packed + stored, full, pages->origin,
		                             offset, err);
	if (rc == 0)
		memcpy(buf, packed + stored + (vaddr - start), length);
	free(packed);
	return rc;
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
		return read_block(image, pages, run, &map->blocks[run->blocks - 1], vaddr, buf, length,
		                  err);
	return crimg_image_read(image, pages->payload.number, run->offset + (vaddr - run->vaddr), buf,
	                        length, err);
}

// How much of length at vaddr one read can serve: what the run holds, within one block if it has blocks.
static size_t piece_of(const struct crimg_pagemap *map, const struct crimg_page_run *run,
                       uint64_t vaddr, size_t length)
{
	uint64_t into = vaddr - run->vaddr, left = run->pages * CRIMG_PAGE_BYTES - into;
	if (run->blocks > 0 && (run->flags & CRIMG_PE_PRESENT) != 0) {
		uint64_t bytes = (uint64_t)map->blocks[run->blocks - 1].pages_per_block * CRIMG_PAGE_BYTES;
		left = crimg_min_u64(left, bytes - into % bytes);
	}
	return (size_t)crimg_min_u64(left, length);
}

// One piece, within one run of each layer down to the one that holds it; *length shrinks to its size.
static int read_piece(struct crimg_image *image, enum crimg_kind kind, uint64_t id, uint64_t vaddr,
                      uint8_t *buf, size_t *length, struct crimg_err *err)
{
	while (image != NULL) {
		const struct crimg_image_object *o = crimg_image_find(image, kind, id);
		if (o == NULL || o->map == NULL || !o->sorted)
			return 0;
		const struct crimg_page_run *run = crimg_pagemap_find(o->map, vaddr);
		if (run == NULL)
			return 0;
		*length = piece_of(o->map, run, vaddr, *length);
		if ((run->flags & CRIMG_PE_PRESENT) != 0)
			return read_present(image, o->map, run, vaddr, buf, *length, err) < 0 ? -1 : 1;
		if ((run->flags & CRIMG_PE_PARENT) == 0)
			return 0;
		if (crimg_image_parent_link(image) == NULL)
			return 0;
		image = crimg_image_parent(image, err);
		if (image == NULL)
			return -1;
	}
	return 0;
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
	size_t low = 0, high = map->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct crimg_page_run *run = &map->runs[middle];
		if (run->vaddr + run->pages * CRIMG_PAGE_BYTES <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
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

int crimg_memory_state(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                       uint64_t vaddr, enum crimg_pages_state *state, uint64_t *end,
                       struct crimg_err *err)
{
	enum crimg_pages_state found = CRIMG_PAGES_NONE;
	uint64_t limit = UINT64_MAX;
	while (image != NULL) {
		const struct crimg_image_object *o = crimg_image_find(image, kind, id);
		const struct crimg_page_run *run =
			o != NULL && o->map != NULL && o->sorted ? run_at(o->map, vaddr, &limit) : NULL;
		if (run == NULL)
			break;
		found = CRIMG_PAGES_LOST;
		if ((run->flags & CRIMG_PE_PRESENT) != 0) {
			found = CRIMG_PAGES_HERE;
			break;
		}
		if ((run->flags & CRIMG_PE_PARENT) == 0 || crimg_image_parent_link(image) == NULL)
			break;
		image = crimg_image_parent(image, err);
		if (image == NULL)
			return -1;
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
