// What of open and mapped files cannot be restarted, and which descriptors the user brings along.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file_words.h"
#include "format/names.h"
#include "producer/restart_inet.h"
#include "producer/restart_outside.h"
#include "producer/restart_ptys.h"
#include "producer/restart_unix.h"
#include "producer/restart_watches.h"

// Files of these types are made; all others are refused.
static const FdTypes made[] = {
	FD_TYPES__REG, FD_TYPES__PIPE, FD_TYPES__FIFO, FD_TYPES__EVENTFD, FD_TYPES__EVENTPOLL,
	FD_TYPES__SIGNALFD, FD_TYPES__TIMERFD, FD_TYPES__MEMFD, FD_TYPES__TTY, FD_TYPES__INETSK,
	FD_TYPES__NETLINKSK, FD_TYPES__PACKETSK, FD_TYPES__UNIXSK,
	FD_TYPES__INOTIFY, FD_TYPES__PIDFD,
};

static bool is_made(FdTypes type)
{
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		if (made[i] == type)
			return true;
	return false;
}

static void refuse(struct crimg_restart *r, const struct crimg_file *file, const char *why)
{
	char type[32];
	struct crimg_file_words words;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	crimg_file_words(r->image, &r->files, file, &words, &ignored);
	crimg_lines_add(&r->refused, "file %u (%s %.200s): %s", file->id,
	                crimg_name_or_number(CRIMG_NAMES_FD_TYPE, file->type, type, sizeof type),
	                words.name, why);
}

const struct crimg_inherit *crimg_restart_inherited(struct crimg_restart *r,
                                                    const struct crimg_file *file)
{
	struct crimg_file_words words;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char number[16];
	if (r->options->inherit_count == 0)
		return NULL;
	crimg_file_words(r->image, &r->files, file, &words, &ignored);
	snprintf(number, sizeof number, "%u", file->id);
	for (size_t i = 0; i < r->options->inherit_count; i++) {
		struct crimg_inherit *n = &r->options->inherits[i];
		if (strcmp(n->name, words.name) == 0 || strcmp(n->name, number) == 0) {
			n->used = true;
			return n;
		}
	}
	return NULL;
}

// One that was removed: what the image kept of it must be something that can be made.
static void refuse_removed(struct crimg_restart *r, const struct crimg_file *file)
{
	struct stat st;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	const RemapFilePathEntry *remap = file->remap;
	if (remap->has_remap_type && remap->remap_type == REMAP_TYPE__PROCFS) {
		refuse(r, file, "of a process that has ended: not restarted yet");
	} else if (crimg_restart_is_linked(remap)) {
		const struct crimg_file *link = crimg_files_find(&r->files, remap->remap_id);
		if (link == NULL || link->path == NULL || lstat(link->path->name, &st) < 0)
			refuse(r, file, "was removed, and the other name that the checkpoint made for it is not "
			                "there: was the image restarted before?");
	} else {
		struct crimg_image_object *o = crimg_image_find(r->image, CRIMG_KIND_GHOST_FILE,
		                                                remap->remap_id & 0x7fffffff);
		const GhostFileEntry *ghost =
			o != NULL && o->count > 0 ? crimg_image_message(r->image, o, 0, &ignored) : NULL;
		if (ghost != NULL && !S_ISREG(ghost->mode) && !S_ISDIR(ghost->mode) && !S_ISFIFO(ghost->mode))
			refuse(r, file, "a device, link or socket that was removed: not restarted yet");
	}
}

static void refuse_regular(struct crimg_restart *r, const struct crimg_file *file)
{
	const RegFileEntry *reg = file->message;
	struct stat st;
	if (file->remap != NULL) {
		refuse_removed(r, file);
		return;
	}
	if (reg->name == NULL || reg->name[0] != '/')
		refuse(r, file, "has no path: bring it along with --inherit");
	else if (strncmp(reg->name, "/proc/", 6) == 0 && reg->name[6] >= '0' && reg->name[6] <= '9')
		refuse(r, file, "belongs to a process: not restarted yet");
	else if ((reg->has_mode && S_ISLNK(reg->mode) ? lstat(reg->name, &st) : stat(reg->name, &st)) < 0)
		refuse(r, file, "is not there: bring it along, under the same path");
	else if (reg->has_mode && (reg->mode & S_IFMT) != (st.st_mode & S_IFMT))
		refuse(r, file, "is of another kind now: bring the old one along");
	else if (S_ISCHR(st.st_mode) && (st.st_rdev >> 8) != 1)
		refuse(r, file, "is a device with a state of its own: bring it along with --inherit");
	else if (S_ISBLK(st.st_mode) || S_ISSOCK(st.st_mode))
		refuse(r, file, "is a device or socket: bring it along with --inherit");
}

static void mark(const struct crimg_restart *r, uint64_t id, bool *wanted)
{
	const struct crimg_file *file = crimg_files_find(&r->files, (uint32_t)id);
	if (file == NULL)
		return;
	wanted[file - r->files.list] = true;
	if (file->type == FD_TYPES__FIFO && file->path != NULL && file->path->id != id)
		mark(r, file->path->id, wanted);
}

// The files that will be opened: the image tells of others too, by which terminals and the like had been
// opened once.
static void mark_wanted(struct crimg_restart *r, const struct crimg_actor *a, bool *wanted)
{
	const struct crimg_task *t = a->task;
	struct crimg_list fds;
	struct crimg_err told = CRIMG_ERR_INIT; // by refuse_descriptors()
	if (crimg_task_list(r->image, t, CRIMG_PART_FDS, &fds, &told) == 0)
		for (size_t i = 0; i < fds.count; i++)
			mark(r, ((const FdinfoEntry *)fds.items[i])->id, wanted);
	if (t->fs != NULL) {
		mark(r, t->fs->cwd_id, wanted);
		mark(r, t->fs->root_id, wanted);
	}
	if (t->mm != NULL)
		mark(r, t->mm->exe_file_id, wanted);
	for (size_t i = 0; i < a->space.count; i++)
		if ((a->space.areas[i].vma->status & (CRIMG_VMA_FILE | CRIMG_VMA_MEMFD)) != 0)
			mark(r, a->space.areas[i].vma->shmid, wanted);
}

static void mark_rights(struct crimg_restart *r, const SkPacketEntry *packet, const ScmEntry *scm, bool *wanted)
{
	for (size_t i = 0; i < scm->n_rights; i++) {
		if (crimg_files_find(&r->files, scm->rights[i]) == NULL) {
			crimg_lines_add(&r->refused, "file %u is on its way to file %u, and missing in the image: take "
			                "a whole image", scm->rights[i], packet->id_for);
			return;
		}
		mark(r, scm->rights[i], wanted);
	}
}

// Files that are on their way through a socket.
static void mark_in_flight(struct crimg_restart *r, bool *wanted)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_SK_QUEUES);
	struct crimg_err err = CRIMG_ERR_INIT;
	const SkPacketEntry *e;
	while ((e = crimg_image_walk(r->image, &walk, &err)) != NULL)
		for (size_t i = 0; i < e->n_scm; i++) {
			if (e->scm[i]->type != SCM_RIGHTS)
				crimg_lines_add(&r->refused, "a packet for file %u brings what is unknown: %u",
						e->id_for, e->scm[i]->type);
			mark_rights(r, e, e->scm[i], wanted);
		}
	if (err.code != CRIMG_OK)
		crimg_lines_add(&r->refused, "what waits in sockets cannot be read: %s", err.text);
}

static void refuse_file(struct crimg_restart *r, const struct crimg_file *file)
{
	if (crimg_restart_inherited(r, file) != NULL)
		return;
	if (file->message == NULL || !is_made(file->type)) {
		refuse(r, file, "not restarted yet: close it before the checkpoint, or use criu restore");
		return;
	}
	const PidfdEntry *pidfd = crimg_restart_pidfd(file);
	if (file->type == FD_TYPES__REG)
		refuse_regular(r, file);
	if (pidfd != NULL && crimg_tasks_find(&r->tasks, (uint32_t)pidfd->nspid) == NULL)
		refuse(r, file, "of a thread, or of a process outside the image: not restarted yet");
	crimg_restart_refuse_inet(r, file, refuse);
	if (file->type == FD_TYPES__TTY && !crimg_restart_has_master(r, file) && crimg_restart_terminal() < 0)
		refuse(r, file, "a terminal, and crimg has none: --inherit brings one along, or run it "
		                "in a terminal");
}

static void refuse_descriptors(struct crimg_restart *r, const struct crimg_task *t)
{
	struct crimg_list fds;
	struct crimg_err err = CRIMG_ERR_INIT;
	if (crimg_task_list(r->image, t, CRIMG_PART_FDS, &fds, &err) < 0)
		crimg_lines_add(&r->refused, "task %u: its descriptors cannot be read: %s", t->pid,
		                err.text);
	for (size_t i = 0; err.code == CRIMG_OK && i < fds.count; i++) {
		const FdinfoEntry *fd = fds.items[i];
		if (crimg_files_find(&r->files, fd->id) == NULL)
			crimg_lines_add(&r->refused,
			                "task %u: descriptor %u: file %u is missing in the image: "
			                "take a whole image", t->pid, fd->fd, fd->id);
		else if (fd->fd > 1u << 20)
			crimg_lines_add(&r->refused, "task %u: descriptor %u: above all that a "
			                "kernel allows", t->pid, fd->fd);
	}
}

static void refuse_locks(struct crimg_restart *r)
{
	const struct crimg_image_object *o = crimg_image_first(r->image, CRIMG_KIND_FILE_LOCKS);
	for (size_t i = 0; o != NULL && i < o->count; i++) {
		const FileLockEntry *lock = crimg_image_message(
			r->image, crimg_image_first(r->image, CRIMG_KIND_FILE_LOCKS), i, NULL);
		if (lock != NULL && ((lock->flag & 15) == 0 || ((lock->flag & 8) != 0 && lock->type > F_UNLCK)))
			crimg_lines_add(&r->refused,
			                "task %d: descriptor %d: a lease that was being given up, or an "
			                "unknown lock: not restarted yet", lock->pid, lock->fd);
	}
}

void crimg_restart_refuse_files(struct crimg_restart *r)
{
	bool *wanted = calloc(r->files.count + 1, sizeof *wanted);
	if (wanted == NULL) {
		r->refused.failed = true;
		return;
	}
	for (size_t i = 0; i < r->tasks.count; i++)
		if (r->tasks.list[i].state != CRIMG_TASK_DEAD)
			mark_wanted(r, &r->actors[i], wanted);
	mark_in_flight(r, wanted);
	for (size_t i = 0; i < r->files.count; i++)
		if (wanted[i])
			refuse_file(r, &r->files.list[i]);
	free(wanted);
	for (size_t i = 0; i < r->tasks.count; i++)
		if (r->tasks.list[i].state != CRIMG_TASK_DEAD)
			refuse_descriptors(r, &r->tasks.list[i]);
	refuse_locks(r);
	crimg_restart_refuse_unix(r);
	for (size_t i = 0; i < r->options->inherit_count; i++) {
		const struct crimg_inherit *n = &r->options->inherits[i];
		if (!n->used)
			crimg_lines_add(&r->refused,
			                "--inherit %d:%s: the image has no such file: crimg inspect %s "
			                "files lists them", n->fd, n->name, r->options->path);
		else if (fcntl(n->fd, F_GETFD) < 0)
			crimg_lines_add(&r->refused, "--inherit %d:%s: crimg has nothing open as %d", n->fd,
			                n->name, n->fd);
	}
}
