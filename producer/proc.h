// What /proc says of a task, as text, and the bytes of its memory. Knows files and system calls; refuses
// to know what the text means to an image.
#ifndef CRIMG_PRODUCER_PROC_H
#define CRIMG_PRODUCER_PROC_H

#include <sys/types.h>

#include "format/buf.h"

// The whole of /proc/PID/name ("maps", "task/7/status"), replacing what buf held. A NUL that length does
// not count stands behind it.
CRIMG_MUST_CHECK int crimg_proc_read(pid_t pid, const char *name, struct crimg_buf *buf,
                                     struct crimg_err *err);

// Copies the line that text begins with, cut at size - 1 bytes: sscanf measures all the text that it is
// given. Returns where the next line begins, or NULL.
const char *crimg_proc_line(const char *text, char *out, size_t size);

// The text behind "key:" and blanks in a file of such lines (status), up to the end of the line, which
// stays as it is; NULL when there is no such line.
const char *crimg_proc_field(const char *text, const char *key);

// Exactly length bytes of the memory of a task, which must be traced by this thread or ours to look at.
CRIMG_MUST_CHECK int crimg_proc_get(pid_t tid, uint64_t address, void *data, size_t length,
                                    struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_proc_put(pid_t tid, uint64_t address, const void *data, size_t length,
                                    struct crimg_err *err);

#endif
