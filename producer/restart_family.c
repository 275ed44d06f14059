// The plan of births. Two trees grow by the same rule: that of sessions (each below the one that its leader is
// born in), and in each session that of its tasks. A demand says that one stands above another; the least tree
// with all of them is what remains when no demand is left.
#include "producer/restart_family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX (UINT64_C(1) << 28) // of a plan: a hostile image may have any tree
#define TRIES 64u
#define USUAL_NUMBERS 32768u

struct plan {
	struct crimg_family *f;
	const struct crimg_tasks *tasks;
	uint64_t steps;
	uint64_t choices; // a bit each, used in turn, where two orders are possible
	unsigned chosen;
	bool changed; // in this round of demands
	bool again;   // sessions were: tasks have to be placed anew
};

// The tree that a demand is made in.
typedef size_t *(*above_fn)(struct crimg_family *f, size_t i);

static size_t *above_session(struct crimg_family *f, size_t i)
{
	return &f->sessions[i].parent;
}

static size_t *above_kin(struct crimg_family *f, size_t i)
{
	return &f->kin[i].bearer;
}

static size_t depth_of(struct plan *p, above_fn above, size_t i)
{
	size_t depth = 0;
	for (; *above(p->f, i) != CRIMG_NOBODY; i = *above(p->f, i)) {
		depth++;
		p->steps++;
	}
	return depth;
}

// One step below top on the way to low, which is below it.
static size_t branch_of(const struct plan *p, above_fn above, size_t top, size_t low)
{
	while (*above(p->f, low) != top)
		low = *above(p->f, low);
	return low;
}

static size_t common_of(struct plan *p, above_fn above, size_t a, size_t b)
{
	size_t deep_a = depth_of(p, above, a), deep_b = depth_of(p, above, b);
	for (; deep_a > deep_b; deep_a--)
		a = *above(p->f, a);
	for (; deep_b > deep_a; deep_b--)
		b = *above(p->f, b);
	while (a != b) {
		a = *above(p->f, a);
		b = *above(p->f, b);
	}
	return a;
}

static bool choose(struct plan *p)
{
	return (p->choices >> p->chosen++ % 64 & 1) != 0;
}

// high shall stand above low. What stood above something before still does. False: low stands above high.
static bool demand(struct plan *p, above_fn above, size_t high, size_t low)
{
	size_t common = common_of(p, above, high, low);
	if (common == high)
		return true;
	if (common == low)
		return false;
	size_t *parent = above(p->f, low);
	size_t high_branch = branch_of(p, above, common, high);
	p->changed = true;
	if (*parent != common && choose(p)) {
		*above(p->f, high_branch) = *parent;
		*parent = high;
	} else {
		*above(p->f, branch_of(p, above, common, low)) = high;
	}
	return true;
}

static size_t session_at_birth(const struct crimg_family *f, size_t i)
{
	const struct crimg_kin *k = &f->kin[i];
	return i > 0 && k->leads != CRIMG_NOBODY ? f->sessions[k->leads].parent : k->birth;
}

// A child's session hangs below the one that its parent was born in: or nobody below that parent were in it.
static bool place_session(struct plan *p, size_t i)
{
	struct crimg_family *f = p->f;
	const struct crimg_kin *k = &f->kin[i], *parent = &f->kin[p->tasks->list[i].parent];
	size_t own = k->leads != CRIMG_NOBODY ? k->leads : k->birth;
	size_t high = session_at_birth(f, p->tasks->list[i].parent);
	if (own == parent->leads)
		return true;
	return high == own ? k->leads == CRIMG_NOBODY : demand(p, above_session, high, own);
}

static bool over_all(struct plan *p, bool (*place)(struct plan *, size_t), size_t *who)
{
	do {
		p->changed = false;
		for (size_t i = 1; i < p->tasks->count; i++) {
			*who = i;
			if (!place(p, i) || p->steps > STEPS_MAX)
				return false;
		}
	} while (p->changed);
	return true;
}

// Born by its parent, where that was in the session; else by the leader.
static void set_bearers(struct plan *p)
{
	struct crimg_family *f = p->f;
	for (size_t i = 1; i < f->count; i++)
		f->kin[i].birth = session_at_birth(f, i);
	f->kin[0].bearer = CRIMG_NOBODY;
	for (size_t i = 1; i < f->count; i++) {
		struct crimg_kin *k = &f->kin[i];
		size_t parent = i < p->tasks->count ? p->tasks->list[i].parent : CRIMG_NOBODY;
		bool can = parent != CRIMG_NOBODY && f->kin[parent].birth == k->birth;
		k->bearer = can ? parent : f->sessions[k->birth].leader;
	}
}

// It, or the leader that brings it along, stands below its parent among those of the parent's session at birth. Where
// that leader has to stand above the parent, the parent was born in the leader's session.
static bool place_task(struct plan *p, size_t i)
{
	struct crimg_family *f = p->f;
	size_t parent = p->tasks->list[i].parent, e = i;
	for (; e != 0 && f->kin[e].birth != f->kin[parent].birth; p->steps++)
		e = f->sessions[f->kin[e].birth].leader;
	if (e == parent || demand(p, above_kin, parent, e))
		return true;
	p->again = e != i && f->kin[parent].leads != CRIMG_NOBODY
		&& demand(p, above_session, f->kin[e].leads, f->kin[parent].leads);
	return false;
}

static bool try_plan(struct plan *p, size_t *who)
{
	struct crimg_family *f = p->f;
	for (size_t s = 0; s < f->session_count; s++)
		f->sessions[s].parent = s > 0 ? 0 : CRIMG_NOBODY;
	do {
		p->again = false;
		if (!over_all(p, place_session, who))
			return false;
		set_bearers(p);
		if (over_all(p, place_task, who))
			return true;
	} while (p->again);
	return false;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int by_session(const void *a, const void *b)
{
	return by_number(&((const struct crimg_session *)a)->number,
	                 &((const struct crimg_session *)b)->number);
}

static size_t find_session(const struct crimg_family *f, uint32_t number)
{
	struct crimg_session key = { .number = number };
	const struct crimg_session *s = bsearch(&key, f->sessions + 1, f->session_count - 1,
	                                        sizeof key, by_session);
	return s != NULL ? (size_t)(s - f->sessions) : 0;
}

// Session 0, and those of all tasks that are not in it; each once.
static void list_sessions(struct crimg_family *f, const struct crimg_tasks *tasks)
{
	const struct crimg_task *root = &tasks->list[0];
	size_t n = 1, kept = 1;
	f->sessions[0] = (struct crimg_session){ .number = 0 };
	for (size_t i = 0; i < tasks->count; i++) {
		uint32_t sid = tasks->list[i].sid;
		if (sid != 0 && (sid != root->sid || root->sid == root->pid))
			f->sessions[n++] = (struct crimg_session){ .number = sid, .leader = CRIMG_NOBODY };
	}
	qsort(f->sessions + 1, n - 1, sizeof *f->sessions, by_session);
	for (size_t i = 1; i < n; i++)
		if (i == 1 || f->sessions[i].number != f->sessions[kept - 1].number)
			f->sessions[kept++] = f->sessions[i];
	f->session_count = kept;
}

// Who is in no known session is in its parent's.
static void list_kin(struct crimg_family *f, const struct crimg_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++) {
		const struct crimg_task *t = &tasks->list[i];
		struct crimg_kin *k = &f->kin[f->count++];
		size_t s = find_session(f, t->sid);
		*k = (struct crimg_kin){ .number = t->pid, .birth = s, .leads = CRIMG_NOBODY };
		if (t->sid == t->pid) {
			f->sessions[s].leader = i;
			k->leads = s;
			k->birth = 0;
		} else if (t->sid == 0 && i > 0) {
			const struct crimg_kin *parent = &f->kin[t->parent];
			k->birth = parent->leads != CRIMG_NOBODY ? parent->leads : parent->birth;
		}
	}
	for (size_t s = 1; s < f->session_count; s++)
		if (f->sessions[s].leader == CRIMG_NOBODY) {
			f->sessions[s].leader = f->count;
			f->kin[f->count++] = (struct crimg_kin){ .number = f->sessions[s].number,
			                                         .leads = s };
		}
}

// Numbers are below it.
static uint32_t number_limit(void)
{
	unsigned long limit = 0;
	FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
	if (file != NULL && fscanf(file, "%lu", &limit) != 1)
		limit = 0;
	if (file != NULL)
		fclose(file);
	return limit > 0 && limit <= UINT32_MAX ? (uint32_t)limit : USUAL_NUMBERS;
}

static void list_numbers(struct crimg_family *f, const struct crimg_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++) {
		f->used[f->used_count++] = tasks->list[i].sid;
		f->used[f->used_count++] = tasks->list[i].pgid;
	}
	for (size_t i = 0; i < tasks->thread_count; i++)
		f->used[f->used_count++] = tasks->threads[i].id;
	qsort(f->used, f->used_count, sizeof *f->used, by_number);
	f->spare = number_limit();
}

void crimg_family_list_children(struct crimg_family *f)
{
	for (size_t i = 0; i < f->count; i++)
		f->kin[i].first = f->kin[i].next = CRIMG_NOBODY;
	for (size_t i = f->count; i-- > 1;) {
		struct crimg_kin *k = &f->kin[i], *bearer = &f->kin[k->bearer];
		k->early = bearer->leads != CRIMG_NOBODY && k->birth != bearer->leads;
		k->next = bearer->first;
		bearer->first = i;
	}
}

// The first two tries take the one order everywhere, the others what these numbers say (xorshift).
static uint64_t choices_of(unsigned number, uint64_t last)
{
	if (number < 2)
		return number == 0 ? 0 : UINT64_MAX;
	last = number == 2 ? UINT64_C(88172645463325252) : last;
	last ^= last << 13;
	last ^= last >> 7;
	return last ^ last << 17;
}

int crimg_family_plan(struct crimg_family *f, const struct crimg_tasks *tasks, size_t *who,
                      struct crimg_err *err)
{
	struct plan p = { .f = f, .tasks = tasks };
	size_t n = tasks->count;
	f->kin = calloc(2 * n, sizeof *f->kin);
	f->sessions = calloc(n + 1, sizeof *f->sessions);
	f->used = calloc(2 * n + tasks->thread_count, sizeof *f->used);
	if (f->kin == NULL || f->sessions == NULL || f->used == NULL)
		return crimg_fail_nomem(err, 2 * n * sizeof *f->kin);
	list_sessions(f, tasks);
	list_kin(f, tasks);
	list_numbers(f, tasks);
	for (unsigned i = 0; i < TRIES && p.steps <= STEPS_MAX; i++) {
		p.choices = choices_of(i, p.choices);
		p.chosen = 0;
		if (try_plan(&p, who)) {
			crimg_family_list_children(f);
			return 0;
		}
	}
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
	                  "task %u cannot be born below task %u in session %u", tasks->list[*who].pid,
	                  tasks->list[*who].ppid, tasks->list[*who].sid);
}

// From the top: low numbers are those that other images begin with.
uint32_t crimg_family_spare(struct crimg_family *f)
{
	while (f->spare > 2) {
		f->spare--;
		if (bsearch(&f->spare, f->used, f->used_count, sizeof *f->used, by_number) == NULL)
			return f->spare;
	}
	return 0;
}

void crimg_family_fini(struct crimg_family *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->kin[i].self);
		free(f->kin[i].helper);
	}
	free(f->kin);
	free(f->sessions);
	free(f->used);
	*f = (struct crimg_family){ .count = 0 };
}
