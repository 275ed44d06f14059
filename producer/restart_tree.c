// The process tree: who is born where, sessions, groups, zombies. The root is born as a copy of crimg, the
// others by system calls of their parents, once these have their memory: what is the same stays shared.
//
// A task is born in the session that its parent has then. So a leader bears children of other sessions
// before it becomes one; a child of a session that its parent never had is born by a sibling of that session,
// with CLONE_PARENT. Of a session whose leader has ended, that sibling is made for the moment: a ghost.
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer/restart_birth.h"
#include "producer/restart_ptys.h"

#define SIBLING_NONE SIZE_MAX

static bool leads(const struct crimg_task *t)
{
	return t->sid == t->pid;
}

// Session number has its leader in the image.
static bool has_leader(const struct crimg_restart *r, uint32_t number)
{
	const struct crimg_task *t = crimg_tasks_find(&r->tasks, number);
	return t != NULL && leads(t);
}

// True when the session is one that crimg can only be in, not make.
static bool is_outside(const struct crimg_restart *r, uint32_t session)
{
	return !leads(&r->tasks.list[0]) && session == r->tasks.list[0].sid;
}

// Its parent has the session that it must be born in, or had it before it led its own.
static bool parent_can(const struct crimg_restart *r, const struct crimg_actor *a)
{
	const struct crimg_actor *p = &r->actors[a->task->parent];
	return a->birth == 0 || a->birth == p->task->sid || (leads(p->task) && a->birth == p->birth);
}

// The sibling that bears actor i because its parent cannot: the leader, or one before it in a session
// without; SIBLING_NONE.
static size_t sibling_of(const struct crimg_restart *r, size_t i)
{
	const struct crimg_actor *a = &r->actors[i];
	if (parent_can(r, a))
		return SIBLING_NONE;
	for (size_t k = 0; k < r->tasks.count; k++) {
		const struct crimg_task *s = &r->tasks.list[k];
		if (k != i && s->parent == a->task->parent && s->sid == a->birth
		    && (leads(s) || (k < i && !has_leader(r, a->birth))))
			return k;
	}
	return SIBLING_NONE;
}

static bool needs_ghost(const struct crimg_restart *r, size_t i)
{
	const struct crimg_actor *a = &r->actors[i];
	return !parent_can(r, a) && sibling_of(r, i) == SIBLING_NONE && !has_leader(r, a->birth)
		&& !is_outside(r, a->birth);
}

static bool has_sibling_leader(const struct crimg_restart *r, size_t i)
{
	const struct crimg_task *s = crimg_tasks_find(&r->tasks, r->actors[i].birth);
	return s != NULL && leads(s) && s->parent == r->tasks.list[i].parent;
}

static void refuse_session(struct crimg_restart *r, const struct crimg_actor *a)
{
	crimg_lines_add(&r->refused,
	                "task %u (%s): session %u: no task can bear it there: "
	                "not restarted yet; criu restore does", a->task->pid, crimg_task_comm(a->task),
	                a->birth);
}

// Children come behind their parents, so from the end: what each needs is known when its parent is met.
int crimg_restart_births(struct crimg_restart *r, struct crimg_err *err)
{
	(void)err;
	for (size_t i = r->tasks.count; i-- > 0;) {
		struct crimg_actor *a = &r->actors[i];
		const struct crimg_task *t = a->task;
		if (!leads(t))
			a->birth = t->sid;
		if (t->parent == CRIMG_NO_TASK || a->birth == 0)
			continue;
		struct crimg_actor *p = &r->actors[t->parent];
		bool known = has_leader(r, a->birth) || is_outside(r, a->birth);
		if (known && leads(p->task) && a->birth != p->task->sid && p->birth == 0
		    && !has_sibling_leader(r, i))
			p->birth = a->birth; // it bears this one early
	}
	for (size_t i = 1; i < r->tasks.count; i++)
		if (r->tasks.list[i].parent != CRIMG_NO_TASK && !parent_can(r, &r->actors[i])
		    && sibling_of(r, i) == SIBLING_NONE && !needs_ghost(r, i))
			refuse_session(r, &r->actors[i]);
	const struct crimg_task *root = &r->tasks.list[0];
	if (r->actors[0].birth != 0)
		crimg_lines_add(&r->notes,
		                "session %u has its leader outside the image: its tasks are in crimg's "
		                "session now", r->actors[0].birth);
	if (root->pgid != root->pid && crimg_tasks_find(&r->tasks, root->pgid) == NULL)
		crimg_lines_add(&r->notes, "process group %u is led from outside the image: its tasks "
		                "are in crimg's group now", root->pgid);
	return 0;
}

// What child has in common with its parent from birth.
static uint64_t shared_flags(const struct crimg_task *child, const struct crimg_task *parent)
{
	uint64_t flags = 0;
	if (child->ids == NULL || parent->ids == NULL)
		return 0;
	if (child->ids->files_id != 0 && child->ids->files_id == parent->ids->files_id)
		flags |= CLONE_FILES;
	if (child->ids->fs_id != 0 && child->ids->fs_id == parent->ids->fs_id)
		flags |= CLONE_FS;
	return flags;
}

int crimg_restart_bear(struct crimg_puppet *mother, uint64_t flags, uint32_t number,
                       struct crimg_puppet *child, struct crimg_err *err)
{
	pid_t tid = (pid_t)number;
	int64_t result = 0;
	bool thread = (flags & CLONE_THREAD) != 0;
	// A sibling's is that of its mother.
	struct clone_args args = { .flags = flags, .set_tid_size = 1 };
	args.exit_signal = (flags & (CLONE_THREAD | CLONE_PARENT)) != 0 ? 0 : SIGCHLD;
	args.set_tid = crimg_puppet_lend(mother, &tid, sizeof tid);
	struct crimg_call call = { .what = thread ? "creating a thread" : "creating a process",
		                   .number = SYS_clone3, .exact = true, .wanted = tid };
	call.args[0] = crimg_puppet_lend(mother, &args, sizeof args);
	call.args[1] = sizeof args;
	if (crimg_puppet_try(mother, call, &result, err) < 0)
		return -1;
	if (mother->born == 0 || result != tid)
		return crimg_puppet_fail(mother, &call, result, err);
	child->shown = number;
	return crimg_puppet_adopt(child, mother->stage, mother->born, err);
}

static int bear_actor(struct crimg_restart *r, struct crimg_actor *mother, struct crimg_actor *a,
                      uint64_t flags, struct crimg_err *err)
{
	a->puppets[0].name = crimg_task_comm(a->task);
	flags |= shared_flags(a->task, &r->tasks.list[a->task->parent]);
	if (crimg_restart_bear(&mother->puppets[0], flags, a->task->pid, &a->puppets[0], err) < 0)
		return -1;
	a->count = 1;
	a->mother = mother;
	return 0;
}

// Who has ended but lent a session or group its number: somebody bears a task that leads it for a moment.
struct ghost_leader {
	struct crimg_puppet puppet;
	size_t mother;
};

static int end_ghost(struct crimg_restart *r, struct ghost_leader *g, struct crimg_err *err)
{
	uint64_t number = g->puppet.shown;
	if (crimg_restart_end(&g->puppet, 0, err) < 0)
		return -1;
	struct crimg_puppet *mother = &r->actors[g->mother].puppets[0];
	if (CRIMG_DO(mother, err, "waiting for the leader of a session or group", NULL, SYS_wait4, number) < 0)
		return -1;
	return crimg_puppet_flush(mother, err);
}

// A child of a session whose leader has ended.
static int bear_by_ghost(struct crimg_restart *r, size_t mother, struct crimg_actor *a,
                         struct crimg_err *err)
{
	struct ghost_leader g = { .mother = mother, .puppet = { .name = "leader of a session" } };
	struct crimg_actor *m = &r->actors[mother];
	if (crimg_restart_bear(&m->puppets[0], 0, a->birth, &g.puppet, err) < 0)
		return -1;
	int rc = CRIMG_DO(&g.puppet, err, "leading a session", NULL, SYS_setsid);
	a->puppets[0].name = crimg_task_comm(a->task);
	if (rc == 0)
		rc = crimg_restart_bear(&g.puppet, CLONE_PARENT, a->task->pid, &a->puppets[0], err);
	if (rc < 0) {
		if (g.puppet.tid != 0)
			kill(g.puppet.tid, SIGKILL);
		return -1;
	}
	a->count = 1;
	a->mother = m;
	return end_ghost(r, &g, err);
}

// Children that must be born now: before or after their mother leads a session, or by a sibling.
static int bear_children(struct crimg_restart *r, size_t mother, bool early, struct crimg_err *err)
{
	const struct crimg_task *m = r->actors[mother].task;
	for (size_t i = mother + 1; i < r->tasks.count; i++) {
		struct crimg_actor *a = &r->actors[i];
		if (a->task->parent != mother || a->count > 0 || sibling_of(r, i) != SIBLING_NONE)
			continue;
		bool ghost = needs_ghost(r, i);
		bool wants_early = !ghost && leads(m) && a->birth != 0 && a->birth != m->sid;
		if (wants_early != early)
			continue;
		if ((ghost ? bear_by_ghost(r, mother, a, err)
		           : bear_actor(r, &r->actors[mother], a, 0, err)) < 0)
			return -1;
	}
	return 0;
}

static int bear_siblings(struct crimg_restart *r, size_t mother, struct crimg_err *err)
{
	for (size_t i = 1; i < r->tasks.count; i++) {
		struct crimg_actor *a = &r->actors[i];
		if (a->count == 0 && sibling_of(r, i) == mother
		    && bear_actor(r, &r->actors[mother], a, CLONE_PARENT, err) < 0)
			return -1;
	}
	return 0;
}

static int bear_all_of(struct crimg_restart *r, size_t i, struct crimg_err *err)
{
	struct crimg_actor *a = &r->actors[i];
	struct crimg_puppet *p = &a->puppets[0];
	if (a->task->mm != NULL && (crimg_restart_cgroup(r, a, err) < 0 || crimg_restart_memory(r, a, err) < 0))
		return -1;
	if (bear_children(r, i, true, err) < 0)
		return -1;
	if (leads(a->task)
	    && CRIMG_DO(p, err, "leading a session", NULL, SYS_setsid) < 0)
		return -1;
	if (crimg_restart_control(r, a, err) < 0 || bear_children(r, i, false, err) < 0 || bear_siblings(r, i, err) < 0)
		return -1;
	a->bore = true;
	return crimg_puppet_flush(p, err);
}

// Siblings may bear those that stand in front of them in the list: until nobody comes any more.
static int bear_tree(struct crimg_restart *r, struct crimg_err *err)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < r->tasks.count; i++) {
			if (r->actors[i].count == 0 || r->actors[i].bore)
				continue;
			if (bear_all_of(r, i, err) < 0)
				return -1;
			again = true;
		}
	}
	for (size_t i = 0; i < r->tasks.count; i++)
		if (r->actors[i].count == 0)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			                  "task %u cannot be born in session %u",
			                  r->tasks.list[i].pid, r->tasks.list[i].sid);
	return 0;
}

static int set_group(struct crimg_puppet *p, uint32_t group, struct crimg_err *err)
{
	if (CRIMG_DO(p, err, "joining a process group", NULL, SYS_setpgid, 0, group) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// All that are in group, which nobody of the image leads, from actor first on.
static int join_dead_group(struct crimg_restart *r, size_t first, struct crimg_err *err)
{
	struct ghost_leader g = { .mother = first, .puppet = { .name = "leader of a group" } };
	uint32_t group = r->tasks.list[first].pgid;
	if (crimg_restart_bear(&r->actors[first].puppets[0], 0, group, &g.puppet, err) < 0)
		return -1;
	int rc = set_group(&g.puppet, group, err);
	for (size_t i = first; rc == 0 && i < r->tasks.count; i++)
		if (r->tasks.list[i].pgid == group)
			rc = set_group(&r->actors[i].puppets[0], group, err);
	if (rc < 0) {
		if (g.puppet.tid != 0)
			kill(g.puppet.tid, SIGKILL);
		return -1;
	}
	return end_ghost(r, &g, err);
}

// True when an earlier task is in the same group.
static bool seen_before(const struct crimg_restart *r, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (r->tasks.list[k].pgid == r->tasks.list[i].pgid)
			return true;
	return false;
}

static int make_groups(struct crimg_restart *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->tasks.count; i++) {
		const struct crimg_task *t = &r->tasks.list[i];
		if (t->pgid == t->pid && !leads(t) && set_group(&r->actors[i].puppets[0], t->pid, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->tasks.count; i++) {
		const struct crimg_task *t = &r->tasks.list[i];
		bool outside = t->pgid == r->tasks.list[0].pgid && r->actors[0].birth != 0;
		// Born in a session without its leader, it is in that one's group.
		if (t->pgid == t->pid || (t->pgid == t->sid && !has_leader(r, t->sid)))
			continue;
		if (crimg_tasks_find(&r->tasks, t->pgid) != NULL) {
			if (set_group(&r->actors[i].puppets[0], t->pgid, err) < 0)
				return -1;
		} else if (!outside && !seen_before(r, i) && join_dead_group(r, i, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int end_zombies(struct crimg_restart *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->tasks.count; i++) {
		struct crimg_actor *a = &r->actors[i];
		if (a->task->state != CRIMG_TASK_DEAD)
			continue;
		if (crimg_restart_name(&a->puppets[0], err) < 0
		    || crimg_restart_end(&a->puppets[0], a->task->core->tc->exit_code, err) < 0)
			return -1;
		a->count = 0;
	}
	return 0;
}

int crimg_restart_create(struct crimg_restart *r, struct crimg_err *err)
{
	if (crimg_restart_first(r, err) < 0 || crimg_restart_fill_namespaces(r, err) < 0)
		return -1;
	if (bear_tree(r, err) < 0 || make_groups(r, err) < 0)
		return -1;
	return end_zombies(r, err);
}

void crimg_restart_kill(struct crimg_restart *r)
{
	for (size_t i = 0; r->actors != NULL && i < r->tasks.count; i++)
		for (size_t k = 0; k < r->actors[i].count; k++)
			if (r->actors[i].puppets[k].tid > 0)
				kill(r->actors[i].puppets[k].tid, SIGKILL);
	if (r->keeper > 0)
		kill(r->keeper, SIGKILL);
	// Tracees and children alike; nobody of crimg's is left then.
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		continue;
}
