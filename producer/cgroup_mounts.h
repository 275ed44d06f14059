// Where hierarchies of control groups are mounted, and who is in which group. Source: cgroups(7), proc(5).
#ifndef CRIMG_PRODUCER_CGROUP_MOUNTS_H
#define CRIMG_PRODUCER_CGROUP_MOUNTS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "format/buf.h"

// A line of /proc/PID/cgroup: the controllers of a hierarchy ("cpu,cpuacct", "name=systemd"; "": v2), and the
// group in it.
struct crimg_membership {
	char name[128];
	char path[PATH_MAX];
};

// Takes the line that text begins with. Returns where the next begins; NULL at the end. A line that is none leaves
// an empty path.
const char *crimg_membership_read(const char *text, struct crimg_membership *out);
// The group that a text of /proc/PID/cgroup names in a hierarchy; false: none.
bool crimg_membership_find(const char *text, const char *name, struct crimg_membership *out);
// The folder of a group; false: its hierarchy, or this part of it, is not mounted here.
bool crimg_cgroup_folder(const char *name, const char *path, char out[PATH_MAX]);

#endif
