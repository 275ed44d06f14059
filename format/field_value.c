// Hints to words.
#include "format/field_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"

uint64_t crimg_number_load(ProtobufCType type, const void *at)
{
	uint64_t wide;
	uint32_t narrow;
	protobuf_c_boolean flag;
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		memcpy(&wide, at, sizeof wide);
		return wide;
	case PROTOBUF_C_TYPE_BOOL:
		memcpy(&flag, at, sizeof flag);
		return flag != 0;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		memcpy(&narrow, at, sizeof narrow);
		return (uint64_t)(int64_t)(int32_t)narrow;
	default:
		memcpy(&narrow, at, sizeof narrow);
		return narrow;
	}
}

bool crimg_field_present(const void *base, const ProtobufCFieldDescriptor *f)
{
	const void *pointer;
	protobuf_c_boolean has;
	if (f->label != PROTOBUF_C_LABEL_OPTIONAL)
		return true;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING) {
		memcpy(&pointer, (const char *)base + f->offset, sizeof pointer);
		return pointer != NULL && pointer != f->default_value;
	}
	memcpy(&has, (const char *)base + f->quantifier_offset, sizeof has);
	return has != 0;
}

static bool is_signed(ProtobufCType type)
{
	return type == PROTOBUF_C_TYPE_INT32 || type == PROTOBUF_C_TYPE_SINT32
		|| type == PROTOBUF_C_TYPE_SFIXED32 || type == PROTOBUF_C_TYPE_INT64
		|| type == PROTOBUF_C_TYPE_SINT64 || type == PROTOBUF_C_TYPE_SFIXED64;
}

// Which table names the numbers of a socket's field.
static const char *socket_name(const char *field, uint64_t value)
{
	static const struct {
		const char *field;
		enum crimg_names table;
	} rows[] = {
		{ "family", CRIMG_NAMES_SOCKET_FAMILY }, { "type", CRIMG_NAMES_SOCKET_TYPE },
		{ "state", CRIMG_NAMES_SOCKET_STATE },   { "proto", CRIMG_NAMES_IP_PROTO },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strcmp(rows[i].field, field) == 0)
			return crimg_name_of(rows[i].table, value);
	return NULL;
}

static enum crimg_names flags_table(enum crimg_hint hint)
{
	switch (hint) {
	case CRIMG_HINT_FLAGS_SEALS:
		return CRIMG_NAMES_SEALS;
	case CRIMG_HINT_FLAGS_PMAP:
		return CRIMG_NAMES_PAGE_FLAGS;
	case CRIMG_HINT_FLAGS_MMAP:
		return CRIMG_NAMES_MMAP_FLAGS;
	case CRIMG_HINT_FLAGS_MMAP_PROT:
		return CRIMG_NAMES_MMAP_PROT;
	case CRIMG_HINT_FLAGS_MMAP_STATUS:
		return CRIMG_NAMES_VMA_STATUS;
	default:
		return CRIMG_NAMES_COUNT;
	}
}

// The words for a number that a hint gives both in text and in JSON; false when there are none.
static bool hinted_text(enum crimg_hint hint, const char *field, uint64_t value, char *out,
                        size_t size)
{
	const char *name = NULL;
	if (flags_table(hint) != CRIMG_NAMES_COUNT) {
		crimg_flags_text(flags_table(hint), value, out, size);
		return true;
	}
	switch (hint) {
	case CRIMG_HINT_HEX:
	case CRIMG_HINT_ADDRESS:
		snprintf(out, size, "0x%" PRIx64, value);
		return true;
	case CRIMG_HINT_DEV:
		crimg_device_text((uint32_t)value, out, size);
		return true;
	case CRIMG_HINT_ODEV:
		crimg_old_device_text((uint32_t)value, out, size);
		return true;
	case CRIMG_HINT_FLAGS_RFILE:
	case CRIMG_HINT_OPEN_FLAGS:
		crimg_open_flags_text((uint32_t)value, out, size);
		return true;
	case CRIMG_HINT_OCTAL:
		snprintf(out, size, "0%" PRIo64, value);
		return true;
	case CRIMG_HINT_SIGSET:
		crimg_sigset_text(value, out, size);
		return true;
	case CRIMG_HINT_SIGNAL:
		if (value == 0)
			return false;
		crimg_signal_text(value, out, size);
		return true;
	case CRIMG_HINT_DICT_SK:
		name = socket_name(field, value);
		break;
	case CRIMG_HINT_DICT_GEN:
		name = crimg_name_of(CRIMG_NAMES_TASK_STATE, value);
		break;
	case CRIMG_HINT_FSTYPE:
		name = crimg_name_of(CRIMG_NAMES_FSTYPE, value);
		break;
	default:
		break;
	}
	if (name != NULL)
		snprintf(out, size, "%s", name);
	return name != NULL;
}

static const char *enum_name(const ProtobufCFieldDescriptor *f, uint64_t value)
{
	const ProtobufCEnumValue *v = f->type != PROTOBUF_C_TYPE_ENUM ? NULL
		: protobuf_c_enum_descriptor_get_value(f->descriptor, (int)value);
	return v != NULL ? v->name : NULL;
}

void crimg_number_text(const ProtobufCFieldDescriptor *f, enum crimg_hint hint, uint64_t value,
                        char *out, size_t size)
{
	char unit[64];
	const char *name = enum_name(f, value);
	if (name != NULL)
		snprintf(out, size, "%s", name);
	else if (f->type == PROTOBUF_C_TYPE_BOOL)
		snprintf(out, size, "%s", value != 0 ? "yes" : "no");
	else if (hinted_text(hint, f->name, value, out, size))
		snprintf(out + strlen(out), size - strlen(out), "%s", out[0] == '\0' ? "0" : "");
	else if (is_signed(f->type))
		snprintf(out, size, "%" PRId64, (int64_t)value);
	else
		snprintf(out, size, "%" PRIu64, value);
	unit[0] = '\0';
	if (hint == CRIMG_HINT_BYTES && value >= 1024)
		crimg_bytes_text(value, unit, sizeof unit);
	else if (hint == CRIMG_HINT_PAGES && value != 0 && value < UINT64_MAX / CRIMG_PAGE_BYTES)
		crimg_bytes_text(value * CRIMG_PAGE_BYTES, unit, sizeof unit);
	else if (hint == CRIMG_HINT_US && value >= 1000)
		crimg_duration_text(value / 1000000, value % 1000000 * 1000, unit, sizeof unit);
	if (unit[0] != '\0')
		snprintf(out + strlen(out), size - strlen(out), " (%s)", unit);
}

void crimg_number_json(struct crimg_json *j, const char *key, const ProtobufCFieldDescriptor *f,
                        enum crimg_hint hint, uint64_t value)
{
	char text[CRIMG_NUMBER_MAX];
	const char *name = enum_name(f, value);
	if (name != NULL)
		crimg_json_text(j, key, name);
	else if (f->type == PROTOBUF_C_TYPE_BOOL)
		crimg_json_bool(j, key, value != 0);
	else if (hint == CRIMG_HINT_SIGSET)
		crimg_json_hex(j, key, value);
	else if (hinted_text(hint, f->name, value, text, sizeof text))
		crimg_json_text(j, key, text);
	else if (is_signed(f->type))
		crimg_json_i64(j, key, (int64_t)value);
	else
		crimg_json_u64(j, key, value);
}

bool crimg_message_text(const ProtobufCMessage *m, enum crimg_hint inherited, char *out, size_t size)
{
	char value[CRIMG_NUMBER_MAX];
	const char *string;
	out[0] = '\0';
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		enum crimg_hint hint = crimg_field_info(m->descriptor, i).people;
		const char *at = (const char *)m + f->offset;
		if (f->label == PROTOBUF_C_LABEL_REPEATED || f->type == PROTOBUF_C_TYPE_BYTES
		    || (f->type == PROTOBUF_C_TYPE_MESSAGE && crimg_field_present(m, f)))
			return false;
		if (!crimg_field_present(m, f) || f->type == PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->type == PROTOBUF_C_TYPE_STRING) {
			memcpy(&string, at, sizeof string);
			snprintf(value, sizeof value, "%s", string);
		} else {
			crimg_number_text(f, hint == CRIMG_HINT_NONE ? inherited : hint,
			                  crimg_number_load(f->type, at), value, sizeof value);
		}
		size_t used = strlen(out);
		if (used + strlen(value) + strlen(f->name) + 8 > size)
			return false;
		snprintf(out + used, size - used, "%s%s=%s", used > 0 ? " " : "", f->name, value);
	}
	return m->n_unknown_fields == 0;
}
