// A directory as a store. Never follows a link, so a hostile image cannot show us other files.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/limits.h"
#include "format/store.h"

#define MAX_DEPTH 32

struct dir_state {
	int fd;
};

static int dir_open_member(struct crimg_store *store, const struct crimg_member *member,
                           struct crimg_source **out, struct crimg_err *err)
{
	struct dir_state *state = store->state;
	char shown[CRIMG_ERR_SOURCE_MAX];
	crimg_store_shown(store, member->name, shown, sizeof shown);
	return crimg_source_open_file(state->fd, member->name, shown, false, out, err);
}

static void dir_close(struct crimg_store *store)
{
	struct dir_state *state = store->state;
	close(state->fd);
	free(state);
}

static const struct crimg_store_ops dir_ops = { dir_open_member, dir_close };

static int walk(struct crimg_store *store, int dirfd, const char *prefix, unsigned depth,
                struct crimg_err *err);

static int add_link(struct crimg_store *store, int dirfd, const char *base, const char *name,
                    struct crimg_err *err)
{
	char target[CRIMG_MAX_NAME_BYTES + 1];
	ssize_t n = readlinkat(dirfd, base, target, sizeof target);
	if (n < 0)
		return crimg_fail_sys(err, errno, name, "the link cannot be read");
	if ((size_t)n >= sizeof target)
		return crimg_store_fail(store, name, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "a link target of more than %u bytes",
		                        CRIMG_MAX_NAME_BYTES);
	target[n] = '\0';
	return crimg_store_add(store, name, CRIMG_MEMBER_LINK, 0, target, 0, err);
}

static int add_subdir(struct crimg_store *store, int dirfd, const char *base, const char *name,
                      unsigned depth, struct crimg_err *err)
{
	char shown[CRIMG_ERR_SOURCE_MAX];
	crimg_store_shown(store, name, shown, sizeof shown);
	int fd = openat(dirfd, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return crimg_fail_sys(err, errno, shown, "cannot be opened");
	size_t before = store->count;
	if (walk(store, fd, name, depth + 1, err) < 0)
		return -1;
	if (store->count == before)
		return crimg_store_add(store, name, CRIMG_MEMBER_DIR, 0, NULL, 0, err);
	return 0;
}

static int add_one(struct crimg_store *store, int dirfd, const char *base, const char *name,
                   unsigned depth, struct crimg_err *err)
{
	struct stat st;
	char shown[CRIMG_ERR_SOURCE_MAX];
	crimg_store_shown(store, name, shown, sizeof shown);
	if (fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return crimg_fail_sys(err, errno, shown, "cannot be examined");
	if (S_ISREG(st.st_mode))
		return crimg_store_add(store, name, CRIMG_MEMBER_FILE, (uint64_t)st.st_size, NULL, 0,
		                       err);
	if (S_ISLNK(st.st_mode))
		return add_link(store, dirfd, base, name, err);
	if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
		return add_subdir(store, dirfd, base, name, depth, err);
	return crimg_store_fail(store, name, err, CRIMG_E_UNSUPPORTED, CRIMG_NO_OFFSET,
	                        S_ISDIR(st.st_mode) ? "directories nested too deep"
	                                            : "a special file (device, socket or fifo) "
	                                              "has no place in an image");
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

// Takes over dirfd.
static int walk(struct crimg_store *store, int dirfd, const char *prefix, unsigned depth,
                struct crimg_err *err)
{
	DIR *dir = fdopendir(dirfd);
	int rc = 0;
	if (dir == NULL) {
		close(dirfd);
		return crimg_fail_sys(err, errno, store->name, "cannot be listed");
	}
	for (struct dirent *entry; rc == 0;) {
		char name[CRIMG_MAX_NAME_BYTES + 1];
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL && errno != 0)
			rc = crimg_fail_sys(err, errno, store->name, "cannot be listed");
		if (entry == NULL)
			break;
		if (is_dots(entry->d_name))
			continue;
		int n = snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "/" : "",
		                 entry->d_name);
		if (n < 0 || (size_t)n >= sizeof name)
			rc = crimg_store_fail(store, prefix, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
			                      "a path of more than %u bytes", CRIMG_MAX_NAME_BYTES);
		else
			rc = add_one(store, dirfd, entry->d_name, name, depth, err);
	}
	closedir(dir);
	return rc;
}

static int open_at(const char *path, struct dir_state *state, struct crimg_store **out,
                   struct crimg_err *err)
{
	state->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->fd < 0)
		return crimg_fail_sys(err, errno, path, "cannot be opened");
	if (crimg_store_make(&dir_ops, path, '/', state, out, err) < 0) {
		close(state->fd);
		return -1;
	}
	return 0;
}

int crimg_store_open_dir(const char *path, struct crimg_store **out, struct crimg_err *err)
{
	struct dir_state *state = malloc(sizeof *state);
	struct crimg_store *store = NULL;
	if (state == NULL)
		return crimg_fail_nomem(err, sizeof *state);
	if (open_at(path, state, &store, err) < 0) {
		free(state);
		return -1;
	}
	int fd = openat(state->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? crimg_fail_sys(err, errno, path, "cannot be listed")
	                : walk(store, fd, "", 0, err);
	if (rc < 0 || crimg_store_seal(store, err) < 0) {
		crimg_store_close(store);
		return -1;
	}
	*out = store;
	return 0;
}
