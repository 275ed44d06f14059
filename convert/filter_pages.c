// Stores pages otherwise: a layer merged with its parents, LZ4 blocks made or expanded.
// Page maps are rewritten entry by entry; page contents are read through the image's index.
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "convert/filters.h"
#include "format/checked.h"
#include "format/limits.h"
#include "format/memory.h"

#define BLOCK_PAGES 64u                             // CRIU's default, 256 KiB
#define BLOCK_BYTES (BLOCK_PAGES * CRIMG_PAGE_BYTES)
#define VMA_PLUGIN (1u << 27)                       // vma status: pages belong to a plugin
#define MAP_HUGE 0x40000u                           // vma flags: MAP_HUGETLB

// The pages object that is being given: run by run, block by block.
struct emission {
	const struct crimg_image_object *map; // NULL: none
	struct crimg_payload_ref payload;
	size_t run;
	uint64_t done;                        // bytes of that run
	uint64_t offset;                      // bytes given
};

struct pages_state {
	struct crimg_reader inner;
	struct crimg_image *image;
	struct crimg_pages_options options;
	struct crimg_arena arena;
	struct crimg_buf encoded;
	const struct crimg_image_object *map; // of the page map open in inner, when it is rewritten
	uint64_t dropped;                     // number of the parent file's payload, or CRIMG_NO_PAYLOAD
	struct emission *emissions;           // pages objects whose contents are ours to give
	size_t count, capacity;
	size_t next;
	size_t vma;                           // the mapping found last, modulo their number
	uint8_t *plain, *packed;              // BLOCK_BYTES; LZ4_compressBound of it
};

static bool is_needed(const struct pages_state *s, const struct crimg_page_run *run)
{
	return (run->flags & CRIMG_PE_PRESENT) != 0
		|| (s->options.merge && (run->flags & CRIMG_PE_PARENT) != 0);
}

static int read_pages(struct pages_state *s, const struct crimg_image_object *map, uint64_t vaddr,
                      size_t length, struct crimg_err *err)
{
	int rc = crimg_memory_read(s->image, map->object.kind, map->object.id, vaddr, s->plain,
	                           length, err);
	if (rc == 0)
		return crimg_fail(err, CRIMG_E_NOTFOUND, map->origin, CRIMG_NO_OFFSET,
		                  "the page at 0x%llx is in no layer", (unsigned long long)vaddr);
	return rc < 0 ? -1 : 0;
}

// Packs s->plain: 0 for zeros, length for raw (saving less than an eighth), else the LZ4 block's size.
static size_t pack_block(struct pages_state *s, size_t length)
{
	if (crimg_all_zero(s->plain, length))
		return 0;
	int n = LZ4_compress_default((const char *)s->plain, (char *)s->packed, (int)length,
	                             LZ4_compressBound(BLOCK_BYTES));
	return n <= 0 || (size_t)n > length - length / 8 ? length : (size_t)n;
}

// Pages of huge-TLB and plugin mappings stay raw. Runs come in the order of mappings: the search goes on
// where it ended.
static bool stays_raw(struct pages_state *s, const struct crimg_image_object *map, uint64_t vaddr)
{
	if (map->object.kind != CRIMG_KIND_PAGEMAP)
		return false;
	const MmEntry *mm = crimg_image_get(s->image, CRIMG_KIND_MM, map->object.id, NULL);
	for (size_t i = 0, n = mm != NULL ? mm->n_vmas : 0; i < n; i++, s->vma++) {
		const VmaEntry *vma = mm->vmas[s->vma % n];
		if (vaddr >= vma->start && vaddr < vma->end)
			return (vma->flags & MAP_HUGE) != 0 || (vma->status & VMA_PLUGIN) != 0;
	}
	return false;
}

static int measure_blocks(struct pages_state *s, const struct crimg_page_run *run,
                          PagemapBlocks *blocks, struct crimg_err *err)
{
	uint64_t bytes = run->pages * CRIMG_PAGE_BYTES;
	size_t n = (size_t)((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
	blocks->block_sizes = crimg_arena_alloc(&s->arena, (n + 1) * sizeof *blocks->block_sizes);
	if (blocks->block_sizes == NULL)
		return crimg_fail_nomem(err, n * sizeof *blocks->block_sizes);
	blocks->n_block_sizes = n;
	blocks->pages_per_block = BLOCK_PAGES;
	for (size_t i = 0; i < n; i++) {
		uint64_t at = (uint64_t)i * BLOCK_BYTES;
		size_t length = (size_t)crimg_min_u64(BLOCK_BYTES, bytes - at);
		if (read_pages(s, s->map, run->vaddr + at, length, err) < 0)
			return -1;
		blocks->block_sizes[i] = (uint32_t)pack_block(s, length);
		blocks->total_payload_size += blocks->block_sizes[i];
	}
	return 0;
}

// The stored size of a run as we write it. Packs everything a first time: sizes are metadata, and come
// before contents.
static int stored_size(struct pages_state *s, const struct crimg_page_run *run, uint64_t *size,
                       struct crimg_err *err)
{
	*size = 0;
	if (!is_needed(s, run))
		return 0;
	*size = run->pages * CRIMG_PAGE_BYTES;
	if (!s->options.blocks || stays_raw(s, s->map, run->vaddr))
		return 0;
	PagemapBlocks blocks = PAGEMAP_BLOCKS__INIT;
	crimg_arena_reset(&s->arena);
	if (measure_blocks(s, run, &blocks, err) < 0)
		return -1;
	*size = blocks.total_payload_size;
	return 0;
}

static int rewrite_entry(struct pages_state *s, struct crimg_record *r, struct crimg_err *err)
{
	if (r->index == 0 || r->index - 1 >= s->map->map->count)
		return 0;
	const struct crimg_page_run *run = &s->map->map->runs[r->index - 1];
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	PagemapBlocks blocks = PAGEMAP_BLOCKS__INIT;
	crimg_arena_reset(&s->arena);
	e.vaddr = run->vaddr;
	e.has_flags = true;
	e.flags = run->flags & ~CRIMG_PE_ALIGNED;
	if (is_needed(s, run))
		e.flags = (e.flags & ~CRIMG_PE_PARENT) | CRIMG_PE_PRESENT;
	e.has_nr_pages = s->map->wide_counts || s->options.blocks || run->pages > UINT32_MAX;
	if (e.has_nr_pages)
		e.nr_pages = run->pages;
	else
		e.compat_nr_pages = (uint32_t)run->pages;
	if (s->options.blocks && is_needed(s, run) && !stays_raw(s, s->map, run->vaddr)) {
		if (measure_blocks(s, run, &blocks, err) < 0)
			return -1;
		e.blocks = &blocks;
	}
	return crimg_filter_replace(r, &e.base, &s->encoded, err);
}

// Image version 3 is 1.2; 2 is 1.1. A pre-dump has 0 whatever its pages are.
static int rewrite_inventory(struct pages_state *s, struct crimg_record *r, struct crimg_err *err)
{
	crimg_arena_reset(&s->arena);
	void *m = crimg_message_decode(&inventory_entry__descriptor, r->data, r->length, &s->arena,
	                               r->origin, r->origin_offset + 4, err);
	InventoryEntry *inventory = m;
	uint32_t wanted = s->options.blocks ? 3 : 2;
	if (m == NULL)
		return -1;
	if (inventory->img_version < 2 || inventory->img_version == wanted)
		return 0;
	inventory->img_version = wanted;
	return crimg_filter_replace(r, m, &s->encoded, err);
}

static bool is_parent(const struct pages_state *s, const struct crimg_object *o)
{
	size_t root = strlen(s->image->root);
	return strncmp(o->name, s->image->root, root) == 0 && strcmp(o->name + root, "parent") == 0;
}

// The map that points at a pages object, or NULL.
static struct crimg_image_object *map_of(struct pages_state *s, uint64_t pages_id)
{
	for (size_t i = 0; i < s->image->count; i++) {
		struct crimg_image_object *o = &s->image->objects[i];
		if (o->map != NULL && o->map->has_head && o->map->pages_id == pages_id)
			return o;
	}
	return NULL;
}

// A pages object gets its new length, and its contents will be ours.
static int take_pages(struct pages_state *s, struct crimg_record *r, struct crimg_err *err)
{
	const struct crimg_image_object *map = map_of(s, r->object->id);
	void *array = s->emissions;
	uint64_t total = 0;
	if (map == NULL || r->payload.number == CRIMG_NO_PAYLOAD)
		return 0;
	if (crimg_grow(&array, &s->capacity, s->count, sizeof *s->emissions, err) < 0)
		return -1;
	s->emissions = array;
	s->map = map;
	for (size_t i = 0; i < map->map->count; i++) {
		uint64_t size;
		if (stored_size(s, &map->map->runs[i], &size, err) < 0)
			return -1;
		total += size;
	}
	s->map = NULL;
	r->payload.length = total;
	s->emissions[s->count++] = (struct emission){ .map = map, .payload = r->payload };
	return 0;
}

static void renumber(const struct pages_state *s, struct crimg_payload_ref *p)
{
	if (p->number != CRIMG_NO_PAYLOAD && p->number > s->dropped)
		p->number--;
}

// 1: pass it on. 0: it is dropped. -1.
static int pass_object(struct pages_state *s, struct crimg_record *r, struct crimg_err *err)
{
	s->map = NULL;
	if (s->options.merge && is_parent(s, r->object)) {
		s->dropped = r->payload.number;
		return 0;
	}
	renumber(s, &r->payload);
	if (r->object->kind == CRIMG_KIND_PAGES)
		return take_pages(s, r, err) < 0 ? -1 : 1;
	if (r->object->kind == CRIMG_KIND_PAGEMAP || r->object->kind == CRIMG_KIND_PAGEMAP_SHMEM)
		s->map = crimg_image_find(s->image, r->object->kind, r->object->id);
	return 1;
}

// The next piece of the emission at s->next: one block, or up to one block of raw pages.
static int emit(struct pages_state *s, struct crimg_record *r, struct crimg_err *err)
{
	struct emission *e = &s->emissions[s->next];
	const struct crimg_pagemap *map = e->map->map;
	while (e->run < map->count
	       && (!is_needed(s, &map->runs[e->run])
	           || e->done == map->runs[e->run].pages * CRIMG_PAGE_BYTES)) {
		e->run++;
		e->done = 0;
	}
	if (e->run == map->count)
		return 0;
	const struct crimg_page_run *run = &map->runs[e->run];
	size_t length = (size_t)crimg_min_u64(BLOCK_BYTES, run->pages * CRIMG_PAGE_BYTES - e->done);
	if (read_pages(s, e->map, run->vaddr + e->done, length, err) < 0)
		return -1;
	e->done += length;
	size_t stored = length;
	if (s->options.blocks && !stays_raw(s, e->map, run->vaddr))
		stored = pack_block(s, length);
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT, .payload = e->payload, .content_offset = e->offset,
		.content_length = stored, .bytes = stored == length ? s->plain : s->packed,
	};
	e->offset += stored;
	return stored == 0 ? emit(s, r, err) : 1;
}

// What is left of our pages, object by object.
static int next_content(struct pages_state *s, struct crimg_record *r, struct crimg_err *err)
{
	for (; s->next < s->count; s->next++) {
		int rc = emit(s, r, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool is_ours(const struct pages_state *s, uint64_t payload)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->emissions[i].payload.number == payload)
			return true;
	return false;
}

// Pages come last of all kinds, so every other content has passed before the first of ours is due.
static int pages_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct pages_state *s = reader->state;
	for (;;) {
		int rc = crimg_reader_next(&s->inner, r, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return next_content(s, r, err);
		if (r->type == CRIMG_RECORD_OBJECT && (rc = pass_object(s, r, err)) != 0)
			return rc;
		if (r->type == CRIMG_RECORD_OBJECT)
			continue;
		if (r->type == CRIMG_RECORD_CONTENT) {
			if (r->payload.number == s->dropped)
				continue;
			renumber(s, &r->payload);
			if (is_ours(s, r->payload.number))
				continue;
			return 1;
		}
		renumber(s, &r->payload);
		if (s->map != NULL && !r->tail && rewrite_entry(s, r, err) < 0)
			return -1;
		if (r->object->kind == CRIMG_KIND_INVENTORY && !r->tail
		    && rewrite_inventory(s, r, err) < 0)
			return -1;
		return 1;
	}
}

static void pages_close(struct crimg_reader *reader)
{
	struct pages_state *s = reader->state;
	crimg_reader_close(&s->inner);
	crimg_arena_fini(&s->arena);
	crimg_buf_fini(&s->encoded);
	free(s->emissions);
	free(s->plain);
	free(s->packed);
	free(s);
}

static const struct crimg_reader_driver pages_driver = {
	.name = "pages",
	.next = pages_next,
	.close = pages_close,
};

int crimg_filter_pages(struct crimg_reader *reader, struct crimg_image *image,
                       struct crimg_pages_options options, struct crimg_err *err)
{
	struct pages_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->plain = malloc(BLOCK_BYTES);
	s->packed = malloc((size_t)LZ4_compressBound(BLOCK_BYTES));
	if (s->plain == NULL || s->packed == NULL) {
		free(s->plain);
		free(s->packed);
		free(s);
		return crimg_fail_nomem(err, BLOCK_BYTES);
	}
	s->inner = *reader;
	s->image = image;
	s->options = options;
	s->dropped = CRIMG_NO_PAYLOAD;
	s->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	reader->driver = &pages_driver;
	reader->state = s;
	return 0;
}
