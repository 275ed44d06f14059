// What tasks have in common without being threads: memory, signal handlers, descriptors, directories. It is had by
// birth alone, so it goes down the way of births from one who has it to the next; whoever is between them and has not
// leaves it (unshare) when all are born. Memory and handlers cannot be left.
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "producer/restart_parts.h"

static const struct sort {
	const char *what;
	size_t offset;  // of its number among those of a task
	uint64_t flag;
	bool can_leave;
} sorts[] = {
	{ "memory", offsetof(TaskKobjIdsEntry, vm_id), CLONE_VM, false },
	{ "signal handlers", offsetof(TaskKobjIdsEntry, sighand_id), CLONE_SIGHAND, false },
	{ "descriptors", offsetof(TaskKobjIdsEntry, files_id), CLONE_FILES, true },
	{ "directories", offsetof(TaskKobjIdsEntry, fs_id), CLONE_FS, true },
};

struct member {
	uint32_t id;
	size_t task;
};

struct sharing {
	struct crimg_restart *r;
	const struct sort *sort;
	struct member *members; // sorted
	size_t count;
	uint32_t *edges;        // of each kin: what it is born with, of its bearer; 0: a copy
};

static uint32_t id_of(const struct crimg_restart *r, size_t i, const struct sort *sort)
{
	uint32_t id = 0;
	const struct crimg_task *t = i < r->tasks.count ? &r->tasks.list[i] : NULL;
	if (t != NULL && t->ids != NULL)
		memcpy(&id, (const char *)t->ids + sort->offset, sizeof id);
	return id;
}

static void refuse(const struct sharing *s, size_t first, size_t other, const char *why)
{
	const struct crimg_task *t = &s->r->tasks.list[other];
	crimg_lines_add(&s->r->refused, "task %u (%s): shares %s with task %u: %s", t->pid, crimg_task_comm(t),
	                s->sort->what, s->r->tasks.list[first].pid, why);
}

static size_t depth_of(const struct crimg_family *f, size_t i)
{
	size_t depth = 0;
	while ((i = f->kin[i].bearer) != CRIMG_NOBODY)
		depth++;
	return depth;
}

static size_t common_of(const struct crimg_family *f, size_t a, size_t b)
{
	size_t deep_a = depth_of(f, a), deep_b = depth_of(f, b);
	while (a != b) {
		bool up = deep_a >= deep_b;
		*(up ? &a : &b) = f->kin[up ? a : b].bearer;
		--*(up ? &deep_a : &deep_b);
	}
	return a;
}

static bool has_company(const struct sharing *s, uint32_t id)
{
	size_t n = 0;
	for (size_t i = 0; i < s->count && n < 2; i++)
		n += s->members[i].id == id;
	return n > 1;
}

// Kin i passes what is numbered id on, and has not got it in the end.
static bool can_pass(const struct sharing *s, size_t i, uint32_t id)
{
	uint32_t own = id_of(s->r, i, s->sort);
	if (own == id || i >= s->r->tasks.count || s->r->tasks.list[i].ids == NULL)
		return true;
	s->r->family.kin[i].leaves |= s->sort->flag;
	return s->sort->can_leave && !has_company(s, own);
}

// All the way up from a member.
static bool mark_way(const struct sharing *s, size_t from, size_t top, uint32_t id)
{
	struct crimg_kin *kin = s->r->family.kin;
	for (size_t i = from; i != top; i = kin[i].bearer) {
		if ((s->edges[i] != 0 && s->edges[i] != id) || !can_pass(s, i, id))
			return false;
		s->edges[i] = id;
		kin[i].shares |= s->sort->flag;
	}
	return can_pass(s, top, id);
}

static bool is_below(const struct crimg_family *f, size_t low, size_t high)
{
	while (low != high && low != 0)
		low = f->kin[low].bearer;
	return low == high;
}

// A member with nobody above it who is one is born by the first such member, where that one can: it is in the session, and
// below its parent.
static void gather(const struct sharing *s, size_t first, size_t end)
{
	struct crimg_family *f = &s->r->family;
	uint32_t id = s->members[first].id;
	size_t head = CRIMG_NOBODY;
	for (size_t i = first; i < end; i++) {
		size_t m = s->members[i].task, up = f->kin[m].bearer;
		while (up != CRIMG_NOBODY && id_of(s->r, up, s->sort) != id)
			up = f->kin[up].bearer;
		if (up != CRIMG_NOBODY)
			continue;
		if (head == CRIMG_NOBODY)
			head = m;
		else if (f->kin[m].birth == f->kin[head].birth
		         && is_below(f, head, s->r->tasks.list[m].parent))
			f->kin[m].bearer = head;
	}
}

// Members from first on that have one number, of whom there are several.
static void share_group(const struct sharing *s, size_t first, size_t end)
{
	uint32_t id = s->members[first].id;
	size_t top = s->members[first].task;
	gather(s, first, end);
	for (size_t i = first + 1; i < end; i++)
		top = common_of(&s->r->family, top, s->members[i].task);
	for (size_t i = first; i < end; i++)
		if (!mark_way(s, s->members[i].task, top, id)) {
			refuse(s, s->members[first].task, s->members[i > first ? i : end - 1].task,
			       "no way of births from the one to the other leads through tasks that can have had it");
			return;
		}
}

static int by_id(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static void share(struct sharing *s)
{
	const struct crimg_restart *r = s->r;
	s->count = 0;
	memset(s->edges, 0, r->family.count * sizeof *s->edges);
	for (size_t i = 0; i < r->tasks.count; i++)
		if (id_of(r, i, s->sort) != 0)
			s->members[s->count++] = (struct member){ id_of(r, i, s->sort), i };
	qsort(s->members, s->count, sizeof *s->members, by_id);
	for (size_t i = 0, end; i < s->count; i = end) {
		for (end = i + 1; end < s->count && s->members[end].id == s->members[i].id;)
			end++;
		if (end - i > 1)
			share_group(s, i, end);
	}
}

int crimg_restart_share(struct crimg_restart *r, struct crimg_err *err)
{
	struct sharing s = { .r = r };
	s.members = calloc(r->tasks.count + 1, sizeof *s.members);
	s.edges = calloc(r->family.count + 1, sizeof *s.edges);
	int rc = s.members != NULL && s.edges != NULL
		? 0 : crimg_fail_nomem(err, r->tasks.count * sizeof *s.members);
	for (size_t k = 0; rc == 0 && k < sizeof sorts / sizeof sorts[0]; k++) {
		s.sort = &sorts[k];
		share(&s);
	}
	for (size_t i = 0; rc == 0 && i < r->family.count; i++)
		if ((r->family.kin[i].shares & (CLONE_SIGHAND | CLONE_VM)) == CLONE_SIGHAND)
			crimg_lines_add(&r->refused, "task %u: shares signal handlers, and no memory: no kernel "
			                "allows that", r->family.kin[i].number);
	crimg_family_list_children(&r->family);
	free(s.members);
	free(s.edges);
	return rc;
}

int crimg_restart_part(struct crimg_restart *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->tasks.count; i++) {
		struct crimg_puppet *p = &r->actors[i].puppets[0];
		uint64_t flags = r->family.kin[i].leaves;
		if (flags != 0
		    && (CRIMG_DO(p, err, "leaving what it passed on", NULL, SYS_unshare, flags) < 0
		        || crimg_puppet_flush(p, err) < 0))
			return -1;
	}
	return 0;
}

bool crimg_restart_has_company(const struct crimg_restart *r, const struct crimg_actor *a)
{
	size_t self = (size_t)(a - r->actors);
	uint32_t id = id_of(r, self, &sorts[0]);
	for (size_t i = self + 1; id != 0 && i < r->tasks.count; i++)
		if (id_of(r, i, &sorts[0]) == id && r->actors[i].count > 0)
			return true;
	return false;
}
