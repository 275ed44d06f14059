// Options of convert: their names, their values.
#include "convert/convert_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char crimg_convert_usage[] =
	"usage: crimg convert [options] SRC DST\n"
	"  moves a checkpoint image from one format to another; - is standard input or output,\n"
	"  SRC may be pid:N, a running process, and DST pid: (as crimg restart SRC)\n"
	"  -f, --from FMT         format of SRC (else found by looking)\n"
	"  -t, --to FMT           format of DST (else by its suffix: .crimg .json .core .ckpt\n"
	"                         .tar .tar.gz .tar.zst; anything else is a criu directory)\n"
	"  -p, --pid PID          core: of this process; without it of each that has memory, DST\n"
	"                         then being a directory of core.PID if there are several\n"
	"      --compress=C[:N]   zstd, lz4 (criu pages, image version 1.2) or none; N: level\n"
	"      --criu-version V   write what CRIU V (such as 3.17) can restore\n"
	"      --linux-cr-version V  make a new kernel stream, V being v20 or v23-rc2 (without it\n"
	"                         v23-rc2, or the records that came from a kernel stream)\n"
	"      --kstate-version V  make a new LinuxC/R image, V being F (February 2009) or M (March)\n"
	"      --sysroot DIR      criu: the files of the processes are found under DIR\n"
	"      --merge-parents    flatten an incremental image and its parents into one\n"
	"      --pretty           json: indented, with names and hexadecimal\n"
	"      --allow-loss       go on although something would be lost\n"
	"      --loss FILE        write the loss ledger to FILE\n"
	"      --allow-incomplete pack an image that lacks files or pages\n"
	"      --progress         show progress even where standard error is no terminal\n"
	"exit: 0 done, 1 would lose something (see --allow-loss), 2 trouble\n";

int crimg_convert_parse_compress(struct crimg_convert_options *o, char *text, struct crimg_err *err)
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

static int parse_version(struct crimg_convert_options *o, const char *text, struct crimg_err *err)
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

// Of one format or the other, each having two.
static int parse_posting(struct crimg_convert_options *o, bool kstate, const char *text, struct crimg_err *err)
{
	const char *first = kstate ? "F" : "v20", *second = kstate ? "M" : "v23-rc2";
	o->posting_of = kstate ? "kstate" : "linux-cr";
	if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--%s-version: %s found, %s or %s wanted", o->posting_of, text, first, second);
	o->posting = text;
	return 0;
}

static int parse_pid(struct crimg_convert_options *o, const char *text, struct crimg_err *err)
{
	char *end;
	unsigned long pid = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || pid == 0 || pid > INT32_MAX)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "--pid: %s found, the number of a process wanted", text);
	o->has_pid = true;
	o->pid = (uint32_t)pid;
	return 0;
}

enum { OPT_COMPRESS = 256, OPT_VERSION, OPT_POSTING, OPT_KSTATE, OPT_MERGE, OPT_PRETTY, OPT_LOSSY, OPT_LOSS, OPT_PARTIAL,
       OPT_PROGRESS, OPT_SYSROOT };

static const struct option long_options[] = {
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "pid", required_argument, NULL, 'p' },
	{ "compress", required_argument, NULL, OPT_COMPRESS },
	{ "criu-version", required_argument, NULL, OPT_VERSION },
	{ "linux-cr-version", required_argument, NULL, OPT_POSTING },
	{ "kstate-version", required_argument, NULL, OPT_KSTATE },
	{ "merge-parents", no_argument, NULL, OPT_MERGE },
	{ "pretty", no_argument, NULL, OPT_PRETTY },
	{ "allow-loss", no_argument, NULL, OPT_LOSSY },
	{ "loss", required_argument, NULL, OPT_LOSS },
	{ "allow-incomplete", no_argument, NULL, OPT_PARTIAL },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int set_option(struct crimg_convert_options *o, int letter, struct crimg_err *err)
{
	switch (letter) {
	case 'f': o->from = optarg; return 0;
	case 't': o->to = optarg; return 0;
	case 'p': return parse_pid(o, optarg, err);
	case OPT_COMPRESS: return crimg_convert_parse_compress(o, optarg, err);
	case OPT_VERSION: return parse_version(o, optarg, err);
	case OPT_POSTING: return parse_posting(o, false, optarg, err);
	case OPT_KSTATE: return parse_posting(o, true, optarg, err);
	case OPT_MERGE: o->merge_parents = true; return 0;
	case OPT_PRETTY: o->pretty = true; return 0;
	case OPT_LOSSY: o->allow_loss = true; return 0;
	case OPT_LOSS: o->loss_file = optarg; return 0;
	case OPT_PARTIAL: o->allow_incomplete = true; return 0;
	case OPT_PROGRESS: o->progress = true; return 0;
	case OPT_SYSROOT: o->sysroot = optarg; return 0;
	default: return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                   "see crimg convert --help");
	}
}

int crimg_convert_parse(int argc, char **argv, struct crimg_convert_options *o,
                        struct crimg_err *err)
{
	int letter;
	optind = 1;
	while ((letter = getopt_long(argc, argv, "f:t:p:h", long_options, NULL)) != -1) {
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

