// The verb: options, the order of steps, and what is said when one fails.
#include "producer/restart.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/interrupt.h"
#include "format/names.h"
#include "format/output.h"
#include "format/terminal.h"
#include "producer/restart_birth.h"
#include "producer/restart_inet.h"
#include "producer/restart_outside.h"
#include "producer/restart_ptys.h"
#include "producer/restart_watches.h"

static const char usage[] =
	"usage: crimg restart [options] IMAGE\n\n"
	"Makes the processes of an image again, and lets them run: with their numbers, memory, threads,\n"
	"registers, open files, signals and timers. All of them, or none.\n\n"
	"  --wait           wait until the root has ended\n"
	"  --stopped        leave them stopped (SIGSTOP); SIGCONT lets them run\n"
	"  --new-pids       in a new pid namespace, where every number is free\n"
	"  --pidfile FILE   write the number of the root to FILE\n"
	"  --inherit FD:NAME\n"
	"                   the tasks' file NAME (as `crimg inspect IMAGE files` calls it, or its\n"
	"                   number there) is what crimg has open as FD\n"
	"  --sysroot DIR    the tasks find their files under DIR, which is their root\n"
	"  --tcp-established  connections of TCP whose other end is not in the image are put together\n"
	"                   again: it must still be there, and this machine have their address\n"
	"  --tcp-close      they are closed\n"
	"  -f FORMAT        do not probe the format (`crimg formats` lists them)\n"
	"  -h, --help       this text\n\n"
	"Prints the number of the root, unless it waits. Exit: 0 they run (with --wait: the root\n"
	"exited 0); 1 with --wait: the root ended otherwise; 2 trouble: nothing runs.\n";

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

enum { OPT_WAIT = 256, OPT_STOPPED, OPT_PIDFILE, OPT_INHERIT, OPT_NEW_PIDS, OPT_SYSROOT, OPT_ESTABLISHED, OPT_CLOSE };

static const struct option long_options[] = {
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "stopped", no_argument, NULL, OPT_STOPPED },
	{ "new-pids", no_argument, NULL, OPT_NEW_PIDS },
	{ "pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "inherit", required_argument, NULL, OPT_INHERIT },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "tcp-established", no_argument, NULL, OPT_ESTABLISHED },
	{ "tcp-close", no_argument, NULL, OPT_CLOSE },
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

// What to do about an error of the operating system.
static const struct {
	int error;
	const char *advice;
} advices[] = {
	{ EPERM, "run it as root, or as whoever ran the tasks, with CAP_CHECKPOINT_RESTORE" },
	{ EACCES, "run it as root, or as whoever may open the files" },
	{ EEXIST, "a number is taken: wait until that task has ended, or use --new-pids" },
	{ ENOMEM, "free memory, or raise the limits on it (ulimit -v, -l)" },
	{ EMFILE, "raise the limit on open files (ulimit -n)" },
	{ ENFILE, "raise fs.file-max" },
	{ EAGAIN, "raise the limit on processes (ulimit -u), or kernel.pid_max" },
	{ ENOENT, "see that it is there; a file of the tasks, under the same path (or below --sysroot DIR)" },
	{ ENOSYS, "this kernel is too old for it" },
	{ ETXTBSY, "somebody writes to a program that is wanted: end that" },
	{ ESRCH, "somebody ended a task while it was made: try again" },
	{ EINVAL, "crimg validate --host tells whether this machine can restart it" },
};

static int trouble(const struct crimg_err *err)
{
	char text[2048];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg restart: %s\n", text);
	for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
		if (err->sys_errno == advices[i].error)
			fprintf(stderr, "crimg restart: what to do: %s\n", advices[i].advice);
	return 2;
}

static int bad_usage(struct crimg_err *err, const char *what)
{
	return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
	                  "%s (`crimg restart --help` tells more)", what);
}

static int add_inherit(struct crimg_restart_options *o, const char *text, struct crimg_err *err)
{
	char *end;
	long fd = strtol(text, &end, 10);
	struct crimg_inherit *grown;
	if (end == text || *end != ':' || end[1] == '\0' || fd < 0 || fd > 1 << 20)
		return bad_usage(err, "--inherit wants FD:NAME");
	grown = reallocarray(o->inherits, o->inherit_count + 1, sizeof *grown);
	if (grown == NULL)
		return crimg_fail_nomem(err, sizeof *grown);
	o->inherits = grown;
	grown[o->inherit_count++] = (struct crimg_inherit){ .fd = (int)fd, .name = end + 1 };
	return 0;
}

static int take_option(struct crimg_restart_options *o, int option, bool *help,
                       struct crimg_err *err)
{
	switch (option) {
	case OPT_WAIT: o->wait = true; return 0;
	case OPT_STOPPED: o->stopped = true; return 0;
	case OPT_NEW_PIDS: o->new_pids = true; return 0;
	case OPT_PIDFILE: o->pidfile = optarg; return 0;
	case OPT_ESTABLISHED: o->tcp_established = true; return 0;
	case OPT_CLOSE: o->tcp_close = true; return 0;
	case OPT_SYSROOT: o->sysroot = optarg; return 0;
	case OPT_INHERIT: return add_inherit(o, optarg, err);
	case 'f': o->format = optarg; return 0;
	case 'h': *help = true; return 0;
	default: return bad_usage(err, "no such option");
	}
}

static int parse(int argc, char **argv, struct crimg_restart_options *o, bool *help,
                 struct crimg_err *err)
{
	opterr = 0;
	optind = 0;
	for (int c; (c = getopt_long(argc, argv, "f:h", long_options, NULL)) != -1;)
		if (take_option(o, c, help, err) < 0)
			return -1;
	if (*help)
		return 0;
	if (argc - optind != 1)
		return bad_usage(err, argc == optind ? "no IMAGE is named" : "one IMAGE at a time");
	o->path = argv[optind];
	o->tmpdir = crimg_tmpdir();
	return 0;
}

static int each(struct crimg_restart *r,
                int (*step)(struct crimg_restart *, struct crimg_actor *, struct crimg_err *),
                struct crimg_err *err)
{
	for (size_t i = 0; i < r->tasks.count; i++)
		if (r->actors[i].count > 0 && step(r, &r->actors[i], err) < 0)
			return -1;
	return 0;
}

static int creds_of_all(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	for (size_t i = 0; i < a->count; i++)
		if (crimg_restart_creds(r, a, i, err) < 0)
			return -1;
	return crimg_restart_after_creds(r, a, err);
}

static int make(struct crimg_restart *r, struct crimg_err *err)
{
	if (crimg_restart_prepare(r, err) < 0 || crimg_handles_open(r, err) < 0 || crimg_restart_create(r, err) < 0
	    || crimg_restart_open_pidfds(r, err) < 0)
		return -1;
	if (crimg_restart_seal_segments(r, err) < 0 || crimg_restart_seal_namespaces(r, err) < 0)
		return -1;
	if (each(r, crimg_restart_directories, err) < 0 || each(r, crimg_restart_fds, err) < 0
	    || each(r, crimg_restart_threads, err) < 0 || each(r, crimg_restart_process, err) < 0)
		return -1;
	// Handlers may be common: who has set them makes no call that needs any.
	return each(r, creds_of_all, err) < 0 || each(r, crimg_restart_signals, err) < 0
		? -1 : each(r, crimg_restart_leave, err);
}

static int write_pidfile(const struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_output *output = NULL;
	struct crimg_sink sink;
	char text[16];
	if (r->options->pidfile == NULL)
		return 0;
	size_t n = (size_t)snprintf(text, sizeof text, "%d\n", r->root);
	if (crimg_output_open_file(r->options->pidfile, &output, err) < 0)
		return -1;
	int rc = crimg_sink_create(output, "", n, &sink, err);
	if (rc == 0) {
		rc = crimg_sink_append(&sink, text, n, err);
		if (crimg_sink_end(&sink, err) < 0)
			rc = -1;
	}
	if (rc == 0)
		rc = crimg_output_commit(output, err);
	crimg_output_close(output);
	return rc;
}

// From here on they run: what fails now fails because somebody killed one of them.
static void let_go(struct crimg_restart *r, struct crimg_hushed *hushed)
{
	crimg_handles_close(&r->handles); // an end of a pipe that crimg kept would keep the pipe
	crimg_restart_hushed(hushed);
	for (size_t i = 0; i < r->tasks.count; i++) {
		struct crimg_actor *a = &r->actors[i];
		if (a->count > 0 && (r->options->stopped || a->task->state == CRIMG_TASK_STOPPED))
			kill(a->puppets[0].tid, SIGSTOP);
		for (size_t k = 0; k < a->count; k++)
			(void)ptrace(PTRACE_DETACH, a->puppets[k].tid, NULL, NULL);
	}
	crimg_restart_open_gate(r);
}

static int await_root(const struct crimg_restart *r, struct crimg_err *err)
{
	char text[64];
	pid_t child = r->keeper > 0 ? r->keeper : r->root;
	int status;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return crimg_fail_sys(err, errno, NULL, "waiting for the root");
		if (stopped != 0)
			kill(r->root, stopped);
		stopped = 0;
	}
	if (status == 0)
		return 0;
	fprintf(stderr, "crimg restart: task %u %s\n", r->tasks.list[0].pid,
	        crimg_exit_text((uint32_t)status, text, sizeof text));
	return 1;
}

static void tell(const char *prefix, const struct crimg_lines *lines)
{
	const char *at = (const char *)lines->text.data;
	const char *end = at != NULL ? at + lines->text.length : NULL;
	for (unsigned i = 0; at != NULL && at < end; i++) {
		const char *next = memchr(at, '\n', (size_t)(end - at));
		if (i == 30)
			fprintf(stderr, "crimg restart: and %zu more\n", lines->count - i);
		if (i < 30)
			fprintf(stderr, "crimg restart: %s%.*s\n", prefix, (int)(next - at), at);
		at = next + 1;
	}
}

static int run(struct crimg_restart *r, struct crimg_err *err)
{
	int rc = crimg_restart_plan(r, err);
	tell("", &r->refused);
	if (rc < 0)
		return -1;
	crimg_interrupt_catch(on_signal);
	if (make(r, err) < 0 || write_pidfile(r, err) < 0 || crimg_restart_release_connections(r, err) < 0) {
		crimg_restart_kill(r);
		return -1;
	}
	crimg_restart_drop_links(r);
	crimg_restart_seal_ptys(r);
	struct crimg_hushed hushed;
	crimg_restart_hush(r, &hushed);
	tell("note: ", &r->notes);
	if (!r->options->wait)
		printf("%d\n", r->root);
	fflush(stdout);
	struct crimg_lent_terminal terminal;
	crimg_restart_lend_terminal(r, &terminal);
	let_go(r, &hushed);
	rc = r->options->wait ? await_root(r, err) : 0;
	crimg_restart_take_terminal(&terminal);
	return rc;
}

static int restart(const struct crimg_restart_options *options, struct crimg_err *err)
{
	struct crimg_restart r = { .options = options, .gate = -1, .gate_in = -1 };
	crimg_interrupt_catch(SIG_DFL); // nothing is made yet, and a large archive takes its time
	signal(SIGCHLD, SIG_DFL); // ignored, ends would not be told
	int rc = run(&r, err);
	crimg_restart_close(&r);
	return rc;
}

int crimg_restart_image(const char *path, const char *format)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_restart_options options = {
		.stop = &stopped, .path = path, .format = format, .tmpdir = crimg_tmpdir(),
	};
	int rc = restart(&options, &err);
	return rc < 0 ? trouble(&err) : rc;
}

int crimg_restart_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_restart_options options = { .stop = &stopped };
	bool help = false;
	int rc = parse(argc, argv, &options, &help, &err);
	if (rc == 0 && help)
		fputs(usage, stdout);
	if (rc == 0 && !help)
		rc = restart(&options, &err);
	free(options.inherits);
	return rc < 0 ? trouble(&err) : rc;
}
