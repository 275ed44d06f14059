// The process tree: one number a task, parents that are there, sessions and groups that hang together, and what
// every task that has memory needs beside its core.
#include "validate/numbered.h"

static struct crimg_place pstree_place(struct crimg_checker *c, uint32_t pid, const char *field)
{
	struct crimg_list entries = { NULL, 0 };
	if (crimg_image_select(c->image, CRIMG_KIND_PSTREE, "pid", pid, &entries, NULL) < 0
	    || entries.count == 0)
		return crimg_place_of(c, CRIMG_KIND_PSTREE, 0, "%s", "");
	return crimg_place_message(c, entries.items[entries.count - 1], "%s", field);
}

static void check_numbers(struct crimg_checker *c)
{
	const struct crimg_task_ref *ids = c->tasks.threads;
	for (size_t i = 1; i < c->tasks.thread_count; i++) {
		if (ids[i].id != ids[i - 1].id)
			continue;
		struct crimg_place at = pstree_place(c, c->tasks.list[ids[i].task].pid, "");
		CRIMG_FIND(c, TASK_TWICE, &at, "%u is the number of two processes or threads", ids[i].id);
	}
}

static void check_parent(struct crimg_checker *c, const struct crimg_task *task, size_t *roots)
{
	const struct crimg_task *parent = crimg_tasks_of_thread(&c->tasks, task->ppid);
	struct crimg_place at;
	if (task->parent != CRIMG_NO_TASK)
		return;
	if (parent == NULL && (*roots)++ == 0)
		return; // its parent is outside, told or not
	at = pstree_place(c, task->pid, "ppid");
	if (task->ppid == 0)
		CRIMG_FIND(c, NO_PARENT_TASK, &at, "process %u is a second root", task->pid);
	else if (parent == NULL)
		CRIMG_FIND(c, NO_PARENT_TASK, &at, "process %u has parent %u, which is not in the image",
		           task->pid, task->ppid);
	else
		CRIMG_FIND(c, NO_PARENT_TASK, &at, "process %u is its own ancestor", task->pid);
}

// Who leads from outside is the business of --closed; who is inside must belong.
static void check_groups(struct crimg_checker *c, const struct crimg_task *task)
{
	const struct crimg_task *session = crimg_tasks_find(&c->tasks, task->sid);
	const struct crimg_task *group = crimg_tasks_find(&c->tasks, task->pgid);
	struct crimg_place at;
	if (session != NULL && session->sid != task->sid) {
		at = pstree_place(c, task->pid, "sid");
		CRIMG_FIND(c, OTHER_SESSION, &at,
		           "process %u is in session %u, and process %u, in session %u, leads none",
		           task->pid, task->sid, session->pid, session->sid);
	}
	if (group != NULL && group->sid != task->sid) {
		at = pstree_place(c, task->pid, "pgid");
		CRIMG_FIND(c, OTHER_SESSION, &at,
		           "process %u of session %u is in process group %u, which is of session %u",
		           task->pid, task->sid, task->pgid, group->sid);
	}
}

static void check_parts(struct crimg_checker *c, const struct crimg_task *task)
{
	struct crimg_place at = pstree_place(c, task->pid, "");
	if (!crimg_task_has_memory(task) || task->core == NULL)
		return;
	if (task->ids == NULL && !c->damaged[CRIMG_KIND_IDS])
		CRIMG_FIND(c, NO_IDS, &at, "ids-%u.img is missing", task->pid);
	if (task->fs == NULL && !c->damaged[CRIMG_KIND_FS])
		CRIMG_FIND(c, NO_FS, &at, "fs-%u.img is missing", task->pid);
}

static bool is_known(struct crimg_checker *c, const struct crimg_image_object *o)
{
	return o->object.id <= UINT32_MAX
	       && crimg_tasks_of_thread(&c->tasks, (uint32_t)o->object.id) != NULL;
}

// Objects of tasks that nobody knows: what was dumped, and would not come back. Its core tells for a task.
static void check_strays(struct crimg_checker *c)
{
	static const enum crimg_kind kinds[] = { CRIMG_KIND_CORE, CRIMG_KIND_MM, CRIMG_KIND_PAGEMAP };
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (struct crimg_image_object *o = crimg_image_first(c->image, kinds[i]); o != NULL;
		     o = crimg_image_next(c->image, o)) {
			if (is_known(c, o)
			    || (i > 0 && crimg_image_find(c->image, CRIMG_KIND_CORE, o->object.id) != NULL))
				continue;
			struct crimg_place at = crimg_place_object(o);
			CRIMG_FIND(c, STRAY_TASK, &at, "%llu is neither a process nor a thread in pstree.img",
			           (unsigned long long)o->object.id);
		}
}

void crimg_refs_tasks(struct crimg_numbered *r)
{
	struct crimg_checker *c = r->c;
	// Images before 1.0, and cores, have neither.
	bool with_parts = crimg_image_first(c->image, CRIMG_KIND_FDINFO) != NULL;
	bool with_parents = !c->damaged[CRIMG_KIND_PSTREE] && !c->skeleton;
	size_t roots = 0;
	check_numbers(c);
	for (size_t i = 0; i < c->tasks.count; i++) {
		const struct crimg_task *task = &c->tasks.list[i];
		if (with_parents)
			check_parent(c, task, &roots);
		check_groups(c, task);
		if (with_parts)
			check_parts(c, task);
	}
	if (!c->damaged[CRIMG_KIND_PSTREE])
		check_strays(c);
}
