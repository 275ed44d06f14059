// Temporary siblings and renames.
#include "format/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100
#define BASE_KEPT 200 // bytes of a long name that the temporary one keeps

int crimg_sync_fd(int fd, const char *shown, struct crimg_err *err)
{
	int rc;
	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno != EINVAL && errno != EROFS)
		return crimg_fail_sys(err, errno, shown, "cannot be made to last");
	return 0;
}

static int open_parent(const char *path, const char *shown, struct crimg_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES) // may be written to but not listed
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return crimg_fail_sys(err, errno, shown, "its directory cannot be opened");
	return fd;
}

// Cuts path at its last slash: the directory is opened, the rest is the final name.
static int split(struct crimg_place *place, char *path, struct crimg_err *err)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	if (base[0] == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return crimg_fail(err, CRIMG_E_USAGE, place->shown, CRIMG_NO_OFFSET,
		                  "this name cannot be given to an output");
	if (strlen(base) >= sizeof place->base)
		return crimg_fail_sys(err, ENAMETOOLONG, place->shown, "cannot be written");
	snprintf(place->base, sizeof place->base, "%s", base);
	if (slash != NULL)
		slash[slash == path] = '\0';
	place->parent = open_parent(slash != NULL ? path : ".", place->shown, err);
	return place->parent < 0 ? -1 : 0;
}

// A name that exists is taken for what it leads to, so that a link to an output stays a link.
static int locate(struct crimg_place *place, const char *path, bool exists, struct crimg_err *err)
{
	char *whole = exists ? realpath(path, NULL) : strdup(path);
	if (whole == NULL)
		return exists ? crimg_fail_sys(err, errno, place->shown, "cannot be resolved")
		              : crimg_fail_nomem(err, strlen(path));
	int rc = split(place, whole, err);
	free(whole);
	return rc;
}

static int next_name(struct crimg_place *place, struct crimg_err *err)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned char random[6];
	char tail[7] = "";
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return crimg_fail_sys(err, errno, place->shown, "no random name");
	for (size_t i = 0; i < sizeof random; i++)
		tail[i] = letters[random[i] % (sizeof letters - 1)];
	snprintf(place->temp, sizeof place->temp, ".%.*s.crimg-%s.tmp", BASE_KEPT, place->base, tail);
	return 0;
}

static int make_one(const struct crimg_place *place)
{
	if (!place->directory)
		return openat(place->parent, place->temp,
		              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mkdirat(place->parent, place->temp, 0700) < 0)
		return -1;
	int fd = openat(place->parent, place->temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int why = errno;
	if (fd < 0)
		unlinkat(place->parent, place->temp, AT_REMOVEDIR);
	errno = why;
	return fd;
}

static int make_temp(struct crimg_place *place, int *fd, struct crimg_err *err)
{
	int made = -1;
	for (unsigned i = 0; i < TRIES && made < 0; i++) {
		if (next_name(place, err) < 0)
			break;
		made = make_one(place);
		if (made < 0 && errno != EEXIST && errno != EINTR)
			break;
	}
	if (made < 0) {
		place->temp[0] = '\0';
		return crimg_fail_sys(err, errno, place->shown, "cannot be made");
	}
	*fd = made;
	return 0;
}

static int open_in_place(const char *path, const char *shown, int *fd, struct crimg_err *err)
{
	int opened;
	do
		opened = path == NULL ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
		                      : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	while (opened < 0 && errno == EINTR);
	if (opened < 0)
		return crimg_fail_sys(err, errno, shown, "cannot be written");
	*fd = opened;
	return 0;
}

int crimg_place_open_file(struct crimg_place *place, const char *path, int *fd, bool *in_place,
                          struct crimg_err *err)
{
	struct stat st;
	bool out = strcmp(path, "-") == 0, exists = !out && stat(path, &st) == 0;
	*place = (struct crimg_place){ .parent = -1, .shown = out ? "standard output" : path };
	*in_place = out || (exists && !S_ISREG(st.st_mode));
	if (exists && S_ISDIR(st.st_mode))
		return crimg_fail_sys(err, EISDIR, path, "cannot be written");
	if (*in_place)
		return open_in_place(out ? NULL : path, place->shown, fd, err);
	if (locate(place, path, exists, err) < 0 || make_temp(place, fd, err) < 0) {
		crimg_place_fini(place);
		return -1;
	}
	return 0;
}

static int check_empty(const char *path, struct crimg_err *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;
	if (dir == NULL)
		return crimg_fail_sys(err, errno, path, "cannot be written");
	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	if (!empty)
		return crimg_fail(err, CRIMG_E_USAGE, path, CRIMG_NO_OFFSET,
		                  "a directory with something in it found, an empty one or none "
		                  "wanted");
	return 0;
}

// A mount point cannot be replaced by a rename: better said before the work than after it.
static int check_no_mount(const char *path, struct crimg_err *err)
{
	struct statx stx;
	if (statx(AT_FDCWD, path, 0, 0, &stx) == 0 && (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return crimg_fail(err, CRIMG_E_USAGE, path, CRIMG_NO_OFFSET,
		                  "a mount point found: name a new directory inside it");
	return 0;
}

int crimg_place_open_dir(struct crimg_place *place, const char *path, int *fd,
                         struct crimg_err *err)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	if (!exists && lstat(path, &st) == 0)
		return crimg_fail(err, CRIMG_E_USAGE, path, CRIMG_NO_OFFSET,
		                  "a link that leads nowhere found, an empty directory or none "
		                  "wanted");
	if (exists && (check_empty(path, err) < 0 || check_no_mount(path, err) < 0))
		return -1;
	*place = (struct crimg_place){ .parent = -1, .directory = true, .shown = path };
	if (locate(place, path, exists, err) < 0 || make_temp(place, fd, err) < 0) {
		crimg_place_fini(place);
		return -1;
	}
	return 0;
}

int crimg_place_commit(struct crimg_place *place, struct crimg_err *err)
{
	if (place->parent < 0)
		return 0;
	if (renameat(place->parent, place->temp, place->parent, place->base) < 0)
		return crimg_fail_sys(err, errno, place->shown, "cannot be given its name");
	place->temp[0] = '\0';
	int rc = fcntl(place->parent, F_GETFL);
	return rc >= 0 && (rc & O_PATH) ? 0 : crimg_sync_fd(place->parent, place->shown, err);
}

void crimg_place_fini(struct crimg_place *place)
{
	if (place->parent < 0)
		return;
	if (place->temp[0] != '\0')
		unlinkat(place->parent, place->temp, place->directory ? AT_REMOVEDIR : 0);
	close(place->parent);
	place->parent = -1;
}
