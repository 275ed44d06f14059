// Writing behind: writes to a large file are gathered in a few buffers for a thread, so that reading and
// checking the next megabyte goes on meanwhile. Knows one file descriptor; knows nothing of outputs.
#ifndef CRIMG_FORMAT_WRITE_BEHIND_H
#define CRIMG_FORMAT_WRITE_BEHIND_H

#include "format/early_sync.h"
#include "format/source.h"

struct crimg_write_behind;

// Writes go to fd at their offsets, and are noted in sync (which may be NULL). shown names the file in errors.
// All three are borrowed.
CRIMG_MUST_CHECK int crimg_write_behind_open(int fd, const char *shown,
                                             struct crimg_early_sync *sync,
                                             struct crimg_write_behind **out,
                                             struct crimg_err *err);
// Takes a copy and returns at once, unless all buffers are full. An error of an earlier write shows here.
CRIMG_MUST_CHECK int crimg_write_behind_put(struct crimg_write_behind *b, uint64_t offset,
                                            const void *data, size_t length, struct crimg_err *err);
// The same from a span, whose bytes are read into the buffers themselves. Of a source that can be read in
// parallel, the thread reads and writes one half of it and the caller the other; then all is written on
// return.
CRIMG_MUST_CHECK int crimg_write_behind_copy(struct crimg_write_behind *b, uint64_t offset,
                                             struct crimg_span span, struct crimg_err *err);
// Waits until everything is written.
CRIMG_MUST_CHECK int crimg_write_behind_drain(struct crimg_write_behind *b, struct crimg_err *err);
// Ends the thread; what is not written yet is dropped. NULL is allowed.
void crimg_write_behind_close(struct crimg_write_behind *b);

#endif
