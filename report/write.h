// A whole report: one image, or two and what changed between them.
#ifndef CRIMG_REPORT_WRITE_H
#define CRIMG_REPORT_WRITE_H

#include <signal.h>

#include "diff/engine.h"

struct crimg_report {
	const char *out;                  // "-" is standard output
	const char *path[2], *format[2];  // of images, the earlier one first; path[1] NULL: one image
	const char *tmpdir, *sysroot;
	const struct crimg_diff_options *diff; // how two are compared, but for the above; or NULL
	// For signals to end it cleanly: begin is called when pipes are read to their end, before there is
	// anything to clean up; *stopped is not 0 to give up. Or NULL.
	void (*begin)(void);
	const volatile sig_atomic_t *stopped;
};

// 0: written (two images: they are the same); 1: written, they differ; -1: err, nothing is left.
CRIMG_MUST_CHECK int crimg_report_write(const struct crimg_report *report, struct crimg_err *err);

#endif
