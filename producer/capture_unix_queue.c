// What waits in a unix socket, read without taking it (MSG_PEEK). What one look shows needs nothing set; behind that
// the socket's peek offset is moved, and put back.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "producer/capture_unix.h"
#include "producer/guard.h"

#define DESCRIPTORS_MAX 253u // a packet brings (SCM_MAX_FD)
#define PACKET_BYTES (256u << 10) // that is tried first; larger ones are looked at again
#define RECEIVE_SHUTDOWN 1u
#define PIDFD_MESSAGE 4 // SCM_PIDFD

struct look {
	struct crimg_capture *c;
	const struct crimg_open_file *f;
	const struct crimg_unix_socket *s;
	int offset_before, offset; // SO_PEEK_OFF; -1: none
	struct crimg_guard guard;  // while that is not what it was
	uint32_t packets;
};

// One packet, or a piece of a stream.
struct piece {
	uint8_t *data;
	size_t length;
	bool cut;
	int fds[DESCRIPTORS_MAX];
	size_t fd_count;
	uint8_t name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	size_t name_length;
	struct ucred creds;
	bool has_creds;
};

static int fail(const struct look *l, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, l->f->link, "%s", what);
}

static void close_all(struct piece *p)
{
	for (size_t i = 0; i < p->fd_count; i++)
		close(p->fds[i]);
	p->fd_count = 0;
}

static void put_offset_back(const void *context)
{
	const struct look *l = context;
	(void)setsockopt(l->f->ours, SOL_SOCKET, SO_PEEK_OFF, &l->offset_before, sizeof l->offset_before);
}

static int move(struct look *l, int offset, struct crimg_err *err)
{
	if (offset == l->offset)
		return 0;
	if (l->guard.pid == 0 && crimg_guard_start(&l->guard, put_offset_back, l, err) < 0)
		return -1;
	if (setsockopt(l->f->ours, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset) < 0)
		return fail(l, "a unix socket's peek offset cannot be set", err);
	l->offset = offset;
	return 0;
}

static void take_descriptors(struct piece *p, const struct cmsghdr *h)
{
	size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
		if (fd < 0)
			continue;
		if (h->cmsg_type == SCM_RIGHTS && p->fd_count < DESCRIPTORS_MAX)
			p->fds[p->fd_count++] = fd;
		else
			close(fd); // a process's, which its credentials tell
	}
}

// Times and labels are made when they are asked for.
static void take_control(struct piece *p, struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (h->cmsg_type == SCM_RIGHTS || h->cmsg_type == PIDFD_MESSAGE)
			take_descriptors(p, h);
		if (h->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&p->creds, CMSG_DATA(h), sizeof p->creds);
			p->has_creds = p->creds.pid != 0; // else nobody was noted when it was sent
		}
	}
}

// 1: there is one; 0: none.
static int peek(struct look *l, int offset, struct piece *p, uint8_t *data, size_t size, struct crimg_err *err)
{
	_Alignas(struct cmsghdr) uint8_t control[4096];
	struct sockaddr_un from = {.sun_family = AF_UNSPEC};
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control,
	};
	*p = (struct piece){.data = data};
	if (move(l, offset, err) < 0)
		return -1;
	l->offset = offset < 0 ? -1 : INT32_MAX; // it moves by itself
	ssize_t n = recvmsg(l->f->ours, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return fail(l, "what waits in a unix socket cannot be seen", err);
	take_control(p, &m);
	p->length = (size_t)n;
	p->cut = (m.msg_flags & MSG_TRUNC) != 0;
	if (l->s->type == SOCK_DGRAM && m.msg_namelen > offsetof(struct sockaddr_un, sun_path)) {
		p->name_length = m.msg_namelen - offsetof(struct sockaddr_un, sun_path);
		if (p->name_length > sizeof p->name)
			p->name_length = sizeof p->name;
		memcpy(p->name, from.sun_path, p->name_length);
	}
	if ((m.msg_flags & MSG_CTRUNC) == 0)
		return 1;
	close_all(p);
	return crimg_fail(err, CRIMG_E_LIMIT, l->f->link, CRIMG_NO_OFFSET,
			  "more control data than %zu bytes with a packet: crimg may have too few descriptors (ulimit -n)",
			  sizeof control);
}

static int put_sender(struct look *l, const struct piece *p, struct crimg_err *err)
{
	SkSenderEntry e = SK_SENDER_ENTRY__INIT;
	SkCredsEntry creds = SK_CREDS_ENTRY__INIT;
	uint8_t name[sizeof p->name];
	if (p->name_length == 0 && !p->has_creds)
		return 0;
	e.id_for = l->f->id;
	e.packet = l->packets;
	memcpy(name, p->name, p->name_length);
	e.has_name = p->name_length > 0;
	e.name.len = p->name_length;
	e.name.data = name;
	creds.pid = (uint32_t)p->creds.pid;
	creds.uid = p->creds.uid;
	creds.gid = p->creds.gid;
	e.creds = p->has_creds ? &creds : NULL;
	return crimg_shelf_put(&l->c->shelf, CRIMG_KIND_SK_SENDERS, 0, &e.base, err);
}

static int put_message(struct look *l, const struct piece *p, SkPacketEntry *e, struct crimg_err *err)
{
	struct crimg_shelf_run run = {.where = CRIMG_SHELF_BYTES, .bytes = p->data, .length = p->length};
	size_t payload;
	if (p->length == 0)
		return crimg_shelf_put(&l->c->shelf, CRIMG_KIND_SK_QUEUES, 0, &e->base, err);
	if (crimg_shelf_put_payload(&l->c->shelf, CRIMG_KIND_SK_QUEUES, 0, &e->base, &payload, err) < 0)
		return -1;
	return crimg_shelf_add(&l->c->shelf, payload, run, err);
}

// Its descriptors are taken over.
static int put(struct look *l, struct piece *p, struct crimg_err *err)
{
	SkPacketEntry e = SK_PACKET_ENTRY__INIT;
	ScmEntry scm = SCM_ENTRY__INIT, *list = &scm;
	uint32_t ids[DESCRIPTORS_MAX];
	scm.type = SCM_RIGHTS;
	scm.rights = ids;
	e.id_for = l->f->id;
	e.length = (uint32_t)p->length;
	e.scm = &list;
	e.n_scm = p->fd_count > 0;
	for (; scm.n_rights < p->fd_count; scm.n_rights++)
		if (crimg_capture_flight(l->c, p->fds[scm.n_rights], &ids[scm.n_rights], err) < 0) {
			for (size_t i = scm.n_rights + 1; i < p->fd_count; i++)
				close(p->fds[i]);
			return -1;
		}
	p->fd_count = 0;
	if (put_message(l, p, &e, err) < 0 || put_sender(l, p, err) < 0)
		return -1;
	l->packets++;
	return 0;
}

// The first look begins at the beginning also without an offset, if there is none.
static int first_offset(const struct look *l)
{
	return l->offset_before < 0 ? -1 : 0;
}

// Descriptors come with the first byte of what they were sent with, which is the last of what one look shows: where
// that begins among the bytes of p, which begins at offset. The kernel copies what was sent at once as a whole, or not:
// where one byte is missing room, what it copies ends in front of that.
static int find_descriptors(struct look *l, int offset, const struct piece *p, size_t *at, struct crimg_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = p->length - 1;
	size_t bytes = (room + page - 1) / page * page;
	uint8_t *map = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct piece front = {.fd_count = 0};
	if (map == MAP_FAILED || mprotect(map + bytes, page, PROT_NONE) < 0) {
		if (map != MAP_FAILED)
			munmap(map, bytes + page);
		return crimg_fail_nomem(err, bytes + page);
	}
	struct crimg_err mine = CRIMG_ERR_INIT;
	int rc = peek(l, offset == 0 ? first_offset(l) : offset, &front, map + bytes - room, p->length, &mine);
	close_all(&front);
	munmap(map, bytes + page);
	*at = rc > 0 ? front.length : 0;
	if (rc > 0 || mine.sys_errno == EFAULT)
		return 0;
	*err = mine;
	return -1;
}

// What is in front of descriptors is a piece of its own.
static int put_piece(struct look *l, int offset, struct piece *p, struct crimg_err *err)
{
	struct piece front = {.data = p->data, .creds = p->creds, .has_creds = p->has_creds};
	if (p->fd_count == 0)
		return put(l, p, err);
	if (find_descriptors(l, offset, p, &front.length, err) < 0) {
		close_all(p);
		return -1;
	}
	if (front.length > 0 && put(l, &front, err) < 0) {
		close_all(p);
		return -1;
	}
	p->data += front.length;
	p->length -= front.length;
	return put(l, p, err);
}

static int look_at_stream(struct look *l, struct crimg_err *err)
{
	int total = 0;
	if (ioctl(l->f->ours, FIONREAD, &total) < 0)
		return fail(l, "what waits in a unix socket cannot be counted", err);
	uint8_t *data = total > 0 ? malloc((size_t)total) : NULL;
	if (data == NULL)
		return total > 0 ? crimg_fail_nomem(err, (size_t)total) : 0;
	int rc = 0;
	for (int at = 0; rc == 0 && at < total;) {
		struct piece p;
		rc = peek(l, at == 0 ? first_offset(l) : at, &p, data, (size_t)(total - at), err);
		if (rc == 0 || (rc > 0 && p.length == 0))
			rc = crimg_fail(err, CRIMG_E_IO, l->f->link, CRIMG_NO_OFFSET,
					"%d bytes wait in a unix socket, of which %d can be seen", total, at);
		else if (rc > 0) {
			int length = (int)p.length;
			rc = put_piece(l, at, &p, err);
			at += length;
		}
	}
	free(data);
	return rc;
}

// 1: taken, *length bytes of it; 0: there is none.
static int look_at_packet(struct look *l, int offset, uint8_t **data, size_t *size, size_t *length,
			  struct crimg_err *err)
{
	struct piece p;
	int rc = peek(l, offset, &p, *data, *size, err);
	while (rc > 0 && p.cut && *size < CRIMG_CAPTURE_MAX_BYTES / 2) {
		close_all(&p);
		uint8_t *grown = realloc(*data, *size * 2);
		if (grown == NULL)
			return crimg_fail_nomem(err, *size * 2);
		*data = grown;
		*size *= 2;
		rc = peek(l, offset, &p, *data, *size, err);
	}
	*length = rc > 0 ? p.length : 0;
	// At the end of a connection nothing is read for ever.
	bool end = rc > 0 && p.length == 0 && l->s->type == SOCK_SEQPACKET
		   && (l->s->shutdown & RECEIVE_SHUTDOWN) != 0 && (uint32_t)(offset < 0 ? 0 : offset) >= l->s->waiting;
	if (rc <= 0 || end)
		return rc < 0 ? -1 : 0;
	return put(l, &p, err) < 0 ? -1 : 1;
}

static int look_at_packets(struct look *l, struct crimg_err *err)
{
	size_t size = PACKET_BYTES, length = 0;
	uint8_t *data = malloc(size);
	if (data == NULL)
		return crimg_fail_nomem(err, size);
	int rc = 1;
	for (int offset = first_offset(l); rc > 0;) {
		rc = look_at_packet(l, offset, &data, &size, &length, err);
		offset = (offset < 0 ? 0 : offset) + (int)length;
	}
	free(data);
	return rc;
}

int crimg_capture_unix_queue(struct crimg_capture *c, const struct crimg_open_file *f,
			     const struct crimg_unix_socket *s, struct crimg_err *err)
{
	struct look l = {.c = c, .f = f, .s = s, .offset_before = -1};
	socklen_t length = sizeof l.offset_before;
	if (getsockopt(f->ours, SOL_SOCKET, SO_PEEK_OFF, &l.offset_before, &length) < 0)
		return fail(&l, "a unix socket's peek offset cannot be asked for", err);
	l.offset = l.offset_before;
	int rc = s->type == SOCK_STREAM ? look_at_stream(&l, err) : look_at_packets(&l, err);
	struct crimg_err mine = CRIMG_ERR_INIT;
	if (move(&l, l.offset_before, &mine) < 0 && rc == 0) {
		*err = mine;
		rc = -1;
	}
	crimg_guard_dismiss(&l.guard);
	return rc;
}
