// Pre-dumps and parents: CRIU directories, of which the later names the earlier in a relative link.
#include "convert/checkpoint_parent.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/convert.h"
#include "format/terminal.h"
#include "producer/live.h"

static int fail_path(const char *path, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, path, "cannot be found");
}

// Where a directory that does not exist yet will be.
static int future_path(const char *path, char out[PATH_MAX], struct crimg_err *err)
{
	char *first = strdup(path), *second = strdup(path), folder[PATH_MAX];
	int rc = first != NULL && second != NULL ? 0 : crimg_fail_nomem(err, strlen(path));
	if (rc == 0 && realpath(dirname(first), folder) == NULL)
		rc = fail_path(path, err);
	if (rc == 0
	    && snprintf(out, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
			basename(second))
		       >= PATH_MAX) {
		errno = ENAMETOOLONG;
		rc = fail_path(path, err);
	}
	free(first);
	free(second);
	return rc;
}

// What a link in the directory from says to lead to the directory to; both are absolute.
static int relative_link(const char *from, const char *to, char out[PATH_MAX],
			 struct crimg_err *err)
{
	size_t common = 0, used = 0;
	for (size_t i = 0; from[i] == to[i] && from[i] != '\0'; i++)
		if (from[i] == '/')
			common = i + 1;
	for (const char *p = from + common; p != NULL && used < PATH_MAX; p = strchr(p, '/')) {
		p += *p == '/';
		used += (size_t)snprintf(out + used, PATH_MAX - used, "../");
	}
	if (used + strlen(to + common) < PATH_MAX) {
		strcpy(out + used, to + common);
		return 0;
	}
	errno = ENAMETOOLONG;
	return fail_path(to, err);
}

static int link_to(const char *target, const char *parent, char out[PATH_MAX],
		   struct crimg_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (future_path(target, from, err) < 0)
		return -1;
	if (realpath(parent, to) == NULL)
		return fail_path(parent, err);
	return relative_link(from, to, out, err);
}

int crimg_checkpoint_predump(const struct crimg_convert_options *o, pid_t pid, const char *dir,
			     uint64_t *stopped_us, struct crimg_err *err)
{
	char link[PATH_MAX];
	const struct crimg_convert_options memory = {
		.source = o->source,
		.target = dir,
		.to = "criu",
		.allow_incomplete = true,
		.progress = o->progress,
	};
	if (crimg_live_predump(pid, stopped_us, err) < 0)
		return -1;
	int code = crimg_convert("checkpoint", &memory, &(struct crimg_convert_events){NULL});
	if (code == 0
	    && (link_to(o->target, dir, link, err) < 0
		|| crimg_live_predumped(pid, link, err) < 0))
		return -1;
	return code;
}

int crimg_checkpoint_parent(const struct crimg_convert_options *o, pid_t pid, const char *dir,
			    struct crimg_err *err)
{
	struct crimg_image *image = NULL;
	char link[PATH_MAX];
	if (link_to(o->target, dir, link, err) < 0)
		return -1;
	if (crimg_image_open(dir, "criu", crimg_tmpdir(), &image, err) < 0) {
		crimg_image_close(image);
		return -1;
	}
	return crimg_live_parent(pid, image, link, err);
}
