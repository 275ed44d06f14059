// What an area is, in a few words.
#ifndef CRIMG_INSPECT_AREA_TEXT_H
#define CRIMG_INSPECT_AREA_TEXT_H

#include "format/space.h"
#include "inspect/view.h"

// "[heap]", "[stack]", "[vdso]", a path, "shared memory /dev/zero, 64 KiB"; "" for plain private memory.
// Returns out.
char *crimg_area_text(struct crimg_view *view, const struct crimg_task *task, const VmaEntry *vma,
                      char *out, size_t size);
// "rw-p".
char *crimg_area_permissions(const VmaEntry *vma, char out[5]);

#endif
