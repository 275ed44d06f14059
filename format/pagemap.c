// Page maps: entries to runs, old and new counts, blocks.
#include "format/pagemap.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"

void crimg_pagemap_fini(struct crimg_pagemap *map)
{
	for (size_t i = 0; i < map->blocks_count; i++)
		free(map->blocks[i].sizes);
	free(map->blocks);
	free(map->runs);
	crimg_arena_fini(&map->arena);
	*map = CRIMG_PAGEMAP_INIT;
}

// Without flags (before release 3.5) in_parent alone tells.
static uint32_t flags_of(const PagemapEntry *e)
{
	if (e->has_flags)
		return e->flags;
	return e->has_in_parent && e->in_parent ? CRIMG_PE_PARENT : CRIMG_PE_PRESENT;
}

// Both layouts of image version 1.2 come to the same table.
struct block_table {
	const uint32_t *sizes;
	size_t count;
	uint32_t pages_per_block;
};

static struct block_table blocks_of(const ProtobufCMessage *message)
{
	const void *m = message;
	if (message->descriptor == &pagemap_entry_draft__descriptor) {
		const PagemapEntryDraft *draft = m;
		// One size per page unless regions are told.
		uint32_t pages = draft->has_region_pages && draft->region_pages > 0
			? draft->region_pages : 1;
		return (struct block_table){ draft->compressed_size, draft->n_compressed_size, pages };
	}
	const PagemapBlocks *blocks = ((const PagemapEntry *)m)->blocks;
	if (blocks == NULL)
		return (struct block_table){ 0 };
	return (struct block_table){ blocks->block_sizes, blocks->n_block_sizes,
	                             blocks->pages_per_block };
}

struct place {
	const char *name;
	uint64_t base;
};

static int check_blocks(const struct block_table *t, uint64_t pages, struct place at,
                        uint64_t *stored, struct crimg_err *err)
{
	uint64_t sum = 0;
	if (t->pages_per_block == 0
	    || t->count != pages / t->pages_per_block + (pages % t->pages_per_block != 0))
		return crimg_fail(err, CRIMG_E_FORMAT, at.name, at.base,
		                  "%zu blocks of %u pages found for %llu pages", t->count,
		                  t->pages_per_block, (unsigned long long)pages);
	for (size_t i = 0; i < t->count; i++) {
		uint64_t first = (uint64_t)i * t->pages_per_block;
		uint64_t full = crimg_min_u64(pages - first, t->pages_per_block) * CRIMG_PAGE_BYTES;
		if (t->sizes[i] > full)
			return crimg_fail(err, CRIMG_E_FORMAT, at.name, at.base,
			                  "block %zu is stored in %u bytes, at most %llu wanted", i,
			                  t->sizes[i], (unsigned long long)full);
		sum += t->sizes[i];
	}
	*stored = sum;
	return 0;
}

static int keep_blocks(struct crimg_pagemap *map, const struct block_table *t,
                       struct crimg_err *err)
{
	void *array = map->blocks;
	if (crimg_grow(&array, &map->blocks_capacity, map->blocks_count, sizeof *map->blocks, err) < 0)
		return -1;
	map->blocks = array;
	uint32_t *sizes = malloc(t->count * sizeof *sizes);
	if (sizes == NULL)
		return crimg_fail_nomem(err, t->count * sizeof *sizes);
	memcpy(sizes, t->sizes, t->count * sizeof *sizes);
	map->blocks[map->blocks_count++] = (struct crimg_page_blocks){
		.pages_per_block = t->pages_per_block, .count = (uint32_t)t->count, .sizes = sizes
	};
	return 0;
}

// Fills offset, stored and blocks of a present run.
static int place_run(struct crimg_pagemap *map, const ProtobufCMessage *message,
                     struct crimg_page_run *run, struct place at, struct crimg_err *err)
{
	struct block_table t = blocks_of(message);
	if ((run->flags & CRIMG_PE_ALIGNED) != 0)
		run->offset = (run->offset + CRIMG_PAGE_BYTES - 1) & ~(uint64_t)(CRIMG_PAGE_BYTES - 1);
	run->stored = run->pages * CRIMG_PAGE_BYTES;
	if (t.count > 0) {
		if (check_blocks(&t, run->pages, at, &run->stored, err) < 0
		    || keep_blocks(map, &t, err) < 0)
			return -1;
		run->blocks = (uint32_t)map->blocks_count;
	}
	if (run->offset < map->stored_bytes
	    || !crimg_add_u64(run->offset, run->stored, &map->stored_bytes))
		return crimg_fail(err, CRIMG_E_FORMAT, at.name, at.base,
		                  "more pages than 64 bits can count");
	map->present_pages += run->pages;
	return 0;
}

static int add_run(struct crimg_pagemap *map, const ProtobufCMessage *message, struct place at,
                   struct crimg_err *err)
{
	// The draft's fields 1 to 5 are the final layout's; protobuf-c lays both structs out alike up to
	// there, but we do not lean on that.
	struct crimg_page_run run = { 0 };
	const void *m = message;
	if (message->descriptor == &pagemap_entry_draft__descriptor) {
		const PagemapEntryDraft *d = m;
		PagemapEntry e = PAGEMAP_ENTRY__INIT;
		e.has_in_parent = d->has_in_parent;
		e.in_parent = d->in_parent;
		e.has_flags = d->has_flags;
		e.flags = d->flags;
		run.vaddr = d->vaddr;
		run.pages = d->has_nr_pages ? d->nr_pages : d->compat_nr_pages;
		run.flags = flags_of(&e);
	} else {
		const PagemapEntry *e = m;
		run.vaddr = e->vaddr;
		run.pages = e->has_nr_pages ? e->nr_pages : e->compat_nr_pages;
		run.flags = flags_of(e);
	}
	uint64_t bytes, end;
	run.offset = map->stored_bytes; // also of runs without bytes: offsets never fall
	if (!crimg_mul_u64(run.pages, CRIMG_PAGE_BYTES, &bytes)
	    || !crimg_add_u64(run.vaddr, bytes, &end))
		return crimg_fail(err, CRIMG_E_FORMAT, at.name, at.base,
		                  "%llu pages at 0x%llx leave the address space",
		                  (unsigned long long)run.pages, (unsigned long long)run.vaddr);
	if ((run.flags & CRIMG_PE_PRESENT) != 0 && place_run(map, message, &run, at, err) < 0)
		return -1;
	if ((run.flags & CRIMG_PE_PARENT) != 0)
		map->parent_pages += run.pages;
	void *array = map->runs;
	if (map->count >= CRIMG_MAX_PAGE_RUNS)
		return crimg_fail(err, CRIMG_E_LIMIT, at.name, at.base, "more than %u page runs",
		                  CRIMG_MAX_PAGE_RUNS);
	if (crimg_grow(&array, &map->capacity, map->count, sizeof *map->runs, err) < 0)
		return -1;
	map->runs = array;
	map->runs[map->count++] = run;
	map->last_end = end;
	return 0;
}

int crimg_pagemap_add(struct crimg_pagemap *map, uint64_t index, const uint8_t *data, size_t length,
                      const char *name, uint64_t base, struct crimg_err *err)
{
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(CRIMG_KIND_PAGEMAP, index, data, length);
	map->arena.limit_bytes = CRIMG_MAX_DECODED_BYTES;
	crimg_arena_reset(&map->arena);
	const ProtobufCMessage *message =
		crimg_message_decode(type, data, length, &map->arena, name, base, err);
	if (message == NULL)
		return -1;
	if (index > 0)
		return add_run(map, message, (struct place){ name, base }, err);
	const void *head = message;
	map->pages_id = ((const PagemapHead *)head)->pages_id;
	map->has_head = true;
	return 0;
}

bool crimg_pagemap_sorted(const struct crimg_pagemap *map)
{
	for (size_t i = 1; i < map->count; i++)
		if (map->runs[i - 1].vaddr + map->runs[i - 1].pages * CRIMG_PAGE_BYTES
		    > map->runs[i].vaddr)
			return false;
	return true;
}

const struct crimg_page_run *crimg_pagemap_find(const struct crimg_pagemap *map, uint64_t vaddr)
{
	size_t low = 0, high = map->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct crimg_page_run *run = &map->runs[middle];
		if (vaddr < run->vaddr)
			high = middle;
		else if (vaddr - run->vaddr < run->pages * CRIMG_PAGE_BYTES)
			return run;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct crimg_page_run *crimg_pagemap_at_offset(const struct crimg_pagemap *map,
                                                     uint64_t offset)
{
	size_t low = 0, high = map->count; // the last run that begins at or before offset
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (map->runs[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	const struct crimg_page_run *run = &map->runs[low - 1];
	return offset - run->offset < run->stored ? run : NULL;
}

int crimg_page_block_expand(const uint8_t *stored, size_t stored_length, uint8_t *out,
                            size_t length, const char *name, uint64_t base, struct crimg_err *err)
{
	if (stored_length == 0) {
		memset(out, 0, length);
		return 0;
	}
	if (stored_length == length) {
		memcpy(out, stored, length);
		return 0;
	}
	int n = stored_length > INT32_MAX || length > INT32_MAX ? -1
		: LZ4_decompress_safe((const char *)stored, (char *)out, (int)stored_length,
	                              (int)length);
	if (n < 0 || (size_t)n != length)
		return crimg_fail(err, CRIMG_E_FORMAT, name, base,
		                  "an LZ4 block of %zu bytes that does not expand to %zu",
		                  stored_length, length);
	return 0;
}
