// Many small things done by several threads, each of which waits for something else than a processor.
#ifndef CRIMG_FORMAT_TOGETHER_H
#define CRIMG_FORMAT_TOGETHER_H

#include <stddef.h>

#include "format/err.h"

// Calls one(context, i, …) for every i below count, in any order, in as many as `threads` threads, of which the
// caller's is one. None begins after one failed; the first error is told.
CRIMG_MUST_CHECK int crimg_together(size_t threads, size_t count,
                                    int (*one)(void *context, size_t i, struct crimg_err *err),
                                    void *context, struct crimg_err *err);

#endif
