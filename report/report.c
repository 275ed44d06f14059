// The verb: options, and the page of `crimg diff --html`.
#include "report/report.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "diff/diff.h"
#include "format/interrupt.h"
#include "format/terminal.h"
#include "report/write.h"

static const char usage[] =
	"usage: crimg report [options] IMAGE [IMAGE2]\n\n"
	"Writes one HTML file that shows an image: processes, address spaces, pages, threads, files,\n"
	"sockets and who is connected to whom, and what validate finds. With two images it shows the\n"
	"second one and what changed since the first. The file opens from disk in any browser of today\n"
	"and loads nothing.\n\n"
	"  -o FILE          where to (default: standard output, unless that is a terminal)\n"
	"  -f FORMAT        do not probe IMAGE's format (`crimg formats` lists them); -F FORMAT:\n"
	"                   IMAGE2's\n"
	"  --sysroot DIR    take mapped files and debug files from DIR when they are the same\n"
	"  -h, --help       this text\n\n"
	"The file may hold secrets of the processes (arguments, environment, texts): only its owner may\n"
	"read it.\n\n"
	"Exit: 0 written, of a damaged image too; 2 trouble: an image cannot be read at all, or the file\n"
	"cannot be written.\n";

enum { OPT_SYSROOT = 256 };

static const struct option long_options[] = {
	{ "output", required_argument, NULL, 'o' },   { "format", required_argument, NULL, 'f' },
	{ "format-b", required_argument, NULL, 'F' }, { "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "help", no_argument, NULL, 'h' },           { NULL, 0, NULL, 0 },
};

struct request {
	struct crimg_report report;
	bool help;
};

static int trouble(const struct crimg_err *err)
{
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg report: %s\n", text);
	return 2;
}

static int bad_usage(struct crimg_err *err, const char *what)
{
	return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
	                  "%s (`crimg report --help` tells more)", what);
}

static int take_images(struct crimg_report *r, int count, char **images, struct crimg_err *err)
{
	if (count < 1 || count > 2)
		return bad_usage(err, count < 1 ? "no IMAGE is named" : "two images at most");
	for (int side = 0; side < count; side++)
		r->path[side] = images[side];
	if (count == 2 && strcmp(r->path[0], "-") == 0 && strcmp(r->path[1], "-") == 0)
		return bad_usage(err, "one of the images at most can be standard input");
	if (r->out == NULL && isatty(STDOUT_FILENO) != 0)
		return bad_usage(err, "a page is nothing for a terminal: name a file with -o");
	r->out = r->out != NULL ? r->out : "-";
	return 0;
}

static int parse(int argc, char **argv, struct request *r, struct crimg_err *err)
{
	*r = (struct request){ .report.tmpdir = crimg_tmpdir() };
	opterr = 0;
	optind = 0;
	for (int o; (o = getopt_long(argc, argv, "o:f:F:h", long_options, NULL)) != -1;) {
		switch (o) {
		case 'o': r->report.out = optarg; break;
		case 'f': r->report.format[0] = optarg; break;
		case 'F': r->report.format[1] = optarg; break;
		case 'h': r->help = true; break;
		case OPT_SYSROOT: r->report.sysroot = optarg; break;
		default: return bad_usage(err, "no such option, or its value is missing");
		}
	}
	return r->help ? 0 : take_images(&r->report, argc - optind, argv + optind, err);
}

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void catch_signals(void)
{
	crimg_interrupt_catch(on_signal);
}

static int write_report(struct crimg_report *report, struct crimg_err *err)
{
	report->begin = catch_signals;
	report->stopped = &stopped;
	return crimg_report_write(report, err);
}

int crimg_report_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct request r;
	if (parse(argc, argv, &r, &err) < 0)
		return trouble(&err);
	if (!r.help)
		return write_report(&r.report, &err) < 0 ? trouble(&err) : 0;
	fputs(usage, stdout);
	return fflush(stdout) != 0 ? 2 : 0;
}

static int diff_page(const struct crimg_diff_options *options, const char *path,
                     struct crimg_err *err)
{
	struct crimg_report report = {
		.out = path, .path = { options->path[0], options->path[1] },
		.format = { options->format[0], options->format[1] }, .tmpdir = options->tmpdir,
		.sysroot = options->sysroot, .diff = options,
	};
	return write_report(&report, err);
}

int crimg_diff_main(int argc, char **argv)
{
	return crimg_diff_verb(argc, argv, diff_page);
}
