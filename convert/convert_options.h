// The command line of convert.
#ifndef CRIMG_CONVERT_CONVERT_OPTIONS_H
#define CRIMG_CONVERT_CONVERT_OPTIONS_H

#include "format/err.h"

struct crimg_convert_options {
	const char *from, *to;       // formats, or NULL
	const char *source, *target; // paths
	const char *compress;        // "none", "zstd", "lz4"
	int level;
	unsigned criu_version;       // major * 100 + minor, 0: leave as it is
	const char *posting;         // linux-cr: "v20", "v23-rc2"; kstate: "F", "M"
	const char *posting_of;      // the format that it is one of
	const char *loss_file;
	const char *sysroot;         // criu: directory under which the files are, or NULL
	bool pretty, allow_loss, allow_incomplete, merge_parents, progress;
	bool amends;                 // crimg: see struct crimg_writer_options
	bool has_pid;                // core: one process
	uint32_t pid;
};

// 1: run. 0: help was asked for. -1: err. The strings are argv's.
CRIMG_MUST_CHECK int crimg_convert_parse(int argc, char **argv, struct crimg_convert_options *o,
                                         struct crimg_err *err);
// "zstd:3"; cuts text at the colon, and keeps it.
CRIMG_MUST_CHECK int crimg_convert_parse_compress(struct crimg_convert_options *o, char *text,
                                                  struct crimg_err *err);
extern const char crimg_convert_usage[];

#endif
