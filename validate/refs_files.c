// What open files refer to: paths, contents of deleted files, terminals, memory files, contents of pipes, the
// descriptors that an epoll waits for, and the holders of locks.
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "validate/numbered.h"

// Fields of a file's message that name a thing.
static const struct {
	FdTypes type;
	const char *field;
	enum crimg_ref ref;
	enum crimg_finding_id missing;
	const char *noun;
} of_files[] = {
	{ FD_TYPES__TTY, "tty_info_id", CRIMG_REF_TTY, CRIMG_F_NO_OBJECT, "terminal" },
	{ FD_TYPES__TTY, "regf_id", CRIMG_REF_FILE, CRIMG_F_NO_FILE, "path" },
	{ FD_TYPES__FIFO, "regf_id", CRIMG_REF_FILE, CRIMG_F_NO_FILE, "path" },
	{ FD_TYPES__MEMFD, "inode_id", CRIMG_REF_MEMFD, CRIMG_F_NO_OBJECT, "memory file" },
};

// The same of entries of other images.
static const struct {
	enum crimg_kind kind;
	const char *field;
	enum crimg_ref ref;
	enum crimg_finding_id missing;
	const char *noun;
	bool holds; // else it only tells more of the thing
} of_entries[] = {
	{ CRIMG_KIND_FS, "cwd_id", CRIMG_REF_FILE, CRIMG_F_NO_FILE, "working directory", true },
	{ CRIMG_KIND_FS, "root_id", CRIMG_REF_FILE, CRIMG_F_NO_FILE, "root directory", true },
	{ CRIMG_KIND_TTY_DATA, "tty_id", CRIMG_REF_TTY, CRIMG_F_NO_OBJECT, "terminal", false },
	{ CRIMG_KIND_REMAP_FPATH, "orig_id", CRIMG_REF_FILE, CRIMG_F_NO_FILE, "deleted file", false },
	{ CRIMG_KIND_SK_QUEUES, "id_for", CRIMG_REF_FILE, CRIMG_F_NO_FILE, "receiving socket", false },
};

static void check_path(struct crimg_numbered *r, const struct crimg_file *file)
{
	uint64_t id;
	if ((file->type != FD_TYPES__FIFO && file->type != FD_TYPES__TTY)
	    || !crimg_ref_number(file->message, "regf_id", &id) || crimg_ref_is_path(r, id))
		return;
	struct crimg_place at = crimg_place_opened(r->c, file, "regf_id");
	CRIMG_FIND(r->c, NOT_A_PATH, &at, "file %u was opened by file %" PRIu64 ", which has no path",
	           file->id, id);
}

static void check_file(struct crimg_numbered *r, const struct crimg_file *file)
{
	for (size_t i = 0; i < sizeof of_files / sizeof of_files[0]; i++) {
		uint64_t id;
		if (of_files[i].type != file->type
		    || !crimg_ref_number(file->message, of_files[i].field, &id)
		    || crimg_ref_use(r, of_files[i].ref, id))
			continue;
		struct crimg_place at = crimg_place_opened(r->c, file, of_files[i].field);
		crimg_findings_add(&r->c->findings, of_files[i].missing, &at,
		                   "file %u refers to %s %" PRIu64 ", which is not in the image", file->id,
		                   of_files[i].noun, id);
	}
	check_path(r, file);
}

static void check_entries(struct crimg_numbered *r, size_t i)
{
	struct crimg_image_walk walk = crimg_image_walk_make(of_entries[i].kind);
	const ProtobufCMessage *m;
	while ((m = crimg_image_walk(r->c->image, &walk, NULL)) != NULL) {
		uint64_t id;
		if (!crimg_ref_number(m, of_entries[i].field, &id)
		    || (of_entries[i].holds ? crimg_ref_use(r, of_entries[i].ref, id)
		                            : crimg_ref_known(r, of_entries[i].ref, id)))
			continue;
		struct crimg_place at = crimg_place_message(r->c, m, "%s", of_entries[i].field);
		crimg_findings_add(&r->c->findings, of_entries[i].missing, &at,
		                   "the %s is number %" PRIu64 ", which is not in the image",
		                   of_entries[i].noun, id);
	}
}

static void check_remaps(struct crimg_numbered *r)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_REMAP_FPATH);
	const RemapFilePathEntry *e;
	while ((e = crimg_image_walk(r->c->image, &walk, NULL)) != NULL) {
		struct crimg_place at = { .offset = CRIMG_NO_OFFSET };
		RemapType type = e->has_remap_type ? e->remap_type : REMAP_TYPE__LINKED;
		if (type == REMAP_TYPE__LINKED && !crimg_ref_use(r, CRIMG_REF_FILE, e->remap_id)) {
			at = crimg_place_message(r->c, e, "remap_id");
			CRIMG_FIND(r->c, NO_FILE, &at, "file %u is kept as file %u, which is not in the image",
			           e->orig_id, e->remap_id);
		}
		if (type == REMAP_TYPE__GHOST && !crimg_ref_use(r, CRIMG_REF_GHOST, e->remap_id)) {
			at = crimg_place_message(r->c, e, "remap_id");
			CRIMG_FIND(r->c, NO_GHOST, &at, "file %u was deleted: ghost-file-%x.img is missing",
			           e->orig_id, e->remap_id);
		}
	}
}

static bool may_read(const struct crimg_file *file)
{
	uint32_t flags = file->type == FD_TYPES__PIPE ? ((const PipeEntry *)file->message)->flags
	                 : file->path != NULL          ? file->path->flags
	                                               : O_WRONLY;
	return (flags & O_ACCMODE) != O_WRONLY;
}

// What is in a pipe is dumped by whoever can read it.
static void check_pipe(struct crimg_numbered *r, const struct crimg_file *file)
{
	enum crimg_ref ref = file->type == FD_TYPES__PIPE ? CRIMG_REF_PIPE : CRIMG_REF_FIFO;
	uint64_t id;
	if ((file->type != FD_TYPES__PIPE && file->type != FD_TYPES__FIFO)
	    || !crimg_ref_number(file->message, "pipe_id", &id) || crimg_ref_use(r, ref, id)
	    || !may_read(file))
		return;
	struct crimg_place at = crimg_place_opened(r->c, file, "pipe_id");
	CRIMG_FIND(r->c, NO_PIPE_DATA, &at, "what is in pipe %" PRIu64 " is not in the image", id);
}

static bool has_fd(struct crimg_numbered *r, const struct crimg_task *task, int32_t fd)
{
	const struct crimg_image_object *table = crimg_ref_fdtable(r, task);
	return fd >= 0
	       && crimg_ref_use(r, CRIMG_REF_FD,
	                        crimg_ref_fd(table != NULL ? table->object.id : 0, (uint32_t)fd));
}

static void check_locks(struct crimg_numbered *r)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_FILE_LOCKS);
	const FileLockEntry *lock;
	while ((lock = crimg_image_walk(r->c->image, &walk, NULL)) != NULL) {
		const struct crimg_task *task = crimg_tasks_find(&r->c->tasks, (uint32_t)lock->pid);
		if (task != NULL ? has_fd(r, task, lock->fd) : r->c->damaged[CRIMG_KIND_PSTREE])
			continue;
		struct crimg_place at =
			crimg_place_message(r->c, lock, "%s", task == NULL ? "pid" : "fd");
		CRIMG_FIND(r->c, NO_LOCK_HOLDER, &at,
		           task == NULL ? "a lock is held by process %d, which is not in the image"
		                        : "a lock is held by process %d through a descriptor that it lacks",
		           lock->pid);
	}
}

#define HOLDERS_MAX 64u // of an epoll that are looked at; with more, its targets are not judged

// True when some holder of the epoll has a descriptor fd: those are numbers in the table of whoever added it.
static bool has_target(struct crimg_numbered *r, const struct crimg_file *epoll, uint32_t fd)
{
	const struct crimg_id_set *holders = &r->sets[CRIMG_REF_HOLDER];
	const struct crimg_id *h = crimg_id_set_find(holders, epoll->id);
	const struct crimg_id *end = holders->list + holders->count;
	for (size_t n = 0; h != NULL && h < end && h->id == epoll->id; h++, n++) {
		const struct crimg_image_object *table = h->thing;
		if (n == HOLDERS_MAX
		    || crimg_ref_use(r, CRIMG_REF_FD, crimg_ref_fd(table->object.id, fd)))
			return true;
	}
	return r->c->damaged[CRIMG_KIND_FDINFO];
}

static void check_targets(struct crimg_numbered *r, const struct crimg_file *epoll)
{
	struct crimg_list watches = { NULL, 0 };
	if (epoll->type != FD_TYPES__EVENTPOLL
	    || crimg_file_watches(r->c->image, epoll, &watches, NULL) < 0)
		return;
	for (size_t i = 0; i < watches.count; i++) {
		const EventpollTfdEntry *watch = watches.items[i];
		if (has_target(r, epoll, watch->tfd))
			continue;
		char field[32];
		snprintf(field, sizeof field, "tfd[%zu].tfd", i);
		struct crimg_place at = crimg_place_opened(r->c, epoll, field);
		CRIMG_FIND(r->c, NO_EPOLL_TARGET, &at,
		           "epoll %u waits for descriptor %u, which its holders lack", epoll->id, watch->tfd);
	}
}

void crimg_refs_files(struct crimg_numbered *r)
{
	for (size_t i = 0; i < r->c->files.count; i++)
		if (r->c->files.list[i].message != NULL) {
			check_file(r, &r->c->files.list[i]);
			check_pipe(r, &r->c->files.list[i]);
			check_targets(r, &r->c->files.list[i]);
		}
	for (size_t i = 0; i < sizeof of_entries / sizeof of_entries[0]; i++)
		check_entries(r, i);
	check_remaps(r);
	check_locks(r);
}
