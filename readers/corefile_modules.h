// Permissions of areas that a core has no segment for, from the ELF files that were mapped, whose
// first page nearly every core holds. Knows ELF program headers.
#ifndef CRIMG_READERS_COREFILE_MODULES_H
#define CRIMG_READERS_COREFILE_MODULES_H

#include "readers/corefile_space.h"

// Sets prot of areas with no_segment where the file's program headers tell it; others stay.
void corefile_modules_protect(const struct corefile_elf *elf, struct corefile_space *space);

#endif
