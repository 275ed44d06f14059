// Whether two files share their bytes on disk (reflinks), as the file system tells it (FIEMAP). Knows extents;
// knows nothing of what is in the files.
#ifndef CRIMG_DIFF_SHARED_EXTENTS_H
#define CRIMG_DIFF_SHARED_EXTENTS_H

#include <sys/types.h>

#include "format/err.h"

#define CRIMG_EXTENT_WINDOW 64u // extents that are asked for at once

struct crimg_extent_place {
	int fd;
	ino_t ino;
	uint64_t offset;
};

struct crimg_extent {
	uint64_t offset, physical, length;
	bool shared;        // on disk as it is, and other files hold it too
};

// What is known of one file.
struct crimg_extent_map {
	ino_t ino;
	bool mute;          // the file system does not tell
	uint64_t from, to;  // offsets that list speaks of; empty: nothing was asked yet
	struct crimg_extent list[CRIMG_EXTENT_WINDOW];
	unsigned count;
};

struct crimg_extents {
	struct crimg_extent_map map[2];
};

// How many bytes from two places on are the same ones on disk, at most length; 0: they are not, or nobody
// tells. Both files are on one file system. extents is all zero before the first call.
uint64_t crimg_extents_shared(struct crimg_extents *extents, const struct crimg_extent_place place[2],
                              uint64_t length);

#endif
