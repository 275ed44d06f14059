// Texts in bytes, against a search that looks at every byte by itself, however the bytes are cut up.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/string_scan.h"
#include "tests/suite.h"

struct found {
	uint64_t address, length;
	bool utf16;
	char text[64];
};

static struct found list[4096];
static size_t count;

static void take(void *context, const struct crimg_string *s)
{
	(void)context;
	if (count == sizeof list / sizeof list[0])
		return;
	struct found *f = &list[count++];
	*f = (struct found){ s->address, s->length, s->utf16, "" };
	memcpy(f->text, s->text, s->kept < sizeof f->text ? s->kept : sizeof f->text - 1);
}

static bool printable(uint8_t c)
{
	return c == '\t' || (c >= 0x20 && c < 0x7f);
}

// The oracle: every run by itself.
static void look(uint64_t base, const uint8_t *data, size_t length, uint64_t min, bool utf16)
{
	size_t step = utf16 ? 2 : 1;
	for (size_t i = 0; i < length;) {
		size_t n = 0, at = i;
		while (at + step <= length && printable(data[at]) && (!utf16 || data[at + 1] == 0)) {
			at += step;
			n++;
		}
		struct crimg_string s = { base + i, utf16, "", 0, n };
		if (n >= min)
			take(NULL, &s);
		i = n >= min ? at : i + 1;
		// A run that is too short cannot be the end of a longer one.
		while (!utf16 && n > 0 && n < min && i < length && printable(data[i]))
			i++;
	}
}

static int by_place(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->utf16 - y->utf16;
}

static struct crimg_string_scan scan;

// Scans in pieces of random size and compares.
static void compare(const uint8_t *data, size_t length, uint64_t min, unsigned most)
{
	static struct found wanted[4096];
	const uint64_t base = 0x7000;
	count = 0;
	look(base, data, length, min, false);
	look(base, data, length, min, true);
	size_t wanted_count = count;
	qsort(list, count, sizeof *list, by_place);
	memcpy(wanted, list, count * sizeof *list);
	count = 0;
	crimg_string_scan_init(&scan, min, take, NULL);
	for (size_t at = 0; at < length;) {
		size_t n = 1 + (size_t)random() % most;
		n = n < length - at ? n : length - at;
		crimg_string_scan_bytes(&scan, base + at, data + at, n);
		at += n;
	}
	crimg_string_scan_end(&scan);
	CU_ASSERT_EQUAL_FATAL(count, wanted_count);
	if (min == 1)
		qsort(list, count, sizeof *list, by_place);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			CU_ASSERT_TRUE(list[i - 1].address <= list[i].address);
		char text[64] = "";
		size_t step = list[i].utf16 ? 2 : 1;
		for (size_t k = 0; k < list[i].length && k < sizeof text - 1; k++)
			text[k] = (char)data[list[i].address - base + k * step];
		CU_ASSERT_EQUAL(list[i].address, wanted[i].address);
		CU_ASSERT_EQUAL(list[i].length, wanted[i].length);
		CU_ASSERT_EQUAL(list[i].utf16, wanted[i].utf16);
		CU_ASSERT_STRING_EQUAL(list[i].text, text);
	}
}

static void test_random(void)
{
	static const char *const alphabets[] = { "a", "a\0", "aa\0", "aaab\0\0", "aa\0\x80", "abc\t\n",
		                                 "a~ \x7f\x1f\0", "a\0a\0a\0a\0\xff" };
	static const size_t sizes[] = { 1, 2, 3, 6, 4, 5, 7, 9 };
	uint8_t data[700];
	srandom(1);
	for (int round = 0; round < 4000; round++) {
		size_t which = (size_t)random() % (sizeof sizes / sizeof sizes[0]);
		size_t length = 1 + (size_t)random() % sizeof data;
		for (size_t i = 0; i < length; i++)
			data[i] = (uint8_t)alphabets[which][(size_t)random() % sizes[which]];
		compare(data, length, 1 + (uint64_t)random() % 8, round % 3 == 0 ? 3 : 200);
	}
	for (int round = 0; round < 300; round++) {
		for (size_t i = 0; i < sizeof data; i++)
			data[i] = (uint8_t)random();
		compare(data, sizeof data, 1 + (uint64_t)random() % 3, 130);
	}
}

// Every byte value, so that none is taken for a neighbour of what is printable.
static void test_all_bytes(void)
{
	uint8_t data[256];
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)i;
	compare(data, sizeof data, 1, 300);
	for (unsigned i = 0; i < sizeof data; i++) {
		memset(data, (int)i, sizeof data);
		compare(data, sizeof data, 4, 300);
	}
}

// More characters than are kept: the length is true, the text is cut. What is not adjacent is not joined.
static void test_long(void)
{
	static uint8_t data[10000];
	memset(data, 'x', sizeof data);
	count = 0;
	crimg_string_scan_init(&scan, 6, take, NULL);
	crimg_string_scan_bytes(&scan, 1, data, 5000);
	crimg_string_scan_bytes(&scan, 5001, data, 10000);
	crimg_string_scan_bytes(&scan, 20000, data, 6);
	crimg_string_scan_bytes(&scan, 20006, data, 0);
	crimg_string_scan_end(&scan);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_EQUAL(list[0].length, 15000);
	CU_ASSERT_EQUAL(list[1].address, 20000);
	for (size_t i = 1; i < sizeof data; i += 2)
		data[i] = 0;
	count = 0;
	crimg_string_scan_bytes(&scan, 1, data, sizeof data);
	crimg_string_scan_bytes(&scan, 10001, data, sizeof data - 1); // the last one lacks its NUL
	crimg_string_scan_bytes(&scan, 30000, data + 1, sizeof data - 1);
	crimg_string_scan_end(&scan);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_TRUE(list[0].utf16);
	CU_ASSERT_EQUAL(list[0].length, 9999);
	CU_ASSERT_EQUAL(list[1].address, 30001);
	CU_ASSERT_EQUAL(list[1].length, 4999);
	// Again after an end: nothing is left over.
	count = 0;
	crimg_string_scan_bytes(&scan, 40000, (const uint8_t *)"abc", 3);
	crimg_string_scan_end(&scan);
	crimg_string_scan_bytes(&scan, 40003, (const uint8_t *)"def", 3);
	crimg_string_scan_end(&scan);
	CU_ASSERT_EQUAL(count, 0);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "random bytes", test_random },
		{ "all bytes", test_all_bytes },
		{ "long texts and gaps", test_long },
	};
	return SUITE_RUN("string scan", NULL, NULL, tests);
}
