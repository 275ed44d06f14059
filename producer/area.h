// An area of a process's memory as smaps tells of it. Knows text alone.
#ifndef CRIMG_PRODUCER_AREA_H
#define CRIMG_PRODUCER_AREA_H

#include <stdbool.h>
#include <string.h>

#include "producer/capture.h"

struct crimg_live_area {
	uint64_t start, end, offset, dev, ino;
	uint64_t swapped_bytes;
	char perms[5];
	const char *name;  // behind the inode; "" when there is none
	const char *label; // that its program gave it; or NULL
	const char *flags; // of VmFlags: two letters each, with blanks
};

static inline bool crimg_area_is_named(const struct crimg_live_area *a, const char *name)
{
	return strncmp(a->name, name, strlen(name)) == 0;
}

static inline bool crimg_area_is_shared(const struct crimg_live_area *a)
{
	return a->perms[3] == 's';
}

// Anonymous memory that is shared, or a memory file.
static inline bool crimg_area_is_segment(const struct crimg_live_area *a)
{
	return (crimg_area_is_shared(a) && strcmp(a->name, CRIMG_ANONYMOUS_SHARED) == 0)
	       || crimg_area_is_named(a, "/memfd:");
}

// The file that an area maps, with the rights that it was opened with, into v.
CRIMG_MUST_CHECK int crimg_capture_mapped(struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a,
                                          VmaEntry *v, struct crimg_err *err);

#endif
