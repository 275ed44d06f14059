// The contents of a mapped file that was deleted: where the image keeps them, a debugger can find
// them nowhere else. Knows ghost-file-*.img; knows nothing of segments.
#ifndef CRIMG_WRITERS_ELFCORE_GHOST_H
#define CRIMG_WRITERS_ELFCORE_GHOST_H

#include "format/space.h"

struct elfcore_ghost {
	struct crimg_image_object *object; // NULL: the file has none
	uint64_t size;                     // bytes of the file; what no extent holds is zero
	bool chunked;                      // each entry behind the head is an extent, else it is
	size_t entry;                      // the next one; 0 begins anew
};

struct elfcore_extent {
	uint64_t offset, length;           // in the file
	uint64_t payload;                  // that begins with the byte at offset
};

// The ghost of the file that an area maps.
CRIMG_MUST_CHECK int elfcore_ghost_find(struct crimg_image *image, const struct crimg_files *files,
                                        const struct crimg_area *area, struct elfcore_ghost *out,
                                        struct crimg_err *err);
// The next extent: 1. 0: there are no more. -1: err.
CRIMG_MUST_CHECK int elfcore_ghost_next(struct crimg_image *image, struct elfcore_ghost *ghost,
                                        struct elfcore_extent *out, struct crimg_err *err);

#endif
