// The tables of kinds and fields hold together, and with the generated descriptors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/schema.h"
#include "tests/suite.h"

// Messages reached from the kinds, each once.
static const ProtobufCMessageDescriptor *types[512];
static size_t type_count;

static void collect(const ProtobufCMessageDescriptor *type)
{
	if (type == NULL)
		return;
	for (size_t i = 0; i < type_count; i++)
		if (types[i] == type)
			return;
	if (type_count == sizeof types / sizeof types[0])
		return;
	types[type_count++] = type;
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			collect(type->fields[i].descriptor);
}

static int init(void)
{
	for (int i = 0; i < CRIMG_KIND_COUNT; i++) {
		const struct crimg_kind_info *info = crimg_kind_info((enum crimg_kind)i);
		collect(info->entry);
		collect(info->head);
	}
	collect(&ghost_chunk_entry__descriptor);
	collect(&pagemap_entry_draft__descriptor);
	return type_count > 100 && type_count < sizeof types / sizeof types[0] ? 0 : -1;
}

// The check of required fields keeps one bit a field.
static void test_field_counts(void)
{
	for (size_t i = 0; i < type_count; i++)
		if (types[i]->n_fields > 64) {
			printf("\n  %s has %u fields\n", types[i]->name, types[i]->n_fields);
			CU_FAIL("more than 64 fields");
		}
	CU_PASS("64 fields are enough");
}

// Every row of hints.def names a field, once, and is found.
static void test_hint_rows(void)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *field;
		enum crimg_hint crit;
		unsigned since;
	} rows[] = {
#define H(message, field, crit, people, since)                                                       \
	{ &message##__descriptor, #field, CRIMG_HINT_##crit, since },
#include "format/hints.def"
#undef H
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(rows[i].type, rows[i].field);
		if (f == NULL) {
			printf("\n  %s.%s\n", rows[i].type->name, rows[i].field);
			CU_FAIL("a hint for no field");
			continue;
		}
		struct crimg_field_info info =
			crimg_field_info(rows[i].type, (unsigned)(f - rows[i].type->fields));
		CU_ASSERT_EQUAL(info.crit, rows[i].crit);
		CU_ASSERT_EQUAL(info.since, rows[i].since);
		CU_ASSERT(info.crit == CRIMG_HINT_NONE || info.people != CRIMG_HINT_NONE);
		CU_ASSERT(info.since == 0 || (info.since > 100 && info.since <= 403));
		for (size_t k = 0; k < i; k++)
			CU_ASSERT(rows[k].type != rows[i].type || strcmp(rows[k].field, rows[i].field) != 0);
	}
}

// Fields that a newer release added cannot be required of the older ones.
static void test_new_fields(void)
{
	for (size_t i = 0; i < type_count; i++)
		for (unsigned k = 0; k < types[i]->n_fields; k++) {
			struct crimg_field_info info = crimg_field_info(types[i], k);
			unsigned oldest = 0;
			for (unsigned j = 0; j < types[i]->n_fields && info.since != 0; j++) {
				unsigned other = crimg_field_info(types[i], j).since;
				oldest = j == 0 || other < oldest ? other : oldest;
			}
			bool known = strcmp(types[i]->fields[k].name, "pages_lazy") == 0; // CRIU's own slip
			if (info.since > oldest && !known
			    && types[i]->fields[k].label == PROTOBUF_C_LABEL_REQUIRED) {
				printf("\n  %s.%s\n", types[i]->name, types[i]->fields[k].name);
				CU_FAIL("required, but newer than its message");
			}
		}
	CU_PASS("new fields are optional");
}

static void check_name(enum crimg_kind kind, uint64_t id)
{
	char name[CRIMG_FILE_NAME_MAX];
	uint64_t got = 4711;
	crimg_kind_file(kind, id, name);
	CU_ASSERT_EQUAL(crimg_kind_by_file(name, &got), kind);
	CU_ASSERT_EQUAL(got, crimg_kind_info(kind)->base == 0 ? 0 : id);
}

static void test_file_names(void)
{
	for (int i = 0; i < CRIMG_KIND_COUNT; i++) {
		if (i == CRIMG_KIND_OPAQUE)
			continue;
		check_name((enum crimg_kind)i, 0);
		check_name((enum crimg_kind)i, 1);
		check_name((enum crimg_kind)i, 4294967296);
		check_name((enum crimg_kind)i, UINT64_MAX);
	}
}

// Names that only look like ours.
static void test_foreign_names(void)
{
	static const char *const names[] = {
		"", "core-.img", "core-01.img", "core-1.img2", "core-1", "core--1.img", "core-+1.img",
		"core-1a.img", "core-18446744073709551616.img", "Core-1.img", "inventory.img.bak",
		"ghost-file-.img", "ghost-file-G.img", "ghost-file-AB.img", "pages-1.img.lz4", ".",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		uint64_t id = 4711;
		if (crimg_kind_by_file(names[i], &id) != CRIMG_KIND_OPAQUE)
			printf("\n  %s\n", names[i]);
		CU_ASSERT_EQUAL(crimg_kind_by_file(names[i], &id), CRIMG_KIND_OPAQUE);
		CU_ASSERT_EQUAL(id, 0);
	}
}

static void test_kinds(void)
{
	for (int i = 0; i < CRIMG_KIND_COUNT; i++) {
		const struct crimg_kind_info *info = crimg_kind_info((enum crimg_kind)i);
		CU_ASSERT_EQUAL((int)crimg_kind_by_name(info->name), i);
		CU_ASSERT_EQUAL(info->magic == 0, info->entry == NULL);
		CU_ASSERT_EQUAL(info->payload == CRIMG_PAYLOAD_RAW, info->entry == NULL);
		CU_ASSERT(info->head == NULL || info->many);
		CU_ASSERT(strlen(info->file) + 20 < CRIMG_FILE_NAME_MAX);
		enum crimg_kind first = crimg_kind_by_magic(info->magic);
		if (info->magic == 0) {
			CU_ASSERT_EQUAL(first, CRIMG_KIND_COUNT);
			continue;
		}
		// Kinds that share a magic hold the same messages.
		CU_ASSERT(first <= (enum crimg_kind)i);
		CU_ASSERT_PTR_EQUAL(crimg_kind_info(first)->entry, info->entry);
		CU_ASSERT_STRING_EQUAL(crimg_kind_crit_name(first),
		                       crimg_kind_crit_name((enum crimg_kind)i));
		CU_ASSERT(crimg_kind_by_name(crimg_kind_crit_name((enum crimg_kind)i))
		          != CRIMG_KIND_COUNT);
	}
	CU_ASSERT_EQUAL(crimg_kind_by_name("NOVEL"), CRIMG_KIND_COUNT);
	CU_ASSERT_EQUAL(crimg_kind_by_magic(0x12345678), CRIMG_KIND_COUNT);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "field counts", test_field_counts },
		{ "hint rows", test_hint_rows },
		{ "new fields", test_new_fields },
		{ "file names", test_file_names },
		{ "foreign names", test_foreign_names },
		{ "kinds", test_kinds },
	};
	return SUITE_RUN("schema", init, NULL, tests);
}
