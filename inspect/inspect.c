// The verb: options, the image, the views that were asked for, and what went wrong at the end.
#include "inspect/inspect.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "inspect/table.h"

const struct crimg_view_row crimg_views[] = {
	{ "summary", "what it is, who made it, what runs in it, is it complete", crimg_view_summary, false },
	{ "tree", "processes, threads, sessions, zombies", crimg_view_tree, false },
	{ "fds", "descriptors of every process", crimg_view_fds, false },
	{ "files", "open files, who holds them, locks, watches", crimg_view_files, false },
	{ "sockets", "addresses, states, queues, peers", crimg_view_sockets, false },
	{ "maps", "address spaces and how much of them the image holds", crimg_view_maps, false },
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

#define MAX_VIEWS 32

struct request {
	struct crimg_view_options options;
	const struct crimg_view_row *views[MAX_VIEWS];
	size_t view_count;
	bool json;
	const char *color;
};

static int complain(const char *text)
{
	fprintf(stderr, "crimg inspect: %s\n", text);
	return 2;
}

static int complain_err(const struct crimg_err *err)
{
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(err, text, sizeof text);
	return complain(text);
}

static int usage_error(const char *what, const char *value)
{
	char shown[256], text[512];
	crimg_safe_text(shown, sizeof shown, value, strlen(value));
	snprintf(text, sizeof text, "%s: %s (`crimg inspect --help` tells more)", what, shown);
	return complain(text);
}

static int help(void)
{
	fputs("usage: crimg inspect [options] IMAGE [VIEW...]\n\n"
	      "Shows what is in a checkpoint. IMAGE is a directory, an archive, a file, or - for "
	      "standard\n"
	      "input. Without VIEW: summary.\n\n",
	      stdout);
	for (size_t i = 0; crimg_views[i].name != NULL; i++)
		printf("  %-11s %s\n", crimg_views[i].name, crimg_views[i].summary);
	fputs("\n  -p PID           only this process\n"
	      "  -t TID           only this thread (and its process)\n"
	      "  -f FORMAT        do not probe the format (`crimg formats` lists them)\n"
	      "  --json           one JSON object, schema crimg.inspect/1\n"
	      "  --all            nothing abridged\n"
	      "  --color=WHEN     auto (default), always, never; NO_COLOR is respected\n"
	      "  --width N        cut lines at N columns, 0 never (default: the terminal's)\n"
	      "  -h, --help       this text\n\n"
	      "Exit: 0 shown; 2 trouble: the image is damaged or incomplete (what is readable is "
	      "shown), or\n"
	      "cannot be read.\n",
	      stdout);
	return 0;
}

static bool read_u32(const char *text, uint32_t *out)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

enum { OPT_JSON = 256, OPT_ALL, OPT_COLOR, OPT_WIDTH };

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },      { "tid", required_argument, NULL, 't' },
	{ "format", required_argument, NULL, 'f' },   { "json", no_argument, NULL, OPT_JSON },
	{ "all", no_argument, NULL, OPT_ALL },        { "color", required_argument, NULL, OPT_COLOR },
	{ "width", required_argument, NULL, OPT_WIDTH }, { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

// 0, or the exit code + 1.
static int take_option(struct request *r, int option)
{
	switch (option) {
	case 'p':
		r->options.has_pid = true;
		return read_u32(optarg, &r->options.pid)
		               ? 0
		               : usage_error("-p wants a number", optarg) + 1;
	case 't':
		r->options.has_tid = true;
		return read_u32(optarg, &r->options.tid)
		               ? 0
		               : usage_error("-t wants a number", optarg) + 1;
	case 'f':
		r->options.format = optarg;
		return 0;
	case OPT_JSON:
		r->json = true;
		return 0;
	case OPT_ALL:
		r->options.all = true;
		return 0;
	case OPT_COLOR:
		r->color = optarg;
		if (strcmp(optarg, "auto") == 0 || strcmp(optarg, "always") == 0
		    || strcmp(optarg, "never") == 0)
			return 0;
		return usage_error("--color wants auto, always or never", optarg) + 1;
	case OPT_WIDTH:
		if (read_u32(optarg, &r->options.width))
			return 0;
		return usage_error("--width wants a number", optarg) + 1;
	case 'h':
		return help() + 1;
	default:
		return 2 + 1; // getopt has told
	}
}

static const struct crimg_view_row *view_by_name(const char *name)
{
	for (size_t i = 0; crimg_views[i].name != NULL; i++)
		if (strcmp(crimg_views[i].name, name) == 0)
			return &crimg_views[i];
	return NULL;
}

static void look_around(struct request *r, bool width_given)
{
	struct winsize size;
	bool terminal = isatty(STDOUT_FILENO) != 0;
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *tmpdir = getenv("TMPDIR");
	r->options.tmpdir = tmpdir != NULL && tmpdir[0] != '\0' ? tmpdir : "/tmp";
	if (!width_given && terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		r->options.width = size.ws_col;
	bool dumb = term == NULL || strcmp(term, "dumb") == 0;
	bool refused = (no_color != NULL && no_color[0] != '\0') || dumb;
	r->options.color = strcmp(r->color, "always") == 0
		|| (strcmp(r->color, "auto") == 0 && terminal && !refused);
}

// 0, or the exit code + 1.
static int read_request(struct request *r, int argc, char **argv)
{
	char name[] = "crimg inspect";
	char *verb = argv[0];
	bool width_given = false;
	*r = (struct request){ .color = "auto" };
	argv[0] = name; // getopt begins its complaints with it
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "p:t:f:h", long_options, NULL)) != -1;) {
		int rc = take_option(r, option);
		width_given |= option == OPT_WIDTH;
		if (rc != 0) {
			argv[0] = verb;
			return rc;
		}
	}
	argv[0] = verb;
	if (optind >= argc)
		return complain("no IMAGE is named (`crimg inspect --help` tells more)") + 1;
	r->options.path = argv[optind++];
	for (; optind < argc && r->view_count < MAX_VIEWS; optind++) {
		const struct crimg_view_row *row = view_by_name(argv[optind]);
		if (row == NULL)
			return usage_error("unknown view", argv[optind]) + 1;
		r->views[r->view_count++] = row;
	}
	if (r->view_count == 0)
		r->views[r->view_count++] = &crimg_views[0];
	look_around(r, width_given);
	return 0;
}

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

static void show(struct crimg_view *view, const struct request *r)
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
	for (size_t i = 0; i < r->view_count && !crimg_view_failed(view); i++)
		r->views[i]->show(view);
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
static bool needs_image(const struct request *r)
{
	for (size_t i = 0; i < r->view_count; i++)
		if (!r->views[i]->alone)
			return true;
	return r->options.has_pid || r->options.has_tid;
}

static bool is_pipe_read_twice(const struct request *r)
{
	bool alone = false;
	for (size_t i = 0; i < r->view_count; i++)
		alone |= r->views[i]->alone;
	return strcmp(r->options.path, "-") == 0 && alone
		&& (r->view_count > 1 || needs_image(r));
}

static int run(const struct request *r)
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
	int rc = wrong->code == CRIMG_OK ? 0 : complain_err(wrong);
	crimg_files_fini(&view.files);
	crimg_tasks_fini(&view.tasks);
	crimg_image_close(view.image);
	crimg_buf_fini(&out);
	return rc;
}

int crimg_inspect_main(int argc, char **argv)
{
	struct request r;
	int rc = read_request(&r, argc, argv);
	if (rc != 0)
		return rc - 1;
	if (is_pipe_read_twice(&r))
		return complain(
			"objects reads standard input by itself: ask for no other view with it");
	return run(&r);
}
