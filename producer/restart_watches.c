// Descriptors that watch: inotify, whose watches get their old numbers, and processes (pidfd), which crimg opens when
// they are there, and sends to those who have them.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer/file_handle.h"
#include "producer/restart_watches.h"

#define EVENT_BYTES sizeof(struct inotify_event)
#define WATCH_FLAGS (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)
#define NUMBERS_MAX 65536u // watches that are made, and dropped, until one has the number
#define QUEUE_MAX 1048576  // events that are made until the kernel says that there are too many
#define PIDFD_FLAGS (O_NONBLOCK | O_EXCL)

// Events that crimg itself has caused, or all but the last bytes.
static void drain(int fd, int keep)
{
	char events[64 * EVENT_BYTES + 4096];
	int waiting = 0;
	while (ioctl(fd, FIONREAD, &waiting) == 0 && waiting > keep) {
		size_t n = (size_t)(waiting - keep);
		if (read(fd, events, n < sizeof events ? n : keep > 0 ? 64 * EVENT_BYTES : sizeof events) <= 0)
			return;
	}
}

static int open_target(struct crimg_restart *r, const InotifyWdEntry *e)
{
	const char *path = e->f_handle->path != NULL ? e->f_handle->path : "";
	int fd = crimg_file_by_handle(e->s_dev, e->f_handle);
	struct stat st;
	if (fd >= 0 || path[0] != '/')
		return fd;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino != e->i_ino)
		crimg_lines_add(&r->notes, "%s is watched, and another file than then", path);
	return fd;
}

// The kernel numbers watches one after the other.
static int add_watch(struct crimg_restart *r, int fd, const InotifyWdEntry *e, struct crimg_err *err)
{
	char link[40], name[40];
	int target = open_target(r, e), wd = -1;
	snprintf(name, sizeof name, "watch %u", e->wd);
	snprintf(link, sizeof link, "/proc/self/fd/%d", target);
	for (unsigned i = 0; target >= 0 && i < NUMBERS_MAX; i++) {
		wd = inotify_add_watch(fd, link, e->mask & WATCH_FLAGS);
		if (wd < 0 || wd >= (int)e->wd)
			break;
		(void)inotify_rm_watch(fd, wd);
		drain(fd, 0);
	}
	int error = target < 0 ? ENOENT : errno;
	if (target >= 0)
		close(target);
	if (wd < 0)
		return crimg_fail_sys(err, error, name, "of inode %llu, %s",
		                      (unsigned long long)e->i_ino,
		                      e->f_handle->path != NULL ? e->f_handle->path : "which has no path");
	return wd == (int)e->wd ? 0 : crimg_fail(err, CRIMG_E_LIMIT, name, CRIMG_NO_OFFSET,
	                                         "its number cannot be had again: %d given", wd);
}

static int by_number(const void *a, const void *b)
{
	const InotifyWdEntry *x = *(const InotifyWdEntry *const *)a, *y = *(const InotifyWdEntry *const *)b;
	return x->wd < y->wd ? -1 : x->wd > y->wd;
}

static int add_watches(struct crimg_restart *r, int fd, const struct crimg_list *watches, struct crimg_err *err)
{
	const InotifyWdEntry **sorted = calloc(watches->count + 1, sizeof *sorted);
	int rc = sorted != NULL ? 0 : crimg_fail_nomem(err, watches->count * sizeof *sorted);
	for (size_t i = 0; rc == 0 && i < watches->count; i++)
		sorted[i] = watches->items[i];
	if (rc == 0)
		qsort(sorted, watches->count, sizeof *sorted, by_number);
	for (size_t i = 0; rc == 0 && i < watches->count; i++)
		rc = add_watch(r, fd, sorted[i], err);
	free(sorted);
	return rc;
}

int crimg_restart_open_inotify(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	struct crimg_list watches;
	int flags = (crimg_file_flags(file) & O_NONBLOCK) != 0 ? IN_NONBLOCK : 0;
	int fd = inotify_init1(IN_CLOEXEC | flags);
	if (fd < 0)
		return crimg_fail_sys(err, errno, NULL, "an inotify descriptor");
	if (crimg_file_watches(r->image, file, &watches, err) == 0 && add_watches(r, fd, &watches, err) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool lost_events(struct crimg_restart *r, uint32_t id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_LOST_EVENTS, "file_id", id, NULL) != NULL;
}

// Watches of a file that nobody else has come and go until the queue is full; of what the kernel says then, only the
// last is left: that there was more. False: there are too many for that.
static bool overflow(int fd)
{
	char link[40];
	int file = memfd_create("crimg", MFD_CLOEXEC), before = -1, now = 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", file);
	for (int i = 0; i < QUEUE_MAX && now > before; i++) {
		int wd = inotify_add_watch(fd, link, IN_DELETE_SELF);
		before = now;
		if (wd < 0 || inotify_rm_watch(fd, wd) < 0 || ioctl(fd, FIONREAD, &now) < 0)
			break;
	}
	if (file >= 0)
		close(file);
	drain(fd, now > before ? 0 : (int)EVENT_BYTES);
	return now == before;
}

void crimg_restart_hush(struct crimg_restart *r, struct crimg_hushed *hushed)
{
	*hushed = (struct crimg_hushed){ .fds = calloc(r->files.count + 1, sizeof *hushed->fds) };
	for (size_t i = 0; hushed->fds != NULL && i < r->files.count; i++) {
		const struct crimg_file *file = &r->files.list[i];
		int fd = file->type == FD_TYPES__INOTIFY
			? crimg_handles_find(&r->handles, CRIMG_HANDLE_FILE, file->id, 0) : -1;
		if (fd < 0 || (fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
			continue;
		drain(fd, 0);
		if (lost_events(r, file->id))
			crimg_lines_add(&r->notes, overflow(fd)
			                ? "inotify file %u: events that waited are lost; it says so (IN_Q_OVERFLOW)"
			                : "inotify file %u: events that waited are lost, and it cannot say so",
			                file->id);
		else
			hushed->fds[hushed->count++] = fd;
		if (lost_events(r, file->id))
			close(fd);
	}
}

void crimg_restart_hushed(struct crimg_hushed *hushed)
{
	for (size_t i = 0; i < hushed->count; i++) {
		drain(hushed->fds[i], 0);
		close(hushed->fds[i]);
	}
	free(hushed->fds);
}

const PidfdEntry *crimg_restart_pidfd(const struct crimg_file *file)
{
	const PidfdEntry *e = file != NULL && file->type == FD_TYPES__PIDFD ? file->message : NULL;
	return e != NULL && e->nspid > 0 ? e : NULL;
}

static int pidfd_open_as(pid_t pid, const PidfdEntry *e, struct crimg_err *err)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, e->flags & PIDFD_FLAGS);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, NULL, "a pidfd of process %d", e->nspid);
}

// All that are of the same process, before it is waited for: it cannot be opened then.
int crimg_restart_open_pidfd(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const PidfdEntry *first = file->message;
	int found = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return crimg_fail_sys(err, errno, NULL, "a process that ends at once");
	for (size_t i = 0; i < r->files.count; i++) {
		const PidfdEntry *e = r->files.list[i].message;
		if (r->files.list[i].type != FD_TYPES__PIDFD || e == NULL || e->nspid > 0 || e->ino != first->ino)
			continue;
		struct crimg_handle handle = { .sort = CRIMG_HANDLE_FILE, .id = r->files.list[i].id,
			                       .fd = pidfd_open_as(pid, e, err) };
		if (handle.fd < 0)
			break;
		if (r->files.list[i].id == file->id)
			found = handle.fd;
		else if (crimg_handles_add(&r->handles, handle, err) < 0)
			break;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return err->code == CRIMG_OK ? found : -1;
}

static bool wants_channel(const struct crimg_restart *r)
{
	for (size_t i = 0; i < r->files.count; i++)
		if (crimg_restart_pidfd(&r->files.list[i]) != NULL)
			return true;
	return false;
}

int crimg_restart_open_channel(struct crimg_restart *r, struct crimg_err *err)
{
	int ends[2];
	if (!wants_channel(r))
		return 0;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return crimg_fail_sys(err, errno, NULL, "a pair of sockets");
	for (int i = 0, rc = 0; i < 2; i++) {
		struct crimg_handle handle = { .sort = CRIMG_HANDLE_CHANNEL, .id = (uint64_t)i, .fd = ends[i] };
		if (crimg_handles_add(&r->handles, handle, err) < 0)
			rc = -1;
		if (i == 1 && rc < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_open_pidfds(struct crimg_restart *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->files.count; i++) {
		const PidfdEntry *e = crimg_restart_pidfd(&r->files.list[i]);
		const struct crimg_task *t = e != NULL ? crimg_tasks_find(&r->tasks, (uint32_t)e->nspid) : NULL;
		if (t == NULL)
			continue;
		struct crimg_handle handle = { .sort = CRIMG_HANDLE_FILE, .id = r->files.list[i].id };
		handle.fd = pidfd_open_as(r->actors[t - r->tasks.list].number, e, err);
		if (handle.fd < 0 || crimg_handles_add(&r->handles, handle, err) < 0)
			return -1;
	}
	return 0;
}

struct message {
	struct msghdr head;
	struct iovec vector;
	char byte;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

// Where its parts are once it lies at address at.
static void point(struct message *m, uint64_t at)
{
	uint64_t byte = at + offsetof(struct message, byte), vector = at + offsetof(struct message, vector);
	uint64_t control = at + offsetof(struct message, control);
	memset(&m->head, 0, sizeof m->head);
	memcpy(&m->vector.iov_base, &byte, sizeof byte);
	m->vector.iov_len = 1;
	memcpy(&m->head.msg_iov, &vector, sizeof vector);
	m->head.msg_iovlen = 1;
	memcpy(&m->head.msg_control, &control, sizeof control);
	m->head.msg_controllen = sizeof m->control;
}

static int send_fd(int channel, int fd, struct crimg_err *err)
{
	struct message m = { .byte = 'f' };
	point(&m, (uintptr_t)&m);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m.head);
	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) };
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(channel, &m.head, 0) == 1 ? 0 : crimg_fail_sys(err, errno, NULL, "sending a pidfd");
}

int crimg_restart_receive(struct crimg_restart *r, struct crimg_puppet *p, int ours, const FdinfoEntry *fd,
                          struct crimg_err *err)
{
	struct message m = { .byte = 0 };
	int64_t got = 0;
	int theirs = -1;
	if (crimg_puppet_flush(p, err) < 0
	    || send_fd(crimg_handles_find(&r->handles, CRIMG_HANDLE_CHANNEL, 0, 0), ours, err) < 0)
		return -1;
	uint64_t at = crimg_puppet_lend(p, &m, 0); // where the next will be
	point(&m, at);
	at = crimg_puppet_lend(p, &m, sizeof m);
	struct crimg_call call = { .what = "receiving a pidfd", .number = SYS_recvmsg,
		                   .args = { (uint64_t)crimg_handles_find(&r->handles, CRIMG_HANDLE_CHANNEL, 1, 0),
			                     at } };
	if (crimg_puppet_try(p, call, &got, err) < 0)
		return -1;
	if (got != 1)
		return crimg_puppet_fail(p, &call, got, err);
	if (crimg_puppet_read(p, at, &m, sizeof m, err) < 0)
		return -1;
	memcpy(&theirs, m.control + CMSG_LEN(0), sizeof theirs);
	uint64_t flags = fd->flags & FD_CLOEXEC;
	if (theirs == (int)fd->fd)
		return CRIMG_DO(p, err, "a pidfd", NULL, SYS_fcntl, fd->fd, F_SETFD, flags);
	return CRIMG_DO(p, err, "a pidfd", NULL, SYS_dup3, (uint64_t)theirs, fd->fd, flags != 0 ? O_CLOEXEC : 0) < 0
		? -1 : CRIMG_DO(p, err, "closing", NULL, SYS_close, (uint64_t)theirs);
}
