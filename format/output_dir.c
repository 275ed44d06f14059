// A directory as an output, built under a temporary name. Remembers what it made: that is what it syncs,
// and all that it ever removes. Follows no link, not even its own.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/buf.h"
#include "format/limits.h"
#include "format/outfd.h"
#include "format/place.h"
#include "format/store.h"
#include "format/together.h"

#define MEMBERS_A_THREAD 32u

enum made_type { MADE_FILE, MADE_LINK, MADE_DIR };

struct made {
	char *name; // owned
	enum made_type type;
};

// An open member; out comes first, as the sink's state is a struct crimg_outfd.
struct member {
	struct crimg_outfd out;
	struct member *next;
	char *shown; // owned
	uint64_t size;
};

struct dir_state {
	struct crimg_place place;
	int fd;
	struct made *made; // in the order of making
	size_t count, capacity;
	struct member *open;
};

static char *shown_name(const struct crimg_output *o, const char *name)
{
	size_t n = strlen(o->path);
	char *shown;
	const char *joint = n > 0 && o->path[n - 1] == '/' ? "" : "/";
	return asprintf(&shown, "%s%s%s", o->path, joint, name) < 0 ? NULL : shown;
}

static int fail_at(const struct crimg_output *o, const char *name, struct crimg_err *err, int why)
{
	char *shown = shown_name(o, name);
	const char *source = shown != NULL ? shown : name;
	if (why == EEXIST)
		crimg_fail(err, CRIMG_E_FORMAT, source, CRIMG_NO_OFFSET,
		           "a second member of this name");
	else if (why == ENOTDIR || why == ELOOP)
		crimg_fail(err, CRIMG_E_FORMAT, source, CRIMG_NO_OFFSET,
		           "a link or file stands in the path of this member");
	else
		crimg_fail_sys(err, why, source, "cannot be written");
	free(shown);
	return -1;
}

// Makes room and a name before something is made, so that nothing made is ever forgotten.
static int reserve(struct dir_state *d, const char *name, size_t length, struct crimg_err *err)
{
	void *array = d->made;
	if (crimg_grow(&array, &d->capacity, d->count, sizeof *d->made, err) < 0)
		return -1;
	d->made = array;
	d->made[d->count].name = strndup(name, length);
	return d->made[d->count].name == NULL ? crimg_fail_nomem(err, length) : 0;
}

static void settle(struct dir_state *d, enum made_type type, bool done)
{
	if (done)
		d->made[d->count++].type = type;
	else
		free(d->made[d->count].name);
}

// Opens the directory name[0, length) below fd, which stays open. With make, it is made when missing.
static int enter_one(struct crimg_output *o, int fd, const char *name, size_t length,
                     const char *base, bool make, struct crimg_err *err)
{
	struct dir_state *d = o->state;
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	char part[CRIMG_MAX_NAME_BYTES + 1];
	snprintf(part, sizeof part, "%.*s", (int)(length - (size_t)(base - name)), base);
	int below = openat(fd, part, flags);
	if (below < 0 && errno == ENOENT && make) {
		if (reserve(d, name, length, err) < 0)
			return -1;
		int rc = mkdirat(fd, part, 0700), why = errno;
		settle(d, MADE_DIR, rc == 0);
		errno = why;
		below = rc == 0 ? openat(fd, part, flags) : -1;
	}
	return below < 0 ? fail_at(o, name, err, errno) : below;
}

// Closes what enter opened: for a name of one part, nothing.
static void leave(const struct dir_state *d, int fd)
{
	if (fd != d->fd)
		close(fd);
}

// Opens the directory that name is in, for the caller to leave, and sets *base to its last part.
static int enter(struct crimg_output *o, const char *name, bool make, const char **base,
                 struct crimg_err *err)
{
	const struct dir_state *d = o->state;
	int fd = d->fd;
	*base = name;
	for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(*base, '/')) {
		int below = enter_one(o, fd, name, (size_t)(slash - name), *base, make, err);
		leave(d, fd);
		if (below < 0)
			return -1;
		fd = below;
		*base = slash + 1;
	}
	return fd;
}

// A directory that a member's path has made already is there.
static bool is_dir(int fd, const char *base)
{
	struct stat st;
	return fstatat(fd, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

// Makes one thing below its directory. For a file returns its descriptor, else 0; -1 on failure.
static int make(struct crimg_output *o, const char *name, enum made_type type, const char *target,
                struct crimg_err *err)
{
	struct dir_state *d = o->state;
	const char *base;
	if (!crimg_name_is_safe(name))
		return crimg_fail(err, CRIMG_E_FORMAT, o->path, CRIMG_NO_OFFSET,
		                  "a member name that leaves the output (or is empty): %.200s", name);
	int fd = enter(o, name, true, &base, err);
	if (fd < 0)
		return -1;
	if (reserve(d, name, strlen(name), err) < 0) {
		leave(d, fd);
		return -1;
	}
	int rc = type == MADE_LINK ? symlinkat(target, fd, base)
	         : type == MADE_DIR ? mkdirat(fd, base, 0700)
	                            : openat(fd, base, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
	                                               | O_CLOEXEC, 0600);
	int why = errno;
	settle(d, type, rc >= 0);
	if (type == MADE_DIR && rc < 0 && why == EEXIST && is_dir(fd, base))
		rc = 0;
	leave(d, fd);
	return rc < 0 ? fail_at(o, name, err, why) : rc;
}

static int dir_create(struct crimg_output *o, const char *name, uint64_t size,
                      struct crimg_sink *sink, struct crimg_err *err)
{
	struct dir_state *d = o->state;
	struct member *m = calloc(1, sizeof *m);
	char *shown = shown_name(o, name);
	int fd = m == NULL || shown == NULL ? crimg_fail_nomem(err, sizeof *m)
	                                    : make(o, name, MADE_FILE, NULL, err);
	if (fd < 0) {
		free(m);
		free(shown);
		return -1;
	}
	*m = (struct member){ .out = crimg_outfd_make(fd, true, shown), .next = d->open,
	                      .shown = shown, .size = size };
	crimg_outfd_promise(&m->out, size);
	d->open = m;
	sink->state = m;
	return 0;
}

// Closes and forgets an open member.
static int shut(struct dir_state *d, struct member *m)
{
	struct member **p = &d->open;
	while (*p != m)
		p = &(*p)->next;
	*p = m->next;
	int why = crimg_outfd_close(&m->out);
	free(m->shown);
	free(m);
	return why;
}

// Not synced here: one commit of the file system's journal then serves all members.
static int dir_end(struct crimg_sink *sink, struct crimg_err *err)
{
	struct crimg_output *o = sink->output;
	struct member *m = sink->state;
	if (crimg_outfd_finish(&m->out, m->size, err) < 0)
		return -1;
	int why = shut(o->state, m);
	sink->state = NULL;
	return why != 0 ? crimg_fail_sys(err, why, o->path, "cannot be written") : 0;
}

static int dir_link(struct crimg_output *o, const char *name, const char *target,
                    struct crimg_err *err)
{
	return make(o, name, MADE_LINK, target, err) < 0 ? -1 : 0;
}

static int dir_mkdir(struct crimg_output *o, const char *name, struct crimg_err *err)
{
	return make(o, name, MADE_DIR, NULL, err) < 0 ? -1 : 0;
}

// Opens a member that was made.
static int open_made(struct crimg_output *o, const struct made *made, struct crimg_err *err)
{
	const char *base;
	int parent = enter(o, made->name, false, &base, err);
	if (parent < 0)
		return -1;
	int fd = openat(parent, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), why = errno;
	leave(o->state, parent);
	return fd < 0 ? fail_at(o, made->name, err, why) : fd;
}

// Asks the disk to begin with every member, so that it does not wait for each in turn.
static int begin_sync(void *context, size_t i, struct crimg_err *err)
{
	struct crimg_output *o = context;
	const struct made *made = &((const struct dir_state *)o->state)->made[i];
	int fd = made->type == MADE_FILE ? open_made(o, made, err) : 0;
	if (fd <= 0)
		return fd;
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	close(fd);
	return 0;
}

static int sync_one(void *context, size_t i, struct crimg_err *err)
{
	struct crimg_output *o = context;
	const struct made *made = &((const struct dir_state *)o->state)->made[i];
	if (made->type == MADE_LINK) // lasts with its directory
		return 0;
	int fd = open_made(o, made, err);
	if (fd < 0)
		return -1;
	char *shown = shown_name(o, made->name);
	int rc = crimg_sync_fd(fd, shown != NULL ? shown : made->name, err);
	free(shown);
	close(fd);
	return rc;
}

static int dir_commit(struct crimg_output *o, struct crimg_err *err)
{
	struct dir_state *d = o->state;
	if (d->open != NULL)
		return crimg_fail(err, CRIMG_E_USAGE, d->open->shown, CRIMG_NO_OFFSET,
		                  "this member is still being written");
	// A flush of the disk serves all who wait for one.
	size_t threads = 1 + d->count / MEMBERS_A_THREAD;
	if (crimg_together(threads, d->count, begin_sync, o, err) < 0
	    || crimg_together(threads, d->count, sync_one, o, err) < 0)
		return -1;
	if (crimg_sync_fd(d->fd, o->path, err) < 0)
		return -1;
	return crimg_place_commit(&d->place, err);
}

static void remove_one(struct crimg_output *o, const struct made *made)
{
	const char *base;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	int fd = enter(o, made->name, false, &base, &ignored);
	if (fd < 0)
		return;
	unlinkat(fd, base, made->type == MADE_DIR ? AT_REMOVEDIR : 0);
	leave(o->state, fd);
}

static void dir_discard(struct crimg_output *o)
{
	struct dir_state *d = o->state;
	while (d->open != NULL)
		(void)shut(d, d->open);
	while (d->count > 0) {
		d->count--;
		if (!o->committed && d->place.temp[0] != '\0')
			remove_one(o, &d->made[d->count]);
		free(d->made[d->count].name);
	}
	free(d->made);
	if (d->fd >= 0)
		close(d->fd);
	crimg_place_fini(&d->place);
	free(d);
}

static const struct crimg_output_ops dir_ops = {
	.create = dir_create,
	.write = crimg_outfd_sink_write,
	.zero = crimg_outfd_sink_zero,
	.copy = crimg_outfd_sink_copy,
	.end = dir_end,
	.link = dir_link,
	.mkdir = dir_mkdir,
	.commit = dir_commit,
	.discard = dir_discard,
};

int crimg_output_open_dir(const char *path, struct crimg_output **out, struct crimg_err *err)
{
	struct dir_state *d = calloc(1, sizeof *d);
	struct crimg_output *o;
	if (d == NULL)
		return crimg_fail_nomem(err, sizeof *d);
	if (crimg_output_make(&dir_ops, path, d, &o, err) < 0) {
		free(d);
		return -1;
	}
	d->fd = d->place.parent = -1;
	o->at_offsets = true;
	if (crimg_place_open_dir(&d->place, o->path, &d->fd, err) < 0) {
		crimg_output_close(o);
		return -1;
	}
	*out = o;
	return 0;
}
