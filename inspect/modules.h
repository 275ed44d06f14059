// The ELF files that are mapped in a task: which areas belong to one, where it was loaded, and how
// to get at its headers. What inspect/debuggee.h offers stands on this; views do not use it.
#ifndef CRIMG_INSPECT_MODULES_H
#define CRIMG_INSPECT_MODULES_H

#include "inspect/debuggee.h"

// Fills d->modules from d->space. False without memory (view->fault).
CRIMG_MUST_CHECK bool crimg_modules_find(struct crimg_debuggee *d);
void crimg_modules_free(struct crimg_debuggee *d);
// The module that address lies in, as it is; NULL when there is none.
struct crimg_module *crimg_modules_at(const struct crimg_debuggee *d, uint64_t address);
// Sets elf and bias, or why; does it once.
void crimg_module_open(struct crimg_debuggee *d, struct crimg_module *m);
// The file behind it, opened; NULL for modules that are in memory alone.
struct crimg_elf_file *crimg_module_file(struct crimg_debuggee *d, struct crimg_module *m);

// The load address of elf: such that its segments lie where the areas of m are. False: they do not.
bool crimg_module_bias(const struct crimg_space *space, const struct crimg_module *m, Elf *elf,
                       uint64_t *bias);
// Sets elf, bias and memory of m from the pages in the image, when all of them are there.
void crimg_module_from_memory(struct crimg_debuggee *d, struct crimg_module *m);
// The build-id from those pages, padded to words as CRIU does; 0 when they do not tell.
size_t crimg_module_build_id(const struct crimg_debuggee *d, const struct crimg_module *m,
                             uint8_t *out, size_t size);
// True for the area that the kernel maps its own ELF file into.
bool crimg_area_is_vdso(const struct crimg_space *space, const struct crimg_area *area);

#endif
