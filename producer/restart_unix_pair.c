// Connected sockets: a pair without names is made as one; of others, one end connects, and the other is accepted from
// whoever listens under its name: a socket of the image, or one that is there only for this.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer/restart_unix.h"
#include "producer/unix_list.h"

// What is done as somebody else.
struct deed {
	int fd, number; // number: of those that may wait
	uint32_t type;
	struct crimg_unix_address address;
	int *ends; // shared with who does it
};

static int do_pair(void *context)
{
	struct deed *d = context;
	return socketpair(AF_UNIX, (int)d->type | SOCK_CLOEXEC, 0, d->ends) < 0 ? errno : 0;
}

static int do_listen(void *context)
{
	struct deed *d = context;
	return listen(d->fd, d->number) < 0 ? errno : 0;
}

static int do_connect(void *context)
{
	struct deed *d = context;
	struct sockaddr address[8];
	memcpy(address, d->address.bytes, sizeof d->address.bytes);
	return connect(d->fd, address, d->address.length) < 0 && errno != EISCONN ? errno : 0;
}

// Who made it, as its other end sees that.
static const SkCredsEntry *maker(const struct crimg_unix_end *seen_by, const struct crimg_unix_end *made)
{
	if (seen_by != NULL && seen_by->more != NULL && seen_by->more->peer != NULL)
		return seen_by->more->peer;
	return made != NULL && made->holder.pid != 0 ? &made->holder : NULL;
}

int crimg_unix_socketpair(struct crimg_restart *r, const struct crimg_unix_end *e, const struct crimg_unix_end *peer,
                          int ends[2], struct crimg_err *err)
{
	struct deed d = { .type = e->sk->type };
	d.ends = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (d.ends == MAP_FAILED)
		return crimg_fail_nomem(err, 2 * sizeof(int));
	int rc = crimg_restart_as(r, maker(e, peer), do_pair, &d, err);
	memcpy(ends, d.ends, 2 * sizeof(int));
	munmap(d.ends, 2 * sizeof(int));
	return rc < 0 ? crimg_unix_fail(e, "a pair of sockets", err) : 0;
}

int crimg_unix_listen(struct crimg_restart *r, const struct crimg_unix_end *e, int fd, int backlog,
                      struct crimg_err *err)
{
	struct deed d = { .fd = fd, .number = backlog };
	return crimg_restart_as(r, maker(e, e), do_listen, &d, err);
}

int crimg_unix_connect(struct crimg_restart *r, int fd, const struct crimg_unix_end *e, struct crimg_unix_address to,
                       const struct crimg_unix_end *seen_by, struct crimg_err *err)
{
	struct deed d = { .fd = fd, .address = to };
	return crimg_restart_as(r, maker(seen_by, e), do_connect, &d, err);
}

// Whoever listens under a name: an end of the image, or one for the moment.
struct door {
	const struct crimg_unix_end *named; // whose name it has
	int fd, path;
	bool ours;
};

static void close_door(struct door *d)
{
	if (d->ours) {
		close(d->fd);
		if (d->path >= 0)
			close(d->path);
	}
	*d = (struct door){ .fd = -1, .path = -1 };
}

static int open_door(struct crimg_restart *r, const struct crimg_unix_end *e, struct door *d, struct crimg_err *err)
{
	size_t at = crimg_unix_find_name(r->ends, e->sk->type, e->sk->name, true);
	if (at != CRIMG_NO_END && r->ends->list[at].fd >= 0) {
		*d = (struct door){ .named = e, .fd = r->ends->list[at].fd, .path = r->ends->list[at].path };
		return 0;
	}
	*d = (struct door){ .named = e, .path = -1, .ours = true };
	d->fd = socket(AF_UNIX, (int)e->sk->type | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return crimg_unix_fail(e, "a socket", err);
	const struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &r->ends->list[e->peer] : NULL;
	if (crimg_unix_bind(r, e, d->fd, &d->path, err) < 0
	    || crimg_unix_listen(r, peer != NULL ? peer : e, d->fd, 1, err) < 0) {
		close_door(d);
		return -1;
	}
	return 0;
}

static bool same_name(const struct crimg_unix_end *a, const struct crimg_unix_end *b)
{
	return a != NULL && a->sk->type == b->sk->type && a->sk->name.len == b->sk->name.len
		&& memcmp(a->sk->name.data, b->sk->name.data, a->sk->name.len) == 0;
}

// client: what connects, as crimg has it. *accepted: the other end.
static int pass_door(struct crimg_restart *r, const struct door *door, int client, const struct crimg_unix_end *from,
                     const struct crimg_unix_end *to, int *accepted, struct crimg_err *err)
{
	if (crimg_unix_connect(r, client, from, crimg_unix_address(door->named->sk->name, door->path), to, err) < 0)
		return -1;
	*accepted = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);
	return *accepted >= 0 ? 0 : crimg_unix_fail(door->named, "accepting its other end", err);
}

static int keep(struct crimg_restart *r, struct crimg_unix_end *e, int fd, struct crimg_err *err)
{
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_FILE, .id = e->file->id, .fd = fd };
	const int off = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof off); // from who accepted it
	e->connected = true;
	e->fd = crimg_handles_add(&r->handles, handle, err);
	return e->fd < 0 ? -1 : 0;
}

// e is accepted; its other end has a name of its own, perhaps, or is closed, and had one.
static int make_accepted(struct crimg_restart *r, struct crimg_unix_end *e, const struct door *door,
                         struct crimg_err *err)
{
	struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &r->ends->list[e->peer] : NULL;
	int accepted = -1, path = -1, client = socket(AF_UNIX, (int)e->sk->type | SOCK_CLOEXEC, 0);
	if (client < 0)
		return crimg_unix_fail(e, "a socket", err);
	int rc = 0;
	if (peer != NULL)
		rc = crimg_unix_bind(r, peer, client, &peer->path, err);
	else if (e->more != NULL && e->more->has_peer_name)
		(void)crimg_unix_bind_gone(r, e, e->more->peer_name, client, &path);
	if (path >= 0)
		close(path);
	if (rc == 0)
		rc = pass_door(r, door, client, peer, e, &accepted, err);
	if (rc < 0) {
		close(client);
		return -1;
	}
	if (keep(r, e, accepted, err) < 0) {
		close(client);
		return -1;
	}
	if (peer != NULL)
		return keep(r, peer, client, err);
	e->other = client;
	return 0;
}

// Neither end has a name; or one that nobody has any more.
static int make_plain(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &r->ends->list[e->peer] : NULL;
	int ends[2];
	if (crimg_unix_socketpair(r, e, peer, ends, err) < 0)
		return -1;
	if (keep(r, e, ends[0], err) < 0) {
		close(ends[1]);
		return -1;
	}
	if (peer != NULL)
		return keep(r, peer, ends[1], err);
	e->other = ends[1];
	return 0;
}

// It was connected to a socket that had a name, and is closed: getpeername() tells of that still. 1: that cannot be.
static int make_client(struct crimg_restart *r, struct crimg_unix_end *e, struct crimg_err *err)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	int path = -1, door = socket(AF_UNIX, (int)e->sk->type | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, (int)e->sk->type | SOCK_CLOEXEC, 0);
	if (door >= 0 && client >= 0 && crimg_unix_bind_gone(r, e, e->more->peer_name, door, &path) == 0
	    && crimg_unix_listen(r, e, door, 1, &ignored) == 0
	    && crimg_unix_connect(r, client, e, crimg_unix_address(e->more->peer_name, path), NULL, &ignored) == 0)
		e->other = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	if (door >= 0)
		close(door);
	if (path >= 0)
		close(path);
	if (e->other >= 0)
		return keep(r, e, client, err);
	if (client >= 0)
		close(client);
	return 1;
}

static bool is_connected(const struct crimg_unix_end *e)
{
	return (e->way == CRIMG_UNIX_PAIR || e->way == CRIMG_UNIX_ORPHAN) && e->fd < 0;
}

// Of two names, that is the accepted end's which somebody listens under.
static bool is_accepted(const struct crimg_restart *r, const struct crimg_unix_end *e)
{
	const struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &r->ends->list[e->peer] : NULL;
	return peer == NULL || peer->sk->name.len == 0
		|| crimg_unix_find_name(r->ends, e->sk->type, e->sk->name, true) != CRIMG_NO_END
		|| crimg_unix_find_name(r->ends, peer->sk->type, peer->sk->name, true) == CRIMG_NO_END;
}

int crimg_unix_make_pairs(struct crimg_restart *r, struct crimg_err *err)
{
	struct door door = { .fd = -1, .path = -1 };
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < r->ends->named; i++) {
		struct crimg_unix_end *e = &r->ends->list[r->ends->by_name[i]];
		if (!is_connected(e) || !is_accepted(r, e))
			continue;
		if (!same_name(door.named, e)) {
			close_door(&door);
			rc = open_door(r, e, &door, err);
		}
		if (rc == 0)
			rc = make_accepted(r, e, &door, err);
	}
	close_door(&door);
	for (size_t i = 0; rc == 0 && i < r->ends->count; i++) {
		struct crimg_unix_end *e = &r->ends->list[i];
		if (!is_connected(e))
			continue;
		bool client = e->way == CRIMG_UNIX_ORPHAN && e->more != NULL && e->more->has_peer_name
			&& e->more->peer_name.len > 0;
		int made = client ? make_client(r, e, err) : 1;
		rc = made == 1 ? make_plain(r, e, err) : made;
	}
	return rc;
}
