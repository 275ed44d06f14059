// One thread, one task at a time, pieces that stay in the processor's cache.
#include "producer/restart_second.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/thread.h"

#define PIECE_BYTES ((size_t)512 << 10)

struct crimg_second {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	pid_t tid;
	const char *shown;
	bool busy, ending;
	int fd;
	uint64_t at;
	struct iovec runs[CRIMG_SECOND_RUNS]; // what is left of them
	size_t count;
	struct crimg_err err;                 // of the first piece that failed
	uint8_t piece[PIECE_BYTES];
};

static int read_piece(struct crimg_second *s, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(s->fd, s->piece + done, bytes - done, (off_t)(s->at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return crimg_fail_sys(&s->err, n < 0 ? errno : EIO, s->shown,
			                      "pages at offset %" PRIu64 " cannot be read", s->at + done);
		done += (size_t)n;
	}
	return 0;
}

// The next piece: runs from *run on, of which the last may be filled in part.
static int carry_piece(struct crimg_second *s, size_t *run)
{
	struct iovec there[CRIMG_SECOND_RUNS], here = {s->piece, 0};
	unsigned long count = 0;
	while (*run < s->count && here.iov_len < PIECE_BYTES) {
		struct iovec *r = &s->runs[*run];
		size_t left = PIECE_BYTES - here.iov_len, n = r->iov_len < left ? r->iov_len : left;
		there[count++] = (struct iovec){r->iov_base, n};
		here.iov_len += n;
		r->iov_base = (uint8_t *)r->iov_base + n;
		r->iov_len -= n;
		*run += r->iov_len == 0;
	}
	if (read_piece(s, here.iov_len) < 0)
		return -1;
	s->at += here.iov_len;
	ssize_t n = process_vm_writev(s->tid, &here, 1, there, count, 0);
	if (n == (ssize_t)here.iov_len)
		return 0;
	return crimg_fail_sys(&s->err, n < 0 ? errno : EFAULT, NULL,
	                      "task %d: pages at 0x%" PRIxPTR " cannot be written", (int)s->tid,
	                      (uintptr_t)there[0].iov_base);
}

static void *work(void *context)
{
	struct crimg_second *s = context;
	pthread_mutex_lock(&s->lock);
	while (s->busy || !s->ending) {
		if (!s->busy) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		for (size_t run = 0; run < s->count && carry_piece(s, &run) == 0;)
			;
		pthread_mutex_lock(&s->lock);
		s->busy = false;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void drop(struct crimg_second *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
	free(s);
}

struct crimg_second *crimg_second_open(pid_t tid, const char *shown)
{
	struct crimg_second *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->tid = tid;
	s->shown = shown;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	if (crimg_thread_begin(&s->thread, work, s) == 0)
		return s;
	drop(s);
	return NULL;
}

bool crimg_second_take(struct crimg_second *s, int fd, uint64_t at, const struct iovec *runs, size_t count)
{
	pthread_mutex_lock(&s->lock);
	bool taken = !s->busy && s->err.code == CRIMG_OK;
	if (taken) {
		s->busy = true;
		s->fd = fd;
		s->at = at;
		s->count = count;
		memcpy(s->runs, runs, count * sizeof *runs);
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->lock);
	return taken;
}

int crimg_second_close(struct crimg_second *s, struct crimg_err *err)
{
	if (s == NULL)
		return 0;
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	bool failed = s->err.code != CRIMG_OK;
	if (failed && err != NULL && err->code == CRIMG_OK)
		*err = s->err;
	drop(s);
	return failed ? -1 : 0;
}
