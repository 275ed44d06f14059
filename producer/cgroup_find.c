// Finding the control groups of a tree: which hierarchies can freeze, where they are mounted, who
// else is in a group. Source: Linux Documentation/admin-guide/cgroup-v2.rst,
// cgroup-v1/freezer-subsystem.rst, proc(5).
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "producer/freezer.h"
#include "producer/proc.h"
#include "producer/tree.h"

#define PF_EXITING 0x4u // in field 9 of stat
#define DEEPEST 64u     // generations between a task and the root of its tree, and groups in groups

// A hierarchy that can freeze, and what it does with the tree.
struct side {
	bool unified;
	char mount[PATH_MAX], part[PATH_MAX]; // where it is mounted, and which part of it is
	char common[PATH_MAX]; // the lowest folder that all of the tree are in; "": none
	bool seen, outside;    // a task was found; one is outside what is mounted
	pid_t frozen;          // one that stands; 0: none
};

// The text of a small file, cut off at its end; "" when there is none.
static const char *read_small(const char *folder, const char *name, char *out, size_t size)
{
	char path[PATH_MAX];
	int fd = snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_MAX
			 ? open(path, O_RDONLY | O_CLOEXEC)
			 : -1;
	ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return out;
}

bool crimg_cgroup_stands(const char *folder, bool unified)
{
	char text[256];
	if (!unified)
		return strcmp(read_small(folder, "freezer.state", text, sizeof text), "FROZEN\n")
		       == 0;
	return strstr(read_small(folder, "cgroup.events", text, sizeof text), "frozen 1") != NULL;
}

// Of its own doing, not because one above is.
static bool is_set(const char *folder, bool unified)
{
	char text[16];
	return read_small(folder, unified ? "cgroup.freeze" : "freezer.self_freezing", text,
			  sizeof text)[0]
	       == '1';
}

// By itself or by one above, be it that all stand already or not. To v2 only the groups themselves
// tell.
static bool is_frozen(const struct side *s, const char *folder)
{
	char at[PATH_MAX], text[256];
	if (!s->unified)
		return read_small(folder, "freezer.state", text, sizeof text)[0] == 'F';
	strcpy(at, folder);
	for (size_t mount = strlen(s->mount); strlen(at) > mount; *strrchr(at, '/') = '\0')
		if (is_set(at, true))
			return true;
	return false;
}

// "id parent major:minor part mount options [optional…] - type source options"
static bool parse_mount(const char *line, struct side *s)
{
	char type[32], options[256];
	const char *behind = strstr(line, " - ");
	if (behind == NULL || sscanf(behind, " - %31s %*s %255s", type, options) != 2)
		return false;
	s->unified = strcmp(type, "cgroup2") == 0;
	if (!s->unified && (strcmp(type, "cgroup") != 0 || strstr(options, "freezer") == NULL))
		return false;
	return sscanf(line, "%*d %*d %*s %4095s %4095s", s->part, s->mount) == 2;
}

// The first mount of each kind. Returns how many there are.
static size_t find_sides(struct side sides[2])
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char line[2 * PATH_MAX];
	size_t count = 0;
	if (crimg_proc_read(getpid(), "mountinfo", &text, &ignored) == 0)
		for (const char *p = (const char *)text.data;
		     p != NULL && *p != '\0' && count < 2;) {
			p = crimg_proc_line(p, line, sizeof line);
			if (parse_mount(line, &sides[count])
			    && (count == 0 || sides[0].unified != sides[1].unified))
				count++;
		}
	crimg_buf_fini(&text);
	return count;
}

// "0::/path" of v2, "N:freezer,…:/path" of v1: the path; NULL when the line is of another
// hierarchy.
static const char *path_in(const char *line, bool unified)
{
	const char *what = strchr(line, ':'), *path = what != NULL ? strchr(what + 1, ':') : NULL;
	const char *freezer = what != NULL ? strstr(what, "freezer") : NULL;
	if (path == NULL || (unified ? path != what + 1 : freezer == NULL || freezer > path))
		return NULL;
	return path + 1;
}

// The folder of the group of a task; false: it lies outside of what is mounted.
static bool folder_of(const struct side *s, const char *groups, char out[PATH_MAX])
{
	char line[PATH_MAX];
	size_t part = strcmp(s->part, "/") == 0 ? 0 : strlen(s->part);
	for (const char *p = groups; p != NULL && *p != '\0';) {
		p = crimg_proc_line(p, line, sizeof line);
		const char *path = path_in(line, s->unified);
		if (path != NULL && strncmp(path, s->part, part) == 0
		    && strstr(path, "/..") == NULL)
			return snprintf(out, PATH_MAX, "%s%s", s->mount,
					strcmp(path + part, "/") == 0 ? "" : path + part)
			       < PATH_MAX;
	}
	return false;
}

// Cuts common down to what folder begins with, at a '/'.
static void cut_to_common(char *common, const char *folder)
{
	size_t i = 0, cut = 0;
	for (; common[i] != '\0' && common[i] == folder[i]; i++)
		if (common[i] == '/')
			cut = i;
	bool whole =
		(common[i] == '\0' || common[i] == '/') && (folder[i] == '\0' || folder[i] == '/');
	common[whole ? i : cut] = '\0';
}

struct walk {
	struct side *sides;
	size_t count;
	struct crimg_buf text;
};

// Who ends has left its groups, to v1.
static bool is_leaving(pid_t pid, struct crimg_buf *text)
{
	struct crimg_err gone = CRIMG_ERR_INIT;
	return crimg_proc_read(pid, "stat", text, &gone) < 0
	       || (crimg_stat_number((const char *)text->data, 9) & PF_EXITING) != 0;
}

static int look_at_task(void *context, int pid)
{
	struct walk *w = context;
	struct crimg_err gone = CRIMG_ERR_INIT; // who ended meanwhile
	char folder[PATH_MAX];
	if (is_leaving(pid, &w->text) || crimg_proc_read(pid, "cgroup", &w->text, &gone) < 0)
		return 0;
	for (size_t i = 0; i < w->count; i++) {
		struct side *s = &w->sides[i];
		if (!folder_of(s, (const char *)w->text.data, folder)) {
			s->outside = true;
			continue;
		}
		if (!s->seen)
			strcpy(s->common, folder);
		s->seen = true;
		cut_to_common(s->common, folder);
		if (is_frozen(s, folder))
			s->frozen = pid;
	}
	return crimg_each_child(pid, look_at_task, w, &gone) > 0 ? 1 : 0;
}

// A task that ended is nobody's.
static bool is_below(pid_t pid, pid_t root)
{
	struct crimg_buf stat = CRIMG_BUF_INIT;
	struct crimg_err gone = CRIMG_ERR_INIT;
	bool below = true;
	for (unsigned i = 0; below && pid != root && i < DEEPEST; i++) {
		if (crimg_proc_read(pid, "stat", &stat, &gone) < 0)
			break;
		pid = (pid_t)crimg_stat_number((const char *)stat.data, 4);
		below = pid > 1 || pid == root;
	}
	crimg_buf_fini(&stat);
	return below;
}

static bool holds_only_ours(const char *folder, pid_t root)
{
	char path[PATH_MAX];
	int pid;
	FILE *list = snprintf(path, sizeof path, "%s/cgroup.procs", folder) < PATH_MAX
			     ? fopen(path, "re")
			     : NULL;
	bool only = list != NULL;
	while (only && fscanf(list, "%d", &pid) == 1)
		only = is_below(pid, root);
	only = only && !ferror(list); // a threaded group of v2 does not tell
	if (list != NULL)
		fclose(list);
	return only;
}

// Calls one with every group in a group; stops when it returns not 0, and returns that.
static int each_group_in(const char *folder, int (*one)(void *context, const char *folder),
			 void *context)
{
	char below[PATH_MAX];
	int rc = 0;
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return 1;
	for (struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;)
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			rc = snprintf(below, sizeof below, "%s/%s", folder, e->d_name) < PATH_MAX
				     ? one(context, below)
				     : 1;
	closedir(dir);
	return rc;
}

// 0: nobody but the tree is in it and the groups in it.
static int has_others(void *context, const char *folder)
{
	const pid_t *root = context;
	return !holds_only_ours(folder, *root) ? 1 : each_group_in(folder, has_others, context);
}

struct addition {
	struct crimg_freezer *freezer;
	bool unified;
	struct crimg_err *err;
};

static int add_group(void *context, const char *folder)
{
	const struct addition *a = context;
	struct crimg_freezer *f = a->freezer;
	void *array = f->groups;
	if (crimg_grow(&array, &f->capacity, f->count, sizeof *f->groups, a->err) < 0)
		return -1;
	f->groups = array;
	f->groups[f->count] = (struct crimg_cgroup){
		.folder = strdup(folder),
		.unified = a->unified,
		.was_frozen = is_set(folder, a->unified),
	};
	if (f->groups[f->count].folder == NULL)
		return crimg_fail_nomem(a->err, strlen(folder));
	f->count++;
	return each_group_in(folder, add_group, context) < 0 ? -1 : 0;
}

// From the lowest folder up to the highest that nobody else is in; false: others are in the lowest.
static bool climb(struct side *s, pid_t root)
{
	char *folder = s->common, *end = folder + strlen(folder);
	bool own = false;
	while (strlen(folder) > strlen(s->mount) && has_others(&root, folder) == 0) {
		own = true;
		end = strrchr(folder, '/');
		*end = '\0';
	}
	if (own)
		*end = '/';
	return own;
}

static bool is_parent_frozen(const struct side *s)
{
	char above[PATH_MAX];
	strcpy(above, s->common);
	*strrchr(above, '/') = '\0';
	return is_frozen(s, above);
}

// Adds what the tree has for itself in one hierarchy. Frozen by a group that others are in, or that
// is above what we see, it cannot be thawed.
static int add_side(struct crimg_freezer *f, struct side *s, pid_t root, struct crimg_err *err)
{
	struct addition a = {f, s->unified, err};
	size_t top = f->count;
	bool own = s->seen && !s->outside && climb(s, root);
	if (s->frozen != 0 && (!own || is_parent_frozen(s)))
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			"process %d is frozen by a control group that is not the tree's own, at or "
			"above %s: thaw it",
			(int)s->frozen, s->common);
	if (!own || add_group(&a, s->common) < 0)
		return own ? -1 : 0;
	f->groups[top].top = true;
	return 0;
}

int crimg_cgroups_find(struct crimg_freezer *f, pid_t root, struct crimg_err *err)
{
	struct side *sides = calloc(2, sizeof *sides);
	if (sides == NULL)
		return crimg_fail_nomem(err, 2 * sizeof *sides);
	struct walk w = {.sides = sides, .count = find_sides(sides)};
	int rc = look_at_task(&w, root);
	for (size_t i = 0; rc == 0 && i < w.count; i++)
		if (f->count == 0 || sides[i].frozen != 0)
			rc = add_side(f, &sides[i], root, err);
	crimg_buf_fini(&w.text);
	free(sides);
	return rc;
}
