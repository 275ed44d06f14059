// View cgroups: the sets of groups, who is in them, and the settings of each group.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/search.h"
#include "inspect/table.h"

static const struct crimg_column set_columns[] = {
	{ "set", "SET", CRIMG_COLUMN_RIGHT },
	{ "path", "PATH", CRIMG_COLUMN_CUT_MIDDLE },
	{ "criu_itself", NULL, CRIMG_COLUMN_LEFT },
	{ "processes", "PROCESSES", CRIMG_COLUMN_CUT },
	{ "controllers", "CONTROLLERS", CRIMG_COLUMN_CUT },
};

struct member {
	uint32_t set, pid;
};

struct members {
	struct member *list;  // sorted by set, then as the tree is
	size_t count;
};

// In the thread since 3.18, in the task before.
static bool set_of(const struct crimg_task *task, uint32_t *set)
{
	const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
	const ThreadCoreEntry *leader = task->core != NULL ? task->core->thread_core : NULL;
	bool in_thread = leader != NULL && leader->has_cg_set;
	if (!in_thread && (tc == NULL || !tc->has_cg_set))
		return false;
	*set = in_thread ? leader->cg_set : tc->cg_set;
	return true;
}

static int by_set(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct members load_members(struct crimg_view *view)
{
	struct members m = { calloc(view->tasks.count + 1, sizeof *m.list), 0 };
	uint32_t set;
	if (m.list == NULL)
		crimg_fail_nomem(&view->fault, view->tasks.count * sizeof *m.list);
	for (size_t i = 0; m.list != NULL && i < view->tasks.count; i++)
		if (set_of(&view->tasks.list[i], &set))
			m.list[m.count++] = (struct member){ set, view->tasks.list[i].pid };
	if (m.count > 0)
		qsort(m.list, m.count, sizeof *m.list, by_set);
	return m;
}

static size_t first_of_set(const struct members *m, uint64_t set)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, m->count, m->list[low].set < set);
	return low;
}

#define PIDS_SHOWN 6u

static void processes_cell(struct crimg_table *t, const struct members *m, uint32_t set)
{
	char text[256] = "";
	const char *key;
	size_t first = first_of_set(m, set), end = first_of_set(m, (uint64_t)set + 1);
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL) {
		crimg_json_array(j, key);
		for (size_t i = first; i < end; i++)
			crimg_json_u64(j, NULL, m->list[i].pid);
		crimg_json_end(j);
		return;
	}
	for (size_t i = first; i < end && i - first < PIDS_SHOWN; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u",
		         i > first ? " " : "", m->list[i].pid);
	if (end - first > PIDS_SHOWN)
		snprintf(text + strlen(text), sizeof text - strlen(text), " and %zu more",
		         end - first - PIDS_SHOWN);
	crimg_cell_text(t, end > first ? text : "none");
}

// Most controllers of a set have one path: it is shown once.
static void controllers_cell(struct crimg_table *t, const CgSetEntry *set, size_t first)
{
	char text[1024] = "";
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_array(j, key);
	for (size_t i = first; i < set->n_ctls; i++) {
		const char *name = set->ctls[i]->name[0] != '\0' ? set->ctls[i]->name : "unified";
		if (strcmp(set->ctls[i]->path, set->ctls[first]->path) != 0)
			continue;
		if (j != NULL)
			crimg_json_text(j, NULL, name);
		else
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
			         text[0] != '\0' ? " " : "", name);
	}
	if (j != NULL)
		crimg_json_end(j);
	else
		crimg_cell_text(t, text);
}

static bool is_first_of_path(const CgSetEntry *set, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (strcmp(set->ctls[i]->path, set->ctls[k]->path) == 0)
			return false;
	return true;
}

#define CONTROLLERS_MAX 256u // of one set; more are not looked at

static void show_sets(struct crimg_view *view, const CgroupEntry *cgroup)
{
	const InventoryEntry *inventory =
		crimg_image_get(view->image, CRIMG_KIND_INVENTORY, 0, &view->damage);
	struct members members = load_members(view);
	struct crimg_table t;
	crimg_table_begin(&t, view, "sets", set_columns, sizeof set_columns / sizeof set_columns[0]);
	for (size_t i = 0; cgroup != NULL && i < cgroup->n_sets && !crimg_view_failed(view); i++) {
		const CgSetEntry *set = cgroup->sets[i];
		for (size_t k = 0; k < set->n_ctls && k < CONTROLLERS_MAX; k++) {
			if (!is_first_of_path(set, k))
				continue;
			crimg_table_row(&t);
			crimg_cell_u64(&t, set->id);
			crimg_cell_text(&t, set->ctls[k]->path);
			crimg_cell_bool(&t, inventory != NULL && inventory->root_cg_set == set->id);
			processes_cell(&t, &members, set->id);
			controllers_cell(&t, set, k);
		}
	}
	crimg_table_end(&t);
	free(members.list);
}

static const struct crimg_column dir_columns[] = {
	{ "controllers", "CONTROLLERS", CRIMG_COLUMN_LEFT },
	{ "path", "GROUP", CRIMG_COLUMN_CUT_MIDDLE },
	{ "mode", "MODE", CRIMG_COLUMN_LEFT },
	{ "uid", NULL, CRIMG_COLUMN_RIGHT },
	{ "gid", NULL, CRIMG_COLUMN_RIGHT },
	{ "properties", "SETTINGS", CRIMG_COLUMN_CUT },
};

static void properties_cell(struct crimg_table *t, const CgroupDirEntry *dir)
{
	char text[2048] = "";
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_object(j, key);
	for (size_t i = 0; i < dir->n_properties; i++) {
		const CgroupPropEntry *p = dir->properties[i];
		size_t used = strlen(text);
		if (j != NULL)
			crimg_json_text(j, p->name, p->value);
		else if (p->value[0] != '\0') // tasks and cgroup.procs are always empty
			snprintf(text + used, sizeof text - used, "%s%s=%.*s", used > 0 ? " " : "",
			         p->name, (int)strcspn(p->value, "\n"), p->value);
	}
	if (j != NULL)
		crimg_json_end(j);
	else
		crimg_cell_text(t, text);
}

static void dir_row(struct crimg_table *t, const char *controllers, const char *path,
                    const CgroupDirEntry *dir)
{
	crimg_table_row(t);
	crimg_cell_text(t, controllers);
	crimg_cell_text(t, path);
	if (dir->dir_perms != NULL) {
		crimg_cell_octal(t, dir->dir_perms->mode);
		crimg_cell_u64(t, dir->dir_perms->uid);
		crimg_cell_u64(t, dir->dir_perms->gid);
	} else {
		for (int i = 0; i < 3; i++)
			crimg_cell_none(t);
	}
	properties_cell(t, dir);
}

// path: of the directory above, extended in place. Depth is bounded by the decoder.
static void show_dir(struct crimg_table *t, const char *controllers, char *path, size_t size,
                     const CgroupDirEntry *dir)
{
	size_t length = strlen(path);
	bool slash = length > 0 && path[length - 1] != '/' && dir->dir_name[0] != '/';
	snprintf(path + length, size - length, "%s%s", slash ? "/" : "", dir->dir_name);
	dir_row(t, controllers, path[0] != '\0' ? path : "/", dir);
	for (size_t i = 0; i < dir->n_children && !crimg_view_failed(t->view); i++)
		show_dir(t, controllers, path, size, dir->children[i]);
	path[length] = '\0';
}

static void show_dirs(struct crimg_view *view, const CgroupEntry *cgroup)
{
	struct crimg_table t;
	char path[CRIMG_MAX_NAME_BYTES] = "", names[256];
	crimg_table_begin(&t, view, "groups", dir_columns,
	                  sizeof dir_columns / sizeof dir_columns[0]);
	for (size_t i = 0; cgroup != NULL && i < cgroup->n_controllers; i++) {
		const CgControllerEntry *c = cgroup->controllers[i];
		names[0] = '\0';
		for (size_t k = 0; k < c->n_cnames; k++)
			snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
			         k > 0 ? "," : "", c->cnames[k]);
		for (size_t k = 0; k < c->n_dirs; k++)
			show_dir(&t, names[0] == '\0' ? "unified" : names, path, sizeof path,
			         c->dirs[k]);
	}
	if (t.cell_count > 0)
		crimg_heading(view, "Groups and their settings");
	crimg_table_end(&t);
}

void crimg_view_cgroups(struct crimg_view *view)
{
	const CgroupEntry *cgroup = crimg_image_get(view->image, CRIMG_KIND_CGROUP, 0, &view->damage);
	crimg_heading(view, "Control groups");
	if (cgroup == NULL)
		crimg_line(view, CRIMG_MARK_NONE,
		           "none recorded: all processes were in the groups of criu itself");
	crimg_group_object(view, "cgroups");
	show_sets(view, cgroup);
	show_dirs(view, cgroup);
	crimg_group_end(view);
}
