// The verb: options, both images, what differs, and what went wrong at the end.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "diff/diff.h"
#include "diff/show.h"
#include "format/terminal.h"

static const char usage[] =
	"usage: crimg diff [options] A B\n\n"
	"Says what changed from image A to image B, of any two formats. The same images say nothing.\n\n"
	"  --match=HOW      which process is which: pid (default; by role when no pid is in both),\n"
	"                   role (place in the tree and name), order\n"
	"  --stat           counts alone\n"
	"  --bytes          the lines of pages that changed, of both images\n"
	"  --context[=N]    and N lines around them (3), and where changed pointers point to\n"
	"  --no-pages       leave page contents out\n"
	"  --all            nothing abridged: times and numbers made anew too, every range of pages\n"
	"  -f FORMAT        do not probe A's format (`crimg formats` lists them); -F FORMAT: B's\n"
	"  --sysroot DIR    take symbols from the files beneath DIR that the processes had mapped\n"
	"  --json           one JSON object, schema crimg.diff/1\n"
	"  --html FILE      one HTML page instead, as `crimg report A B` writes it\n"
	"  --color=WHEN     auto (default), always, never; NO_COLOR is respected\n"
	"  -h, --help       this text\n\n"
	"Exit: 0 the same; 1 they differ; 2 trouble: an image is damaged (what is readable is compared),\n"
	"or cannot be read.\n";

enum { OPT_MATCH = 256, OPT_STAT, OPT_BYTES, OPT_CONTEXT, OPT_NO_PAGES, OPT_ALL, OPT_SYSROOT, OPT_JSON,
       OPT_HTML, OPT_COLOR };

static const struct option long_options[] = {
	{ "match", required_argument, NULL, OPT_MATCH }, { "stat", no_argument, NULL, OPT_STAT },
	{ "bytes", no_argument, NULL, OPT_BYTES },       { "context", optional_argument, NULL, OPT_CONTEXT },
	{ "no-pages", no_argument, NULL, OPT_NO_PAGES }, { "all", no_argument, NULL, OPT_ALL },
	{ "format", required_argument, NULL, 'f' },      { "format-b", required_argument, NULL, 'F' },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT }, { "json", no_argument, NULL, OPT_JSON },
	{ "html", required_argument, NULL, OPT_HTML },   { "color", required_argument, NULL, OPT_COLOR },
	{ "help", no_argument, NULL, 'h' },              { NULL, 0, NULL, 0 },
};

#define CONTEXT_DEFAULT 3u
#define CONTEXT_MAX 256u  // a page has so many lines

struct request {
	struct crimg_diff_options options;
	struct crimg_diff_show show;
	bool json, help;
	const char *color, *html;
};

static int trouble(const struct crimg_err *err)
{
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg diff: %s\n", text);
	return 2;
}

static int bad_usage(struct crimg_err *err, const char *what)
{
	return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
	                  "%s (`crimg diff --help` tells more)", what);
}

static int take_match(struct request *r, struct crimg_err *err)
{
	static const char *const words[] = { "pid", "role", "order" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(optarg, words[i]) == 0) {
			r->options.match = (enum crimg_match)i;
			return 0;
		}
	return bad_usage(err, "--match wants pid, role or order");
}

static int take_context(struct request *r, struct crimg_err *err)
{
	char *end = NULL;
	unsigned long n = optarg != NULL ? strtoul(optarg, &end, 10) : CONTEXT_DEFAULT;
	if (optarg != NULL && (*optarg < '0' || *optarg > '9' || *end != '\0' || n > CONTEXT_MAX))
		return bad_usage(err, "--context wants a number of lines, at most 256");
	r->show.context = (unsigned)n;
	r->show.bytes = r->show.pointers = true;
	return 0;
}

static int take_option(struct request *r, int option, struct crimg_err *err)
{
	switch (option) {
	case OPT_MATCH: return take_match(r, err);
	case OPT_STAT: r->show.stat = true; return 0;
	case OPT_BYTES: r->show.bytes = true; return 0;
	case OPT_CONTEXT: return take_context(r, err);
	case OPT_NO_PAGES: r->options.no_pages = true; return 0;
	case OPT_ALL: r->show.all = r->options.folded = true; return 0;
	case OPT_SYSROOT: r->options.sysroot = optarg; return 0;
	case OPT_JSON: r->json = true; return 0;
	case OPT_HTML: r->html = optarg; return 0;
	case 'f': r->options.format[0] = optarg; return 0;
	case 'F': r->options.format[1] = optarg; return 0;
	case 'h': r->help = true; return 0;
	case OPT_COLOR:
		r->color = optarg;
		return crimg_color_known(optarg) ? 0
			: bad_usage(err, "--color wants auto, always or never");
	default:
		return bad_usage(err, "no such option");
	}
}

static int parse(int argc, char **argv, struct request *r, struct crimg_err *err)
{
	*r = (struct request){ .color = "auto" };
	opterr = 0;
	optind = 0;
	for (int o; (o = getopt_long(argc, argv, "f:F:h", long_options, NULL)) != -1;)
		if (take_option(r, o, err) < 0)
			return -1;
	r->options.tmpdir = crimg_tmpdir();
	r->show.color = crimg_color_wanted(r->color);
	if (r->help)
		return 0;
	if (argc - optind != 2)
		return bad_usage(err, "two images are wanted: A and B");
	for (int side = 0; side < 2; side++)
		r->options.path[side] = argv[optind + side];
	if (strcmp(r->options.path[0], "-") == 0 && strcmp(r->options.path[1], "-") == 0)
		return bad_usage(err, "one of the images at most can be standard input");
	return 0;
}

static int compare(const struct request *r)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_diff *d;
	if (crimg_diff_open(&r->options, &d, &err) < 0)
		return trouble(&err);
	int rc = r->json ? crimg_diff_json(d, &r->show, stdout, &err)
	                 : crimg_diff_text(d, &r->show, stdout, &err);
	if (rc == 0 && fflush(stdout) != 0)
		rc = crimg_fail_sys(&err, errno, "standard output", "cannot be written");
	int code = rc < 0 ? trouble(&err) : d->damage.code != CRIMG_OK ? trouble(&d->damage)
		: crimg_diff_differs(d) ? 1 : 0;
	crimg_diff_close(d);
	return code;
}

int crimg_diff_verb(int argc, char **argv, crimg_diff_page_fn *page)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct request r;
	if (parse(argc, argv, &r, &err) < 0)
		return trouble(&err);
	if (!r.help && r.html != NULL) {
		int rc = page(&r.options, r.html, &err);
		return rc < 0 ? trouble(&err) : rc;
	}
	if (!r.help)
		return compare(&r);
	fputs(usage, stdout);
	return fflush(stdout) != 0 ? 2 : 0;
}
