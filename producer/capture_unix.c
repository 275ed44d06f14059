// A unix socket: who it is, whom it is connected to, and what it has beyond CRIU's message.
#include "producer/capture_unix.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int refuse(const struct crimg_open_file *f, const char *why, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET, "is a unix socket %s", why);
}

// Once an image: while the tree stands, nothing of its sockets changes.
static struct crimg_unix_capture *begin(struct crimg_capture *c, struct crimg_err *err)
{
	if (c->unix_sockets != NULL)
		return c->unix_sockets;
	c->unix_sockets = calloc(1, sizeof *c->unix_sockets);
	if (c->unix_sockets == NULL)
		crimg_fail_nomem(err, sizeof *c->unix_sockets);
	else if (crimg_unix_list_load(&c->unix_sockets->all, err) < 0)
		crimg_capture_unix_fini(c);
	return c->unix_sockets;
}

void crimg_capture_unix_fini(struct crimg_capture *c)
{
	if (c->unix_sockets == NULL)
		return;
	crimg_unix_list_fini(&c->unix_sockets->all);
	free(c->unix_sockets->taken);
	free(c->unix_sockets);
	c->unix_sockets = NULL;
}

static int note(struct crimg_unix_capture *u, const struct crimg_taken_socket *taken, struct crimg_err *err)
{
	void *array = u->taken;
	if (crimg_grow(&array, &u->capacity, u->count, sizeof *u->taken, err) < 0)
		return -1;
	u->taken = array;
	u->taken[u->count++] = *taken;
	return 0;
}

// SO_PEERCRED of a datagram socket, and of one that was never connected, says nobody.
static int put_peer(struct crimg_capture *c, const struct crimg_open_file *f, SkMoreEntry *more, struct crimg_err *err)
{
	struct ucred creds;
	socklen_t length = sizeof creds;
	if (getsockopt(f->ours, SOL_SOCKET, SO_PEERCRED, &creds, &length) < 0 || (creds.pid == 0 && (int)creds.uid == -1))
		return 0;
	more->peer = crimg_arena_alloc(&c->shelf.arena, sizeof *more->peer);
	if (more->peer == NULL)
		return crimg_fail_nomem(err, sizeof *more->peer);
	sk_creds_entry__init(more->peer);
	more->peer->pid = (uint32_t)creds.pid;
	more->peer->uid = creds.uid;
	more->peer->gid = creds.gid;
	return 0;
}

// Who is connected to a socket that was closed still knows its name.
static int put_peer_name(struct crimg_capture *c, const struct crimg_open_file *f, SkMoreEntry *more,
			 struct crimg_err *err)
{
	struct sockaddr_un address;
	socklen_t length = sizeof address;
	if (getpeername(f->ours, (struct sockaddr *)&address, &length) < 0)
		return 0;
	size_t bytes = length > offsetof(struct sockaddr_un, sun_path) ? length - offsetof(struct sockaddr_un, sun_path)
								       : 0;
	if (bytes > sizeof address.sun_path)
		bytes = sizeof address.sun_path;
	more->has_peer_name = true;
	more->peer_name.len = bytes;
	more->peer_name.data = crimg_arena_alloc(&c->shelf.arena, bytes + 1);
	if (more->peer_name.data == NULL)
		return crimg_fail_nomem(err, bytes);
	memcpy(more->peer_name.data, address.sun_path, bytes);
	return 0;
}

// An error that is still to be told: asking for it would tell it. The kernel gives unix sockets no other.
static int look_at_events(const struct crimg_open_file *f, const struct crimg_unix_socket *s, SkMoreEntry *more,
			  struct crimg_err *err)
{
	struct pollfd p = {.fd = f->ours, .events = POLLIN | POLLPRI};
	if (poll(&p, 1, 0) < 0)
		return crimg_fail_sys(err, errno, f->link, "a unix socket cannot be looked at");
	if ((p.revents & POLLPRI) != 0)
		return refuse(f, "with urgent data in it (MSG_OOB)", err);
	if ((p.revents & POLLERR) == 0)
		return 0;
	more->has_error = true;
	more->error = ECONNRESET;
	if (s->type != SOCK_STREAM && s->waiting > 0)
		return refuse(f, "with an error that is to be told before what waits in it can be seen", err);
	return 0;
}

// Its other end: which it is, or that it is closed. A connection that nobody accepted yet has none that has a number,
// and what was sent into it is seen by nobody before that.
static int fill_peer(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_unix_socket *s,
		     UnixSkEntry *e, SkMoreEntry *more, struct crimg_err *err)
{
	e->peer = s->peer;
	if (!s->has_peer || s->peer != 0)
		return 0;
	const struct crimg_unix_socket *at = crimg_unix_list_listener(&c->unix_sockets->all, s->ino);
	if (at == NULL)
		return put_peer_name(c, f, more, err);
	c->passing = s->sent != 0;
	if (c->passing)
		return refuse(f, "with data in a connection that nobody has accepted yet: nobody can see that before",
			      err);
	e->peer = at->ino;
	return 0;
}

static int put(struct crimg_capture *c, const struct crimg_open_file *f, UnixSkEntry *e, struct crimg_err *err)
{
	FileEntry file = FILE_ENTRY__INIT;
	file.type = FD_TYPES__UNIXSK;
	file.id = f->id;
	file.usk = e;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &file.base, err);
}

static void fill(const struct crimg_open_file *f, const struct crimg_unix_socket *s, UnixSkEntry *e)
{
	e->id = f->id;
	e->ino = s->ino;
	e->type = s->type;
	e->state = s->state;
	e->flags = f->flags;
	e->backlog = s->state == CRIMG_UNIX_LISTEN ? s->sent : 0;
	e->has_shutdown = s->shutdown != 0;
	e->shutdown = (SkShutdown)(s->shutdown & SK_SHUTDOWN__BOTH);
	e->has_ns_id = true;
	e->ns_id = CRIMG_CAPTURE_NET_NS;
	e->name.len = s->name_length;
	memcpy(&e->name.data, &s->name, sizeof e->name.data); // not written to
}

static int put_all(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_unix_socket *s,
		   struct crimg_err *err)
{
	UnixSkEntry e = UNIX_SK_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	struct crimg_taken_socket taken = {.ino = s->ino, .id = f->id, .more = SK_MORE_ENTRY__INIT};
	fill(f, s, &e);
	e.opts = &opts;
	e.fown = crimg_capture_owner(c, f->ours, err);
	if (e.fown == NULL || look_at_events(f, s, &taken.more, err) < 0
	    || crimg_capture_socket_options(c, f, &opts, &taken.more, err) < 0
	    || put_peer(c, f, &taken.more, err) < 0 || fill_peer(c, f, s, &e, &taken.more, err) < 0
	    || crimg_capture_unix_name(c, f, s, &e, err) < 0 || put(c, f, &e, err) < 0)
		return -1;
	if (s->state != CRIMG_UNIX_LISTEN && crimg_capture_unix_queue(c, f, s, err) < 0)
		return -1;
	taken.peer = e.peer;
	snprintf(taken.link, sizeof taken.link, "%s", f->link);
	taken.put_more = s->icon_count > 0;
	if (!taken.put_more && crimg_capture_socket_more(c, &taken.more, err) < 0)
		return -1;
	return note(c->unix_sockets, &taken, err);
}

int crimg_capture_unix(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	if (begin(c, err) == NULL)
		return -1;
	const struct crimg_unix_socket *s = crimg_unix_list_find(&c->unix_sockets->all, f->ino);
	return s != NULL ? put_all(c, f, s, err) : refuse(f, "of another network namespace", err);
}

static int by_inode(const void *a, const void *b)
{
	const struct crimg_taken_socket *x = a, *y = b;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

static const struct crimg_taken_socket *find(const struct crimg_unix_capture *u, uint32_t ino)
{
	const struct crimg_taken_socket key = {.ino = ino};
	return bsearch(&key, u->taken, u->count, sizeof key, by_inode);
}

static int fail_outside(const struct crimg_taken_socket *t, const char *what, uint32_t other, struct crimg_err *err)
{
	char holder[128];
	crimg_unix_holder(other, holder, sizeof holder);
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, t->link, CRIMG_NO_OFFSET,
			  "is a unix socket %s socket %u, which %s, outside the tree", what, other, holder);
}

// Who waits to be accepted, in order.
static int put_waiting(struct crimg_capture *c, struct crimg_taken_socket *t, struct crimg_err *err)
{
	const struct crimg_unix_capture *u = c->unix_sockets;
	const struct crimg_unix_socket *s = crimg_unix_list_find(&u->all, t->ino);
	t->more.waiting = crimg_arena_alloc(&c->shelf.arena, s->icon_count * sizeof *t->more.waiting);
	if (t->more.waiting == NULL)
		return crimg_fail_nomem(err, s->icon_count * sizeof *t->more.waiting);
	for (size_t i = 0; i < s->icon_count; i++) {
		const struct crimg_taken_socket *client = find(u, s->icons[i]);
		c->passing = s->icons[i] == 0;
		if (c->passing)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, t->link, CRIMG_NO_OFFSET,
					  "is a unix socket that is to accept a connection whose other end is closed "
					  "already: nobody can see what is in it before");
		if (client == NULL)
			return fail_outside(t, "that is to accept", s->icons[i], err);
		t->more.waiting[t->more.n_waiting++] = client->id;
	}
	return crimg_capture_socket_more(c, &t->more, err);
}

int crimg_capture_unix_ends(struct crimg_capture *c, struct crimg_err *err)
{
	struct crimg_unix_capture *u = c->unix_sockets;
	if (u == NULL)
		return 0;
	qsort(u->taken, u->count, sizeof *u->taken, by_inode);
	for (size_t i = 0; i < u->count; i++) {
		struct crimg_taken_socket *t = &u->taken[i];
		if (t->peer != 0 && find(u, t->peer) == NULL)
			return fail_outside(t, "connected to", t->peer, err);
		if (t->put_more && put_waiting(c, t, err) < 0)
			return -1;
	}
	return 0;
}
