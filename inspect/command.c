// Arguments come from memory: only the pages that hold them are read.
#include "inspect/command.h"

#include <stdio.h>
#include <string.h>

// Programs that write their title over their arguments leave NULs behind it.
static size_t without_padding(const struct crimg_buf *args)
{
	size_t length = args->length;
	while (length > 0 && args->data[length - 1] == '\0')
		length--;
	return length > 0 ? length + 1 : 0;
}

static bool is_plain(const char *arg)
{
	static const char special[] = " \t\n\"'\\$`&|;<>(){}*?[]#~!";
	return *arg != '\0' && strpbrk(arg, special) == NULL;
}

static int quote(struct crimg_buf *out, const char *arg, struct crimg_err *err)
{
	if (is_plain(arg))
		return crimg_buf_append(out, arg, strlen(arg), err);
	if (crimg_buf_append(out, "'", 1, err) < 0)
		return -1;
	for (; *arg != '\0'; arg++)
		if (crimg_buf_append(out, *arg == '\'' ? "'\\''" : arg, *arg == '\'' ? 4 : 1, err)
		    < 0)
			return -1;
	return crimg_buf_append(out, "'", 1, err);
}

// Prefix and quoted arguments, terminated.
static int join(struct crimg_buf *out, const struct crimg_buf *args, size_t length, bool cut,
                struct crimg_err *err)
{
	for (size_t i = 0; i < length; i += strlen((const char *)args->data + i) + 1)
		if ((i > 0 && crimg_buf_append(out, " ", 1, err) < 0)
		    || quote(out, (const char *)args->data + i, err) < 0)
			return -1;
	return crimg_buf_append(out, cut ? " …" : "", cut ? strlen(" …") + 1 : 1, err);
}

static void text_command(struct crimg_table *t, const struct crimg_task *task, const char *prefix,
                         const struct crimg_buf *args, bool cut)
{
	size_t length = without_padding(args);
	struct crimg_buf line = CRIMG_BUF_INIT;
	if (length == 0 && task->core == NULL)
		crimg_cell_textf(t, "%s(core-%u.img is missing or was not read)", prefix, task->pid);
	else if (length == 0)
		crimg_cell_textf(t, "%s[%s]", prefix, crimg_task_comm(task));
	else if (crimg_buf_append(&line, prefix, strlen(prefix), &t->view->fault) == 0
	         && join(&line, args, length, cut, &t->view->fault) == 0)
		crimg_cell_text(t, (const char *)line.data);
	crimg_buf_fini(&line);
}

static void json_command(struct crimg_json *j, const char *key, const struct crimg_buf *args)
{
	size_t length = without_padding(args);
	if (length == 0) {
		crimg_json_null(j, key);
		return;
	}
	crimg_json_array(j, key);
	for (size_t i = 0; i < length; i += strlen((const char *)args->data + i) + 1)
		crimg_json_text(j, NULL, (const char *)args->data + i);
	crimg_json_end(j);
}

// Pages that cannot be had (a pipe gives them later, a half-copied image never) are no new damage.
static void read_arguments(struct crimg_view *view, const struct crimg_task *task,
                           struct crimg_buf *args, bool *cut)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	if (crimg_task_arguments(view->image, task, CRIMG_COMMAND_BYTES, args, cut, &err) > 0)
		return;
	args->length = 0;
	if (err.code != CRIMG_OK && err.code != CRIMG_E_UNSUPPORTED && view->missing.code == CRIMG_OK
	    && view->damage.code == CRIMG_OK)
		view->damage = err;
}

void crimg_cell_command(struct crimg_table *t, const struct crimg_task *task, const char *prefix)
{
	struct crimg_buf args = CRIMG_BUF_INIT;
	const char *key;
	bool cut;
	read_arguments(t->view, task, &args, &cut);
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		json_command(j, key, &args);
	else
		text_command(t, task, prefix, &args, cut);
	crimg_buf_fini(&args);
}

char *crimg_task_label(const struct crimg_task *task, char *out, size_t size)
{
	snprintf(out, size, "%u %s", task->pid, crimg_task_comm(task));
	return out;
}

void crimg_task_json(struct crimg_view *view, const struct crimg_task *task)
{
	if (view->json == NULL)
		return;
	crimg_json_u64(view->json, "pid", task->pid);
	crimg_json_text(view->json, "comm", crimg_task_comm(task));
}
