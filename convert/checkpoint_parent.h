// What a checkpoint with a parent image does before: the pre-dump, or opening the parent.
#ifndef CRIMG_CONVERT_CHECKPOINT_PARENT_H
#define CRIMG_CONVERT_CHECKPOINT_PARENT_H

#include <sys/types.h>

#include "convert/convert_options.h"

// Writes the memory of the tree of o->source (pid:N), which runs on, to the CRIU directory dir; the
// image that is taken next, for o->target, holds what was written since. *stopped_us: how long the
// tree stood still. Returns the exit code of writing it, said why; or -1: err.
CRIMG_MUST_CHECK int crimg_checkpoint_predump(const struct crimg_convert_options *o, pid_t pid,
					      const char *dir, uint64_t *stopped_us,
					      struct crimg_err *err);
// The image that is taken next holds what is not equal in the image dir.
CRIMG_MUST_CHECK int crimg_checkpoint_parent(const struct crimg_convert_options *o, pid_t pid,
					     const char *dir, struct crimg_err *err);

#endif
