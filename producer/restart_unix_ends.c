// The unix sockets of an image: found by inode and by name, how each comes to be, and which cannot be made here.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/file_words.h"
#include "format/search.h"
#include "producer/restart_outside.h"
#include "producer/restart_unix.h"
#include "producer/unix_list.h"

#define OUTSIDE 1u // unix_sk_entry.uflags: CRIU dumped its name only

static int by_inode(const void *a, const void *b)
{
	const struct crimg_unix_end *x = a, *y = b;
	return (x->sk->ino > y->sk->ino) - (x->sk->ino < y->sk->ino);
}

size_t crimg_unix_find(const struct crimg_unix_ends *u, uint32_t ino)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, u->count, u->list[at].sk->ino < ino);
	return at < u->count && u->list[at].sk->ino == ino ? at : CRIMG_NO_END;
}

static int compare_names(uint32_t type, ProtobufCBinaryData name, const UnixSkEntry *e)
{
	size_t n = name.len < e->name.len ? name.len : e->name.len;
	int order = memcmp(name.data, e->name.data, n);
	if (type != e->type)
		return type < e->type ? -1 : 1;
	return order != 0 ? order : (name.len > e->name.len) - (name.len < e->name.len);
}

// Of one name, who listens stands first.
static int by_name(const void *a, const void *b, void *context)
{
	const struct crimg_unix_ends *u = context;
	const UnixSkEntry *x = u->list[*(const size_t *)a].sk, *y = u->list[*(const size_t *)b].sk;
	int order = compare_names(x->type, x->name, y);
	return order != 0 ? order : (y->state == CRIMG_UNIX_LISTEN) - (x->state == CRIMG_UNIX_LISTEN);
}

size_t crimg_unix_find_name(const struct crimg_unix_ends *u, uint32_t type, ProtobufCBinaryData name, bool listening)
{
	size_t at;
	if (name.len == 0)
		return CRIMG_NO_END;
	CRIMG_COUNT_BEFORE(at, u->named, compare_names(type, name, u->list[u->by_name[at]].sk) > 0);
	if (at == u->named || compare_names(type, name, u->list[u->by_name[at]].sk) != 0)
		return CRIMG_NO_END;
	return !listening || u->list[u->by_name[at]].sk->state == CRIMG_UNIX_LISTEN ? u->by_name[at] : CRIMG_NO_END;
}

int crimg_unix_fail(const struct crimg_unix_end *e, const char *what, struct crimg_err *err)
{
	char name[160], path[128] = "";
	struct crimg_unix_socket s = { .name = e->sk->name.data, .name_length = e->sk->name.len };
	crimg_unix_name_text(&s, path, sizeof path);
	snprintf(name, sizeof name, "file %u (socket %u%s%s)", e->file->id, e->sk->ino, path[0] != '\0' ? " " : "", path);
	return crimg_fail_sys(err, errno, name, "%s", what);
}

static bool is_ours(struct crimg_restart *r, const struct crimg_file *file)
{
	const UnixSkEntry *sk = file->message;
	return file->type == FD_TYPES__UNIXSK && sk != NULL && (sk->uflags & OUTSIDE) == 0
		&& crimg_restart_inherited(r, file) == NULL;
}

static void list_ends(struct crimg_restart *r, struct crimg_unix_ends *u)
{
	for (size_t i = 0; i < r->files.count; i++) {
		const struct crimg_file *file = &r->files.list[i];
		if (!is_ours(r, file))
			continue;
		struct crimg_unix_end e = { .file = file, .sk = file->message, .holder = SK_CREDS_ENTRY__INIT,
			                    .peer = CRIMG_NO_END, .fd = -1, .other = -1, .path = -1, .queuer = CRIMG_NO_END };
		e.more = crimg_restart_socket_more(r, file->id);
		u->list[u->count++] = e;
	}
	if (u->count > 0)
		qsort(u->list, u->count, sizeof *u->list, by_inode);
	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].sk->name.len > 0)
			u->by_name[u->named++] = i;
	if (u->named > 0)
		qsort_r(u->by_name, u->named, sizeof *u->by_name, by_name, u);
}

static void choose_way(struct crimg_unix_ends *u, struct crimg_unix_end *e)
{
	size_t self = (size_t)(e - u->list);
	bool connected = e->sk->type != SOCK_DGRAM && e->sk->state == CRIMG_UNIX_ESTABLISHED;
	e->peer = e->sk->peer != 0 ? crimg_unix_find(u, e->sk->peer) : CRIMG_NO_END;
	const struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &u->list[e->peer] : NULL;
	e->way = CRIMG_UNIX_ALONE;
	if (connected && peer == NULL)
		e->way = CRIMG_UNIX_ORPHAN;
	else if (connected && peer->sk->state == CRIMG_UNIX_LISTEN)
		e->way = CRIMG_UNIX_WAITS;
	else if (connected)
		e->way = CRIMG_UNIX_PAIR;
	if (peer == NULL || e->sk->type != SOCK_DGRAM)
		return;
	e->counted = peer->sk->peer != e->sk->ino && e->peer != self;
	u->list[e->peer].sources += e->counted;
	if (peer->queuer == CRIMG_NO_END || e->sk->name.len == 0)
		u->list[e->peer].queuer = self;
}

// Whom the kernel holds responsible for it when the image does not tell.
static void find_holders(struct crimg_restart *r, struct crimg_unix_ends *u)
{
	for (size_t i = 0; i < r->tasks.count; i++) {
		const struct crimg_task *t = &r->tasks.list[i];
		struct crimg_list fds;
		struct crimg_err told = CRIMG_ERR_INIT; // by refuse_descriptors()
		if (t->state == CRIMG_TASK_DEAD || crimg_task_list(r->image, t, CRIMG_PART_FDS, &fds, &told) < 0)
			continue;
		for (size_t k = 0; k < fds.count; k++) {
			const struct crimg_file *f = crimg_files_find(&r->files, ((const FdinfoEntry *)fds.items[k])->id);
			if (f == NULL || f->type != FD_TYPES__UNIXSK || f->message == NULL)
				continue;
			size_t at = crimg_unix_find(u, ((const UnixSkEntry *)f->message)->ino);
			if (at != CRIMG_NO_END && u->list[at].holder.pid == 0)
				u->list[at].holder = (SkCredsEntry){ PROTOBUF_C_MESSAGE_INIT(&sk_creds_entry__descriptor),
					t->pid, geteuid(), getegid() };
		}
	}
}

static void refuse(struct crimg_restart *r, const struct crimg_unix_end *e, const char *why)
{
	char name[128] = "";
	struct crimg_unix_socket s = { .name = e->sk->name.data, .name_length = e->sk->name.len };
	crimg_unix_name_text(&s, name, sizeof name);
	crimg_lines_add(&r->refused, "file %u (unix socket %u%s%s): %s", e->file->id, e->sk->ino,
	                name[0] != '\0' ? " " : "", name, why);
}

// Somebody alive has that name here. *way: what is said of it.
static bool is_taken(const struct crimg_unix_list *here, const struct crimg_unix_end *e, uint32_t file_ino, char *why,
                     size_t size)
{
	char holder[128];
	for (size_t i = 0; i < here->count; i++) {
		const struct crimg_unix_socket *s = &here->list[i];
		bool same = file_ino != 0 ? s->has_file && s->file_ino == file_ino
			: s->type == e->sk->type && s->name_length == e->sk->name.len
				&& memcmp(s->name, e->sk->name.data, s->name_length) == 0;
		if (!same || (s->type != SOCK_DGRAM && s->state != CRIMG_UNIX_LISTEN && s->state != CRIMG_UNIX_CLOSE))
			continue;
		crimg_unix_holder(s->ino, holder, sizeof holder);
		snprintf(why, size, "its name is taken: socket %u, which %s", s->ino, holder);
		return true;
	}
	return false;
}

static void refuse_name(struct crimg_restart *r, const struct crimg_unix_list *here, const struct crimg_unix_end *e)
{
	char path[4200] = "", why[256];
	struct stat st;
	bool deleted = e->sk->has_deleted && e->sk->deleted;
	if (e->sk->name.len == 0 || deleted)
		return;
	if (crimg_unix_is_path(e)) {
		snprintf(path, sizeof path, "%s%s%.*s", e->sk->name_dir != NULL ? e->sk->name_dir : "",
		         e->sk->name_dir != NULL ? "/" : "", (int)e->sk->name.len, (const char *)e->sk->name.data);
		if (lstat(path, &st) < 0)
			return;
		if (!S_ISSOCK(st.st_mode))
			refuse(r, e, "another file has its name: bring that away");
		else if (is_taken(here, e, (uint32_t)st.st_ino, why, sizeof why))
			refuse(r, e, why);
	} else if (is_taken(here, e, 0, why, sizeof why)) {
		refuse(r, e, why);
	}
}

// socketpair() connects one to a socket without a name, and nothing else does.
static bool is_out_of_reach(const struct crimg_unix_ends *u, const struct crimg_unix_end *e)
{
	size_t self = (size_t)(e - u->list);
	const struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &u->list[e->peer] : NULL;
	if (peer == NULL || peer->sk->name.len > 0)
		return false;
	return peer->peer == self ? peer->sources > 0 || e->peer == self
		: peer->sources > 1 || (peer->peer != CRIMG_NO_END && u->list[peer->peer].peer == e->peer);
}

// What the kernel would not have made.
static void refuse_end(struct crimg_restart *r, const struct crimg_unix_ends *u, const struct crimg_unix_end *e)
{
	const struct crimg_unix_end *peer = e->peer != CRIMG_NO_END ? &u->list[e->peer] : NULL;
	size_t self = (size_t)(e - u->list);
	if (e->sk->type != SOCK_STREAM && e->sk->type != SOCK_DGRAM && e->sk->type != SOCK_SEQPACKET)
		refuse(r, e, "of an unknown type");
	else if (e->sk->name.len > CRIMG_UNIX_NAME_MAX)
		refuse(r, e, "its name is longer than any that a kernel takes");
	else if (e->sk->uflags != 0)
		refuse(r, e, "criu restores it by a plug-in or its service: not restarted yet");
	else if (e->sk->peer != 0 && peer == NULL)
		refuse(r, e, "its other end is not in the image: take a whole image");
	else if (peer != NULL && peer->sk->type != e->sk->type)
		refuse(r, e, "its other end is of another type");
	else if (e->way == CRIMG_UNIX_PAIR && (peer->peer != self || e->peer == self || peer->way != CRIMG_UNIX_PAIR))
		refuse(r, e, "its other end is connected to another socket");
	else if (e->way == CRIMG_UNIX_WAITS && peer->sk->name.len == 0)
		refuse(r, e, "it waits at a socket that has no name");
	else if (e->sk->type != SOCK_DGRAM && peer != NULL && e->sk->state != CRIMG_UNIX_ESTABLISHED)
		refuse(r, e, "it has another end, and is not connected");
	else if (e->sk->type == SOCK_DGRAM && is_out_of_reach(u, e))
		refuse(r, e, "its other end has no name to be connected to");
	else if (self > 0 && u->list[self - 1].sk->ino == e->sk->ino)
		refuse(r, e, "another one has the same number");
}

void crimg_restart_refuse_unix(struct crimg_restart *r)
{
	struct crimg_unix_ends *u = calloc(1, sizeof *u);
	struct crimg_unix_list here = { .list = NULL };
	struct crimg_err ignored = CRIMG_ERR_INIT; // then a name that is taken is told of when it is wanted
	r->ends = u;
	if (u == NULL || (u->list = calloc(r->files.count + 1, sizeof *u->list)) == NULL
	    || (u->by_name = calloc(r->files.count + 1, sizeof *u->by_name)) == NULL) {
		r->refused.failed = true;
		return;
	}
	list_ends(r, u);
	find_holders(r, u);
	for (size_t i = 0; i < u->count; i++)
		choose_way(u, &u->list[i]);
	int listed = u->named > 0 ? crimg_unix_list_load(&here, &ignored) : -1;
	for (size_t i = 0; i < u->count; i++) {
		refuse_end(r, u, &u->list[i]);
		if (listed == 0 && u->list[i].way == CRIMG_UNIX_ALONE)
			refuse_name(r, &here, &u->list[i]);
	}
	if (listed == 0)
		crimg_unix_list_fini(&here);
}

void crimg_restart_unix_fini(struct crimg_restart *r)
{
	if (r->ends == NULL)
		return;
	for (size_t i = 0; r->ends->list != NULL && i < r->ends->count; i++) {
		if (r->ends->list[i].other >= 0)
			close(r->ends->list[i].other);
		if (r->ends->list[i].path >= 0)
			close(r->ends->list[i].path);
	}
	free(r->ends->list);
	free(r->ends->by_name);
	free(r->ends);
	r->ends = NULL;
}
