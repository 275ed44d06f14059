// Files that were deleted, or renamed, while they were open: made again, with what the image kept of them,
// and deleted at once.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/restart_parts.h"

// A name in the same directory: the file's own, where nobody has it, so that the kernel shows it so.
static int create(const char *path, char *out, size_t size, struct crimg_err *err)
{
	for (unsigned i = 0; i < 1000; i++) {
		int n = i == 0 ? snprintf(out, size, "%s", path)
			: snprintf(out, size, "%s.crimg%u", path, i);
		if (n < 0 || (size_t)n >= size)
			return crimg_fail_sys(err, ENAMETOOLONG, path, "a deleted file");
		int fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd
				: crimg_fail_sys(err, errno, path,
				                 "a deleted file cannot be made again here");
	}
	return crimg_fail_sys(err, EEXIST, path, "a deleted file");
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
	char name[CRIMG_MAX_NAME_BYTES + 16];
	const char *path = file->path != NULL ? file->path->name : "";
	struct crimg_image_object *o =
		crimg_image_find(r->image, CRIMG_KIND_GHOST_FILE, file->remap->remap_id);
	const GhostFileEntry *ghost = o != NULL ? crimg_image_message(r->image, o, 0, err) : NULL;
	if (ghost == NULL)
		return crimg_fail(err, CRIMG_E_NOTFOUND, path, CRIMG_NO_OFFSET,
		                  "deleted, and the image has no contents of it");
	if (!S_ISREG(ghost->mode))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, path, CRIMG_NO_OFFSET,
		                  "a deleted directory or device: not restarted yet");
	int fd = create(path, name, sizeof name, err);
	if (fd < 0)
		return -1;
	unlink(name);
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_GHOST, .id = file->remap->remap_id,
		                       .fd = fd };
	if (fill(r, o, ghost, fd, err) < 0 || set_meta(ghost, fd, path, err) < 0) {
		close(fd);
		return -1;
	}
	return crimg_handles_add(&r->handles, handle, err);
}

// A file that lives on under another name: the image says under which.
static int open_linked(struct crimg_restart *r, const struct crimg_file *file, int flags,
                       struct crimg_err *err)
{
	const struct crimg_file *link = crimg_files_find(&r->files, file->remap->remap_id);
	const char *path = link != NULL && link->path != NULL ? link->path->name : "";
	int fd = open(path, (flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, path, "the other name of a file cannot be "
	                                                       "opened");
}

int crimg_restart_open_ghost(struct crimg_restart *r, const struct crimg_file *file, int flags,
                             struct crimg_err *err)
{
	if (!file->remap->has_remap_type || file->remap->remap_type != REMAP_TYPE__GHOST)
		return open_linked(r, file, flags, err);
	int ghost = crimg_handles_find(&r->handles, CRIMG_HANDLE_GHOST, file->remap->remap_id, 0);
	if (ghost < 0)
		ghost = make(r, file, err);
	if (ghost < 0)
		return -1;
	int fd = crimg_handles_reopen(ghost, flags);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, file->path->name, "a deleted file");
}
