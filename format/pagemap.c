// Page maps: entries to runs, old and new counts, blocks.
#include "format/pagemap.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"
#include "format/limits.h"
#include "format/search.h"

void crimg_pagemap_fini(struct crimg_pagemap *map)
{
	for (size_t i = 0; i < map->blocks_count; i++)
		free(map->blocks[i].sizes);
	free(map->blocks);
	free(map->runs);
	crimg_arena_fini(&map->arena);
	*map = CRIMG_PAGEMAP_INIT;
}

// What an entry says, whichever layout it has.
struct entry {
	uint64_t vaddr, pages;
	uint32_t flags;
	const uint32_t *sizes;    // of blocks; NULL: stored as they are
	size_t blocks;
	uint32_t pages_per_block;
};

// Numbers 1 to 5 are the same in all layouts: indexed by field number, seen bit by bit.
struct entry_fields {
	uint64_t value[6];
	unsigned seen;
};

static struct entry entry_of(const struct entry_fields *f)
{
	enum { VADDR = 1, COMPAT_PAGES, IN_PARENT, FLAGS, PAGES };
	bool has_pages = (f->seen >> PAGES & 1) != 0;
	struct entry e = { .vaddr = f->value[VADDR] };
	e.pages = has_pages ? f->value[PAGES] : (uint32_t)f->value[COMPAT_PAGES];
	e.flags = (uint32_t)f->value[FLAGS];
	if ((f->seen >> FLAGS & 1) == 0) // before release 3.5 in_parent alone tells
		e.flags = f->value[IN_PARENT] != 0 ? CRIMG_PE_PARENT : CRIMG_PE_PRESENT;
	return e;
}

// Entries are by far the most frequent messages, and nearly all are five varints in order: those are
// read here. Anything else (false) goes the long way, which also says what is wrong.
static bool read_plain(const uint8_t *data, size_t length, struct entry *out)
{
	struct crimg_cursor c = crimg_cursor_make(data, length, NULL, 0);
	struct entry_fields f = { .seen = 0 };
	uint64_t tag;
	for (unsigned last = 0; crimg_cursor_left(&c) > 0; last = (unsigned)tag >> 3) {
		if (crimg_cursor_varint(&c, &tag, "", NULL) < 0 || (tag & 7) != 0 || tag >> 3 > 5
		    || tag >> 3 <= last || crimg_cursor_varint(&c, &f.value[tag >> 3], "", NULL) < 0)
			return false;
		f.seen |= 1u << (tag >> 3);
	}
	if ((f.seen & 6) != 6) // vaddr and compat_nr_pages are required
		return false;
	*out = entry_of(&f);
	return true;
}

static struct entry from_draft(const PagemapEntryDraft *d)
{
	struct entry_fields f = {
		.value = { 0, d->vaddr, d->compat_nr_pages, (uint64_t)(d->in_parent != 0), d->flags, d->nr_pages },
		.seen = 6u | (unsigned)d->has_flags << 4 | (unsigned)d->has_nr_pages << 5,
	};
	struct entry e = entry_of(&f);
	e.sizes = d->compressed_size;
	e.blocks = d->n_compressed_size;
	e.pages_per_block = d->has_region_pages && d->region_pages > 0 ? d->region_pages : 1;
	return e;
}

static struct entry from_final(const PagemapEntry *m)
{
	struct entry_fields f = {
		.value = { 0, m->vaddr, m->compat_nr_pages, (uint64_t)(m->in_parent != 0), m->flags, m->nr_pages },
		.seen = 6u | (unsigned)m->has_flags << 4 | (unsigned)m->has_nr_pages << 5,
	};
	struct entry e = entry_of(&f);
	if (m->blocks == NULL)
		return e;
	e.sizes = m->blocks->block_sizes;
	e.blocks = m->blocks->n_block_sizes;
	e.pages_per_block = m->blocks->pages_per_block;
	return e;
}

struct place {
	const char *name;
	uint64_t base;
};

static int check_blocks(const struct entry *t, struct place at, uint64_t *stored,
                        struct crimg_err *err)
{
	uint64_t sum = 0, pages = t->pages;
	if (t->pages_per_block == 0
	    || t->blocks != pages / t->pages_per_block + (pages % t->pages_per_block != 0))
		return crimg_fail(err, CRIMG_E_FORMAT, at.name, at.base,
		                  "%zu blocks of %u pages found for %llu pages", t->blocks,
		                  t->pages_per_block, (unsigned long long)pages);
	for (size_t i = 0; i < t->blocks; i++) {
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

static int keep_blocks(struct crimg_pagemap *map, const struct entry *t,
                       struct crimg_err *err)
{
	void *array = map->blocks;
	if (crimg_grow(&array, &map->blocks_capacity, map->blocks_count, sizeof *map->blocks, err) < 0)
		return -1;
	map->blocks = array;
	uint32_t *sizes = malloc(t->blocks * sizeof *sizes);
	if (sizes == NULL)
		return crimg_fail_nomem(err, t->blocks * sizeof *sizes);
	memcpy(sizes, t->sizes, t->blocks * sizeof *sizes);
	map->blocks[map->blocks_count++] = (struct crimg_page_blocks){
		.pages_per_block = t->pages_per_block, .count = (uint32_t)t->blocks, .sizes = sizes
	};
	return 0;
}

// Fills offset, stored and blocks of a present run.
static int place_run(struct crimg_pagemap *map, const struct entry *e, struct crimg_page_run *run,
                     struct place at, struct crimg_err *err)
{
	if ((run->flags & CRIMG_PE_ALIGNED) != 0)
		run->offset = (run->offset + CRIMG_PAGE_BYTES - 1) & ~(uint64_t)(CRIMG_PAGE_BYTES - 1);
	run->stored = run->pages * CRIMG_PAGE_BYTES;
	if (e->blocks > 0) {
		if (check_blocks(e, at, &run->stored, err) < 0 || keep_blocks(map, e, err) < 0)
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

static int add_run(struct crimg_pagemap *map, const struct entry *e, struct place at,
                   struct crimg_err *err)
{
	struct crimg_page_run run = { .vaddr = e->vaddr, .pages = e->pages, .flags = e->flags };
	uint64_t bytes, end;
	run.offset = map->stored_bytes; // also of runs without bytes: offsets never fall
	if (!crimg_mul_u64(run.pages, CRIMG_PAGE_BYTES, &bytes)
	    || !crimg_add_u64(run.vaddr, bytes, &end))
		return crimg_fail(err, CRIMG_E_FORMAT, at.name, at.base,
		                  "%llu pages at 0x%llx leave the address space",
		                  (unsigned long long)run.pages, (unsigned long long)run.vaddr);
	if ((run.flags & CRIMG_PE_PRESENT) != 0 && place_run(map, e, &run, at, err) < 0)
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
	struct place at = { name, base };
	struct entry e;
	if (index > 0 && read_plain(data, length, &e))
		return add_run(map, &e, at, err);
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(CRIMG_KIND_PAGEMAP, index, data, length);
	map->arena.limit_bytes = CRIMG_MAX_DECODED_BYTES;
	crimg_arena_reset(&map->arena);
	const void *message = crimg_message_decode(type, data, length, &map->arena, name, base, err);
	if (message == NULL)
		return -1;
	if (index > 0) {
		e = type == &pagemap_entry_draft__descriptor ? from_draft(message)
			: from_final(message);
		return add_run(map, &e, at, err);
	}
	map->pages_id = ((const PagemapHead *)message)->pages_id;
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
	size_t begun;
	CRIMG_COUNT_BEFORE(begun, map->count, map->runs[begun].vaddr <= vaddr);
	if (begun == 0)
		return NULL;
	const struct crimg_page_run *run = &map->runs[begun - 1];
	return vaddr - run->vaddr < run->pages * CRIMG_PAGE_BYTES ? run : NULL;
}

const struct crimg_page_run *crimg_pagemap_at_offset(const struct crimg_pagemap *map,
                                                     uint64_t offset, uint64_t *next)
{
	size_t begun;
	CRIMG_COUNT_BEFORE(begun, map->count, map->runs[begun].offset <= offset);
	*next = begun < map->count ? map->runs[begun].offset : UINT64_MAX;
	if (begun == 0)
		return NULL;
	const struct crimg_page_run *run = &map->runs[begun - 1];
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
