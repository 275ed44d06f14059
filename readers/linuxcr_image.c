// Tasks become processes; segments, pages objects and payloads get their numbers.
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "readers/linuxcr_records.h"

struct ranked {
	const struct linuxcr_task *task;
	size_t index;
};

static int by_number(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->task->pid != y->task->pid)
		return x->task->pid < y->task->pid ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

// By process; of each the leader first, then as in the stream.
static int by_group(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	bool lx = x->task->pid == x->task->tgid, ly = y->task->pid == y->task->tgid;
	if (x->task->tgid != y->task->tgid)
		return x->task->tgid < y->task->tgid ? -1 : 1;
	if (lx != ly)
		return lx ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int sort_tasks(struct linuxcr_image *m, struct crimg_err *err)
{
	size_t count = m->c.task_count;
	struct ranked *list = calloc(count + 1, sizeof *list);
	m->by_process = calloc(count + 1, sizeof *m->by_process);
	m->by_tid = calloc(count + 1, sizeof *m->by_tid);
	if (list == NULL || m->by_process == NULL || m->by_tid == NULL) {
		free(list);
		return crimg_fail_nomem(err, count * sizeof *list);
	}
	for (size_t i = 0; i < count; i++)
		list[i] = (struct ranked){&m->c.tasks[i], i};
	qsort(list, count, sizeof *list, by_number);
	for (size_t i = 0; i < count; i++) {
		m->by_tid[i] = list[i].index;
		if (i > 0 && list[i - 1].task->pid == list[i].task->pid) {
			int pid = list[i].task->pid;
			free(list);
			return crimg_fail(err, CRIMG_E_FORMAT, m->c.stream.source->name,
					  CRIMG_NO_OFFSET, "two tasks with number %d found", pid);
		}
	}
	qsort(list, count, sizeof *list, by_group);
	for (size_t i = 0; i < count; i++)
		m->by_process[i] = list[i].index;
	free(list);
	return 0;
}

static int by_stream(const void *a, const void *b)
{
	const struct linuxcr_process *x = a, *y = b;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int find_processes(struct linuxcr_image *m, struct crimg_err *err)
{
	m->processes = calloc(m->c.task_count + 1, sizeof *m->processes);
	if (m->processes == NULL)
		return crimg_fail_nomem(err, m->c.task_count * sizeof *m->processes);
	for (size_t i = 0; i < m->c.task_count; i++) {
		const struct linuxcr_task *t = &m->c.tasks[m->by_process[i]];
		struct linuxcr_process *p = &m->processes[m->process_count];
		if (m->process_count == 0 || p[-1].pid != t->tgid) {
			*p = (struct linuxcr_process){
				.pid = t->tgid, .first = i, .order = m->by_process[i]};
			m->process_count++;
		} else {
			p--;
		}
		p->count++;
	}
	qsort(m->processes, m->process_count, sizeof *m->processes, by_stream);
	return 0;
}

// Which inodes are shared memory; all address spaces and segments get a pages object.
static int number_pages(struct linuxcr_image *m, struct crimg_err *err)
{
	size_t spaces = linuxcr_count(&m->c, CRIMG_LCR_OBJ_MM);
	size_t inodes = linuxcr_count(&m->c, CRIMG_LCR_OBJ_INODE);
	m->segments = calloc(inodes + 1, sizeof(struct linuxcr_object *));
	if (m->segments == NULL)
		return crimg_fail_nomem(err, inodes * sizeof(struct linuxcr_object *));
	for (size_t i = 0; i < spaces; i++)
		linuxcr_nth(&m->c, CRIMG_LCR_OBJ_MM, i)->pages_id = i + 1;
	for (size_t i = 0; i < inodes; i++) {
		struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_INODE, i);
		if (o->parts[0] != NULL || o->body == NULL)
			continue; // a pipe
		m->segments[m->segment_count++] = o;
		o->pages_id = spaces + m->segment_count;
	}
	return 0;
}

int linuxcr_image_build(struct linuxcr_image *m, struct crimg_err *err)
{
	for (size_t i = 0; i < m->c.table_capacity; i++)
		if (m->c.table[i] != NULL && m->c.table[i]->ref > m->last_ref)
			m->last_ref = m->c.table[i]->ref;
	if (sort_tasks(m, err) < 0 || find_processes(m, err) < 0)
		return -1;
	return number_pages(m, err);
}

void linuxcr_image_fini(struct linuxcr_image *m)
{
	free(m->processes);
	free(m->by_process);
	free(m->by_tid);
	free(m->segments);
	model_payloads_fini(&m->payloads);
	crimg_arena_fini(&m->arena);
	linuxcr_fini(&m->c);
}
