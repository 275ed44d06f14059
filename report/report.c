// The verb: options, the images, the page.
#include "report/report.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/spool.h"
#include "report/image_blocks.h"

static const char usage[] =
	"usage: crimg report [options] IMAGE\n\n"
	"Writes one HTML file that shows an image: processes, address spaces, pages, threads, files,\n"
	"sockets and who is connected to whom, and what validate finds. It opens from disk in any\n"
	"browser of today and loads nothing.\n\n"
	"  -o FILE          where to (default: standard output, unless that is a terminal)\n"
	"  -f FORMAT        do not probe the format (`crimg formats` lists them)\n"
	"  --sysroot DIR    take mapped files and debug files from DIR when they are the same\n"
	"  -h, --help       this text\n\n"
	"The file may hold secrets of the processes (arguments, environment, texts): only its owner may\n"
	"read it.\n\n"
	"Exit: 0 written, of a damaged image too; 2 trouble: an image cannot be read at all, or the file\n"
	"cannot be written.\n";

enum { OPT_SYSROOT = 256 };

static const struct option long_options[] = {
	{ "output", required_argument, NULL, 'o' }, { "format", required_argument, NULL, 'f' },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT }, { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct request {
	struct crimg_report_image image;
	const char *out;
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

static int parse(int argc, char **argv, struct request *r, struct crimg_err *err)
{
	const char *tmpdir = getenv("TMPDIR");
	*r = (struct request){ .image.tmpdir = tmpdir != NULL && tmpdir[0] != '\0' ? tmpdir : "/tmp" };
	opterr = 0;
	optind = 0;
	for (int o; (o = getopt_long(argc, argv, "o:f:h", long_options, NULL)) != -1;) {
		switch (o) {
		case 'o': r->out = optarg; break;
		case 'f': r->image.format = optarg; break;
		case 'h': r->help = true; break;
		case OPT_SYSROOT: r->image.sysroot = optarg; break;
		default: return bad_usage(err, "no such option, or its value is missing");
		}
	}
	if (r->help)
		return 0;
	if (argc - optind != 1)
		return bad_usage(err, argc == optind ? "no IMAGE is named" : "one IMAGE at a time");
	if (r->out == NULL && isatty(STDOUT_FILENO) != 0)
		return bad_usage(err, "a page is nothing for a terminal: name a file with -o");
	r->image.path = r->image.name = argv[optind];
	r->out = r->out != NULL ? r->out : "-";
	return 0;
}

// An image is read several times, a pipe can be read once. path (at least 32 bytes) then names a copy, and
// *fd holds it.
static int settle(struct crimg_report_image *image, char *path, size_t size, int *fd,
                  struct crimg_err *err)
{
	struct crimg_source *source;
	int from = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), rc = 0;
	if (from < 0 || crimg_source_open_fd(from, "standard input", &source, err) < 0)
		return crimg_fail(err, CRIMG_E_IO, "standard input", CRIMG_NO_OFFSET, "cannot be read");
	if (source->forward_only)
		rc = *fd = crimg_spool(source, image->tmpdir, err);
	snprintf(path, size, "/proc/self/fd/%d", *fd);
	crimg_source_close(source);
	image->path = path;
	return rc < 0 ? -1 : 0;
}

static int write_page(const struct request *r, const struct crimg_report_image *image,
                      struct crimg_err *err)
{
	struct crimg_page page;
	int rc = crimg_page_open(&page, r->out, err);
	if (rc == 0)
		rc = crimg_report_blocks(&page, image, 'a', err);
	if (rc == 0)
		rc = crimg_page_commit(&page, err);
	crimg_page_close(&page);
	return rc;
}

static int run(const struct request *r, struct crimg_err *err)
{
	struct crimg_report_image image = r->image;
	char path[32];
	int fd = STDIN_FILENO;
	int rc = strcmp(image.path, "-") == 0 ? settle(&image, path, sizeof path, &fd, err) : 0;
	if (rc == 0)
		rc = write_page(r, &image, err);
	if (fd > STDIN_FILENO)
		close(fd);
	return rc;
}

int crimg_report_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct request r;
	int rc = parse(argc, argv, &r, &err);
	if (rc == 0 && r.help) {
		fputs(usage, stdout);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (rc == 0)
		rc = run(&r, &err);
	return rc < 0 ? trouble(&err) : 0;
}
