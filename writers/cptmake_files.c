// Open files, descriptor tables, directories.
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "writers/cptmake.h"

#define FLAG_DELETED 1u
#define FLAG_TUN 0x100u
#define NS_PER_S 1000000000u

int cptmake_collect_file(struct cptmake *k, uint32_t id, struct crimg_err *err)
{
	const struct crimg_file *f = crimg_files_find(&k->files, id);
	uint64_t key = f != NULL ? cptmake_inode_key(f) : 0;
	if (f == NULL)
		return 0;
	return cptmake_map_add(&k->opened, id, err) < 0
			       || (key != 0 && cptmake_map_add(&k->inodes, key, err) < 0)
		       ? -1
		       : 0;
}

static uint64_t mount_of(const struct cptmake *k, const struct crimg_file *f, const char *path)
{
	const RegFileEntry *reg = f != NULL && f->type == FD_TYPES__REG ? f->message : NULL;
	if (path[0] != '/' || k->mounts.count == 0)
		return CRIMG_CPT_NONE;
	uint64_t at = reg != NULL ? cptmake_at(&k->mounts, (uint32_t)reg->mnt_id) : CRIMG_CPT_NONE;
	return at != CRIMG_CPT_NONE ? at : k->root_at;
}

// An open file, its name; what it is besides follows.
static int begin_file(struct cptmake *k, const char *path, uint32_t flags, uint32_t mode,
		      uint32_t lflags, uint64_t key, const struct crimg_file *f,
		      struct cptmake_object *o, struct cptmake_mark *mark, struct crimg_err *err)
{
	static const uint32_t modes[] = {1, 2, 3, 3}; // FMODE by access mode
	const FownEntry *owner = f != NULL ? crimg_file_owner(f) : NULL;
	cptmake_set(o, CRIMG_CPT_FILE_FLAGS, flags);
	cptmake_set(o, CRIMG_CPT_FILE_MODE, modes[flags & 3]);
	cptmake_set(o, CRIMG_CPT_FILE_I_MODE, mode);
	cptmake_set(o, CRIMG_CPT_FILE_LFLAGS, lflags);
	cptmake_set(o, CRIMG_CPT_FILE_INODE, key == 0 ? CRIMG_CPT_NONE : cptmake_at(&k->inodes, key));
	cptmake_set(o, CRIMG_CPT_FILE_FOWN_FD, UINT32_MAX);
	cptmake_set(o, CRIMG_CPT_FILE_VFSMOUNT, mount_of(k, f, path));
	if (owner != NULL && owner->pid != 0) {
		cptmake_set(o, CRIMG_CPT_FILE_FOWN_PID, owner->pid);
		cptmake_set(o, CRIMG_CPT_FILE_FOWN_UID, owner->uid);
		cptmake_set(o, CRIMG_CPT_FILE_FOWN_EUID, owner->euid);
		cptmake_set(o, CRIMG_CPT_FILE_FOWN_SIGNO, owner->signum);
	}
	return cptmake_begin(k, o, mark, err) < 0 ? -1 : cptmake_name(k, path, err);
}

static struct cptmake_object file_object(uint64_t pos, uint64_t priv)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_FILE, CRIMG_CPT_CONTENT_ARRAY);
	cptmake_set(&o, CRIMG_CPT_FILE_POS, pos);
	cptmake_set(&o, CRIMG_CPT_FILE_PRIV, priv);
	return o;
}

static int put_reg(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
		   struct crimg_err *err)
{
	const RegFileEntry *reg = f->message;
	struct cptmake_object o = file_object(reg->pos, CRIMG_CPT_NONE);
	char path[CRIMG_MAX_NAME_BYTES + 16];
	uint32_t mode = cptmake_device(reg->name) != 0 ? 0020666 : reg->has_mode ? reg->mode : 0100644;
	if (strlen(reg->name) > CRIMG_MAX_NAME_BYTES)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "a name of %zu bytes found, at most %u wanted", strlen(reg->name),
				  CRIMG_MAX_NAME_BYTES);
	snprintf(path, sizeof path, "%s%s", reg->name, f->remap != NULL ? " (deleted)" : "");
	if (begin_file(k, path, reg->flags, mode, f->remap != NULL ? FLAG_DELETED : 0, cptmake_inode_key(f),
		       f, &o, mark, err) < 0)
		return -1;
	return cptmake_end(k, *mark, err);
}

static int put_pipe_file(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
			 struct crimg_err *err)
{
	struct cptmake_object o = file_object(0, CRIMG_CPT_NONE);
	char path[40];
	bool fifo = f->type == FD_TYPES__FIFO;
	snprintf(path, sizeof path, "pipe:[%u]", (unsigned)(cptmake_inode_key(f) & UINT32_MAX));
	const char *name = !fifo ? path : f->path != NULL ? f->path->name : "/";
	uint32_t flags = fifo && f->path != NULL ? f->path->flags : crimg_file_flags(f);
	uint32_t mode = fifo && f->path != NULL && f->path->has_mode ? f->path->mode : 0010600;
	if (begin_file(k, name, flags, mode, 0, cptmake_inode_key(f), f, &o, mark, err) < 0)
		return -1;
	return cptmake_end(k, *mark, err);
}

// A socket is spoken of by its index, a tun file by its device.
static int put_bound(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
		     struct crimg_err *err)
{
	bool tun = f->type == FD_TYPES__TUNF;
	struct cptmake_object o = file_object(0, tun ? CRIMG_CPT_NONE : cptmake_socket_index(k, f));
	char path[40];
	snprintf(path, sizeof path, "socket:[%u]", f->id);
	if (begin_file(k, tun ? "/dev/net/tun" : path, tun ? 2 : crimg_file_flags(f), tun ? 0020666 : 0140777,
		       tun ? FLAG_TUN : 0, cptmake_inode_key(f), f, &o, mark, err) < 0)
		return -1;
	return cptmake_end(k, *mark, err);
}

static uint64_t ns(uint64_t sec, uint64_t nsec)
{
	return sec * NS_PER_S + nsec;
}

// Files that are no files; 0: one of a kind that has no place.
static int put_special(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
		       struct crimg_err *err)
{
	struct cptmake_object inner;
	const void *m = f->message;
	uint64_t priv = CRIMG_CPT_NONE;
	const char *name;
	uint32_t lflags;
	switch (f->type) {
	case FD_TYPES__EVENTFD:
		inner = cptmake_new(CRIMG_CPT_OBJ_EVENTFD, CRIMG_CPT_CONTENT_VOID);
		cptmake_set(&inner, CRIMG_CPT_EVENTFD_COUNT, ((const EventfdFileEntry *)m)->counter);
		name = "anon_inode:[eventfd]";
		lflags = 0x2000;
		break;
	case FD_TYPES__TIMERFD:
		inner = cptmake_new(CRIMG_CPT_OBJ_TIMERFD, CRIMG_CPT_CONTENT_VOID);
		cptmake_set(&inner, CRIMG_CPT_TIMERFD_IT_VALUE,
			    ns(((const TimerfdEntry *)m)->vsec, ((const TimerfdEntry *)m)->vnsec));
		cptmake_set(&inner, CRIMG_CPT_TIMERFD_IT_INTERVAL,
			    ns(((const TimerfdEntry *)m)->isec, ((const TimerfdEntry *)m)->insec));
		cptmake_set(&inner, CRIMG_CPT_TIMERFD_TICKS, ((const TimerfdEntry *)m)->ticks);
		cptmake_set(&inner, CRIMG_CPT_TIMERFD_CLOCKID, ((const TimerfdEntry *)m)->clockid);
		if (((const TimerfdEntry *)m)->settime_flags != 0
		    && cptmake_lose(k, CRIMG_KIND_FILES, 0, "tfd.settime_flags",
				    "left out: the timer counts from when it goes on", err) < 0)
			return -1;
		name = "anon_inode:[timerfd]";
		lflags = 0x1000;
		break;
	case FD_TYPES__SIGNALFD:
		priv = ((const SignalfdEntry *)m)->sigmask;
		name = "anon_inode:[signalfd]";
		lflags = 0x800;
		inner.header = 0;
		break;
	case FD_TYPES__EVENTPOLL:
		name = "anon_inode:[eventpoll]";
		lflags = 0x10;
		inner.header = 0;
		break;
	default:
		return 0;
	}
	struct cptmake_object o = file_object(0, priv);
	if (begin_file(k, name, crimg_file_flags(f), 0600, lflags, 0, f, &o, mark, err) < 0
	    || (inner.header > 0 && cptmake_put(k, &inner, NULL, 0, err) < 0))
		return -1;
	return cptmake_end(k, *mark, err) < 0 ? -1 : 1;
}

static int put_file(struct cptmake *k, const struct crimg_file *f, struct cptmake_place *p,
		    struct crimg_err *err)
{
	struct cptmake_mark mark;
	char what[64];
	int rc = 1;
	if (f->type == FD_TYPES__REG)
		rc = put_reg(k, f, &mark, err) < 0 ? -1 : 1;
	else if (f->type == FD_TYPES__PIPE || f->type == FD_TYPES__FIFO)
		rc = put_pipe_file(k, f, &mark, err) < 0 ? -1 : 1;
	else if (cptmake_is_socket(f) || f->type == FD_TYPES__TUNF)
		rc = put_bound(k, f, &mark, err) < 0 ? -1 : 1;
	else
		rc = put_special(k, f, &mark, err);
	if (rc > 0)
		p->at = mark.at;
	if (rc != 0)
		return rc;
	snprintf(what, sizeof what, "file %u is left out", f->id);
	return cptmake_lose(k, CRIMG_KIND_FILES, 0, "", what, err);
}

// The file that an area of shared memory is of.
static int put_shared(struct cptmake *k, struct cptmake_place *p, struct crimg_err *err)
{
	struct cptmake_object o = file_object(0, CRIMG_CPT_NONE);
	struct cptmake_mark mark;
	const char *name = p->key >> 40 == CPTMAKE_SYSV ? "/SYSV00000000 (deleted)"
							: "/dev/zero (deleted)";
	if (begin_file(k, name, 2, 0100777, FLAG_DELETED, p->key, NULL, &o, &mark,
		       err) < 0)
		return -1;
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

static int put_epolls(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_EPOLL, err) < 0)
		return -1;
	for (size_t i = 0; i < k->files.count; i++) {
		const struct crimg_file *f = &k->files.list[i];
		struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_EPOLL, CRIMG_CPT_CONTENT_ARRAY);
		struct cptmake_mark mark;
		struct crimg_list watches;
		if (f->type != FD_TYPES__EVENTPOLL)
			continue;
		cptmake_set(&o, CRIMG_CPT_EPOLL_FILE, cptmake_at(&k->opened, f->id));
		if (crimg_file_watches(k->image, f, &watches, err) < 0
		    || cptmake_begin(k, &o, &mark, err) < 0)
			return -1;
		for (size_t w = 0; w < watches.count; w++) {
			const EventpollTfdEntry *e = watches.items[w];
			struct cptmake_object t =
				cptmake_new(CRIMG_CPT_OBJ_EPOLL_FILE, CRIMG_CPT_CONTENT_VOID);
			cptmake_set(&t, CRIMG_CPT_EPOLL_FILE_FD, e->tfd);
			cptmake_set(&t, CRIMG_CPT_EPOLL_FILE_EVENTS, e->events);
			cptmake_set(&t, CRIMG_CPT_EPOLL_FILE_DATA, e->data);
			if (e->has_inode
			    && cptmake_lose(k, CRIMG_KIND_FILES, 0, "epfd.tfd",
					    "device, inode and position are left out", err) < 0)
				return -1;
			if (cptmake_put(k, &t, NULL, 0, err) < 0)
				return -1;
		}
		if (cptmake_end(k, mark, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}

int cptmake_open_files(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_FILES, err) < 0)
		return -1;
	for (size_t i = 0; i < k->opened.count; i++) {
		struct cptmake_place *p = &k->opened.list[i];
		const struct crimg_file *f = p->key >> 40 != 0
						     ? NULL
						     : crimg_files_find(&k->files, (uint32_t)p->key);
		int rc = f != NULL ? put_file(k, f, p, err) : put_shared(k, p, err);
		if (rc < 0)
			return -1;
	}
	return cptmake_section_end(k, err) < 0 ? -1 : put_epolls(k, err);
}

static int put_table(struct cptmake *k, const struct crimg_task *task, struct cptmake_place *p,
		     uint32_t number, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_FILES, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	struct crimg_list fds;
	if (crimg_task_list(k->image, task, CRIMG_PART_FDS, &fds, err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_FILES_INDEX, number);
	cptmake_set(&o, CRIMG_CPT_FILES_MAX_FDS, 256);
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < fds.count; i++) {
		const FdinfoEntry *e = fds.items[i];
		struct cptmake_object d =
			cptmake_new(CRIMG_CPT_OBJ_FILEDESC, CRIMG_CPT_CONTENT_VOID);
		uint64_t at = cptmake_at(&k->opened, e->id);
		if (at == CRIMG_CPT_NONE)
			continue; // the file was left out, and that was told
		cptmake_set(&d, CRIMG_CPT_FILEDESC_FD, e->fd);
		cptmake_set(&d, CRIMG_CPT_FILEDESC_FLAGS, e->flags & 1);
		cptmake_set(&d, CRIMG_CPT_FILEDESC_FILE, at);
		if (cptmake_put(k, &d, NULL, 0, err) < 0)
			return -1;
	}
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

static int put_directory(struct cptmake *k, uint32_t id, struct crimg_err *err)
{
	const struct crimg_file *f = crimg_files_find(&k->files, id);
	const RegFileEntry *reg = f != NULL && f->type == FD_TYPES__REG ? f->message : NULL;
	struct cptmake_object o = file_object(0, CRIMG_CPT_NONE);
	struct cptmake_mark mark;
	if (begin_file(k, reg != NULL ? reg->name : "/", reg != NULL ? reg->flags : 0, 0040755, 0,
		       0, f, &o, &mark, err) < 0)
		return -1;
	return cptmake_end(k, mark, err);
}

static int put_fs(struct cptmake *k, const struct crimg_task *task, struct cptmake_place *p,
		  struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_FS, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	cptmake_set(&o, CRIMG_CPT_FS_UMASK, task->fs->has_umask ? task->fs->umask : 022);
	if (cptmake_begin(k, &o, &mark, err) < 0 || put_directory(k, task->fs->root_id, err) < 0
	    || put_directory(k, task->fs->cwd_id, err) < 0)
		return -1;
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

static struct cptmake_place *shared_of(const struct cptmake *k, const struct crimg_task *t,
				       enum crimg_cpt_object kind)
{
	if (t->ids == NULL)
		return NULL;
	uint32_t id = kind == CRIMG_CPT_OBJ_FILES ? t->ids->files_id : t->ids->fs_id;
	struct cptmake_place *p = cptmake_map_find(&k->shared, CPTMAKE_KEY(kind, id));
	return p != NULL && p->at == 0 ? p : NULL;
}

int cptmake_tables(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_FILES_STRUCT, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		struct cptmake_place *p = shared_of(k, &k->tasks.list[i], CRIMG_CPT_OBJ_FILES);
		if (p != NULL && put_table(k, &k->tasks.list[i], p, (uint32_t)i, err) < 0)
			return -1;
	}
	if (cptmake_section_end(k, err) < 0 || cptmake_section(k, CRIMG_CPT_SECT_FS, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		struct cptmake_place *p = shared_of(k, &k->tasks.list[i], CRIMG_CPT_OBJ_FS);
		if (p != NULL && k->tasks.list[i].fs != NULL
		    && put_fs(k, &k->tasks.list[i], p, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
