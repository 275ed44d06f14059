// Who made an image: the oldest CRIU that can have written it, what a log beside it says, how long
// its host had been up. Reads metadata and the first bytes of a log; never pages.
#ifndef CRIMG_INSPECT_ORIGIN_H
#define CRIMG_INSPECT_ORIGIN_H

#include "inspect/view.h"

struct crimg_origin {
	unsigned at_least; // release that brought the newest field present, major * 100 + minor;
	                   // 0: 1.6
	unsigned before; // first release that would have written a field that is absent; 0: unknown
	const char *message, *field; // the newest field; NULL when at_least is 0
	char version[64];        // from a log, "" when there is none: exact
	char maker[64];          // of an image that a kernel wrote itself: "checkpoint(2)"
	char kernel[160];        // the same: "Linux 6.1.0 … x86_64" and the host's name
	char log[128];           // the log's name
	char closed[80];      // kinds of what the tasks held that nobody outside held, as it says; "": no such thing
	char program[64], program_version[64]; // what says itself that it took the image; "": nothing does
	uint64_t taken_at; // seconds since 1970; 0: it does not say
	uint64_t uptime_seconds; // of the host at the dump, 0 when unknown
	uint64_t newest_time; // seconds since 1970 of the newest time in the image; 0 when there is
	                      // none
	char newest_what[128];   // whose time that is
};

void crimg_origin_find(struct crimg_view *view, struct crimg_origin *out);

#endif
