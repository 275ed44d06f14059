// The order in which unix sockets come to be: those that listen or stand alone, connected ones, what waits in them, the
// peers of datagram sockets, who waits to be accepted; then what ends things: options and shutdown.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer/restart_unix.h"
#include "producer/sockets.h"
#include "producer/unix_list.h"

static bool was_deleted(const struct crimg_unix_end *e)
{
	return e->sk->has_deleted && e->sk->deleted;
}

static int keep(struct crimg_restart *r, struct crimg_unix_end *e, int fd, struct crimg_err *err)
{
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_FILE, .id = e->file->id, .fd = fd };
	e->fd = crimg_handles_add(&r->handles, handle, err);
	return e->fd < 0 ? -1 : 0;
}

// Whose datagram peer it is: one that has no name is connected to by being made with it.
static struct crimg_unix_end *unnamed_peer(struct crimg_restart *r, const struct crimg_unix_end *e)
{
	struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &r->ends->list[e->peer] : NULL;
	bool mutual = peer != NULL && peer->peer != CRIMG_NO_END && &r->ends->list[peer->peer] == e;
	return e->sk->type == SOCK_DGRAM && peer != NULL && peer != e
			&& (peer->sk->name.len == 0 || (mutual && e->sk->name.len == 0))
		? peer : NULL;
}

static int forget_peer(const struct crimg_unix_end *e, int fd, struct crimg_err *err)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	return connect(fd, &none, sizeof none) == 0 ? 0 : crimg_unix_fail(e, "having no peer", err);
}

// e, connected to peer; which may be connected to e, or to somebody else, later.
static int make_datagram_pair(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_unix_end *peer,
                              struct crimg_err *err)
{
	int ends[2];
	if (crimg_unix_socketpair(r, e, peer, ends, err) < 0)
		return -1;
	bool mutual = peer->peer == (size_t)(e - r->ends->list);
	int rc = mutual ? 0 : forget_peer(peer, ends[1], err);
	if (keep(r, e, ends[0], err) < 0)
		rc = -1;
	if (keep(r, peer, ends[1], err) < 0)
		rc = -1;
	e->connected = true;
	peer->connected = mutual;
	return rc;
}

// One without a name, to which nobody of the image is connected, is sent to by a socket that is there only for that.
static int make_reachable(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	int ends[2];
	if (crimg_unix_socketpair(r, e, NULL, ends, err) < 0)
		return -1;
	int path = -1;
	e->other = ends[1];
	bool gone = e->more != NULL && e->more->has_peer_name;
	if (gone)
		(void)crimg_unix_bind_gone(r, e, e->more->peer_name, ends[1], &path);
	if (path >= 0)
		close(path);
	int rc = gone ? 0 : forget_peer(e, ends[0], err);
	e->connected = gone;
	return keep(r, e, ends[0], err) < 0 ? -1 : rc;
}

static int make_socket(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	struct crimg_unix_end *peer = unnamed_peer(r, e);
	if (peer != NULL && peer->fd < 0)
		return make_datagram_pair(r, e, peer, err);
	bool paired = e->more != NULL && e->more->has_peer_name && e->more->peer != NULL; // by socketpair()
	if (e->sk->type == SOCK_DGRAM && e->sk->name.len == 0 && e->peer == CRIMG_NO_END
	    && (e->file->queued_packets > 0 || paired))
		return make_reachable(r, e, err);
	int fd = socket(AF_UNIX, (int)e->sk->type | SOCK_CLOEXEC, 0);
	return fd < 0 ? crimg_unix_fail(e, "a socket", err) : keep(r, e, fd, err);
}

// Those that others are made with come first.
static int make_alone(struct crimg_restart *r, struct crimg_err *err)
{
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < r->ends->count; i++) {
			struct crimg_unix_end *e = &r->ends->list[i];
			bool now = turn == 1 || unnamed_peer(r, e) != NULL;
			if (now && e->fd < 0 && (e->way == CRIMG_UNIX_ALONE || e->way == CRIMG_UNIX_WAITS)
			    && make_socket(r, e, err) < 0)
				return -1;
		}
	return 0;
}

// Names of removed files first: others may have them since.
static int name_all(struct crimg_restart *r, struct crimg_err *err)
{
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < r->ends->count; i++) {
			struct crimg_unix_end *e = &r->ends->list[i];
			if (was_deleted(e) != (turn == 0)
			    || (e->way != CRIMG_UNIX_ALONE && e->way != CRIMG_UNIX_WAITS))
				continue;
			if (crimg_unix_bind(r, e, e->fd, &e->path, err) < 0)
				return -1;
			if (e->sk->state == CRIMG_UNIX_LISTEN
			    && crimg_unix_listen(r, e, e->fd, (int)e->sk->backlog, err) < 0)
				return -1;
		}
	return 0;
}

int crimg_restart_make_unix(struct crimg_restart *r, struct crimg_err *err)
{
	if (r->ends->count == 0)
		return 0;
	if (make_alone(r, err) < 0 || name_all(r, err) < 0 || crimg_unix_make_pairs(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->ends->count; i++)
		crimg_socket_set_room(r->ends->list[i].fd);
	return 0;
}

// To a socket that is closed then.
static void connect_to_closed(struct crimg_restart *r, struct crimg_unix_end *e)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	int path = -1;
	e->other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (e->other < 0 || crimg_unix_bind_gone(r, e, e->more->peer_name, e->other, &path) < 0
	    || crimg_unix_connect(r, e->fd, e, crimg_unix_address(e->more->peer_name, path), NULL, &ignored) < 0)
		crimg_lines_add(&r->notes, "file %u: a socket that was connected to one that is closed is not connected now",
				e->file->id);
	if (path >= 0)
		close(path);
}

// Datagram sockets take packets and peers only from who is their peer, once they have one: so what others sent comes
// first, then who is connected to it, then it is connected.
static int settle(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	size_t next = 0;
	if (e->way == CRIMG_UNIX_WAITS)
		return 0;
	struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &r->ends->list[e->peer] : NULL;
	if (crimg_unix_fill(r, e, &next, err) < 0)
		return -1;
	if (e->sk->type == SOCK_DGRAM && peer != NULL && !e->connected
	    && crimg_unix_connect(r, e->fd, e, crimg_unix_address(peer->sk->name, peer->path), NULL, err) < 0)
		return -1;
	if (e->sk->type == SOCK_DGRAM && peer == NULL && !e->connected && e->more != NULL && e->more->has_peer_name)
		connect_to_closed(r, e);
	e->connected = true;
	if (crimg_unix_fill(r, e, &next, err) < 0)
		return -1;
	if (e->counted)
		peer->sources--;
	return 0;
}

// Whoever nobody has to be connected to any more, until none is left.
static int settle_all(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_unix_ends *u = r->ends;
	bool *done = calloc(u->count, sizeof *done);
	int rc = done != NULL ? 0 : crimg_fail_nomem(err, u->count);
	for (size_t i = 0; rc == 0 && i < u->count; i++)
		for (size_t k = i; rc == 0 && k != CRIMG_NO_END && !done[k] && u->list[k].sources == 0;
		     k = u->list[k].sk->type == SOCK_DGRAM ? u->list[k].peer : CRIMG_NO_END) {
			done[k] = true;
			rc = settle(r, &u->list[k], err);
		}
	for (size_t i = 0; rc == 0 && i < u->count; i++) // in a circle, which the kernel does not make
		if (!done[i])
			rc = settle(r, &u->list[i], err);
	free(done);
	return rc;
}

static int give_options(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	int flags = (int)e->sk->flags & O_NONBLOCK;
	if (crimg_restart_socket_options(r, e->file, e->fd, e->sk->opts, err) < 0)
		return -1;
	return fcntl(e->fd, F_SETFL, flags) == 0 ? 0 : crimg_unix_fail(e, "setting its flags", err);
}

// Whoever is accepted has the options of who listens, so that has its own by now.
static int let_wait(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	const struct crimg_unix_end *at = &r->ends->list[e->peer];
	if (e->connected)
		return 0;
	e->connected = true;
	if (fcntl(e->fd, F_SETFL, O_NONBLOCK) < 0
	    || crimg_unix_connect(r, e->fd, e, crimg_unix_address(at->sk->name, at->path), NULL, err) < 0)
		return -1;
	return 0;
}

// In the order that the image tells, if it does.
static int let_all_wait(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_unix_ends *u = r->ends;
	for (size_t i = 0; i < u->count; i++)
		for (size_t k = 0; u->list[i].more != NULL && k < u->list[i].more->n_waiting; k++) {
			const struct crimg_file *f = crimg_files_find(&r->files, u->list[i].more->waiting[k]);
			size_t at = f != NULL && f->type == FD_TYPES__UNIXSK && f->message != NULL
				? crimg_unix_find(u, ((const UnixSkEntry *)f->message)->ino) : CRIMG_NO_END;
			if (at != CRIMG_NO_END && u->list[at].way == CRIMG_UNIX_WAITS && u->list[at].peer == i
			    && let_wait(r, &u->list[at], err) < 0)
				return -1;
		}
	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].way == CRIMG_UNIX_WAITS && let_wait(r, &u->list[i], err) < 0)
			return -1;
	return 0;
}

// What was not read by an end that closes is an error of the other.
static void close_other(struct crimg_unix_end *e)
{
	bool error = e->more != NULL && e->more->has_error && e->more->error == ECONNRESET;
	if (e->other < 0)
		return;
	if (error)
		(void)send(e->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(e->other);
	e->other = -1;
}

static int shut_down(const struct crimg_unix_end *e, struct crimg_err *err)
{
	static const int how[] = { -1, SHUT_RD, SHUT_WR, SHUT_RDWR };
	if (!e->sk->has_shutdown || e->sk->shutdown <= 0 || e->sk->shutdown > SK_SHUTDOWN__BOTH)
		return 0;
	return shutdown(e->fd, how[e->sk->shutdown]) == 0 ? 0 : crimg_unix_fail(e, "shutting it down", err);
}

int crimg_restart_fill_unix(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_unix_ends *u = r->ends;
	if (u->count == 0)
		return 0;
	if (settle_all(r, err) < 0)
		return -1;
	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].way != CRIMG_UNIX_WAITS && give_options(r, &u->list[i], err) < 0)
			return -1;
	if (let_all_wait(r, err) < 0)
		return -1;
	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].way == CRIMG_UNIX_WAITS && give_options(r, &u->list[i], err) < 0)
			return -1;
	for (size_t i = 0; i < u->count; i++) {
		close_other(&u->list[i]);
		if (shut_down(&u->list[i], err) < 0)
			return -1;
	}
	return 0;
}
