// What an area is, in a few words.
#ifndef CRIMG_FORMAT_AREA_WORDS_H
#define CRIMG_FORMAT_AREA_WORDS_H

#include "format/space.h"

// "[heap]", "[stack]", "[vdso]", a path, "shared memory /dev/zero, 64 KiB"; "" for plain private memory.
// What cannot be read is noted in damage. Returns out.
char *crimg_area_words(struct crimg_image *image, const struct crimg_files *files,
                       const struct crimg_task *task, const VmaEntry *vma, char *out, size_t size,
                       struct crimg_err *damage);
// "rw-p".
char *crimg_area_permissions(const VmaEntry *vma, char out[5]);

#endif
