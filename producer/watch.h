// Watching which pages of a running process are written: a userfaultfd that the process makes, and
// that crimg alone keeps, protects its own pages against writing, and the kernel notes each that is
// written all the same (WP_ASYNC; PAGEMAP_SCAN, both since Linux 6.7). Private memory without a
// file; the rest is never watched. A new mapping, one that moved, and pages that came later count
// as written. When crimg lets go, or dies, the kernel ends it.
#ifndef CRIMG_PRODUCER_WATCH_H
#define CRIMG_PRODUCER_WATCH_H

#include <sys/types.h>

#include "producer/page_scan.h"
#include "producer/ranges.h"

struct crimg_watch {
	pid_t pid;
	uint64_t born; // ticks since the machine's start: tells the process from one that gets its
		       // number
	int uffd;
	struct crimg_ranges areas; // that are watched
	struct crimg_ranges pages; // that were there when watching began
};

// The process's threads are seized and stand. CRIMG_E_UNSUPPORTED: this kernel cannot.
CRIMG_MUST_CHECK int crimg_watch_begin(struct crimg_watch *w, pid_t pid, struct crimg_err *err);
void crimg_watch_end(struct crimg_watch *w);
// Those of its pages that were not written since. scan is of the same process.
CRIMG_MUST_CHECK int crimg_watch_unwritten(const struct crimg_watch *w,
					   struct crimg_page_scan *scan, struct crimg_ranges *out,
					   struct crimg_err *err);

#endif
