// The loadable segments of an ELF file: the way between its addresses and its bytes. Knows libelf.
#ifndef CRIMG_INSPECT_SEGMENTS_H
#define CRIMG_INSPECT_SEGMENTS_H

#include <gelf.h>

#include "format/err.h"

#define CRIMG_MAX_SEGMENTS 256 // that are looked at; real files have ten

struct crimg_segments {
	GElf_Phdr list[CRIMG_MAX_SEGMENTS]; // PT_LOAD, in the file's order; each fits 63 bits
	size_t count;
};

void crimg_segments_read(Elf *elf, struct crimg_segments *out);
// The first header of another type; false when there is none.
bool crimg_segment_of_type(Elf *elf, uint32_t type, GElf_Phdr *out);

// Where the byte at address (the file's own) lies in the file, and how many follow in its segment.
bool crimg_segments_offset(const struct crimg_segments *segments, uint64_t address,
                           uint64_t *offset, uint64_t *length);
// length bytes at address as libelf lends them; NULL when the file has fewer there.
Elf_Data *crimg_segments_data(Elf *elf, const struct crimg_segments *segments, uint64_t address,
                              uint64_t length, Elf_Type type);

#endif
