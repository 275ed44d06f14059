// Sets of numbers: what is found, what is there twice, what was asked for.
#include <string.h>

#include "tests/suite.h"
#include "validate/id_set.h"

static struct crimg_id_set set_of(const uint64_t *ids, size_t count)
{
	struct crimg_id_set set = { NULL };
	for (size_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL_FATAL(crimg_id_set_add(&set, ids[i], &ids[i], NULL), 0);
	crimg_id_set_seal(&set);
	return set;
}

static void test_empty(void)
{
	struct crimg_id_set set = set_of(NULL, 0);
	CU_ASSERT_PTR_NULL(crimg_id_set_find(&set, 0));
	crimg_id_set_fini(&set);
	CU_ASSERT_EQUAL(set.count, 0);
}

static void test_find(void)
{
	static const uint64_t ids[] = { 7, UINT64_MAX, 0, 3, 1u << 31 };
	struct crimg_id_set set = set_of(ids, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct crimg_id *found = crimg_id_set_find(&set, ids[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(found);
		CU_ASSERT(found->id == ids[i] && found->thing == &ids[i] && !found->used);
	}
	for (size_t i = 1; i < set.count; i++)
		CU_ASSERT(set.list[i - 1].id < set.list[i].id && !crimg_id_set_repeats(&set, i));
	static const uint64_t others[] = { 1, 2, 4, 8, UINT64_MAX - 1 };
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT_PTR_NULL(crimg_id_set_find(&set, others[i]));
	crimg_id_set_fini(&set);
}

static void test_repeats(void)
{
	static const uint64_t ids[] = { 5, 2, 5, 5, 2, 9 };
	struct crimg_id_set set = set_of(ids, 6);
	size_t repeats = 0;
	for (size_t i = 0; i < set.count; i++)
		repeats += crimg_id_set_repeats(&set, i);
	CU_ASSERT_EQUAL(repeats, 3);
	// The first of them is the one that came first, however many there are.
	CU_ASSERT_PTR_EQUAL(crimg_id_set_find(&set, 5)->thing, &ids[0]);
	CU_ASSERT_PTR_EQUAL(crimg_id_set_find(&set, 2)->thing, &ids[1]);
	crimg_id_set_find(&set, 9)->used = true;
	CU_ASSERT(crimg_id_set_find(&set, 9)->used);
	crimg_id_set_fini(&set);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "empty", test_empty }, { "find", test_find }, { "repeats", test_repeats },
	};
	return SUITE_RUN("id set", NULL, NULL, tests);
}
