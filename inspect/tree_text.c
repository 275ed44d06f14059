// How a process stands in the tree, and in what state.
#include "inspect/tree_text.h"

#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"

#define DEEPEST 24u // levels that are drawn; deeper ones stay at the edge

char *crimg_tree_prefix(const struct crimg_tasks *tasks, const struct crimg_task *task, char *out,
                        size_t size)
{
	const struct crimg_task *chain[DEEPEST];
	size_t count = 0;
	out[0] = '\0';
	for (const struct crimg_task *t = task; t->parent != CRIMG_NO_TASK && count < DEEPEST;
	     t = &tasks->list[t->parent])
		chain[count++] = t;
	for (size_t i = count; i-- > 0;) {
		size_t used = strlen(out);
		const char *piece = i == 0 ? (chain[i]->last ? "└─ " : "├─ ")
			: (chain[i]->last ? "   " : "│  ");
		snprintf(out + used, size - used, "%s", piece);
	}
	return out;
}

char *crimg_task_state_text(const struct crimg_task *task, char *out, size_t size)
{
	const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
	char name[64];
	switch (task->state) {
	case CRIMG_TASK_ALIVE:
		snprintf(out, size, "alive");
		break;
	case CRIMG_TASK_DEAD:
		snprintf(out, size, "zombie, %s",
		         crimg_exit_text(tc != NULL ? tc->exit_code : 0, name, sizeof name));
		break;
	case CRIMG_TASK_STOPPED:
		if (tc != NULL && tc->has_stop_signo)
			snprintf(out, size, "stopped by %s",
			         crimg_signal_text(tc->stop_signo, name, sizeof name));
		else
			snprintf(out, size, "stopped");
		break;
	case CRIMG_TASK_UNKNOWN:
		if (tc != NULL)
			snprintf(out, size, "state %u", tc->task_state);
		else
			snprintf(out, size, "unknown");
		break;
	}
	return out;
}

enum crimg_mark crimg_task_mark(const struct crimg_task *task)
{
	static const enum crimg_mark marks[] = {
		[CRIMG_TASK_UNKNOWN] = CRIMG_MARK_BAD, [CRIMG_TASK_ALIVE] = CRIMG_MARK_NONE,
		[CRIMG_TASK_DEAD] = CRIMG_MARK_WARN, [CRIMG_TASK_STOPPED] = CRIMG_MARK_WARN,
	};
	return marks[task->state];
}

void crimg_show_page_maps(struct crimg_view *view, const char *key)
{
	static const struct crimg_column columns[] = {
		{ "pid", "PID", CRIMG_COLUMN_RIGHT },
		{ "bytes_in_image", "HERE", CRIMG_COLUMN_RIGHT },
		{ "bytes_in_parent", "IN PARENT", CRIMG_COLUMN_RIGHT },
	};
	struct crimg_table t;
	crimg_table_begin(&t, view, key, columns, 3);
	for (struct crimg_image_object *o = crimg_image_first(view->image, CRIMG_KIND_PAGEMAP);
	     o != NULL; o = crimg_image_next(view->image, o)) {
		if (o->map == NULL)
			continue;
		crimg_table_row(&t);
		crimg_cell_u64(&t, o->object.id);
		crimg_cell_bytes(&t, o->map->present_pages * CRIMG_PAGE_BYTES);
		crimg_cell_bytes(&t, o->map->parent_pages * CRIMG_PAGE_BYTES);
	}
	crimg_table_end(&t);
}
