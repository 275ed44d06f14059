// The stream of a connection of TCP: its queues, and what both ends have agreed on.
#include <errno.h>
#include <fcntl.h>

#include "producer/capture_inet.h"
#include "producer/net_policy.h"
#include "producer/parking.h"

// The file of queues stays open as long as the image is read.
static int keep_queues(struct crimg_capture *c, struct crimg_err *err)
{
	if (c->queues_fd > 0)
		return 0;
	int fd = fcntl(c->connections.queues, F_DUPFD_CLOEXEC, 1);
	if (fd < 0)
		return crimg_fail_sys(err, errno, NULL, "a second descriptor");
	c->queues_fd = fd;
	return crimg_shelf_keep(&c->shelf, fd, err);
}

static int put(struct crimg_capture *c, const struct crimg_open_file *f, TcpStreamEntry *e, uint64_t offset,
	       struct crimg_err *err)
{
	size_t payload;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_FILE, .place = c->queues_fd, .address = offset,
		.length = (uint64_t)e->inq_len + e->outq_len,
	};
	uint64_t ino = (uint32_t)f->ino;
	if (run.length == 0)
		return crimg_shelf_put(&c->shelf, CRIMG_KIND_TCP_STREAM, ino, &e->base, err);
	if (crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_TCP_STREAM, ino, &e->base, &payload, err) < 0)
		return -1;
	return crimg_shelf_add(&c->shelf, payload, run, err);
}

int crimg_capture_tcp(struct crimg_capture *c, const struct crimg_open_file *f, size_t index, uint32_t *state,
		      struct crimg_err *err)
{
	TcpStreamEntry e = TCP_STREAM_ENTRY__INIT;
	uint64_t offset;
	if (crimg_connections_read(&c->connections, index, f->link, &e, state, &offset, err) < 0
	    || keep_queues(c, err) < 0)
		return -1;
	return put(c, f, &e, offset, err);
}

int crimg_capture_defer(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_inet *i,
			struct crimg_err *err)
{
	void *array = c->deferred;
	size_t index;
	c->connections.without_lock = crimg_net_policy()->without_lock;
	if (crimg_connections_hold(&c->connections, f->ours, i, &index, err) < 0
	    || crimg_grow(&array, &c->deferred_capacity, c->deferred_count, sizeof *c->deferred, err) < 0)
		return -1;
	c->deferred = array;
	struct crimg_deferred *d = &c->deferred[c->deferred_count++];
	*d = (struct crimg_deferred){.file = *f, .index = index};
	d->file.info = d->file.target = NULL; // they do not live as long
	return 0;
}

int crimg_capture_connections(struct crimg_capture *c, struct crimg_err *err)
{
	struct crimg_parking parking;
	struct crimg_err second = CRIMG_ERR_INIT;
	if (c->deferred_count == 0)
		return 0;
	int rc = crimg_parking_begin(&parking, &c->tree, c->connections.guard_pipe, err);
	for (size_t i = 0; rc == 0 && i < c->deferred_count; i++) {
		struct crimg_deferred *d = &c->deferred[i];
		crimg_arena_reset(&c->arena);
		d->file.ours = c->connections.list[d->index].fd;
		rc = crimg_capture_deferred(c, &d->file, d->index, err);
	}
	if (crimg_parking_end(&parking, &second) < 0 && rc == 0) {
		*err = second;
		rc = -1;
	}
	return rc;
}
