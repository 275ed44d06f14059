// Every task of b is taken once at most. Work is bounded by sorting: hostile trees have a million children.
#include "diff/match.h"

#include <stdlib.h>
#include <string.h>

#include "format/search.h"

enum { A, B };

struct matching {
	struct crimg_diff *diff;
	size_t *of_a;       // for each task of a: its partner, or CRIMG_NO_TASK
	size_t *of_b;       // and the other way
	size_t *order;      // tasks of b by parent, name and place
	size_t *next;       // of order: from the first of a group, the first that may be left
};

static const struct crimg_tasks *tasks_of(const struct matching *m, int side)
{
	return &m->diff->side[side].tasks;
}

static void take(struct matching *m, size_t a, size_t b)
{
	m->of_a[a] = b;
	m->of_b[b] = a;
}

static size_t by_pid(struct matching *m)
{
	const struct crimg_tasks *a = tasks_of(m, A), *b = tasks_of(m, B);
	size_t count = 0;
	for (size_t i = 0; i < a->count; i++) {
		const struct crimg_task *t = crimg_tasks_find(b, a->list[i].pid);
		size_t at = t != NULL ? (size_t)(t - b->list) : 0;
		if (t == NULL || m->of_b[at] != CRIMG_NO_TASK)
			continue;
		take(m, i, at);
		count++;
	}
	for (size_t i = 0; i < a->count && i < b->count; i++) // several of one number: by their place
		if (m->of_a[i] == CRIMG_NO_TASK && m->of_b[i] == CRIMG_NO_TASK
		    && a->list[i].pid == b->list[i].pid)
			take(m, i, i);
	return count;
}

static void by_order(struct matching *m)
{
	const struct crimg_tasks *a = tasks_of(m, A), *b = tasks_of(m, B);
	for (size_t i = 0; i < a->count && i < b->count; i++)
		take(m, i, i);
}

// The name that a role goes by: that of the task, or of its program.
typedef const char *name_fn(const struct matching *m, int side, size_t task);

static const char *comm_of(const struct matching *m, int side, size_t task)
{
	return crimg_task_comm(&tasks_of(m, side)->list[task]);
}

static const char *program_of(const struct matching *m, int side, size_t task)
{
	const struct crimg_task *t = &tasks_of(m, side)->list[task];
	const struct crimg_file *f =
		t->mm == NULL ? NULL : crimg_files_find(&m->diff->side[side].files, t->mm->exe_file_id);
	return f != NULL && f->path != NULL ? f->path->name : "";
}

struct sorting {
	const struct matching *m;
	name_fn *name;
};

// By parent, then name: negative, 0 or positive.
static int compare_role(const struct sorting *s, size_t task, size_t parent, const char *name)
{
	size_t own = tasks_of(s->m, B)->list[task].parent;
	if (own != parent)
		return own < parent ? -1 : 1;
	return strcmp(s->name(s->m, B, task), name);
}

static int by_role(const void *a, const void *b, void *context)
{
	const struct sorting *s = context;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = compare_role(s, x, tasks_of(s->m, B)->list[y].parent, s->name(s->m, B, y));
	return order != 0 ? order : x < y ? -1 : x > y;
}

// The first of b's tasks that has this role and is left, or CRIMG_NO_TASK.
static size_t find_role(struct matching *m, const struct sorting *s, size_t parent, const char *name)
{
	size_t count = tasks_of(m, B)->count, low;
	CRIMG_COUNT_BEFORE(low, count, compare_role(s, m->order[low], parent, name) < 0);
	size_t i = low;
	if (low < count && m->next[low] > low)
		i = m->next[low];
	while (i < count && m->of_b[m->order[i]] != CRIMG_NO_TASK
	       && compare_role(s, m->order[i], parent, name) == 0)
		i++;
	if (low < count)
		m->next[low] = i;
	return i < count && compare_role(s, m->order[i], parent, name) == 0 ? m->order[i] : CRIMG_NO_TASK;
}

// Parents come before their children, so a pair of parents is known when their children are looked at.
static void by_name(struct matching *m, name_fn *name)
{
	const struct crimg_tasks *a = tasks_of(m, A), *b = tasks_of(m, B);
	struct sorting s = { m, name };
	for (size_t i = 0; i < b->count; i++) {
		m->order[i] = i;
		m->next[i] = 0;
	}
	qsort_r(m->order, b->count, sizeof *m->order, by_role, &s);
	for (size_t i = 0; i < a->count; i++) {
		size_t parent = a->list[i].parent;
		size_t of_parent = parent == CRIMG_NO_TASK ? CRIMG_NO_TASK : m->of_a[parent];
		if (m->of_a[i] != CRIMG_NO_TASK
		    || (parent != CRIMG_NO_TASK && of_parent == CRIMG_NO_TASK))
			continue;
		size_t found = find_role(m, &s, of_parent, name(m, A, i));
		if (found != CRIMG_NO_TASK)
			take(m, i, found);
	}
}

static void by_roles(struct matching *m)
{
	by_name(m, comm_of);
	by_name(m, program_of);
	by_name(m, comm_of); // children of those that the program told
}

// Threads: the leaders, then by number or place.
static int by_tid(const void *a, const void *b)
{
	const struct crimg_thread *const *x = a, *const *y = b;
	return (*x)->tid < (*y)->tid ? -1 : (*x)->tid > (*y)->tid;
}

static const struct crimg_thread **sorted_threads(const struct crimg_task *task)
{
	size_t count = task->thread_count > 1 ? task->thread_count - 1 : 0;
	const struct crimg_thread **list = calloc(count + 1, sizeof *list);
	for (size_t i = 0; list != NULL && i < count; i++)
		list[i] = &task->threads[i + 1];
	if (list != NULL)
		qsort(list, count, sizeof *list, by_tid);
	return list;
}

static void merge_threads(struct crimg_task_pair *p, const struct crimg_thread **a,
                          const struct crimg_thread **b)
{
	size_t i = 0, k = 0, n = p->task[A]->thread_count, m = p->task[B]->thread_count;
	while (i + 1 < n || k + 1 < m) {
		struct crimg_thread_pair *t = &p->threads[p->thread_count++];
		bool from_a = i + 1 < n && (k + 1 >= m || a[i]->tid <= b[k]->tid);
		bool from_b = k + 1 < m && (i + 1 >= n || b[k]->tid <= a[i]->tid);
		t->thread[A] = from_a ? a[i++] : NULL;
		t->thread[B] = from_b ? b[k++] : NULL;
	}
}

static void pair_by_place(struct crimg_task_pair *p)
{
	size_t n = p->task[A]->thread_count, m = p->task[B]->thread_count;
	for (size_t i = 1; i < n || i < m; i++)
		p->threads[p->thread_count++] = (struct crimg_thread_pair){
			{ i < n ? &p->task[A]->threads[i] : NULL, i < m ? &p->task[B]->threads[i] : NULL } };
}

static int pair_threads(struct crimg_diff *diff, struct crimg_task_pair *p, struct crimg_err *err)
{
	size_t n = p->task[A]->thread_count, m = p->task[B]->thread_count;
	p->threads = calloc(n + m + 1, sizeof *p->threads);
	if (p->threads == NULL)
		return crimg_fail_nomem(err, (n + m) * sizeof *p->threads);
	if (n > 0 || m > 0)
		p->threads[p->thread_count++] = (struct crimg_thread_pair){
			{ n > 0 ? p->task[A]->threads : NULL, m > 0 ? p->task[B]->threads : NULL } };
	if (diff->match != CRIMG_MATCH_PID) {
		pair_by_place(p);
		return 0;
	}
	const struct crimg_thread **a = sorted_threads(p->task[A]), **b = sorted_threads(p->task[B]);
	if (a != NULL && b != NULL)
		merge_threads(p, a, b);
	int rc = a == NULL || b == NULL ? crimg_fail_nomem(err, 0) : 0;
	free(a);
	free(b);
	return rc;
}

static int make_pairs(struct matching *m, struct crimg_err *err)
{
	const struct crimg_tasks *a = tasks_of(m, A), *b = tasks_of(m, B);
	struct crimg_diff *d = m->diff;
	d->pairs = calloc(a->count + b->count + 1, sizeof *d->pairs);
	if (d->pairs == NULL)
		return crimg_fail_nomem(err, (a->count + b->count) * sizeof *d->pairs);
	for (size_t i = 0; i < a->count; i++) {
		struct crimg_task_pair *p = &d->pairs[d->pair_count++];
		p->task[A] = &a->list[i];
		p->task[B] = m->of_a[i] != CRIMG_NO_TASK ? &b->list[m->of_a[i]] : NULL;
		if (p->task[B] != NULL && pair_threads(d, p, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < b->count; i++)
		if (m->of_b[i] == CRIMG_NO_TASK)
			d->pairs[d->pair_count++].task[B] = &b->list[i];
	return 0;
}

static void match(struct matching *m)
{
	const struct crimg_tasks *a = tasks_of(m, A), *b = tasks_of(m, B);
	struct crimg_diff *d = m->diff;
	for (size_t i = 0; i < a->count; i++)
		m->of_a[i] = CRIMG_NO_TASK;
	for (size_t i = 0; i < b->count; i++)
		m->of_b[i] = CRIMG_NO_TASK;
	d->match = d->options->match;
	if (d->match == CRIMG_MATCH_PID && by_pid(m) == 0 && a->count > 0 && b->count > 0)
		d->match = CRIMG_MATCH_ROLE;
	if (d->match == CRIMG_MATCH_ROLE)
		by_roles(m);
	else if (d->match == CRIMG_MATCH_ORDER)
		by_order(m);
}

int crimg_match_tasks(struct crimg_diff *diff, struct crimg_err *err)
{
	size_t a = diff->side[A].tasks.count, b = diff->side[B].tasks.count;
	struct matching m = {
		.diff = diff, .of_a = calloc(a + 1, sizeof *m.of_a), .of_b = calloc(b + 1, sizeof *m.of_b),
		.order = calloc(b + 1, sizeof *m.order), .next = calloc(b + 1, sizeof *m.next),
	};
	bool room = m.of_a != NULL && m.of_b != NULL && m.order != NULL && m.next != NULL;
	if (room)
		match(&m);
	int rc = room ? make_pairs(&m, err) : crimg_fail_nomem(err, (a + b) * sizeof *m.order);
	free(m.of_a);
	free(m.of_b);
	free(m.order);
	free(m.next);
	return rc;
}
