// Open files, and what epoll files wait for.
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "writers/cptmake_file.h"

#define NS_PER_S 1000000000u

static uint64_t mount_of(const struct cptmake *k, const struct crimg_file *f, const char *path)
{
	const RegFileEntry *reg = f != NULL && f->type == FD_TYPES__REG ? f->message : NULL;
	if (path[0] != '/' || k->mounts.count == 0)
		return CRIMG_CPT_NONE;
	uint64_t at = reg != NULL ? cptmake_at(&k->mounts, (uint32_t)reg->mnt_id) : CRIMG_CPT_NONE;
	return at != CRIMG_CPT_NONE ? at : k->root_at;
}

int cptmake_begin_file(struct cptmake *k, const struct cptmake_file *what,
		       const struct crimg_file *f, struct cptmake_mark *mark, struct crimg_err *err)
{
	static const uint32_t modes[] = {1, 2, 3, 3}; // FMODE by access mode
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_FILE, CRIMG_CPT_CONTENT_ARRAY);
	const FownEntry *owner = f != NULL ? crimg_file_owner(f) : NULL;
	uint64_t inode = what->inode == 0 ? CRIMG_CPT_NONE : cptmake_at(&k->inodes, what->inode);
	cptmake_set(&o, CRIMG_CPT_FILE_POS, what->pos);
	cptmake_set(&o, CRIMG_CPT_FILE_PRIV, what->has_private ? what->private : CRIMG_CPT_NONE);
	cptmake_set(&o, CRIMG_CPT_FILE_FLAGS, what->flags);
	cptmake_set(&o, CRIMG_CPT_FILE_MODE, modes[what->flags & 3]);
	cptmake_set(&o, CRIMG_CPT_FILE_I_MODE, what->mode);
	cptmake_set(&o, CRIMG_CPT_FILE_LFLAGS, what->lflags);
	cptmake_set(&o, CRIMG_CPT_FILE_INODE, inode);
	cptmake_set(&o, CRIMG_CPT_FILE_FOWN_FD, UINT32_MAX);
	cptmake_set(&o, CRIMG_CPT_FILE_VFSMOUNT, mount_of(k, f, what->path));
	if (owner != NULL && owner->pid != 0) {
		cptmake_set(&o, CRIMG_CPT_FILE_FOWN_PID, owner->pid);
		cptmake_set(&o, CRIMG_CPT_FILE_FOWN_UID, owner->uid);
		cptmake_set(&o, CRIMG_CPT_FILE_FOWN_EUID, owner->euid);
		cptmake_set(&o, CRIMG_CPT_FILE_FOWN_SIGNO, owner->signum);
	}
	return cptmake_begin(k, &o, mark, err) < 0 ? -1 : cptmake_name(k, what->path, err);
}

// One of which nothing but its name is told.
static int put_whole(struct cptmake *k, const struct cptmake_file *what, const struct crimg_file *f,
		     struct cptmake_mark *mark, struct crimg_err *err)
{
	return cptmake_begin_file(k, what, f, mark, err) < 0 ? -1 : cptmake_end(k, *mark, err);
}

static int put_reg(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
		   struct crimg_err *err)
{
	const RegFileEntry *reg = f->message;
	char path[CRIMG_MAX_NAME_BYTES + 16];
	uint32_t mode = cptmake_device(reg->name) != 0 ? 0020666 : reg->has_mode ? reg->mode : 0100644;
	if (strlen(reg->name) > CRIMG_MAX_NAME_BYTES)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "a name of %zu bytes found, at most %u wanted", strlen(reg->name),
				  CRIMG_MAX_NAME_BYTES);
	snprintf(path, sizeof path, "%s%s", reg->name, f->remap != NULL ? " (deleted)" : "");
	return put_whole(k,
			 &(struct cptmake_file){
				 .path = path,
				 .flags = reg->flags,
				 .mode = mode,
				 .lflags = f->remap != NULL ? CRIMG_CPT_LFLAG_DELETED : 0,
				 .inode = cptmake_inode_key(f),
				 .pos = reg->pos,
			 },
			 f, mark, err);
}

static int put_pipe_file(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
			 struct crimg_err *err)
{
	char path[40];
	bool fifo = f->type == FD_TYPES__FIFO;
	uint64_t inode = cptmake_inode_key(f);
	snprintf(path, sizeof path, "pipe:[%u]", (unsigned)(inode & UINT32_MAX));
	const char *name = !fifo ? path : f->path != NULL ? f->path->name : "/";
	uint32_t flags = fifo && f->path != NULL ? f->path->flags : crimg_file_flags(f);
	uint32_t mode = fifo && f->path != NULL && f->path->has_mode ? f->path->mode : 0010600;
	return put_whole(k,
			 &(struct cptmake_file){
				 .path = name, .flags = flags, .mode = mode, .inode = inode},
			 f, mark, err);
}

// A socket is spoken of by its index, a tun file by its device.
static int put_bound(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
		     struct crimg_err *err)
{
	bool tun = f->type == FD_TYPES__TUNF;
	char path[40];
	snprintf(path, sizeof path, "socket:[%u]", f->id);
	return put_whole(k,
			 &(struct cptmake_file){
				 .path = tun ? "/dev/net/tun" : path,
				 .flags = tun ? 2 : crimg_file_flags(f),
				 .mode = tun ? 0020666 : 0140777,
				 .lflags = tun ? CRIMG_CPT_LFLAG_TUN : 0,
				 .inode = cptmake_inode_key(f),
				 .has_private = !tun,
				 .private = tun ? 0 : cptmake_socket_index(k, f),
			 },
			 f, mark, err);
}

static uint64_t ns(uint64_t sec, uint64_t nsec)
{
	return sec * NS_PER_S + nsec;
}

// Files that are no files; 0: one of a kind that has no place.
static int put_special(struct cptmake *k, const struct crimg_file *f, struct cptmake_mark *mark,
		       struct crimg_err *err)
{
	struct cptmake_file what = {.flags = crimg_file_flags(f), .mode = 0600};
	struct cptmake_object inner = {.header = 0};
	const void *m = f->message;
	switch (f->type) {
	case FD_TYPES__EVENTFD:
		inner = cptmake_new(CRIMG_CPT_OBJ_EVENTFD, CRIMG_CPT_CONTENT_VOID);
		cptmake_set(&inner, CRIMG_CPT_EVENTFD_COUNT, ((const EventfdFileEntry *)m)->counter);
		what.path = "anon_inode:[eventfd]";
		what.lflags = CRIMG_CPT_LFLAG_EVENTFD;
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
		what.path = "anon_inode:[timerfd]";
		what.lflags = CRIMG_CPT_LFLAG_TIMERFD;
		break;
	case FD_TYPES__SIGNALFD:
		what.has_private = true;
		what.private = ((const SignalfdEntry *)m)->sigmask;
		what.path = "anon_inode:[signalfd]";
		what.lflags = CRIMG_CPT_LFLAG_SIGNALFD;
		break;
	case FD_TYPES__EVENTPOLL:
		what.path = "anon_inode:[eventpoll]";
		what.lflags = CRIMG_CPT_LFLAG_EPOLL;
		break;
	default:
		return 0;
	}
	if (cptmake_begin_file(k, &what, f, mark, err) < 0
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
	bool sysv = p->key >> 40 == CPTMAKE_SYSV;
	const struct cptmake_file what = {
		.path = sysv ? "/SYSV00000000 (deleted)" : "/dev/zero (deleted)",
		.flags = 2,
		.mode = 0100777,
		.lflags = CRIMG_CPT_LFLAG_DELETED,
		.inode = p->key,
	};
	struct cptmake_mark mark;
	if (put_whole(k, &what, NULL, &mark, err) < 0)
		return -1;
	p->at = mark.at;
	return 0;
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
