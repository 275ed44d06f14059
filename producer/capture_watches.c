// Descriptors that watch: inotify, whose watches are told by numbers of file systems and inodes, and processes (pidfd).
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/capture.h"
#include "producer/file_handle.h"
#include "producer/proc.h"

#define LINE_BYTES 512u
#define HANDLE_WORDS 16u // that CRIU writes of each

static int fail_watch(const struct crimg_open_file *f, const char *line, const char *what, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET, "%.120s: %s", line, what);
}

// Hexadecimal digits, two a byte.
static size_t parse_bytes(const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;
	for (unsigned byte; n < size && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		out[n] = (uint8_t)byte;
	return n;
}

static FhEntry *handle_of(struct crimg_capture *c, const char *line, struct crimg_err *err)
{
	uint8_t bytes[8 * HANDLE_WORDS] = { 0 };
	const char *at = strstr(line, "fhandle-bytes:"), *data = strstr(line, "f_handle:");
	FhEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL)
		return NULL;
	fh_entry__init(e);
	e->handle = crimg_capture_alloc(c, HANDLE_WORDS * sizeof *e->handle, err);
	if (e->handle == NULL)
		return NULL;
	if (at != NULL && data != NULL && sscanf(at, "fhandle-bytes:%x fhandle-type:%x", &e->bytes, &e->type) == 2
	    && parse_bytes(data + strlen("f_handle:"), bytes, sizeof bytes) < e->bytes)
		e->bytes = 0;
	for (e->n_handle = 0; e->n_handle < HANDLE_WORDS; e->n_handle++)
		e->handle[e->n_handle] = crimg_get_u64(bytes + 8 * e->n_handle);
	return e;
}

// The path is what is left where the handle means nothing, and for whoever may not use it.
static int put_path(struct crimg_capture *c, const struct crimg_open_file *f, const char *line,
                    InotifyWdEntry *e, struct crimg_err *err)
{
	char link[64], path[PATH_MAX + 1];
	struct stat st;
	int fd = crimg_file_by_handle(e->s_dev, e->f_handle);
	if (fd < 0)
		return fail_watch(f, line, "watches a file that cannot be found by its handle", err);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, PATH_MAX);
	close(fd);
	path[n > 0 ? n : 0] = '\0';
	if (n <= 0 || lstat(path, &st) < 0 || st.st_ino != e->i_ino)
		return fail_watch(f, line, "watches a file that was removed, or has no name here", err);
	e->f_handle->path = crimg_arena_text(&c->arena, path, (size_t)n);
	return e->f_handle->path != NULL ? 0 : crimg_fail_nomem(err, (size_t)n);
}

// "inotify wd:1 ino:a7265a sdev:fe00000 mask:84000100 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:5a26a7…"
static InotifyWdEntry *watch_of(struct crimg_capture *c, const struct crimg_open_file *f, const char *line,
                                struct crimg_err *err)
{
	InotifyWdEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL)
		return NULL;
	inotify_wd_entry__init(e);
	e->id = f->id;
	if (sscanf(line, "inotify wd:%x ino:%" SCNx64 " sdev:%x mask:%x ignored_mask:%x", &e->wd, &e->i_ino,
	           &e->s_dev, &e->mask, &e->ignored_mask) != 5) {
		fail_watch(f, line, "a watch that is told in another way", err);
		return NULL;
	}
	e->f_handle = handle_of(c, line, err);
	return e->f_handle == NULL || put_path(c, f, line, e, err) < 0 ? NULL : e;
}

static int by_number(const void *a, const void *b)
{
	const InotifyWdEntry *x = *(InotifyWdEntry *const *)a, *y = *(InotifyWdEntry *const *)b;
	return x->wd < y->wd ? -1 : x->wd > y->wd;
}

// Events that wait cannot be looked at, only read: that there are some is told.
static int put_lost(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	LostEventsEntry e = LOST_EVENTS_ENTRY__INIT;
	int bytes = 0;
	if (ioctl(f->ours, FIONREAD, &bytes) < 0)
		return crimg_fail_sys(err, errno, f->link, "events that wait cannot be counted");
	e.file_id = f->id;
	e.bytes = (uint32_t)bytes;
	return bytes == 0 ? 0 : crimg_shelf_put(&c->shelf, CRIMG_KIND_LOST_EVENTS, 0, &e.base, err);
}

int crimg_capture_inotify(struct crimg_capture *c, const struct crimg_open_file *f, FileEntry *e,
                          struct crimg_err *err)
{
	size_t most = strlen(f->info) / 32 + 1;
	InotifyFileEntry *i = crimg_capture_alloc(c, sizeof *i, err);
	char line[LINE_BYTES];
	if (i == NULL)
		return -1;
	inotify_file_entry__init(i);
	i->id = f->id;
	i->flags = f->flags;
	i->fown = crimg_capture_owner(c, f->ours, err);
	i->wd = crimg_capture_alloc(c, most * sizeof(void *), err);
	if (i->fown == NULL || i->wd == NULL)
		return -1;
	for (const char *next = f->info; next != NULL && i->n_wd < most;) {
		next = crimg_proc_line(next, line, sizeof line);
		if (strncmp(line, "inotify ", 8) == 0 && (i->wd[i->n_wd++] = watch_of(c, f, line, err)) == NULL)
			return -1;
	}
	if (i->n_wd > 0)
		qsort(i->wd, i->n_wd, sizeof(void *), by_number);
	e->ify = i;
	return put_lost(c, f, err);
}

static bool has_task(const struct crimg_capture *c, int pid)
{
	for (size_t i = 0; i < c->tree.count; i++)
		if (c->tree.tasks[i].pid == pid)
			return true;
	return false;
}

int crimg_capture_pidfd(struct crimg_capture *c, const struct crimg_open_file *f, FileEntry *e,
                        struct crimg_err *err)
{
	const char *pid = crimg_proc_field(f->info, "Pid");
	PidfdEntry *p = crimg_capture_alloc(c, sizeof *p, err);
	if (p == NULL)
		return -1;
	pidfd_entry__init(p);
	p->id = f->id;
	p->ino = (uint32_t)f->ino;
	p->flags = f->flags & (O_NONBLOCK | O_EXCL); // as pidfd_open() takes them
	p->nspid = pid != NULL ? atoi(pid) : 0;
	if (p->nspid != -1 && !has_task(c, p->nspid))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
		                  "is a pidfd of process %d, outside the tree, or of a thread", p->nspid);
	p->fown = crimg_capture_owner(c, f->ours, err);
	e->pidfd = p;
	return p->fown != NULL ? 0 : -1;
}
