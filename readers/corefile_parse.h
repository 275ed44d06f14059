// The outer form of an ELF core: what kind of file it is, where its memory lies, the bytes of its
// notes. Knows ELF headers; knows nothing of what a note says. Source: gABI; SPEC.md, chapter "ELF
// cores".
#ifndef CRIMG_READERS_COREFILE_PARSE_H
#define CRIMG_READERS_COREFILE_PARSE_H

#include "format/buf.h"
#include "format/cursor.h"
#include "format/source.h"

// A PT_LOAD.
struct corefile_segment {
	uint64_t start, end;    // addresses; whole pages, end exclusive
	uint64_t offset, bytes; // what the file should hold of it, from start on
	uint32_t flags;         // CRIMG_ELF_PF_*
	uint32_t row;           // in the table of program headers
};

// A PT_NOTE, as far as the file holds it.
struct corefile_part {
	uint64_t offset;   // in the file
	size_t at, length; // in corefile_elf.notes
};

struct corefile_elf {
	struct crimg_source *source; // borrowed
	bool is_32;
	struct corefile_segment *segments; // sorted by address, disjoint
	size_t count, capacity;
	struct corefile_part *parts; // in the order of the table
	size_t part_count, part_capacity;
	struct crimg_buf notes; // all parts, one after the other
	uint64_t table;         // offset of the program headers
};

// Reads the headers and the notes. Goes on behind notes that are cut, which damage (not err) tells;
// the first damage wins. Refuses what is no core of an x86 Linux process, tables that lie, segments
// that overlap. On failure *out needs no corefile_elf_fini.
CRIMG_MUST_CHECK int corefile_elf_open(struct crimg_source *source, struct corefile_elf *out,
                                       struct crimg_err *damage, struct crimg_err *err);
void corefile_elf_fini(struct corefile_elf *elf);
// Where the program header of a segment stands in the file.
uint64_t corefile_row_offset(const struct corefile_elf *elf, uint32_t row);

// What is wanted of an ELF header, and of a program header, as they are; the cursor stands behind
// e_ident, at the program header, and then behind it.
struct corefile_header {
	uint16_t type, machine, row_bytes, rows;
	uint64_t table, sections; // offsets
};

struct corefile_row {
	uint32_t type, flags;
	uint64_t offset, address, bytes, memory;
};

CRIMG_MUST_CHECK int corefile_header_parse(struct crimg_cursor *c, bool is_32,
                                           struct corefile_header *h, struct crimg_err *err);
CRIMG_MUST_CHECK int corefile_row_parse(struct crimg_cursor *c, bool is_32, struct corefile_row *r,
                                        struct crimg_err *err);
// Reads one value of the class's word size: 8 bytes, or 4.
CRIMG_MUST_CHECK int corefile_word(struct crimg_cursor *c, bool is_32, uint64_t *out,
                                   const char *what, struct crimg_err *err);

#endif
