// The file that a unix socket's name is.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "producer/capture_unix.h"

#define OPEN_FILE 0x89e0 // SIOCUNIXFILE

struct place {
	char path[PATH_MAX + 1];
	struct stat st;
	bool known, deleted; // known: st is the file's
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static int set_text(struct crimg_capture *c, const char *text, size_t length, char **out, struct crimg_err *err)
{
	*out = crimg_arena_text(&c->arena, text, length);
	return *out != NULL ? 0 : crimg_fail_nomem(err, length);
}

// The kernel opens it for who is privileged.
static int ask_kernel(const struct crimg_open_file *f, struct place *p, struct crimg_err *err)
{
	char link[40];
	int fd = ioctl(f->ours, OPEN_FILE);
	if (fd < 0)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, p->path, PATH_MAX);
	int rc = n < 0 || fstat(fd, &p->st) < 0 ? -1 : 1;
	int number = errno;
	close(fd);
	if (rc < 0)
		return crimg_fail_sys(err, number, f->link, "the file of a unix socket cannot be looked at");
	p->path[n] = '\0';
	p->known = true;
	size_t length;
	p->deleted = crimg_name_is_deleted(p->path, &length);
	p->path[length] = '\0';
	return 1;
}

// The name in a directory of a process leads to the socket's file.
static bool leads_there(const char *dir, const char *name, const struct crimg_unix_socket *s, struct place *p)
{
	struct stat st;
	int n = snprintf(p->path, sizeof p->path, "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof p->path || stat(p->path, &st) < 0 || !S_ISSOCK(st.st_mode)
	    || (uint32_t)st.st_ino != s->file_ino)
		return false;
	p->st = st;
	p->known = true;
	return true;
}

static int read_dir(pid_t pid, const char *name, char out[PATH_MAX + 1], struct crimg_err *err)
{
	char link[64];
	snprintf(link, sizeof link, "/proc/%d/%s", (int)pid, name);
	ssize_t n = readlink(link, out, PATH_MAX);
	if (n < 0)
		return crimg_fail_sys(err, errno, link, "cannot be followed");
	out[n] = '\0';
	return 0;
}

// A name that begins in the directory that its process was in: where that is. What is not told by the path of the
// file is found in where the process is now.
static int put_directory(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_unix_socket *s,
			 const char *name, struct place *p, UnixSkEntry *e, struct crimg_err *err)
{
	static const char *const dirs[] = {"cwd", "root"};
	char dir[PATH_MAX + 1];
	size_t length = strlen(p->path), cut = strlen(name) + 1;
	if (p->known && length >= cut && p->path[length - cut] == '/' && ends_with(p->path, name))
		return set_text(c, length > cut ? p->path : "/", length > cut ? length - cut : 1, &e->name_dir, err);
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		if (read_dir(f->pid, dirs[i], dir, err) < 0)
			return -1;
		if (leads_there(dir, name, s, p))
			return set_text(c, dir, strlen(dir), &e->name_dir, err);
	}
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
			  "is a unix socket called %s in a directory that is not its process's any more: %s", name,
			  p->known ? "no image tells where that was" : "only who is privileged is told where that was");
}

static int put_permissions(struct crimg_capture *c, const struct stat *st, UnixSkEntry *e, struct crimg_err *err)
{
	FilePermsEntry *perms = crimg_capture_alloc(c, sizeof *perms, err);
	if (perms == NULL)
		return -1;
	file_perms_entry__init(perms);
	perms->mode = st->st_mode;
	perms->uid = st->st_uid;
	perms->gid = st->st_gid;
	e->file_perms = perms;
	return 0;
}

int crimg_capture_unix_name(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_unix_socket *s,
			    UnixSkEntry *e, struct crimg_err *err)
{
	struct place p = {.known = false};
	char name[256] = "";
	if (s->name_length == 0 || s->name[0] == '\0')
		return 0;
	memcpy(name, s->name, s->name_length); // of 108 bytes at most
	if (ask_kernel(f, &p, err) < 0)
		return -1;
	if (name[0] == '/' && !p.known)
		p.deleted = !leads_there("", name + 1, s, &p);
	if (name[0] != '/' && put_directory(c, f, s, name, &p, e, err) < 0)
		return -1;
	e->has_deleted = e->deleted = p.deleted;
	return p.known ? put_permissions(c, &p.st, e, err) : 0;
}
