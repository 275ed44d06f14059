// The checkpoint verb: a conversion from pid:N, and what becomes of the processes afterwards.
#include "convert/checkpoint.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint_parent.h"
#include "convert/convert.h"
#include "format/terminal.h"
#include "producer/leaks.h"
#include "producer/live.h"
#include "producer/net_policy.h"

static const char usage[] =
	"usage: crimg checkpoint [options] PID DST\n"
	"  takes an image of process PID and all its descendants, and ends them\n"
	"  -t, --to FMT         format of DST (else by its suffix, as for convert; anything else is\n"
	"                       a crimg stream)\n"
	"      --subtree        of what they share with others, no notice is taken (the default)\n"
	"      --container      refuse, and name, whatever is held outside the tree, too\n"
	"      --enforce=K,...  the same, of these kinds only: mm, files, fs, sighand, ipc,\n"
	"                       namespaces, pipes, sockets\n"
	"      --leave-running  let them go on as if nothing had been\n"
	"      --leave-stopped  leave them, stopped by SIGSTOP\n"
	"      --pre-dump DIR   first write the memory to DIR while they run, then stop them and\n"
	"                       write to DST only what has changed since; DST needs DIR then\n"
	"      --parent DIR     write only what is not equal in DIR, an earlier image of theirs\n"
	"      --tcp-established  also connections of TCP whose other end no process of the tree has\n"
	"      --skip-in-flight drop connections that nobody has accepted yet\n"
	"      --network-lock M how packets of connections are held back: nftables, or skip (not)\n"
	"      --compress=C[:N] zstd, lz4 (criu pages) or none; N: level\n"
	"      --allow-loss     go on although something would be lost (core)\n"
	"      --progress       show progress even where standard error is no terminal\n"
	"  -q, --quiet          do not say how long they stood still\n"
	"exit: 0 done, 1 would lose something, 2 trouble: the processes then go on as before\n";

enum { OPT_RUNNING = 256, OPT_STOPPED, OPT_PREDUMP, OPT_PARENT, OPT_COMPRESS, OPT_LOSSY,
       OPT_PROGRESS, OPT_SUBTREE, OPT_CONTAINER, OPT_ENFORCE, OPT_ESTABLISHED, OPT_IN_FLIGHT, OPT_LOCK };

static const struct option long_options[] = {
	{"to", required_argument, NULL, 't'},
	{"subtree", no_argument, NULL, OPT_SUBTREE},
	{"container", no_argument, NULL, OPT_CONTAINER},
	{"enforce", required_argument, NULL, OPT_ENFORCE},
	{"leave-running", no_argument, NULL, OPT_RUNNING},
	{"leave-stopped", no_argument, NULL, OPT_STOPPED},
	{"pre-dump", required_argument, NULL, OPT_PREDUMP},
	{"parent", required_argument, NULL, OPT_PARENT},
	{"compress", required_argument, NULL, OPT_COMPRESS},
	{"allow-loss", no_argument, NULL, OPT_LOSSY},
	{"progress", no_argument, NULL, OPT_PROGRESS},
	{"tcp-established", no_argument, NULL, OPT_ESTABLISHED},
	{"skip-in-flight", no_argument, NULL, OPT_IN_FLIGHT},
	{"network-lock", required_argument, NULL, OPT_LOCK},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct checkpoint {
	pid_t pid;
	enum crimg_thaw fate;
	bool quiet, container;
	unsigned enforced; // CRIMG_LEAK_…
	const char *predump, *parent; // directories, or NULL
	bool stats_apart; // the image is files, one of them the statistics
	bool has_stats;   // they were told already
	DumpStatsEntry stats;
	char source[32]; // "pid:N"
	char *spool;     // the text of a directory; owned
	struct crimg_convert_options options;
	int ended;       // -1: the image is there, and they go on, for unended says why they could not be ended
	struct crimg_err unended;
	struct crimg_net_policy network;
};

static int set_lock(struct checkpoint *c, const char *method, struct crimg_err *err)
{
	c->network.without_lock = strcmp(method, "skip") == 0;
	if (c->network.without_lock || strcmp(method, "nftables") == 0)
		return 0;
	return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
			  "--network-lock %s found, nftables or skip wanted", method);
}

static int set_option(struct checkpoint *c, int letter, struct crimg_err *err)
{
	switch (letter) {
	case 't': c->options.to = optarg; return 0;
	case 'q': c->quiet = true; return 0;
	case OPT_RUNNING: c->fate = CRIMG_THAW_RUN; return 0;
	case OPT_STOPPED: c->fate = CRIMG_THAW_STOP; return 0;
	case OPT_SUBTREE: c->container = false; return 0;
	case OPT_CONTAINER: c->container = true; return 0;
	case OPT_ENFORCE: return crimg_leaks_parse(optarg, &c->enforced, err);
	case OPT_PREDUMP: c->predump = optarg; return 0;
	case OPT_PARENT: c->parent = optarg; return 0;
	case OPT_COMPRESS: return crimg_convert_parse_compress(&c->options, optarg, err);
	case OPT_ESTABLISHED: c->network.inside_only = false; return 0;
	case OPT_IN_FLIGHT: c->network.skip_in_flight = true; return 0;
	case OPT_LOCK: return set_lock(c, optarg, err);
	case OPT_LOSSY: c->options.allow_loss = true; return 0;
	case OPT_PROGRESS: c->options.progress = true; return 0;
	default: return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
				   "see crimg checkpoint --help");
	}
}

static int set_operands(struct checkpoint *c, const char *pid, const char *target,
			struct crimg_err *err)
{
	snprintf(c->source, sizeof c->source, "pid:%s", pid);
	c->pid = crimg_input_pid(c->source);
	if (c->pid == 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
				  "%s found, the number of a process wanted", pid);
	c->options.source = c->source;
	c->options.target = target;
	bool incremental = c->predump != NULL || c->parent != NULL;
	if (c->options.to == NULL && crimg_writer_by_suffix(target) == NULL)
		c->options.to = incremental ? "criu" : "crimg";
	if (incremental
	    && (c->options.to == NULL || strcmp(c->options.to, "criu") != 0
		|| crimg_writer_by_suffix(target) != NULL
		|| (c->predump != NULL && c->parent != NULL)))
		return crimg_fail(
			err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
			"--pre-dump or --parent make a CRIU directory, which names one parent");
	c->options.allow_incomplete = incremental; // its parent is beside DST, not beside pid:N
	return 0;
}

// 1: run. 0: help was asked for.
static int parse(int argc, char **argv, struct checkpoint *c, struct crimg_err *err)
{
	int letter;
	optind = 1;
	while ((letter = getopt_long(argc, argv, "t:qh", long_options, NULL)) != -1) {
		if (letter == 'h')
			return 0;
		if (set_option(c, letter, err) < 0)
			return -1;
	}
	if (argc - optind != 2)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
				  "%d operands found, PID and DST wanted", argc - optind);
	return set_operands(c, argv[optind], argv[optind + 1], err) < 0 ? -1 : 1;
}

static struct crimg_object stats_object = {.kind = CRIMG_KIND_STATS_DUMP, .name = ""};

static int put_stats(struct crimg_writer *writer, DumpStatsEntry *dump, struct crimg_err *err)
{
	struct crimg_buf bytes = CRIMG_BUF_INIT;
	StatsEntry e = STATS_ENTRY__INIT;
	e.dump = dump;
	int rc = crimg_message_encode(&e.base, &bytes, err);
	struct crimg_record record = {
		.type = CRIMG_RECORD_MESSAGE, .object = &stats_object,
		.data = bytes.data, .length = bytes.length, .payload = {.number = CRIMG_NO_PAYLOAD},
	};
	if (rc == 0)
		rc = writer->driver->put(writer, &record, err);
	crimg_buf_fini(&bytes);
	return rc;
}

// The file of statistics, once the times are known: through a second writer of the same output.
static int write_stats(const struct crimg_writer *like, DumpStatsEntry *dump, struct crimg_err *err)
{
	struct crimg_writer writer = {.driver = like->driver, .output = like->output};
	struct crimg_writer_options options = {.compress = NULL};
	struct crimg_record record = {.object = &stats_object, .payload = {.number = CRIMG_NO_PAYLOAD}};
	if (writer.driver->open(&writer, &options, err) < 0)
		return -1;
	int rc = writer.driver->put(&writer, &record, err);
	if (rc == 0)
		rc = put_stats(&writer, dump, err);
	if (rc == 0)
		rc = writer.driver->finish(&writer, err);
	writer.driver->close(&writer);
	return rc;
}

// A stream has its statistics in front of the contents: what those took is said now.
static int contents_read(void *context, struct crimg_writer *writer, struct crimg_err *err)
{
	struct checkpoint *c = context;
	if (!c->options.amends)
		return 0;
	if (c->fate == CRIMG_THAW_RUN && crimg_live_thaw(c->pid, CRIMG_THAW_RUN, err) < 0)
		return -1;
	c->has_stats = crimg_live_stats(c->pid, &c->stats);
	return c->has_stats ? put_stats(writer, &c->stats, err) : 0;
}

// Who is to stand still until the image has its name does; the others go on now, if they have not yet.
static int taken(void *context, const struct crimg_writer *writer, struct crimg_err *err)
{
	struct checkpoint *c = context;
	const struct crimg_buf *notes = crimg_live_notes(c->pid);
	if (!c->quiet && notes != NULL && notes->length > 0)
		fprintf(stderr, "%.*s", (int)notes->length, (const char *)notes->data);
	if (c->fate == CRIMG_THAW_RUN && crimg_live_thaw(c->pid, CRIMG_THAW_RUN, err) < 0)
		return -1;
	if (!c->has_stats && !crimg_live_stats(c->pid, &c->stats))
		return 0;
	if (!c->quiet)
		fprintf(stderr, "process %d stood still for %.1f ms\n", (int)c->pid,
			(double)c->stats.frozen_time / 1000);
	return c->stats_apart ? write_stats(writer, &c->stats, err) : 0;
}

static void stored(void *context)
{
	struct checkpoint *c = context;
	crimg_live_keep_links(c->pid);
	c->ended = crimg_live_thaw(c->pid, c->fate, &c->unended);
}

static int trouble(const struct crimg_err *err)
{
	char text[2048];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg checkpoint: %s\n", text);
	return 2;
}

// What a parent needs, before the tree is taken. The exit code, said why; or -1: err.
static int prepare(const struct checkpoint *c, struct crimg_err *err)
{
	uint64_t stopped_us;
	if (c->parent != NULL && crimg_checkpoint_parent(&c->options, c->pid, c->parent, err) < 0)
		return -1;
	if (c->predump == NULL)
		return 0;
	int code = crimg_checkpoint_predump(&c->options, c->pid, c->predump, &stopped_us, err);
	if (code == 0 && !c->quiet)
		fprintf(stderr,
			"process %d stood still for %.1f ms, and runs on while memory is written\n",
			(int)c->pid, (double)stopped_us / 1000);
	return code;
}

// Whoever goes on need not stand still while the contents are compressed: they wait beside the image.
static int spool_beside(struct checkpoint *c, struct crimg_err *err)
{
	const char *compress = c->options.compress, *target = c->options.target;
	if (c->fate != CRIMG_THAW_RUN || compress == NULL || strcmp(compress, "none") == 0)
		return 0;
	bool stored = strcmp(target, "-") != 0;
	c->spool = strdup(stored ? target : crimg_tmpdir());
	if (c->spool == NULL)
		return crimg_fail_nomem(err, strlen(target));
	crimg_live_spool(stored ? dirname(c->spool) : c->spool, crimg_convert_stopped);
	return 0;
}

static void tell_leak(void *context, const char *leak)
{
	(void)context;
	fprintf(stderr, "crimg checkpoint: leak: %s\n", leak);
}

static int run(struct checkpoint *c, struct crimg_err *err)
{
	const struct crimg_writer_driver *to = c->options.to != NULL
						       ? crimg_writer_by_name(c->options.to)
						       : crimg_writer_by_suffix(c->options.target);
	if (spool_beside(c, err) < 0)
		return -1;
	crimg_net_policy_set(c->network);
	c->stats_apart = to != NULL && !to->single && !to->per_process;
	c->options.amends = to != NULL && strcmp(to->name, "crimg") == 0;
	if (c->stats_apart)
		crimg_live_without_stats();
	if (c->container && c->enforced == 0)
		c->enforced = CRIMG_LEAK_ALL;
	crimg_live_enforce(c->enforced, tell_leak, NULL);
	crimg_live_thorough();
	int code = prepare(c, err);
	if (code == 0)
		code = crimg_convert("checkpoint", &c->options,
				     &(struct crimg_convert_events){contents_read, taken, stored, c});
	crimg_live_forget_parent();
	free(c->spool);
	if (code == 0 && c->ended < 0) {
		*err = c->unended;
		return -1;
	}
	return code;
}

int crimg_checkpoint_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct checkpoint c = {.fate = CRIMG_THAW_KILL, .network = {.inside_only = true}};
	int rc = parse(argc, argv, &c, &err);
	if (rc == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (rc > 0)
		rc = run(&c, &err);
	return rc < 0 ? trouble(&err) : rc;
}
