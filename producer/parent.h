// The image that one being taken is based on: pages that it has as they are now are not taken
// again.
#ifndef CRIMG_PRODUCER_PARENT_H
#define CRIMG_PRODUCER_PARENT_H

#include "format/image.h"
#include "producer/watch.h"

struct crimg_parent {
	char *link; // what the symbolic link "parent" says; owned; NULL: there is no parent
	struct crimg_watch *watches; // of the processes that a pre-dump was made of
	size_t count, capacity;
	struct crimg_image *image; // or an image whose pages are compared; owned
};

void crimg_parent_fini(struct crimg_parent *p);
// The pages of a process, which stands still, that the parent has as they are, in order. mm has its
// areas; scan is of that process, too.
CRIMG_MUST_CHECK int crimg_parent_pages(const struct crimg_parent *p, pid_t pid, const MmEntry *mm,
					struct crimg_page_scan *scan, struct crimg_ranges *out,
					struct crimg_err *err);

#endif
