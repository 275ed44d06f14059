// The header of one unit of .debug_line: how its program is to be read, and the names of its files.
#ifndef CRIMG_INSPECT_LINE_HEADER_H
#define CRIMG_INSPECT_LINE_HEADER_H

#include "inspect/line_table.h"

struct crimg_line_header {
	size_t offset;           // of the unit in the section
	struct crimg_cursor unit;    // all of the unit behind its length; at: behind the version
	struct crimg_cursor names;   // tables of directories and files
	struct crimg_cursor program;
	unsigned version;
	bool wide;               // 64-bit DWARF: offsets of 8 bytes
	uint8_t step;            // bytes of the shortest instruction
	int8_t line_base;
	uint8_t line_range, opcode_base;
	const uint8_t *operands; // of the standard instructions 1 to opcode_base - 1: how many numbers
};

// Reads the header at *at in section, and moves *at behind the unit. 1; 0: it is of a kind that is not known,
// or broken within; -1: the section ends, or cannot be followed any further.
int crimg_line_header_read(const struct crimg_cursor *section, size_t *at,
                           struct crimg_line_header *out);
// The name of file number, joined to its directory. Up to DWARF 4 the one where the compiler ran is not
// known. "" when there is no such file. Returns out.
char *crimg_line_header_file(const struct crimg_line_table *t, const struct crimg_line_header *h,
                             uint64_t number, char *out, size_t size);

#endif
