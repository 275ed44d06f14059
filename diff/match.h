// Which task (thread) of one image is which of the other.
#ifndef CRIMG_DIFF_MATCH_H
#define CRIMG_DIFF_MATCH_H

#include "diff/engine.h"

// Fills diff->pairs and diff->match. 0, or -1: only without memory.
CRIMG_MUST_CHECK int crimg_match_tasks(struct crimg_diff *diff, struct crimg_err *err);

#endif
