// What lies at an address of a task, in words. The room that knows ELF files and symbols (inspect/) says it;
// tools that do not know them ask through this.
#ifndef CRIMG_FORMAT_ADDRESS_NAMER_H
#define CRIMG_FORMAT_ADDRESS_NAMER_H

#include "format/files.h"

#define CRIMG_ADDRESS_TEXT_MAX 512

struct crimg_address_namer;

// image, tasks and files are borrowed; sysroot may be NULL. NULL without memory.
CRIMG_MUST_CHECK struct crimg_address_namer *
crimg_address_namer_open(struct crimg_image *image, const struct crimg_tasks *tasks,
                         const struct crimg_files *files, const char *sysroot);
// "main+0x1c (zoo)", "libc.so.6+0x2a3f1", "[stack]+0x120"; "" when nothing is mapped there. Returns out.
char *crimg_address_name(struct crimg_address_namer *namer, const struct crimg_task *task,
                         uint64_t address, char *out, size_t size);
void crimg_address_namer_close(struct crimg_address_namer *namer); // NULL is allowed

#endif
