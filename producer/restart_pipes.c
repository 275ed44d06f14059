// Pipes and fifos, with the bytes that were in flight.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "producer/restart_parts.h"

#define KERNEL_LARGEFILE 0100000u // O_LARGEFILE, which the C library hides

static const PipePacketsEntry *packets_of(struct crimg_restart *r, uint32_t pipe_id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_PIPE_PACKETS, "pipe_id", pipe_id, NULL);
}

// A write each, in packet mode: so they are packets again.
static int pour_packets(struct crimg_restart *r, const PipePacketsEntry *packets,
                        struct crimg_payload_ref from, int fd, struct crimg_err *err)
{
	uint8_t buf[PIPE_BUF];
	uint64_t at = 0;
	for (size_t i = 0; i < packets->n_length; i++) {
		size_t n = packets->length[i];
		if (n > sizeof buf || n > from.length - at)
			return crimg_fail(err, CRIMG_E_FORMAT, "pipe-packets.img", CRIMG_NO_OFFSET,
			                  "packet %zu of pipe:[%u]: %zu bytes found, at most %zu wanted", i,
			                  packets->pipe_id, n, sizeof buf);
		if (crimg_image_read(r->image, from.number, at, buf, n, err) < 0)
			return -1;
		if (write(fd, buf, n) != (ssize_t)n)
			return crimg_fail_sys(err, errno, NULL, "a packet of pipe:[%u]", packets->pipe_id);
		at += n;
	}
	if (at != from.length)
		return crimg_fail(err, CRIMG_E_FORMAT, "pipe-packets.img", CRIMG_NO_OFFSET,
		                  "packets of pipe:[%u]: %llu bytes found, %llu wanted", packets->pipe_id,
		                  (unsigned long long)at, (unsigned long long)from.length);
	return 0;
}

static int pour(struct crimg_restart *r, uint32_t pipe_id, struct crimg_payload_ref from, int fd,
                struct crimg_err *err)
{
	const PipePacketsEntry *packets = packets_of(r, pipe_id);
	if (packets == NULL)
		return crimg_restart_pour(r->image, from, fd, err);
	if (fcntl(fd, F_SETFL, O_NONBLOCK | O_DIRECT) < 0)
		return crimg_fail_sys(err, errno, NULL, "packet mode of pipe:[%u]", pipe_id);
	return pour_packets(r, packets, from, fd, err);
}

// Puts back what was in the pipe, whose write end is fd.
static int fill(struct crimg_restart *r, enum crimg_kind kind, uint32_t pipe_id, int fd,
                struct crimg_err *err)
{
	struct crimg_entries entries;
	char name[32];
	snprintf(name, sizeof name, "pipe:[%u]", pipe_id);
	if (crimg_image_select_entries(r->image, kind, "pipe_id", pipe_id, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		const void *message = entries.items[i]->message;
		const PipeDataEntry *data = message;
		if (data->has_size && data->size > 0 && fcntl(fd, F_SETPIPE_SZ, (int)data->size) < 0)
			return crimg_fail_sys(err, errno, name, "a size of %u bytes", data->size);
		if (entries.items[i]->payload.number != CRIMG_NO_PAYLOAD
		    && pour(r, pipe_id, entries.items[i]->payload, fd, err) < 0)
			return -1;
	}
	return 0;
}

static int make_pipe(struct crimg_restart *r, uint32_t pipe_id, struct crimg_err *err)
{
	int ends[2];
	struct crimg_handle handle = { .id = pipe_id };
	if (crimg_handles_find(&r->handles, CRIMG_HANDLE_PIPE_IN, pipe_id, 0) >= 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return crimg_fail_sys(err, errno, NULL, "a pipe");
	int rc = fill(r, CRIMG_KIND_PIPES_DATA, pipe_id, ends[1], err);
	handle.sort = CRIMG_HANDLE_PIPE_IN, handle.fd = ends[0];
	if (crimg_handles_add(&r->handles, handle, err) < 0)
		rc = -1;
	handle.sort = CRIMG_HANDLE_PIPE_OUT, handle.fd = ends[1];
	if (crimg_handles_add(&r->handles, handle, err) < 0)
		rc = -1;
	return rc;
}

// open() takes no O_DIRECT for a pipe.
static int reopen(int end, int flags)
{
	int fd = crimg_handles_reopen(end, flags & ~O_DIRECT);
	if (fd < 0 || (flags & O_DIRECT) == 0 || fcntl(fd, F_SETFL, flags & (O_DIRECT | O_NONBLOCK)) == 0)
		return fd;
	close(fd);
	return -1;
}

// The end as pipe() gave it, for the first file that is one: what is opened again has O_LARGEFILE, by which it
// can be told from the former. That it is taken is noted by a second handle.
static int take_end(struct crimg_restart *r, enum crimg_handle_sort sort, const PipeEntry *e, struct crimg_err *err)
{
	struct crimg_handle taken = { .sort = sort, .id = e->pipe_id, .more = 2 };
	int end = crimg_handles_find(&r->handles, sort, e->pipe_id, 0);
	if ((e->flags & KERNEL_LARGEFILE) != 0 || crimg_handles_find(&r->handles, sort, e->pipe_id, 2) >= 0)
		return reopen(end, (int)e->flags);
	int fd = fcntl(end, F_DUPFD_CLOEXEC, 0);
	taken.fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (taken.fd >= 0 && fcntl(fd, F_SETFL, (int)e->flags & (O_DIRECT | O_NONBLOCK)) == 0
	    && crimg_handles_add(&r->handles, taken, err) >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_pipe(struct crimg_restart *r, const PipeEntry *e, struct crimg_err *err)
{
	if (make_pipe(r, e->pipe_id, err) < 0)
		return -1;
	bool out = (e->flags & O_ACCMODE) == O_WRONLY;
	int fd = take_end(r, out ? CRIMG_HANDLE_PIPE_OUT : CRIMG_HANDLE_PIPE_IN, e, err);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, NULL, "an end of pipe:[%u]", e->pipe_id);
}

// While it is open for both, neither side waits for the other.
static int open_fifo(struct crimg_restart *r, const struct crimg_file *file, const FifoEntry *e,
                     struct crimg_err *err)
{
	const char *path = file->path != NULL ? file->path->name : "";
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_PIPE_OUT, .id = e->pipe_id, .more = 1 };
	int both = crimg_handles_find(&r->handles, handle.sort, handle.id, handle.more);
	if (both < 0) {
		const struct crimg_file *named =
			file->path != NULL ? crimg_files_find(&r->files, file->path->id) : NULL;
		handle.fd = crimg_handles_open_path(r, named != NULL ? named : file, O_RDWR | O_NONBLOCK, err);
		if (handle.fd < 0 || (both = crimg_handles_add(&r->handles, handle, err)) < 0)
			return -1;
		if (fill(r, CRIMG_KIND_FIFO_DATA, e->pipe_id, both, err) < 0)
			return -1;
	}
	int fd = reopen(both, file->path != NULL ? (int)file->path->flags : O_RDWR);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, path, "a fifo");
}

int crimg_restart_open_pipe(struct crimg_restart *r, const struct crimg_file *file,
                            struct crimg_err *err)
{
	return file->type == FD_TYPES__PIPE ? open_pipe(r, file->message, err)
		: open_fifo(r, file, file->message, err);
}
