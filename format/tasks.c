// From pstree to tasks. Hostile trees (cycles, doubles, lost parents) end as roots, never in a loop.
#include "format/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "format/search.h"

// A thread group leader and its threads; the thread number of a zombie is garbage in images of 3.17.
static int load_threads(struct crimg_image *image, struct crimg_task *t, const PstreeEntry *p,
                        struct crimg_err *err)
{
	if (t->state == CRIMG_TASK_DEAD)
		return 0;
	size_t count = p->n_threads > 0 ? p->n_threads : 1;
	t->threads = crimg_arena_alloc(&image->arena, count * sizeof *t->threads);
	if (t->threads == NULL)
		return crimg_fail_nomem(err, count * sizeof *t->threads);
	t->threads[t->thread_count++] = (struct crimg_thread){ t->pid, t->core };
	for (size_t i = 0; i < p->n_threads && t->thread_count < count; i++) {
		if (p->threads[i] == t->pid)
			continue;
		const CoreEntry *core = crimg_image_get(image, CRIMG_KIND_CORE, p->threads[i], err);
		t->threads[t->thread_count++] = (struct crimg_thread){ p->threads[i], core };
	}
	return 0;
}

static int load_task(struct crimg_image *image, struct crimg_task *t, const PstreeEntry *p,
                     struct crimg_err *err)
{
	*t = (struct crimg_task){ .pid = p->pid, .ppid = p->ppid, .pgid = p->pgid, .sid = p->sid,
	                          .parent = CRIMG_NO_TASK };
	t->core = crimg_image_get(image, CRIMG_KIND_CORE, p->pid, err);
	if (t->core != NULL && t->core->tc != NULL)
		t->state = t->core->tc->task_state <= CRIMG_TASK_STOPPED
			? (enum crimg_task_state)t->core->tc->task_state : CRIMG_TASK_UNKNOWN;
	t->ids = crimg_image_get(image, CRIMG_KIND_IDS, p->pid, err);
	if (t->ids == NULL && t->core != NULL)
		t->ids = t->core->ids;
	t->mm = crimg_image_get(image, CRIMG_KIND_MM, p->pid, err);
	t->fs = crimg_image_get(image, CRIMG_KIND_FS, p->pid, err);
	t->pagemap = crimg_image_find(image, CRIMG_KIND_PAGEMAP, p->pid);
	return load_threads(image, t, p, err);
}

static int read_tasks(struct crimg_image *image, struct crimg_tasks *out, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_PSTREE);
	const PstreeEntry *p;
	size_t capacity = 0;
	while ((p = crimg_image_walk(image, &walk, err)) != NULL) {
		void *array = out->list;
		if (crimg_grow(&array, &capacity, out->count, sizeof *out->list, err) < 0)
			return -1;
		out->list = array;
		if (load_task(image, &out->list[out->count], p, err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct crimg_task_ref *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static int index_threads(struct crimg_tasks *t, struct crimg_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < t->count; i++)
		count += t->list[i].thread_count > 0 ? t->list[i].thread_count : 1;
	free(t->threads);
	t->threads = calloc(count + 1, sizeof *t->threads);
	t->thread_count = 0;
	if (t->threads == NULL)
		return crimg_fail_nomem(err, count * sizeof *t->threads);
	for (size_t i = 0; i < t->count; i++) {
		t->threads[t->thread_count++] = (struct crimg_task_ref){ t->list[i].pid, i };
		for (size_t k = 1; k < t->list[i].thread_count; k++)
			t->threads[t->thread_count++] =
				(struct crimg_task_ref){ t->list[i].threads[k].tid, i };
	}
	qsort(t->threads, t->thread_count, sizeof *t->threads, by_id);
	return 0;
}

static size_t find_thread(const struct crimg_tasks *t, uint32_t id)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, t->thread_count, t->threads[low].id < id);
	return low < t->thread_count && t->threads[low].id == id ? t->threads[low].task
		: CRIMG_NO_TASK;
}

// The tree while it is put in order: children of each task as a chain, in the order of the file.
struct node {
	size_t first, last, next;  // child, child, sibling
	size_t at;                 // index in the new order, CRIMG_NO_TASK before
};

static void link_nodes(struct crimg_tasks *t, struct node *nodes)
{
	for (size_t i = 0; i < t->count; i++)
		nodes[i] = (struct node) { CRIMG_NO_TASK, CRIMG_NO_TASK, CRIMG_NO_TASK,
			                   CRIMG_NO_TASK };
	for (size_t i = 0; i < t->count; i++) {
		size_t parent = find_thread(t, t->list[i].ppid);
		if (parent == i || t->list[i].ppid == 0)
			parent = CRIMG_NO_TASK;
		t->list[i].parent = parent;
		if (parent == CRIMG_NO_TASK)
			continue;
		if (nodes[parent].first == CRIMG_NO_TASK)
			nodes[parent].first = i;
		else
			nodes[nodes[parent].last].next = i;
		nodes[parent].last = i;
	}
}

// Places root and all below it. Every task is placed once, so a circle ends where it began.
static void place_below(struct crimg_tasks *t, struct node *nodes, size_t root,
                        struct crimg_task *order, size_t *count)
{
	size_t current = root;
	t->list[root].parent = CRIMG_NO_TASK;
	for (;;) {
		struct node *n = &nodes[current];
		if (n->at == CRIMG_NO_TASK) {
			size_t parent = t->list[current].parent;
			n->at = *count;
			order[*count] = t->list[current];
			if (parent != CRIMG_NO_TASK) {
				order[*count].parent = nodes[parent].at;
				order[*count].depth = order[nodes[parent].at].depth + 1;
			}
			++*count;
		}
		while (n->first != CRIMG_NO_TASK && nodes[n->first].at != CRIMG_NO_TASK)
			n->first = nodes[n->first].next;
		if (n->first != CRIMG_NO_TASK)
			current = n->first;
		else if (current == root)
			return;
		else
			current = t->list[current].parent;
	}
}

static int put_in_order(struct crimg_tasks *t, struct crimg_err *err)
{
	struct node *nodes = calloc(t->count + 1, sizeof *nodes);
	struct crimg_task *order = calloc(t->count + 1, sizeof *order);
	if (nodes == NULL || order == NULL) {
		free(nodes);
		free(order);
		return crimg_fail_nomem(err, t->count * sizeof *order);
	}
	size_t count = 0;
	link_nodes(t, nodes);
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i].parent == CRIMG_NO_TASK)
			place_below(t, nodes, i, order, &count);
	for (size_t i = 0; i < t->count; i++)
		if (nodes[i].at == CRIMG_NO_TASK)
			place_below(t, nodes, i, order, &count);
	for (size_t i = 0; i < count; i++)
		nodes[i].first = CRIMG_NO_TASK; // now: whether a later child was seen
	for (size_t i = count; i-- > 0;) {
		size_t parent = order[i].parent;
		order[i].last = parent == CRIMG_NO_TASK || nodes[parent].first == CRIMG_NO_TASK;
		if (parent != CRIMG_NO_TASK)
			nodes[parent].first = i;
	}
	free(nodes);
	free(t->list);
	t->list = order;
	return 0;
}

// Fills fds_of: tasks sorted by table, the first of each is the owner.
static int find_tables(struct crimg_tasks *t, struct crimg_err *err)
{
	struct crimg_task_ref *list = calloc(t->count + 1, sizeof *list);
	if (list == NULL)
		return crimg_fail_nomem(err, t->count * sizeof *list);
	for (size_t i = 0; i < t->count; i++)
		list[i] = (struct crimg_task_ref){
			t->list[i].ids != NULL ? t->list[i].ids->files_id : 0, i };
	if (t->count > 0)
		qsort(list, t->count, sizeof *list, by_id);
	for (size_t i = 0; i < t->count; i++) {
		bool shared = i > 0 && list[i].id != 0 && list[i].id == list[i - 1].id;
		t->list[list[i].task].fds_of =
			shared ? t->list[list[i - 1].task].fds_of : list[i].task;
	}
	free(list);
	return 0;
}

int crimg_tasks_load(struct crimg_image *image, struct crimg_tasks *out, struct crimg_err *err)
{
	struct crimg_err first = CRIMG_ERR_INIT;
	*out = (struct crimg_tasks){ .list = NULL };
	int rc = read_tasks(image, out, &first);
	if (rc == 0)
		rc = index_threads(out, &first);
	if (rc == 0)
		rc = put_in_order(out, &first);
	if (rc == 0)
		rc = index_threads(out, &first);
	if (rc == 0)
		rc = find_tables(out, &first);
	if (first.code == CRIMG_OK)
		return 0;
	if (err != NULL && err->code == CRIMG_OK)
		*err = first;
	return -1;
}

void crimg_tasks_fini(struct crimg_tasks *tasks)
{
	free(tasks->list);
	free(tasks->threads);
	*tasks = (struct crimg_tasks){ .list = NULL };
}

const struct crimg_task *crimg_tasks_of_thread(const struct crimg_tasks *tasks, uint32_t tid)
{
	size_t i = find_thread(tasks, tid);
	return i == CRIMG_NO_TASK ? NULL : &tasks->list[i];
}

const struct crimg_task *crimg_tasks_find(const struct crimg_tasks *tasks, uint32_t pid)
{
	const struct crimg_task *task = crimg_tasks_of_thread(tasks, pid);
	return task != NULL && task->pid == pid ? task : NULL;
}
