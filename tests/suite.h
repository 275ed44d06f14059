// main() of a CUnit suite: a table of tests, run, and an exit code that tells.
#ifndef CRIMG_TESTS_SUITE_H
#define CRIMG_TESTS_SUITE_H

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stddef.h>

struct suite_test {
	const char *name;
	void (*run)(void);
};

// up and down may be NULL. Returns what main returns: 0 when at least one test ran and none failed.
static inline int suite_run(const char *name, CU_InitializeFunc up, CU_CleanupFunc down,
                            const struct suite_test *tests, size_t count)
{
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite suite = CU_add_suite(name, up, down);
	for (size_t i = 0; suite != NULL && i < count; i++)
		CU_add_test(suite, tests[i].name, tests[i].run);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	bool good = CU_get_number_of_failures() == 0 && CU_get_number_of_tests_run() > 0;
	CU_cleanup_registry();
	return good ? 0 : 1;
}

#define SUITE_RUN(name, up, down, tests)                                                             \
	suite_run(name, up, down, tests, sizeof(tests) / sizeof *(tests))

#endif
