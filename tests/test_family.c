// The plan of births, for trees that chance made by what a kernel lets tasks do: fork, lead a session, end, be waited
// for, inherit orphans or cease to. Every one of them must have a plan, and the plan must bring everybody to his place.
#include <stdlib.h>
#include <string.h>

#include "producer/restart_family.h"
#include "tests/suite.h"

#define PEOPLE 160
#define HISTORIES 4000

struct person {
	size_t parent;
	uint32_t sid;
	bool alive, gone, inherits;
};

static struct {
	struct person people[PEOPLE];
	size_t count;
	uint64_t chance;
} world;

static size_t roll(size_t below)
{
	world.chance ^= world.chance << 13;
	world.chance ^= world.chance >> 7;
	world.chance ^= world.chance << 17;
	return (size_t)((world.chance >> 20) % below);
}

static size_t somebody(void)
{
	for (;;) {
		size_t i = roll(world.count);
		if (world.people[i].alive)
			return i;
	}
}

static void end(size_t who)
{
	size_t heir = world.people[who].parent;
	while (heir != 0 && !world.people[heir].inherits)
		heir = world.people[heir].parent;
	world.people[who].alive = false;
	for (size_t i = 0; i < world.count; i++)
		if (i != who && world.people[i].parent == who)
			world.people[i].parent = heir;
}

static void step(void)
{
	size_t who = somebody(), zombie = roll(world.count);
	struct person *p = &world.people[who], *new = &world.people[world.count];
	switch (roll(10)) {
	case 0: case 1: case 2: case 3:
		if (world.count < PEOPLE)
			*new = (struct person){ .parent = who, .sid = p->sid, .alive = true };
		world.count += world.count < PEOPLE;
		break;
	case 4: p->sid = (uint32_t)who + 2; break;
	case 5: case 6:
		if (who != 0)
			end(who);
		break;
	case 7: p->inherits = !p->inherits; break;
	default: world.people[zombie].gone |= !world.people[zombie].alive; break;
	}
}

static void add(struct crimg_tasks *tasks, size_t who, size_t parent)
{
	size_t at = tasks->count++;
	const struct person *p = &world.people[who];
	tasks->list[at] = (struct crimg_task){ .pid = (uint32_t)who + 2, .sid = p->sid, .parent = parent };
	for (size_t i = 1; i < world.count; i++)
		if (world.people[i].parent == who && !world.people[i].gone)
			add(tasks, i, at);
}

static bool is_below(const struct crimg_family *f, size_t low, size_t high)
{
	while (low != high && low != 0)
		low = f->kin[low].bearer;
	return low == high;
}

// Born in the session that it shall have, when its bearer has it, below its parent.
static bool is_right(const struct crimg_family *f, const struct crimg_tasks *tasks, size_t i)
{
	const struct crimg_kin *k = &f->kin[i], *bearer = &f->kin[k->bearer];
	size_t session = bearer->leads != CRIMG_NOBODY && !k->early ? bearer->leads : bearer->birth;
	if (k->birth != session)
		return false;
	if (i >= tasks->count)
		return k->leads != CRIMG_NOBODY;
	const struct crimg_task *t = &tasks->list[i];
	uint32_t sid = f->sessions[k->leads != CRIMG_NOBODY ? k->leads : k->birth].number;
	return is_below(f, i, t->parent)
		&& (sid == t->sid || (sid == 0 && t->sid == tasks->list[0].sid));
}

static bool plan(struct crimg_tasks *tasks, size_t *moved)
{
	struct crimg_family f = { .count = 0 };
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t who = 0;
	bool good = crimg_family_plan(&f, tasks, &who, &err) == 0;
	for (size_t i = 1; good && i < f.count; i++) {
		good = is_right(&f, tasks, i);
		*moved += i < tasks->count && f.kin[i].bearer != tasks->list[i].parent;
	}
	crimg_family_fini(&f);
	return good;
}

static void test_histories(void)
{
	struct crimg_task list[PEOPLE];
	size_t moved = 0, bad = 0;
	for (uint64_t h = 0; h < HISTORIES; h++) {
		struct crimg_tasks tasks = { .list = list };
		memset(&world, 0, sizeof world);
		world.chance = (h + 1) * UINT64_C(0x9e3779b97f4a7c15);
		world.count = 1;
		world.people[0] = (struct person){ .alive = true, .sid = h % 4 == 0 ? 1 : 2 };
		for (size_t steps = 20 + roll(380); steps > 0; steps--)
			step();
		add(&tasks, 0, CRIMG_NO_TASK);
		bad += !plan(&tasks, &moved);
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(moved > HISTORIES);
}

// What no kernel can have had: a leader whose parent is in its session.
static void test_impossible(void)
{
	struct crimg_task list[2] = { { .pid = 2, .sid = 2, .parent = CRIMG_NO_TASK },
		                      { .pid = 3, .sid = 3, .parent = 0 } };
	struct crimg_task more[3] = { list[0], { .pid = 4, .sid = 3, .parent = 0 },
		                      { .pid = 3, .sid = 3, .parent = 1 } };
	struct crimg_tasks fine = { .list = list, .count = 2 }, wrong = { .list = more, .count = 3 };
	size_t moved = 0;
	CU_ASSERT(plan(&fine, &moved));
	CU_ASSERT_FALSE(plan(&wrong, &moved));
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "histories", test_histories }, { "impossible", test_impossible },
	};
	return SUITE_RUN("family", NULL, NULL, tests);
}
