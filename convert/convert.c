// The convert verb: options, choice of drivers and outputs, and the order of events.
#include "convert/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/convert_core.h"
#include "convert/filters.h"
#include "convert/meter.h"
#include "convert/pump.h"
#include "format/interrupt.h"
#include "format/output.h"
#include "format/terminal.h"
#include "producer/restart.h"

static volatile sig_atomic_t stopped;

// Who is about to wait, for a task that somebody froze, is told again.
static void on_signal(int number)
{
	(void)number;
	stopped = 1;
	alarm(1);
}

bool crimg_convert_stopped(void)
{
	return stopped != 0;
}

static int trouble(const char *verb, const struct crimg_err *err)
{
	char text[2048];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg %s: %s\n", verb, text);
	return err->code == CRIMG_E_LOSS ? 1 : 2;
}

// Everything that a conversion holds; closed in one place.
struct job {
	struct crimg_convert_options options;
	const struct crimg_writer_driver *driver; // of the target
	bool members;                // one file a process, in a directory
	struct crimg_reader reader;
	struct crimg_store *store;   // of the source, for the image; NULL when it is none
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
	crimg_store_close(job->store);
	crimg_ledger_fini(&job->ledger);
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

// Suffixes that promise a format which is read or written by no driver yet: not a directory of that
// name.
static const char *promised_format(const char *path)
{
	static const struct {
		const char *suffix, *format;
	} promised[] = { { ".cpt", "cpt" } };
	for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
		if (ends_with(path, promised[i].suffix))
			return promised[i].format;
	return NULL;
}

static const struct crimg_writer_driver *choose_writer(const struct crimg_convert_options *o,
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

// A whole image that criu is to restore.
static bool is_criu(const struct job *job)
{
	return strcmp(job->driver->name, "criu") == 0 && !job->reader.single_object;
}

static int choose_driver(struct job *job, struct crimg_err *err)
{
	job->driver = choose_writer(&job->options, err);
	if (job->driver == NULL)
		return -1;
	if (job->options.has_pid && !job->driver->per_process)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--pid chooses the process of a core; %s takes the whole image",
		                  job->driver->name);
	const char *of = job->options.posting_of;
	if (of != NULL && strcmp(job->driver->name, of) != 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--%s-version chooses the layout of a %s; %s has none", of,
		                  strcmp(of, "kstate") == 0 ? "LinuxC/R image" : "kernel stream", job->driver->name);
	if (job->options.sysroot != NULL && !is_criu(job))
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--sysroot names files for criu restore; %s takes no such names",
		                  job->driver->name);
	return 0;
}

static int open_source(struct job *job, struct crimg_err *err)
{
	struct crimg_input in;
	if (crimg_input_open(job->options.source, crimg_tmpdir(), &in, err) < 0)
		return -1;
	job->store = crimg_store_share(in.store);
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
	if (job->store == NULL)
		return crimg_image_open(job->options.source, job->options.from, crimg_tmpdir(), &job->image, err);
	struct crimg_input in = { .path = strdup(job->options.source), .store = job->store };
	if (in.path == NULL)
		return crimg_fail_nomem(err, strlen(job->options.source));
	job->store = NULL;
	return crimg_image_open_input(&in, job->options.from, &job->image, err);
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
	const struct crimg_convert_options *o = &job->options;
	if (o->allow_incomplete || job->reader.single_object || strcmp(o->source, "-") == 0)
		return 0;
	if (need_image(job, err) < 0)
		return -1;
	return crimg_image_missing(job->image, err) != 0 ? -1 : 0;
}

// How pages must be stored otherwise; false: as they are.
static bool choose_pages(const struct job *job, struct crimg_pages_options *pages)
{
	const struct crimg_convert_options *o = &job->options;
	bool to_lz4 = o->compress != NULL && strcmp(o->compress, "lz4") == 0;
	bool to_plain = o->criu_version != 0
		|| (o->compress != NULL && strcmp(o->compress, "none") == 0);
	*pages = (struct crimg_pages_options){ .merge = o->merge_parents, .blocks = to_lz4 };
	if (job->driver->whole_pages && job->image != NULL)
		return crimg_core_pages(job->image, pages);
	if (o->merge_parents || to_lz4)
		return true;
	return to_plain && job->image != NULL && has_blocks(job->image);
}

static int add_criu_filters(struct job *job, struct crimg_err *err)
{
	if (job->options.sysroot != NULL
	    && crimg_filter_sysroot(&job->reader, job->options.sysroot, err) < 0)
		return -1;
	return crimg_filter_vdso(&job->reader, &job->ledger, err);
}

// Filters in the order in which they must work: whole pages first, their storage, then their
// counts.
static int add_filters(struct job *job, struct crimg_err *err)
{
	const struct crimg_convert_options *o = &job->options;
	bool to_lz4 = o->compress != NULL && strcmp(o->compress, "lz4") == 0;
	bool looks = o->criu_version != 0 || job->driver->whole_pages
		|| (o->compress != NULL && strcmp(o->compress, "none") == 0);
	struct crimg_pages_options pages;
	if ((o->merge_parents || to_lz4 || (looks && strcmp(o->source, "-") != 0))
	    && need_image(job, err) < 0)
		return -1;
	if (choose_pages(job, &pages)
	    && crimg_filter_pages(&job->reader, job->image, pages, err) < 0)
		return -1;
	if (is_criu(job) && add_criu_filters(job, err) < 0)
		return -1;
	if (o->criu_version != 0)
		return crimg_filter_version(&job->reader, o->criu_version, &job->ledger, err);
	return 0;
}

static int open_output(struct job *job, struct crimg_err *err)
{
	const char *path = job->options.target;
	if (job->members)
		return crimg_output_open_dir(path, &job->output, err);
	if (job->driver->single || job->reader.single_object)
		return crimg_output_open_file(path, &job->output, err);
	if (strcmp(path, "-") == 0)
		return crimg_output_open_tar(path, "none", &job->output, err);
	if (is_tar(path))
		return crimg_output_open_tar(path, NULL, &job->output, err);
	return crimg_output_open_dir(path, &job->output, err);
}

static int choose_members(struct job *job, struct crimg_err *err)
{
	if (!job->driver->per_process)
		return 0;
	if (crimg_core_members(&job->options, job->image, &job->members, err) < 0)
		return -1;
	if (job->members)
		crimg_core_raise_limit();
	return 0;
}

static int open_target(struct job *job, struct crimg_err *err)
{
	const struct crimg_convert_options *o = &job->options;
	bool to_lz4 = o->compress != NULL && strcmp(o->compress, "lz4") == 0;
	if (choose_members(job, err) < 0 || open_output(job, err) < 0)
		return -1;
	struct crimg_writer_options wo = {
		.compress = to_lz4 && !job->driver->whole_pages ? NULL : o->compress,
		.level = o->level, .pretty = o->pretty, .single_object = job->reader.single_object,
		.amends = o->amends, .has_pid = o->has_pid, .pid = o->pid, .members = job->members, .posting = o->posting,
		.ledger = &job->ledger,
	};
	struct crimg_writer writer = { .driver = job->driver, .output = job->output };
	if (job->driver->open(&writer, &wo, err) < 0)
		return -1;
	job->writer = writer;
	return 0;
}

static int write_ledger(const struct job *job, struct crimg_err *err)
{
	const char *path = job->options.loss_file;
	if (path == NULL)
		return 0;
	const struct crimg_buf *text = &job->ledger.text, *notes = &job->ledger.notes;
	FILE *f = fopen(path, "we");
	bool good = f != NULL
		&& (text->length == 0 || fwrite(text->data, text->length, 1, f) == 1)
		&& (notes->length == 0 || fwrite(notes->data, notes->length, 1, f) == 1);
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

// A writer of the reader's own format takes what came, not what the messages make of it.
static int tell_notes(struct job *job, struct crimg_err *err)
{
	const struct crimg_reader_driver *reader = job->reader.driver;
	if (reader->notes == NULL || strcmp(reader->name, job->driver->name) == 0)
		return 0;
	return reader->notes(&job->reader, &job->ledger, err);
}

static int run(struct job *job, const struct crimg_convert_events *events, struct crimg_err *err)
{
	struct crimg_meter meter;
	if (open_source(job, err) < 0 || check_source(job, err) < 0 || choose_driver(job, err) < 0
	    || tell_notes(job, err) < 0 || add_filters(job, err) < 0 || open_target(job, err) < 0)
		return -1;
	crimg_meter_init(&meter, job->options.progress || isatty(STDERR_FILENO), &stopped);
	struct crimg_progress progress = { crimg_meter_tell, &meter, events->read, events->context };
	int rc = crimg_pump(&job->reader, &job->writer, &progress, err);
	crimg_meter_end(&meter);
	if (rc < 0 || check_ledger(job, err) < 0)
		return -1;
	if (events->taken != NULL && events->taken(events->context, &job->writer, err) < 0)
		return -1;
	if (crimg_output_commit(job->output, err) < 0)
		return -1;
	if (events->stored != NULL)
		events->stored(events->context);
	return 0;
}

int crimg_convert(const char *verb, const struct crimg_convert_options *options,
                  const struct crimg_convert_events *events)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct job job = { .options = *options, .ledger = CRIMG_LEDGER_INIT };
	struct sigaction act = { .sa_handler = on_signal };
	crimg_interrupt_catch(on_signal);
	sigaction(SIGALRM, &act, NULL);
	int rc = run(&job, events, &err);
	job_fini(&job);
	return rc < 0 ? trouble(verb, &err) : 0;
}

// To "pid:": processes are made of the image. What a file would be written like has no meaning
// there.
static int convert_to_processes(const struct crimg_convert_options *o)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	if (o->compress == NULL && o->criu_version == 0 && o->posting == NULL
	    && o->loss_file == NULL && o->sysroot == NULL && !o->pretty && !o->allow_loss
	    && !o->allow_incomplete && !o->merge_parents && !o->has_pid)
		return crimg_restart_image(o->source, o->from);
	crimg_fail(&err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		   "processes are made without options but --from: see crimg restart --help");
	return trouble("convert", &err);
}

static bool is_to_processes(const struct crimg_convert_options *o)
{
	return o->to != NULL ? strcmp(o->to, "live") == 0 : strcmp(o->target, "pid:") == 0;
}

int crimg_convert_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_convert_options options = { .from = NULL };
	struct crimg_convert_events none = { NULL };
	int rc = crimg_convert_parse(argc, argv, &options, &err);
	if (rc < 0)
		return trouble("convert", &err);
	if (rc == 0) {
		fputs(crimg_convert_usage, stdout);
		return 0;
	}
	if (is_to_processes(&options))
		return convert_to_processes(&options);
	return crimg_convert("convert", &options, &none);
}
