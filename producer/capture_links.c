// Files that were removed under the name they were opened by and have others, which nobody can tell: they get one more,
// "link_remap.crimgN", until they are restarted. An image that does not come to be takes these names away again.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "producer/capture.h"

#define NAMES_MAX 1000u

// In the directory that path is in (its first `length` bytes, without the slash). The error number.
static int link_in(const char *link, const char *path, size_t length, uint32_t number,
                   char out[PATH_MAX])
{
	int error = EEXIST;
	for (unsigned i = 0; error == EEXIST && i < NAMES_MAX; i++) {
		int n = snprintf(out, PATH_MAX, "%.*s/link_remap.crimg%u", (int)length, path, number + i);
		if (n < 0 || n >= PATH_MAX)
			return ENAMETOOLONG;
		error = linkat(AT_FDCWD, link, AT_FDCWD, out, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
	}
	return error;
}

// Where its directory is gone, too, the next one above.
static int make_link(const char *link, const char *path, uint32_t number, char out[PATH_MAX],
                     struct crimg_err *err)
{
	size_t length = strlen(path);
	int error = ENOENT;
	while (length > 0 && error == ENOENT) {
		while (length > 0 && path[--length] != '/')
			continue;
		error = link_in(link, path, length, number, out);
	}
	return error == 0 ? 0
		: crimg_fail_sys(err, error, path, "was removed, but the file has other names: one more, by "
		                 "which it can be found, cannot be made in %.*s/", (int)length, path);
}

static int add_link(struct crimg_capture *c, const struct stat *st, const char *name,
                    struct crimg_err *err)
{
	void *array = c->links;
	char *copy = crimg_arena_text(&c->shelf.arena, name, strlen(name));
	if (copy == NULL)
		return crimg_fail_nomem(err, strlen(name));
	if (crimg_grow(&array, &c->link_capacity, c->link_count, sizeof *c->links, err) < 0)
		return -1;
	c->links = array;
	c->links[c->link_count++] = (struct crimg_named_file){
		.dev = st->st_dev, .ino = st->st_ino, .id = ++c->file.last, .name = copy,
	};
	return 0;
}

static int put_link(struct crimg_capture *c, const struct crimg_named_file *l, uint32_t mode,
                    struct crimg_err *err)
{
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	reg.fown = crimg_capture_owner(c, -1, err);
	if (reg.fown == NULL)
		return -1;
	reg.id = e.id = l->id;
	reg.name = l->name;
	reg.has_mode = true;
	reg.mode = mode;
	e.type = FD_TYPES__REG;
	e.reg = &reg;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e.base, err);
}

static int new_link(struct crimg_capture *c, const char *link, const char *name,
                    const struct stat *st, struct crimg_err *err)
{
	char path[PATH_MAX];
	if (!c->thorough)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, link, CRIMG_NO_OFFSET,
		                  "%.300s was removed, but the file has other names: only crimg checkpoint "
		                  "gives it one that can be found", name);
	if (make_link(link, name, c->file.last + 1, path, err) < 0)
		return -1;
	if (add_link(c, st, path, err) < 0) {
		unlink(path);
		return -1;
	}
	return put_link(c, &c->links[c->link_count - 1], st->st_mode, err);
}

int crimg_capture_linked(struct crimg_capture *c, const char *link, const char *name,
                         const struct stat *st, uint32_t file_id, struct crimg_err *err)
{
	RemapFilePathEntry e = REMAP_FILE_PATH_ENTRY__INIT;
	size_t i = 0;
	while (i < c->link_count && (c->links[i].dev != st->st_dev || c->links[i].ino != st->st_ino))
		i++;
	if (i == c->link_count && new_link(c, link, name, st, err) < 0)
		return -1;
	e.orig_id = file_id;
	e.remap_id = c->links[i].id;
	e.has_remap_type = true;
	e.remap_type = REMAP_TYPE__LINKED;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_REMAP_FPATH, 0, &e.base, err);
}

void crimg_capture_drop_links(struct crimg_capture *c)
{
	for (size_t i = 0; !c->keep_links && i < c->link_count; i++)
		unlink(c->links[i].name);
	c->link_count = 0;
}
