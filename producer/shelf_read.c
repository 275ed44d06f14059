// Reading a payload: runs of a task's memory together, up to a thousand with one system call.
#include "producer/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/search.h"

static int fail_task(const struct crimg_shelf_run *r, uint64_t skip, int number, struct crimg_err *err)
{
	return crimg_fail_sys(err, number, NULL, "task %d: memory at 0x%" PRIx64 " cannot be read",
			      r->place, r->address + skip);
}

// The last page of a file that ends within it is filled with zeros.
static int read_file(const struct crimg_shelf_run *r, uint64_t skip, uint8_t *buf, size_t length,
		     struct crimg_err *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pread(r->place, buf + done, length - done,
				  (off_t)(r->address + skip + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return crimg_fail_sys(err, errno, NULL,
					      "a file that a task has open cannot be read");
		if (n == 0) {
			memset(buf + done, 0, length - done);
			return 0;
		}
		done += (size_t)n;
	}
	return 0;
}

// Memory of one task: run *i from skip on, and as many as follow. Moves *i, *skip and *buf on.
struct gather {
	const struct crimg_shelf_payload *payload;
	bool running;
	size_t run;
	uint64_t skip; // bytes of it that are read
	uint8_t *buf;
	size_t length; // bytes that are wanted
};

static void move_on(struct gather *g, size_t n)
{
	g->buf += n;
	g->length -= n;
	g->skip += n;
	while (g->run < g->payload->count && g->skip >= g->payload->runs[g->run].length) {
		g->skip -= g->payload->runs[g->run].length;
		g->run++;
	}
}

// What the task itself may not read. Opened anew each time: such pages are few.
static ssize_t read_forbidden(const struct crimg_shelf_run *r, uint64_t skip, uint8_t *buf, size_t length)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/mem", r->place);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = pread(fd, buf, length, (off_t)(r->address + skip));
	int number = errno;
	close(fd);
	errno = number;
	return n;
}

// The rest of a page that is not there any more.
static ssize_t read_gone(struct gather *g, const struct crimg_shelf_run *r, size_t length)
{
	size_t n = (size_t)(CRIMG_PAGE_BYTES - (r->address + g->skip) % CRIMG_PAGE_BYTES);
	memset(g->buf, 0, n < length ? n : length);
	return (ssize_t)(n < length ? n : length);
}

static int read_task(struct gather *g, struct crimg_err *err)
{
	struct iovec there[IOV_MAX];
	const struct crimg_shelf_run *first = &g->payload->runs[g->run];
	unsigned long count = 0;
	size_t total = 0;
	uint64_t skip = g->skip;
	for (size_t i = g->run; i < g->payload->count && count < IOV_MAX && total < g->length; i++) {
		const struct crimg_shelf_run *r = &g->payload->runs[i];
		if (r->where != CRIMG_SHELF_TASK || r->place != first->place)
			break;
		size_t n = (size_t)crimg_min_u64(r->length - skip, g->length - total);
		there[count++] = (struct iovec){(void *)(uintptr_t)(r->address + skip), n};
		total += n;
		skip = 0;
	}
	struct iovec here = {g->buf, total};
	ssize_t n = process_vm_readv(first->place, &here, 1, there, count, 0);
	if (n < 0 && errno == EFAULT)
		n = read_forbidden(first, g->skip, g->buf, there[0].iov_len);
	if (n <= 0 && g->running)
		n = read_gone(g, first, there[0].iov_len);
	if (n <= 0)
		return fail_task(first, g->skip, n < 0 ? errno : EFAULT, err);
	move_on(g, (size_t)n);
	return 0;
}

static int read_some(struct gather *g, struct crimg_err *err)
{
	const struct crimg_shelf_run *r = &g->payload->runs[g->run];
	size_t n = (size_t)crimg_min_u64(r->length - g->skip, g->length);
	if (r->where == CRIMG_SHELF_TASK)
		return read_task(g, err);
	if (r->where == CRIMG_SHELF_BYTES)
		memcpy(g->buf, r->bytes + g->skip, n);
	else if (read_file(r, g->skip, g->buf, n, err) < 0)
		return -1;
	move_on(g, n);
	return 0;
}

// The run that holds offset.
static size_t find_run(const struct crimg_shelf_payload *p, uint64_t offset)
{
	size_t behind;
	CRIMG_COUNT_BEFORE(behind, p->count, p->runs[behind].at <= offset);
	return behind - 1;
}

int crimg_shelf_read(const struct crimg_shelf *s, uint64_t payload, uint64_t offset, void *buf,
		     size_t length, struct crimg_err *err)
{
	if (payload >= s->payload_count
	    || !crimg_in_range(offset, length, s->payloads[payload].length))
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
				  "payload %" PRIu64 " has no %zu bytes at %" PRIu64, payload, length,
				  offset);
	struct gather g = {
		.payload = &s->payloads[payload],
		.running = s->running,
		.buf = buf,
		.length = length,
	};
	g.run = find_run(g.payload, offset);
	g.skip = length > 0 ? offset - g.payload->runs[g.run].at : 0;
	while (g.length > 0)
		if (read_some(&g, err) < 0)
			return -1;
	return 0;
}
