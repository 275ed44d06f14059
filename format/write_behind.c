// Writing behind: one thread, a ring of buffers. Who waits for the other is woken late, for many slots
// at once: a wake a slot costs as much as writing a tenth of it. The putter has more time than the
// thread, so it is the one who asks the disk to begin.
#include "format/write_behind.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 8u
#define SLOT_BYTES ((size_t)512 << 10)
#define WRITEBACK_BYTES ((uint64_t)8 << 20)

struct slot {
	uint64_t offset;
	size_t length;
	uint8_t *data;
};

struct crimg_write_behind {
	int fd;
	const char *shown;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;         // a slot was filled, or the end has come
	pthread_cond_t room;         // so few slots are filled that the putter goes on
	unsigned room_at;            // there is room when no more slots than these are filled
	struct slot slots[SLOTS];
	unsigned first, filled;      // slots [first, first + filled) wait to be written
	struct slot *filling;        // the one behind them, when it has some bytes; only ours
	uint64_t dirty_from, dirty_to, dirty_bytes; // written since the disk was last asked to begin
	bool ending;
	int error;                   // errno of the first write that failed
	uint8_t *memory;
};

static int write_slot(int fd, const struct slot *s)
{
	for (size_t done = 0; done < s->length;) {
		ssize_t n = pwrite(fd, s->data + done, s->length - done, (off_t)(s->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		done += (size_t)n;
	}
	return 0;
}

// With the lock held.
static void note_written(struct crimg_write_behind *b, const struct slot *s)
{
	uint64_t to = s->offset + s->length;
	b->dirty_from = b->dirty_bytes == 0 || s->offset < b->dirty_from ? s->offset : b->dirty_from;
	b->dirty_to = b->dirty_bytes == 0 || to > b->dirty_to ? to : b->dirty_to;
	b->dirty_bytes += s->length;
}

static void *writer(void *context)
{
	struct crimg_write_behind *b = context;
	pthread_mutex_lock(&b->lock);
	for (;;) {
		while (b->filled == 0 && !b->ending)
			pthread_cond_wait(&b->work, &b->lock);
		if (b->ending)
			break;
		struct slot s = b->slots[b->first];
		bool skip = b->error != 0;
		pthread_mutex_unlock(&b->lock);
		int error = skip ? 0 : write_slot(b->fd, &s);
		pthread_mutex_lock(&b->lock);
		b->error = b->error != 0 ? b->error : error;
		note_written(b, &s);
		b->first = (b->first + 1) % SLOTS;
		b->filled--;
		if (b->filled <= b->room_at)
			pthread_cond_signal(&b->room);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

// The thread takes no signals: whoever waits for one is elsewhere.
static int start(struct crimg_write_behind *b)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&b->thread, NULL, writer, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int crimg_write_behind_open(int fd, const char *shown, struct crimg_write_behind **out,
                            struct crimg_err *err)
{
	struct crimg_write_behind *b = calloc(1, sizeof *b);
	uint8_t *memory = aligned_alloc(4096, SLOTS * SLOT_BYTES);
	if (b == NULL || memory == NULL) {
		free(b);
		free(memory);
		return crimg_fail_nomem(err, SLOTS * SLOT_BYTES);
	}
	b->fd = fd;
	b->shown = shown;
	b->memory = memory;
	for (unsigned i = 0; i < SLOTS; i++)
		b->slots[i].data = memory + i * SLOT_BYTES;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->room, NULL);
	int rc = start(b);
	if (rc != 0) {
		free(memory);
		free(b);
		return crimg_fail_sys(err, rc, shown, "no thread can be made to write it");
	}
	*out = b;
	return 0;
}

static int fail_error(const struct crimg_write_behind *b, int error, struct crimg_err *err)
{
	return error == 0 ? 0 : crimg_fail_sys(err, error, b->shown, "cannot be written");
}

// With the lock held.
static void wait_for_room(struct crimg_write_behind *b, unsigned filled)
{
	b->room_at = filled;
	while (b->filled > filled)
		pthread_cond_wait(&b->room, &b->lock);
}

// The slot behind the waiting ones, once it is free; *error gets the thread's.
static struct slot *free_slot(struct crimg_write_behind *b, int *error)
{
	pthread_mutex_lock(&b->lock);
	if (b->filled == SLOTS)
		wait_for_room(b, SLOTS / 2);
	struct slot *s = &b->slots[(b->first + b->filled) % SLOTS];
	*error = b->error;
	pthread_mutex_unlock(&b->lock);
	s->length = 0;
	return s;
}

static void hand_over(struct crimg_write_behind *b)
{
	if (b->filling == NULL)
		return;
	b->filling = NULL;
	pthread_mutex_lock(&b->lock);
	if (b->filled++ == 0)
		pthread_cond_signal(&b->work);
	uint64_t from = b->dirty_from, length = b->dirty_to - from;
	bool begin = b->dirty_bytes >= WRITEBACK_BYTES;
	if (begin)
		b->dirty_bytes = 0;
	pthread_mutex_unlock(&b->lock);
	if (begin)
		(void)sync_file_range(b->fd, (off_t)from, (off_t)length, SYNC_FILE_RANGE_WRITE);
}

// The slot that bytes at offset go into, with room for at least one; *error gets the thread's.
static struct slot *slot_for(struct crimg_write_behind *b, uint64_t offset, int *error)
{
	struct slot *s = b->filling;
	if (s != NULL && (s->offset + s->length != offset || s->length == SLOT_BYTES)) {
		hand_over(b);
		s = NULL;
	}
	if (s == NULL) {
		s = b->filling = free_slot(b, error);
		s->offset = offset;
	}
	return s;
}

int crimg_write_behind_put(struct crimg_write_behind *b, uint64_t offset, const void *data,
                           size_t length, struct crimg_err *err)
{
	const uint8_t *p = data;
	int error = 0;
	while (length > 0 && error == 0) {
		struct slot *s = slot_for(b, offset, &error);
		size_t n = length < SLOT_BYTES - s->length ? length : SLOT_BYTES - s->length;
		memcpy(s->data + s->length, p, n);
		s->length += n;
		p += n;
		offset += n;
		length -= n;
	}
	return fail_error(b, error, err);
}

int crimg_write_behind_copy(struct crimg_write_behind *b, uint64_t offset, struct crimg_span span,
                            struct crimg_err *err)
{
	int error = 0;
	for (uint64_t done = 0; done < span.length && error == 0;) {
		struct slot *s = slot_for(b, offset + done, &error);
		uint64_t left = span.length - done;
		size_t n = left < SLOT_BYTES - s->length ? (size_t)left : SLOT_BYTES - s->length;
		if (crimg_source_read_exact(span.source, span.offset + done, s->data + s->length, n, err)
		    < 0)
			return -1;
		s->length += n;
		done += n;
	}
	return fail_error(b, error, err);
}

int crimg_write_behind_drain(struct crimg_write_behind *b, struct crimg_err *err)
{
	hand_over(b);
	pthread_mutex_lock(&b->lock);
	wait_for_room(b, 0);
	int error = b->error;
	pthread_mutex_unlock(&b->lock);
	return fail_error(b, error, err);
}

void crimg_write_behind_close(struct crimg_write_behind *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	b->ending = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->work);
	pthread_cond_destroy(&b->room);
	pthread_mutex_destroy(&b->lock);
	free(b->memory);
	free(b);
}
