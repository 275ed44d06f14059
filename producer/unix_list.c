// The list, and the search for a process that has a socket.
#include "producer/unix_list.h"

#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/search.h"
#include "producer/proc.h"
#include "producer/socket_diag.h"
#include "producer/tree.h"

#define NAME_MAX_BYTES 108u // sun_path
#define LIST_BYTES ((size_t)1 << 30)

static const void *copy(struct crimg_unix_list *l, const struct crimg_diag_attribute *a, struct crimg_err *err)
{
	void *p = crimg_arena_alloc(&l->arena, a->length + 1);
	if (p == NULL)
		crimg_fail_nomem(err, a->length);
	return p != NULL ? memcpy(p, a->data, a->length) : NULL;
}

static void get(const struct crimg_diag_attribute *a, void *out, size_t size)
{
	if (a->data != NULL && a->length >= size)
		memcpy(out, a->data, size);
}

static int add(void *context, const struct crimg_diag_answer *answer, struct crimg_err *err)
{
	struct crimg_unix_list *l = context;
	struct unix_diag_msg m;
	struct unix_diag_vfs file = {.udiag_vfs_ino = 0};
	struct unix_diag_rqlen queues = {.udiag_rqueue = 0};
	const struct crimg_diag_attribute *a = answer->attributes;
	void *array = l->list;
	memcpy(&m, answer->message, sizeof m);
	struct crimg_unix_socket s = {.ino = m.udiag_ino, .type = m.udiag_type, .state = m.udiag_state};
	s.has_peer = a[UNIX_DIAG_PEER].data != NULL;
	s.has_file = a[UNIX_DIAG_VFS].data != NULL;
	get(&a[UNIX_DIAG_PEER], &s.peer, sizeof s.peer);
	get(&a[UNIX_DIAG_SHUTDOWN], &s.shutdown, sizeof s.shutdown);
	get(&a[UNIX_DIAG_VFS], &file, sizeof file);
	get(&a[UNIX_DIAG_RQLEN], &queues, sizeof queues);
	s.file_ino = file.udiag_vfs_ino;
	s.waiting = queues.udiag_rqueue;
	s.sent = queues.udiag_wqueue;
	if (a[UNIX_DIAG_NAME].data != NULL && a[UNIX_DIAG_NAME].length <= NAME_MAX_BYTES) {
		s.name_length = a[UNIX_DIAG_NAME].length;
		s.name = copy(l, &a[UNIX_DIAG_NAME], err);
		if (s.name == NULL)
			return -1;
	}
	if (a[UNIX_DIAG_ICONS].data != NULL) {
		s.icon_count = a[UNIX_DIAG_ICONS].length / sizeof *s.icons;
		s.icons = copy(l, &a[UNIX_DIAG_ICONS], err);
		if (s.icons == NULL)
			return -1;
	}
	if (crimg_grow(&array, &l->capacity, l->count, sizeof *l->list, err) < 0)
		return -1;
	l->list = array;
	l->list[l->count++] = s;
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct crimg_unix_socket *x = a, *y = b;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

int crimg_unix_list_load(struct crimg_unix_list *out, struct crimg_err *err)
{
	const struct unix_diag_req request = {
		.sdiag_family = AF_UNIX,
		.udiag_states = UINT32_MAX,
		.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS
			      | UDIAG_SHOW_RQLEN,
	};
	*out = (struct crimg_unix_list){.arena = crimg_arena_make(LIST_BYTES)};
	if (crimg_socket_diag(&request, sizeof request, true, sizeof(struct unix_diag_msg), add, out, err) < 0) {
		crimg_unix_list_fini(out);
		return -1;
	}
	if (out->count > 0)
		qsort(out->list, out->count, sizeof *out->list, by_inode);
	return 0;
}

void crimg_unix_list_fini(struct crimg_unix_list *l)
{
	free(l->list);
	crimg_arena_fini(&l->arena);
	*l = (struct crimg_unix_list){.list = NULL};
}

const struct crimg_unix_socket *crimg_unix_list_find(const struct crimg_unix_list *l, uint64_t ino)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, l->count, l->list[at].ino < ino);
	return at < l->count && l->list[at].ino == ino ? &l->list[at] : NULL;
}

const struct crimg_unix_socket *crimg_unix_list_listener(const struct crimg_unix_list *l, uint32_t ino)
{
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < l->list[i].icon_count; k++)
			if (l->list[i].icons[k] == ino)
				return &l->list[i];
	return NULL;
}

struct holder_search {
	char wanted[32];
	int pid, fd;
};

static int look_at_descriptor(void *context, int fd)
{
	struct holder_search *s = context;
	char path[64], target[32];
	snprintf(path, sizeof path, "/proc/%d/fd/%d", s->pid, fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n <= 0)
		return 0;
	target[n] = '\0';
	s->fd = fd;
	return strcmp(target, s->wanted) == 0;
}

static int look_at_process(void *context, int pid)
{
	struct holder_search *s = context;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char path[64];
	s->pid = pid;
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	return crimg_each_number(path, look_at_descriptor, s, &ignored) == 1;
}

pid_t crimg_unix_holder(uint32_t ino, char *out, size_t size)
{
	struct holder_search s = {.pid = 0};
	struct crimg_err ignored = CRIMG_ERR_INIT;
	struct crimg_buf comm = CRIMG_BUF_INIT;
	snprintf(s.wanted, sizeof s.wanted, "socket:[%u]", ino);
	if (crimg_each_number("/proc", look_at_process, &s, &ignored) != 1) {
		snprintf(out, size, "no process that crimg can see has open");
		return 0;
	}
	if (crimg_proc_read(s.pid, "comm", &comm, &ignored) < 0)
		snprintf(out, size, "process %d has as descriptor %d", s.pid, s.fd);
	else
		snprintf(out, size, "process %d (%.*s) has as descriptor %d", s.pid,
			 (int)strcspn((const char *)comm.data, "\n"), (const char *)comm.data, s.fd);
	crimg_buf_fini(&comm);
	return s.pid;
}

void crimg_unix_name_text(const struct crimg_unix_socket *s, char *out, size_t size)
{
	size_t at = 0;
	for (size_t i = 0; i < s->name_length && at + 1 < size; i++) {
		bool last = i + 1 == s->name_length && s->name[i] == '\0' && i > 0;
		if (!last)
			out[at++] = s->name[i] >= ' ' && s->name[i] < 127 ? (char)s->name[i] : i == 0 ? '@' : '?';
	}
	if (size > 0)
		out[at] = '\0';
}
