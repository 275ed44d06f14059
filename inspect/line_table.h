// Source lines of an ELF file: the line number programs of .debug_line, DWARF 2 to 5. All of them are run
// once, to know what addresses each sequence covers; then only the one that an address is in. No other
// debug section is needed, which large compressed ones would make slow. Safe with any bytes.
// Source: DWARF 5, 6.2 (and 2 to 4 for what is different there).
#ifndef CRIMG_INSPECT_LINE_TABLE_H
#define CRIMG_INSPECT_LINE_TABLE_H

#include <libelf.h>

#include "format/cursor.h"

struct crimg_line_sequence {
	uint64_t low, high;      // addresses in the file's own numbering, high exclusive
	size_t unit;             // where in .debug_line the header is
	size_t program;          // and where the sequence's first instruction is
};

struct crimg_line_table {
	struct crimg_cursor lines, line_strings, strings; // sections, borrowed; length 0: not there
	struct crimg_line_sequence *sequences; // owned; sorted by low
	size_t count, capacity;
};

// Sections are unpacked within elf, which must outlive the table. An ELF file without any gives an empty
// table. -1 without memory.
CRIMG_MUST_CHECK int crimg_line_table_init(struct crimg_line_table *t, Elf *elf,
                                           struct crimg_err *err);
void crimg_line_table_fini(struct crimg_line_table *t);
// The line of address, and the file's name as the compiler was given it: at most size - 1 bytes. 0: not known.
uint32_t crimg_line_table_find(const struct crimg_line_table *t, uint64_t address, char *file,
                               size_t size);

#endif
