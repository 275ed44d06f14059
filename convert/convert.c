// The convert verb: options, choice of drivers and outputs, and the order of events.
#include "convert/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/filters.h"
#include "convert/meter.h"
#include "convert/pump.h"
#include "format/output.h"

struct options {
	const char *from, *to;       // formats, or NULL
	const char *source, *target; // paths
	const char *compress;        // "none", "zstd", "lz4"
	int level;
	unsigned criu_version;       // major * 100 + minor, 0: leave as it is
	const char *loss_file;
	bool pretty, allow_loss, allow_incomplete, merge_parents, progress;
};

static const char usage[] =
	"usage: crimg convert [options] SRC DST\n"
	"  moves a checkpoint image from one format to another; - is standard input or output\n"
	"  -f, --from FMT         format of SRC (else found by looking)\n"
	"  -t, --to FMT           format of DST (else by its suffix: .crimg .json .tar .tar.gz\n"
	"                         .tar.zst; anything else is a criu directory)\n"
	"      --compress=C[:N]   zstd, lz4 (criu pages, image version 1.2) or none; N: level\n"
	"      --criu-version V   write what CRIU V (such as 3.17) can restore\n"
	"      --merge-parents    flatten an incremental image and its parents into one\n"
	"      --pretty           json: indented, with names and hexadecimal\n"
	"      --allow-loss       go on although something would be lost\n"
	"      --loss FILE        write the loss ledger to FILE\n"
	"      --allow-incomplete pack an image that lacks files or pages\n"
	"      --progress         show progress even where standard error is no terminal\n"
	"exit: 0 done, 1 would lose something (see --allow-loss), 2 trouble\n";

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static int trouble(const struct crimg_err *err)
{
	char text[2048];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg convert: %s\n", text);
	return err->code == CRIMG_E_LOSS ? 1 : 2;
}

static int parse_compress(struct options *o, char *text, struct crimg_err *err)
{
	char *colon = strchr(text, ':');
	if (colon != NULL) {
		char *end;
		long level = strtol(colon + 1, &end, 10);
		if (*end != '\0' || end == colon + 1 || level < 1 || level > 22)
			return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
			                  "--compress: level %s found, 1 to 22 wanted", colon + 1);
		o->level = (int)level;
		*colon = '\0';
	}
	if (strcmp(text, "zstd") != 0 && strcmp(text, "none") != 0 && strcmp(text, "lz4") != 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--compress: %s found, zstd, lz4 or none wanted", text);
	o->compress = text;
	return 0;
}

static int parse_version(struct options *o, const char *text, struct crimg_err *err)
{
	unsigned major, minor;
	char rest;
	if (sscanf(text, "%2u.%2u%c", &major, &minor, &rest) != 2
	    || major * 100 + minor < 107 || major * 100 + minor > 402)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--criu-version: %s found, 1.7 to 4.2 wanted", text);
	o->criu_version = major * 100 + minor;
	return 0;
}

enum { OPT_COMPRESS = 256, OPT_VERSION, OPT_MERGE, OPT_PRETTY, OPT_LOSSY, OPT_LOSS, OPT_PARTIAL,
       OPT_PROGRESS };

static const struct option long_options[] = {
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "compress", required_argument, NULL, OPT_COMPRESS },
	{ "criu-version", required_argument, NULL, OPT_VERSION },
	{ "merge-parents", no_argument, NULL, OPT_MERGE },
	{ "pretty", no_argument, NULL, OPT_PRETTY },
	{ "allow-loss", no_argument, NULL, OPT_LOSSY },
	{ "loss", required_argument, NULL, OPT_LOSS },
	{ "allow-incomplete", no_argument, NULL, OPT_PARTIAL },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int set_option(struct options *o, int letter, struct crimg_err *err)
{
	switch (letter) {
	case 'f': o->from = optarg; return 0;
	case 't': o->to = optarg; return 0;
	case OPT_COMPRESS: return parse_compress(o, optarg, err);
	case OPT_VERSION: return parse_version(o, optarg, err);
	case OPT_MERGE: o->merge_parents = true; return 0;
	case OPT_PRETTY: o->pretty = true; return 0;
	case OPT_LOSSY: o->allow_loss = true; return 0;
	case OPT_LOSS: o->loss_file = optarg; return 0;
	case OPT_PARTIAL: o->allow_incomplete = true; return 0;
	case OPT_PROGRESS: o->progress = true; return 0;
	default: return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                   "see crimg convert --help");
	}
}

// 1: run. 0: help was asked for. -1.
static int parse(int argc, char **argv, struct options *o, struct crimg_err *err)
{
	int letter;
	optind = 1;
	while ((letter = getopt_long(argc, argv, "f:t:h", long_options, NULL)) != -1) {
		if (letter == 'h')
			return 0;
		if (set_option(o, letter, err) < 0)
			return -1;
	}
	if (argc - optind != 2)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "%d paths found, SRC and DST wanted: see crimg convert --help",
		                  argc - optind);
	o->source = argv[optind];
	o->target = argv[optind + 1];
	return 1;
}

static const char *tmpdir(void)
{
	const char *dir = getenv("TMPDIR");
	return dir != NULL && dir[0] != '\0' ? dir : "/tmp";
}

// Everything that a conversion holds; closed in one place.
struct job {
	struct options options;
	struct crimg_reader reader;
	struct crimg_image *image;   // index of the source, when a check or a filter needs it
	struct crimg_ledger ledger;
	struct crimg_output *output;
	struct crimg_writer writer;
};

static void job_fini(struct job *job)
{
	if (job->writer.driver != NULL)
		job->writer.driver->close(&job->writer);
	crimg_output_close(job->output);
	crimg_reader_close(&job->reader);
	crimg_image_close(job->image);
	crimg_ledger_fini(&job->ledger);
}

static int open_source(struct job *job, struct crimg_err *err)
{
	struct crimg_input in;
	if (crimg_input_open(job->options.source, tmpdir(), &in, err) < 0)
		return -1;
	int rc = crimg_reader_open(&in, job->options.from, &job->reader, err);
	crimg_input_fini(&in);
	return rc;
}

// The index, made once. A stream on standard input cannot be read twice.
static int need_image(struct job *job, struct crimg_err *err)
{
	if (job->image != NULL)
		return 0;
	if (strcmp(job->options.source, "-") == 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, "standard input", CRIMG_NO_OFFSET,
		                  "this needs the image's index first: store it in a file");
	return crimg_image_open(job->options.source, job->options.from, tmpdir(), &job->image, err);
}

static bool has_blocks(struct crimg_image *image)
{
	for (size_t i = 0; i < image->count; i++)
		if (image->objects[i].map != NULL && image->objects[i].map->blocks_count > 0)
			return true;
	return false;
}

static int check_source(struct job *job, struct crimg_err *err)
{
	const struct options *o = &job->options;
	if (o->allow_incomplete || job->reader.single_object || strcmp(o->source, "-") == 0)
		return 0;
	if (need_image(job, err) < 0)
		return -1;
	return crimg_image_missing(job->image, err) != 0 ? -1 : 0;
}

// Filters in the order in which they must work: whole pages first, their storage, then their counts.
static int add_filters(struct job *job, struct crimg_err *err)
{
	const struct options *o = &job->options;
	bool to_lz4 = o->compress != NULL && strcmp(o->compress, "lz4") == 0;
	bool to_plain = o->criu_version != 0
		|| (o->compress != NULL && strcmp(o->compress, "none") == 0);
	bool repage = o->merge_parents || to_lz4;
	if ((repage || (to_plain && strcmp(o->source, "-") != 0)) && need_image(job, err) < 0)
		return -1;
	struct crimg_pages_options pages = { .merge = o->merge_parents, .blocks = to_lz4 };
	if ((repage || (to_plain && has_blocks(job->image)))
	    && crimg_filter_pages(&job->reader, job->image, pages, err) < 0)
		return -1;
	if (o->criu_version != 0)
		return crimg_filter_version(&job->reader, o->criu_version, &job->ledger, err);
	return 0;
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);
	return n > m && strcmp(text + n - m, suffix) == 0;
}

// Of formats that are trees of members, a suffix means an archive of them.
static bool is_tar(const char *path)
{
	const struct crimg_writer_driver *driver = crimg_writer_by_suffix(path);
	return driver != NULL && !driver->single;
}

// Suffixes that promise a format which is read or written by no driver yet: not a directory of that name.
static const char *promised_format(const char *path)
{
	static const struct {
		const char *suffix, *format;
	} promised[] = { { ".ckpt", "linux-cr" }, { ".cpt", "cpt" }, { ".core", "core" } };
	for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
		if (ends_with(path, promised[i].suffix))
			return promised[i].format;
	return NULL;
}

static const struct crimg_writer_driver *choose_writer(const struct options *o,
                                                       struct crimg_err *err)
{
	const char *promised = o->to == NULL ? promised_format(o->target) : NULL;
	const struct crimg_writer_driver *driver = o->to != NULL ? crimg_writer_by_name(o->to)
		: strcmp(o->target, "-") == 0 ? crimg_writer_by_name("crimg")
		: crimg_writer_by_suffix(o->target);
	if (driver == NULL && o->to == NULL && promised == NULL)
		driver = crimg_writer_by_name("criu");
	if (driver == NULL)
		crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		           "no format called %s can be written (`crimg formats` lists them)",
		           promised != NULL ? promised : o->to);
	return driver;
}

static int open_output(struct job *job, const struct crimg_writer_driver *driver,
                       struct crimg_err *err)
{
	const char *path = job->options.target;
	if (driver->single || job->reader.single_object)
		return crimg_output_open_file(path, &job->output, err);
	if (strcmp(path, "-") == 0)
		return crimg_output_open_tar(path, "none", &job->output, err);
	if (is_tar(path))
		return crimg_output_open_tar(path, NULL, &job->output, err);
	return crimg_output_open_dir(path, &job->output, err);
}

static int open_target(struct job *job, struct crimg_err *err)
{
	const struct options *o = &job->options;
	const struct crimg_writer_driver *driver = choose_writer(o, err);
	bool to_lz4 = o->compress != NULL && strcmp(o->compress, "lz4") == 0;
	if (driver == NULL || open_output(job, driver, err) < 0)
		return -1;
	struct crimg_writer_options wo = {
		.compress = to_lz4 ? NULL : o->compress, .level = o->level, .pretty = o->pretty,
		.single_object = job->reader.single_object,
	};
	struct crimg_writer writer = { .driver = driver, .output = job->output };
	if (driver->open(&writer, &wo, err) < 0)
		return -1;
	job->writer = writer;
	return 0;
}

static int write_ledger(const struct job *job, struct crimg_err *err)
{
	const char *path = job->options.loss_file;
	if (path == NULL)
		return 0;
	const struct crimg_buf *text = &job->ledger.text;
	FILE *f = fopen(path, "we");
	bool good = f != NULL
		&& (text->length == 0 || fwrite(text->data, text->length, 1, f) == 1);
	if (f != NULL && fclose(f) != 0)
		good = false;
	return good ? 0 : crimg_fail_sys(err, errno, path, "the loss ledger cannot be written");
}

static int check_ledger(const struct job *job, struct crimg_err *err)
{
	if (write_ledger(job, err) < 0)
		return -1;
	if (job->ledger.count == 0)
		return 0;
	fprintf(stderr, "%.*s", (int)job->ledger.text.length, (const char *)job->ledger.text.data);
	if (job->options.allow_loss)
		return 0;
	return crimg_fail(err, CRIMG_E_LOSS, job->options.source, CRIMG_NO_OFFSET,
	                  "%zu things would be lost (--allow-loss goes on without them)",
	                  job->ledger.count);
}

static int run(struct job *job, struct crimg_err *err)
{
	struct crimg_meter meter;
	if (open_source(job, err) < 0 || check_source(job, err) < 0 || add_filters(job, err) < 0
	    || open_target(job, err) < 0)
		return -1;
	crimg_meter_init(&meter, job->options.progress || isatty(STDERR_FILENO), &stopped);
	struct crimg_progress progress = { crimg_meter_tell, &meter };
	int rc = crimg_pump(&job->reader, &job->writer, &progress, err);
	crimg_meter_end(&meter);
	if (rc < 0 || check_ledger(job, err) < 0)
		return -1;
	return crimg_output_commit(job->output, err);
}

int crimg_convert_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct job job = { .ledger = CRIMG_LEDGER_INIT };
	struct sigaction act = { .sa_handler = on_signal };
	int rc = parse(argc, argv, &job.options, &err);
	if (rc == 0)
		fputs(usage, stdout);
	if (rc <= 0)
		return rc == 0 ? 0 : trouble(&err);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	rc = run(&job, &err);
	job_fini(&job);
	return rc < 0 ? trouble(&err) : 0;
}
