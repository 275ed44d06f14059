// Files that are no files: epoll, inotify, signalfd, timerfd, eventfd, tun; and locks.
#include "format/limits.h"
#include "readers/cpt_records.h"

#define NS_PER_S 1000000000u

static size_t count_children(const struct cpt *c, const struct cpt_object *in,
			     enum crimg_cpt_object kind)
{
	const struct cpt_object *o = NULL;
	size_t count = 0;
	while (in != NULL && (o = cpt_child(c, in, o, kind)) != NULL)
		count++;
	return count;
}

static int put_epoll(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		     FownEntry *owner, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *in = m->files[file->nth].watches;
	size_t count = count_children(c, in, CRIMG_CPT_OBJ_EPOLL_FILE);
	EventpollFileEntry *f = cpt_make(m, 1, sizeof *f, err);
	EventpollTfdEntry *list = cpt_make(m, count, sizeof *list, err);
	if (f == NULL || list == NULL)
		return -1;
	eventpoll_file_entry__init(f);
	f->id = e->id;
	f->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	f->fown = owner;
	if ((f->tfd = cpt_make(m, count, sizeof *f->tfd, err)) == NULL)
		return -1;
	const struct cpt_object *o = NULL;
	while (in != NULL && (o = cpt_child(c, in, o, CRIMG_CPT_OBJ_EPOLL_FILE)) != NULL) {
		EventpollTfdEntry *t = &list[f->n_tfd];
		eventpoll_tfd_entry__init(t);
		t->id = e->id;
		t->tfd = cpt_u32(c, o, CRIMG_CPT_EPOLL_FILE_FD);
		t->events = cpt_u32(c, o, CRIMG_CPT_EPOLL_FILE_EVENTS);
		t->data = cpt_get(c, o, CRIMG_CPT_EPOLL_FILE_DATA);
		f->tfd[f->n_tfd++] = t;
	}
	e->epfd = f;
	return 1;
}

// A watch names its file by path; CRIU by number and handle, of which there is the number at most.
static int put_watch(struct cpt_image *m, const struct cpt_object *watch, InotifyWdEntry *w,
		     uint32_t id, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *file = cpt_child(c, watch, NULL, CRIMG_CPT_OBJ_FILE);
	const struct cpt_object *inode = file != NULL ? m->files[file->nth].inode : NULL;
	FhEntry *handle = cpt_make(m, 1, sizeof *handle, err);
	if (handle == NULL)
		return -1;
	inotify_wd_entry__init(w);
	fh_entry__init(handle);
	w->id = id;
	w->wd = cpt_u32(c, watch, CRIMG_CPT_INOTIFY_WATCH_WD);
	w->mask = cpt_u32(c, watch, CRIMG_CPT_INOTIFY_WATCH_MASK);
	w->i_ino = inode != NULL ? cpt_get(c, inode, CRIMG_CPT_INODE_INO) : 0;
	w->s_dev = inode != NULL ? cpt_u32(c, inode, CRIMG_CPT_INODE_DEV) : 0;
	w->f_handle = handle;
	if (file != NULL && (handle->path = cpt_path(m, file, err)) == NULL)
		return -1;
	return 0;
}

static int put_inotify(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		       FownEntry *owner, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *in = m->files[file->nth].watches;
	size_t count = count_children(c, in, CRIMG_CPT_OBJ_INOTIFY_WATCH);
	InotifyFileEntry *f = cpt_make(m, 1, sizeof *f, err);
	InotifyWdEntry *list = cpt_make(m, count, sizeof *list, err);
	if (f == NULL || list == NULL)
		return -1;
	inotify_file_entry__init(f);
	f->id = e->id;
	f->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	f->fown = owner;
	if ((f->wd = cpt_make(m, count, sizeof *f->wd, err)) == NULL)
		return -1;
	const struct cpt_object *o = NULL;
	while (in != NULL && (o = cpt_child(c, in, o, CRIMG_CPT_OBJ_INOTIFY_WATCH)) != NULL) {
		if (put_watch(m, o, &list[f->n_wd], e->id, err) < 0)
			return -1;
		f->wd[f->n_wd] = &list[f->n_wd];
		f->n_wd++;
	}
	e->ify = f;
	return 1;
}

static int put_signalfd(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
			FownEntry *owner, struct crimg_err *err)
{
	if ((e->sgfd = cpt_make(m, 1, sizeof *e->sgfd, err)) == NULL)
		return -1;
	signalfd_entry__init(e->sgfd);
	e->sgfd->id = e->id;
	e->sgfd->flags = cpt_u32(&m->c, file, CRIMG_CPT_FILE_FLAGS);
	e->sgfd->fown = owner;
	e->sgfd->sigmask = cpt_get(&m->c, file, CRIMG_CPT_FILE_PRIV);
	return 1;
}

static int put_timerfd(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		       FownEntry *owner, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *o = cpt_child(c, file, NULL, CRIMG_CPT_OBJ_TIMERFD);
	if (o == NULL)
		return 0;
	if ((e->tfd = cpt_make(m, 1, sizeof *e->tfd, err)) == NULL)
		return -1;
	uint64_t value = cpt_get(c, o, CRIMG_CPT_TIMERFD_IT_VALUE);
	uint64_t interval = cpt_get(c, o, CRIMG_CPT_TIMERFD_IT_INTERVAL);
	timerfd_entry__init(e->tfd);
	e->tfd->id = e->id;
	e->tfd->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	e->tfd->fown = owner;
	e->tfd->clockid = cpt_u32(c, o, CRIMG_CPT_TIMERFD_CLOCKID);
	e->tfd->ticks = cpt_get(c, o, CRIMG_CPT_TIMERFD_TICKS);
	e->tfd->vsec = value / NS_PER_S;
	e->tfd->vnsec = value % NS_PER_S;
	e->tfd->isec = interval / NS_PER_S;
	e->tfd->insec = interval % NS_PER_S;
	return 1;
}

static int put_eventfd(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		       FownEntry *owner, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *o = cpt_child(c, file, NULL, CRIMG_CPT_OBJ_EVENTFD);
	if (o == NULL)
		return 0;
	if ((e->efd = cpt_make(m, 1, sizeof *e->efd, err)) == NULL)
		return -1;
	eventfd_file_entry__init(e->efd);
	e->efd->id = e->id;
	e->efd->fown = owner;
	e->efd->flags = cpt_u32(c, file, CRIMG_CPT_FILE_FLAGS);
	e->efd->counter = cpt_get(c, o, CRIMG_CPT_EVENTFD_COUNT);
	return 1;
}

static int put_tun(struct cpt_image *m, const struct cpt_object *file, FileEntry *e, FownEntry *owner,
		   struct crimg_err *err)
{
	const struct cpt_object *device = cpt_tun_of(m, file);
	(void)owner; // the message has no place for one
	if ((e->tunf = cpt_make(m, 1, sizeof *e->tunf, err)) == NULL)
		return -1;
	tunfile_entry__init(e->tunf);
	e->tunf->id = e->id;
	e->tunf->has_ns_id = true;
	e->tunf->ns_id = CPT_NS_NET;
	return device != NULL && (e->tunf->netdev = cpt_device_name(m, device, err)) == NULL ? -1 : 1;
}

int cpt_put_special(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		    struct crimg_err *err)
{
	static int (*const puts[])(struct cpt_image *, const struct cpt_object *, FileEntry *,
				   FownEntry *, struct crimg_err *) = {
		[FD_TYPES__EVENTPOLL] = put_epoll,   [FD_TYPES__INOTIFY] = put_inotify,
		[FD_TYPES__SIGNALFD] = put_signalfd, [FD_TYPES__TIMERFD] = put_timerfd,
		[FD_TYPES__EVENTFD] = put_eventfd,   [FD_TYPES__TUNF] = put_tun,
	};
	size_t type = (size_t)e->type;
	if (type >= sizeof puts / sizeof puts[0] || puts[type] == NULL)
		return 0;
	FownEntry *owner = cpt_fown(m, file, err);
	return owner == NULL ? -1 : puts[type](m, file, e, owner, err);
}

// A lock's owner is told by number of its table; the descriptor is the first that leads to the file.
CPT_ENTRY(cpt_put_lock)
{
	const struct cpt *c = &m->c;
	FileLockEntry e = FILE_LOCK_ENTRY__INIT;
	(void)object;
	if (index == 0)
		m->cursor = m->inner = 0;
	for (; m->cursor < cpt_count(c, CRIMG_CPT_OBJ_FLOCK); m->cursor++) {
		const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_FLOCK, m->cursor);
		size_t files = cpt_count(c, CRIMG_CPT_OBJ_FILE);
		while (m->inner < files
		       && cpt_nth(c, CRIMG_CPT_OBJ_FILE, m->inner)->end <= (size_t)(o - c->objects))
			m->inner++;
		const struct cpt_object *d = m->inner < files ? m->descriptors[m->inner] : NULL;
		if (d == NULL)
			continue;
		uint64_t end = cpt_get(c, o, CRIMG_CPT_FLOCK_END);
		e.flag = cpt_u32(c, o, CRIMG_CPT_FLOCK_FLAGS) & 3;
		e.type = cpt_u32(c, o, CRIMG_CPT_FLOCK_TYPE);
		e.pid = (int32_t)cpt_get(c, o, CRIMG_CPT_FLOCK_PID);
		e.fd = (int32_t)cpt_get(c, d, CRIMG_CPT_FILEDESC_FD);
		e.start = (int64_t)cpt_get(c, o, CRIMG_CPT_FLOCK_START);
		e.len = end >= INT64_MAX ? 0 : (int64_t)end - e.start + 1; // 0: to the end
		m->cursor++;
		cpt_from(out, o);
		return model_encode(&e.base, out, err);
	}
	return 0;
}
