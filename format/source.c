// Sources over files, pipes and memory; the window.
#include "format/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checked.h"

int crimg_source_make(const struct crimg_source_ops *ops, const char *shown, void *state,
                      struct crimg_source **out, struct crimg_err *err)
{
	struct crimg_source *s = malloc(sizeof *s);
	char *name = strdup(shown);
	if (s == NULL || name == NULL) {
		free(s);
		free(name);
		return crimg_fail_nomem(err, sizeof *s);
	}
	*s = (struct crimg_source){ .ops = ops, .name = name, .size = CRIMG_SIZE_UNKNOWN, .fd = -1,
	                            .state = state };
	*out = s;
	return 0;
}

void crimg_source_close(struct crimg_source *s)
{
	if (s == NULL)
		return;
	if (s->ops->close != NULL)
		s->ops->close(s);
	free(s->name);
	free(s);
}

int crimg_source_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length,
                      size_t *got, struct crimg_err *err)
{
	if (s->size != CRIMG_SIZE_UNKNOWN)
		length = offset >= s->size ? 0
			: (size_t)crimg_min_u64(length, s->size - offset);
	if (length == 0) {
		*got = 0;
		return 0;
	}
	return s->ops->read(s, offset, buf, length, got, err);
}

int crimg_source_read_exact(struct crimg_source *s, uint64_t offset, void *buf, size_t length,
                            struct crimg_err *err)
{
	size_t got;
	if (crimg_source_read(s, offset, buf, length, &got, err) < 0)
		return -1;
	if (got < length)
		return crimg_fail(err, CRIMG_E_CUT, s->name, offset,
		                  "the file ends: %zu bytes found, %zu wanted", got, length);
	return 0;
}

// Offsets of lseek are signed; a file on a disk ends long before that.
static uint64_t seek(const struct crimg_source *s, uint64_t offset, int whence, uint64_t otherwise)
{
	uint64_t at;
	if (!crimg_add_u64(s->fd_offset, offset, &at) || at > INT64_MAX)
		return otherwise;
	off_t found = lseek(s->fd, (off_t)at, whence);
	return found < (off_t)at ? otherwise : (uint64_t)found - s->fd_offset;
}

void crimg_source_extent(struct crimg_source *s, uint64_t offset, bool *hole, uint64_t *end)
{
	*hole = false;
	*end = s->size;
	if (s->fd < 0)
		return;
	uint64_t data = seek(s, offset, SEEK_DATA, s->size); // none behind offset: ENXIO
	*hole = data > offset && seek(s, offset, SEEK_HOLE, s->size) == offset;
	uint64_t until = *hole ? data : seek(s, offset, SEEK_HOLE, s->size);
	if (until > offset && until < s->size)
		*end = until;
}

static int file_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                     struct crimg_err *err)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = pread(s->fd, (char *)buf + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return crimg_fail_sys(err, errno, s->name, "cannot read at offset %llu",
			                      (unsigned long long)(offset + done));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*got = done;
	return 0;
}

static void file_close(struct crimg_source *s)
{
	close(s->fd);
}

static const struct crimg_source_ops file_ops = { file_read, file_close };

struct pipe_state {
	int fd;
	uint64_t at; // how far it was read
};

// One read. A signal ends it: whoever set a handler without SA_RESTART wants to be heard.
static int pipe_some(struct crimg_source *s, void *buf, size_t length, size_t *got,
                     struct crimg_err *err)
{
	struct pipe_state *p = s->state;
	ssize_t n = read(p->fd, buf, length);
	if (n < 0)
		return crimg_fail_sys(err, errno, s->name, "cannot be read");
	p->at += (uint64_t)n;
	*got = (size_t)n;
	return 0;
}

static int pipe_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                     struct crimg_err *err)
{
	struct pipe_state *p = s->state;
	char scrap[4096];
	size_t done = 0, n = 1;
	if (offset < p->at)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, s->name, offset,
		                  "a pipe cannot be read backwards (it is at %llu)",
		                  (unsigned long long)p->at);
	while (n > 0 && p->at < offset) // skipping reads and drops
		if (pipe_some(s, scrap, (size_t)crimg_min_u64(sizeof scrap, offset - p->at), &n, err) < 0)
			return -1;
	while (n > 0 && done < length) {
		if (pipe_some(s, (char *)buf + done, length - done, &n, err) < 0)
			return -1;
		done += n;
	}
	*got = done;
	return 0;
}

static void pipe_close(struct crimg_source *s)
{
	struct pipe_state *p = s->state;
	close(p->fd);
	free(p);
}

static const struct crimg_source_ops pipe_ops = { pipe_read, pipe_close };

static int open_pipe(int fd, const char *shown, struct crimg_source **out, struct crimg_err *err)
{
	struct pipe_state *p = malloc(sizeof *p);
	if (p == NULL)
		return crimg_fail_nomem(err, sizeof *p);
	*p = (struct pipe_state){ .fd = fd };
	if (crimg_source_make(&pipe_ops, shown, p, out, err) < 0) {
		free(p);
		return -1;
	}
	(*out)->forward_only = true;
	return 0;
}

static int open_regular(int fd, uint64_t size, const char *shown, struct crimg_source **out,
                        struct crimg_err *err)
{
	if (crimg_source_make(&file_ops, shown, NULL, out, err) < 0)
		return -1;
	(*out)->fd = fd;
	(*out)->size = size;
	(*out)->parallel = true;
	return 0;
}

int crimg_source_open_fd(int fd, const char *shown, struct crimg_source **out,
                         struct crimg_err *err)
{
	struct stat st;
	int rc;
	if (fstat(fd, &st) < 0)
		rc = crimg_fail_sys(err, errno, shown, "cannot be examined");
	else if (S_ISREG(st.st_mode))
		rc = open_regular(fd, (uint64_t)st.st_size, shown, out, err);
	else if (S_ISDIR(st.st_mode))
		rc = crimg_fail(err, CRIMG_E_FORMAT, shown, CRIMG_NO_OFFSET,
		                "a directory found, a file wanted");
	else
		rc = open_pipe(fd, shown, out, err);
	if (rc < 0)
		close(fd);
	return rc;
}

int crimg_source_open_file(int dirfd, const char *name, const char *shown, bool follow,
                           struct crimg_source **out, struct crimg_err *err)
{
	// O_NONBLOCK: a fifo in the place of a file must not hang us.
	int fd = openat(dirfd, name,
	                O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
	struct stat st;
	if (fd < 0)
		return crimg_fail_sys(err, errno, shown, "cannot be opened");
	int rc = fstat(fd, &st) < 0 ? crimg_fail_sys(err, errno, shown, "cannot be examined")
		: S_ISREG(st.st_mode) ? open_regular(fd, (uint64_t)st.st_size, shown, out, err)
		: crimg_fail(err, CRIMG_E_FORMAT, shown, CRIMG_NO_OFFSET, "a %s found, a regular file wanted",
		             S_ISDIR(st.st_mode) ? "directory" : "special file");
	if (rc < 0)
		close(fd);
	return rc;
}

static int memory_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length,
                       size_t *got, struct crimg_err *err)
{
	(void)err;
	memcpy(buf, (const uint8_t *)s->state + offset, length);
	*got = length;
	return 0;
}

static const struct crimg_source_ops memory_ops = { memory_read, NULL };

int crimg_source_open_memory(const void *data, size_t length, const char *shown,
                             struct crimg_source **out, struct crimg_err *err)
{
	union {
		const void *lent;
		void *state;
	} pointer = { .lent = data };
	if (crimg_source_make(&memory_ops, shown, pointer.state, out, err) < 0)
		return -1;
	(*out)->size = length;
	return 0;
}

#define WINDOW_BYTES ((size_t)64 << 10)

struct crimg_window crimg_window_make(struct crimg_source *source, uint64_t offset)
{
	return (struct crimg_window){ .source = source, .offset = offset };
}

void crimg_window_fini(struct crimg_window *w)
{
	free(w->data);
	*w = (struct crimg_window){ .source = w->source };
}

void crimg_window_seek(struct crimg_window *w, uint64_t offset)
{
	w->offset = offset;
	w->start = w->end = 0;
}

// Moves what is held to the front and makes room for `wanted` bytes in all.
static int make_room(struct crimg_window *w, size_t wanted, struct crimg_err *err)
{
	if (w->start > 0 && w->end > w->start)
		memmove(w->data, w->data + w->start, w->end - w->start);
	w->end -= w->start;
	w->start = 0;
	if (wanted <= w->capacity)
		return 0;
	size_t capacity = wanted < WINDOW_BYTES ? WINDOW_BYTES : wanted;
	uint8_t *grown = realloc(w->data, capacity);
	if (grown == NULL)
		return crimg_fail_nomem(err, capacity);
	w->data = grown;
	w->capacity = capacity;
	return 0;
}

// A hostile length must not make us allocate before the bytes are seen to exist.
static size_t believable(const struct crimg_window *w, size_t wanted)
{
	uint64_t size = w->source->size;
	if (size == CRIMG_SIZE_UNKNOWN)
		return wanted;
	uint64_t left = w->offset >= size ? 0 : size - w->offset;
	return (size_t)crimg_min_u64(wanted, left);
}

int crimg_window_peek(struct crimg_window *w, size_t wanted, const uint8_t **out, size_t *got,
                      struct crimg_err *err)
{
	static const uint8_t nothing[1];
	wanted = believable(w, wanted);
	while (w->end - w->start < wanted) {
		size_t held = w->end - w->start, n;
		size_t step = held * 2 < WINDOW_BYTES ? WINDOW_BYTES : held * 2;
		if (make_room(w, step < wanted ? step : wanted, err) < 0)
			return -1;
		// A little more than wanted: what is read beyond has to be moved to the front later. From a
		// pipe no more: what is not there yet must not keep us from what is.
		size_t room = w->capacity - held, ahead = wanted - held;
		if (w->ahead > 0)
			ahead = ahead < w->ahead ? w->ahead : ahead;
		else if (!w->source->forward_only)
			ahead = ahead + WINDOW_BYTES / 8 < WINDOW_BYTES ? WINDOW_BYTES
				: ahead + WINDOW_BYTES / 8;
		if (crimg_source_read(w->source, w->offset + held, w->data + held,
		                      room < ahead ? room : ahead, &n, err) < 0)
			return -1;
		if (n == 0)
			break;
		w->end += n;
	}
	*out = w->data != NULL ? w->data + w->start : nothing;
	*got = w->end - w->start;
	return 0;
}

int crimg_window_skip(struct crimg_window *w, uint64_t length, struct crimg_err *err)
{
	uint64_t to;
	if (!crimg_add_u64(w->offset, length, &to))
		return crimg_fail(err, CRIMG_E_CUT, w->source->name, w->offset,
		                  "a length of %llu bytes", (unsigned long long)length);
	size_t held = w->end - w->start;
	w->start = length < held ? w->start + (size_t)length : w->end;
	w->offset = to;
	return 0;
}
