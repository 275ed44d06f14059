// The page itself: one HTML file in which blocks of JSON stand between a fixed top and a fixed end (both made
// at build time from page/). Knows HTML; knows no images.
//
// Whatever stands in a block is data: the only bytes that could end a script element (<, >, &) come out
// as \u003c and the like, which says the same in JSON.
#ifndef CRIMG_REPORT_PAGE_H
#define CRIMG_REPORT_PAGE_H

#include <signal.h>
#include <stdio.h>

#include "format/output.h"

struct crimg_page {
	struct crimg_output *output;
	struct crimg_sink sink;
	FILE *file;            // what a block is written to
	bool escaping;         // a block is open
	const volatile sig_atomic_t *stopped; // not 0: give up
	struct crimg_err err;  // of the output, or CRIMG_OK
};

// path: "-" is standard output; stopped: NULL, or what a signal sets to end it all. Close the page whatever
// happens. A page must not move in memory while it is open.
CRIMG_MUST_CHECK int crimg_page_open(struct crimg_page *page, const char *path,
                                     const volatile sig_atomic_t *stopped, struct crimg_err *err);
// A block of JSON, which the script finds by name (letters and "-"). Between begin and end, page->file takes
// ASCII JSON.
CRIMG_MUST_CHECK int crimg_page_block_begin(struct crimg_page *page, const char *name,
                                            struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_page_block_end(struct crimg_page *page, struct crimg_err *err);
// The end of the page; from here on the file has its name.
CRIMG_MUST_CHECK int crimg_page_commit(struct crimg_page *page, struct crimg_err *err);
// Without a commit nothing is left.
void crimg_page_close(struct crimg_page *page);

#endif
