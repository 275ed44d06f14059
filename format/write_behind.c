// Writing behind: one thread, a ring of buffers. Who waits for the other is woken late, for many slots
// at once: a wake a slot costs as much as writing a tenth of it.
#include "format/write_behind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/thread.h"

#define SLOTS 8u
#define SLOT_BYTES ((size_t)512 << 10)

// When all slots are free, and a span is copied by both: whose buffer is whose.
enum { CALLERS_SLOT, THREADS_SLOT };

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
	struct crimg_early_sync *sync;
	struct crimg_span shared;    // what is left of a span that both copy …
	uint64_t shared_at;          // … to here
	bool copying;                // the thread has a piece of it
	bool ending;
	int error;                   // errno of the first write that failed
	struct crimg_err failure;    // of the first reading that failed
	uint8_t *memory;
};

// Returns 0 or an errno.
static int write_slot(const struct crimg_write_behind *b, const struct slot *s)
{
	for (size_t done = 0; done < s->length;) {
		ssize_t n = pwrite(b->fd, s->data + done, s->length - done,
		                   (off_t)(s->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		done += (size_t)n;
	}
	crimg_early_sync_note(b->sync, s->offset, s->length);
	return 0;
}

// The next piece of the shared span, through buffer data. With the lock held, but not meanwhile.
static void copy_piece(struct crimg_write_behind *b, uint8_t *data)
{
	struct crimg_span from = b->shared;
	struct slot s = { b->shared_at, (size_t)crimg_min_u64(from.length, SLOT_BYTES), data };
	struct crimg_err failure = CRIMG_ERR_INIT;
	b->shared.offset += s.length;
	b->shared.length -= s.length;
	b->shared_at += s.length;
	pthread_mutex_unlock(&b->lock);
	int rc = crimg_source_read_exact(from.source, from.offset, data, s.length, &failure);
	int error = rc == 0 ? write_slot(b, &s) : 0;
	pthread_mutex_lock(&b->lock);
	b->error = b->error != 0 ? b->error : error;
	if (rc < 0 && b->failure.code == CRIMG_OK)
		b->failure = failure;
	if (rc < 0 || error != 0)
		b->shared.length = 0;
}

// With the lock held, but not meanwhile.
static void write_first(struct crimg_write_behind *b)
{
	struct slot s = b->slots[b->first];
	bool skip = b->error != 0;
	pthread_mutex_unlock(&b->lock);
	int error = skip ? 0 : write_slot(b, &s);
	pthread_mutex_lock(&b->lock);
	b->error = b->error != 0 ? b->error : error;
	b->first = (b->first + 1) % SLOTS;
	b->filled--;
	if (b->filled <= b->room_at)
		pthread_cond_signal(&b->room);
}

static void *writer(void *context)
{
	struct crimg_write_behind *b = context;
	pthread_mutex_lock(&b->lock);
	while (!b->ending) {
		if (b->filled > 0) {
			write_first(b);
		} else if (b->shared.length > 0) {
			b->copying = true;
			copy_piece(b, b->slots[THREADS_SLOT].data);
			b->copying = false;
			pthread_cond_signal(&b->room);
		} else {
			pthread_cond_wait(&b->work, &b->lock);
		}
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

int crimg_write_behind_open(int fd, const char *shown, struct crimg_early_sync *sync,
                            struct crimg_write_behind **out, struct crimg_err *err)
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
	b->sync = sync;
	b->memory = memory;
	for (unsigned i = 0; i < SLOTS; i++)
		b->slots[i].data = memory + i * SLOT_BYTES;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->room, NULL);
	int rc = crimg_thread_begin(&b->thread, writer, b);
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
	pthread_mutex_unlock(&b->lock);
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

static int copy_together(struct crimg_write_behind *b, uint64_t offset, struct crimg_span span,
                         struct crimg_err *err)
{
	if (crimg_write_behind_drain(b, err) < 0)
		return -1;
	pthread_mutex_lock(&b->lock);
	b->shared = span;
	b->shared_at = offset;
	pthread_cond_signal(&b->work);
	while (b->shared.length > 0)
		copy_piece(b, b->slots[CALLERS_SLOT].data);
	while (b->copying)
		pthread_cond_wait(&b->room, &b->lock);
	int error = b->error;
	if (b->failure.code != CRIMG_OK && err != NULL && err->code == CRIMG_OK)
		*err = b->failure;
	int rc = b->failure.code != CRIMG_OK ? -1 : 0;
	pthread_mutex_unlock(&b->lock);
	return rc < 0 ? -1 : fail_error(b, error, err);
}

int crimg_write_behind_copy(struct crimg_write_behind *b, uint64_t offset, struct crimg_span span,
                            struct crimg_err *err)
{
	int error = 0;
	if (span.source->parallel)
		return copy_together(b, offset, span, err);
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
