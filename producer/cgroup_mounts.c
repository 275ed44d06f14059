#include "producer/cgroup_mounts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "producer/proc.h"

#define LINE_BYTES (2 * PATH_MAX)

const char *crimg_membership_read(const char *text, struct crimg_membership *out)
{
	char line[LINE_BYTES];
	out->name[0] = out->path[0] = '\0';
	if (text == NULL || *text == '\0')
		return NULL;
	const char *next = crimg_proc_line(text, line, sizeof line);
	char *name = strchr(line, ':'), *path = name != NULL ? strchr(name + 1, ':') : NULL;
	if (path == NULL)
		return next != NULL ? next : "";
	*path = '\0';
	line[strcspn(line, "\n")] = '\0';
	path[1 + strcspn(path + 1, "\n")] = '\0';
	snprintf(out->name, sizeof out->name, "%s", name + 1);
	snprintf(out->path, sizeof out->path, "%s", path + 1);
	return next != NULL ? next : "";
}

// Whether options ("rw,cpu,cpuacct") have all of name ("cpu,cpuacct").
static bool has_all(const char *options, const char *name)
{
	while (*name != '\0') {
		size_t length = strcspn(name, ",");
		const char *p = options;
		while (p != NULL && !(strncmp(p, name, length) == 0 && (p[length] == ',' || p[length] == '\0')))
			p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL;
		if (p == NULL)
			return false;
		name += length + (name[length] == ',');
	}
	return true;
}

bool crimg_membership_find(const char *text, const char *name, struct crimg_membership *out)
{
	while ((text = crimg_membership_read(text, out)) != NULL)
		if (out->path[0] != '\0' && (name[0] == '\0' ? out->name[0] == '\0' : has_all(out->name, name)))
			return true;
	return false;
}

// "id parent major:minor part mount options [optional…] - type source options"
static bool is_mount_of(const char *line, const char *name, char part[PATH_MAX], char mount[PATH_MAX])
{
	char type[32], options[512];
	const char *behind = strstr(line, " - ");
	if (behind == NULL || sscanf(behind, " - %31s %*s %511s", type, options) != 2
	    || strcmp(type, name[0] == '\0' ? "cgroup2" : "cgroup") != 0 || !has_all(options, name))
		return false;
	return sscanf(line, "%*d %*d %*s %4095s %4095s", part, mount) == 2;
}

// Below which part of a hierarchy a path lies; "/" has all of them.
static const char *below(const char *path, const char *part)
{
	size_t length = strcmp(part, "/") == 0 ? 0 : strlen(part);
	if (strncmp(path, part, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return NULL;
	return strcmp(path + length, "/") == 0 ? "" : path + length;
}

bool crimg_cgroup_folder(const char *name, const char *path, char out[PATH_MAX])
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char line[LINE_BYTES], part[PATH_MAX], mount[PATH_MAX];
	bool found = false;
	if (strstr(path, "/../") != NULL || crimg_proc_read(getpid(), "mountinfo", &text, &ignored) < 0) {
		crimg_buf_fini(&text);
		return false;
	}
	for (const char *p = (const char *)text.data; !found && p != NULL && *p != '\0';) {
		p = crimg_proc_line(p, line, sizeof line);
		const char *rest = is_mount_of(line, name, part, mount) ? below(path, part) : NULL;
		found = rest != NULL && snprintf(out, PATH_MAX, "%s%s", mount, rest) < PATH_MAX;
	}
	crimg_buf_fini(&text);
	return found;
}
