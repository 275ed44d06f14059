// The verb: options, the checker, what it found.
#include "validate/validate.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "format/terminal.h"
#include "validate/show_findings.h"

static const char usage[] =
	"usage: crimg validate [options] IMAGE\n\n"
	"Says whether an image is right, and what to do where it is not. A right image says nothing.\n\n"
	"  --closed         is it a container without leaks: is every holder of what its tasks\n"
	"                   share inside?\n"
	"  --host           could this machine restore it now?\n"
	"  --pages          read the pages too: digests, waste\n"
	"  -f FORMAT        do not probe the format (`crimg formats` lists them)\n"
	"  --json           one JSON object, schema crimg.validate/1\n"
	"  --all            every finding, however many of one kind\n"
	"  --list           every finding there is, with its code\n"
	"  --color=WHEN     auto (default), always, never; NO_COLOR is respected\n"
	"  -h, --help       this text\n\n"
	"Exit: 0 no errors (warnings and notes may be told); 1 errors; 2 trouble: it cannot be read at\n"
	"all.\n";

enum { OPT_CLOSED = 256, OPT_HOST, OPT_PAGES, OPT_JSON, OPT_ALL, OPT_LIST, OPT_COLOR };

static const struct option long_options[] = {
	{ "closed", no_argument, NULL, OPT_CLOSED }, { "host", no_argument, NULL, OPT_HOST },
	{ "pages", no_argument, NULL, OPT_PAGES },   { "format", required_argument, NULL, 'f' },
	{ "json", no_argument, NULL, OPT_JSON },     { "all", no_argument, NULL, OPT_ALL },
	{ "list", no_argument, NULL, OPT_LIST },     { "color", required_argument, NULL, OPT_COLOR },
	{ "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
};

struct request {
	struct crimg_checker_options check;
	struct crimg_show_options show;
	bool json, list, help;
	const char *color;
};

static int trouble(const struct crimg_err *err)
{
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(err, text, sizeof text);
	fprintf(stderr, "crimg validate: %s\n", text);
	return 2;
}

static int bad_usage(struct crimg_err *err, const char *what)
{
	return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
	                  "%s (`crimg validate --help` tells more)", what);
}

static int take_option(struct request *r, int option, struct crimg_err *err)
{
	switch (option) {
	case OPT_CLOSED: r->check.closed = true; return 0;
	case OPT_HOST: r->check.host = true; return 0;
	case OPT_PAGES: r->check.pages = true; return 0;
	case OPT_JSON: r->json = true; return 0;
	case OPT_ALL: r->show.all = true; return 0;
	case OPT_LIST: r->list = true; return 0;
	case 'f': r->check.format = optarg; return 0;
	case 'h': r->help = true; return 0;
	case OPT_COLOR:
		r->color = optarg;
		if (crimg_color_known(optarg))
			return 0;
		return bad_usage(err, "--color wants auto, always or never");
	default:
		return bad_usage(err, "no such option");
	}
}

static int parse(int argc, char **argv, struct request *r, struct crimg_err *err)
{
	*r = (struct request){ .color = "auto" };
	opterr = 0;
	optind = 0;
	for (int o; (o = getopt_long(argc, argv, "f:h", long_options, NULL)) != -1;)
		if (take_option(r, o, err) < 0)
			return -1;
	r->check.tmpdir = crimg_tmpdir();
	r->show.color = crimg_color_wanted(r->color);
	if (r->help || r->list)
		return 0;
	if (argc - optind != 1)
		return bad_usage(err, argc == optind ? "no IMAGE is named" : "one IMAGE at a time");
	r->check.path = argv[optind];
	return 0;
}

static int show(const struct request *r, const struct crimg_checker *c, struct crimg_err *err)
{
	if (c->findings.fault.code != CRIMG_OK) {
		*err = c->findings.fault;
		return -1;
	}
	if (r->json)
		return crimg_findings_json(c, true, stdout, err);
	crimg_findings_text(c, &r->show, stdout);
	return 0;
}

static int check(const struct request *r, struct crimg_err *err)
{
	struct crimg_checker c;
	int rc = crimg_checker_open(&c, &r->check, err);
	if (rc == 0) {
		crimg_checker_run(&c);
		rc = show(r, &c, err);
	}
	if (rc == 0)
		rc = c.findings.of_severity[CRIMG_ERROR] > 0 ? 1 : 0;
	crimg_checker_close(&c);
	return rc;
}

int crimg_validate_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct request r;
	if (parse(argc, argv, &r, &err) < 0)
		return trouble(&err);
	if (r.help)
		fputs(usage, stdout);
	int rc = r.help ? 0 : r.list ? crimg_findings_list(r.json, stdout, &err) : check(&r, &err);
	if (rc >= 0 && fflush(stdout) != 0)
		rc = crimg_fail_sys(&err, errno, "standard output", "cannot be written");
	return rc < 0 ? trouble(&err) : rc;
}
