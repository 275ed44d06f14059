// Descriptors that puppets inherit from crimg: their table, and the opening of paths.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/search.h"
#include "producer/restart_watches.h"

// Of a file's flags those that were for its first opening, and O_ASYNC, which open() would note and not do.
#define NOT_AGAIN (O_CREAT | O_EXCL | O_TRUNC | O_ASYNC)

static int order(const struct crimg_handle *a, const struct crimg_handle *b)
{
	if (a->sort != b->sort)
		return a->sort < b->sort ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->more < b->more ? -1 : a->more > b->more;
}

// The place of the first handle that is not before key.
static size_t place_of(const struct crimg_handles *h, const struct crimg_handle *key)
{
	size_t at = 0;
	CRIMG_COUNT_BEFORE(at, h->count, order(&h->list[at], key) < 0);
	return at;
}

int crimg_handles_find(const struct crimg_handles *h, enum crimg_handle_sort sort, uint64_t id,
                       uint64_t more)
{
	struct crimg_handle key = { .sort = sort, .id = id, .more = more };
	size_t at = place_of(h, &key);
	return at < h->count && order(&h->list[at], &key) == 0 ? h->list[at].fd : -1;
}

int crimg_handles_add(struct crimg_handles *h, struct crimg_handle handle, struct crimg_err *err)
{
	void *array = h->list;
	int fd = fcntl(handle.fd, F_DUPFD, h->base), error = errno;
	close(handle.fd);
	if (fd < 0)
		return crimg_fail_sys(err, error, NULL, "a descriptor above %d: raise the limit on open "
		                      "files (ulimit -n)", h->base);
	handle.fd = fd;
	if (crimg_grow(&array, &h->capacity, h->count, sizeof *h->list, err) < 0) {
		close(fd);
		return -1;
	}
	h->list = array;
	size_t at = place_of(h, &handle);
	memmove(h->list + at + 1, h->list + at, (h->count - at) * sizeof *h->list);
	h->list[at] = handle;
	h->count++;
	return fd;
}

void crimg_handles_close(struct crimg_handles *h)
{
	for (size_t i = 0; i < h->count; i++)
		close(h->list[i].fd);
	free(h->list);
	*h = (struct crimg_handles){ .list = NULL };
}

int crimg_handles_reopen(int fd, int flags)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, (flags & ~NOT_AGAIN) | O_CLOEXEC | O_NOCTTY);
}

int crimg_handles_open_path(struct crimg_restart *r, const struct crimg_file *file, int flags,
                            struct crimg_err *err)
{
	const char *path = file->path != NULL ? file->path->name : "";
	if (file->remap != NULL)
		return crimg_restart_open_ghost(r, file, flags, err);
	int fd = open(path, (flags & ~NOT_AGAIN) | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, path, "cannot be opened");
}

// Files whose contents have changed since are not those that the tasks know.
static int check_mapped(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const RegFileEntry *reg = file->message;
	struct stat st;
	if (file->type != FD_TYPES__REG || file->remap != NULL || !reg->has_size
	    || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size == reg->size)
		return 0;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, reg->name, CRIMG_NO_OFFSET,
	                  "%lld bytes found, %llu wanted: it is mapped, and not the file of then; "
	                  "bring that one along", (long long)st.st_size,
	                  (unsigned long long)reg->size);
}

static int open_mapped(struct crimg_restart *r, const struct crimg_file *file, bool shared,
                       struct crimg_err *err)
{
	struct crimg_handle handle = {
		.sort = shared ? CRIMG_HANDLE_SHARED : CRIMG_HANDLE_MAPPED, .id = file->id,
	};
	if (crimg_handles_find(&r->handles, handle.sort, handle.id, 0) >= 0)
		return 0;
	handle.fd = crimg_handles_open_path(r, file, shared ? O_RDWR : O_RDONLY, err);
	if (handle.fd < 0)
		return -1;
	if (!shared && check_mapped(file, handle.fd, err) < 0) {
		close(handle.fd);
		return -1;
	}
	return crimg_handles_add(&r->handles, handle, err) < 0 ? -1 : 0;
}

static int fail_missing(const struct crimg_actor *a, const char *what, uint64_t id,
                        struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
	                  "task %u: %s %llu is missing in the image: take a whole image",
	                  a->task->pid, what, (unsigned long long)id);
}

static int open_area(struct crimg_restart *r, const struct crimg_actor *a, const VmaEntry *v,
                     struct crimg_err *err)
{
	if ((v->status & CRIMG_VMA_FILE) == 0 || (v->status & CRIMG_VMA_MEMFD) != 0)
		return 0;
	const struct crimg_file *file = crimg_files_find(&r->files, (uint32_t)v->shmid);
	if (file == NULL || file->path == NULL)
		return fail_missing(a, "mapped file", v->shmid, err);
	// Only what may be written must be open for that.
	bool writable = (v->prot & CRIMG_PROT_WRITE) != 0
		|| (v->has_fdflags && (v->fdflags & O_ACCMODE) == O_RDWR);
	return open_mapped(r, file, (v->status & CRIMG_VMA_FILE_SHARED) != 0 && writable, err);
}

static int open_of_task(struct crimg_restart *r, const struct crimg_actor *a, struct crimg_err *err)
{
	for (size_t i = 0; i < a->space.count; i++)
		if (open_area(r, a, a->space.areas[i].vma, err) < 0)
			return -1;
	if (a->task->mm == NULL || a->task->mm->exe_file_id == 0)
		return 0;
	const struct crimg_file *exe = crimg_files_find(&r->files, a->task->mm->exe_file_id);
	if (exe == NULL || exe->path == NULL)
		return fail_missing(a, "executable", a->task->mm->exe_file_id, err);
	return open_mapped(r, exe, false, err);
}

// The files that hold pages, in this image and its parents, as far as the kernel can read from them.
static int open_pages(struct crimg_restart *r, struct crimg_image *image, struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_PAGES);
	struct crimg_span span;
	struct stat st;
	for (; o != NULL; o = crimg_image_next(image, o)) {
		if (o->payload.number == CRIMG_NO_PAYLOAD || o->payload.length == 0)
			continue;
		int rc = crimg_image_locate(image, o->payload.number, 0, &span, err);
		if (rc < 0)
			return -1;
		if (rc == 0 || span.source->fd < 0 || fstat(span.source->fd, &st) < 0
		    || crimg_handles_find(&r->handles, CRIMG_HANDLE_PAGES, st.st_ino, st.st_dev) >= 0)
			continue;
		struct crimg_handle handle = { CRIMG_HANDLE_PAGES, st.st_ino, st.st_dev,
			                       fcntl(span.source->fd, F_DUPFD_CLOEXEC, 0) };
		if (handle.fd < 0)
			return crimg_fail_sys(err, errno, o->origin, "a second descriptor");
		if (crimg_handles_add(&r->handles, handle, err) < 0)
			return -1;
	}
	return 0;
}

static int choose_base(struct crimg_restart *r, struct crimg_err *err)
{
	struct rlimit limit;
	struct crimg_list fds;
	r->handles.base = 16;
	for (size_t i = 0; i < r->tasks.count; i++) {
		if (r->tasks.list[i].state == CRIMG_TASK_DEAD)
			continue;
		if (crimg_task_list(r->image, &r->tasks.list[i], CRIMG_PART_FDS, &fds, err) < 0)
			return -1;
		for (size_t k = 0; k < fds.count; k++) {
			const FdinfoEntry *fd = fds.items[k];
			if ((int)fd->fd >= r->handles.base)
				r->handles.base = (int)fd->fd + 1;
		}
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); // a limit that is too low is told when it is hit
	}
	return 0;
}

int crimg_handles_open(struct crimg_restart *r, struct crimg_err *err)
{
	if (choose_base(r, err) < 0 || crimg_restart_open_segments(r, err) < 0
	    || crimg_restart_open_files(r, err) < 0 || crimg_restart_open_channel(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->tasks.count; i++)
		if (open_of_task(r, &r->actors[i], err) < 0)
			return -1;
	for (struct crimg_image *image = r->image; image != NULL; image = image->parent)
		if (open_pages(r, image, err) < 0)
			return -1;
	return 0;
}
