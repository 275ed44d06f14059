// Pipes and fifos, with the bytes that were in flight.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "producer/restart_parts.h"

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
		    && crimg_restart_pour(r->image, entries.items[i]->payload, fd, err) < 0)
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

static int open_pipe(struct crimg_restart *r, const PipeEntry *e, struct crimg_err *err)
{
	if (make_pipe(r, e->pipe_id, err) < 0)
		return -1;
	bool out = (e->flags & O_ACCMODE) == O_WRONLY;
	int end = crimg_handles_find(&r->handles, out ? CRIMG_HANDLE_PIPE_OUT : CRIMG_HANDLE_PIPE_IN,
	                             e->pipe_id, 0);
	int fd = crimg_handles_reopen(end, (int)e->flags);
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
		handle.fd = crimg_handles_open_path(r, file, O_RDWR | O_NONBLOCK, err);
		if (handle.fd < 0 || (both = crimg_handles_add(&r->handles, handle, err)) < 0)
			return -1;
		if (fill(r, CRIMG_KIND_FIFO_DATA, e->pipe_id, both, err) < 0)
			return -1;
	}
	int fd = crimg_handles_reopen(both, file->path != NULL ? (int)file->path->flags : O_RDWR);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, path, "a fifo");
}

int crimg_restart_open_pipe(struct crimg_restart *r, const struct crimg_file *file,
                            struct crimg_err *err)
{
	return file->type == FD_TYPES__PIPE ? open_pipe(r, file->message, err)
		: open_fifo(r, file, file->message, err);
}
