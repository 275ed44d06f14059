// Tasks become processes: who belongs together, in which order. Knows numbers alone.
#ifndef CRIMG_READERS_MODEL_TASKS_H
#define CRIMG_READERS_MODEL_TASKS_H

#include "format/err.h"

struct model_task_key {
	int32_t pid, tgid; // of a thread, and of its process
	size_t index;      // in the image
};

struct model_process {
	int32_t pid;
	size_t first, count; // in by_process; the leader first, when it is there
	size_t order;        // index of its first task
};

struct model_tasks {
	struct model_process *processes; // in the order of the image
	size_t process_count;
	size_t *by_process, *by_tid; // indexes of tasks
};

// Takes keys over (they are sorted and freed), whatever it returns. -1: two tasks of one number, memory.
CRIMG_MUST_CHECK int model_tasks_init(struct model_tasks *t, struct model_task_key *keys,
				      size_t count, const char *source, struct crimg_err *err);
void model_tasks_fini(struct model_tasks *t);

#endif
