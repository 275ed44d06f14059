// Process groups, when all tasks are born: a group is there once a task has it that has its number, and for as long as
// anybody is in it. Whoever has ended, or gone to another group, lends it the number for a while, or a child that
// holds it.
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "producer/restart_birth.h"

// A child of an actor that is in a group until all are.
struct holder {
	struct crimg_puppet puppet;
	size_t mother;
};

struct holders {
	struct holder *list;
	size_t count;
};

static int set_group(struct crimg_puppet *p, uint32_t group, struct crimg_err *err)
{
	if (CRIMG_DO(p, err, "joining a process group", NULL, SYS_setpgid, 0, group) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// It is in its group by birth: in that of a leader who has ended, or in crimg's.
static bool born_in_group(const struct crimg_restart *r, size_t i)
{
	const struct crimg_task *t = &r->tasks.list[i], *root = &r->tasks.list[0];
	if (t->pgid == 0 || crimg_tasks_find(&r->tasks, t->pgid) != NULL)
		return t->pgid == 0;
	return t->pgid == t->sid || (t->pgid == root->pgid && !crimg_restart_leads(root));
}

static struct holder *new_holder(struct holders *h, size_t mother, const char *name)
{
	struct holder *new = &h->list[h->count++];
	*new = (struct holder){ .mother = mother, .puppet = { .name = name } };
	return new;
}

static bool is_held(const struct holders *h, uint32_t group)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->list[i].puppet.shown == group)
			return true;
	return false;
}

static int hold_dead_group(struct crimg_restart *r, struct holders *h, size_t i,
                           struct crimg_err *err)
{
	uint32_t group = r->tasks.list[i].pgid;
	struct holder *new = new_holder(h, i, "leader of a group");
	if (crimg_restart_bear(&r->actors[i].puppets[0], 0, group, &new->puppet, err) < 0)
		return -1;
	return set_group(&new->puppet, group, err);
}

static int lead_group(struct crimg_restart *r, struct holders *h, size_t i, struct crimg_err *err)
{
	const struct crimg_task *t = &r->tasks.list[i];
	struct crimg_puppet *p = &r->actors[i].puppets[0];
	if (crimg_restart_leads(t))
		return 0;
	if (set_group(p, t->pid, err) < 0)
		return -1;
	return t->pgid == t->pid ? 0
		: crimg_restart_bear_helper(r, p, 0, &new_holder(h, i, "member of a group")->puppet,
		                            err);
}

// Every group gets somebody who is in it.
static int begin_groups(struct crimg_restart *r, struct holders *h, struct crimg_err *err)
{
	bool *led = calloc(r->tasks.count, sizeof *led);
	if (led == NULL)
		return crimg_fail_nomem(err, r->tasks.count);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < r->tasks.count; i++) {
		const struct crimg_task *t = crimg_tasks_find(&r->tasks, r->tasks.list[i].pgid);
		size_t leader = t != NULL ? (size_t)(t - r->tasks.list) : 0;
		if (born_in_group(r, i))
			continue;
		if (t == NULL && !is_held(h, r->tasks.list[i].pgid))
			rc = hold_dead_group(r, h, i, err);
		else if (t != NULL && !led[leader])
			rc = lead_group(r, h, leader, err);
		if (t != NULL)
			led[leader] = true;
	}
	free(led);
	return rc;
}

static int join_groups(struct crimg_restart *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->tasks.count; i++) {
		const struct crimg_task *t = &r->tasks.list[i];
		if (t->pgid != t->pid && !born_in_group(r, i)
		    && set_group(&r->actors[i].puppets[0], t->pgid, err) < 0)
			return -1;
	}
	return 0;
}

static int end_holders(struct crimg_restart *r, struct holders *h, struct crimg_err *err)
{
	for (size_t i = h->count; i-- > 0;)
		if (crimg_restart_end_child(&r->actors[h->list[i].mother].puppets[0],
		                            &h->list[i].puppet, err) < 0)
			return -1;
	return 0;
}

int crimg_restart_groups(struct crimg_restart *r, struct crimg_err *err)
{
	struct holders h = { calloc(r->tasks.count, sizeof *h.list), 0 };
	if (h.list == NULL)
		return crimg_fail_nomem(err, r->tasks.count * sizeof *h.list);
	int rc = begin_groups(r, &h, err);
	if (rc == 0)
		rc = join_groups(r, err);
	if (rc == 0)
		rc = end_holders(r, &h, err);
	for (size_t i = 0; rc < 0 && i < h.count; i++)
		if (h.list[i].puppet.tid > 0)
			kill(h.list[i].puppet.tid, SIGKILL);
	free(h.list);
	return rc;
}
