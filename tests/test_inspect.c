// What inspect is made of: names, siginfo, tables as text and as JSON, cutting text.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_read.h"
#include "format/names.h"
#include "format/siginfo.h"
#include "inspect/fields.h"
#include "inspect/table.h"
#include "tests/suite.h"

#define SAME(found, wanted) CU_ASSERT(same((found), (wanted)))

static bool same(const char *found, const char *wanted)
{
	if (strcmp(found, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", found, wanted);
	return strcmp(found, wanted) == 0;
}

static void test_names(void)
{
	char t[1024];
	SAME(crimg_name_of(CRIMG_NAMES_SOCKET_STATE, 10), "LISTEN");
	CU_ASSERT_PTR_NULL(crimg_name_of(CRIMG_NAMES_SOCKET_STATE, 99));
	SAME(crimg_name_or_number(CRIMG_NAMES_FD_TYPE, 99, t, sizeof t), "99");
	SAME(crimg_name_of(CRIMG_NAMES_ERRNO, 11), "EAGAIN");
	SAME(crimg_name_of(CRIMG_NAMES_SI_CODE, (uint64_t)-6), "SI_TKILL");
	SAME(crimg_flags_text(CRIMG_NAMES_MMAP_PROT, 5, t, sizeof t), "PROT_READ|PROT_EXEC");
	SAME(crimg_flags_text(CRIMG_NAMES_MMAP_PROT, 0x81, t, sizeof t), "PROT_READ|0x80");
	SAME(crimg_flags_text(CRIMG_NAMES_MMAP_PROT, 0, t, sizeof t), "");
	SAME(crimg_flags_text(CRIMG_NAMES_MMAP_PROT, 7, t, 12), "PROT_READ|P"); // cut, terminated
	SAME(crimg_open_flags_text(02001, t, sizeof t), "O_WRONLY|O_APPEND");
	SAME(crimg_open_flags_text(04010002, t, sizeof t), "O_RDWR|O_SYNC");
	SAME(crimg_open_flags_text(020200000, t, sizeof t), "O_RDONLY|O_TMPFILE");
	SAME(crimg_open_mode(010000000), "path");
	SAME(crimg_open_mode(2), "rw");
	for (int table = 0; table < CRIMG_NAMES_COUNT; table++) // every table is there
		CU_ASSERT_PTR_NOT_NULL(crimg_flags_text((enum crimg_names)table, 1, t, sizeof t));
}

static void test_signals(void)
{
	static const struct {
		uint64_t number;
		const char *name;
	} rows[] = {
		{ 0, "SIG0" }, { 1, "SIGHUP" }, { 15, "SIGTERM" }, { 31, "SIGSYS" }, { 32, "SIG32" },
		{ 34, "SIGRTMIN" }, { 44, "SIGRTMIN+10" }, { 64, "SIGRTMAX" }, { 65, "SIG65" },
	};
	char t[1024];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		SAME(crimg_signal_text(rows[i].number, t, sizeof t), rows[i].name);
	SAME(crimg_sigset_text(0, t, sizeof t), "");
	SAME(crimg_sigset_text(0x4200, t, sizeof t), "SIGUSR1 SIGTERM");
	SAME(crimg_sigset_text(UINT64_C(0x1f) << 33, t, sizeof t), "SIGRTMIN..SIGRTMIN+4");
	SAME(crimg_sigset_text(UINT64_C(1) << 63, t, sizeof t), "SIGRTMAX");
	SAME(crimg_exit_text(10752, t, sizeof t), "exited 42");
	SAME(crimg_exit_text(15, t, sizeof t), "killed by SIGTERM");
	SAME(crimg_exit_text(0x8b, t, sizeof t), "killed by SIGSEGV, core dumped");
}

static void test_numbers(void)
{
	static const uint32_t v4[] = { 0x0100007f }, v6[] = { 0, 0, 0, 0x01000000 };
	static const uint32_t all[] = { UINT32_MAX, 0x1ff }, most[] = { 0xfeffffff, 0x1ff };
	static const uint32_t two[] = { 0x2020 };
	char t[1024];
	SAME(crimg_address_text(v4, 1, t, sizeof t), "127.0.0.1");
	SAME(crimg_address_text(v6, 4, t, sizeof t), "::1");
	SAME(crimg_address_text(v6, 3, t, sizeof t), "?");
	SAME(crimg_endpoint_text(v6, 4, 80, t, sizeof t), "[::1]:80");
	SAME(crimg_endpoint_text(v4, 1, 0, t, sizeof t), "127.0.0.1:*");
	SAME(crimg_caps_text(all, 2, t, sizeof t), "all");
	SAME(crimg_caps_text(most, 2, t, sizeof t), "all but SYS_RESOURCE");
	SAME(crimg_caps_text(two, 1, t, sizeof t), "KILL NET_RAW");
	SAME(crimg_caps_text(NULL, 0, t, sizeof t), "");
	SAME(crimg_device_text(254u << 20 | 3, t, sizeof t), "254:3");
	SAME(crimg_old_device_text(0x103, t, sizeof t), "1:3");
	SAME(crimg_bytes_text(0, t, sizeof t), "0 B");
	SAME(crimg_bytes_text(5000, t, sizeof t), "5000 B");
	SAME(crimg_bytes_text(4096, t, sizeof t), "4 KiB");
	SAME(crimg_bytes_text(1536u << 10, t, sizeof t), "1.5 MiB");
	SAME(crimg_bytes_text((1u << 20) - 1, t, sizeof t), "1 MiB");
	SAME(crimg_bytes_text(UINT64_MAX, t, sizeof t), "16 EiB");
	SAME(crimg_duration_text(0, 0, t, sizeof t), "0 s");
	SAME(crimg_duration_text(0, 12500000, t, sizeof t), "12.5 ms");
	SAME(crimg_duration_text(0, 7, t, sizeof t), "7 ns");
	SAME(crimg_duration_text(5, 6000, t, sizeof t), "5 s 6 us");
	SAME(crimg_duration_text(60, 500, t, sizeof t), "1 min 0 s 500 ns");
	SAME(crimg_duration_text(7199, 9, t, sizeof t), "1 h 59 min 59 s");
	SAME(crimg_duration_text(90000, 0, t, sizeof t), "1 d 1 h");
	SAME(crimg_time_text(0, t, sizeof t), "1970-01-01 00:00:00 UTC");
	SAME(crimg_time_text(UINT64_MAX, t, sizeof t), "18446744073709551615 s after 1970");
}

static void test_siginfo(void)
{
	struct crimg_siginfo info;
	uint8_t raw[128] = { 0 };
	char t[256];
	CU_ASSERT_FALSE(crimg_siginfo_decode(raw, 15, &info));
	raw[0] = 44;
	memset(raw + 8, 0xff, 4); // SI_QUEUE
	raw[16] = 12;
	raw[24] = 0xe9;
	raw[25] = 0x03;
	CU_ASSERT_TRUE(crimg_siginfo_decode(raw, sizeof raw, &info));
	SAME(crimg_siginfo_code(&info, t, sizeof t), "SI_QUEUE");
	SAME(crimg_siginfo_text(&info, t, sizeof t), "from pid 12 uid 0, value 1001");
	memset(raw, 0, sizeof raw);
	raw[0] = 11;
	raw[8] = 1;
	raw[16] = 0x10;
	CU_ASSERT_TRUE(crimg_siginfo_decode(raw, sizeof raw, &info));
	SAME(crimg_siginfo_code(&info, t, sizeof t), "SEGV_MAPERR");
	SAME(crimg_siginfo_text(&info, t, sizeof t), "at 0x10");
	raw[0] = 17;
	raw[24] = 3;
	CU_ASSERT_TRUE(crimg_siginfo_decode(raw, sizeof raw, &info));
	SAME(crimg_siginfo_code(&info, t, sizeof t), "CLD_EXITED");
	SAME(crimg_siginfo_text(&info, t, sizeof t), "child 16 uid 0, exit code 3");
	raw[8] = 99;
	CU_ASSERT_TRUE(crimg_siginfo_decode(raw, sizeof raw, &info));
	SAME(crimg_siginfo_code(&info, t, sizeof t), "99");
}

static void check_cut(const char *text, size_t columns, bool middle, const char *wanted)
{
	char *cut = crimg_text_cut(text, columns, middle);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
	SAME(cut, wanted);
	free(cut);
}

static void test_text(void)
{
	CU_ASSERT_EQUAL(crimg_text_columns("abc"), 3);
	CU_ASSERT_EQUAL(crimg_text_columns("é…"), 2);
	CU_ASSERT_EQUAL(crimg_text_columns("日本"), 4);
	CU_ASSERT_EQUAL(crimg_text_columns("e\xcc\x81"), 1);
	CU_ASSERT_EQUAL(crimg_text_columns("\xff\xfe"), 2);
	check_cut("abcdef", 6, false, "abcdef");
	check_cut("abcdef", 4, false, "abc…");
	check_cut("abcdefghij", 7, true, "ab…ghij");
	check_cut("日本語", 4, false, "日…");
	check_cut("abc", 0, false, "");
	check_cut("abc", 1, true, "…");
}

struct stage {
	struct crimg_view_options options;
	struct crimg_buf out;
	struct crimg_json json;
	struct crimg_view view;
};

static void stage_begin(struct stage *s, unsigned width, bool json)
{
	*s = (struct stage){ .options = { .width = width } };
	s->view = (struct crimg_view){ .options = &s->options, .out = &s->out };
	s->json = crimg_json_make(&s->out, false);
	if (!json)
		return;
	s->view.json = &s->json;
	crimg_json_object(&s->json, NULL);
}

static void stage_end(struct stage *s, const char *wanted)
{
	if (s->view.json != NULL)
		crimg_json_end(&s->json);
	CU_ASSERT_EQUAL(s->json.error.code, CRIMG_OK);
	CU_ASSERT_EQUAL(crimg_buf_append(&s->out, "", 1, NULL), 0);
	SAME((const char *)s->out.data, wanted);
	CU_ASSERT_EQUAL(s->view.fault.code, CRIMG_OK);
	crimg_buf_fini(&s->out);
}

static const struct crimg_column columns[] = {
	{ "number", "NO", CRIMG_COLUMN_RIGHT },
	{ "mask", NULL, CRIMG_COLUMN_RIGHT },
	{ "nothing", "NOTHING", CRIMG_COLUMN_LEFT },
	{ "path", "PATH", CRIMG_COLUMN_CUT_MIDDLE },
	{ NULL, "NOTE", CRIMG_COLUMN_CUT },
};

static void rows(struct stage *s)
{
	struct crimg_table t;
	crimg_table_begin(&t, &s->view, "rows", columns, sizeof columns / sizeof *columns);
	crimg_table_row(&t);
	crimg_cell_u64(&t, 7);
	crimg_cell_hex(&t, UINT64_MAX);
	crimg_cell_none(&t);
	crimg_cell_text(&t, "/a/long/path/to/x");
	crimg_cell_text(&t, "a note");
	crimg_table_row(&t);
	crimg_cell_u64(&t, 1234);
	crimg_cell_hex(&t, 0);
	crimg_cell_none(&t);
	crimg_cell_text(&t, "/another/long/path/b\x1b[0m");
	crimg_cell_text(&t, "");
	crimg_table_end(&t);
}

static void test_table(void)
{
	struct stage s;
	stage_begin(&s, 0, false);
	rows(&s);
	stage_end(&s, "  NO  PATH                         NOTE\n"
	              "   7  /a/long/path/to/x            a note\n"
	              "1234  /another/long/path/b\\x1b[0m\n");
	stage_begin(&s, 28, false);
	rows(&s);
	stage_end(&s, "  NO  PATH            NOTE\n"
	              "   7  /a/l…path/to/x  a note\n"
	              "1234  /anothe…/path/b\\x1b[0m\n");
	stage_begin(&s, 0, true);
	rows(&s);
	stage_end(
		&s,
		"{\"rows\": [{\"number\": 7, \"mask\": \"0xffffffffffffffff\", \"nothing\": null, "
		"\"path\": \"/a/long/path/to/x\"}, {\"number\": 1234, \"mask\": \"0x0\", "
	        "\"nothing\": "
		"null, \"path\": \"/another/long/path/b\\u001b[0m\"}]}");
	stage_begin(&s, 0, false);
	struct crimg_table t;
	crimg_table_begin(&t, &s.view, "rows", columns, sizeof columns / sizeof *columns);
	crimg_table_end(&t);
	stage_end(&s, "");
}

static void fields(struct stage *s)
{
	struct crimg_table t;
	crimg_record_begin(&t, &s->view, "record");
	crimg_field(&t, "bytes", "size");
	crimg_cell_bytes(&t, 2048);
	crimg_field(&t, NULL, "words");
	crimg_cell_text(&t, "one two three four five six seven eight");
	crimg_field(&t, "hidden", NULL);
	crimg_cell_bool(&t, true);
	crimg_table_end(&t);
}

static void test_record(void)
{
	struct stage s;
	stage_begin(&s, 34, false);
	fields(&s);
	stage_end(&s, "size        2 KiB\n"
	              "words       one two three four\n"
	              "            five six seven eight\n");
	stage_begin(&s, 0, true);
	fields(&s);
	stage_end(&s, "{\"record\": {\"bytes\": 2048, \"hidden\": true}}");
}

static void test_color(void)
{
	struct stage s;
	stage_begin(&s, 0, false);
	s.options.color = true;
	crimg_line(&s.view, CRIMG_MARK_BAD, "%s", "bad\nline");
	crimg_heading(&s.view, "%d heads", 2);
	stage_end(&s, "\033[31mbad\\x0aline\033[0m\n\n\033[1m2 heads\033[0m\n");
}

static void test_fields(void)
{
	struct stage s;
	// vma_entry, and a field 99 that nobody knows.
	static const uint8_t data[] = { 0x08, 0x80, 0x20, 0x10, 0x80, 0x40, 0x18, 0,
		                        0x20, 0,    0x28, 3,    0x30, 0x22, 0x38, 0x81,
		                        0x04, 0x40, 1,    0x98, 0x06, 5 };
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	struct crimg_err err = CRIMG_ERR_INIT;
	const ProtobufCMessage *m = crimg_message_decode(&vma_entry__descriptor, data, sizeof data,
	                                                 &arena, "x", 0, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	stage_begin(&s, 0, false);
	crimg_fields_show(&s.view, m, 2);
	stage_end(&s, "  start: 0x1000\n  end: 0x2000\n  pgoff: 0x0\n  shmid: 0\n"
	              "  prot: PROT_READ|PROT_WRITE\n  flags: MAP_PRIVATE|MAP_ANONYMOUS\n"
	              "  status: REGULAR|ANON_PRIVATE\n  fd: -1\n  unknown_field_99_0: 05 (1 B)\n");
	stage_begin(&s, 0, true);
	crimg_fields_show(&s.view, m, 0);
	stage_end(&s,
	          "{\"start\": \"0x1000\", \"end\": \"0x2000\", \"pgoff\": \"0x0\", \"shmid\": 0, "
	          "\"prot\": \"PROT_READ|PROT_WRITE\", \"flags\": \"MAP_PRIVATE|MAP_ANONYMOUS\", "
	          "\"status\": \"REGULAR|ANON_PRIVATE\", \"fd\": -1, \"unknown_field_99_0\": "
	          "\"05\"}");
	crimg_arena_fini(&arena);
}

static void count_members(void *context, const char *key, const char *text)
{
	char *out = context;
	size_t used = strlen(out);
	snprintf(out + used, 200 - used, "%s=%s;", key != NULL ? key : "", text != NULL ? text : "?");
}

static void test_jsondoc(void)
{
	static const char text[] =
		"{\"a\": {\"b\": [\"x\", 7, null]}, \"n\": -5, \"t\": true, \"s\": \"\"}";
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_jsondoc *doc = NULL;
	char seen[200] = "";
	int64_t n = 0;
	CU_ASSERT_EQUAL_FATAL(crimg_jsondoc_parse(text, sizeof text - 1, "doc", &doc, &err), 0);
	SAME(crimg_jsondoc_string(doc, "a/b/0"), "x");
	SAME(crimg_jsondoc_string(doc, "s"), "");
	CU_ASSERT_PTR_NULL(crimg_jsondoc_string(doc, "a/b/1"));
	CU_ASSERT_PTR_NULL(crimg_jsondoc_string(doc, "a/b/9"));
	CU_ASSERT_PTR_NULL(crimg_jsondoc_string(doc, "a/x/y"));
	CU_ASSERT_PTR_NULL(crimg_jsondoc_string(NULL, "a"));
	CU_ASSERT_TRUE(crimg_jsondoc_integer(doc, "n", &n) && n == -5);
	CU_ASSERT_FALSE(crimg_jsondoc_integer(doc, "t", &n));
	CU_ASSERT_EQUAL(crimg_jsondoc_count(doc, "a/b"), 3);
	CU_ASSERT_EQUAL(crimg_jsondoc_count(doc, ""), 4);
	CU_ASSERT_EQUAL(crimg_jsondoc_count(doc, "n"), 0);
	crimg_jsondoc_each(doc, "a/b", count_members, seen);
	crimg_jsondoc_each(doc, "", count_members, seen);
	SAME(seen, "=x;=7;=null;a=?;n=-5;t=true;s=;");
	crimg_jsondoc_close(doc);
	CU_ASSERT_EQUAL(crimg_jsondoc_parse("{", 1, "doc", &doc, &err), -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_FORMAT);
	SAME(err.source, "doc");
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "names", test_names },
		{ "signals", test_signals },
		{ "numbers", test_numbers },
		{ "siginfo", test_siginfo },
		{ "text", test_text },
		{ "table", test_table },
		{ "record", test_record },
		{ "color", test_color },
		{ "fields", test_fields },
		{ "JSON documents", test_jsondoc },
	};
	return SUITE_RUN("inspect", NULL, NULL, tests);
}
