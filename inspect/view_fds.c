// View fds: the descriptor table of every process, and its working directory, root and umask.
#include <stdio.h>

#include "format/names.h"
#include "inspect/command.h"
#include "inspect/file_text.h"

static const struct crimg_column columns[] = {
	{ "fd", "FD", CRIMG_COLUMN_RIGHT },
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "mode", "MODE", CRIMG_COLUMN_LEFT },
	{ "pos", "POS", CRIMG_COLUMN_RIGHT },
	{ "cloexec", NULL, CRIMG_COLUMN_LEFT },
	{ "flags", "FLAGS", CRIMG_COLUMN_LEFT },
	{ "file_id", "FILE", CRIMG_COLUMN_RIGHT },
	{ "path", NULL, CRIMG_COLUMN_LEFT },
	{ "name", "NAME", CRIMG_COLUMN_CUT_MIDDLE },
	{ "note", "NOTE", CRIMG_COLUMN_CUT },
};

// What stands in FLAGS besides the mode: nobody asks for O_LARGEFILE.
static void flags_cell(struct crimg_table *t, const struct crimg_file *file, bool cloexec)
{
	char flags[512];
	uint32_t bits = file != NULL ? crimg_file_flags(file) & ~(uint32_t)0100003 : 0;
	crimg_flags_text(CRIMG_NAMES_OPEN_FLAGS, bits, flags, sizeof flags);
	if (t->view->json != NULL)
		crimg_cell_text(t, flags);
	else
		crimg_cell_textf(t, "%s%s%s", flags, cloexec && flags[0] != '\0' ? "|" : "",
		                 cloexec ? "FD_CLOEXEC" : "");
}

static bool has_mode(const struct crimg_file *file)
{
	return file != NULL && file->type != FD_TYPES__EXT && file->type != FD_TYPES__TUNF
		&& file->type != FD_TYPES__FIFO;
}

static void fd_row(struct crimg_table *t, const FdinfoEntry *fd)
{
	const struct crimg_file *file = crimg_files_find(&t->view->files, fd->id);
	struct crimg_file_words words;
	char number[32];
	uint64_t pos;
	bool cloexec = (fd->flags & 1) != 0;
	crimg_table_row(t);
	crimg_cell_u64(t, fd->fd);
	crimg_cell_text(t,
	                crimg_name_or_number(CRIMG_NAMES_FD_TYPE, fd->type, number, sizeof number));
	// A fifo's mode is that of the path it was opened by.
	const RegFileEntry *path = file != NULL ? file->path : NULL;
	crimg_cell_text(t, path != NULL ? crimg_open_mode(path->flags)
	                : has_mode(file) ? crimg_open_mode(crimg_file_flags(file)) : NULL);
	if (file != NULL && file->type != FD_TYPES__PIPE && crimg_file_position(file, &pos))
		crimg_cell_u64(t, pos);
	else
		crimg_cell_none(t);
	crimg_cell_bool(t, cloexec);
	flags_cell(t, file, cloexec);
	crimg_cell_u64(t, fd->id);
	crimg_cell_text(t, file != NULL ? crimg_file_path(file) : NULL);
	if (file == NULL)
		crimg_cell_mark(t, CRIMG_MARK_BAD);
	crimg_file_describe_id(t->view, fd->id, &words);
	crimg_cell_text(t, words.name);
	crimg_cell_text(t, words.note);
}

static void places(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_table t;
	char text[CRIMG_FILE_TEXT_MAX];
	if (task->fs == NULL)
		return;
	crimg_record_begin(&t, view, NULL);
	t.indent = 2;
	crimg_field(&t, "cwd", "cwd");
	crimg_cell_text(&t, crimg_file_text_by_id(view, task->fs->cwd_id, text, sizeof text));
	crimg_field(&t, "root", "root");
	crimg_cell_text(&t, crimg_file_text_by_id(view, task->fs->root_id, text, sizeof text));
	crimg_field(&t, "umask", task->fs->has_umask ? "umask" : NULL);
	crimg_cell_octal(&t, task->fs->has_umask ? task->fs->umask : 0);
	crimg_table_end(&t);
}

// other: the task that the table was shown for already, or NULL.
static void show_task(struct crimg_view *view, const struct crimg_task *task,
                      const struct crimg_task *other)
{
	struct crimg_list fds = { NULL, 0 };
	struct crimg_table t;
	char label[64];
	if (other == NULL)
		fds = crimg_view_list(view, task, CRIMG_PART_FDS);
	crimg_task_label(task, label, sizeof label);
	if (other != NULL)
		crimg_heading(view, "%s: the descriptors of %u", label, other->pid);
	else
		crimg_heading(view, "%s: %zu descriptors", label, fds.count);
	crimg_group_object(view, NULL);
	crimg_task_json(view, task);
	if (view->json != NULL && other != NULL)
		crimg_json_u64(view->json, "shared_with", other->pid);
	places(view, task);
	crimg_table_begin(&t, view, "fds", columns, sizeof columns / sizeof columns[0]);
	t.indent = 2;
	for (size_t i = 0; i < fds.count && !crimg_view_failed(view); i++)
		fd_row(&t, fds.items[i]);
	crimg_table_end(&t);
	crimg_group_end(view);
}

void crimg_view_fds(struct crimg_view *view)
{
	const struct crimg_task *list = view->tasks.list;
	crimg_group_array(view, "fds");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *owner = &list[list[i].fds_of];
		bool shown = owner != &list[i] && crimg_view_wants(view, owner);
		if (list[i].state != CRIMG_TASK_DEAD && crimg_view_wants(view, &list[i]))
			show_task(view, &list[i], shown ? owner : NULL);
	}
	crimg_group_end(view);
}
