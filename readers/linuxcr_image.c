// Tasks become processes; segments, pages objects and payloads get their numbers.
#include <stdlib.h>

#include "format/limits.h"
#include "readers/linuxcr_records.h"

static int group_tasks(struct linuxcr_image *m, struct crimg_err *err)
{
	size_t count = m->c.task_count;
	struct model_task_key *keys = calloc(count + 1, sizeof *keys);
	if (keys == NULL)
		return crimg_fail_nomem(err, count * sizeof *keys);
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct model_task_key){m->c.tasks[i].pid, m->c.tasks[i].tgid, i};
	return model_tasks_init(&m->tasks, keys, count, m->c.stream.source->name, err);
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
	if (group_tasks(m, err) < 0)
		return -1;
	return number_pages(m, err);
}

void linuxcr_image_fini(struct linuxcr_image *m)
{
	model_tasks_fini(&m->tasks);
	free(m->segments);
	model_payloads_fini(&m->payloads);
	crimg_arena_fini(&m->arena);
	linuxcr_fini(&m->c);
}
