// What JSON is made of: the emitter, base64, crit's words for numbers, quoted-printable names.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/base64.h"
#include "format/hint_text.h"
#include "format/json.h"
#include "format/json_message.h"
#include "tests/suite.h"

static void check_bytes(const struct crimg_buf *found, const char *wanted)
{
	bool same = found->length == strlen(wanted)
		&& (found->length == 0 || memcmp(found->data, wanted, found->length) == 0);
	CU_ASSERT(same);
	if (!same)
		printf("\n  found:  %.*s\n  wanted: %s\n", (int)found->length,
		       (const char *)found->data, wanted);
}

static void check_error(const struct crimg_err *err, enum crimg_code code, const char *wanted)
{
	char text[1024];
	crimg_err_format(err, text, sizeof text);
	CU_ASSERT_EQUAL(err->code, code);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	if (strcmp(text, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", text, wanted);
}

static void write_all(struct crimg_json *j)
{
	crimg_json_object(j, NULL);
	crimg_json_u64(j, "u", UINT64_MAX);
	crimg_json_i64(j, "i", INT64_MIN);
	crimg_json_array(j, "a");
	crimg_json_u64(j, NULL, 0);
	crimg_json_u64(j, NULL, 10);
	crimg_json_u64(j, NULL, 105);
	crimg_json_null(j, NULL);
	crimg_json_bool(j, NULL, true);
	crimg_json_bool(j, NULL, false);
	crimg_json_end(j);
	crimg_json_hex(j, "h", 0xffffffffff600000);
	crimg_json_hex(j, "z", 0);
	crimg_json_array(j, "empty");
	crimg_json_end(j);
	crimg_json_object(j, "o");
	crimg_json_end(j);
	crimg_json_textf(j, "f", "%d-%s", 7, "x");
	crimg_json_text(j, "n", NULL);
	crimg_json_end(j);
}

static void test_values(void)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct crimg_json j = crimg_json_make(&out, false);
	write_all(&j);
	CU_ASSERT_EQUAL(crimg_json_finish(&j, NULL), 0);
	check_bytes(&out, "{\"u\": 18446744073709551615, \"i\": -9223372036854775808, \"a\": [0, 10, "
	                  "105, null, true, false], \"h\": \"0xffffffffff600000\", \"z\": \"0x0\", "
	                  "\"empty\": [], \"o\": {}, \"f\": \"7-x\", \"n\": null}");
	out.length = 0;
	j = crimg_json_make(&out, true);
	write_all(&j);
	CU_ASSERT_EQUAL(crimg_json_finish(&j, NULL), 0);
	check_bytes(&out, "{\n    \"u\": 18446744073709551615,\n    \"i\": -9223372036854775808,\n"
	                  "    \"a\": [\n        0,\n        10,\n        105,\n        null,\n"
	                  "        true,\n        false\n    ],\n    \"h\": \"0xffffffffff600000\",\n"
	                  "    \"z\": \"0x0\",\n    \"empty\": [],\n    \"o\": {},\n"
	                  "    \"f\": \"7-x\",\n    \"n\": null\n}");
	crimg_buf_fini(&out);
}

// The bytes that Python 3 prints for the same text (json.dumps of os.fsdecode).
static void test_text(void)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{ "", "\"\"" },
		{ "a/b \"c\" \\d", "\"a/b \\\"c\\\" \\\\d\"" },
		{ "\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\\u00e9\\u20ac\\ud83d\\ude00\"" },
		{ "\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\"" },
		// no UTF-8: stray, cut, too long, surrogates, beyond the last
		{ "a\x80z", "\"a\\udc80z\"" },
		{ "\xe2\x82", "\"\\udce2\\udc82\"" },
		{ "\xc0\xaf", "\"\\udcc0\\udcaf\"" },
		{ "\xe0\x80\xaf", "\"\\udce0\\udc80\\udcaf\"" },
		{ "\xed\xa0\x80", "\"\\udced\\udca0\\udc80\"" },
		{ "\xf4\x90\x80\x80", "\"\\udcf4\\udc90\\udc80\\udc80\"" },
		{ "\xf8\x88", "\"\\udcf8\\udc88\"" },
	};
	struct crimg_buf out = CRIMG_BUF_INIT;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct crimg_json j = crimg_json_make(&out, false);
		crimg_json_text(&j, NULL, rows[i].text);
		CU_ASSERT_EQUAL(crimg_json_finish(&j, NULL), 0);
		check_bytes(&out, rows[i].json);
		out.length = 0;
	}
	struct crimg_json j = crimg_json_make(&out, false);
	crimg_json_text_n(&j, NULL, "a\0b", 3);
	check_bytes(&out, "\"a\\u0000b\"");
	crimg_buf_fini(&out);
}

static void misuse(void (*how)(struct crimg_json *j), const char *wanted)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_json j = crimg_json_make(&out, false);
	how(&j);
	CU_ASSERT_EQUAL(crimg_json_finish(&j, &err), -1);
	check_error(&err, CRIMG_E_USAGE, wanted);
	crimg_buf_fini(&out);
}

static void key_in_array(struct crimg_json *j)
{
	crimg_json_array(j, NULL);
	crimg_json_u64(j, "k", 1);
	crimg_json_end(j);
}

static void no_key(struct crimg_json *j)
{
	crimg_json_object(j, NULL);
	crimg_json_u64(j, NULL, 1);
}

static void two_values(struct crimg_json *j)
{
	crimg_json_null(j, NULL);
	crimg_json_null(j, NULL);
}

static void one_end_too_many(struct crimg_json *j)
{
	crimg_json_end(j);
}

static void not_ended(struct crimg_json *j)
{
	crimg_json_object(j, NULL);
	crimg_json_array(j, "k");
}

static void open_string(struct crimg_json *j)
{
	crimg_json_array(j, NULL);
	crimg_json_base64_open(j, NULL);
	crimg_json_null(j, NULL);
}

static void closed_string(struct crimg_json *j)
{
	crimg_json_array(j, NULL);
	crimg_json_base64_add(j, (const uint8_t *)"x", 1);
}

static void too_deep(struct crimg_json *j)
{
	for (int i = 0; i <= CRIMG_JSON_MAX_DEPTH; i++)
		crimg_json_array(j, NULL);
}

static void test_misuse(void)
{
	misuse(key_in_array, "JSON: a key outside an object");
	misuse(no_key, "JSON: a member of an object without a key");
	misuse(two_values, "JSON: a second value at the top");
	misuse(one_end_too_many, "JSON: an end without a beginning");
	misuse(not_ended, "JSON: 2 values are still open");
	misuse(open_string, "JSON: a value within an open base64 string");
	misuse(closed_string, "JSON: base64 data outside a string");
	misuse(too_deep, "JSON: values nested too deep");
}

static void test_base64_lines(void)
{
	static uint8_t data[300];
	struct crimg_buf whole = CRIMG_BUF_INIT, pieces = CRIMG_BUF_INIT;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t length = 0; length <= sizeof data; length++) {
		struct crimg_json j = crimg_json_make(&whole, false), k = crimg_json_make(&pieces, false);
		whole.length = pieces.length = 0;
		crimg_json_base64(&j, NULL, data, length);
		crimg_json_base64_open(&k, NULL);
		for (size_t at = 0, n; at < length; at += n) {
			n = (at * 31 + length) % 61 + 1;
			if (n > length - at)
				n = length - at;
			crimg_json_base64_add(&k, data + at, n);
		}
		crimg_json_base64_close(&k);
		CU_ASSERT_EQUAL(crimg_json_finish(&k, NULL), 0);
		CU_ASSERT_EQUAL_FATAL(whole.length, pieces.length);
		CU_ASSERT_EQUAL(memcmp(whole.data, pieces.data, whole.length), 0);
	}
	struct crimg_json j = crimg_json_make(&whole, false);
	whole.length = 0;
	crimg_json_base64(&j, NULL, (const uint8_t *)"", 0);
	check_bytes(&whole, "\"\"");
	j = crimg_json_make(&whole, false);
	whole.length = 0;
	crimg_json_base64(&j, NULL, (const uint8_t *)"012345678901234567890123456789012345678901234567"
	                                             "890123456789", 60);
	check_bytes(&whole, "\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
	                    "zNDU2\\nNzg5\\n\"");
	crimg_buf_fini(&whole);
	crimg_buf_fini(&pieces);
}

static bool decode(const char *text, uint8_t *out, size_t *length)
{
	struct crimg_base64_decoder d = CRIMG_BASE64_DECODER_INIT;
	size_t bad;
	return crimg_base64_decode(&d, text, strlen(text), out, length, &bad)
		&& crimg_base64_complete(&d);
}

static void test_base64_decode(void)
{
	static const struct {
		const char *text, *data; // NULL: refused
	} rows[] = {
		{ "", "" }, { "QQ==", "A" }, { "QUI=", "AB" }, { "QUJD", "ABC" },
		{ "QU\nJD\n", "ABC" }, { "QU\\nJD\\n", "ABC" }, { " Q U J D ", "ABC" },
		{ "\\/\\/8=", "\xff\xff" }, { "QQ", NULL }, { "QQ=", NULL }, { "Q", NULL },
		{ "=", NULL }, { "Q===", NULL }, { "QQ==QQ==", NULL }, { "QQ===", NULL },
		{ "QQ-_", NULL }, { "Q\\uJD", NULL }, { "QUJD\\", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t out[64];
		size_t n = 0;
		bool good = decode(rows[i].text, out, &n);
		CU_ASSERT_EQUAL(good, rows[i].data != NULL);
		if (good && rows[i].data != NULL)
			CU_ASSERT(n == strlen(rows[i].data) && memcmp(out, rows[i].data, n) == 0);
	}
}

static void test_hints(void)
{
	static const struct {
		enum crimg_hint hint;
		const char *field;
		uint64_t value;
		const char *text;
	} rows[] = {
		{ CRIMG_HINT_FLAGS_MMAP_PROT, "prot", 5, "PROT_READ | PROT_EXEC" },
		{ CRIMG_HINT_FLAGS_MMAP_PROT, "prot", 0, "" },
		{ CRIMG_HINT_FLAGS_MMAP, "flags", 0x80000022, "MAP_PRIVATE | MAP_ANON | 0x80000000" },
		{ CRIMG_HINT_FLAGS_PMAP, "flags", 12, "PE_PRESENT | 0x8" },
		{ CRIMG_HINT_FLAGS_RFILE, "flags", 02100002, "O_RDWR | O_LARGEFILE | O_CLOEXEC" },
		{ CRIMG_HINT_FLAGS_SEALS, "seals", 1, "F_SEAL_SEAL" },
		{ CRIMG_HINT_FLAGS_MMAP_STATUS, "status", 0x201, "VMA_AREA_REGULAR | VMA_ANON_PRIVATE" },
		{ CRIMG_HINT_DEV, "dev", 0x00800003, "8:3" },
		{ CRIMG_HINT_ODEV, "rdev", 0x0803, "8:3" },
		{ CRIMG_HINT_ODEV, "rdev", 0x12345678, "1110:74616" },
		{ CRIMG_HINT_DICT_SK, "family", 10, "INET6" },
		{ CRIMG_HINT_DICT_SK, "proto", 136, "UDPLITE" },
		{ CRIMG_HINT_DICT_GEN, "task_state", 6, "Stopped" },
	};
	char text[CRIMG_HINT_TEXT_MAX];
	bool negative;
	uint64_t back;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CU_ASSERT(crimg_hint_text(rows[i].hint, rows[i].field, rows[i].value, text));
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
		CU_ASSERT(crimg_hint_number(rows[i].hint, rows[i].field, text, &negative, &back));
		CU_ASSERT(!negative && back == rows[i].value);
	}
	CU_ASSERT(!crimg_hint_text(CRIMG_HINT_DICT_SK, "family", 99, text));
	CU_ASSERT(!crimg_hint_text(CRIMG_HINT_NONE, "family", 2, text));
	for (unsigned h = 0; h <= CRIMG_HINT_FSTYPE; h++)
		if (crimg_hint_text((enum crimg_hint)h, "x", UINT64_MAX, text)) // all bits at once
			CU_ASSERT(strlen(text) < CRIMG_HINT_TEXT_MAX - 1);
}

// As Python's int(text, 0).
static void test_integers(void)
{
	static const struct {
		const char *text;
		bool good, negative;
		uint64_t value;
	} rows[] = {
		{ "0", true, false, 0 }, { "00", true, false, 0 }, { "18446744073709551615", true, false,
		UINT64_MAX }, { "0xFFFFffff", true, false, 0xffffffff }, { "0o17", true, false, 15 },
		{ "0b101", true, false, 5 }, { " 7\n", true, false, 7 }, { "-0x10", true, true, 16 },
		{ "+3", true, false, 3 }, { "1_000", true, false, 1000 }, { "0x_ff", true, false, 255 },
		{ "", false, false, 0 }, { "010", false, false, 0 }, { "1__0", false, false, 0 },
		{ "_1", false, false, 0 }, { "1_", false, false, 0 }, { "0x", false, false, 0 },
		{ "18446744073709551616", false, false, 0 }, { "1.5", false, false, 0 },
		{ "1e3", false, false, 0 }, { "seven", false, false, 0 }, { "- 1", false, false, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool negative = false;
		uint64_t value = 0;
		bool good = crimg_hint_number(CRIMG_HINT_NONE, "x", rows[i].text, &negative, &value);
		CU_ASSERT_EQUAL(good, rows[i].good);
		if (good)
			CU_ASSERT(negative == rows[i].negative && value == rows[i].value);
		if (good != rows[i].good)
			printf("\n  %s\n", rows[i].text);
	}
	bool negative;
	uint64_t value;
	CU_ASSERT(!crimg_hint_number(CRIMG_HINT_FLAGS_PMAP, "flags", "PE_PRESENT | PE_WRONG", &negative,
	                             &value));
	CU_ASSERT(!crimg_hint_number(CRIMG_HINT_FLAGS_PMAP, "flags", "-1", &negative, &value));
	CU_ASSERT(!crimg_hint_number(CRIMG_HINT_DEV, "dev", "1:1048576", &negative, &value));
	CU_ASSERT(crimg_hint_number(CRIMG_HINT_DEV, "dev", "12", &negative, &value) && value == 12);
}

static void test_addresses(void)
{
	static const struct {
		size_t count;
		uint32_t words[4];
		const char *text;
	} rows[] = {
		{ 1, { 0x0100007f }, "127.0.0.1" },
		{ 4, { 0, 0, 0, 0 }, "::" },
		{ 4, { 0, 0, 0, 0x01000000 }, "::1" },
		{ 4, { 0, 0, 0xffff0000, 0x04030201 }, "::ffff:1.2.3.4" },
		{ 4, { 0, 0, 0, 0x04030201 }, "::102:304" }, // the C library shows ::1.2.3.4
		{ 4, { 0xb80d0120, 0, 0x00000100, 0x01000000 }, "2001:db8::1:0:0:1" },
		{ 4, { 0x01000100, 0x01000100, 0x00000100, 0x01000100 }, "1:1:1:1:1:0:1:1" },
		{ 4, { 0x00000100, 0, 0, 0 }, "1::" },
	};
	char text[CRIMG_HINT_TEXT_MAX];
	uint32_t words[4];
	size_t count;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CU_ASSERT(crimg_hint_address(rows[i].words, rows[i].count, text));
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
		CU_ASSERT(crimg_hint_words(text, words, &count));
		CU_ASSERT(count == rows[i].count && memcmp(words, rows[i].words, 4 * count) == 0);
	}
	CU_ASSERT(!crimg_hint_address(rows[0].words, 2, text));
	CU_ASSERT(!crimg_hint_words("1.2.3", words, &count));
	CU_ASSERT(!crimg_hint_words("::g", words, &count));
}

static void check_quoted(const char *data, size_t length, const char *text)
{
	struct crimg_buf out = CRIMG_BUF_INIT, back = CRIMG_BUF_INIT;
	CU_ASSERT_EQUAL(crimg_quoted_encode((const uint8_t *)data, length, &out, NULL), 0);
	if (text != NULL)
		check_bytes(&out, text);
	CU_ASSERT_EQUAL(crimg_quoted_decode((const char *)out.data, out.length, &back, NULL), 0);
	CU_ASSERT(back.length == length && (length == 0 || memcmp(back.data, data, length) == 0));
	crimg_buf_fini(&out);
	crimg_buf_fini(&back);
}

static void test_quoted(void)
{
	check_quoted("", 0, "");
	check_quoted("\0/tmp/x=y", 9, "=00/tmp/x=3Dy");
	check_quoted("/run/a b\t\xff", 10, "/run/a b\t=FF");
	check_quoted("ends ", 5, "ends=20");
	check_quoted("a \nb", 4, "a=20\nb");
	check_quoted("a\r\nb\r\n", 6, "a\r\nb\r\n");
	check_quoted("a\nb\r\nc", 6, "a=0Ab=0D=0Ac"); // crit loses the CR
	check_quoted(".", 1, "=2E");
	uint32_t noise = 1;
	for (int i = 0; i < 2000; i++) {
		char data[300];
		size_t length = noise % sizeof data;
		for (size_t k = 0; k < length; k++) {
			noise = noise * 1664525 + 1013904223;
			data[k] = "\r\n\t .=az\0\xff"[noise >> 24 & 7];
		}
		noise = noise * 1664525 + 1013904223;
		check_quoted(data, length, NULL);
	}
	struct crimg_buf back = CRIMG_BUF_INIT;
	CU_ASSERT_EQUAL(crimg_quoted_decode("a=\nb==c=zz=4", 12, &back, NULL), 0);
	check_bytes(&back, "ab=c=zz=4");
	crimg_buf_fini(&back);
}

static void check_names(const ProtobufCMessageDescriptor *type)
{
	static const char *const ours[] = { CRIMG_JSON_UNKNOWN, CRIMG_JSON_ENCODED, CRIMG_JSON_EXTRA,
	                                    CRIMG_JSON_PADDING, CRIMG_JSON_TAIL };
	if (type == NULL)
		return;
	CU_ASSERT(type->n_fields <= 64);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		CU_ASSERT_PTR_NULL(protobuf_c_message_descriptor_get_field_by_name(type, ours[i]));
}

static void test_keys_are_free(void)
{
	for (unsigned kind = 0; kind < CRIMG_KIND_COUNT; kind++) {
		check_names(crimg_kind_info((enum crimg_kind)kind)->entry);
		check_names(crimg_kind_info((enum crimg_kind)kind)->head);
	}
	check_names(&ipc_msg__descriptor);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "values", test_values },
		{ "text", test_text },
		{ "misuse", test_misuse },
		{ "base64 lines", test_base64_lines },
		{ "base64 back", test_base64_decode },
		{ "hints", test_hints },
		{ "integers", test_integers },
		{ "addresses", test_addresses },
		{ "quoted-printable", test_quoted },
		{ "our keys are no field's", test_keys_are_free },
	};
	return SUITE_RUN("json", NULL, NULL, tests);
}
