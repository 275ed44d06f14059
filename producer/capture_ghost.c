// Files whose name is gone but which are still open or mapped, and directories: regular ones with their
// contents, without holes, each once.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/capture.h"

static uint32_t kernel_dev(dev_t dev)
{
	return (uint32_t)(major(dev) << 20 | minor(dev));
}

static Timeval *time_of(struct crimg_capture *c, const struct timespec *t, struct crimg_err *err)
{
	Timeval *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL)
		return NULL;
	timeval__init(e);
	e->tv_sec = (uint64_t)t->tv_sec;
	e->tv_usec = (uint64_t)t->tv_nsec / 1000;
	return e;
}

int crimg_capture_ghost_chunk(struct crimg_capture *c, uint64_t id, uint64_t offset, struct crimg_shelf_run run,
			      struct crimg_err *err)
{
	GhostChunkEntry e = GHOST_CHUNK_ENTRY__INIT;
	size_t payload;
	e.off = offset;
	e.len = run.length;
	if (crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_GHOST_FILE, id, &e.base, &payload, err) < 0)
		return -1;
	return crimg_shelf_add(&c->shelf, payload, run, err);
}

// The pieces of a file that are not holes, each with its own entry.
static int put_chunks(struct crimg_capture *c, uint64_t id, int fd, uint64_t size, struct crimg_err *err)
{
	for (off_t at = 0; (uint64_t)at < size;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0;
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return crimg_fail_sys(err, errno, NULL, "a deleted file cannot be read");
		struct crimg_shelf_run run = {
			.where = CRIMG_SHELF_FILE, .place = fd, .address = (uint64_t)data,
			.length = crimg_min_u64((uint64_t)hole, size) - (uint64_t)data,
		};
		if (crimg_capture_ghost_chunk(c, id, run.address, run, err) < 0)
			return -1;
		at = hole;
	}
	return 0;
}

static int put_ghost(struct crimg_capture *c, const struct stat *st, struct crimg_err *err)
{
	GhostFileEntry e = GHOST_FILE_ENTRY__INIT;
	e.uid = st->st_uid;
	e.gid = st->st_gid;
	e.mode = st->st_mode;
	e.has_dev = e.has_ino = true;
	e.dev = kernel_dev(st->st_dev);
	e.ino = st->st_ino;
	e.atim = time_of(c, &st->st_atim, err);
	e.mtim = time_of(c, &st->st_mtim, err);
	e.has_chunks = e.chunks = e.has_size = S_ISREG(st->st_mode);
	e.size = e.has_size ? (uint64_t)st->st_size : 0;
	if (e.atim == NULL || e.mtim == NULL)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_GHOST_FILE, c->last_ghost_id, &e.base, err);
}

// Of several open files with one inode, all name the same ghost.
static uint32_t known_ghost(const struct crimg_capture *c, const struct stat *st)
{
	for (size_t i = 0; i < c->ghost_count; i++)
		if (c->ghosts[i].dev == st->st_dev && c->ghosts[i].ino == st->st_ino)
			return c->ghosts[i].id;
	return 0;
}

static int add_ghost(struct crimg_capture *c, const char *link, const struct stat *st,
		     struct crimg_err *err)
{
	void *array = c->ghosts;
	int fd = -1;
	if (crimg_grow(&array, &c->ghost_capacity, c->ghost_count, sizeof *c->ghosts, err) < 0)
		return -1;
	c->ghosts = array;
	if (S_ISREG(st->st_mode)) {
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return crimg_fail_sys(err, errno, link, "a deleted file cannot be opened");
		if (crimg_shelf_keep(&c->shelf, fd, err) < 0)
			return -1;
	}
	c->ghosts[c->ghost_count++] = (struct crimg_named_file){
		.dev = st->st_dev, .ino = st->st_ino, .id = ++c->last_ghost_id,
	};
	if (put_ghost(c, st, err) < 0)
		return -1;
	return fd < 0 ? 0 : put_chunks(c, c->last_ghost_id, fd, (uint64_t)st->st_size, err);
}

static int put_remap(struct crimg_capture *c, uint32_t file_id, uint32_t ghost_id, struct crimg_err *err)
{
	RemapFilePathEntry e = REMAP_FILE_PATH_ENTRY__INIT;
	e.orig_id = file_id;
	e.remap_id = ghost_id;
	e.has_remap_type = true;
	e.remap_type = REMAP_TYPE__GHOST;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_REMAP_FPATH, 0, &e.base, err);
}

int crimg_capture_hidden_ghost(struct crimg_capture *c, const struct stat *st, uint32_t file_id,
			       uint32_t *ghost_id, struct crimg_err *err)
{
	*ghost_id = ++c->last_ghost_id;
	return put_ghost(c, st, err) < 0 ? -1 : put_remap(c, file_id, *ghost_id, err);
}

int crimg_capture_ghost(struct crimg_capture *c, const char *link, const char *name, uint32_t file_id,
			struct crimg_err *err)
{
	struct stat st;
	if (stat(link, &st) < 0)
		return crimg_fail_sys(err, errno, link, "cannot be followed");
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISFIFO(st.st_mode))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, link, CRIMG_NO_OFFSET,
				  "%.300s was removed, and is neither a regular file nor a directory or fifo",
				  name);
	if (known_ghost(c, &st) == 0 && add_ghost(c, link, &st, err) < 0)
		return -1;
	return put_remap(c, file_id, known_ghost(c, &st), err);
}
