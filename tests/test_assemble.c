// Records back into whole objects: order, waiting, and streams that break their promises.
#include <stdio.h>
#include <string.h>

#include "writers/assemble.h"
#include "tests/suite.h"

// What the assembly told, as one line of text.
static char told[1024];

static void CRIMG_PRINTF(1, 2) tell(const char *fmt, ...)
{
	size_t used = strlen(told);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(told + used, sizeof told - used, fmt, ap);
	va_end(ap);
}

static int begin(void *context, const struct crimg_object *object, uint64_t size,
                 struct crimg_payload_ref payload, struct crimg_err *err)
{
	(void)context, (void)payload, (void)err;
	tell("[%s %lld ", object->name, (long long)size);
	return 0;
}

static int message(void *context, const struct crimg_record *r, struct crimg_err *err)
{
	(void)context, (void)err;
	if (r->tail)
		tell("tail ");
	else
		tell("m%llu ", (unsigned long long)r->index);
	return 0;
}

static int piece(void *context, const struct crimg_record *r, struct crimg_err *err)
{
	(void)context, (void)err;
	tell("p%llu ", (unsigned long long)r->payload.number);
	return 0;
}

static int end(void *context, struct crimg_err *err)
{
	(void)context, (void)err;
	tell("] ");
	return 0;
}

static const struct crimg_assembly_ops ops = { begin, message, piece, end };
static const struct crimg_object pipes = { .kind = CRIMG_KIND_PIPES_DATA, .name = "pipes-data.img" };
static const struct crimg_object files = { .kind = CRIMG_KIND_FILES, .name = "files.img" };
static const struct crimg_object pages = { .kind = CRIMG_KIND_PAGES, .name = "pages-1.img" };

static struct crimg_record object_record(const struct crimg_object *o, uint64_t payload, uint64_t length)
{
	return (struct crimg_record){ .type = CRIMG_RECORD_OBJECT, .object = o,
	                              .payload = { payload, length } };
}

static struct crimg_record message_record(const struct crimg_object *o, uint64_t index,
                                          uint64_t payload, uint64_t length)
{
	return (struct crimg_record){ .type = CRIMG_RECORD_MESSAGE, .object = o, .index = index,
	                              .data = (const uint8_t *)"abc", .length = 3,
	                              .payload = { payload, length } };
}

static struct crimg_record content_record(uint64_t payload, uint64_t offset, uint64_t length)
{
	return (struct crimg_record){ .type = CRIMG_RECORD_CONTENT, .payload = { payload, length },
	                              .content_offset = offset, .content_length = length, .zero = true };
}

// Puts the records and finishes; returns the first failure, told in text.
static int put_all(const struct crimg_record *records, size_t count, bool sized, char text[256])
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_assembly *a;
	told[0] = '\0';
	CU_ASSERT_FATAL(crimg_assembly_open(&ops, NULL, sized, &a, &err) == 0);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = crimg_assembly_put(a, &records[i], &err);
	if (rc == 0)
		rc = crimg_assembly_finish(a, &err);
	crimg_assembly_close(a);
	crimg_err_format(&err, text, 256);
	return rc;
}

#define PUT(records, sized, text) put_all(records, sizeof(records) / sizeof *(records), sized, text)

// Objects without payload pass first; those with payload wait, messages and payload in turn.
static void test_order(void)
{
	char text[256];
	struct crimg_record r[] = {
		object_record(&pipes, CRIMG_NO_PAYLOAD, 0), message_record(&pipes, 0, 0, 5),
		message_record(&pipes, 1, CRIMG_NO_PAYLOAD, 0), message_record(&pipes, 2, 1, 2),
		object_record(&files, CRIMG_NO_PAYLOAD, 0), message_record(&files, 0, CRIMG_NO_PAYLOAD, 0),
		object_record(&pages, 2, 4096), content_record(0, 0, 5), content_record(1, 0, 2),
		content_record(2, 0, 4096),
	};
	CU_ASSERT_EQUAL(PUT(r, false, text), 0);
	CU_ASSERT_STRING_EQUAL(told, "[files.img -1 m0 ] [pipes-data.img 28 m0 p0 m1 m2 p1 ] "
	                             "[pages-1.img 4096 p2 ] ");
	CU_ASSERT_EQUAL(PUT(r, true, text), 0);
	CU_ASSERT_STRING_EQUAL(told, "[files.img 7 m0 ] [pipes-data.img 28 m0 p0 m1 m2 p1 ] "
	                             "[pages-1.img 4096 p2 ] ");
}

static void test_broken_promises(void)
{
	char text[256];
	struct crimg_record missing[] = { object_record(&pages, 0, 4096) };
	CU_ASSERT_EQUAL(PUT(missing, false, text), -1);
	CU_ASSERT_STRING_EQUAL(text, "pages-1.img: the stream ends before this object's payload has come");
	struct crimg_record other[] = { object_record(&pages, 0, 4096), content_record(1, 0, 5) };
	CU_ASSERT_EQUAL(PUT(other, false, text), -1);
	CU_ASSERT_STRING_EQUAL(text, "payload 1 at 0 found, payload 0 at 0 wanted");
	struct crimg_record gap[] = { object_record(&pages, 0, 4096), content_record(0, 5, 10) };
	CU_ASSERT_EQUAL(PUT(gap, false, text), -1);
	struct crimg_record more[] = { object_record(&pages, 0, 10), content_record(0, 0, 11) };
	CU_ASSERT_EQUAL(PUT(more, false, text), -1);
	struct crimg_record none[] = { content_record(0, 0, 1) };
	CU_ASSERT_EQUAL(PUT(none, false, text), -1);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "order", test_order },
		{ "broken promises", test_broken_promises },
	};
	return SUITE_RUN("assembling objects", NULL, NULL, tests);
}
