// The verb: the image, the views that were asked for, and what went wrong at the end.
#include "inspect/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "inspect/request.h"
#include "inspect/sysroot.h"
#include "inspect/table.h"

const struct crimg_view_row crimg_views[] = {
	{ "summary", "what it is, who made it, what runs in it, is it complete", crimg_view_summary, false },
	{ "tree", "processes, threads, sessions, zombies", crimg_view_tree, false },
	{ "fds", "descriptors of every process", crimg_view_fds, false },
	{ "files", "open files, who holds them, locks, watches", crimg_view_files, false },
	{ "sockets", "addresses, states, queues, peers", crimg_view_sockets, false },
	{ "maps", "address spaces and how much of them the image holds", crimg_view_maps, false },
	{ "regs", "registers of every thread", crimg_view_regs, false },
	{ "mem", "bytes at --at, or what --search finds", crimg_view_mem, false },
	{ "code", "instructions where threads stand, or at --at", crimg_view_code, false },
	{ "stack", "backtraces of every thread", crimg_view_stack, false },
	{ "strings", "texts in memory, with their addresses", crimg_view_strings, false },
	{ "signals", "handlers, masks and pending signals", crimg_view_signals, false },
	{ "timers", "interval and POSIX timers, timerfds", crimg_view_timers, false },
	{ "creds", "users, capabilities, limits, seccomp, scheduling", crimg_view_creds, false },
	{ "namespaces", "namespaces and what is in them", crimg_view_namespaces, false },
	{ "mounts", "mount tree of every mount namespace", crimg_view_mounts, false },
	{ "cgroups", "control groups and their settings", crimg_view_cgroups, false },
	{ "ipc", "System V shared memory, semaphores, message queues", crimg_view_ipc, false },
	{ "container", "name, image, engine, annotations, mounts", crimg_view_container, false },
	{ "stats", "times and page counts of the dump", crimg_view_stats, false },
	{ "objects", "every record with file, offset, length and all fields", crimg_view_objects, true },
	{ NULL, NULL, NULL, false },
};

static int write_out(struct crimg_view *view, struct crimg_err *err)
{
	size_t length = view->out->length;
	if (length > 0 && fwrite(view->out->data, 1, length, stdout) != length)
		return crimg_fail_sys(err, errno, "standard output", "cannot be written");
	view->out->length = 0;
	return 0;
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

// Opens and indexes. False when nothing at all can be shown.
static bool open_image(struct crimg_view *view)
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

static bool check_filters(struct crimg_view *view)
{
	const struct crimg_view_options *o = view->options;
	if (o->has_pid && crimg_tasks_find(&view->tasks, o->pid) == NULL)
		crimg_fail(&view->fault, CRIMG_E_NOTFOUND, o->path, CRIMG_NO_OFFSET,
		           "no process %u is in it (`crimg inspect IMAGE tree` lists them)", o->pid);
	else if (o->has_tid && crimg_tasks_of_thread(&view->tasks, o->tid) == NULL)
		crimg_fail(&view->fault, CRIMG_E_NOTFOUND, o->path, CRIMG_NO_OFFSET,
		           "no thread %u is in it", o->tid);
	return view->fault.code == CRIMG_OK;
}

// An empty answer about an ELF core proves nothing where cores tell nothing.
static void warn_of_core(struct crimg_view *view, const struct crimg_view_row *row)
{
	static const char *const untold[] = { "fds", "files", "sockets", "timers", "namespaces", "mounts",
		                              "cgroups", "ipc", "stats", "creds", "signals" };
	if (view->json != NULL || view->image == NULL
	    || crimg_image_first(view->image, CRIMG_KIND_ELF_NOTES) == NULL)
		return;
	for (size_t i = 0; i < sizeof untold / sizeof untold[0]; i++)
		if (strcmp(untold[i], row->name) == 0)
			crimg_line(view, CRIMG_MARK_DIM, "(an ELF core tells little or nothing of %s)",
			           row->name);
}

static void show(struct crimg_view *view, const struct crimg_inspect_request *r)
{
	struct crimg_json json = crimg_json_make(view->out, true);
	if (r->json) {
		view->json = &json;
		crimg_json_object(&json, NULL);
		crimg_json_text(&json, "schema", "crimg.inspect/1");
		crimg_json_text(&json, "image", view->options->path);
		if (view->image != NULL)
			crimg_json_text(&json, "format", view->image->format);
	}
	for (size_t i = 0; i < r->view_count && !crimg_view_failed(view); i++) {
		r->views[i]->show(view);
		warn_of_core(view, r->views[i]);
	}
	if (!r->json)
		return;
	const struct crimg_err *wrong =
		view->damage.code != CRIMG_OK ? &view->damage : &view->missing;
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(wrong, text, sizeof text);
	crimg_json_text(&json, "error", wrong->code != CRIMG_OK ? text : NULL);
	crimg_json_end(&json);
	if (crimg_json_finish(&json, &view->fault) == 0
	    && crimg_buf_append(view->out, "\n", 1, &view->fault) < 0)
		return; // noted in fault
}

// True when some view needs the index.
static bool needs_image(const struct crimg_inspect_request *r)
{
	for (size_t i = 0; i < r->view_count; i++)
		if (!r->views[i]->alone)
			return true;
	return r->options.has_pid || r->options.has_tid;
}

static bool is_pipe_read_twice(const struct crimg_inspect_request *r)
{
	bool alone = false;
	for (size_t i = 0; i < r->view_count; i++)
		alone |= r->views[i]->alone;
	return strcmp(r->options.path, "-") == 0 && alone
		&& (r->view_count > 1 || needs_image(r));
}

static int run(const struct crimg_inspect_request *r)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct crimg_view view = { .options = &r->options, .out = &out, .flush = write_out };
	bool usable = needs_image(r) ? open_image(&view) && check_filters(&view) : true;
	if (usable) {
		show(&view, r);
		if (write_out(&view, &view.fault) == 0 && fflush(stdout) != 0)
			crimg_fail_sys(&view.fault, errno, "standard output", "cannot be written");
	}
	const struct crimg_err *wrong = view.fault.code != CRIMG_OK ? &view.fault
		: view.damage.code != CRIMG_OK ? &view.damage : &view.missing;
	int rc = wrong->code == CRIMG_OK ? 0 : crimg_inspect_complain_err(wrong);
	crimg_sysroot_close(view.sysroot);
	crimg_files_fini(&view.files);
	crimg_tasks_fini(&view.tasks);
	crimg_image_close(view.image);
	crimg_buf_fini(&out);
	return rc;
}

int crimg_inspect_main(int argc, char **argv)
{
	struct crimg_inspect_request r;
	int rc = crimg_inspect_request_read(&r, argc, argv);
	if (rc != 0) {
		crimg_inspect_request_fini(&r);
		return rc - 1;
	}
	if (is_pipe_read_twice(&r))
		return crimg_inspect_complain(
			"objects reads standard input by itself: ask for no other view with it");
	rc = run(&r);
	crimg_inspect_request_fini(&r);
	return rc;
}
