// Opens the open files of the image, one function a type, before there is any task: all tasks inherit
// them, so that what was one open file is one again.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/restart_inet.h"
#include "producer/restart_outside.h"
#include "producer/restart_ptys.h"
#include "producer/restart_unix.h"
#include "producer/restart_watches.h"

// What F_SETFL can set; O_ASYNC is the business of the task that the descriptor is of.
#define STATUS_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)
#define POUR_BYTES (64u << 10)

int crimg_restart_pour(struct crimg_image *image, struct crimg_payload_ref from, int fd,
                       struct crimg_err *err)
{
	uint8_t buf[POUR_BYTES];
	for (uint64_t at = 0; at < from.length;) {
		size_t n = from.length - at < sizeof buf ? (size_t)(from.length - at) : sizeof buf;
		if (crimg_image_read(image, from.number, at, buf, n, err) < 0)
			return -1;
		ssize_t put = write(fd, buf, n);
		if (put <= 0)
			return crimg_fail_sys(err, put < 0 ? errno : EIO, NULL,
			                      "%llu of %llu bytes could be put back",
			                      (unsigned long long)at, (unsigned long long)from.length);
		at += (uint64_t)put;
	}
	return 0;
}

static int fail_file(const struct crimg_file *file, const char *what, struct crimg_err *err)
{
	char name[32];
	int error = errno;
	snprintf(name, sizeof name, "file %u", file->id);
	return crimg_fail_sys(err, error, name, "%s", what);
}

static int set_flags(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	int flags = (int)crimg_file_flags(file) & STATUS_FLAGS;
	if (flags == 0 || fcntl(fd, F_SETFL, flags) == 0)
		return fd;
	fail_file(file, "setting its flags", err);
	close(fd);
	return -1;
}

// Only said: what is read or written from here on depends on it.
static void note_size(struct crimg_restart *r, const RegFileEntry *reg, int fd)
{
	struct stat st;
	if (reg->has_size && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
	    && (uint64_t)st.st_size != reg->size)
		crimg_lines_add(&r->notes, "%s has %lld bytes, %llu when the image was made", reg->name,
		                (long long)st.st_size, (unsigned long long)reg->size);
}

static int open_regular(struct crimg_restart *r, const struct crimg_file *file,
                        struct crimg_err *err)
{
	const RegFileEntry *reg = file->message;
	int fd = crimg_handles_open_path(r, file, (int)reg->flags, err);
	if (fd < 0)
		return -1;
	if (file->remap == NULL)
		note_size(r, reg, fd);
	// Directories and devices take no position that they did not give.
	if ((reg->flags & O_PATH) == 0 && reg->pos != 0
	    && lseek(fd, (off_t)reg->pos, SEEK_SET) < 0 && errno != ESPIPE) {
		fail_file(file, "setting its position", err);
		close(fd);
		return -1;
	}
	return fd;
}

static int open_eventfd(struct crimg_restart *r, const struct crimg_file *file,
                        struct crimg_err *err)
{
	const EventfdFileEntry *e = file->message;
	int fd = eventfd(0, EFD_CLOEXEC);
	(void)r;
	if (fd < 0 || (e->counter > 0 && write(fd, &e->counter, sizeof e->counter) < 0)) {
		fail_file(file, "an eventfd", err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return set_flags(file, fd, err);
}

static int open_eventpoll(struct crimg_restart *r, const struct crimg_file *file,
                          struct crimg_err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	(void)r;
	return fd < 0 ? fail_file(file, "an epoll", err) : set_flags(file, fd, err);
}

static int open_signalfd(struct crimg_restart *r, const struct crimg_file *file,
                         struct crimg_err *err)
{
	const SignalfdEntry *e = file->message;
	// The C library's set is longer than the kernel's.
	int fd = (int)syscall(SYS_signalfd4, -1, &e->sigmask, sizeof e->sigmask, SFD_CLOEXEC);
	(void)r;
	return fd < 0 ? fail_file(file, "a signalfd", err) : set_flags(file, fd, err);
}

// The time left is told by the image, also where a time of the clock was asked for.
static int set_timerfd(const TimerfdEntry *e, int fd)
{
	struct itimerspec its = {
		.it_interval = { (time_t)e->isec, (long)e->insec },
		.it_value = { (time_t)e->vsec, (long)e->vnsec },
	};
	if (timerfd_settime(fd, 0, &its, NULL) < 0)
		return -1;
	uint64_t ticks = e->ticks;
	return ticks > 0 ? ioctl(fd, _IOW('T', 0, uint64_t), &ticks) : 0;
}

static int open_timerfd(struct crimg_restart *r, const struct crimg_file *file,
                        struct crimg_err *err)
{
	const TimerfdEntry *e = file->message;
	int fd = timerfd_create((int)e->clockid, TFD_CLOEXEC);
	(void)r;
	if (fd < 0 || set_timerfd(e, fd) < 0) {
		fail_file(file, "a timerfd", err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return set_flags(file, fd, err);
}

static int open_terminal(struct crimg_restart *r, const struct crimg_file *file,
                         struct crimg_err *err)
{
	if (crimg_restart_has_master(r, file))
		return crimg_restart_open_pty(r, file, err);
	int fd = crimg_handles_reopen(crimg_restart_terminal(), (int)crimg_file_flags(file));
	return fd < 0 ? fail_file(file, "crimg's terminal", err) : fd;
}

static int open_memfd(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const MemfdFileEntry *e = file->message;
	const MemfdInodeEntry *inode = crimg_restart_inode(r, e->inode_id);
	int from = inode != NULL
		? crimg_handles_find(&r->handles, CRIMG_HANDLE_SEGMENT, inode->shmid, 0) : -1;
	int fd = from >= 0 ? crimg_handles_reopen(from, (int)e->flags) : -1;
	if (fd < 0 || lseek(fd, (off_t)e->pos, SEEK_SET) < 0) {
		fail_file(file, "a memory file", err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static const struct {
	FdTypes type;
	int (*open)(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err);
} openers[] = {
	{ FD_TYPES__REG, open_regular },         { FD_TYPES__PIPE, crimg_restart_open_pipe },
	{ FD_TYPES__FIFO, crimg_restart_open_pipe }, { FD_TYPES__EVENTFD, open_eventfd },
	{ FD_TYPES__EVENTPOLL, open_eventpoll }, { FD_TYPES__SIGNALFD, open_signalfd },
	{ FD_TYPES__TIMERFD, open_timerfd },     { FD_TYPES__TTY, open_terminal },
	{ FD_TYPES__INETSK, crimg_restart_open_inet }, { FD_TYPES__NETLINKSK, crimg_restart_open_netlink },
	{ FD_TYPES__PACKETSK, crimg_restart_open_packet }, { FD_TYPES__MEMFD, open_memfd },
	{ FD_TYPES__INOTIFY, crimg_restart_open_inotify }, { FD_TYPES__PIDFD, crimg_restart_open_pidfd },
};

static int open_file(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const struct crimg_inherit *inherited = crimg_restart_inherited(r, file);
	if (inherited != NULL) {
		int fd = fcntl(inherited->fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? fail_file(file, "the descriptor given with --inherit", err) : fd;
	}
	for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++)
		if (openers[i].type == file->type)
			return openers[i].open(r, file, err);
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET, "file %u: unknown type",
	                  file->id);
}

int crimg_restart_need_file(struct crimg_restart *r, uint32_t id, struct crimg_err *err)
{
	const struct crimg_file *file = crimg_files_find(&r->files, id);
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_FILE, .id = id };
	if (crimg_handles_find(&r->handles, CRIMG_HANDLE_FILE, id, 0) >= 0 || crimg_restart_pidfd(file) != NULL)
		return 0;
	if (file == NULL)
		return crimg_fail(err, CRIMG_E_NOTFOUND, r->options->path, CRIMG_NO_OFFSET,
		                  "file %u is missing in the image: take a whole image", id);
	handle.fd = open_file(r, file, err);
	if (handle.fd < 0)
		return -1;
	return crimg_handles_add(&r->handles, handle, err) < 0 ? -1 : 0;
}

static int open_of_task(struct crimg_restart *r, const struct crimg_task *t, struct crimg_err *err)
{
	struct crimg_list fds;
	if (crimg_task_list(r->image, t, CRIMG_PART_FDS, &fds, err) < 0)
		return -1;
	for (size_t i = 0; i < fds.count; i++)
		if (crimg_restart_need_file(r, ((const FdinfoEntry *)fds.items[i])->id, err) < 0)
			return -1;
	if (t->fs == NULL)
		return 0;
	if (crimg_restart_need_file(r, t->fs->cwd_id, err) < 0)
		return -1;
	return crimg_restart_need_file(r, t->fs->root_id, err);
}

int crimg_restart_open_files(struct crimg_restart *r, struct crimg_err *err)
{
	if (crimg_restart_make_unix(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->tasks.count; i++)
		if (r->tasks.list[i].state != CRIMG_TASK_DEAD
		    && open_of_task(r, &r->tasks.list[i], err) < 0)
			return -1;
	return crimg_restart_fill_unix(r, err) < 0 ? -1 : crimg_restart_settle_inet(r, err);
}
