// Files by their path: programs, mappings, directories, and what open files have of a path.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/build_id.h"
#include "format/checked.h"
#include "producer/capture.h"

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

FownEntry *crimg_capture_owner(struct crimg_capture *c, int fd, struct crimg_err *err)
{
	struct f_owner_ex owner;
	uint32_t uids[2];
	FownEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL)
		return NULL;
	fown_entry__init(e);
	if (fd < 0 || fcntl(fd, F_GETOWN_EX, &owner) < 0)
		return e; // O_PATH: it has none
	int signal = fcntl(fd, F_GETSIG);
	e->signum = signal > 0 ? (uint32_t)signal : 0;
	if (owner.pid == 0)
		return e;
	e->pid_type = (uint32_t)owner.type;
	e->pid = (uint32_t)owner.pid;
	if (fcntl(fd, F_GETOWNER_UIDS, uids) == 0) {
		e->uid = uids[0];
		e->euid = uids[1];
	}
	return e;
}

// CRIU keeps the build-id as words.
static int put_build_id(struct crimg_capture *c, const char *link, int fd, RegFileEntry *reg,
			struct crimg_err *err)
{
	uint8_t id[CRIMG_BUILD_ID_MAX];
	int opened = fd < 0 ? open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : fd;
	if (opened < 0)
		return 0; // not ours to read: CRIU restores it by its size
	size_t length = crimg_build_id_read(opened, id);
	if (opened != fd)
		close(opened);
	reg->build_id = crimg_capture_alloc(c, CRIMG_BUILD_ID_MAX, err);
	if (reg->build_id == NULL)
		return -1;
	for (size_t i = 0; i + 4 <= length; i += 4)
		reg->build_id[reg->n_build_id++] = crimg_get_u32(id + i);
	return 0;
}

bool crimg_name_is_deleted(const char *name, size_t *length)
{
	size_t n = strlen(name), tail = strlen(CRIMG_DELETED);
	bool deleted = n > tail && strcmp(name + n - tail, CRIMG_DELETED) == 0;
	*length = deleted ? n - tail : n;
	return deleted;
}

static int fail_name(const char *link, const char *name, const char *why, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, link, CRIMG_NO_OFFSET, "%.300s %s", name, why);
}

// Whether the path still leads to the file; when not, its contents go with the image.
static int settle_name(struct crimg_capture *c, const char *link, const struct stat *st,
		       RegFileEntry *reg, struct crimg_err *err)
{
	struct stat now;
	size_t length;
	if (lstat(reg->name, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		return 0;
	if (!crimg_name_is_deleted(reg->name, &length))
		return fail_name(link, reg->name, "is no longer the name of that file: is another file mounted "
		                 "there?", err);
	reg->name[length] = '\0';
	if (st->st_nlink != 0 && !S_ISDIR(st->st_mode)) // of directories some file systems count none
		return crimg_capture_linked(c, link, reg->name, st, reg->id, err);
	return crimg_capture_ghost(c, link, reg->name, reg->id, err);
}

// What a link leads to; a path that is no link leads to itself.
static int follow(const char *link, char out[PATH_MAX + 1], struct stat *st, struct crimg_err *err)
{
	ssize_t n = readlink(link, out, PATH_MAX);
	if (n < 0 && errno == EINVAL)
		n = (ssize_t)(stpncpy(out, link, PATH_MAX) - out);
	if (n < 0 || stat(link, st) < 0)
		return crimg_fail_sys(err, errno, link, "cannot be followed");
	out[n] = '\0';
	return 0;
}

int crimg_capture_path(struct crimg_capture *c, const char *link, int fd, RegFileEntry *reg,
		       struct crimg_err *err)
{
	char path[PATH_MAX + 1];
	struct stat st;
	if (follow(link, path, &st, err) < 0)
		return -1;
	reg->name = crimg_arena_text(&c->arena, path, strlen(path));
	if (reg->name == NULL)
		return crimg_fail_nomem(err, strlen(path));
	reg->has_mode = true;
	reg->mode = st.st_mode;
	reg->has_size = S_ISREG(st.st_mode) && (reg->flags & O_APPEND) == 0;
	reg->size = reg->has_size ? (uint64_t)st.st_size : 0;
	if (S_ISREG(st.st_mode) && put_build_id(c, link, fd, reg, err) < 0)
		return -1;
	return settle_name(c, link, &st, reg, err);
}

static const struct crimg_named_file *find(const struct crimg_capture *c, uint64_t dev, uint64_t ino,
				     const char *name)
{
	for (size_t i = c->named_count; i-- > 0;) {
		const struct crimg_named_file *f = &c->named[i];
		if (f->ino == ino && f->dev == dev && strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

static int add(struct crimg_capture *c, const struct stat *st, const char *name, uint32_t id,
	       struct crimg_err *err)
{
	void *array = c->named;
	char *copy = crimg_arena_text(&c->shelf.arena, name, strlen(name));
	if (copy == NULL)
		return crimg_fail_nomem(err, strlen(name));
	if (crimg_grow(&array, &c->named_capacity, c->named_count, sizeof *c->named, err) < 0)
		return -1;
	c->named = array;
	c->named[c->named_count++] =
		(struct crimg_named_file){.dev = st->st_dev, .ino = st->st_ino, .id = id, .name = copy};
	return 0;
}

static int put(struct crimg_capture *c, const char *link, uint32_t id, struct crimg_err *err)
{
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	reg.fown = crimg_capture_owner(c, -1, err);
	reg.id = e.id = id;
	e.type = FD_TYPES__REG;
	e.reg = &reg;
	if (reg.fown == NULL || crimg_capture_path(c, link, -1, &reg, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e.base, err);
}

bool crimg_capture_known(const struct crimg_capture *c, uint64_t dev, uint64_t ino, const char *name,
			 uint64_t *id)
{
	const struct crimg_named_file *f = find(c, dev, ino, name);
	if (f != NULL)
		*id = f->id;
	return f != NULL;
}

int crimg_capture_named(struct crimg_capture *c, const char *link, uint32_t *id, struct crimg_err *err)
{
	char name[PATH_MAX + 1];
	struct stat st;
	if (follow(link, name, &st, err) < 0)
		return -1;
	const struct crimg_named_file *f = find(c, st.st_dev, st.st_ino, name);
	if (f != NULL) {
		*id = f->id;
		return 0;
	}
	*id = ++c->file.last;
	return put(c, link, *id, err) < 0 ? -1 : add(c, &st, name, *id, err);
}

int crimg_capture_link(struct crimg_capture *c, pid_t pid, const char *link, uint32_t *id,
		       struct crimg_err *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, link);
	return crimg_capture_named(c, path, id, err);
}
