// What the user asks of `crimg inspect`: the command line, understood.
#ifndef CRIMG_INSPECT_REQUEST_H
#define CRIMG_INSPECT_REQUEST_H

#include "inspect/view.h"

#define CRIMG_INSPECT_MAX_VIEWS 32

struct crimg_inspect_request {
	struct crimg_view_options options;
	const struct crimg_view_row *views[CRIMG_INSPECT_MAX_VIEWS];
	size_t view_count;
	bool json;
	const char *color;
	struct crimg_buf search; // owns options.search
};

// 0, or the exit code + 1: help was printed, or a complaint. Complaints go to standard error.
CRIMG_MUST_CHECK int crimg_inspect_request_read(struct crimg_inspect_request *r, int argc,
                                                char **argv);
void crimg_inspect_request_fini(struct crimg_inspect_request *r);

// Print a complaint; return 2.
int crimg_inspect_complain(const char *text);
int crimg_inspect_complain_err(const struct crimg_err *err);

#endif
