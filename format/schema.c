// The tables of kinds and fields, made from kinds.def and hints.def.
#include "format/schema.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

// &*NULL is NULL: a kind without messages.
#define NONE__descriptor (*(const ProtobufCMessageDescriptor *)NULL)
#define DESC(message) (&message##__descriptor)
#define IS_SERVICE(kind)                                                                             \
	((kind) == CRIMG_KIND_STATS_DUMP || (kind) == CRIMG_KIND_STATS_RESTORE                       \
	 || (kind) == CRIMG_KIND_IRMAP_CACHE)

enum { ONE, MANY };

const struct crimg_kind_info crimg_kinds[CRIMG_KIND_COUNT] = {
#define K(kind, file_name, number_base, file_magic, entry_type, head_type, how_many, payload_rule)  \
	{ .name = #kind, .file = file_name, .base = number_base, .magic = file_magic,                \
	  .service = IS_SERVICE(CRIMG_KIND_##kind), .many = (how_many) == MANY,                      \
	  .payload = CRIMG_PAYLOAD_##payload_rule,                                                   \
	  .entry = DESC(entry_type), .head = DESC(head_type) },
#include "format/kinds.def"
#undef K
};

enum crimg_kind crimg_kind_by_magic(uint32_t magic)
{
	if (magic != 0)
		for (int i = 0; i < CRIMG_KIND_COUNT; i++)
			if (crimg_kinds[i].magic == magic)
				return (enum crimg_kind)i;
	return CRIMG_KIND_COUNT;
}

// Kinds that share a magic share the name that crit prints for it.
static const struct {
	enum crimg_kind kind;
	const char *name;
} crit_names[] = {
	{ CRIMG_KIND_STATS_DUMP, "STATS" },      { CRIMG_KIND_STATS_RESTORE, "STATS" },
	{ CRIMG_KIND_SIGNAL_SHARED, "SIGNAL" },  { CRIMG_KIND_SIGNAL_PRIVATE, "SIGNAL" },
	{ CRIMG_KIND_PAGEMAP_SHMEM, "PAGEMAP" }, { CRIMG_KIND_BINFMT_MISC_0, "BINFMT_MISC" },
};

const char *crimg_kind_crit_name(enum crimg_kind kind)
{
	for (size_t i = 0; i < sizeof crit_names / sizeof crit_names[0]; i++)
		if (crit_names[i].kind == kind)
			return crit_names[i].name;
	return crimg_kinds[kind].name;
}

enum crimg_kind crimg_kind_by_name(const char *name)
{
	for (int i = 0; i < CRIMG_KIND_COUNT; i++)
		if (strcmp(crimg_kinds[i].name, name) == 0)
			return (enum crimg_kind)i;
	for (size_t i = 0; i < sizeof crit_names / sizeof crit_names[0]; i++)
		if (strcmp(crit_names[i].name, name) == 0)
			return crit_names[i].kind;
	return CRIMG_KIND_COUNT;
}

// Reads a number without sign, leading zeros or overflow; returns its end, or NULL.
static const char *read_number(const char *p, unsigned base, uint64_t *out)
{
	uint64_t value = 0;
	const char *start = p;
	for (;; p++) {
		unsigned digit = *p >= '0' && *p <= '9' ? (unsigned)(*p - '0')
			: *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10 : 99;
		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return NULL;
		value = value * base + digit;
	}
	if (p == start || (*start == '0' && p - start > 1))
		return NULL;
	*out = value;
	return p;
}

static bool file_matches(const struct crimg_kind_info *row, const char *file, uint64_t *id)
{
	const char *mark = strchr(row->file, '%');
	if (mark == NULL) {
		*id = 0;
		return strcmp(row->file, file) == 0;
	}
	size_t before = (size_t)(mark - row->file);
	if (strncmp(row->file, file, before) != 0)
		return false;
	uint64_t value;
	const char *end = read_number(file + before, row->base, &value);
	if (end == NULL || strcmp(end, mark + 1) != 0)
		return false;
	*id = value;
	return true;
}

enum crimg_kind crimg_kind_by_file(const char *file, uint64_t *id)
{
	for (int i = 0; i < CRIMG_KIND_COUNT; i++)
		if (i != CRIMG_KIND_OPAQUE && file_matches(&crimg_kinds[i], file, id))
			return (enum crimg_kind)i;
	*id = 0;
	return CRIMG_KIND_OPAQUE;
}

void crimg_kind_file(enum crimg_kind kind, uint64_t id, char *out)
{
	const struct crimg_kind_info *row = &crimg_kinds[kind];
	const char *mark = strchr(row->file, '%');
	if (mark == NULL)
		snprintf(out, CRIMG_FILE_NAME_MAX, "%s", row->file);
	else
		snprintf(out, CRIMG_FILE_NAME_MAX, row->base == 16 ? "%.*s%llx%s" : "%.*s%llu%s",
		         (int)(mark - row->file), row->file, (unsigned long long)id, mark + 1);
}

struct hint_row {
	const ProtobufCMessageDescriptor *type;
	const char *field;
	struct crimg_field_info info;
};

#define HINT(name) CRIMG_HINT_##name
static const struct hint_row hint_rows[] = {
#define H(message, field, crit, people, since)                                                       \
	{ &message##__descriptor, #field, { HINT(crit), HINT(people), since } },
#include "format/hints.def"
#undef H
};

// Open addressing by (message, field); filled once, read by all threads.
#define HINT_SLOTS 4096u
static struct {
	const ProtobufCMessageDescriptor *type;
	unsigned index;
	struct crimg_field_info info;
} hint_slots[HINT_SLOTS];
static pthread_once_t hints_once = PTHREAD_ONCE_INIT;

static unsigned hint_slot(const ProtobufCMessageDescriptor *type, unsigned index)
{
	uintptr_t h = ((uintptr_t)type >> 4) * 31 + index;
	unsigned slot = (unsigned)(h ^ (h >> 12)) % HINT_SLOTS;
	while (hint_slots[slot].type != NULL
	       && (hint_slots[slot].type != type || hint_slots[slot].index != index))
		slot = (slot + 1) % HINT_SLOTS;
	return slot;
}

static void init_hints(void)
{
	for (size_t i = 0; i < sizeof hint_rows / sizeof hint_rows[0]; i++) {
		const struct hint_row *row = &hint_rows[i];
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(row->type, row->field);
		if (field == NULL)
			continue; // a test compares the tables
		unsigned index = (unsigned)(field - row->type->fields);
		unsigned slot = hint_slot(row->type, index);
		hint_slots[slot].type = row->type;
		hint_slots[slot].index = index;
		hint_slots[slot].info = row->info;
		if (row->info.people == CRIMG_HINT_NONE)
			hint_slots[slot].info.people = row->info.crit;
	}
}

struct crimg_field_info crimg_field_info(const ProtobufCMessageDescriptor *type, unsigned index)
{
	pthread_once(&hints_once, init_hints);
	return hint_slots[hint_slot(type, index)].info;
}
