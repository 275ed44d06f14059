// Moves every record from a reader to a writer, and tells how far it is.
#ifndef CRIMG_CONVERT_PUMP_H
#define CRIMG_CONVERT_PUMP_H

#include "format/driver.h"

struct crimg_progress {
	// Called now and then; total is 0 until all metadata were seen. Returns false to stop (a signal).
	bool (*tell)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	void *context;
	// All was read, and the writer is not finished; may be NULL.
	int (*read)(void *read_context, struct crimg_writer *writer, struct crimg_err *err);
	void *read_context;
};

// On success the writer is finished, but its output not yet committed.
CRIMG_MUST_CHECK int crimg_pump(struct crimg_reader *reader, struct crimg_writer *writer,
                                const struct crimg_progress *progress, struct crimg_err *err);

#endif
