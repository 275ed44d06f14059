// What an open file is: a table of kinds, told by the inode and by what /proc calls it.
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "producer/capture_inet.h"
#include "producer/capture_unix.h"
#include "producer/devices.h"
#include "producer/proc.h"
#include "producer/sockets.h"

#define LINE_BYTES 256u // of fdinfo

static int put(struct crimg_capture *c, const struct crimg_open_file *f, FileEntry *e, FdTypes type,
	       struct crimg_err *err)
{
	e->type = type;
	e->id = f->id;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e->base, err);
}

// A path with the number id: the file itself, or what a fifo or terminal was opened by.
static int put_path(struct crimg_capture *c, const struct crimg_open_file *f, uint32_t id,
		    struct crimg_err *err)
{
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	reg.id = e.id = id;
	reg.flags = f->flags;
	reg.pos = f->pos;
	reg.fown = crimg_capture_owner(c, f->ours, err);
	if (reg.fown == NULL || crimg_capture_path(c, f->link, f->ours, &reg, err) < 0)
		return -1;
	e.type = FD_TYPES__REG;
	e.reg = &reg;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e.base, err);
}

static int put_reg(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	return put_path(c, f, f->id, err);
}

static int put_memfd(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	MemfdFileEntry m = MEMFD_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	struct crimg_segment *s;
	if (crimg_capture_segment(c, f->ours, f->target, &s, err) < 0)
		return -1;
	m.id = f->id;
	m.flags = f->flags;
	m.pos = f->pos;
	m.inode_id = s->inode_id;
	m.fown = crimg_capture_owner(c, f->ours, err);
	e.memfd = &m;
	return m.fown == NULL ? -1 : put(c, f, &e, FD_TYPES__MEMFD, err);
}

static int put_pipe(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	PipeEntry p = PIPE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	p.id = f->id;
	p.pipe_id = (uint32_t)f->ino;
	p.flags = f->flags;
	p.fown = crimg_capture_owner(c, f->ours, err);
	e.pipe = &p;
	if (p.fown == NULL || put(c, f, &e, FD_TYPES__PIPE, err) < 0)
		return -1;
	return crimg_capture_pipe(c, f, false, err);
}

static int put_fifo(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	FifoEntry p = FIFO_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	p.id = f->id;
	p.pipe_id = (uint32_t)f->ino;
	p.has_regf_id = true;
	p.regf_id = ++c->file.last;
	e.fifo = &p;
	if (put_path(c, f, p.regf_id, err) < 0 || put(c, f, &e, FD_TYPES__FIFO, err) < 0)
		return -1;
	return crimg_capture_pipe(c, f, true, err);
}

static int put_tty(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	TtyFileEntry t = TTY_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	t.has_regf_id = true;
	t.regf_id = ++c->file.last;
	t.fown = crimg_capture_owner(c, f->ours, err);
	e.tty = &t;
	if (t.fown == NULL || put_path(c, f, t.regf_id, err) < 0 || crimg_capture_pty(c, f, &t, err) < 0)
		return -1;
	return put(c, f, &e, FD_TYPES__TTY, err);
}

static uint64_t info_number(const struct crimg_open_file *f, const char *key, int base)
{
	const char *p = crimg_proc_field(f->info, key);
	return p != NULL ? strtoull(p, NULL, base) : 0;
}

static int put_eventfd(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	EventfdFileEntry v = EVENTFD_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	v.id = f->id;
	v.flags = f->flags;
	v.counter = info_number(f, "eventfd-count", 16);
	if (info_number(f, "eventfd-semaphore", 10) != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
				  "is an eventfd that counts like a semaphore: no image tells that");
	v.fown = crimg_capture_owner(c, f->ours, err);
	e.efd = &v;
	return v.fown == NULL ? -1 : put(c, f, &e, FD_TYPES__EVENTFD, err);
}

static int put_signalfd(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	SignalfdEntry s = SIGNALFD_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	s.id = f->id;
	s.flags = f->flags;
	s.sigmask = info_number(f, "sigmask", 16);
	s.fown = crimg_capture_owner(c, f->ours, err);
	e.sgfd = &s;
	return s.fown == NULL ? -1 : put(c, f, &e, FD_TYPES__SIGNALFD, err);
}

// "it_value: (3599, 449116607)"
static void info_time(const struct crimg_open_file *f, const char *key, uint64_t *sec, uint64_t *nsec)
{
	const char *p = crimg_proc_field(f->info, key);
	if (p != NULL && sscanf(p, "(%" SCNu64 ", %" SCNu64 ")", sec, nsec) != 2)
		*sec = *nsec = 0;
}

static int put_timerfd(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	TimerfdEntry t = TIMERFD_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	t.id = f->id;
	t.flags = f->flags;
	t.clockid = (uint32_t)info_number(f, "clockid", 10);
	t.ticks = info_number(f, "ticks", 10);
	t.settime_flags = (uint32_t)info_number(f, "settime flags", 8);
	info_time(f, "it_value", &t.vsec, &t.vnsec);
	info_time(f, "it_interval", &t.isec, &t.insec);
	t.fown = crimg_capture_owner(c, f->ours, err);
	e.tfd = &t;
	return t.fown == NULL ? -1 : put(c, f, &e, FD_TYPES__TIMERFD, err);
}

// "tfd: 10 events: 80000019 data: 1122334455667788  pos:0 ino:40f sdev:10"
static bool parse_target(const char *line, EventpollTfdEntry *e)
{
	unsigned tfd, events, dev;
	uint64_t data, pos, ino;
	if (sscanf(line, " tfd: %u events: %x data: %" SCNx64 " pos:%" SCNu64 " ino:%" SCNx64 " sdev:%x",
		   &tfd, &events, &data, &pos, &ino, &dev) != 6)
		return false;
	e->tfd = tfd;
	e->events = events;
	e->data = data;
	e->has_dev = e->has_inode = e->has_pos = true;
	e->dev = dev;
	e->inode = ino;
	e->pos = pos;
	return true;
}

static int put_epoll(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	EventpollFileEntry p = EVENTPOLL_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	size_t most = strlen(f->info) / 32 + 1;
	EventpollTfdEntry *targets = crimg_capture_alloc(c, most * sizeof *targets, err);
	p.tfd = crimg_capture_alloc(c, most * sizeof(void *), err);
	p.fown = crimg_capture_owner(c, f->ours, err);
	if (targets == NULL || p.tfd == NULL || p.fown == NULL)
		return -1;
	char line[LINE_BYTES];
	for (const char *next = f->info; next != NULL && p.n_tfd < most;) {
		next = crimg_proc_line(next, line, sizeof line);
		eventpoll_tfd_entry__init(&targets[p.n_tfd]);
		if (parse_target(line, &targets[p.n_tfd])) {
			p.tfd[p.n_tfd] = &targets[p.n_tfd];
			p.n_tfd++;
		}
	}
	p.id = f->id;
	p.flags = f->flags;
	e.epfd = &p;
	return put(c, f, &e, FD_TYPES__EVENTPOLL, err);
}

static int put_inotify(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	FileEntry e = FILE_ENTRY__INIT;
	return crimg_capture_inotify(c, f, &e, err) < 0 ? -1 : put(c, f, &e, FD_TYPES__INOTIFY, err);
}

static int put_pidfd(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	FileEntry e = FILE_ENTRY__INIT;
	return crimg_capture_pidfd(c, f, &e, err) < 0 ? -1 : put(c, f, &e, FD_TYPES__PIDFD, err);
}

static bool is_memory_device(const struct crimg_open_file *f)
{
	return crimg_is_memory_device(f->rdev);
}

static bool is_pty(const struct crimg_open_file *f)
{
	return crimg_is_pty(f->rdev);
}

static bool is_inet(const struct crimg_open_file *f)
{
	int family = crimg_socket_family(f->ours);
	return family == AF_INET || family == AF_INET6;
}

static bool is_netlink(const struct crimg_open_file *f)
{
	return crimg_socket_family(f->ours) == AF_NETLINK;
}

static bool is_packet(const struct crimg_open_file *f)
{
	return crimg_socket_family(f->ours) == AF_PACKET;
}

static bool is_unix(const struct crimg_open_file *f)
{
	return crimg_socket_family(f->ours) == AF_UNIX;
}

// The first row that fits. mode 0: any; begin: of the link's target.
static const struct {
	uint32_t mode;
	const char *begin;
	bool (*fits)(const struct crimg_open_file *f);
	FdTypes type;
	int (*put)(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err);
} kinds[] = {
	{S_IFREG, "/memfd:", NULL, FD_TYPES__MEMFD, put_memfd},
	{S_IFREG, "/", NULL, FD_TYPES__REG, put_reg},
	{S_IFDIR, "/", NULL, FD_TYPES__REG, put_reg},
	{S_IFLNK, "/", NULL, FD_TYPES__REG, put_reg}, // opened as a path
	{S_IFIFO, "pipe:", NULL, FD_TYPES__PIPE, put_pipe},
	{S_IFIFO, "/", NULL, FD_TYPES__FIFO, put_fifo},
	{S_IFCHR, "/", is_memory_device, FD_TYPES__REG, put_reg},
	{S_IFCHR, "/", is_pty, FD_TYPES__TTY, put_tty},
	{S_IFSOCK, "socket:", is_inet, FD_TYPES__INETSK, crimg_capture_inet},
	{S_IFSOCK, "socket:", is_netlink, FD_TYPES__NETLINKSK, crimg_capture_netlink},
	{S_IFSOCK, "socket:", is_packet, FD_TYPES__PACKETSK, crimg_capture_packet},
	{S_IFSOCK, "socket:", is_unix, FD_TYPES__UNIXSK, crimg_capture_unix},
	{0, "anon_inode:[eventfd]", NULL, FD_TYPES__EVENTFD, put_eventfd},
	{0, "anon_inode:[eventpoll]", NULL, FD_TYPES__EVENTPOLL, put_epoll},
	{0, "anon_inode:[signalfd]", NULL, FD_TYPES__SIGNALFD, put_signalfd},
	{0, "anon_inode:[timerfd]", NULL, FD_TYPES__TIMERFD, put_timerfd},
	{0, "anon_inode:inotify", NULL, FD_TYPES__INOTIFY, put_inotify},
	{0, "anon_inode:[pidfd]", NULL, FD_TYPES__PIDFD, put_pidfd},
	{0, "pidfd:", NULL, FD_TYPES__PIDFD, put_pidfd},
};

int crimg_capture_open_file(struct crimg_capture *c, const struct crimg_open_file *f, FdTypes *type,
			    struct crimg_err *err)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if ((kinds[i].mode != 0 && (f->mode & S_IFMT) != kinds[i].mode)
		    || strncmp(f->target, kinds[i].begin, strlen(kinds[i].begin)) != 0
		    || (kinds[i].fits != NULL && !kinds[i].fits(f)))
			continue;
		*type = kinds[i].type;
		return kinds[i].put(c, f, err);
	}
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
			  "is %.200s, which no image of ours holds", f->target);
}
