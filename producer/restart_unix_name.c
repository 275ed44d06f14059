// Names of unix sockets. A path is bound as the program gave it, from where it began; what is in the way of one that
// was removed is moved aside, and back.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "producer/restart_unix.h"

bool crimg_unix_is_path(const struct crimg_unix_end *e)
{
	return e->sk->name.len > 0 && e->sk->name.data[0] != '\0';
}

static socklen_t set_address(struct sockaddr_un *a, ProtobufCBinaryData name)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->sun_path, name.data, name.len < sizeof a->sun_path ? name.len : sizeof a->sun_path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.len);
}

// The path behind which the file is, without a NUL in the middle.
static void set_path(const struct crimg_unix_end *e, char out[CRIMG_UNIX_NAME_MAX + 1])
{
	size_t n = e->sk->name.len < CRIMG_UNIX_NAME_MAX ? e->sk->name.len : CRIMG_UNIX_NAME_MAX;
	memcpy(out, e->sk->name.data, n);
	out[n] = '\0';
}

static int give_permissions(struct crimg_restart *r, const struct crimg_unix_end *e, int path, struct crimg_err *err)
{
	const FilePermsEntry *perms = e->sk->file_perms;
	char link[40];
	struct stat st;
	if (perms == NULL)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", path);
	if (fstat(path, &st) == 0 && (st.st_uid != perms->uid || st.st_gid != perms->gid)
	    && fchownat(path, "", perms->uid, perms->gid, AT_EMPTY_PATH) < 0) {
		if (errno != EPERM && errno != EINVAL)
			return crimg_unix_fail(e, "the owner of its file", err);
		crimg_lines_add(&r->notes, "file %u: the file of a socket has another owner: only root can give it away",
		                e->file->id);
	}
	if ((st.st_mode ^ perms->mode) % 010000 != 0 && chmod(link, perms->mode & 07777) < 0)
		return crimg_unix_fail(e, "the mode of its file", err);
	return 0;
}

// Moved aside, for a moment.
struct aside {
	char name[CRIMG_UNIX_NAME_MAX + 32];
	bool moved;
};

static int make_way(const struct crimg_unix_end *e, const char *path, struct aside *aside, struct crimg_err *err)
{
	struct stat st;
	bool deleted = e->sk->has_deleted && e->sk->deleted;
	aside->moved = false;
	if (lstat(path, &st) < 0)
		return 0;
	if (!deleted)
		return !S_ISSOCK(st.st_mode) || unlink(path) == 0
			? 0 : crimg_unix_fail(e, "removing the old file of its name", err);
	snprintf(aside->name, sizeof aside->name, "%s.crimg-%d", path, (int)getpid());
	if (rename(path, aside->name) < 0)
		return crimg_unix_fail(e, "moving aside what has its name", err);
	aside->moved = true;
	return 0;
}

static int bind_path(struct crimg_restart *r, const struct crimg_unix_end *e, int fd, int *out, struct crimg_err *err)
{
	struct sockaddr_un address;
	struct aside aside;
	char path[CRIMG_UNIX_NAME_MAX + 1];
	socklen_t length = set_address(&address, e->sk->name);
	int rc = 0;
	set_path(e, path);
	if (make_way(e, path, &aside, err) < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&address, length) < 0)
		rc = crimg_unix_fail(e, "its name, a path", err);
	if (rc == 0) {
		*out = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		rc = *out < 0 ? crimg_unix_fail(e, "the file of its name", err) : give_permissions(r, e, *out, err);
		if (e->sk->has_deleted && e->sk->deleted && unlink(path) < 0 && rc == 0)
			rc = crimg_unix_fail(e, "removing the file of its name", err);
	}
	if (aside.moved && rename(aside.name, path) < 0 && rc == 0)
		rc = crimg_unix_fail(e, "moving back what has its name", err);
	return rc;
}

// From the directory that its name begins in.
static int bind_from(struct crimg_restart *r, const struct crimg_unix_end *e, int fd, int *out, struct crimg_err *err)
{
	if (e->sk->name_dir == NULL)
		return bind_path(r, e, fd, out, err);
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0 || chdir(e->sk->name_dir) < 0) {
		crimg_unix_fail(e, "going to the directory of its name", err);
		if (here >= 0)
			close(here);
		return -1;
	}
	int rc = bind_path(r, e, fd, out, err);
	if (fchdir(here) < 0 && rc == 0)
		rc = crimg_unix_fail(e, "going back", err);
	close(here);
	return rc;
}

int crimg_unix_bind(struct crimg_restart *r, const struct crimg_unix_end *e, int fd, int *path, struct crimg_err *err)
{
	struct sockaddr_un address;
	if (e->sk->name.len == 0)
		return 0;
	if (crimg_unix_is_path(e))
		return bind_from(r, e, fd, path, err);
	socklen_t length = set_address(&address, e->sk->name);
	return bind(fd, (const struct sockaddr *)&address, length) == 0 ? 0 : crimg_unix_fail(e, "its name", err);
}

int crimg_unix_bind_gone(struct crimg_restart *r, const struct crimg_unix_end *e, ProtobufCBinaryData name, int fd,
                         int *path)
{
	UnixSkEntry sk = *e->sk;
	struct crimg_unix_end gone = *e;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	gone.sk = &sk;
	sk.name = name;
	sk.name_dir = NULL;
	sk.file_perms = NULL;
	sk.has_deleted = sk.deleted = true;
	return name.len == 0 || name.len > CRIMG_UNIX_NAME_MAX ? -1 : crimg_unix_bind(r, &gone, fd, path, &ignored);
}

struct crimg_unix_address crimg_unix_address(ProtobufCBinaryData name, int path)
{
	struct crimg_unix_address out = { .length = 0 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	if (path >= 0) {
		int n = snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d", path);
		out.length = (unsigned)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
	} else if (name.len > 0 && name.data[0] == '\0') {
		out.length = set_address(&a, name);
	}
	memcpy(out.bytes, &a, sizeof a);
	return out;
}
