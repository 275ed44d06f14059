// A range of one task's memory, shown: as a hexdump, as JSON, or as it is.
#ifndef CRIMG_INSPECT_MEM_DUMP_H
#define CRIMG_INSPECT_MEM_DUMP_H

#include "inspect/memory_range.h"

// A hexdump, with a heading for each area and a line for each stretch of another origin. Absent bytes are
// told, never shown.
void crimg_mem_dump_text(const struct crimg_memory_range *range);
// One object for each area.
void crimg_mem_dump_json(const struct crimg_memory_range *range);
// The bytes alone; at the first that is absent view->fault is set.
void crimg_mem_dump_raw(const struct crimg_memory_range *range);

// "from the image", "not in the image: equal to PATH; no --sysroot was given", …. Returns out.
struct crimg_stretch;
char *crimg_stretch_text(struct crimg_debuggee *d, const struct crimg_stretch *s, char *out,
                         size_t size);

#endif
