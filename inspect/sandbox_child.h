// A function run in a child process, which may crash, hang or be taken over by what it reads, and its answer
// as bytes through a pipe. Knows processes and their limits; knows nothing of what the bytes mean: whoever
// reads them must not trust them.
#ifndef CRIMG_INSPECT_SANDBOX_CHILD_H
#define CRIMG_INSPECT_SANDBOX_CHILD_H

#include <sys/types.h>

#include "format/err.h"

struct crimg_child_limits {
	unsigned cpu_seconds;   // of the child; it is killed then
	unsigned wait_seconds;  // without an answer; it is killed then
	uint64_t memory_bytes;  // of address space, on top of what this process has already
};

// Runs in the child, and writes its answer to fd. It has the memory and the open files of its parent,
// /dev/null for standard streams, and may open files only below directories it has open (openat2). When
// it returns, the child ends at once: nothing is flushed.
typedef void crimg_child_fn(void *context, int fd);

struct crimg_child {
	pid_t pid;
	int fd;                 // the answer
	unsigned wait_seconds;
	bool late;              // no answer came in time
};

CRIMG_MUST_CHECK int crimg_child_start(const struct crimg_child_limits *limits, crimg_child_fn *run,
                                       void *context, struct crimg_child *out,
                                       struct crimg_err *err);
// Up to size bytes of the answer; 0: there is no more.
size_t crimg_child_read(struct crimg_child *c, void *buf, size_t size);
// Ends the child, whatever it does, and says what became of it: "killed by SIGSEGV", "did not answer for
// 10 s", "ended too early". With complete (all of the answer is here) that does not matter. Returns why.
char *crimg_child_end(struct crimg_child *c, bool complete, char *why, size_t size);

#endif
