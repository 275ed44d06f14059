// Page maps: old and new counts, flags, blocks of version 1.2 in both layouts, and what no reader could
// follow. Ids in brackets are those of SPEC.md.
#include <lz4.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/pagemap.h"
#include "tests/suite.h"

// One entry: a string literal of its encoded fields.
static int add(struct crimg_pagemap *map, const char *data, size_t length, struct crimg_err *err)
{
	size_t index = map->count + (map->has_head ? 1 : 0);
	return crimg_pagemap_add(map, index, (const uint8_t *)data, length, "pagemap-1.img", 40, err);
}
#define ADD(map, data) CU_ASSERT_EQUAL_FATAL(add(map, data, sizeof(data) - 1, NULL), 0)

static struct crimg_pagemap begin(void)
{
	struct crimg_pagemap map = CRIMG_PAGEMAP_INIT;
	ADD(&map, "\x08\7");
	CU_ASSERT_EQUAL(map.pages_id, 7);
	return map;
}

static void refused(const char *data, size_t length, const char *wanted)
{
	struct crimg_pagemap map = begin();
	struct crimg_err err = CRIMG_ERR_INIT;
	char text[1024];
	CU_ASSERT_EQUAL(add(&map, data, length, &err), -1);
	CU_ASSERT_EQUAL(map.count, 0);
	crimg_err_format(&err, text, sizeof text);
	if (strcmp(text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", text, wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	crimg_pagemap_fini(&map);
}
#define REFUSED(data, text) refused(data, sizeof(data) - 1, text)

// [R-0208] Field 5 is preferred: CRIU 4.2 writes 0 into field 2.
static void test_counts(void)
{
	struct crimg_pagemap map = begin();
	ADD(&map, "\x08\x80\x20\x10\3\x20\4");        // old: 3 pages at 0x1000
	ADD(&map, "\x08\x80\xa0\1\x10\0\x20\4\x28\5"); // new: 5 pages at 0x5000
	CU_ASSERT_EQUAL(map.runs[0].vaddr, 0x1000);
	CU_ASSERT_EQUAL(map.runs[0].pages, 3);
	CU_ASSERT_EQUAL(map.runs[1].vaddr, 0x5000);
	CU_ASSERT_EQUAL(map.runs[1].pages, 5);
	CU_ASSERT_EQUAL(map.runs[1].offset, 3 * 4096);
	CU_ASSERT_EQUAL(map.stored_bytes, 8 * 4096);
	CU_ASSERT_EQUAL(map.present_pages, 8);
	crimg_pagemap_fini(&map);
}

// [R-0209] Only PRESENT runs have bytes; LAZY says nothing about them. Without flags in_parent tells.
static void test_flags(void)
{
	struct crimg_pagemap map = begin();
	ADD(&map, "\x08\0\x10\1\x20\1");            // parent
	ADD(&map, "\x08\x80\x20\x10\1\x20\6");      // lazy, present
	ADD(&map, "\x08\x80\x40\x10\1\x20\2");      // lazy alone
	ADD(&map, "\x08\x80\x60\x10\1\x18\1");      // before 3.5: in the parent
	ADD(&map, "\x08\x80\x80\1\x10\2\x18\0");    // before 3.5: here
	CU_ASSERT_EQUAL(map.runs[0].flags, CRIMG_PE_PARENT);
	CU_ASSERT_EQUAL(map.runs[3].flags, CRIMG_PE_PARENT);
	CU_ASSERT_EQUAL(map.runs[4].flags, CRIMG_PE_PRESENT);
	CU_ASSERT_EQUAL(map.stored_bytes, 3 * 4096);
	CU_ASSERT_EQUAL(map.parent_pages, 2);
	CU_ASSERT_EQUAL(map.runs[4].offset, 4096);
	for (size_t i = 0; i < map.count; i++)
		CU_ASSERT_EQUAL(map.runs[i].stored, (map.runs[i].flags & CRIMG_PE_PRESENT) != 0
		                                    ? map.runs[i].pages * 4096 : 0);
	crimg_pagemap_fini(&map);
}

static void test_find(void)
{
	struct crimg_pagemap map = begin();
	ADD(&map, "\x08\x80\x20\x10\2\x20\4");       // 0x1000 to 0x3000
	ADD(&map, "\x08\x80\x60\x10\1\x20\1");       // 0x3000, parent
	ADD(&map, "\x08\x80\xa0\1\x10\1\x20\4");     // 0x5000
	CU_ASSERT(crimg_pagemap_sorted(&map));
	CU_ASSERT_PTR_NULL(crimg_pagemap_find(&map, 0xfff));
	CU_ASSERT_PTR_EQUAL(crimg_pagemap_find(&map, 0x1000), &map.runs[0]);
	CU_ASSERT_PTR_EQUAL(crimg_pagemap_find(&map, 0x2fff), &map.runs[0]);
	CU_ASSERT_PTR_EQUAL(crimg_pagemap_find(&map, 0x3000), &map.runs[1]);
	CU_ASSERT_PTR_NULL(crimg_pagemap_find(&map, 0x4000));
	CU_ASSERT_PTR_NULL(crimg_pagemap_find(&map, 0x6000));
	CU_ASSERT_PTR_NULL(crimg_pagemap_find(&map, UINT64_MAX));
	uint64_t next;
	CU_ASSERT_PTR_EQUAL(crimg_pagemap_at_offset(&map, 8191, &next), &map.runs[0]);
	CU_ASSERT_PTR_EQUAL(crimg_pagemap_at_offset(&map, 8192, &next), &map.runs[2]);
	CU_ASSERT_PTR_NULL(crimg_pagemap_at_offset(&map, 12288, &next));
	CU_ASSERT_EQUAL(next, UINT64_MAX);
	ADD(&map, "\x08\x80\xa0\1\x10\1\x20\4");     // again: runs overlap
	CU_ASSERT(!crimg_pagemap_sorted(&map));
	crimg_pagemap_fini(&map);
}

// [R-0211] The wire type of field 6 tells the draft of version 1.2 from the final layout.
static void test_blocks(void)
{
	struct crimg_pagemap map = begin();
	// Final: 5 pages in blocks of 2: 100 bytes, all zeros, raw (a short block of one page).
	ADD(&map, "\x08\0\x10\0\x20\4\x28\5\x32\x0b\x0a\4\x64\0\x80\x20\x10\xe4\x20\x18\2");
	CU_ASSERT_EQUAL(map.runs[0].stored, 4196);
	CU_ASSERT_EQUAL(map.runs[0].blocks, 1);
	CU_ASSERT_EQUAL(map.blocks[0].count, 3);
	CU_ASSERT_EQUAL(map.blocks[0].pages_per_block, 2);
	CU_ASSERT_EQUAL(map.blocks[0].sizes[2], 4096);
	// The next run begins behind those bytes, or at the next page boundary when ALIGNED.
	ADD(&map, "\x08\x80\xa0\2\x10\0\x20\4\x28\1");
	CU_ASSERT_EQUAL(map.runs[1].offset, 4196);
	ADD(&map, "\x08\x80\xc0\2\x10\0\x20\x0c\x28\1");
	CU_ASSERT_EQUAL(map.runs[2].offset, 12288);
	uint64_t next = 0;
	CU_ASSERT_PTR_NULL(crimg_pagemap_at_offset(&map, 8292, &next)); // padding
	CU_ASSERT_EQUAL(next, 12288);
	// Draft: one size a page.
	ADD(&map, "\x08\x80\xe0\2\x10\0\x20\4\x28\2\x30\7\x30\x0b");
	CU_ASSERT_EQUAL(map.runs[3].offset, 16384);
	CU_ASSERT_EQUAL(map.runs[3].stored, 18);
	CU_ASSERT_EQUAL(map.blocks[1].pages_per_block, 1);
	// Draft: regions of 4 pages.
	ADD(&map, "\x08\x80\xa0\3\x10\0\x20\4\x28\6\x30\7\x30\x0b\x40\4");
	CU_ASSERT_EQUAL(map.blocks[2].count, 2);
	CU_ASSERT_EQUAL(map.blocks[2].pages_per_block, 4);
	crimg_pagemap_fini(&map);
}

static void test_refused(void)
{
	REFUSED("\x10\1", "pagemap-1.img: offset 40 (0x28): pagemap_entry: the required field vaddr is "
	                  "missing");
	REFUSED("\x08\0\x10\0\x20\4\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\1",
	        "pagemap-1.img: offset 40 (0x28): 18446744073709551615 pages at 0x0 leave the address "
	        "space");
	REFUSED("\x08\x80\xe0\xff\xff\xff\xff\xff\xff\xff\1\x10\2\x20\4",
	        "pagemap-1.img: offset 40 (0x28): 2 pages at 0xfffffffffffff000 leave the address space");
	REFUSED("\x08\0\x10\0\x20\4\x28\5\x32\7\x0a\1\x64\x10\x64\x18\2",
	        "pagemap-1.img: offset 40 (0x28): 1 blocks of 2 pages found for 5 pages");
	REFUSED("\x08\0\x10\0\x20\4\x28\5\x32\7\x0a\1\x64\x10\x64\x18\0",
	        "pagemap-1.img: offset 40 (0x28): 1 blocks of 0 pages found for 5 pages");
	REFUSED("\x08\0\x10\0\x20\4\x28\1\x32\x09\x0a\2\x81\x20\x10\x81\x20\x18\1",
	        "pagemap-1.img: offset 40 (0x28): block 0 is stored in 4097 bytes, at most 4096 wanted");
}

static void test_expand(void)
{
	uint8_t page[4096], packed[8192], out[4096];
	struct crimg_err err = CRIMG_ERR_INIT;
	memset(page, 'x', sizeof page);
	int n = LZ4_compress_default((const char *)page, (char *)packed, sizeof page, sizeof packed);
	CU_ASSERT(n > 0);
	CU_ASSERT_EQUAL(crimg_page_block_expand(packed, (size_t)n, out, 4096, "p", 0, &err), 0);
	CU_ASSERT_EQUAL(memcmp(out, page, 4096), 0);
	CU_ASSERT_EQUAL(crimg_page_block_expand(page, 4096, out, 4096, "p", 0, &err), 0);
	CU_ASSERT_EQUAL(out[4095], 'x');
	CU_ASSERT_EQUAL(crimg_page_block_expand(NULL, 0, out, 4096, "p", 0, &err), 0);
	CU_ASSERT_EQUAL(out[0], 0);
	CU_ASSERT_EQUAL(crimg_page_block_expand(packed, (size_t)n - 1, out, 4096, "p", 9, &err), -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_FORMAT);
	CU_ASSERT_EQUAL(err.offset, 9);
	CU_ASSERT_EQUAL(crimg_page_block_expand(packed, (size_t)n, out, 4000, "p", 9, NULL), -1);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "counts", test_counts },
		{ "flags", test_flags },
		{ "finding", test_find },
		{ "blocks", test_blocks },
		{ "refused", test_refused },
		{ "expanding", test_expand },
	};
	return SUITE_RUN("page maps", NULL, NULL, tests);
}
