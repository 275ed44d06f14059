// crimg convert: from any format to any other.
#ifndef CRIMG_CONVERT_CONVERT_H
#define CRIMG_CONVERT_CONVERT_H

#include "convert/convert_options.h"
#include "format/driver.h"

// What happens on the way, for a verb that is a conversion and more. Each may be NULL.
struct crimg_convert_events {
	// All contents were read; the writer takes more.
	int (*read)(void *context, struct crimg_writer *writer, struct crimg_err *err);
	// All contents were read; the output is complete but for what is put now, and has not its name yet.
	int (*taken)(void *context, const struct crimg_writer *writer, struct crimg_err *err);
	// The output has its name.
	void (*stored)(void *context);
	void *context;
};

// Converts, as the options say; a signal (SIGINT, SIGTERM, SIGHUP) ends it with an error. verb is the
// name for messages. Returns the exit code.
int crimg_convert(const char *verb, const struct crimg_convert_options *options,
                  const struct crimg_convert_events *events);

// Whether such a signal came.
bool crimg_convert_stopped(void);

// argv[0] is "convert". Returns the exit code: 0 done, 1 lossy without --allow-loss, 2 trouble.
int crimg_convert_main(int argc, char **argv);

#endif
