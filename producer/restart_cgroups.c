// Into the control groups that the image names, where they are. A process moves before it has memory, which is charged
// to its group. Groups that are gone are not made: who runs tasks in groups makes those.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "producer/cgroup_mounts.h"
#include "producer/freezer.h"
#include "producer/proc.h"
#include "producer/restart_parts.h"

#define NOTE_BYTES 1024u

static uint32_t set_of(const CoreEntry *core)
{
	const ThreadCoreEntry *t = core->thread_core;
	if (t != NULL && t->has_cg_set)
		return t->cg_set;
	return core->tc != NULL && core->tc->has_cg_set ? core->tc->cg_set : 0;
}

static const CgSetEntry *find_set(const CgroupEntry *all, uint32_t id)
{
	for (size_t i = 0; i < all->n_sets; i++)
		if (all->sets[i]->id == id)
			return all->sets[i];
	return NULL;
}

// Writes a number into a file of a group; an errno.
static int enter(const char *folder, const char *file, pid_t number)
{
	char path[PATH_MAX], text[16];
	int n = snprintf(text, sizeof text, "%d", (int)number);
	if (snprintf(path, sizeof path, "%s/%s", folder, file) >= PATH_MAX)
		return ENAMETOOLONG;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int number_of_error = fd < 0 || write(fd, text, (size_t)n) != n ? errno : 0;
	if (fd >= 0)
		close(fd);
	return number_of_error;
}

// Moves a process, or one thread, to a group where it is not yet. Returns why not; NULL: it is there.
static const char *move(const char *now, const char *name, const char *path, pid_t number, bool thread)
{
	struct crimg_membership m;
	char folder[PATH_MAX];
	if (!crimg_membership_find(now, name, &m))
		return "there is no such hierarchy";
	if (strcmp(m.path, path) == 0)
		return NULL;
	if (!crimg_cgroup_folder(name, path, folder))
		return "it is not mounted here";
	if (access(folder, F_OK) < 0)
		return strerror(errno);
	if ((name[0] == '\0' || strstr(name, "freezer") != NULL) && crimg_cgroup_stands(folder, name[0] == '\0'))
		return "it is frozen";
	int why = enter(folder, !thread ? "cgroup.procs" : name[0] == '\0' ? "cgroup.threads" : "tasks", number);
	return why == 0 ? NULL : strerror(why);
}

// Of a task that is to be where crimg is: but for its mother's groups it is there.
static void move_home(const char *now, const char *ours, pid_t number, bool thread)
{
	struct crimg_membership m;
	for (const char *p = ours; (p = crimg_membership_read(p, &m)) != NULL;)
		if (m.path[0] != '\0')
			(void)move(now, m.name, m.path, number, thread);
}

static void move_to(struct crimg_restart *r, const CgSetEntry *set, const char *now, const struct crimg_puppet *p,
                    bool thread, bool tells)
{
	char note[NOTE_BYTES] = "";
	for (size_t i = 0; i < set->n_ctls; i++) {
		const CgMemberEntry *m = set->ctls[i];
		const char *why = move(now, m->name, m->path, p->tid, thread);
		size_t used = strlen(note);
		if (why != NULL)
			snprintf(note + used, sizeof note - used, "%s %s:%s (%s)", used > 0 ? "," : "",
			         m->name[0] != '\0' ? m->name : "unified", m->path, why);
	}
	if (note[0] != '\0' && tells)
		crimg_lines_add(&r->notes, "task %u, and whoever was with it, is not in its control groups:%s", p->shown,
		                note);
}

// Those of a set lack the same groups: it is told once.
static bool is_first_of_set(const struct crimg_restart *r, const struct crimg_actor *a, uint32_t id)
{
	for (size_t i = 0; i < r->tasks.count && &r->actors[i] != a; i++)
		if (r->tasks.list[i].core != NULL && set_of(r->tasks.list[i].core) == id)
			return false;
	return true;
}

static int place(struct crimg_restart *r, const struct crimg_actor *a, size_t i, struct crimg_err *err)
{
	const CgroupEntry *all = crimg_image_get(r->image, CRIMG_KIND_CGROUP, 0, NULL);
	const InventoryEntry *inventory = crimg_image_get(r->image, CRIMG_KIND_INVENTORY, 0, NULL);
	const struct crimg_puppet *p = &a->puppets[i];
	struct crimg_buf now = CRIMG_BUF_INIT, ours = CRIMG_BUF_INIT;
	uint32_t id = set_of(a->task->threads[i].core);
	bool home = inventory != NULL && inventory->has_root_cg_set && inventory->root_cg_set == id;
	const CgSetEntry *set = all != NULL ? find_set(all, id) : NULL;
	if (all == NULL || (set == NULL && !home))
		return 0;
	int rc = crimg_proc_read(p->tid, "cgroup", &now, err);
	if (rc == 0 && home)
		rc = crimg_proc_read(getpid(), "cgroup", &ours, err);
	if (rc == 0 && home)
		move_home((const char *)now.data, (const char *)ours.data, p->tid, i > 0);
	else if (rc == 0)
		move_to(r, set, (const char *)now.data, p, i > 0, i > 0 || is_first_of_set(r, a, id));
	crimg_buf_fini(&now);
	crimg_buf_fini(&ours);
	return rc;
}

int crimg_restart_cgroup(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	return place(r, a, 0, err);
}

int crimg_restart_thread_cgroup(struct crimg_restart *r, struct crimg_actor *a, size_t i, struct crimg_err *err)
{
	bool same = set_of(a->task->threads[i].core) == set_of(a->task->threads[0].core);
	return i == 0 || same ? 0 : place(r, a, i, err);
}
