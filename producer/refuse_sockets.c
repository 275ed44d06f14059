// Finding the sockets of a tree, and the table of families that are taken.
#include "producer/refuse_sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/search.h"
#include "producer/proc.h"
#include "producer/sockets.h"
#include "producer/tree.h"

static const struct {
	int family;
	int (*refuse)(const struct crimg_seen_sockets *s, struct crimg_err *err); // all of the tree; or NULL
} families[] = {
	{AF_UNIX, crimg_unix_refuse},
	{AF_INET, crimg_inet_sockets_refuse},
	{AF_INET6, NULL}, // with them
	{AF_NETLINK, crimg_netlink_refuse},
	{AF_PACKET, crimg_packet_refuse},
};

struct walk {
	struct crimg_seen_sockets *seen;
	pid_t pid;
	int pidfd;
	struct crimg_err *err;
};

static int family_of(int pidfd, int fd)
{
	int ours = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	int family = ours < 0 ? -1 : crimg_socket_family(ours);
	if (ours >= 0)
		close(ours);
	return family;
}

static int look(void *context, int fd)
{
	const struct walk *w = context;
	struct crimg_seen_socket found = {.pid = w->pid, .fd = fd};
	char path[64], target[64];
	void *array = w->seen->list;
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)w->pid, fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n < 0 || strncmp(target, "socket:[", 8) != 0)
		return 0;
	target[n] = '\0';
	found.ino = strtoull(target + 8, NULL, 10);
	found.family = family_of(w->pidfd, fd);
	if (crimg_grow(&array, &w->seen->capacity, w->seen->count, sizeof *w->seen->list, w->err) < 0)
		return -1;
	w->seen->list = array;
	w->seen->list[w->seen->count++] = found;
	return 0;
}

// Whoever ended meanwhile has none.
static int walk_down(void *context, int pid)
{
	struct walk *up = context, w = *up;
	struct crimg_err gone = CRIMG_ERR_INIT;
	char path[64];
	w.pid = pid;
	w.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (w.pidfd < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	int rc = crimg_each_number(path, look, &w, &gone);
	close(w.pidfd);
	if (rc == 0)
		rc = crimg_each_child(pid, walk_down, context, &gone);
	return rc < 0 && w.err->code != CRIMG_OK ? -1 : 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct crimg_seen_socket *x = a, *y = b;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

const struct crimg_seen_socket *crimg_seen_socket(const struct crimg_seen_sockets *s, uint64_t ino)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, s->count, s->list[at].ino < ino);
	return at < s->count && s->list[at].ino == ino ? &s->list[at] : NULL;
}

// One of a family that no image holds.
static int refuse_stranger(const struct crimg_seen_socket *s, struct crimg_err *err)
{
	static const struct {
		int family;
		const char *name;
	} names[] = {
		{AF_VSOCK, "vsock"}, {AF_ALG, "AF_ALG"}, {AF_BLUETOOTH, "Bluetooth"}, {AF_CAN, "CAN"},
		{AF_KEY, "PF_KEY"}, {AF_TIPC, "TIPC"}, {AF_XDP, "AF_XDP"},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].family == s->family)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d: file descriptor %d is a %s socket", (int)s->pid, s->fd,
					  names[i].name);
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "process %d: file descriptor %d is a socket of family %d", (int)s->pid, s->fd, s->family);
}

bool crimg_seen_inside(const struct crimg_seen_sockets *s, pid_t pid)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err ended = CRIMG_ERR_INIT;
	while (pid > 0 && pid != s->root && crimg_proc_read(pid, "stat", &text, &ended) == 0)
		pid = (pid_t)crimg_stat_number((const char *)text.data, 4);
	crimg_buf_fini(&text);
	return pid == s->root || ended.code != CRIMG_OK;
}

static int refuse_family(const struct crimg_seen_sockets *s, struct crimg_err *err)
{
	for (size_t i = 0; i < s->count; i++) {
		size_t k = 0;
		while (k < sizeof families / sizeof families[0] && families[k].family != s->list[i].family)
			k++;
		if (k == sizeof families / sizeof families[0] && s->list[i].family >= 0)
			return refuse_stranger(&s->list[i], err);
	}
	for (size_t k = 0; s->count > 0 && k < sizeof families / sizeof families[0]; k++)
		if (families[k].refuse != NULL && families[k].refuse(s, err) < 0)
			return -1;
	return 0;
}

int crimg_sockets_refuse(pid_t root, struct crimg_err *err)
{
	struct crimg_seen_sockets seen = {.root = root};
	struct walk w = {.seen = &seen, .err = err};
	int rc = walk_down(&w, root);
	if (rc == 0 && seen.count > 0)
		qsort(seen.list, seen.count, sizeof *seen.list, by_inode);
	if (rc == 0)
		rc = refuse_family(&seen, err);
	free(seen.list);
	return rc;
}
