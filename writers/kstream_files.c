// Open files, tables of descriptors, directories of tasks.
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "writers/kstream.h"

#define ACCESS_MASK 3u
#define FLAG_PATH 0x200000u    // O_PATH: younger than these kernels
#define FLAG_EXEC 0x20u        // FMODE_EXEC, which these kernels kept among them
#define MODE_READ 1u           // the kernel's FMODE_*
#define MODE_WRITE 2u
#define MODE_SEEK 0x1cu        // lseek, pread, pwrite
#define PIPE_MOST_BYTES 65536u
#define USUAL_UMASK 022u       // of whoever restarts
#define PATH_MAX_BYTES 4096u

// How a file of each type is written; 0: there is no such thing in a kernel stream.
static uint32_t type_of(struct kstream *k, const struct crimg_file *f)
{
	if (f == NULL || f->message == NULL)
		return 0;
	switch (f->type) {
	case FD_TYPES__REG:
		return (crimg_file_flags(f) & FLAG_PATH) != 0 ? 0 : CRIMG_LCR_FILE_GENERIC;
	case FD_TYPES__PIPE:
		return CRIMG_LCR_FILE_PIPE;
	case FD_TYPES__FIFO:
		return f->path != NULL ? CRIMG_LCR_FILE_FIFO : 0;
	case FD_TYPES__EVENTPOLL:
		return CRIMG_LCR_FILE_EPOLL;
	case FD_TYPES__EVENTFD:
		return CRIMG_LCR_FILE_EVENTFD;
	case FD_TYPES__UNIXSK:
	case FD_TYPES__INETSK:
		return kstream_socket_has_place(f) ? CRIMG_LCR_FILE_SOCKET : 0;
	case FD_TYPES__TTY:
		return kstream_tty_has_place(k, f) ? CRIMG_LCR_FILE_TTY : 0;
	default:
		return 0;
	}
}

// "./x" and "x" (of another mount namespace) become "/x".
const char *kstream_path(struct kstream *k, const struct crimg_file *file)
{
	const char *name = file != NULL && file->path != NULL ? file->path->name : NULL;
	if (name == NULL || name[0] == '/')
		return name;
	if (name[0] == '.' && (name[1] == '/' || name[1] == '\0'))
		name++;
	size_t length = strlen(name);
	char *path = crimg_arena_alloc(&k->arena, length + 2);
	if (path == NULL) {
		if (!kstream_failed(&k->out))
			crimg_fail_nomem(&k->out.err, length);
		return NULL;
	}
	path[0] = '/';
	memcpy(path + 1, name + (name[0] == '/'), length + 1 - (name[0] == '/'));
	return path;
}

int32_t kstream_inode(struct kstream *k, const char *path)
{
	struct crimg_buf key = CRIMG_BUF_INIT;
	int32_t ref = 0;
	// Longer than a number, which is the key of all other inodes.
	if (!kstream_failed(&k->out) && crimg_buf_append(&key, "inode at ", 9, &k->out.err) == 0
	    && crimg_buf_append(&key, path, strlen(path), &k->out.err) == 0)
		ref = kstream_number(k, CRIMG_LCR_OBJ_INODE, key.data, key.length, NULL);
	crimg_buf_fini(&key);
	return ref;
}

static void put_name(struct kstream *k, const char *path)
{
	size_t length = path != NULL ? strlen(path) + 1 : 0;
	if (length > PATH_MAX_BYTES && !kstream_failed(&k->out))
		crimg_fail(&k->out.err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		           "a path of %zu bytes, at most %u wanted", length, PATH_MAX_BYTES);
	kstream_begin(&k->out, CRIMG_LCR_FILE_NAME);
	kstream_bytes(&k->out, path != NULL ? path : "/", path != NULL ? length : 2);
	kstream_end(&k->out);
}

// What is in a pipe or fifo, at the first of its files.
static void put_pipe_bytes(struct kstream *k, enum crimg_kind kind, uint32_t id)
{
	struct crimg_entries found = { .count = 0 };
	const struct crimg_image_entry *e = NULL;
	if (kstream_failed(&k->out)
	    || crimg_image_select_entries(k->image, kind, "pipe_id", id, &found, &k->out.err) < 0)
		return;
	if (found.count > 0)
		e = found.items[0];
	if (e != NULL && e->payload.number != CRIMG_NO_PAYLOAD && e->payload.length > PIPE_MOST_BYTES)
		kstream_lose(k, crimg_kind_info(kind)->file, "bytes", "pipe %u holds more than a pipe of those kernels "
		             "can", id);
	kstream_begin(&k->out, CRIMG_LCR_PIPE_BUF);
	if (e != NULL && e->payload.number != CRIMG_NO_PAYLOAD && e->payload.length > 0) {
		const uint8_t *bytes = kstream_content(k->contents, e->payload);
		if (bytes != NULL)
			kstream_bytes(&k->out, bytes, (size_t)e->payload.length);
		else
			crimg_fail(&k->out.err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
			           "the contents of pipe %u did not come", id);
	}
	kstream_end(&k->out);
}

static uint32_t mode_of(uint32_t type, uint32_t flags)
{
	static const uint8_t modes[] = { MODE_READ, MODE_WRITE, MODE_READ | MODE_WRITE, MODE_READ | MODE_WRITE };
	return modes[flags & ACCESS_MASK] | (type == CRIMG_LCR_FILE_GENERIC ? MODE_SEEK : 0);
}

static uint32_t pipe_of(const struct crimg_file *f)
{
	const void *message = f->message;
	const PipeEntry *pipe = message;
	const FifoEntry *fifo = message;
	return f->type == FD_TYPES__FIFO ? fifo->pipe_id : pipe->pipe_id;
}

// The file of a program that runs is open for that.
static uint32_t flags_of(const struct kstream *k, const struct crimg_file *f)
{
	uint32_t flags = f->type == FD_TYPES__FIFO ? f->path->flags : crimg_file_flags(f);
	return f->id == k->exe ? flags | FLAG_EXEC : flags;
}

static void put_body(struct kstream *k, const struct crimg_file *f, uint32_t type, uint32_t flags)
{
	struct kstream_out *o = &k->out;
	bool piped = type == CRIMG_LCR_FILE_PIPE || type == CRIMG_LCR_FILE_FIFO, fresh = false;
	uint64_t pos = 0;
	int32_t inode = 0, end = type == CRIMG_LCR_FILE_SOCKET ? kstream_socket(k, f)
		: type == CRIMG_LCR_FILE_TTY ? kstream_tty(k, f) : 0;
	if (type != CRIMG_LCR_FILE_GENERIC || !crimg_file_position(f, &pos))
		pos = 0;
	if (piped)
		inode = kstream_number_of(k, CRIMG_LCR_OBJ_INODE,
		                          UINT64_C(1) << (f->type == FD_TYPES__FIFO ? 61 : 60) | pipe_of(f), &fresh);
	kstream_begin(o, CRIMG_LCR_FILE);
	kstream_u32(o, type);
	kstream_u32(o, mode_of(type, flags));
	kstream_u32(o, flags);
	kstream_ref(o, k->creds);
	kstream_u64(o, pos);
	kstream_u64(o, 0); // version
	kstream_u64(o, 0); // security label
	if (piped) {
		kstream_ref(o, inode);
		kstream_u32(o, 0);
	} else if (type == CRIMG_LCR_FILE_SOCKET || type == CRIMG_LCR_FILE_TTY) {
		kstream_ref(o, end);
		kstream_u32(o, 0);
	} else if (type == CRIMG_LCR_FILE_EVENTFD) {
		kstream_u64(o, ((const EventfdFileEntry *)f->message)->counter);
		kstream_u64(o, 0); // flags of its own
	}
	kstream_end(o);
	if (type == CRIMG_LCR_FILE_GENERIC || type == CRIMG_LCR_FILE_FIFO)
		put_name(k, kstream_path(k, f));
	if (fresh)
		put_pipe_bytes(k, f->type == FD_TYPES__FIFO ? CRIMG_KIND_FIFO_DATA : CRIMG_KIND_PIPES_DATA, pipe_of(f));
}

static void lose_of_file(struct kstream *k, const struct crimg_file *f)
{
	const FownEntry *owner = crimg_file_owner(f);
	if (owner != NULL && owner->pid != 0)
		kstream_lose(k, "files.img", "fown", "file %u: who gets its signals has no place", f->id);
	if (f->remap != NULL)
		kstream_lose(k, "files.img", "name",
		             "file %u is deleted or moved: of its contents only the name %s is kept", f->id,
		             f->path != NULL ? f->path->name : "");
}

int32_t kstream_file(struct kstream *k, uint32_t id)
{
	const struct crimg_file *f = crimg_files_find(&k->files, id);
	uint32_t type = type_of(k, f);
	int32_t ref;
	if (type == 0)
		return 0;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_FILE, id, &ref))
		return ref;
	put_body(k, f, type, flags_of(k, f));
	lose_of_file(k, f);
	return ref;
}

int32_t kstream_mapped_file(struct kstream *k, const VmaEntry *vma)
{
	uint32_t id = (uint32_t)vma->shmid;
	const struct crimg_file *f = crimg_files_find(&k->files, id);
	uint32_t type = type_of(k, f);
	int32_t ref;
	if (type != CRIMG_LCR_FILE_GENERIC || !vma->has_fdflags
	    || ((vma->fdflags ^ flags_of(k, f)) & ACCESS_MASK) == 0)
		return kstream_file(k, id);
	uint64_t key = (uint64_t)((vma->fdflags & ACCESS_MASK) + 1) << 32 | id;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_FILE, key, &ref))
		return ref;
	put_body(k, f, type, vma->fdflags);
	lose_of_file(k, f);
	return ref;
}

static bool has_place(struct kstream *k, const FdinfoEntry *fd)
{
	return type_of(k, crimg_files_find(&k->files, fd->id)) != 0;
}

static int by_number(const void *a, const void *b)
{
	const FdinfoEntry *const *x = a, *const *y = b;
	return (*x)->fd < (*y)->fd ? -1 : (*x)->fd > (*y)->fd;
}

static void lose_descriptor(struct kstream *k, const struct crimg_task *task, const FdinfoEntry *fd)
{
	char number[32], object[CRIMG_FILE_NAME_MAX];
	bool by_id = task->ids != NULL && crimg_image_find(k->image, CRIMG_KIND_FDINFO, task->ids->files_id) != NULL;
	crimg_kind_file(CRIMG_KIND_FDINFO, by_id ? task->ids->files_id : task->pid, object);
	const char *type = fd->type == FD_TYPES__REG ? "opened as a mere path"
		: crimg_name_or_number(CRIMG_NAMES_FD_TYPE, (uint64_t)fd->type, number, sizeof number);
	kstream_lose(k, object, "", "descriptor %u left out: a kernel stream has no file of its kind (%s)", fd->fd,
	             type);
}

// The descriptors of a table in the order of their numbers, those of files without a place left out
// and told. Owned by the caller.
static const FdinfoEntry **sorted(struct kstream *k, const struct crimg_task *task, size_t *count)
{
	struct crimg_list list = { .count = 0 };
	*count = 0;
	if (kstream_failed(&k->out)
	    || crimg_task_list(k->image, task, CRIMG_PART_FDS, &list, &k->out.err) < 0)
		return NULL;
	const FdinfoEntry **out = calloc(list.count + 1, sizeof *out);
	if (out == NULL) {
		crimg_fail_nomem(&k->out.err, list.count * sizeof *out);
		return NULL;
	}
	for (size_t i = 0; i < list.count; i++) {
		const FdinfoEntry *fd = list.items[i];
		if (has_place(k, fd))
			out[(*count)++] = fd;
		else
			lose_descriptor(k, task, fd);
	}
	qsort(out, *count, sizeof *out, by_number);
	return out;
}

static const FdinfoEntry *find_fd(const FdinfoEntry **fds, size_t count, uint32_t number)
{
	FdinfoEntry key = { .fd = number };
	const FdinfoEntry *wanted = &key;
	const FdinfoEntry **found = count == 0 ? NULL
		: bsearch(&wanted, fds, count, sizeof *fds, by_number);
	return found != NULL ? *found : NULL;
}

// What an epoll file watches, once all files of the table are there.
static void put_items(struct kstream *k, const struct crimg_file *f, const FdinfoEntry **fds, size_t count)
{
	struct kstream_out *o = &k->out;
	struct crimg_list watched = { .count = 0 };
	uint32_t items = 0;
	if (kstream_failed(o) || crimg_file_watches(k->image, f, &watched, &o->err) < 0)
		return;
	for (size_t i = 0; i < watched.count; i++) {
		const EventpollTfdEntry *e = watched.items[i];
		if (find_fd(fds, count, e->tfd) != NULL)
			items++;
		else
			kstream_lose(k, "files.img", "epfd.tfd", "file %u watches descriptor %u, which the stream "
			             "does not have", f->id, e->tfd);
	}
	int32_t ref = kstream_number_of(k, CRIMG_LCR_OBJ_FILE, f->id, NULL);
	kstream_begin(o, CRIMG_LCR_EPOLL_ITEMS);
	kstream_ref(o, ref);
	kstream_u32(o, items);
	kstream_end(o);
	if (items == 0)
		return;
	kstream_begin(o, CRIMG_LCR_BUFFER);
	for (size_t i = 0; i < watched.count; i++) {
		const EventpollTfdEntry *e = watched.items[i];
		const FdinfoEntry *fd = find_fd(fds, count, e->tfd);
		if (fd == NULL)
			continue;
		kstream_u64(o, e->data);
		kstream_u32(o, e->tfd);
		kstream_ref(o, kstream_number_of(k, CRIMG_LCR_OBJ_FILE, fd->id, NULL));
		kstream_u64(o, e->events);
	}
	kstream_end(o);
}

int32_t kstream_table(struct kstream *k, const struct crimg_task *task)
{
	struct kstream_out *o = &k->out;
	int32_t ref;
	size_t count;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_FILE_TABLE, k->tasks.list[task->fds_of].pid, &ref))
		return ref;
	const FdinfoEntry **fds = sorted(k, task, &count);
	uint8_t *fresh = calloc(count + 1, 1);
	if (fresh == NULL && !kstream_failed(o))
		crimg_fail_nomem(&o->err, count);
	kstream_begin(o, CRIMG_LCR_FILE_TABLE);
	kstream_u32(o, (uint32_t)count);
	kstream_u32(o, 0);
	kstream_end(o);
	for (size_t i = 0; i < count && !kstream_failed(o); i++) {
		int32_t before = k->last, file = kstream_file(k, fds[i]->id);
		fresh[i] = k->last > before;
		kstream_begin(o, CRIMG_LCR_FILE_DESC);
		kstream_ref(o, file);
		kstream_u32(o, fds[i]->fd);
		kstream_u32(o, fds[i]->flags & 1);
		kstream_u32(o, 0);
		kstream_end(o);
	}
	for (size_t i = 0; i < count && !kstream_failed(o); i++) {
		const struct crimg_file *f = crimg_files_find(&k->files, fds[i]->id);
		if (fresh[i] && f->type == FD_TYPES__EVENTPOLL)
			put_items(k, f, fds, count);
		else if (fresh[i] && (f->type == FD_TYPES__UNIXSK || f->type == FD_TYPES__INETSK))
			kstream_socket_queues(k, f);
	}
	free(fresh);
	free(fds);
	return ref;
}

int32_t kstream_fs(struct kstream *k, const struct crimg_task *task)
{
	struct kstream_out *o = &k->out;
	const FsEntry *e = task->fs;
	uint64_t key = task->ids != NULL ? task->ids->fs_id : UINT64_C(1) << 40 | task->pid;
	int32_t ref;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_FS, key, &ref))
		return ref;
	kstream_begin(o, CRIMG_LCR_FS);
	if (o->rc2) {
		kstream_u32(o, e != NULL && e->has_umask ? e->umask : USUAL_UMASK);
		kstream_u32(o, 0);
	} else if (e != NULL && e->has_umask && e->umask != USUAL_UMASK) {
		kstream_lose_of(k, CRIMG_KIND_FS, task->pid, "umask", "v20 has no place for it");
	}
	kstream_end(o);
	put_name(k, e != NULL ? kstream_path(k, crimg_files_find(&k->files, e->cwd_id)) : NULL);
	put_name(k, e != NULL ? kstream_path(k, crimg_files_find(&k->files, e->root_id)) : NULL);
	return ref;
}
