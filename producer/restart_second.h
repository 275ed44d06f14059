// A second hand: a thread that carries pages from files into the memory of a task, while the task reads others
// itself. Knows files and addresses; refuses to know images.
#ifndef CRIMG_PRODUCER_RESTART_SECOND_H
#define CRIMG_PRODUCER_RESTART_SECOND_H

#include <sys/types.h>
#include <sys/uio.h>

#include "format/err.h"

#define CRIMG_SECOND_RUNS 1024u

struct crimg_second;

// shown names what is read, for errors; borrowed. NULL when there is no such thread: the task reads everything
// then.
struct crimg_second *crimg_second_open(pid_t tid, const char *shown);
// Takes it on to fill count runs (CRIMG_SECOND_RUNS at most) with what follows offset at in fd, which stays open
// until close. false: it has not done with the last ones, or has failed.
bool crimg_second_take(struct crimg_second *s, int fd, uint64_t at, const struct iovec *runs, size_t count);
// Waits until it has done what it took, and ends it. s may be NULL.
CRIMG_MUST_CHECK int crimg_second_close(struct crimg_second *s, struct crimg_err *err);

#endif
