// Whole writes, gathered writes, holes, kernel copies, early writeback.
#include "format/outfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/early_sync.h"
#include "format/limits.h"
#include "format/write_behind.h"

#define PENDING_BYTES ((size_t)256 << 10)
#define HOLE_BYTES ((uint64_t)64 << 10) // fewer zeros are written: a file of small holes is slow to make
#define BEHIND_FROM ((uint64_t)32 << 20) // a file this large gets a thread for its large writes,
#define BEHIND_PROMISED ((uint64_t)8 << 20) // or one that is known to become this large
#define RESERVED_FROM ((uint64_t)1 << 20) // bytes known to follow
#define COPY_STEP ((uint64_t)8 << 20) // so that writeback starts while the rest is copied

static const uint8_t zeros[64 << 10];

struct crimg_outfd crimg_outfd_make(int fd, bool at_offsets, const char *shown)
{
	return (struct crimg_outfd){ .fd = fd, .at_offsets = at_offsets, .shown = shown };
}

void crimg_outfd_promise(struct crimg_outfd *f, uint64_t size)
{
	f->promised = size != CRIMG_SIZE_UNKNOWN ? size : 0;
}

static int fail_writing(struct crimg_outfd *f, int why, struct crimg_err *err)
{
	f->failed = true;
	return crimg_fail_sys(err, why, f->shown, "cannot be written");
}

static void note_length(struct crimg_outfd *f, uint64_t to)
{
	f->held = to > f->held ? to : f->held;
	f->end = to > f->end ? to : f->end;
}

static void note_written(struct crimg_outfd *f, uint64_t offset, uint64_t length)
{
	note_length(f, offset + length);
	f->written += length;
	if (f->at_offsets && f->sync == NULL && f->written >= CRIMG_EARLY_SYNC_BYTES)
		f->sync = crimg_early_sync_open(f->fd);
	crimg_early_sync_note(f->sync, offset, length);
}

static int write_through(struct crimg_outfd *f, uint64_t offset, const void *data, size_t length,
                         struct crimg_err *err)
{
	const uint8_t *p = data;
	for (size_t done = 0; done < length;) {
		ssize_t n = f->at_offsets
			? pwrite(f->fd, p + done, length - done, (off_t)(offset + done))
			: write(f->fd, p + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail_writing(f, n < 0 ? errno : EIO, err);
		note_written(f, offset + done, (uint64_t)n);
		done += (size_t)n;
	}
	return 0;
}

// What is on its way must have arrived before the same bytes are touched again.
static int settle(struct crimg_outfd *f, struct crimg_err *err)
{
	if (f->behind == NULL || crimg_write_behind_drain(f->behind, err) == 0)
		return 0;
	f->failed = true;
	return -1;
}

static bool goes_behind(const struct crimg_outfd *f, uint64_t offset)
{
	bool large = f->end >= BEHIND_FROM || f->promised >= BEHIND_PROMISED;
	return f->at_offsets && large && offset >= f->held;
}

static int open_behind(struct crimg_outfd *f, struct crimg_err *err)
{
	if (f->behind != NULL)
		return 0;
	if (f->sync == NULL)
		f->sync = crimg_early_sync_open(f->fd);
	return crimg_write_behind_open(f->fd, f->shown, f->sync, &f->behind, err);
}

static int write_behind(struct crimg_outfd *f, uint64_t offset, const void *data, size_t length,
                        struct crimg_err *err)
{
	if (open_behind(f, err) < 0
	    || crimg_write_behind_put(f->behind, offset, data, length, err) < 0) {
		f->failed = true;
		return -1;
	}
	note_length(f, offset + length);
	return 0;
}

// A file system finds room for many pages at once sooner than for one after the other. What it cannot do, or has no
// room for, shows when they are written.
static void reserve(const struct crimg_outfd *f, uint64_t offset, uint64_t length)
{
	if (length >= RESERVED_FROM)
		(void)fallocate(f->fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
}

static int copy_behind(struct crimg_outfd *f, uint64_t offset, struct crimg_span span,
                       struct crimg_err *err)
{
	reserve(f, offset, span.length);
	if (open_behind(f, err) < 0 || crimg_write_behind_copy(f->behind, offset, span, err) < 0) {
		f->failed = true;
		return -1;
	}
	note_length(f, offset + span.length);
	return 0;
}

static int flush_pending(struct crimg_outfd *f, struct crimg_err *err)
{
	size_t length = f->pending_length;
	f->pending_length = 0;
	if (length == 0)
		return 0;
	if (f->pending_at < f->held && settle(f, err) < 0)
		return -1;
	return write_through(f, f->pending_at, f->pending, length, err);
}

int crimg_outfd_write(struct crimg_outfd *f, uint64_t offset, const void *data, size_t length,
                      struct crimg_err *err)
{
	bool joins = offset == f->pending_at + f->pending_length
	             && length <= PENDING_BYTES - f->pending_length;
	if (!joins && flush_pending(f, err) < 0)
		return -1;
	if (goes_behind(f, offset))
		return flush_pending(f, err) < 0 ? -1 : write_behind(f, offset, data, length, err);
	if (length >= PENDING_BYTES)
		return settle(f, err) < 0 ? -1 : write_through(f, offset, data, length, err);
	if (f->pending == NULL && (f->pending = malloc(PENDING_BYTES)) == NULL) {
		f->failed = true;
		return crimg_fail_nomem(err, PENDING_BYTES);
	}
	if (f->pending_length == 0)
		f->pending_at = offset;
	memcpy(f->pending + f->pending_length, data, length);
	f->pending_length += length;
	f->end = offset + length > f->end ? offset + length : f->end;
	return 0;
}

int crimg_outfd_close(struct crimg_outfd *f)
{
	crimg_write_behind_close(f->behind);
	crimg_early_sync_close(f->sync);
	f->behind = NULL;
	f->sync = NULL;
	int why = f->fd >= 0 && close(f->fd) < 0 && errno != EINTR ? errno : 0;
	free(f->pending);
	f->pending = NULL;
	f->fd = -1;
	return why;
}

static int write_zeros(struct crimg_outfd *f, uint64_t offset, uint64_t length,
                       struct crimg_err *err)
{
	while (length > 0) {
		size_t n = (size_t)crimg_min_u64(length, sizeof zeros);
		if (crimg_outfd_write(f, offset, zeros, n, err) < 0)
			return -1;
		offset += n;
		length -= n;
	}
	return 0;
}

int crimg_outfd_zero(struct crimg_outfd *f, uint64_t offset, uint64_t length, struct crimg_err *err)
{
	if (!f->at_offsets || length < HOLE_BYTES)
		return write_zeros(f, offset, length, err);
	if (flush_pending(f, err) < 0)
		return -1;
	if (offset < f->held) { // bytes are there already
		uint64_t n = crimg_min_u64(length, f->held - offset);
		if (settle(f, err) < 0)
			return -1;
		if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		              (off_t)n) < 0 && write_zeros(f, offset, n, err) < 0)
			return -1;
	}
	if (offset + length > f->end)
		f->end = offset + length;
	return 0;
}

// Pages that lie at the same offset in a page of both files; others the kernel copies more slowly, one by one,
// than a reader and a writer do side by side.
static bool pages_match(uint64_t from, uint64_t to)
{
	return ((from ^ to) & (CRIMG_PAGE_BYTES - 1)) == 0;
}

int crimg_outfd_copy(struct crimg_outfd *f, uint64_t offset, struct crimg_span span, uint64_t *done,
                     struct crimg_err *err)
{
	const struct crimg_source *s = span.source;
	uint64_t copied = 0;
	bool possible = f->at_offsets && s->fd >= 0 && pages_match(s->fd_offset + span.offset, offset)
	                && (s->size == CRIMG_SIZE_UNKNOWN
	                    || crimg_in_range(span.offset, span.length, s->size));
	if (possible && (flush_pending(f, err) < 0 || settle(f, err) < 0))
		return -1;
	while (possible && copied < span.length) {
		off_t from = (off_t)(s->fd_offset + span.offset + copied);
		off_t to = (off_t)(offset + copied);
		ssize_t n = copy_file_range(s->fd, &from, f->fd, &to,
		                            (size_t)crimg_min_u64(COPY_STEP, span.length - copied), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return fail_writing(f, errno, err);
		if (n <= 0) // other file systems, old kernels, the end: reading and writing will tell
			break;
		note_written(f, offset + copied, (uint64_t)n);
		copied += (uint64_t)n;
	}
	*done = copied;
	return 0;
}

int crimg_outfd_finish(struct crimg_outfd *f, uint64_t wanted, struct crimg_err *err)
{
	int rc = 0;
	if (wanted != CRIMG_SIZE_UNKNOWN && wanted != f->end)
		return crimg_fail(err, CRIMG_E_FORMAT, f->shown, CRIMG_NO_OFFSET,
		                  "%llu bytes were written, %llu wanted", (unsigned long long)f->end,
		                  (unsigned long long)wanted);
	if (flush_pending(f, err) < 0 || settle(f, err) < 0)
		return -1;
	if (f->failed)
		return crimg_fail(err, CRIMG_E_USAGE, f->shown, CRIMG_NO_OFFSET,
		                  "writing has failed before");
	if (f->at_offsets && f->end > f->held)
		do
			rc = ftruncate(f->fd, (off_t)f->end);
		while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return fail_writing(f, errno, err);
	return 0;
}

int crimg_outfd_sink_write(struct crimg_sink *sink, uint64_t offset, const void *data,
                           size_t length, struct crimg_err *err)
{
	return crimg_outfd_write(sink->state, offset, data, length, err);
}

int crimg_outfd_sink_zero(struct crimg_sink *sink, uint64_t offset, uint64_t length,
                          struct crimg_err *err)
{
	return crimg_outfd_zero(sink->state, offset, length, err);
}

int crimg_outfd_sink_copy(struct crimg_sink *sink, uint64_t offset, struct crimg_span span,
                          struct crimg_err *err)
{
	struct crimg_outfd *f = sink->state;
	uint64_t done = 0;
	// What no file holds is read into the buffers of the thread that writes.
	if (span.source->fd < 0 && goes_behind(f, offset))
		return flush_pending(f, err) < 0 ? -1 : copy_behind(f, offset, span, err);
	if (span.source->fd >= 0 && crimg_outfd_copy(f, offset, span, &done, err) < 0)
		return -1;
	span.offset += done;
	span.length -= done;
	return span.length == 0 ? 0 : crimg_sink_copy_bytes(sink, offset + done, span, err);
}
