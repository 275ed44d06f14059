// main(): the command table, nothing else.
#include <stdio.h>
#include <string.h>

#include "convert/checkpoint.h"
#include "convert/convert.h"
#include "convert/crit.h"
#include "convert/formats.h"
#include "inspect/inspect.h"
#include "producer/restart.h"
#include "report/report.h"
#include "validate/validate.h"


static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} verbs[] = {
	{ "inspect", crimg_inspect_main, "show what is in an image" },
	{ "validate", crimg_validate_main, "say whether an image is right, and what to do where it is not" },
	{ "diff", crimg_diff_main, "say what changed from one image to another" },
	{ "report", crimg_report_main, "show an image, or two and what changed, as one HTML page" },
	{ "checkpoint", crimg_checkpoint_main, "take an image of running processes" },
	{ "convert", crimg_convert_main, "move an image from one format to another" },
	{ "restart", crimg_restart_main, "make the processes of an image again, and let them run" },
	{ "formats", crimg_formats_main, "list the formats, and what each keeps and loses" },
	{ "crit", crimg_crit_main, "the command line of CRIU's crit" },
};

static int usage(FILE *out)
{
	fputs("crimg " CRIMG_VERSION ": open, show, compare and move process checkpoints\n"
	      "usage: crimg VERB [options] IMAGE…\n\n", out);
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\nIMAGE is a directory, an archive, a file, - for standard input, or pid:N, a running process.\n"
	      "`crimg VERB --help` tells more. Exit: 0 yes, 1 no, 2 trouble.\n", out);
	return out == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "crimg";
	if (strcmp(name, "crit") == 0)
		return crimg_crit_main(argc, argv);
	if (argc < 2)
		return usage(stderr);
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		puts("crimg " CRIMG_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0
	    || strcmp(argv[1], "help") == 0)
		return usage(stdout);
	fprintf(stderr, "crimg: no verb is called %s\n", argv[1]);
	return usage(stderr);
}
