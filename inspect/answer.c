#include "inspect/answer.h"

#include <string.h>

#include "inspect/sysroot.h"

bool crimg_view_open(struct crimg_view *view)
{
	const struct crimg_view_options *o = view->options;
	int rc = crimg_image_open(o->path, o->format, o->tmpdir, &view->image, &view->damage);
	if (view->image == NULL)
		return false;
	bool whole = rc == 0;
	if (crimg_tasks_load(view->image, &view->tasks, &view->damage) < 0)
		whole = false;
	if (crimg_files_load(view->image, &view->files, &view->damage) < 0)
		whole = false;
	view->single = !view->image->directory && !view->image->archive && view->image->count <= 1;
	if (whole && !view->single && crimg_image_missing(view->image, &view->missing) != 0)
		view->damage = view->missing;
	return true;
}

void crimg_view_close(struct crimg_view *view)
{
	crimg_sysroot_close(view->sysroot);
	crimg_files_fini(&view->files);
	crimg_tasks_fini(&view->tasks);
	crimg_image_close(view->image);
}

const struct crimg_view_row *crimg_view_by_name(const char *name)
{
	for (size_t i = 0; crimg_views[i].name != NULL; i++)
		if (strcmp(crimg_views[i].name, name) == 0)
			return &crimg_views[i];
	return NULL;
}

void crimg_view_json(struct crimg_view *view, const struct crimg_view_row *const *rows,
                     size_t count, bool pretty)
{
	struct crimg_json json = crimg_json_make(view->out, pretty);
	view->json = &json;
	crimg_json_object(&json, NULL);
	crimg_json_text(&json, "schema", "crimg.inspect/1");
	crimg_json_text(&json, "image", view->options->path);
	if (view->image != NULL)
		crimg_json_text(&json, "format", view->image->format);
	for (size_t i = 0; i < count && !crimg_view_failed(view); i++)
		rows[i]->show(view);
	const struct crimg_err *wrong =
		view->damage.code != CRIMG_OK ? &view->damage : &view->missing;
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(wrong, text, sizeof text);
	crimg_json_text(&json, "error", wrong->code != CRIMG_OK ? text : NULL);
	crimg_json_end(&json);
	view->json = NULL;
	if (crimg_json_finish(&json, &view->fault) == 0
	    && crimg_buf_append(view->out, "\n", 1, &view->fault) < 0)
		return; // noted in fault
}

struct crimg_list crimg_view_list(struct crimg_view *view, const struct crimg_task *task,
                                  enum crimg_part part)
{
	struct crimg_list list;
	if (crimg_task_list(view->image, task, part, &list, &view->damage) < 0)
		return list; // what could be read
	return list;
}

static bool note_read(struct crimg_view *view, int rc, const struct crimg_err *err)
{
	if (rc < 0 && err->code != CRIMG_E_UNSUPPORTED && view->damage.code == CRIMG_OK)
		view->damage = *err;
	return rc == 0;
}

bool crimg_view_read(struct crimg_view *view, struct crimg_payload_ref payload, void *buf,
                     size_t length)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	if (payload.number == CRIMG_NO_PAYLOAD || payload.length < length)
		return false;
	int rc = crimg_image_read(view->image, payload.number, 0, buf, length, &err);
	return note_read(view, rc, &err);
}

bool crimg_view_contents(struct crimg_view *view, const struct crimg_image_object *object,
                         size_t limit, bool tail, struct crimg_buf *out)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	int rc = crimg_image_contents(view->image, object, limit, tail, out, &err);
	return note_read(view, rc, &err);
}

bool crimg_view_failed(const struct crimg_view *view)
{
	return view->fault.code != CRIMG_OK;
}

void crimg_view_flush(struct crimg_view *view)
{
	if (view->flush != NULL && view->out->length > (size_t)1 << 16
	    && view->flush(view, &view->fault) < 0)
		view->flush = NULL; // noted in fault
}

bool crimg_view_wants(const struct crimg_view *view, const struct crimg_task *task)
{
	const struct crimg_view_options *o = view->options;
	if (o->has_pid && o->pid != task->pid)
		return false;
	return !o->has_tid || crimg_tasks_of_thread(&view->tasks, o->tid) == task;
}

bool crimg_view_wants_thread(const struct crimg_view *view, const struct crimg_thread *thread)
{
	return !view->options->has_tid || view->options->tid == thread->tid;
}
