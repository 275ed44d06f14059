// The verb: the image, the views that were asked for, and what went wrong at the end.
#include "inspect/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "inspect/answer.h"
#include "inspect/request.h"
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

#define UNTOLD_MAX 16

// What images of a kind tell little or nothing of.
static const struct untold {
	const char *what;
	const char *views[UNTOLD_MAX];
} of_cores = {
	"an ELF core",
	{ "fds", "files", "sockets", "timers", "namespaces", "mounts", "cgroups", "ipc", "stats", "creds", "signals" },
}, of_skeletons = {
	"a skeleton",
	{ "fds", "files", "sockets", "maps", "regs", "mem", "code", "stack", "strings", "signals", "timers", "mounts",
	  "cgroups", "ipc", "stats" },
};

// An empty answer proves nothing where nothing could be told.
static void warn_of_untold(struct crimg_view *view, const struct crimg_view_row *row)
{
	const struct untold *untold = view->image == NULL ? NULL
		: crimg_image_first(view->image, CRIMG_KIND_ELF_NOTES) != NULL ? &of_cores
		: crimg_image_is_skeleton(view->image) ? &of_skeletons : NULL;
	for (size_t i = 0; untold != NULL && i < UNTOLD_MAX && untold->views[i] != NULL; i++)
		if (strcmp(untold->views[i], row->name) == 0)
			crimg_line(view, CRIMG_MARK_DIM, "(%s tells little or nothing of %s)", untold->what,
			           row->name);
}

static void show(struct crimg_view *view, const struct crimg_inspect_request *r)
{
	if (r->json) {
		crimg_view_json(view, r->views, r->view_count, true);
		return;
	}
	for (size_t i = 0; i < r->view_count && !crimg_view_failed(view); i++) {
		size_t before = view->out->length;
		r->views[i]->show(view);
		warn_of_untold(view, r->views[i]);
		bool said_nothing = view->out->length == before && !crimg_view_failed(view);
		if (said_nothing && !view->single && view->image != NULL && view->tasks.count == 0)
			crimg_line(view, CRIMG_MARK_DIM, "(%s: no process is in it, a pre-dump holds pages alone)",
			           r->views[i]->name);
	}
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
	bool usable = needs_image(r) ? crimg_view_open(&view) && check_filters(&view) : true;
	if (usable) {
		show(&view, r);
		if (write_out(&view, &view.fault) == 0 && fflush(stdout) != 0)
			crimg_fail_sys(&view.fault, errno, "standard output", "cannot be written");
	}
	const struct crimg_err *wrong = view.fault.code != CRIMG_OK ? &view.fault
		: view.damage.code != CRIMG_OK ? &view.damage : &view.missing;
	int rc = wrong->code == CRIMG_OK ? 0 : crimg_inspect_complain_err(wrong);
	crimg_view_close(&view);
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
