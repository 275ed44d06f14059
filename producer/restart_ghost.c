// Files and directories that were deleted, or renamed, while they were open: made again, with what the image kept of
// them, or found by another name; and deleted at once.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/restart_parts.h"

// Makes what is missing of the directories that path is in. Returns how many were made; -1 with errno.
static int make_parents(char *path)
{
	int made = 0;
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int rc = mkdir(path, 0700);
		*slash = '/';
		if (rc < 0 && errno != EEXIST)
			return -1;
		made += rc == 0;
	}
	return made;
}

// Of the path of what is in them, which is cut.
static void remove_parents(char *path, int count)
{
	for (char *slash; count-- > 0 && (slash = strrchr(path, '/')) != NULL && slash > path;) {
		*slash = '\0';
		(void)rmdir(path);
	}
}

// A file of this sort under a name that nobody has, open; -1 with errno. from: another name of it, or NULL.
static int create_one(const char *name, uint32_t mode, const char *from, int flags)
{
	int rc;
	if (from != NULL)
		rc = linkat(AT_FDCWD, from, AT_FDCWD, name, 0);
	else if (S_ISREG(mode))
		return open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	else
		rc = S_ISDIR(mode) ? mkdir(name, 0700) : mkfifo(name, 0600);
	if (rc < 0)
		return -1;
	if (from == NULL)
		flags = O_NOFOLLOW | (S_ISDIR(mode) ? O_RDONLY | O_DIRECTORY : O_RDWR | O_NONBLOCK);
	int fd = open(name, flags | O_CLOEXEC | O_NOCTTY);
	int error = errno;
	if (fd < 0)
		(void)(S_ISDIR(mode) ? rmdir(name) : unlink(name));
	errno = error;
	return fd;
}

// The same under the file's own name, where nobody has it, so that the kernel shows it so; the name is gone again,
// and so are directories that were missing.
static int create(const char *path, uint32_t mode, const char *from, int flags, struct crimg_err *err)
{
	char name[CRIMG_MAX_NAME_BYTES + 16];
	int fd = -1, made = 0;
	for (unsigned i = 0; fd < 0 && made >= 0 && i < 1000; i++) {
		int n = i == 0 ? snprintf(name, sizeof name, "%s", path)
			: snprintf(name, sizeof name, "%s.crimg%u", path, i);
		if (n <= 0 || (size_t)n >= sizeof name)
			return crimg_fail_sys(err, ENAMETOOLONG, path, "a deleted file");
		fd = create_one(name, mode, from, flags);
		if (fd < 0 && errno == ENOENT && made == 0)
			fd = (made = make_parents(name)) < 0 ? -1 : create_one(name, mode, from, flags);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	int error = errno;
	if (fd >= 0)
		(void)(S_ISDIR(mode) ? rmdir(name) : unlink(name));
	remove_parents(name, made);
	return fd >= 0 ? fd
		: crimg_fail_sys(err, error, path, "a deleted file cannot be made again here");
}

// Behind the first entry either all of the content, or chunks between holes.
static int fill(struct crimg_restart *r, struct crimg_image_object *o, const GhostFileEntry *ghost,
                int fd, struct crimg_err *err)
{
	if (!ghost->has_chunks || !ghost->chunks)
		return o->entries[0].payload.number == CRIMG_NO_PAYLOAD
			? 0 : crimg_restart_pour(r->image, o->entries[0].payload, fd, err);
	if (ghost->has_size && ftruncate(fd, (off_t)ghost->size) < 0)
		return crimg_fail_sys(err, errno, o->origin, "the size of a deleted file");
	for (size_t i = 1; i < o->count; i++) {
		const GhostChunkEntry *chunk = crimg_image_message(r->image, o, i, err);
		if (chunk == NULL)
			return -1;
		if (lseek(fd, (off_t)chunk->off, SEEK_SET) < 0)
			return crimg_fail_sys(err, errno, o->origin, "a position in a deleted file");
		if (o->entries[i].payload.number != CRIMG_NO_PAYLOAD
		    && crimg_restart_pour(r->image, o->entries[i].payload, fd, err) < 0)
			return -1;
	}
	return 0;
}

static int set_meta(const GhostFileEntry *ghost, int fd, const char *path, struct crimg_err *err)
{
	struct stat st;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
	if (fstat(fd, &st) < 0 || ((st.st_uid != ghost->uid || st.st_gid != ghost->gid)
	                           && fchown(fd, ghost->uid, ghost->gid) < 0)
	    || fchmod(fd, ghost->mode & 07777) < 0)
		return crimg_fail_sys(err, errno, path, "owner and mode of a deleted file");
	if (ghost->atim != NULL && ghost->mtim != NULL) {
		times[0] = (struct timespec){ (time_t)ghost->atim->tv_sec,
			                      (long)ghost->atim->tv_usec * 1000 };
		times[1] = (struct timespec){ (time_t)ghost->mtim->tv_sec,
			                      (long)ghost->mtim->tv_usec * 1000 };
		(void)futimens(fd, times); // nothing depends on it
	}
	return 0;
}

static int make(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const char *path = file->path != NULL ? file->path->name : "";
	struct crimg_image_object *o =
		crimg_image_find(r->image, CRIMG_KIND_GHOST_FILE, file->remap->remap_id);
	const GhostFileEntry *ghost = o != NULL ? crimg_image_message(r->image, o, 0, err) : NULL;
	if (ghost == NULL)
		return crimg_fail(err, CRIMG_E_NOTFOUND, path, CRIMG_NO_OFFSET,
		                  "deleted, and the image has no contents of it");
	int fd = create(path, ghost->mode, NULL, 0, err);
	if (fd < 0)
		return -1;
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_GHOST, .id = file->remap->remap_id,
		                       .fd = fd };
	if ((S_ISREG(ghost->mode) && fill(r, o, ghost, fd, err) < 0) || set_meta(ghost, fd, path, err) < 0) {
		close(fd);
		return -1;
	}
	return crimg_handles_add(&r->handles, handle, err);
}

// A file that lives on under another name: the image says under which. It had its own when it was opened.
static int open_linked(struct crimg_restart *r, const struct crimg_file *file, int flags,
                       struct crimg_err *err)
{
	const struct crimg_file *link = crimg_files_find(&r->files, file->remap->remap_id);
	const char *from = link != NULL && link->path != NULL ? link->path->name : "";
	return create(file->path != NULL ? file->path->name : "", S_IFREG, from,
	              flags & ~(O_CREAT | O_EXCL | O_TRUNC), err);
}

void crimg_restart_drop_links(struct crimg_restart *r)
{
	for (size_t i = 0; i < r->files.count; i++) {
		const RemapFilePathEntry *remap = r->files.list[i].remap;
		const struct crimg_file *link = remap != NULL && crimg_restart_is_linked(remap)
			? crimg_files_find(&r->files, remap->remap_id) : NULL;
		const char *name = link != NULL && link->path != NULL ? link->path->name : "";
		const char *last = strrchr(name, '/');
		if (last == NULL || strncmp(last, "/link_remap.", 12) != 0 || unlink(name) < 0)
			continue;
		crimg_lines_add(&r->notes, "%s, which the checkpoint made, is gone again: the image restarts "
		                           "once", name);
	}
}

bool crimg_restart_is_linked(const RemapFilePathEntry *remap)
{
	return remap->has_remap_type ? remap->remap_type == REMAP_TYPE__LINKED : remap->remap_id >> 31 == 0;
}

int crimg_restart_open_ghost(struct crimg_restart *r, const struct crimg_file *file, int flags,
                             struct crimg_err *err)
{
	if (crimg_restart_is_linked(file->remap))
		return open_linked(r, file, flags, err);
	int ghost = crimg_handles_find(&r->handles, CRIMG_HANDLE_GHOST, file->remap->remap_id, 0);
	if (ghost < 0)
		ghost = make(r, file, err);
	if (ghost < 0)
		return -1;
	int fd = crimg_handles_reopen(ghost, flags);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, file->path->name, "a deleted file");
}
