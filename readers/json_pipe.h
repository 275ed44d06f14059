// A pipe that is short becomes memory, which can be read in any order; a long one stays a pipe.
#ifndef CRIMG_READERS_JSON_PIPE_H
#define CRIMG_READERS_JSON_PIPE_H

#include "format/source.h"

// Text of a pipe that is kept in memory.
#define JSON_PIPE_BYTES ((size_t)64 << 20)

// Replaces a forward-only *source by one that owns it and reads the same bytes: from memory, not
// forward_only, when there are at most JSON_PIPE_BYTES of them. Other sources stay as they are.
CRIMG_MUST_CHECK int json_pipe_settle(struct crimg_source **source, struct crimg_err *err);

#endif
