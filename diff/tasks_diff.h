// Processes and threads: those that came and went, and what changed in those of both images.
#ifndef CRIMG_DIFF_TASKS_DIFF_H
#define CRIMG_DIFF_TASKS_DIFF_H

#include "diff/tell.h"

// Processes of one image alone.
void crimg_tell_lone_tasks(struct crimg_diff *d);
// All that belongs to a pair of tasks.
void crimg_compare_tasks(struct crimg_diff *d, const struct crimg_task_pair *pair);

#endif
