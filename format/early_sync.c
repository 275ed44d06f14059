// One thread, one range that grows while the disk is being asked for the last one.
#include "format/early_sync.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/thread.h"

struct crimg_early_sync {
	int fd; // ours
	pthread_mutex_t lock;
	pthread_cond_t work;
	uint64_t from, to, bytes; // written since the disk was last asked
	bool ending;
};

static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_left = PTHREAD_COND_INITIALIZER;
static unsigned count; // of those that were closed, and have not ended

static void forget(struct crimg_early_sync *s)
{
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
	free(s);
}

void crimg_early_sync_settle(void)
{
	pthread_mutex_lock(&all);
	while (count > 0)
		pthread_cond_wait(&none_left, &all);
	pthread_mutex_unlock(&all);
}

// Only asks: what cannot be written shows in the fsync.
static void *ask(void *context)
{
	struct crimg_early_sync *s = context;
	bool ending = false;
	while (!ending) {
		pthread_mutex_lock(&s->lock);
		while (s->bytes < CRIMG_EARLY_SYNC_BYTES && !s->ending)
			pthread_cond_wait(&s->work, &s->lock);
		uint64_t from = s->from, to = s->to;
		bool some = s->bytes > 0;
		ending = s->ending;
		s->bytes = 0;
		pthread_mutex_unlock(&s->lock);
		if (some)
			(void)sync_file_range(s->fd, (off_t)from, (off_t)(to - from),
			                      SYNC_FILE_RANGE_WRITE);
	}
	forget(s);
	pthread_mutex_lock(&all);
	if (--count == 0)
		pthread_cond_broadcast(&none_left);
	pthread_mutex_unlock(&all);
	return NULL;
}

struct crimg_early_sync *crimg_early_sync_open(int fd)
{
	struct crimg_early_sync *s = calloc(1, sizeof *s);
	pthread_t thread;
	if (s == NULL || (s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	if (crimg_thread_begin(&thread, ask, s) != 0) {
		forget(s);
		return NULL;
	}
	pthread_detach(thread);
	return s;
}

void crimg_early_sync_note(struct crimg_early_sync *s, uint64_t offset, uint64_t length)
{
	uint64_t to = offset + length;
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->from = s->bytes == 0 || offset < s->from ? offset : s->from;
	s->to = s->bytes == 0 || to > s->to ? to : s->to;
	s->bytes += length;
	if (s->bytes >= CRIMG_EARLY_SYNC_BYTES)
		pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

void crimg_early_sync_close(struct crimg_early_sync *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&all);
	count++;
	pthread_mutex_unlock(&all);
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}
