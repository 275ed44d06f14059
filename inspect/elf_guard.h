// ELF files opened with care: what libelf would allocate for is counted before it sees the file.
// Knows the two ELF headers and notes; knows no paths and no symbols.
#ifndef CRIMG_INSPECT_ELF_GUARD_H
#define CRIMG_INSPECT_ELF_GUARD_H

#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

#define CRIMG_MAX_ELF_HEADERS (1u << 16) // section headers, program headers: of each
#define CRIMG_MAX_NOTE_BYTES (1u << 20)  // notes that are read in search of a build-id
#define CRIMG_MAX_BUILD_ID 64u           // bytes; what is longer is cut

// A little-endian ELF file of at least its header, with counts of headers within the limits. NULL: it
// is none. fd must stay open as long as the Elf; its bytes may change or go away meanwhile: reads fail
// then, nothing is mapped.
Elf *crimg_elf_open(int fd);

// The build-id of an ELF image, from its notes; 0 when there is none. Returns its length, at most
// size.
size_t crimg_elf_build_id(Elf *elf, uint8_t *out, size_t size);

#endif
