// The bounded cursor, the error value, and what a terminal may see of a hostile name.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"
#include "tests/suite.h"

static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static struct crimg_cursor cursor(const void *p, size_t length)
{
	return crimg_cursor_make(p, length, "a file", 100);
}

static void check_text(const struct crimg_err *err, const char *wanted)
{
	char text[1024];
	crimg_err_format(err, text, sizeof text);
	if (strcmp(text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", text, wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void test_integers(void)
{
	struct crimg_cursor c = cursor(data, sizeof data);
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t u8 = 0;
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	CU_ASSERT_EQUAL(crimg_cursor_u8(&c, &u8, "a", &err), 0);
	CU_ASSERT_EQUAL(u8, 1);
	CU_ASSERT_EQUAL(crimg_cursor_u16(&c, &u16, "b", &err), 0);
	CU_ASSERT_EQUAL(u16, 0x0302);
	CU_ASSERT_EQUAL(crimg_cursor_u32(&c, &u32, "c", &err), 0);
	CU_ASSERT_EQUAL(u32, 0x07060504);
	CU_ASSERT_EQUAL(crimg_cursor_u64(&c, &u64, "d", &err), 0);
	CU_ASSERT_EQUAL(u64, 0x0f0e0d0c0b0a0908);
	CU_ASSERT_EQUAL(crimg_cursor_left(&c), 0);
	CU_ASSERT_EQUAL(crimg_cursor_offset(&c), 115);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
}

// A failed read moves nothing and writes nothing.
static void test_too_short(void)
{
	struct crimg_cursor c = cursor(data, 1);
	struct crimg_err err = CRIMG_ERR_INIT;
	uint16_t u16 = 7;
	uint32_t u32 = 7;
	uint64_t u64 = 7;
	const uint8_t *p = data;
	struct crimg_cursor sub = cursor(data, 9);
	CU_ASSERT_EQUAL(crimg_cursor_u16(&c, &u16, "two", &err), -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_WIRE);
	check_text(&err, "a file: offset 100 (0x64): two: 2 bytes wanted, 1 left");
	CU_ASSERT_EQUAL(crimg_cursor_u32(&c, &u32, "four", NULL), -1);
	CU_ASSERT_EQUAL(crimg_cursor_u64(&c, &u64, "eight", NULL), -1);
	CU_ASSERT_EQUAL(crimg_cursor_bytes(&c, UINT64_MAX, &p, "all", NULL), -1);
	CU_ASSERT_EQUAL(crimg_cursor_sub(&c, 2, &sub, "sub", NULL), -1);
	CU_ASSERT(u16 == 7 && u32 == 7 && u64 == 7 && p == data && sub.length == 9 && c.at == 0);
}

static void check_varint(const char *bytes, size_t length, int rc, uint64_t value, size_t at)
{
	struct crimg_cursor c = cursor(bytes, length);
	uint64_t out = 12345;
	CU_ASSERT_EQUAL(crimg_cursor_varint(&c, &out, "v", NULL), rc);
	CU_ASSERT_EQUAL(out, rc == 0 ? value : 12345);
	CU_ASSERT_EQUAL(c.at, at);
}

static void test_varint(void)
{
	check_varint("\0", 1, 0, 0, 1);
	check_varint("\x7f", 1, 0, 127, 1);
	check_varint("\x80\1", 2, 0, 128, 2);
	check_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 10, 0, UINT64_MAX, 10);
	check_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", 10, 0, 0, 10);
	check_varint("", 0, -1, 0, 0);
	check_varint("\x80", 1, -1, 0, 0);
	check_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 11, -1, 0, 0);
	struct crimg_cursor c = cursor("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 11);
	struct crimg_err err = CRIMG_ERR_INIT;
	uint64_t v;
	CU_ASSERT_EQUAL(crimg_cursor_varint(&c, &v, "v", &err), -1);
	check_text(&err, "a file: offset 100 (0x64): v: a varint of more than 10 bytes");
}

static void test_sub(void)
{
	struct crimg_cursor c = cursor(data, sizeof data), sub;
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t u8;
	uint32_t u32;
	CU_ASSERT_EQUAL(crimg_cursor_u8(&c, &u8, "x", &err), 0);
	CU_ASSERT_EQUAL(crimg_cursor_sub(&c, 3, &sub, "part", &err), 0);
	CU_ASSERT_EQUAL(crimg_cursor_offset(&c), 104);
	CU_ASSERT_EQUAL(crimg_cursor_offset(&sub), 101);
	CU_ASSERT_EQUAL(crimg_cursor_u32(&sub, &u32, "within", &err), -1);
	check_text(&err, "a file: offset 101 (0x65): within: 4 bytes wanted, 3 left");
}

static void test_checked(void)
{
	uint64_t v = 5;
	CU_ASSERT(crimg_add_u64(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
	CU_ASSERT(!crimg_add_u64(UINT64_MAX, 1, &v) && v == UINT64_MAX);
	CU_ASSERT(crimg_mul_u64(1u << 31, 1u << 31, &v) && v == UINT64_C(1) << 62);
	CU_ASSERT(!crimg_mul_u64(UINT64_MAX, 2, &v) && v == UINT64_C(1) << 62);
	CU_ASSERT(crimg_in_range(10, 0, 10) && !crimg_in_range(11, 0, 10));
	CU_ASSERT(crimg_in_range(0, 10, 10) && !crimg_in_range(1, 10, 10));
	CU_ASSERT(!crimg_in_range(1, UINT64_MAX, 10));
}

// The first error wins.
static void test_first_error(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_fail(&err, CRIMG_E_LIMIT, "x", 7, "first %d", 1), -1);
	CU_ASSERT_EQUAL(crimg_fail(&err, CRIMG_E_FORMAT, "y", 8, "second"), -1);
	CU_ASSERT_EQUAL(crimg_fail_sys(&err, ENOENT, "z", "third"), -1);
	CU_ASSERT_EQUAL(crimg_fail_nomem(&err, 9), -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_LIMIT);
	check_text(&err, "x: offset 7 (0x7): first 1");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_fail_sys(&err, ENOENT, "z", "cannot be opened"), -1);
	CU_ASSERT_EQUAL(err.sys_errno, ENOENT);
	check_text(&err, "z: cannot be opened: No such file or directory");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_fail_nomem(&err, 9), -1);
	check_text(&err, "out of memory: 9 bytes were wanted");
	CU_ASSERT_EQUAL(crimg_fail(NULL, CRIMG_E_IO, NULL, 0, "nobody listens"), -1);
}

static void check_safe(const char *text, const char *wanted)
{
	char out[64];
	crimg_safe_text(out, sizeof out, text, strlen(text));
	if (strcmp(out, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", out, wanted);
	CU_ASSERT_STRING_EQUAL(out, wanted);
}

// Control bytes and what is no UTF-8, overlong forms of control bytes above all, reach no terminal.
static void test_safe_text(void)
{
	check_safe("plain", "plain");
	check_safe("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80");
	check_safe("\033[31m", "\\x1b[31m");
	check_safe("a\nb\x7f", "a\\x0ab\\x7f");
	check_safe("\xc2\x9b" "31m", "\\xc2\\x9b31m");  // CSI as one character
	check_safe("\xc0\x9b", "\\xc0\\x9b");
	check_safe("\xe0\x80\x9b", "\\xe0\\x80\\x9b");  // overlong escape
	check_safe("\xf0\x80\x80\x9b", "\\xf0\\x80\\x80\\x9b");
	check_safe("\xed\xa0\x80", "\\xed\\xa0\\x80");  // a surrogate
	check_safe("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); // beyond U+10FFFF
	check_safe("\xff\x80\xe2\x82", "\\xff\\x80\\xe2\\x82");
	char out[8];
	CU_ASSERT_STRING_EQUAL(crimg_safe_text(out, sizeof out, "abcdef\n", 7), "abcdef");
	CU_ASSERT_STRING_EQUAL(crimg_safe_text(out, 1, "abc", 3), "");
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "integers", test_integers },
		{ "too short", test_too_short },
		{ "varint", test_varint },
		{ "sub-cursor", test_sub },
		{ "checked arithmetic", test_checked },
		{ "the first error wins", test_first_error },
		{ "safe text", test_safe_text },
	};
	return SUITE_RUN("cursor, arithmetic, errors", NULL, NULL, tests);
}
