// Which control groups tasks are in: sets of memberships, and the groups with their settings, so that CRIU can make
// those again that are gone. A task in the groups that crimg itself is in has no groups of its own.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "producer/capture.h"
#include "producer/cgroup_mounts.h"
#include "producer/proc.h"

#define OUR_SET 1u
#define VALUE_BYTES 4096u
#define MEMBERSHIPS_MAX 64u // hierarchies of one system; each takes a controller, or a name

// Settings that CRIU keeps, in its order. Those that a kernel lacks are passed over. The last two of v1 hold tasks:
// only who may write there is told.
static const struct {
	const char *controller, *name; // "": v2; NULL: all of v1
} settings[] = {
	{"", "cgroup.subtree_control"}, {"", "cgroup.max.descendants"}, {"", "cgroup.max.depth"},
	{"", "cgroup.freeze"}, {"", "cgroup.type"},
	{"cpu", "cpu.shares"}, {"cpu", "cpu.cfs_period_us"}, {"cpu", "cpu.cfs_quota_us"},
	{"cpu", "cpu.rt_period_us"}, {"cpu", "cpu.rt_runtime_us"},
	{"memory", "memory.limit_in_bytes"}, {"memory", "memory.memsw.limit_in_bytes"},
	{"memory", "memory.swappiness"}, {"memory", "memory.soft_limit_in_bytes"},
	{"memory", "memory.move_charge_at_immigrate"}, {"memory", "memory.oom_control"},
	{"memory", "memory.use_hierarchy"}, {"memory", "memory.kmem.limit_in_bytes"},
	{"memory", "memory.kmem.tcp.limit_in_bytes"},
	{"cpuset", "cpuset.cpus"}, {"cpuset", "cpuset.mems"}, {"cpuset", "cpuset.memory_migrate"},
	{"cpuset", "cpuset.cpu_exclusive"}, {"cpuset", "cpuset.mem_exclusive"},
	{"cpuset", "cpuset.mem_hardwall"}, {"cpuset", "cpuset.memory_spread_page"},
	{"cpuset", "cpuset.memory_spread_slab"}, {"cpuset", "cpuset.sched_load_balance"},
	{"cpuset", "cpuset.sched_relax_domain_level"},
	{"pids", "pids.max"}, {"devices", "devices.list"},
	{NULL, "cgroup.clone_children"}, {NULL, "notify_on_release"}, {NULL, "cgroup.procs"}, {NULL, "tasks"},
};

int crimg_capture_cgroup(struct crimg_capture *c, pid_t pid, pid_t tid, uint32_t *set, struct crimg_err *err)
{
	char name[64];
	if (c->set_count == 0) {
		snprintf(name, sizeof name, "cgroup");
		pid = getpid();
	} else {
		snprintf(name, sizeof name, "task/%d/cgroup", (int)tid);
	}
	struct crimg_err missing = CRIMG_ERR_INIT;
	const char *text = crimg_capture_text(c, pid, name, &missing); // a kernel without groups has none
	text = text != NULL ? text : "";
	for (size_t i = 0; i < c->set_count; i++)
		if (strcmp(c->sets[i], text) == 0) {
			*set = OUR_SET + (uint32_t)i;
			return 0;
		}
	char **grown = reallocarray(c->sets, c->set_count + 1, sizeof *grown);
	if (grown == NULL)
		return crimg_fail_nomem(err, (c->set_count + 1) * sizeof *grown);
	c->sets = grown;
	c->sets[c->set_count] = crimg_arena_text(&c->shelf.arena, text, strlen(text));
	if (c->sets[c->set_count] == NULL)
		return crimg_fail_nomem(err, strlen(text));
	*set = OUR_SET + (uint32_t)c->set_count++;
	return 0;
}

int crimg_capture_own_cgroups(struct crimg_capture *c, struct crimg_err *err)
{
	uint32_t ignored;
	return crimg_capture_cgroup(c, 0, 0, &ignored, err);
}

static int by_name(const void *a, const void *b)
{
	const CgMemberEntry *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static int make_set(struct crimg_capture *c, size_t i, CgSetEntry *set, struct crimg_err *err)
{
	struct crimg_membership m;
	CgMemberEntry *list = crimg_capture_alloc(c, MEMBERSHIPS_MAX * sizeof *list, err);
	set->ctls = crimg_capture_alloc(c, MEMBERSHIPS_MAX * sizeof *set->ctls, err);
	if (list == NULL || set->ctls == NULL)
		return -1;
	set->id = OUR_SET + (uint32_t)i;
	for (const char *p = c->sets[i]; (p = crimg_membership_read(p, &m)) != NULL;) {
		if (m.path[0] == '\0' || set->n_ctls == MEMBERSHIPS_MAX)
			continue;
		CgMemberEntry *e = &list[set->n_ctls];
		cg_member_entry__init(e);
		e->name = crimg_arena_text(&c->arena, m.name, strlen(m.name));
		e->path = crimg_arena_text(&c->arena, m.path, strlen(m.path));
		if (e->name == NULL || e->path == NULL)
			return crimg_fail_nomem(err, sizeof m);
		set->ctls[set->n_ctls++] = e;
	}
	qsort(set->ctls, set->n_ctls, sizeof *set->ctls, by_name);
	return 0;
}

static CgroupPerms *perms_of(struct crimg_capture *c, const char *path, struct crimg_err *err)
{
	struct stat st;
	CgroupPerms *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL || stat(path, &st) < 0)
		return NULL;
	cgroup_perms__init(e);
	e->mode = st.st_mode;
	e->uid = st.st_uid;
	e->gid = st.st_gid;
	return e;
}

static bool is_setting_of(size_t i, const char *name)
{
	const char *controller = settings[i].controller;
	if (controller == NULL || name[0] == '\0')
		return controller == NULL ? name[0] != '\0' : controller[0] == '\0';
	size_t length = strlen(controller);
	for (const char *p = name; length > 0 && p != NULL; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, controller, length) == 0 && (p[length] == ',' || p[length] == '\0'))
			return true;
	return false;
}

// The value as it is written: without the line's end; of an out-of-memory control the number that it takes.
static bool read_value(const char *path, const char *name, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool tasks = strcmp(name, "tasks") == 0 || strcmp(name, "cgroup.procs") == 0;
	ssize_t n = fd < 0 ? -1 : tasks ? 0 : read(fd, out, size - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	if (n > 0 && out[n - 1] == '\n')
		out[n - 1] = '\0';
	if (strncmp(out, "oom_kill_disable ", 17) == 0)
		snprintf(out, size, "%c", out[17]);
	return true;
}

static int read_settings(struct crimg_capture *c, const char *name, const char *folder, CgroupDirEntry *dir,
			 struct crimg_err *err)
{
	size_t most = sizeof settings / sizeof settings[0];
	CgroupPropEntry *e = crimg_capture_alloc(c, most * sizeof *e, err);
	char path[PATH_MAX], value[VALUE_BYTES];
	dir->properties = crimg_capture_alloc(c, most * sizeof *dir->properties, err);
	if (e == NULL || dir->properties == NULL)
		return -1;
	for (size_t i = 0; i < most; i++) {
		if (!is_setting_of(i, name)
		    || snprintf(path, sizeof path, "%s/%s", folder, settings[i].name) >= PATH_MAX
		    || !read_value(path, settings[i].name, value, sizeof value))
			continue;
		cgroup_prop_entry__init(e);
		e->name = crimg_arena_text(&c->arena, settings[i].name, strlen(settings[i].name));
		e->value = crimg_arena_text(&c->arena, value, strlen(value));
		e->perms = perms_of(c, path, err);
		if (e->name == NULL || e->value == NULL)
			return crimg_fail_nomem(err, sizeof value);
		dir->properties[dir->n_properties++] = e++;
	}
	return err->code == CRIMG_OK ? 0 : -1;
}

// A group whose tasks are in the image. What is not mounted here has a name, and no settings.
static int add_group(struct crimg_capture *c, CgControllerEntry *controller, const char *name, const char *path,
		     struct crimg_err *err)
{
	char folder[PATH_MAX];
	const char *relative = path + strspn(path, "/");
	for (size_t i = 0; i < controller->n_dirs; i++)
		if (strcmp(controller->dirs[i]->dir_name, relative) == 0)
			return 0;
	CgroupDirEntry *dir = crimg_capture_alloc(c, sizeof *dir, err);
	if (dir == NULL)
		return -1;
	cgroup_dir_entry__init(dir);
	dir->dir_name = crimg_arena_text(&c->arena, relative, strlen(relative));
	if (dir->dir_name == NULL)
		return crimg_fail_nomem(err, strlen(relative));
	if (!crimg_cgroup_folder(name, path, folder))
		return 0;
	dir->dir_perms = perms_of(c, folder, err);
	controller->dirs[controller->n_dirs++] = dir;
	return read_settings(c, name, folder, dir, err);
}

static bool is_threaded(const CgControllerEntry *controller, const char *name)
{
	if (name[0] != '\0')
		return true; // of v1 every thread may be somewhere else
	for (size_t i = 0; i < controller->n_dirs; i++)
		for (size_t k = 0; k < controller->dirs[i]->n_properties; k++)
			if (strcmp(controller->dirs[i]->properties[k]->name, "cgroup.type") == 0
			    && strcmp(controller->dirs[i]->properties[k]->value, "threaded") == 0)
				return true;
	return false;
}

// "cpu,cpuacct" is two controllers of one hierarchy.
static int name_controllers(struct crimg_capture *c, CgControllerEntry *e, const char *name, struct crimg_err *err)
{
	e->cnames = crimg_capture_alloc(c, (strlen(name) / 2 + 2) * sizeof *e->cnames, err);
	if (e->cnames == NULL)
		return -1;
	for (const char *p = name; p != NULL; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL) {
		char *one = crimg_arena_text(&c->arena, p, strcspn(p, ","));
		if (one == NULL)
			return crimg_fail_nomem(err, strlen(name));
		e->cnames[e->n_cnames++] = one;
	}
	return 0;
}

static int by_folder(const void *a, const void *b)
{
	const CgroupDirEntry *const *x = a, *const *y = b;
	return strcmp((*x)->dir_name, (*y)->dir_name);
}

static int make_controller(struct crimg_capture *c, const CgroupEntry *all, size_t k, CgControllerEntry *e,
			   struct crimg_err *err)
{
	const char *name = all->sets[0]->ctls[k]->name;
	cg_controller_entry__init(e);
	e->dirs = crimg_capture_alloc(c, all->n_sets * sizeof *e->dirs, err);
	if (e->dirs == NULL || name_controllers(c, e, name, err) < 0)
		return -1;
	for (size_t i = 0; i < all->n_sets; i++)
		if (k < all->sets[i]->n_ctls && add_group(c, e, name, all->sets[i]->ctls[k]->path, err) < 0)
			return -1;
	// CRIU makes them in this order: a group before those in it.
	qsort(e->dirs, e->n_dirs, sizeof *e->dirs, by_folder);
	e->has_is_threaded = true;
	e->is_threaded = is_threaded(e, name);
	return 0;
}

int crimg_capture_put_cgroups(struct crimg_capture *c, struct crimg_err *err)
{
	CgroupEntry all = CGROUP_ENTRY__INIT;
	if (c->set_count < 2)
		return 0;
	crimg_arena_reset(&c->arena);
	CgSetEntry *sets = crimg_capture_alloc(c, c->set_count * sizeof *sets, err);
	all.sets = crimg_capture_alloc(c, c->set_count * sizeof *all.sets, err);
	if (sets == NULL || all.sets == NULL)
		return -1;
	for (size_t i = 1; i < c->set_count; i++) {
		cg_set_entry__init(&sets[i]);
		if (make_set(c, i, &sets[i], err) < 0)
			return -1;
		all.sets[all.n_sets++] = &sets[i];
	}
	size_t count = sets[1].n_ctls;
	CgControllerEntry *list = crimg_capture_alloc(c, (count + 1) * sizeof *list, err);
	all.controllers = crimg_capture_alloc(c, (count + 1) * sizeof *all.controllers, err);
	if (list == NULL || all.controllers == NULL)
		return -1;
	for (size_t k = 0; k < count; k++) {
		if (make_controller(c, &all, k, &list[k], err) < 0)
			return -1;
		all.controllers[all.n_controllers++] = &list[k];
	}
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_CGROUP, 0, &all.base, err);
}
