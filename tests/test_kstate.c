// The duties of a reader and of a writer of "LinuxC/R" images, on a generated image and damaged copies of it. Ids
// in brackets are those of SPEC.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/image.h"
#include "format/layout_kstate.h"
#include "readers/readers.h"
#include "tests/suite.h"

#define BYTES_MAX 16384

struct bytes {
	uint8_t data[BYTES_MAX];
	size_t length;
};

static struct bytes load(const char *name)
{
	const char *samples = getenv("CRIMG_SAMPLES");
	char path[512];
	struct bytes out = { .length = 0 };
	snprintf(path, sizeof path, "%s/kstate/%s", samples != NULL ? samples : "samples", name);
	FILE *f = fopen(path, "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	out.length = fread(out.data, 1, sizeof out.data, f);
	fclose(f);
	return out;
}

static int open_input(const uint8_t *data, size_t length, struct crimg_input *in)
{
	*in = (struct crimg_input){ .path = strdup("x.kstate") };
	in->head_length = length < sizeof in->head ? length : sizeof in->head;
	memcpy(in->head, data, in->head_length);
	return crimg_source_open_memory(data, length, "x.kstate", &in->source, NULL);
}

// The number of objects that the records hold; -1: nothing could be read, -2: damage was told; err says why.
static int count_objects(const struct bytes *b, struct crimg_err *err)
{
	struct crimg_input in;
	struct crimg_image *image = NULL;
	*err = CRIMG_ERR_INIT;
	CU_ASSERT_FATAL(open_input(b->data, b->length, &in) == 0);
	int rc = crimg_image_open_input(&in, "kstate", &image, err);
	int count = -1;
	if (image != NULL) {
		const struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_KERNEL_RECORDS);
		count = rc < 0 ? -2 : o != NULL ? (int)o->entries_in_file - 1 : 0;
	}
	crimg_image_close(image);
	return count;
}

// Where objects end, gap excluded; the header first.
static size_t ends_of(const struct bytes *b, size_t *ends, size_t max)
{
	size_t count = 0;
	ends[count++] = CRIMG_KST_HEADER_BYTES;
	for (size_t at = 88; at < b->length && count < max;) {
		ends[count++] = at + crimg_get_u32(b->data + at + 4);
		at = (size_t)crimg_kst_round(ends[count - 1]);
	}
	return count;
}

static void test_good(void)
{
	struct crimg_err err;
	struct bytes full = load("full.kstate"), early = load("early.kstate");
	CU_ASSERT_EQUAL(count_objects(&full, &err), 40);
	CU_ASSERT_EQUAL(count_objects(&early, &err), 4);
}

// [R-1002] An image that ends between objects cannot be told from a whole one; any other end is damage.
static void test_cut(void)
{
	struct bytes full = load("full.kstate"), cut = full;
	size_t ends[64], count = ends_of(&full, ends, 64), object = 0;
	CU_ASSERT_EQUAL_FATAL(count, 41);
	for (cut.length = 0; cut.length < full.length; cut.length++) {
		struct crimg_err err;
		while (object < count && (size_t)crimg_kst_round(ends[object]) < cut.length)
			object++;
		int rc = count_objects(&cut, &err);
		bool whole = object > 0 && object < count && cut.length >= ends[object];
		bool between = object > 0 && cut.length == crimg_kst_round(ends[object - 1]);
		if (whole || between)
			CU_ASSERT_EQUAL(rc, (int)(whole ? object : object - 1));
		if (!whole && !between) {
			CU_ASSERT(rc < 0);
			CU_ASSERT(err.code == CRIMG_E_CUT || err.code == CRIMG_E_MAGIC);
			CU_ASSERT(err.has_offset);
		}
	}
}

// [R-1003] Every byte changed in turn ends in records or in an error with its place.
static void test_corrupt(void)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct bytes full = load("full.kstate"), bad = full;
	for (size_t i = 0; i < full.length; i++) {
		for (size_t k = 0; k < sizeof values; k++) {
			struct crimg_err err;
			bad.data[i] = values[k];
			if (count_objects(&bad, &err) < 0)
				CU_ASSERT(err.code != CRIMG_OK && (err.has_offset || strstr(err.text, "two tasks") != NULL));
		}
		bad.data[i] = full.data[i];
	}
}

// [R-1003] No reference to what comes later, to another type, into an object, or beyond the end.
static void test_references(void)
{
	struct bytes full = load("full.kstate"), bad = full;
	size_t tried = 0;
	for (size_t at = 88; at < full.length; at = (size_t)crimg_kst_round(at + crimg_get_u32(full.data + at + 4))) {
		const struct crimg_kst_layout *layout = &crimg_kst_layouts[crimg_get_u32(full.data + at)];
		for (const struct crimg_kst_ref *ref = layout->refs; ref->field != NULL; ref++) {
			uint64_t right = crimg_get_u64(full.data + at + ref->at);
			const uint64_t wrong[] = { 0, right + 4, right + 8, at, at + 8, full.length, UINT64_MAX - 7,
				                   UINT64_MAX };
			for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
				struct crimg_err err;
				crimg_put_u64(bad.data + at + ref->at, wrong[i]);
				int rc = count_objects(&bad, &err);
				bool none = ref->optional && wrong[i] == UINT64_MAX;
				const uint8_t *to = wrong[i] < at ? full.data + wrong[i] : NULL;
				bool other = to != NULL && wrong[i] >= 88 && crimg_get_u32(to) == ref->type
					&& crimg_kst_fits(ref->type, crimg_get_u32(to + 4));
				if (none || other)
					continue;
				CU_ASSERT_EQUAL(rc, -2);
				CU_ASSERT_EQUAL(err.offset, at + ref->at);
				tried++;
			}
			crimg_put_u64(bad.data + at + ref->at, right);
		}
	}
	CU_ASSERT(tried > 300);
}

// [R-1001]
static void test_postings(void)
{
	static const struct {
		uint32_t found, length;
		enum crimg_kst_posting posting;
	} rows[] = {
		{ 1, 392, CRIMG_KST_F }, { 2, 72, CRIMG_KST_F },        { 1, 112, CRIMG_KST_M },
		{ 2, 48, CRIMG_KST_M },  { 15, 16, CRIMG_KST_M },       { 15, 24, CRIMG_KST_M },
		{ 3, 392, CRIMG_KST_M }, { 1, 48, CRIMG_KST_UNKNOWN },  { 2, 112, CRIMG_KST_UNKNOWN },
		{ 0, 8, CRIMG_KST_UNKNOWN }, { 16, 8, CRIMG_KST_UNKNOWN }, { 15, 12, CRIMG_KST_UNKNOWN },
		{ 15, 18, CRIMG_KST_UNKNOWN }, { 8, 16, CRIMG_KST_UNKNOWN },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CU_ASSERT_EQUAL(crimg_kst_posting(rows[i].found, rows[i].length), rows[i].posting);
	CU_ASSERT_EQUAL(crimg_kst_type(CRIMG_KST_F, 1), CRIMG_KST_UTS_NS);
	CU_ASSERT_EQUAL(crimg_kst_type(CRIMG_KST_F, 2), CRIMG_KST_CRED);
	CU_ASSERT_EQUAL(crimg_kst_type(CRIMG_KST_F, 3), CRIMG_KST_UNKNOWN_TYPE);
	CU_ASSERT_EQUAL(crimg_kst_type(CRIMG_KST_M, 14), CRIMG_KST_CRED);
	CU_ASSERT_EQUAL(crimg_kst_type(CRIMG_KST_M, 16), CRIMG_KST_UNKNOWN_TYPE);
}

static void test_probe(void)
{
	struct bytes full = load("full.kstate");
	struct crimg_input in = { .path = NULL };
	CU_ASSERT_EQUAL(crimg_reader_kstate.probe(&in), 0);
	CU_ASSERT_FATAL(open_input(full.data, full.length, &in) == 0);
	CU_ASSERT_EQUAL(crimg_reader_kstate.probe(&in), 100);
	in.head[7] = 'r';
	CU_ASSERT_EQUAL(crimg_reader_kstate.probe(&in), 0);
	crimg_input_fini(&in);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "good images", test_good },       { "cut", test_cut },
		{ "corrupt", test_corrupt },        { "references", test_references },
		{ "postings", test_postings },      { "probe", test_probe },
	};
	return SUITE_RUN("LinuxC/R images", NULL, NULL, tests);
}
