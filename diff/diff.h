// The verb `crimg diff`.
#ifndef CRIMG_DIFF_DIFF_H
#define CRIMG_DIFF_DIFF_H

#include "diff/engine.h"

// Writes the page of --html to path: 0 the same, 1 they differ, -1: err. Pages are made above this room, so
// whoever runs the verb brings it.
typedef int crimg_diff_page_fn(const struct crimg_diff_options *options, const char *path,
                               struct crimg_err *err);

// argv[0] is "diff". Exit code: 0 the same, 1 they differ, 2 trouble.
int crimg_diff_verb(int argc, char **argv, crimg_diff_page_fn *page);

#endif
