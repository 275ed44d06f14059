// Area to module to program header.
#include "readers/corefile_modules.h"

#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "format/space.h"

#define AREAS_MAX 64u // of one module, in front of an area
#define ROWS_MAX 64u  // program headers of one module

// Where the file of area i begins in memory; false when that is not there.
static bool find_base(const struct corefile_space *space, size_t i, uint64_t *base)
{
	uint32_t file = space->areas[i].file;
	for (size_t n = 0; n < AREAS_MAX && n <= i; n++) {
		const struct corefile_area *a = &space->areas[i - n];
		if (a->file != file || a->offset != 0)
			continue;
		*base = a->start;
		return true;
	}
	return false;
}

// The program headers in the first page of the ELF file at base; 0 when there are none.
static size_t read_rows(const struct corefile_elf *elf, const struct corefile_space *space,
                        uint64_t base, struct corefile_row rows[ROWS_MAX])
{
	uint8_t page[CRIMG_PAGE_BYTES];
	size_t count = 0;
	struct corefile_header h;
	if (!corefile_space_read(space, base, page, sizeof page)
	    || memcmp(page, CRIMG_ELF_MAGIC, 4) != 0)
		return 0;
	struct crimg_cursor c = crimg_cursor_make(page, sizeof page, NULL, base);
	c.at = CRIMG_ELF_IDENT_BYTES;
	if (corefile_header_parse(&c, elf->is_32, &h, NULL) < 0 || h.table >= sizeof page
	    || h.row_bytes != CRIMG_ELF_PHDR_BYTES(elf->is_32))
		return 0;
	c.at = (size_t)h.table;
	while (count < h.rows && count < ROWS_MAX
	       && corefile_row_parse(&c, elf->is_32, &rows[count], NULL) == 0)
		count++;
	return count;
}

static uint64_t page_down(uint64_t address)
{
	return address / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
}

// Addresses in the file's own terms: base is where its first byte is, at the first segment.
static void protect(struct corefile_area *area, uint64_t base, const struct corefile_row *rows,
                    size_t count)
{
	size_t i = 0;
	while (i < count
	       && (rows[i].type != CRIMG_ELF_PT_LOAD || rows[i].offset >= CRIMG_PAGE_BYTES))
		i++;
	if (i == count)
		return;
	uint64_t address = area->start - base + page_down(rows[i].address);
	for (; i < count; i++) {
		uint64_t start = page_down(rows[i].address);
		if (rows[i].type == CRIMG_ELF_PT_LOAD && address >= start
		    && address - start < rows[i].address - start + rows[i].memory)
			area->prot = corefile_prot(rows[i].flags);
	}
}

void corefile_modules_protect(const struct corefile_elf *elf, struct corefile_space *space)
{
	struct corefile_row rows[ROWS_MAX];
	uint64_t base, known = UINT64_MAX;
	size_t count = 0;
	for (size_t i = 0; i < space->count; i++) {
		if (!space->areas[i].no_segment || !find_base(space, i, &base))
			continue;
		if (base != known)
			count = read_rows(elf, space, base, rows);
		known = base;
		protect(&space->areas[i], base, rows, count);
	}
}
