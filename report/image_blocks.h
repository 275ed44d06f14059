// The blocks of JSON that tell of one image: what inspect says, what its address spaces look like, what validate
// says. Each tool is asked in turn, so that no more than one index of the image is in memory.
#ifndef CRIMG_REPORT_IMAGE_BLOCKS_H
#define CRIMG_REPORT_IMAGE_BLOCKS_H

#include "report/page.h"

struct crimg_report_image {
	const char *path;    // what is opened
	const char *name;    // what the user called it
	const char *format;  // forced driver, or NULL
	const char *tmpdir;
	const char *sysroot; // for registers and stacks, or NULL
};

// Blocks "inspect-SIDE", "spaces-SIDE" and "findings-SIDE". 0: what is wrong with the image stands in them. -1:
// err, nothing can be told of it, or the page cannot be written.
CRIMG_MUST_CHECK int crimg_report_blocks(struct crimg_page *page,
                                         const struct crimg_report_image *image, char side,
                                         struct crimg_err *err);

#endif
