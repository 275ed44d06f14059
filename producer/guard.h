// A child that puts something back should crimg be killed before it can. Knows processes; refuses to know what is put
// back.
#ifndef CRIMG_PRODUCER_GUARD_H
#define CRIMG_PRODUCER_GUARD_H

#include <sys/types.h>

#include "format/err.h"

// Zeroed: there is none.
struct crimg_guard {
	pid_t pid;
	int pipe; // closed, or one byte: the guard may go
};

// put_back, which must be async-signal-safe, is called with context, as it is now, when crimg ends before the guard is
// dismissed.
CRIMG_MUST_CHECK int crimg_guard_start(struct crimg_guard *g, void (*put_back)(const void *context),
				       const void *context, struct crimg_err *err);
void crimg_guard_dismiss(struct crimg_guard *g);

#endif
