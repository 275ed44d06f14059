// What every FILE and INODE is, which inodes are shared memory, who belongs to whom: found once, before
// the first record.
#include <stdlib.h>

#include "format/layout_kernel.h"
#include "format/limits.h"
#include "format/search.h"
#include "readers/cpt_records.h"

#define S_IFMT_BITS 0170000u
#define S_IFSOCK_BITS 0140000u
#define S_IFREG_BITS 0100000u
#define S_IFCHR_BITS 0020000u
#define S_IFIFO_BITS 0010000u

// What lflags says of a file that has no inode of a kind of its own.
static const struct {
	uint32_t flag;
	FdTypes type;
} by_flag[] = {
	{CRIMG_CPT_LFLAG_EPOLL, FD_TYPES__EVENTPOLL},
	{CRIMG_CPT_LFLAG_INOTIFY, FD_TYPES__INOTIFY},
	{CRIMG_CPT_LFLAG_SIGNALFD, FD_TYPES__SIGNALFD},
	{CRIMG_CPT_LFLAG_TIMERFD, FD_TYPES__TIMERFD},
	{CRIMG_CPT_LFLAG_EVENTFD, FD_TYPES__EVENTFD},
	{CRIMG_CPT_LFLAG_TUN, FD_TYPES__TUNF},
};

static FdTypes socket_type(const struct cpt *c, const struct cpt_object *socket)
{
	enum { UNIX = 1, INET = 2, INET6 = 10, NETLINK = 16, PACKET = 17 };
	switch (socket == NULL ? 0 : cpt_get(c, socket, CRIMG_CPT_SOCKET_FAMILY)) {
	case UNIX:
		return FD_TYPES__UNIXSK;
	case INET:
	case INET6:
		return FD_TYPES__INETSK;
	case NETLINK:
		return FD_TYPES__NETLINKSK;
	case PACKET:
		return FD_TYPES__PACKETSK;
	default:
		return FD_TYPES__UND;
	}
}

// The tty of a file stands in it, and behind its inode.
static const struct cpt_object *tty_of(const struct cpt *c, const struct cpt_object *file,
				       const struct cpt_object *inode)
{
	const struct cpt_object *t = cpt_find(c, cpt_get(c, file, CRIMG_CPT_FILE_PRIV));
	if (t != NULL && t->kind == CRIMG_CPT_OBJ_TTY)
		return t;
	const struct cpt_object *ref =
		inode == NULL ? NULL : cpt_child(c, inode, NULL, CRIMG_CPT_OBJ_REF);
	t = ref == NULL ? NULL : cpt_ref(c, ref, CRIMG_CPT_REF_POS);
	return t != NULL && t->kind == CRIMG_CPT_OBJ_TTY ? t : NULL;
}

static FdTypes file_type(const struct cpt *c, const struct cpt_object *o, const struct cpt_file *f)
{
	uint32_t flags = cpt_u32(c, o, CRIMG_CPT_FILE_LFLAGS);
	for (size_t i = 0; i < sizeof by_flag / sizeof by_flag[0]; i++)
		if ((flags & by_flag[i].flag) != 0)
			return by_flag[i].type;
	switch (cpt_get(c, o, CRIMG_CPT_FILE_I_MODE) & S_IFMT_BITS) {
	case S_IFSOCK_BITS:
		return socket_type(c, f->socket);
	case S_IFIFO_BITS:
		return f->inode != NULL && cpt_get(c, f->inode, CRIMG_CPT_INODE_SB) == KERNEL_PIPEFS_MAGIC
			       ? FD_TYPES__PIPE
			       : FD_TYPES__FIFO;
	case S_IFCHR_BITS:
		return f->tty != NULL ? FD_TYPES__TTY : FD_TYPES__REG;
	default:
		return FD_TYPES__REG;
	}
}

static int by_index(const void *a, const void *b, void *context)
{
	const struct cpt *c = context;
	uint64_t x = cpt_get(c, *(const struct cpt_object *const *)a, CRIMG_CPT_SOCKET_INDEX);
	uint64_t y = cpt_get(c, *(const struct cpt_object *const *)b, CRIMG_CPT_SOCKET_INDEX);
	return x < y ? -1 : x > y;
}

const struct cpt_object *cpt_socket_by_index(const struct cpt_image *m, uint64_t index)
{
	size_t count = cpt_count(&m->c, CRIMG_CPT_OBJ_SOCKET), at;
	CRIMG_COUNT_BEFORE(at, count, cpt_get(&m->c, m->indexed[at], CRIMG_CPT_SOCKET_INDEX) < index);
	return at < count && cpt_get(&m->c, m->indexed[at], CRIMG_CPT_SOCKET_INDEX) == index
		       ? m->indexed[at]
		       : NULL;
}

static int find_sockets(struct cpt_image *m, struct crimg_err *err)
{
	size_t count = cpt_count(&m->c, CRIMG_CPT_OBJ_SOCKET);
	size_t files = cpt_count(&m->c, CRIMG_CPT_OBJ_FILE);
	m->indexed = calloc(count + 1, sizeof(struct cpt_object *));
	m->sockets = calloc(files + 1, sizeof(struct cpt_object *));
	if (m->indexed == NULL || m->sockets == NULL)
		return crimg_fail_nomem(err, (count + files) * sizeof(struct cpt_object *));
	for (size_t i = 0; i < count; i++) {
		const struct cpt_object *s = cpt_nth(&m->c, CRIMG_CPT_OBJ_SOCKET, i);
		const struct cpt_object *file = cpt_ref(&m->c, s, CRIMG_CPT_SOCKET_FILE);
		m->indexed[i] = s;
		if (file != NULL)
			m->sockets[file->nth] = s;
	}
	if (count > 0)
		qsort_r(m->indexed, count, sizeof(struct cpt_object *), by_index, &m->c);
	return 0;
}

static void find_watches(struct cpt_image *m, enum crimg_cpt_object kind,
			 enum crimg_cpt_field field)
{
	for (size_t i = 0; i < cpt_count(&m->c, kind); i++) {
		const struct cpt_object *o = cpt_nth(&m->c, kind, i);
		const struct cpt_object *file = cpt_ref(&m->c, o, field);
		if (file != NULL)
			m->files[file->nth].watches = o;
	}
}

static int find_files(struct cpt_image *m, struct crimg_err *err)
{
	struct cpt *c = &m->c;
	size_t files = cpt_count(c, CRIMG_CPT_OBJ_FILE), inodes = cpt_count(c, CRIMG_CPT_OBJ_INODE);
	m->files = calloc(files + 1, sizeof *m->files);
	m->inodes = calloc(inodes + 1, sizeof *m->inodes);
	m->segments = calloc(inodes + 1, sizeof *m->segments);
	if (m->files == NULL || m->inodes == NULL || m->segments == NULL)
		return crimg_fail_nomem(err, (files + inodes) * sizeof *m->files);
	if ((m->descriptors = calloc(files + 1, sizeof *m->descriptors)) == NULL)
		return crimg_fail_nomem(err, files * sizeof *m->descriptors);
	for (size_t i = cpt_count(c, CRIMG_CPT_OBJ_FILEDESC); i-- > 0;) {
		const struct cpt_object *d = cpt_nth(c, CRIMG_CPT_OBJ_FILEDESC, i);
		const struct cpt_object *file = cpt_ref(c, d, CRIMG_CPT_FILEDESC_FILE);
		if (file != NULL)
			m->descriptors[file->nth] = d;
	}
	for (size_t i = 0; i < files; i++) {
		const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_FILE, i);
		struct cpt_file *f = &m->files[i];
		f->inode = cpt_ref(c, o, CRIMG_CPT_FILE_INODE);
		f->socket = m->sockets[i];
		f->tty = tty_of(c, o, f->inode);
		f->type = file_type(c, o, f);
		if (f->inode != NULL && m->inodes[f->inode->nth].file == NULL)
			m->inodes[f->inode->nth].file = o;
	}
	find_watches(m, CRIMG_CPT_OBJ_EPOLL, CRIMG_CPT_EPOLL_FILE);
	find_watches(m, CRIMG_CPT_OBJ_INOTIFY, CRIMG_CPT_INOTIFY_FILE);
	return 0;
}

// Shared memory has a name that no open() finds.
static int is_shared_memory(struct cpt_image *m, const struct cpt_object *file,
			    struct crimg_err *err)
{
	char *name = file == NULL ? NULL : cpt_path(m, file, err);
	if (name == NULL)
		return file == NULL ? 0 : -1;
	return strcmp(name, "/dev/zero") == 0 || strncmp(name, "/SYSV", 5) == 0;
}

// The last page of a deleted file is filled up; what stands behind its end is none of it.
static void cut_ghost(struct cpt_image *m, const struct cpt_object *inode)
{
	struct cpt_runs *runs = &m->c.inodes[inode->nth];
	uint64_t size = cpt_get(&m->c, inode, CRIMG_CPT_INODE_SIZE);
	while (runs->count > 0 && runs->list[runs->count - 1].start >= size)
		runs->count--;
	if (runs->count > 0) {
		struct cpt_run *last = &runs->list[runs->count - 1];
		last->bytes = crimg_min_u64(last->bytes, size - last->start);
	}
}

// 0, or -1 with err filled.
static int find_role(struct cpt_image *m, const struct cpt_object *inode, struct crimg_err *err)
{
	struct cpt *c = &m->c;
	struct cpt_inode *of = &m->inodes[inode->nth];
	uint64_t mode = cpt_get(c, inode, CRIMG_CPT_INODE_MODE) & S_IFMT_BITS;
	int shared = 0;
	crimg_arena_reset(&m->arena);
	if (mode == S_IFIFO_BITS)
		of->role = CPT_ROLE_PIPE;
	else if (cpt_child(c, inode, NULL, CRIMG_CPT_OBJ_SYSV_SHM) != NULL)
		of->role = CPT_ROLE_SYSV;
	else if (mode != S_IFREG_BITS)
		of->role = CPT_ROLE_NONE;
	else if (cpt_get(c, inode, CRIMG_CPT_INODE_SB) == KERNEL_TMPFS_MAGIC
		 && (shared = is_shared_memory(m, of->file, err)) != 0)
		of->role = CPT_ROLE_SEGMENT;
	else
		of->role = cpt_child(c, inode, NULL, CRIMG_CPT_OBJ_NAME) != NULL ? CPT_ROLE_LINK
										: CPT_ROLE_GHOST;
	if (of->role == CPT_ROLE_GHOST)
		cut_ghost(m, inode);
	if (of->role == CPT_ROLE_SEGMENT || of->role == CPT_ROLE_SYSV) {
		of->segment = m->segment_count;
		m->segments[m->segment_count++] = inode->nth;
	}
	return shared < 0 ? -1 : 0;
}

static int group_tasks(struct cpt_image *m, struct crimg_err *err)
{
	size_t count = cpt_count(&m->c, CRIMG_CPT_OBJ_TASK);
	struct model_task_key *keys = calloc(count + 1, sizeof *keys);
	if (keys == NULL)
		return crimg_fail_nomem(err, count * sizeof *keys);
	for (size_t i = 0; i < count; i++) {
		const struct cpt_object *t = cpt_task(m, i);
		keys[i] = (struct model_task_key){
			(int32_t)cpt_get(&m->c, t, CRIMG_CPT_TASK_PID),
			(int32_t)cpt_get(&m->c, t, CRIMG_CPT_TASK_TGID), i};
	}
	if (model_tasks_init(&m->tasks, keys, count, m->c.source->name, err) < 0)
		return -1;
	m->process_of = calloc(count + 1, sizeof *m->process_of);
	if (m->process_of == NULL)
		return crimg_fail_nomem(err, count * sizeof *m->process_of);
	for (size_t i = 0; i < m->tasks.process_count; i++)
		for (size_t k = 0; k < m->tasks.processes[i].count; k++)
			m->process_of[m->tasks.by_process[m->tasks.processes[i].first + k]] = i;
	return 0;
}

int cpt_image_build(struct cpt_image *m, struct crimg_err *err)
{
	if (group_tasks(m, err) < 0 || find_sockets(m, err) < 0 || find_files(m, err) < 0)
		return -1;
	for (size_t i = 0; i < cpt_count(&m->c, CRIMG_CPT_OBJ_INODE); i++)
		if (find_role(m, cpt_nth(&m->c, CRIMG_CPT_OBJ_INODE, i), err) < 0)
			return -1;
	return cpt_find_members(m, err);
}

void cpt_image_fini(struct cpt_image *m)
{
	model_tasks_fini(&m->tasks);
	model_payloads_fini(&m->payloads);
	crimg_arena_fini(&m->arena);
	crimg_buf_fini(&m->pads);
	free(m->process_of);
	free(m->files);
	free(m->descriptors);
	free(m->members);
	free(m->inodes);
	free(m->segments);
	free(m->sockets);
	free(m->indexed);
	cpt_fini(&m->c);
}

uint32_t cpt_extra_id(const struct cpt_image *m, unsigned series, size_t nth)
{
	size_t files = cpt_count(&m->c, CRIMG_CPT_OBJ_FILE);
	return (uint32_t)(series * files + nth + 1);
}

void cpt_from(struct model_entry *out, const struct cpt_object *o)
{
	out->offset = o->offset;
	out->length = o->header;
}

void *cpt_make(struct cpt_image *m, size_t count, size_t size, struct crimg_err *err)
{
	void *p = count > SIZE_MAX / 4 / size ? NULL
					      : crimg_arena_alloc(&m->arena, (count + 1) * size);
	if (p != NULL)
		memset(p, 0, (count + 1) * size);
	else
		crimg_fail_nomem(err, size);
	return p;
}

// Twelve bits of major and twenty of minor, as they are packed for user space.
uint32_t cpt_device(uint64_t kernel)
{
	uint32_t major = (uint32_t)(kernel >> 20), minor = (uint32_t)kernel & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

char *cpt_path(struct cpt_image *m, const struct cpt_object *file, struct crimg_err *err)
{
	static const char gone[] = " (deleted)";
	const struct cpt_object *name = cpt_child(&m->c, file, NULL, CRIMG_CPT_OBJ_NAME);
	char *text = cpt_text(&m->c, name, &m->arena, err);
	if (text == NULL)
		return NULL;
	size_t length = strlen(text), cut = sizeof gone - 1;
	if (length > cut && strcmp(text + length - cut, gone) == 0)
		text[length - cut] = '\0';
	return text;
}
