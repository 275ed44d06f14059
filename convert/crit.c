// crit's command line, and the two commands that convert: decode and encode.
#include "convert/crit.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/crit_parts.h"
#include "format/output.h"
#include "format/spool.h"
#include "format/terminal.h"

struct options {
	const char *command;
	const char *in, *out;  // NULL: standard input, output
	const char *what;      // of x
	bool pretty, no_payload;
};

static int trouble(const struct crimg_err *err)
{
	char text[2048];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crit: error: %s\n", text);
	return 1;
}

static int copy_stdin(int to, struct crimg_err *err)
{
	char buf[65536];
	for (;;) {
		ssize_t n = read(STDIN_FILENO, buf, sizeof buf);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return crimg_fail_sys(err, errno, "standard input", "cannot be read");
		if (n == 0)
			return 0;
		for (ssize_t done = 0, m; done < n; done += m) {
			m = write(to, buf + done, (size_t)(n - done));
			if (m < 0 && errno != EINTR)
				return crimg_fail_sys(err, errno, "standard input",
				                      "cannot be copied to a temporary file");
			if (m < 0)
				m = 0;
		}
	}
}

// An image is read where its payload lies, which a pipe cannot do: it becomes a file without a name, in
// the place of standard input.
static int settle_stdin(struct crimg_err *err)
{
	struct stat st;
	if (fstat(STDIN_FILENO, &st) < 0)
		return crimg_fail_sys(err, errno, "standard input", "cannot be examined");
	if (S_ISREG(st.st_mode))
		return 0;
	int fd = crimg_spool_file(crimg_tmpdir(), err);
	if (fd < 0)
		return -1;
	int rc = copy_stdin(fd, err);
	if (rc == 0 && dup2(fd, STDIN_FILENO) < 0)
		rc = crimg_fail_sys(err, errno, "standard input", "cannot be replaced");
	close(fd);
	return rc;
}

int crit_open(const char *path, const char *format, struct crimg_reader *out, struct crimg_err *err)
{
	struct crimg_input in;
	bool pipe = path == NULL || strcmp(path, "-") == 0;
	if ((pipe && settle_stdin(err) < 0)
	    || crimg_input_open(pipe ? "-" : path, crimg_tmpdir(), &in, err) < 0)
		return -1;
	int rc;
	if (in.store != NULL)
		rc = crimg_fail(err, CRIMG_E_UNSUPPORTED, path, CRIMG_NO_OFFSET,
		                "a directory or archive found, one file of an image wanted "
		                "(`crimg convert` takes whole images)");
	else
		rc = crimg_reader_open(&in, format, out, err);
	crimg_input_fini(&in);
	if (rc < 0 || out->single_object)
		return rc;
	crimg_reader_close(out);
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, path, CRIMG_NO_OFFSET,
	                  "a whole image found, one file of it wanted (`crimg convert` takes whole "
	                  "images)");
}

int crit_refuse_raw(const struct crimg_record *record, struct crimg_err *err)
{
	if (record->type != CRIMG_RECORD_OBJECT
	    || crimg_kind_info(record->object->kind)->payload != CRIMG_PAYLOAD_RAW)
		return 0;
	return crimg_fail(err, CRIMG_E_FORMAT, record->origin, 0,
	                  "no magic that is known: is this raw data, such as pages-1.img?");
}

static int copy_records(struct crimg_reader *reader, struct crimg_writer *writer,
                        struct crimg_err *err)
{
	struct crimg_record r;
	int rc;
	while ((rc = crimg_reader_next(reader, &r, err)) > 0)
		if (crit_refuse_raw(&r, err) < 0 || writer->driver->put(writer, &r, err) < 0)
			return -1;
	return rc < 0 ? -1 : writer->driver->finish(writer, err);
}

static int write_to(struct crimg_reader *reader, const struct options *o, const char *format,
                    struct crimg_err *err)
{
	struct crimg_writer_options wo = { .pretty = o->pretty, .single_object = true };
	struct crimg_writer writer = { .driver = crimg_writer_by_name(format) };
	struct crimg_output *output;
	if (crimg_output_open_file(o->out != NULL ? o->out : "-", &output, err) < 0)
		return -1;
	writer.output = output;
	int rc = writer.driver->open(&writer, &wo, err);
	if (rc == 0) {
		rc = copy_records(reader, &writer, err);
		if (rc == 0)
			rc = crimg_output_commit(output, err);
		writer.driver->close(&writer);
	}
	crimg_output_close(output);
	return rc;
}

static int run_on_file(const struct options *o, struct crimg_err *err)
{
	struct crimg_reader reader;
	bool encode = strcmp(o->command, "encode") == 0;
	int rc;
	if (crit_open(o->in, encode ? "json" : "criu", &reader, err) < 0)
		return -1;
	if (strcmp(o->command, "info") == 0)
		rc = crit_info(&reader, err);
	else if (o->no_payload)
		rc = crit_show_sizes(&reader, err);
	else
		rc = write_to(&reader, o, encode ? "criu" : "json", err);
	crimg_reader_close(&reader);
	return rc;
}

static const char usage[] = "usage: crit [-h] [--version] {decode,encode,info,x,show} ...\n";
static const char help[] =
	"\n"
	"Look into the images of CRIU and change them (crimg's stand-in for CRIU's crit).\n"
	"\n"
	"  decode [--pretty] [-i IN] [-o OUT]  an image file to JSON\n"
	"  encode [-i IN] [-o OUT]             JSON to an image file\n"
	"  info IN                             its magic and number of entries\n"
	"  show [--nopl] IN                    decode --pretty; --nopl: payload by its size alone\n"
	"  x DIR {ps,fds,mems,rss}             processes, files, mappings or pages of an image\n"
	"\n"
	"IN and OUT are standard input and output when they are not given.\n"
	"Exit: 0 done, 1 trouble, 2 usage.\n";

enum { OPT_PRETTY = 256, OPT_NO_PAYLOAD };

static const struct {
	const char *name;
	const char *synopsis;
	unsigned positionals;
	const char *letters;
	struct option options[6];
} commands[] = {
	{ "decode", "decode [-h] [--pretty] [-i IN] [-o OUT]", 0, "hi:o:",
	  { { "help", 0, NULL, 'h' }, { "in", 1, NULL, 'i' }, { "out", 1, NULL, 'o' },
	    { "pretty", 0, NULL, OPT_PRETTY }, { NULL, 0, NULL, 0 } } },
	{ "encode", "encode [-h] [-i IN] [-o OUT]", 0, "hi:o:",
	  { { "help", 0, NULL, 'h' }, { "in", 1, NULL, 'i' }, { "out", 1, NULL, 'o' },
	    { NULL, 0, NULL, 0 } } },
	{ "info", "info [-h] in", 1, "h", { { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 } } },
	{ "x", "x [-h] dir {ps,fds,mems,rss}", 2, "h",
	  { { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 } } },
	{ "show", "show [-h] [--nopl] in", 1, "h",
	  { { "help", 0, NULL, 'h' }, { "nopl", 0, NULL, OPT_NO_PAYLOAD },
	    { NULL, 0, NULL, 0 } } },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int usage_error(size_t command, const char *text, const char *what)
{
	if (command < COMMANDS)
		fprintf(stderr, "usage: crit %s\n", commands[command].synopsis);
	else
		fputs(usage, stderr);
	fprintf(stderr, "crit: error: %s%s\n", text, what);
	return 2;
}

// -1: go on; else the exit code.
static int parse_options(size_t command, int argc, char **argv, struct options *o)
{
	int letter;
	optind = 1;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, commands[command].letters,
	                             commands[command].options, NULL)) != -1) {
		switch (letter) {
		case 'h':
			printf("usage: crit %s\n%s", commands[command].synopsis, help);
			return 0;
		case 'i': o->in = optarg; break;
		case 'o': o->out = optarg; break;
		case OPT_PRETTY: o->pretty = true; break;
		case OPT_NO_PAYLOAD: o->no_payload = true; break;
		default:
			return usage_error(command, "an option that is not known, or lacks its value: ",
			                   argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	return -1;
}

static int parse_command(size_t command, int argc, char **argv, struct options *o)
{
	int rc = parse_options(command, argc, argv, o);
	if (rc >= 0)
		return rc;
	int left = argc - optind, wanted = (int)commands[command].positionals;
	if (left > wanted)
		return usage_error(command, "one argument too many: ", argv[optind + wanted]);
	if (left < wanted)
		return usage_error(command, "too few arguments", "");
	o->command = commands[command].name;
	if (wanted > 0)
		o->in = argv[optind];
	if (wanted == 2)
		o->what = argv[optind + 1];
	if (o->what != NULL && !crit_can_explore(o->what))
		return usage_error(command, "ps, fds, mems or rss wanted, not ", o->what);
	if (strcmp(o->command, "show") == 0)
		o->pretty = true;
	return -1;
}

// -1: go on; else the exit code.
static int parse(int argc, char **argv, struct options *o)
{
	if (argc < 2) {
		usage_error(COMMANDS, "too few arguments", "");
		return 1; // as crit does
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		printf("%s%s", usage, help);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("4.2 (crimg " CRIMG_VERSION ")");
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return parse_command(i, argc - 1, argv + 1, o);
	return usage_error(COMMANDS, "decode, encode, info, x or show wanted, not ", argv[1]);
}

int crimg_crit_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct options o = { .command = NULL };
	int rc = parse(argc, argv, &o);
	if (rc >= 0)
		return rc;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	rc = o.what != NULL ? crit_explore(o.in, o.what, &err) : run_on_file(&o, &err);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = crimg_fail_sys(&err, errno, "standard output", "cannot be written");
	return rc < 0 ? trouble(&err) : 0;
}
