// The process tree: who is born where, and who comes up to its parent. The root is born as a copy of crimg, the
// others by system calls of their bearers (restart_family.h), once these have their memory: what is the same
// stays shared.
#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer/restart_birth.h"
#include "producer/restart_ptys.h"

bool crimg_restart_leads(const struct crimg_task *t)
{
	return t->sid == t->pid;
}

int crimg_restart_births(struct crimg_restart *r, struct crimg_err *err)
{
	const struct crimg_task *root = &r->tasks.list[0];
	struct crimg_err why = CRIMG_ERR_INIT;
	size_t who = 0;
	if (r->refused.count > 0)
		return 0; // it may be no tree
	if (crimg_family_plan(&r->family, &r->tasks, &who, &why) < 0) {
		if (why.code != CRIMG_E_UNSUPPORTED) {
			*err = why;
			return -1;
		}
		const struct crimg_task *t = &r->tasks.list[who];
		crimg_lines_add(&r->refused, "task %u (%s): no order of births brings it into session %u below "
		                "task %u: no kernel can have had such a tree", t->pid, crimg_task_comm(t),
		                t->sid, t->ppid);
		return 0;
	}
	if (crimg_restart_share(r, err) < 0)
		return -1;
	if (!crimg_restart_leads(root))
		crimg_lines_add(&r->notes,
		                "session %u has its leader outside the image: its tasks are in crimg's "
		                "session now", root->sid);
	if (root->pgid != root->pid && crimg_tasks_find(&r->tasks, root->pgid) == NULL)
		crimg_lines_add(&r->notes, "process group %u is led from outside the image: its tasks "
		                "are in crimg's group now", root->pgid);
	return 0;
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

// The task itself, or what stands for a leader who has ended.
static struct crimg_puppet *puppet_of(struct crimg_restart *r, size_t i)
{
	return i < r->tasks.count ? &r->actors[i].puppets[0] : r->family.kin[i].self;
}

// Whose memory a child of kin i has from birth: who has none of its own has that of its bearer.
static struct crimg_actor *mother_of(struct crimg_restart *r, size_t i)
{
	while (i >= r->tasks.count || r->tasks.list[i].mm == NULL)
		i = r->family.kin[i].bearer;
	return &r->actors[i];
}

static struct crimg_puppet *new_puppet(const char *name, struct crimg_err *err)
{
	struct crimg_puppet *p = calloc(1, sizeof *p);
	if (p == NULL)
		crimg_fail_nomem(err, sizeof *p);
	else
		p->name = name;
	return p;
}

int crimg_restart_bear_helper(struct crimg_restart *r, struct crimg_puppet *mother, uint64_t flags,
                              struct crimg_puppet *helper, struct crimg_err *err)
{
	for (uint32_t number; (number = crimg_family_spare(&r->family)) != 0;) {
		struct crimg_err why = CRIMG_ERR_INIT;
		if (crimg_restart_bear(mother, flags, number, helper, &why) == 0)
			return 0;
		if (why.sys_errno != EEXIST) {
			*err = why;
			return -1;
		}
	}
	return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET, "no number is left for a helper");
}

// A task of the image, by its parent or by a helper.
static int bear_task(struct crimg_restart *r, size_t bearer, size_t i, struct crimg_err *err)
{
	struct crimg_kin *k = &r->family.kin[i];
	struct crimg_actor *a = &r->actors[i];
	struct crimg_puppet *mother = puppet_of(r, bearer);
	uint64_t flags = k->shares;
	a->puppets[0].name = crimg_task_comm(a->task);
	if (bearer != a->task->parent) {
		k->helper = new_puppet("helper of a birth", err);
		if (k->helper == NULL || crimg_restart_bear_helper(r, mother, flags, k->helper, err) < 0)
			return -1;
		mother = k->helper;
	}
	if (crimg_restart_bear(mother, flags, k->number, &a->puppets[0], err) < 0)
		return -1;
	a->count = 1;
	a->number = a->puppets[0].tid;
	a->mother = mother_of(r, bearer);
	if ((flags & CLONE_VM) != 0) {
		a->bridge = a->mother->bridge;
		a->vdso_32 = a->mother->vdso_32;
	}
	return 0;
}

// Who has ended but lent a session its number: leads it for a while.
static int bear_leader(struct crimg_restart *r, size_t bearer, size_t i, struct crimg_err *err)
{
	struct crimg_kin *k = &r->family.kin[i];
	k->self = new_puppet("leader of a session", err);
	return k->self == NULL ? -1
		: crimg_restart_bear(puppet_of(r, bearer), k->shares, k->number, k->self, err);
}

static int bear_children(struct crimg_restart *r, size_t bearer, bool early, struct crimg_err *err)
{
	const struct crimg_kin *kin = r->family.kin;
	for (size_t i = kin[bearer].first; i != CRIMG_NOBODY; i = kin[i].next)
		if (kin[i].early == early
		    && (i < r->tasks.count ? bear_task(r, bearer, i, err)
		                           : bear_leader(r, bearer, i, err)) < 0)
			return -1;
	return 0;
}

// All of one, who is born already: memory first, which those that it bears have, too.
static int bear_all_of(struct crimg_restart *r, size_t i, struct crimg_err *err)
{
	struct crimg_actor *a = i < r->tasks.count ? &r->actors[i] : NULL;
	struct crimg_puppet *p = puppet_of(r, i);
	bool has_memory = (r->family.kin[i].shares & CLONE_VM) != 0;
	if (a != NULL && a->task->mm != NULL
	    && (crimg_restart_cgroup(r, a, err) < 0 || (!has_memory && crimg_restart_memory(r, a, err) < 0)))
		return -1;
	if (bear_children(r, i, true, err) < 0)
		return -1;
	if (r->family.kin[i].leads != CRIMG_NOBODY
	    && CRIMG_DO(p, err, "leading a session", NULL, SYS_setsid) < 0)
		return -1;
	if (a != NULL && crimg_restart_control(r, a, err) < 0)
		return -1;
	return bear_children(r, i, false, err) < 0 ? -1 : crimg_puppet_flush(p, err);
}

// Those who were born first stand first in order.
static int bear_tree(struct crimg_restart *r, size_t *order, struct crimg_err *err)
{
	const struct crimg_kin *kin = r->family.kin;
	size_t count = 1;
	order[0] = 0;
	for (size_t at = 0; at < count; at++) {
		if (bear_all_of(r, order[at], err) < 0)
			return -1;
		for (size_t i = kin[order[at]].first; i != CRIMG_NOBODY; i = kin[i].next)
			order[count++] = i;
	}
	return 0;
}

int crimg_restart_end_child(struct crimg_puppet *mother, struct crimg_puppet *child,
                            struct crimg_err *err)
{
	uint64_t number = child->shown;
	if (crimg_restart_end(child, 0, err) < 0
	    || CRIMG_DO(mother, err, "waiting for a helper", NULL, SYS_wait4, number) < 0)
		return -1;
	return crimg_puppet_flush(mother, err);
}

static int inherit_orphans(struct crimg_puppet *p, uint64_t whether, struct crimg_err *err)
{
	if (CRIMG_DO(p, err, "inheriting orphans", NULL, SYS_prctl, PR_SET_CHILD_SUBREAPER, whether) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// It becomes an orphan, and its parent is the only one who wants any.
static int come_up(struct crimg_restart *r, size_t i, struct crimg_err *err)
{
	struct crimg_kin *k = &r->family.kin[i];
	struct crimg_puppet *parent = puppet_of(r, r->tasks.list[i].parent);
	if (inherit_orphans(parent, 1, err) < 0
	    || crimg_restart_end_child(puppet_of(r, k->bearer), k->helper, err) < 0)
		return -1;
	return inherit_orphans(parent, 0, err);
}

// The lowest first: who still has to pass somebody finds him where he was.
static int raise_all(struct crimg_restart *r, const size_t *order, struct crimg_err *err)
{
	const struct crimg_family *f = &r->family;
	for (size_t at = f->count; at-- > 1;) {
		size_t i = order[at];
		const struct crimg_kin *k = &f->kin[i];
		if (k->helper != NULL && come_up(r, i, err) < 0)
			return -1;
		if (k->self != NULL && crimg_restart_end_child(puppet_of(r, k->bearer), k->self, err) < 0)
			return -1;
	}
	return 0;
}

static int make_tree(struct crimg_restart *r, struct crimg_err *err)
{
	size_t *order = calloc(r->family.count, sizeof *order);
	if (order == NULL)
		return crimg_fail_nomem(err, r->family.count * sizeof *order);
	int rc = bear_tree(r, order, err);
	if (rc == 0)
		rc = crimg_restart_part(r, err);
	if (rc == 0)
		rc = raise_all(r, order, err);
	free(order);
	return rc;
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
	if (make_tree(r, err) < 0 || crimg_restart_groups(r, err) < 0)
		return -1;
	return end_zombies(r, err);
}

static void kill_puppet(const struct crimg_puppet *p)
{
	if (p != NULL && p->tid > 0)
		kill(p->tid, SIGKILL);
}

void crimg_restart_kill(struct crimg_restart *r)
{
	for (size_t i = 0; i < r->family.count; i++) {
		kill_puppet(r->family.kin[i].self);
		kill_puppet(r->family.kin[i].helper);
	}
	for (size_t i = 0; r->actors != NULL && i < r->tasks.count; i++)
		for (size_t k = 0; k < r->actors[i].count; k++)
			kill_puppet(&r->actors[i].puppets[k]);
	if (r->keeper > 0)
		kill(r->keeper, SIGKILL);
	// Tracees and children alike; nobody of crimg's is left then.
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		continue;
}
