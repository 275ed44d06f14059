// The walk over a message. In JSON, numbers stay numbers unless a hint gives them a better form.
#include "inspect/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"
#include "inspect/table.h"

#define LIST_SHOWN 16u   // numbers of a repeated field in text
#define BYTES_SHOWN 48u  // of a bytes field in text
#define VALUE_MAX 1024u

struct walk {
	struct crimg_view *view;
	unsigned indent;
	enum crimg_hint inherited; // of the message field above
};

// A number as the field holds it: negative ones in two's complement.
static uint64_t load(ProtobufCType type, const void *at)
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

static bool is_signed(ProtobufCType type)
{
	return type == PROTOBUF_C_TYPE_INT32 || type == PROTOBUF_C_TYPE_SINT32
		|| type == PROTOBUF_C_TYPE_SFIXED32 || type == PROTOBUF_C_TYPE_INT64
		|| type == PROTOBUF_C_TYPE_SINT64 || type == PROTOBUF_C_TYPE_SFIXED64;
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
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

// What a person reads: the words, the unit, or the number.
static void number_text(const ProtobufCFieldDescriptor *f, enum crimg_hint hint, uint64_t value,
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

static void number_json(struct crimg_json *j, const char *key, const ProtobufCFieldDescriptor *f,
                        enum crimg_hint hint, uint64_t value)
{
	char text[VALUE_MAX];
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

static void line(const struct walk *w, const char *name, const char *value)
{
	crimg_line(w->view, CRIMG_MARK_NONE, "%*s%s:%s%s", (int)w->indent, "", name,
	           value[0] != '\0' ? " " : "", value);
}

static void bytes_text(const uint8_t *data, size_t length, size_t limit, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < length && i < limit; i++)
		snprintf(out + strlen(out), size - strlen(out), "%02x", (unsigned)data[i]);
	snprintf(out + strlen(out), size - strlen(out), "%s (%zu B)", length > limit ? "…" : "", length);
}

static void show_bytes(const struct walk *w, const char *name, enum crimg_hint hint,
                       const uint8_t *data, size_t length)
{
	char text[VALUE_MAX];
	struct crimg_json *j = w->view->json;
	if (hint == CRIMG_HINT_UNIX_NAME) {
		crimg_safe_text(text, sizeof text, (const char *)data, data != NULL ? length : 0);
		if (j != NULL)
			crimg_json_text(j, name, text);
		else
			line(w, name, text);
		return;
	}
	if (j == NULL) {
		bytes_text(data, length, BYTES_SHOWN, text, sizeof text);
		line(w, name, text);
		return;
	}
	char *hex = malloc(2 * length + 1);
	if (hex == NULL) {
		crimg_fail_nomem(&w->view->fault, 2 * length);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = "0123456789abcdef"[data[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
	}
	crimg_json_text_n(j, name, hex, 2 * length);
	free(hex);
}

static void walk_message(struct walk w, const ProtobufCMessage *m);

static void show_message(struct walk w, const char *key, const ProtobufCMessage *m,
                         enum crimg_hint hint)
{
	if (m == NULL)
		return;
	if (w.view->json != NULL)
		crimg_json_object(w.view->json, key);
	else
		line(&w, key != NULL ? key : "-", "");
	struct walk below = { w.view, w.indent + 2, hint };
	walk_message(below, m);
	if (w.view->json != NULL)
		crimg_json_end(w.view->json);
}

// One value: the only one of a field (key: its name) or one of an array (key NULL in JSON).
static void show_value(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                       const void *at, bool in_array)
{
	const char *key = in_array && w.view->json != NULL ? NULL : f->name;
	char text[VALUE_MAX];
	const char *string;
	const ProtobufCMessage *message;
	ProtobufCBinaryData bytes;
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		memcpy(&string, at, sizeof string);
		if (w.view->json != NULL)
			crimg_json_text(w.view->json, key, string);
		else
			line(&w, key, string != NULL ? string : "");
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		memcpy(&message, at, sizeof message);
		show_message(w, key, message, hint);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		memcpy(&bytes, at, sizeof bytes);
		show_bytes(&w, key, hint, bytes.data, bytes.len);
		return;
	default:
		break;
	}
	if (w.view->json != NULL) {
		number_json(w.view->json, key, f, hint, load(f->type, at));
		return;
	}
	number_text(f, hint, load(f->type, at), text, sizeof text);
	line(&w, key, text);
}

// Repeated numbers on one line; addresses and capability sets as one value.
static void show_numbers(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                         const uint8_t *array, size_t count)
{
	char text[8192] = "", one[VALUE_MAX];
	const uint32_t *words = (const uint32_t *)(const void *)array;
	bool address = hint == CRIMG_HINT_IPADD, caps = hint == CRIMG_HINT_CAPS;
	if (address)
		crimg_address_text(words, count, text, sizeof text);
	else if (caps)
		crimg_caps_text(words, count, text, sizeof text);
	if (address || caps) {
		if (w.view->json != NULL)
			crimg_json_text(w.view->json, f->name, text);
		else
			line(&w, f->name, text);
		return;
	}
	if (w.view->json != NULL) {
		crimg_json_array(w.view->json, f->name);
		for (size_t i = 0; i < count; i++)
			number_json(w.view->json, NULL, f, hint, load(f->type, array + i * size_of(f->type)));
		crimg_json_end(w.view->json);
		return;
	}
	size_t shown = w.view->options->all || count <= LIST_SHOWN + 2 ? count : LIST_SHOWN;
	for (size_t i = 0, used = 0; i < shown && used + VALUE_MAX < sizeof text; i++) {
		number_text(f, hint, load(f->type, array + i * size_of(f->type)), one, sizeof one);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "", one);
	}
	if (shown < count)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", … (%zu values)", count);
	line(&w, f->name, text);
}

static void show_repeated(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                          const void *base)
{
	size_t count;
	const uint8_t *array;
	memcpy(&count, (const char *)base + f->quantifier_offset, sizeof count);
	memcpy(&array, (const char *)base + f->offset, sizeof array);
	if (count == 0)
		return;
	if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE
	    && f->type != PROTOBUF_C_TYPE_BYTES) {
		show_numbers(w, f, hint, array, count);
		return;
	}
	if (w.view->json != NULL)
		crimg_json_array(w.view->json, f->name);
	for (size_t i = 0; i < count && !crimg_view_failed(w.view); i++)
		show_value(w, f, hint, array + i * size_of(f->type), true);
	if (w.view->json != NULL)
		crimg_json_end(w.view->json);
}

static bool is_present(const void *base, const ProtobufCFieldDescriptor *f)
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

static void show_unknown(const struct walk *w, const ProtobufCMessage *m)
{
	char name[48];
	for (unsigned i = 0; i < m->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *u = &m->unknown_fields[i];
		snprintf(name, sizeof name, "unknown_field_%u_%u", u->tag, i);
		show_bytes(w, name, CRIMG_HINT_NONE, u->data, u->len);
	}
}

static void walk_message(struct walk w, const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields && !crimg_view_failed(w.view); i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		enum crimg_hint hint = crimg_field_info(m->descriptor, i).people;
		hint = hint == CRIMG_HINT_NONE ? w.inherited : hint;
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			show_repeated(w, f, hint, m);
		else if (is_present(m, f))
			show_value(w, f, hint, (const char *)m + f->offset, false);
	}
	show_unknown(&w, m);
}

void crimg_fields_show(struct crimg_view *view, const ProtobufCMessage *message, unsigned indent)
{
	walk_message((struct walk){ view, indent, CRIMG_HINT_NONE }, message);
}
