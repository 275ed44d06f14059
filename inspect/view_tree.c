// View tree: processes with sessions, groups, threads, states and how they ended.
#include <stdio.h>

#include "format/limits.h"
#include "inspect/tree_text.h"

static const struct crimg_column columns[] = {
	{ "pid", "PID", CRIMG_COLUMN_RIGHT },
	{ "ppid", NULL, CRIMG_COLUMN_RIGHT },
	{ "pgid", "PGID", CRIMG_COLUMN_RIGHT },
	{ "sid", "SID", CRIMG_COLUMN_RIGHT },
	{ "thread_count", "THR", CRIMG_COLUMN_RIGHT },
	{ "rss_bytes", "RSS", CRIMG_COLUMN_RIGHT },
	{ "comm", "NAME", CRIMG_COLUMN_LEFT },
	{ "state", "STATE", CRIMG_COLUMN_LEFT },
	{ "exit_status", NULL, CRIMG_COLUMN_LEFT },
	{ "threads", NULL, CRIMG_COLUMN_LEFT },
	{ "command", "COMMAND", CRIMG_COLUMN_CUT },
};

static void thread_list(struct crimg_table *t, const struct crimg_task *task)
{
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j == NULL) {
		crimg_cell_none(t);
		return;
	}
	crimg_json_array(j, key);
	for (size_t i = 0; i < task->thread_count; i++) {
		crimg_json_object(j, NULL);
		crimg_json_u64(j, "tid", task->threads[i].tid);
		crimg_json_text(j, "comm", crimg_thread_comm(task, &task->threads[i]));
		crimg_json_end(j);
	}
	crimg_json_end(j);
}

// The name stands behind the lines of the tree in text, alone in JSON.
static void name_cell(struct crimg_table *t, const struct crimg_task *task)
{
	char prefix[CRIMG_TREE_PREFIX_MAX] = "";
	if (t->view->json == NULL)
		crimg_tree_prefix(&t->view->tasks, task, prefix, sizeof prefix);
	crimg_cell_textf(t, "%s%s", prefix, task->core != NULL || t->view->json != NULL
	                 ? crimg_task_comm(task) : "?");
}

static void task_row(struct crimg_table *t, const struct crimg_task *task)
{
	char state[96];
	bool dead = task->state == CRIMG_TASK_DEAD;
	crimg_table_row(t);
	crimg_cell_u64(t, task->pid);
	crimg_cell_u64(t, task->ppid);
	crimg_cell_u64(t, task->pgid);
	crimg_cell_u64(t, task->sid);
	crimg_cell_count(t, task->thread_count);
	if (task->pagemap != NULL)
		crimg_cell_bytes(t, crimg_task_pages(task) * CRIMG_PAGE_BYTES);
	else
		crimg_cell_none(t);
	name_cell(t, task);
	crimg_cell_mark(t, crimg_task_mark(task));
	crimg_cell_text(t, crimg_task_state_text(task, state, sizeof state));
	if (dead && task->core != NULL && task->core->tc != NULL)
		crimg_cell_u64(t, task->core->tc->exit_code);
	else
		crimg_cell_none(t);
	thread_list(t, task);
	if (dead)
		crimg_cell_none(t);
	else
		crimg_cell_command(t, task, "");
}

// Threads other than the leader, with --all or of one process.
static void thread_rows(struct crimg_table *t, const struct crimg_task *task)
{
	char prefix[CRIMG_TREE_PREFIX_MAX];
	bool asked = t->view->options->all || t->view->options->has_pid || t->view->options->has_tid;
	for (size_t i = 1; i < task->thread_count && asked && t->view->json == NULL; i++) {
		if (!crimg_view_wants_thread(t->view, &task->threads[i]))
			continue;
		crimg_table_row(t);
		crimg_cell_u64(t, task->threads[i].tid);
		crimg_cell_none(t);
		crimg_cell_text(t, "");
		crimg_cell_text(t, "");
		crimg_cell_text(t, "");
		crimg_cell_text(t, "");
		crimg_tree_prefix(&t->view->tasks, task, prefix, sizeof prefix);
		crimg_cell_mark(t, CRIMG_MARK_DIM);
		crimg_cell_textf(t, "%*s{%s}", (int)(task->depth * 3), "",
		                 crimg_thread_comm(task, &task->threads[i]));
		crimg_cell_text(t, "thread");
		crimg_cell_none(t);
		crimg_cell_none(t);
		crimg_cell_text(t, "");
	}
}

void crimg_view_tree(struct crimg_view *view)
{
	struct crimg_table t;
	crimg_heading(view, "Processes");
	crimg_table_begin(&t, view, "tree", columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		if (!crimg_view_wants(view, &view->tasks.list[i]))
			continue;
		task_row(&t, &view->tasks.list[i]);
		thread_rows(&t, &view->tasks.list[i]);
	}
	crimg_table_end(&t);
	if (view->tasks.count > 0)
		return;
	crimg_line(view, CRIMG_MARK_NONE, "none: %s",
	           crimg_image_first(view->image, CRIMG_KIND_PAGEMAP) != NULL
	                   ? "the image holds only memory, of these:"
	                   : "the image holds no pstree.img");
	crimg_show_page_maps(view, "page_maps");
}
