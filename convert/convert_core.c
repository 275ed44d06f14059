// One file or a directory of cores; whole and plain pages.
#include "convert/convert_core.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "format/tasks.h"

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);
	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static bool is_directory(const char *path)
{
	struct stat st;
	return ends_with(path, "/") || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static int count_processes(struct crimg_image *image, size_t *count, struct crimg_err *err)
{
	struct crimg_tasks tasks;
	int rc = crimg_tasks_load(image, &tasks, err);
	size_t n = 0;
	for (size_t i = 0; rc == 0 && i < tasks.count; i++)
		n += crimg_task_has_memory(&tasks.list[i]);
	crimg_tasks_fini(&tasks);
	*count = n;
	return rc;
}

int crimg_core_members(const struct crimg_convert_options *o, struct crimg_image *image,
                       bool *members, struct crimg_err *err)
{
	size_t count;
	*members = false;
	if (strcmp(o->target, "-") == 0)
		return 0;
	if (is_directory(o->target)) {
		*members = true;
		return 0;
	}
	if (o->has_pid || ends_with(o->target, ".core"))
		return 0;
	if (image == NULL)
		return crimg_fail(err, CRIMG_E_USAGE, "standard input", CRIMG_NO_OFFSET,
		                  "it does not tell beforehand how many processes come: choose one "
		                  "with -p, or name a directory, as in %s/", o->target);
	if (count_processes(image, &count, err) < 0)
		return -1;
	*members = count > 1;
	return 0;
}

bool crimg_core_pages(const struct crimg_image *image, struct crimg_pages_options *out)
{
	bool blocks = false;
	*out = (struct crimg_pages_options){ .merge = false };
	for (size_t i = 0; i < image->count; i++) {
		const struct crimg_pagemap *map = image->objects[i].map;
		out->merge = out->merge || (map != NULL && map->parent_pages > 0);
		blocks = blocks || (map != NULL && map->blocks_count > 0);
	}
	return out->merge || blocks;
}

void crimg_core_raise_limit(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}
