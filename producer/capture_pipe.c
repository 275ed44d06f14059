// Bytes that are under way in a pipe, copied without taking them.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "producer/capture.h"

// Once a pipe, whichever of its ends is met first.
static int note_pipe(struct crimg_capture *c, uint64_t ino, bool *fresh, struct crimg_err *err)
{
	void *array = c->pipes;
	*fresh = false;
	for (size_t i = 0; i < c->pipe_count; i++)
		if (c->pipes[i] == ino)
			return 0;
	if (crimg_grow(&array, &c->pipe_capacity, c->pipe_count, sizeof *c->pipes, err) < 0)
		return -1;
	c->pipes = array;
	c->pipes[c->pipe_count++] = ino;
	*fresh = true;
	return 0;
}

// Each read ends with a packet, if there are any: their lengths go into packets, which has room.
static int read_all(int fd, uint8_t *buf, size_t length, PipePacketsEntry *packets)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = read(fd, buf + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
		packets->length[packets->n_length++] = (uint32_t)n;
	}
	return 0;
}

// tee() leaves them where they are. Into a pipe of ours that is as large.
static int copy_bytes(int fd, int size, size_t length, uint8_t *buf, PipePacketsEntry *packets)
{
	int ours[2];
	if (pipe2(ours, O_CLOEXEC) < 0)
		return -1;
	int rc = fcntl(ours[1], F_SETPIPE_SZ, size) < 0 ? -1 : 0;
	ssize_t n = rc < 0 ? -1 : tee(fd, ours[1], length, SPLICE_F_NONBLOCK);
	rc = n == (ssize_t)length ? read_all(ours[0], buf, length, packets) : -1;
	close(ours[0]);
	close(ours[1]);
	return rc;
}

// In packet mode, or with more than one packet in it.
static int put_packets(struct crimg_capture *c, const struct crimg_open_file *f, PipePacketsEntry *packets,
		       struct crimg_err *err)
{
	packets->pipe_id = (uint32_t)f->ino;
	if (packets->n_length == 0 || (packets->n_length == 1 && (f->flags & O_DIRECT) == 0))
		return 0;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_PIPE_PACKETS, 0, &packets->base, err);
}

static int put_bytes(struct crimg_capture *c, const struct crimg_open_file *f, enum crimg_kind kind,
		     struct crimg_err *err)
{
	PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
	PipePacketsEntry packets = PIPE_PACKETS_ENTRY__INIT;
	int size = fcntl(f->ours, F_GETPIPE_SZ), waiting = 0;
	size_t payload;
	if (size < 0 || ioctl(f->ours, FIONREAD, &waiting) < 0)
		return crimg_fail_sys(err, errno, f->link, "a pipe cannot be looked at");
	uint8_t *bytes = crimg_capture_alloc(c, (size_t)waiting + 1, err);
	packets.length = crimg_capture_alloc(c, ((size_t)waiting + 1) * sizeof *packets.length, err);
	if (bytes == NULL || packets.length == NULL)
		return -1;
	if (waiting > 0 && copy_bytes(f->ours, size, (size_t)waiting, bytes, &packets) < 0)
		return crimg_fail_sys(err, errno, f->link, "%d bytes in a pipe cannot be copied",
				      waiting);
	e.pipe_id = (uint32_t)f->ino;
	e.bytes = (uint32_t)waiting;
	e.has_size = true;
	e.size = (uint32_t)size;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_BYTES, .bytes = bytes, .length = (uint64_t)waiting,
	};
	if (put_packets(c, f, &packets, err) < 0)
		return -1;
	if (waiting == 0)
		return crimg_shelf_put(&c->shelf, kind, 0, &e.base, err);
	if (crimg_shelf_put_payload(&c->shelf, kind, 0, &e.base, &payload, err) < 0)
		return -1;
	return crimg_shelf_add(&c->shelf, payload, run, err);
}

// What waits is told by the end that is read from; when nobody of the tree has that, it is not ours.
int crimg_capture_pipe(struct crimg_capture *c, const struct crimg_open_file *f, bool named,
		       struct crimg_err *err)
{
	bool fresh;
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	if (note_pipe(c, f->ino, &fresh, err) < 0)
		return -1;
	return fresh ? put_bytes(c, f, named ? CRIMG_KIND_FIFO_DATA : CRIMG_KIND_PIPES_DATA, err) : 0;
}
