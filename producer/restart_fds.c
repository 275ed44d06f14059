// Descriptors of one task: each to its old number, from what it inherited; directories, epoll's targets, and
// locks.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "producer/restart_ptys.h"
#include "producer/restart_watches.h"

enum { FLOCK_LOCK = 2, OPEN_FILE_LOCK = 4, LEASE = 8 }; // file_lock_entry.flag; else one of POSIX

static const char *file_name(const struct crimg_restart *r, uint32_t id)
{
	const struct crimg_file *file = crimg_files_find(&r->files, id);
	return file != NULL && file->path != NULL ? file->path->name : NULL;
}

int crimg_restart_directories(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	const FsEntry *fs = a->task->fs;
	struct crimg_puppet *p = &a->puppets[0];
	if (fs == NULL)
		return 0;
	int root = crimg_handles_find(&r->handles, CRIMG_HANDLE_FILE, fs->root_id, 0);
	int cwd = crimg_handles_find(&r->handles, CRIMG_HANDLE_FILE, fs->cwd_id, 0);
	const char *root_name = file_name(r, fs->root_id);
	if (root_name != NULL && strcmp(root_name, "/") != 0) {
		if (CRIMG_DO(p, err, "going to its root", root_name, SYS_fchdir, (uint64_t)root) < 0
		    || CRIMG_DO(p, err, "changing its root", root_name, SYS_chroot,
		                crimg_puppet_lend(p, ".", 2)) < 0)
			return -1;
	}
	if (CRIMG_DO(p, err, "going to its directory", file_name(r, fs->cwd_id), SYS_fchdir,
	             (uint64_t)cwd) < 0)
		return -1;
	if (fs->has_umask && CRIMG_DO(p, err, "its umask", NULL, SYS_umask, fs->umask) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// The first task that has this descriptor table; the others were born with it.
static bool has_own_table(const struct crimg_restart *r, const struct crimg_actor *a)
{
	return &r->tasks.list[a->task->fds_of] == a->task;
}

static int by_number(const void *a, const void *b)
{
	const FdinfoEntry *x = *(const FdinfoEntry *const *)a, *y = *(const FdinfoEntry *const *)b;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

static int close_gap(struct crimg_puppet *p, uint64_t from, uint64_t to, struct crimg_err *err)
{
	return from > to ? 0
		: CRIMG_DO(p, err, "closing crimg's descriptors", NULL, SYS_close_range, from, to);
}

static int place(struct crimg_restart *r, struct crimg_puppet *p, const FdinfoEntry *fd,
                 struct crimg_err *err)
{
	int from = crimg_handles_find(&r->handles, CRIMG_HANDLE_FILE, fd->id, 0);
	if (crimg_restart_pidfd(crimg_files_find(&r->files, fd->id)) != NULL)
		return crimg_restart_receive(r, p, from, fd, err);
	return CRIMG_DO(p, err, "a descriptor of", file_name(r, fd->id), SYS_dup3, (uint64_t)from,
	                fd->fd, (fd->flags & 1) != 0 ? O_CLOEXEC : 0);
}

// Who gets a signal when something happens to it.
static int set_owner(struct crimg_restart *r, struct crimg_puppet *p, const FdinfoEntry *fd,
                     struct crimg_err *err)
{
	const struct crimg_file *file = crimg_files_find(&r->files, fd->id);
	const FownEntry *owner = file != NULL ? crimg_file_owner(file) : NULL;
	if (owner == NULL || owner->pid == 0)
		return 0;
	struct f_owner_ex ex = { .type = (int)owner->pid_type, .pid = (pid_t)owner->pid };
	if (CRIMG_DO(p, err, "whom it signals:", file_name(r, fd->id), SYS_fcntl, fd->fd, F_SETOWN_EX,
	             crimg_puppet_lend(p, &ex, sizeof ex)) < 0)
		return -1;
	return owner->signum == 0 ? 0
		: CRIMG_DO(p, err, "its signal:", file_name(r, fd->id), SYS_fcntl, fd->fd, F_SETSIG,
		           owner->signum);
}

// Signals on input name the descriptor by which they were asked for.
static int ask_signals(struct crimg_restart *r, struct crimg_puppet *p, const FdinfoEntry *fd,
                       struct crimg_err *err)
{
	const struct crimg_file *file = crimg_files_find(&r->files, fd->id);
	uint64_t flags = file != NULL && (crimg_file_flags(file) & O_PATH) == 0 ? crimg_file_flags(file) : 0;
	return (flags & O_ASYNC) == 0 ? 0
		: CRIMG_DO(p, err, "signals on input:", file_name(r, fd->id), SYS_fcntl, fd->fd, F_SETFL,
		           flags & (O_ASYNC | O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME));
}

static int place_all(struct crimg_restart *r, struct crimg_puppet *p, const FdinfoEntry **sorted,
                     size_t count, struct crimg_err *err)
{
	uint64_t next = 0;
	for (size_t i = 0; i < count; i++)
		if (place(r, p, sorted[i], err) < 0 || set_owner(r, p, sorted[i], err) < 0
		    || ask_signals(r, p, sorted[i], err) < 0)
			return -1;
	for (size_t i = 0; i < count; i++) {
		if (sorted[i]->fd > next && close_gap(p, next, sorted[i]->fd - 1, err) < 0)
			return -1;
		next = (uint64_t)sorted[i]->fd + 1;
	}
	return close_gap(p, next, UINT32_MAX, err);
}

// What an epoll watches is known by number and file, so it is told by a task that has both.
static int watch(struct crimg_restart *r, struct crimg_puppet *p, const FdinfoEntry *fd,
                 struct crimg_err *err)
{
	struct crimg_list targets;
	const struct crimg_file *file = crimg_files_find(&r->files, fd->id);
	size_t index = (size_t)(file - r->files.list);
	if (r->watched[index])
		return 0;
	r->watched[index] = true;
	if (crimg_file_watches(r->image, file, &targets, err) < 0)
		return -1;
	for (size_t i = 0; i < targets.count; i++) {
		const EventpollTfdEntry *t = targets.items[i];
		struct epoll_event event = { .events = t->events, .data.u64 = t->data };
		if (CRIMG_DO(p, err, "what an epoll watches", NULL, SYS_epoll_ctl, fd->fd, EPOLL_CTL_ADD,
		             t->tfd, crimg_puppet_lend(p, &event, sizeof event)) < 0)
			return -1;
	}
	return 0;
}

static int lock(struct crimg_restart *r, struct crimg_puppet *p, const FileLockEntry *lock_entry,
                struct crimg_err *err)
{
	static const int flock_of[] = { LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN };
	struct flock l = { .l_type = (short)lock_entry->type, .l_whence = SEEK_SET,
		           .l_start = lock_entry->start, .l_len = lock_entry->len };
	(void)r;
	if (lock_entry->type > 2)
		return 0;
	if ((lock_entry->flag & LEASE) != 0)
		return CRIMG_DO(p, err, "a lease", NULL, SYS_fcntl, (uint64_t)lock_entry->fd, F_SETLEASE,
		                (uint64_t)lock_entry->type);
	if ((lock_entry->flag & FLOCK_LOCK) != 0)
		return CRIMG_DO(p, err, "a lock", NULL, SYS_flock, (uint64_t)lock_entry->fd,
		                (uint64_t)flock_of[lock_entry->type]);
	return CRIMG_DO(p, err, "a lock", NULL, SYS_fcntl, (uint64_t)lock_entry->fd,
	                (lock_entry->flag & OPEN_FILE_LOCK) != 0 ? F_OFD_SETLK : F_SETLK,
	                crimg_puppet_lend(p, &l, sizeof l));
}

static int lock_all(struct crimg_restart *r, const struct crimg_actor *a, struct crimg_puppet *p,
                    struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_FILE_LOCKS);
	const FileLockEntry *e;
	while ((e = crimg_image_walk(r->image, &walk, err)) != NULL)
		if (e->pid == (int32_t)a->task->pid && lock(r, p, e, err) < 0)
			return -1;
	return err->code == CRIMG_OK ? 0 : -1;
}

static int arrange(struct crimg_restart *r, struct crimg_actor *a, const struct crimg_list *fds,
                   struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	const FdinfoEntry **sorted = calloc(fds->count + 1, sizeof *sorted);
	if (sorted == NULL)
		return crimg_fail_nomem(err, (fds->count + 1) * sizeof *sorted);
	for (size_t i = 0; i < fds->count; i++)
		sorted[i] = fds->items[i];
	qsort(sorted, fds->count, sizeof *sorted, by_number);
	int rc = place_all(r, p, sorted, fds->count, err);
	for (size_t i = 0; rc == 0 && i < fds->count; i++)
		if (sorted[i]->type == FD_TYPES__EVENTPOLL)
			rc = watch(r, p, sorted[i], err);
	free(sorted);
	return rc;
}

int crimg_restart_fds(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list fds;
	struct crimg_puppet *p = &a->puppets[0];
	if (crimg_restart_foreground(r, a, err) < 0)
		return -1;
	if (has_own_table(r, a)) {
		if (crimg_task_list(r->image, a->task, CRIMG_PART_FDS, &fds, err) < 0
		    || arrange(r, a, &fds, err) < 0)
			return -1;
	}
	if (lock_all(r, a, p, err) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}
