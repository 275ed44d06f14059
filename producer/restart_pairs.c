// Pairs of unix sockets, as socketpair() makes them, with what waits in them. Other sockets are refused:
// restart_refuse_files.c asks here which are pairs.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/restart_outside.h"

#define ESTABLISHED 1 // TCP_ESTABLISHED, which unix sockets use too

static const struct crimg_file *find_peer(struct crimg_restart *r, const struct crimg_file *file)
{
	const UnixSkEntry *sk = file->message;
	for (size_t i = 0; i < r->files.count; i++) {
		const UnixSkEntry *other = r->files.list[i].message;
		if (r->files.list[i].type == FD_TYPES__UNIXSK && other != NULL && sk->peer == other->ino
		    && other->peer == sk->ino && other->type == sk->type)
			return &r->files.list[i];
	}
	return NULL;
}

static int select_packets(struct crimg_restart *r, const struct crimg_file *file,
                          struct crimg_entries *out, struct crimg_err *err)
{
	return crimg_image_select_entries(r->image, CRIMG_KIND_SK_QUEUES, "id_for", file->id, out, err);
}

bool crimg_restart_is_pair(struct crimg_restart *r, const struct crimg_file *file)
{
	const UnixSkEntry *sk = file->message;
	struct crimg_entries packets;
	if (file->type != FD_TYPES__UNIXSK || sk == NULL || sk->state != ESTABLISHED
	    || sk->name.len > 0 || sk->peer == 0 || sk->peer == sk->ino || find_peer(r, file) == NULL)
		return false;
	if (select_packets(r, file, &packets, NULL) < 0)
		return false;
	for (size_t i = 0; i < packets.count; i++) {
		const void *message = packets.items[i]->message;
		if (((const SkPacketEntry *)message)->n_scm > 0) // descriptors on their way
			return false;
	}
	return true;
}

static int fail(const struct crimg_file *file, const char *what, struct crimg_err *err)
{
	char name[32];
	int error = errno;
	snprintf(name, sizeof name, "file %u", file->id);
	return crimg_fail_sys(err, error, name, "%s", what);
}

// The kernel doubles what it is told.
static void set_options(const UnixSkEntry *sk, int fd)
{
	const SkOptsEntry *o = sk->opts;
	int send = (int)(o->so_sndbuf / 2), receive = (int)(o->so_rcvbuf / 2), one = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof send) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
	if (o->has_so_passcred && o->so_passcred)
		(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
}

// What waits in file, whose other end is fd: packet by packet.
static int fill(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	struct crimg_entries packets;
	if (select_packets(r, file, &packets, err) < 0)
		return -1;
	for (size_t i = 0; i < packets.count; i++) {
		struct crimg_payload_ref p = packets.items[i]->payload;
		if (p.length > CRIMG_MAX_MESSAGE_BYTES)
			return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
			                  "file %u: a packet of %llu bytes", file->id,
			                  (unsigned long long)p.length);
		uint8_t *data = malloc((size_t)p.length + 1);
		if (data == NULL)
			return crimg_fail_nomem(err, (size_t)p.length);
		int rc = p.number == CRIMG_NO_PAYLOAD || p.length == 0
			? 0 : crimg_image_read(r->image, p.number, 0, data, (size_t)p.length, err);
		if (rc == 0 && send(fd, data, (size_t)p.length, MSG_DONTWAIT) != (ssize_t)p.length)
			rc = fail(file, "what waits in it", err);
		free(data);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int finish_end(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const UnixSkEntry *sk = file->message;
	static const int how[] = { -1, SHUT_RD, SHUT_WR, SHUT_RDWR };
	if (sk->has_shutdown && sk->shutdown > 0 && sk->shutdown <= SK_SHUTDOWN__BOTH
	    && shutdown(fd, how[sk->shutdown]) < 0)
		return fail(file, "shutting it down", err);
	if ((sk->flags & O_NONBLOCK) != 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return fail(file, "setting its flags", err);
	return 0;
}

static int make(struct crimg_restart *r, const struct crimg_file *const files[2], int ends[2],
                struct crimg_err *err)
{
	const UnixSkEntry *sk = files[0]->message;
	if (socketpair(AF_UNIX, (int)sk->type | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(files[0], "a pair of sockets", err);
	for (int i = 0; i < 2; i++)
		set_options(files[i]->message, ends[i]);
	int rc = 0;
	for (int i = 0; rc == 0 && i < 2; i++)
		rc = fill(r, files[i], ends[1 - i], err);
	for (int i = 0; rc == 0 && i < 2; i++)
		rc = finish_end(files[i], ends[i], err);
	if (rc == 0)
		return 0;
	close(ends[0]);
	close(ends[1]);
	return -1;
}

// Both ends at once; the other waits in the table until it is asked for.
int crimg_restart_open_pair(struct crimg_restart *r, const struct crimg_file *file,
                            struct crimg_err *err)
{
	const struct crimg_file *files[2] = { file, find_peer(r, file) };
	int ends[2];
	int made = crimg_handles_find(&r->handles, CRIMG_HANDLE_SOCKET, file->id, 0);
	if (made >= 0)
		return fcntl(made, F_DUPFD_CLOEXEC, 0);
	if (files[1] == NULL)
		return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
		                  "file %u: the other end is missing", file->id);
	if (make(r, files, ends, err) < 0)
		return -1;
	struct crimg_handle other = { .sort = CRIMG_HANDLE_SOCKET, .id = files[1]->id, .fd = ends[1] };
	if (crimg_handles_add(&r->handles, other, err) < 0) {
		close(ends[0]);
		return -1;
	}
	return ends[0];
}
