// The descriptor table of a process, and its place in the file system. What an open file is, is
// capture_open.c's business.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "producer/capture_unix.h"
#include "producer/proc.h"

struct numbers {
	int *list;
	size_t count, capacity;
	struct crimg_err *err;
};

static int add_number(void *context, int number)
{
	struct numbers *n = context;
	void *array = n->list;
	if (crimg_grow(&array, &n->capacity, n->count, sizeof *n->list, n->err) < 0)
		return -1;
	n->list = array;
	n->list[n->count++] = number;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const int *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int list_descriptors(pid_t pid, struct numbers *out, struct crimg_err *err)
{
	char path[64];
	out->err = err;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	if (crimg_each_number(path, add_number, out, err) < 0)
		return -1;
	if (out->count > 0)
		qsort(out->list, out->count, sizeof *out->list, by_value);
	return 0;
}

// "flags:	0102" is octal, close-on-exec of the descriptor among them.
static int parse_info(struct crimg_capture *c, struct crimg_open_file *f, bool *close_on_exec,
		      struct crimg_err *err)
{
	char name[64];
	snprintf(name, sizeof name, "fdinfo/%d", f->fd);
	const char *text = crimg_capture_text(c, f->pid, name, err);
	if (text == NULL)
		return -1;
	const char *flags = crimg_proc_field(text, "flags"), *pos = crimg_proc_field(text, "pos");
	if (flags == NULL || pos == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, f->link, CRIMG_NO_OFFSET,
				  "its fdinfo has no flags or no position");
	uint32_t all = (uint32_t)strtoul(flags, NULL, 8);
	*close_on_exec = (all & O_CLOEXEC) != 0;
	f->flags = all & ~(uint32_t)O_CLOEXEC;
	f->pos = strtoull(pos, NULL, 10);
	f->info = crimg_arena_text(&c->arena, text, strlen(text));
	return f->info == NULL ? crimg_fail_nomem(err, strlen(text)) : 0;
}

static int read_target(struct crimg_capture *c, struct crimg_open_file *f, struct crimg_err *err)
{
	char path[PATH_MAX + 1];
	struct stat st;
	ssize_t n = readlink(f->link, path, PATH_MAX);
	if (n < 0 || fstat(f->ours, &st) < 0)
		return crimg_fail_sys(err, errno, f->link, "cannot be looked at");
	f->target = crimg_arena_text(&c->arena, path, (size_t)n);
	f->mode = st.st_mode;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->rdev = st.st_rdev;
	return f->target == NULL ? crimg_fail_nomem(err, (size_t)n) : 0;
}

// What is known of the open file of this number; NULL with err: memory.
static struct crimg_known_file *known_file(struct crimg_capture *c, uint32_t id, struct crimg_err *err)
{
	while (id >= c->known_capacity) {
		size_t before = c->known_capacity;
		void *array = c->known;
		if (crimg_grow(&array, &c->known_capacity, before, sizeof *c->known, err) < 0)
			return NULL;
		c->known = array;
		memset(c->known + before, 0, (c->known_capacity - before) * sizeof *c->known);
	}
	return &c->known[id];
}

static int put_file(struct crimg_capture *c, struct crimg_open_file *f, struct crimg_err *err)
{
	struct crimg_known_file *known = known_file(c, f->id, err);
	FdTypes type = FD_TYPES__UND;
	if (known == NULL || read_target(c, f, err) < 0 || crimg_capture_open_file(c, f, &type, err) < 0)
		return -1;
	c->known[f->id].type = type;
	return 0;
}

int crimg_capture_taken_file(struct crimg_capture *c, int fd, uint32_t id, struct crimg_err *err)
{
	struct crimg_open_file f = {.pid = getpid(), .fd = fd, .ours = fd, .id = id};
	bool ignored;
	snprintf(f.link, sizeof f.link, "/proc/self/fd/%d", fd);
	return parse_info(c, &f, &ignored, err) < 0 ? -1 : put_file(c, &f, err);
}

// And what is on its way through it.
static int put_fresh(struct crimg_capture *c, struct crimg_open_file *f, int pidfd,
		     struct crimg_err *err)
{
	f->ours = (int)syscall(SYS_pidfd_getfd, pidfd, f->fd, 0);
	if (f->ours < 0)
		return crimg_fail_sys(err, errno, f->link, "cannot be taken (pidfd_getfd)");
	int rc = put_file(c, f, err);
	close(f->ours);
	return rc < 0 ? -1 : crimg_capture_flights(c, err);
}

static int put_descriptor(struct crimg_capture *c, pid_t pid, int pidfd, int fd, uint32_t files_id,
			  struct crimg_err *err)
{
	struct crimg_open_file f = {.pid = pid, .fd = fd};
	FdinfoEntry e = FDINFO_ENTRY__INIT;
	bool fresh = false, close_on_exec = false;
	snprintf(f.link, sizeof f.link, "/proc/%d/fd/%d", (int)pid, fd);
	if (parse_info(c, &f, &close_on_exec, err) < 0
	    || crimg_sharing_id(&c->file, pid, fd, &f.id, &fresh, err) < 0
	    || (fresh && put_fresh(c, &f, pidfd, err) < 0))
		return -1;
	e.id = f.id;
	e.fd = (uint32_t)fd;
	e.flags = close_on_exec ? FD_CLOEXEC : 0;
	struct crimg_known_file *known = known_file(c, f.id, err);
	if (known == NULL)
		return -1;
	bool fresh_in_process = known->met_in != pid, fresh_in_all = known->met_in == 0;
	known->met_in = pid;
	e.type = known->type;
	if (crimg_shelf_put(&c->shelf, CRIMG_KIND_FDINFO, files_id, &e.base, err) < 0)
		return -1;
	return crimg_capture_locks(c, &f, fresh_in_all, fresh_in_process, err);
}

int crimg_capture_files(struct crimg_capture *c, const struct crimg_live_task *t, uint32_t files_id,
			struct crimg_err *err)
{
	struct numbers fds = {.list = NULL};
	int pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0), rc = -1;
	if (pidfd < 0)
		return crimg_fail_sys(err, errno, NULL, "process %d cannot be held (pidfd_open)",
				      (int)t->pid);
	if (list_descriptors(t->pid, &fds, err) == 0) {
		rc = 0;
		for (size_t i = 0; rc == 0 && i < fds.count; i++)
			rc = put_descriptor(c, t->pid, pidfd, fds.list[i], files_id, err);
	}
	close(pidfd);
	free(fds.list);
	return rc;
}

int crimg_capture_fs(struct crimg_capture *c, const struct crimg_live_task *t, struct crimg_err *err)
{
	FsEntry e = FS_ENTRY__INIT;
	if (crimg_capture_link(c, t->pid, "cwd", &e.cwd_id, err) < 0
	    || crimg_capture_link(c, t->pid, "root", &e.root_id, err) < 0)
		return -1;
	const char *status = crimg_capture_text(c, t->pid, "status", err);
	if (status == NULL)
		return -1;
	const char *mask = crimg_proc_field(status, "Umask");
	e.has_umask = mask != NULL;
	e.umask = mask != NULL ? (uint32_t)strtoul(mask, NULL, 8) : 0;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FS, (uint64_t)t->pid, &e.base, err);
}
