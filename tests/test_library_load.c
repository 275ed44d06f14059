// Loading a library late: its functions, or which library is wanted and what to install.
#include <math.h>

#include "format/library_load.h"
#include "tests/suite.h"

struct table {
	double (*cos)(double);
	double (*sin)(double);
};

static int load(const char *file, const char *second, struct table *out, char *text, size_t size)
{
	const char *const names[] = { "cos", second, NULL };
	struct crimg_library library = { .file = file, .purpose = "counts", .package = "libcount1",
	                                 .names = names };
	struct crimg_err err = CRIMG_ERR_INIT;
	int rc = crimg_library_load(&library, out, &err);
	crimg_err_format(&err, text, size);
	CU_ASSERT_EQUAL(library.loaded, rc == 0);
	return rc;
}

static void test_found(void)
{
	struct table t;
	char text[1024];
	CU_ASSERT_EQUAL_FATAL(load("libm.so.6", "sin", &t, text, sizeof text), 0);
	CU_ASSERT_DOUBLE_EQUAL(t.cos(0), 1, 0);
	CU_ASSERT_DOUBLE_EQUAL(t.sin(0), 0, 0);
}

static void test_missing(void)
{
	struct table t;
	char text[1024];
	CU_ASSERT_EQUAL(load("libnowhere.so.1", "sin", &t, text, sizeof text), -1);
	CU_ASSERT_STRING_EQUAL(text, "libnowhere.so.1: the library that counts cannot be loaded: "
	                             "install libcount1");
	CU_ASSERT_EQUAL(load("libm.so.6", "no_such_function", &t, text, sizeof text), -1);
	CU_ASSERT_STRING_EQUAL(text, "libm.so.6: the library that counts cannot be loaded: "
	                             "install libcount1");
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "found", test_found },
		{ "missing", test_missing },
	};
	return SUITE_RUN("libraries", NULL, NULL, tests);
}
