// Which pages of a task's memory are its own: asked of the kernel in ranges (PAGEMAP_SCAN, since Linux
// 6.7), or a page at a time (/proc/PID/pagemap). Knows the kernel's answers; knows no images.
#ifndef CRIMG_PRODUCER_PAGE_SCAN_H
#define CRIMG_PRODUCER_PAGE_SCAN_H

#include <sys/types.h>

#include "format/err.h"

struct crimg_page_scan {
	int fd;             // of /proc/PID/pagemap
	bool ranges;        // the kernel has PAGEMAP_SCAN
	bool guards;        // and it knows guard regions (Linux 6.15)
	struct crimg_page_range *found;
	size_t capacity;
};

struct crimg_page_range {
	uint64_t start, end, categories; // as PAGEMAP_SCAN has them
};

CRIMG_MUST_CHECK int crimg_page_scan_open(struct crimg_page_scan *s, pid_t pid, struct crimg_err *err);
void crimg_page_scan_close(struct crimg_page_scan *s);

enum crimg_pages {
	CRIMG_PAGES_OWN,   // present or swapped, neither the page of zeros nor those of a file
	CRIMG_PAGES_GUARD, // guard regions: whoever touches them gets SIGSEGV
	// Of memory that a userfaultfd watches, with s->ranges alone:
	CRIMG_PAGES_PROTECT,   // as OWN, and from now on protected against writing
	CRIMG_PAGES_UNWRITTEN, // as OWN, and protected since
};

// Calls one for every run of such pages of [start, end), ascending. Stops when it returns not 0, and returns
// that.
CRIMG_MUST_CHECK int crimg_page_scan(struct crimg_page_scan *s, uint64_t start, uint64_t end,
                                     enum crimg_pages which,
                                     int (*one)(void *context, uint64_t start, uint64_t end),
                                     void *context, struct crimg_err *err);

#endif
