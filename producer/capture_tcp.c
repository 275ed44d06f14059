// The stream of a connection of TCP: its queues, and what both ends have agreed on.
#include <errno.h>
#include <fcntl.h>

#include "producer/capture_inet.h"
#include "producer/net_policy.h"
#include "producer/tcp_repair.h"

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

int crimg_capture_tcp(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_inet *i,
		      uint32_t *state, struct crimg_err *err)
{
	TcpStreamEntry e = TCP_STREAM_ENTRY__INIT;
	uint64_t offset;
	c->connections.without_lock = crimg_net_policy()->without_lock;
	if (crimg_connections_read(&c->connections, f->ours, f->link, i, &e, state, &offset, err) < 0
	    || keep_queues(c, err) < 0)
		return -1;
	return put(c, f, &e, offset, err);
}
