// Sorting tasks: by number, and by process.
#include "readers/model_tasks.h"

#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
	const struct model_task_key *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

// By process; of each the leader first, then as in the image.
static int by_group(const void *a, const void *b)
{
	const struct model_task_key *x = a, *y = b;
	bool lx = x->pid == x->tgid, ly = y->pid == y->tgid;
	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	if (lx != ly)
		return lx ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_image(const void *a, const void *b)
{
	const struct model_process *x = a, *y = b;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int sort_numbers(struct model_tasks *t, struct model_task_key *keys, size_t count,
			const char *source, struct crimg_err *err)
{
	qsort(keys, count, sizeof *keys, by_number);
	for (size_t i = 0; i < count; i++) {
		t->by_tid[i] = keys[i].index;
		if (i > 0 && keys[i - 1].pid == keys[i].pid)
			return crimg_fail(err, CRIMG_E_FORMAT, source, CRIMG_NO_OFFSET,
					  "two tasks with number %d found", keys[i].pid);
	}
	return 0;
}

static void find_processes(struct model_tasks *t, struct model_task_key *keys, size_t count)
{
	qsort(keys, count, sizeof *keys, by_group);
	for (size_t i = 0; i < count; i++) {
		struct model_process *p = &t->processes[t->process_count];
		t->by_process[i] = keys[i].index;
		if (i == 0 || keys[i - 1].tgid != keys[i].tgid) {
			*p = (struct model_process){
				.pid = keys[i].tgid, .first = i, .order = keys[i].index};
			t->process_count++;
		} else {
			p--;
		}
		p->count++;
	}
	qsort(t->processes, t->process_count, sizeof *t->processes, by_image);
}

int model_tasks_init(struct model_tasks *t, struct model_task_key *keys, size_t count,
		     const char *source, struct crimg_err *err)
{
	int rc = -1;
	t->by_process = calloc(count + 1, sizeof *t->by_process);
	t->by_tid = calloc(count + 1, sizeof *t->by_tid);
	t->processes = calloc(count + 1, sizeof *t->processes);
	if (t->by_process == NULL || t->by_tid == NULL || t->processes == NULL)
		crimg_fail_nomem(err, count * sizeof *t->processes);
	else if (sort_numbers(t, keys, count, source, err) == 0)
		rc = 0;
	if (rc == 0)
		find_processes(t, keys, count);
	free(keys);
	return rc;
}

void model_tasks_fini(struct model_tasks *t)
{
	free(t->processes);
	free(t->by_process);
	free(t->by_tid);
}
