// Unix sockets that no image of ours can hold, as far as that is seen from outside: those whose other end somebody
// outside the tree has. What is on its way through a socket nobody has open: that is seen when the tree stands still
// (capture_unix.c).
#include <stdio.h>
#include <sys/socket.h>

#include "producer/refuse_sockets.h"
#include "producer/unix_list.h"

static int refuse(const struct crimg_seen_sockets *all, const struct crimg_seen_socket *seen, uint32_t other,
		  const char *what, const struct crimg_unix_list *l, struct crimg_err *err)
{
	char holder[128], name[128] = "";
	const struct crimg_unix_socket *o = crimg_unix_list_find(l, other);
	pid_t pid = crimg_unix_holder(other, holder, sizeof holder);
	if (pid == 0 || crimg_seen_inside(all, pid))
		return 0;
	if (o != NULL && o->name_length > 0)
		crimg_unix_name_text(o, name, sizeof name);
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "process %d: file descriptor %d is a socket %s socket %u%s%s, which %s, outside the tree",
			  (int)seen->pid, seen->fd, what, other, name[0] != '\0' ? " " : "", name, holder);
}

static int refuse_one(const struct crimg_seen_sockets *s, const struct crimg_unix_list *l,
		      const struct crimg_seen_socket *seen, struct crimg_err *err)
{
	const struct crimg_unix_socket *u = crimg_unix_list_find(l, seen->ino);
	if (u == NULL)
		return 0; // closed meanwhile, or told of when the tree stands still
	if (u->peer != 0 && crimg_seen_socket(s, u->peer) == NULL
	    && refuse(s, seen, u->peer, "connected to", l, err) < 0)
		return -1;
	for (size_t i = 0; i < u->icon_count; i++)
		if (u->icons[i] != 0 && crimg_seen_socket(s, u->icons[i]) == NULL
		    && refuse(s, seen, u->icons[i], "that is to accept", l, err) < 0)
			return -1;
	const struct crimg_unix_socket *at = u->has_peer && u->peer == 0 ? crimg_unix_list_listener(l, u->ino) : NULL;
	return at != NULL && crimg_seen_socket(s, at->ino) == NULL
		       ? refuse(s, seen, at->ino, "that waits to be accepted by", l, err)
		       : 0;
}

int crimg_unix_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err)
{
	struct crimg_unix_list l;
	if (crimg_unix_list_load(&l, err) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (s->list[i].family == AF_UNIX)
			rc = refuse_one(s, &l, &s->list[i], err);
	crimg_unix_list_fini(&l);
	return rc;
}
