// Messages to JSON.
#include "format/json_message.h"

#include <stdio.h>
#include <string.h>

#include "format/cursor.h"
#include "format/hint_text.h"

struct showing {
	struct crimg_json *json;
	bool hints;
};

// One value of one field.
struct shown_field {
	const ProtobufCFieldDescriptor *field;
	const char *key;       // NULL within a list
	enum crimg_hint hint;
	bool hex;              // this field, or a message around it, is shown in hex
};

static void show_message(struct showing *s, const ProtobufCMessage *m, bool hex);

static void show_unsigned(struct showing *s, const struct shown_field *f, uint64_t value)
{
	char text[CRIMG_HINT_TEXT_MAX];
	if (s->hints && f->hex)
		crimg_json_hex(s->json, f->key, value);
	else if (s->hints && f->hint != CRIMG_HINT_NONE
	         && crimg_hint_text(f->hint, f->field->name, value, text))
		crimg_json_text(s->json, f->key, text);
	else
		crimg_json_u64(s->json, f->key, value);
}

static void show_signed(struct showing *s, const struct shown_field *f, int64_t value)
{
	if (value >= 0)
		show_unsigned(s, f, (uint64_t)value);
	else if (s->hints && f->hex)
		crimg_json_textf(s->json, f->key, "-0x%llx",
		                 (unsigned long long)(-(uint64_t)value));
	else
		crimg_json_i64(s->json, f->key, value);
}

static void show_enum(struct showing *s, const struct shown_field *f, int value)
{
	const ProtobufCEnumValue *named =
		protobuf_c_enum_descriptor_get_value(f->field->descriptor, value);
	if (named != NULL)
		crimg_json_text(s->json, f->key, named->name);
	else
		crimg_json_i64(s->json, f->key, value);
}

static void show_bytes(struct showing *s, const struct shown_field *f,
                       const ProtobufCBinaryData *bytes)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err err = CRIMG_ERR_INIT;
	if (f->hint != CRIMG_HINT_UNIX_NAME) {
		crimg_json_base64(s->json, f->key, bytes->data, bytes->len);
		return;
	}
	if (crimg_quoted_encode(bytes->data, bytes->len, &text, &err) < 0)
		crimg_json_fail(s->json, &err);
	else
		crimg_json_text_n(s->json, f->key, (const char *)text.data, text.length);
	crimg_buf_fini(&text);
}

// p points at the value as protobuf-c stores it.
static void show_value(struct showing *s, const struct shown_field *f, const void *p)
{
	switch (f->field->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		show_unsigned(s, f, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		show_unsigned(s, f, *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		show_signed(s, f, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		show_signed(s, f, *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		crimg_json_bool(s->json, f->key, *(const protobuf_c_boolean *)p != 0);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		show_enum(s, f, *(const int *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		crimg_json_text(s->json, f->key, *(char *const *)p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		show_bytes(s, f, p);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		crimg_json_object(s->json, f->key);
		show_message(s, *(ProtobufCMessage *const *)p, f->hex);
		crimg_json_end(s->json);
		break;
	case PROTOBUF_C_TYPE_FLOAT:  // criu.proto has none
	case PROTOBUF_C_TYPE_DOUBLE:
		break;
	}
}

size_t crimg_value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		break;
	}
	return 4;
}

static void show_list(struct showing *s, struct shown_field *f, const uint8_t *list, size_t count)
{
	char text[CRIMG_HINT_TEXT_MAX];
	crimg_json_array(s->json, f->key);
	f->key = NULL;
	if (s->hints && f->hint == CRIMG_HINT_IPADD && f->field->type == PROTOBUF_C_TYPE_UINT32
	    && crimg_hint_address((const uint32_t *)(const void *)list, count, text)) {
		crimg_json_text(s->json, NULL, text);
		count = 0;
	}
	for (size_t i = 0, size = crimg_value_size(f->field->type); i < count; i++)
		show_value(s, f, list + i * size);
	crimg_json_end(s->json);
}

static bool is_set(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	if (field->label == PROTOBUF_C_LABEL_REQUIRED)
		return true;
	if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(void *const *)(const void *)(base + field->offset) != NULL;
	return *(const protobuf_c_boolean *)(const void *)(base + field->quantifier_offset) != 0;
}

static void show_field(struct showing *s, const ProtobufCMessage *m, unsigned index, bool hex)
{
	const ProtobufCFieldDescriptor *field = &m->descriptor->fields[index];
	const uint8_t *base = (const uint8_t *)m;
	struct shown_field f = { .field = field, .key = field->name, .hex = hex };
	if (s->hints || field->type == PROTOBUF_C_TYPE_BYTES)
		f.hint = crimg_field_info(m->descriptor, index).crit;
	f.hex = hex || f.hint == CRIMG_HINT_HEX;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
		if (count > 0)
			show_list(s, &f, *(uint8_t *const *)(const void *)(base + field->offset),
			          count);
	} else if (is_set(field, base)) {
		show_value(s, &f, base + field->offset);
	}
}

static unsigned varint_length(uint64_t value)
{
	unsigned n = 1;
	while ((value >>= 7) != 0)
		n++;
	return n;
}

// A varint written in more bytes than it needs would come back shorter: such a field is shown raw.
static bool plain_varint(struct crimg_cursor *c, uint64_t *value)
{
	size_t before = c->at;
	return crimg_cursor_varint(c, value, "", NULL) == 0
		&& c->at - before == varint_length(*value);
}

static void show_unknown(struct showing *s, const ProtobufCMessageUnknownField *u)
{
	struct crimg_json *j = s->json;
	struct crimg_cursor c = crimg_cursor_make(u->data, u->len, NULL, 0);
	unsigned wire = (unsigned)u->wire_type;
	uint64_t value = 0;
	bool plain = wire == 1 || wire == 5 || plain_varint(&c, &value);
	crimg_json_object(j, NULL);
	crimg_json_u64(j, "number", u->tag);
	crimg_json_u64(j, "wire", wire);
	for (size_t i = 0; (wire == 1 || wire == 5) && i < u->len && i < 8; i++)
		value |= (uint64_t)u->data[i] << 8 * i;
	if (!plain)
		crimg_json_base64(j, "raw", u->data, u->len);
	else if (wire == 2)
		crimg_json_base64(j, "value", u->data + c.at, u->len - c.at);
	else
		crimg_json_hex(j, "value", value);
	crimg_json_end(j);
}

static void show_message(struct showing *s, const ProtobufCMessage *m, bool hex)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		show_field(s, m, i, hex);
	if (m->n_unknown_fields == 0)
		return;
	crimg_json_array(s->json, CRIMG_JSON_UNKNOWN);
	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		show_unknown(s, &m->unknown_fields[i]);
	crimg_json_end(s->json);
}

void crimg_json_message(struct crimg_json *j, const ProtobufCMessage *message, bool hints)
{
	struct showing s = { .json = j, .hints = hints };
	show_message(&s, message, false);
}

// The fields of a message that is nothing but unsigned numbers, each once, in order, in as few bytes as it
// needs: what an encoder makes of a page map entry.
struct plain_fields {
	unsigned count;
	struct {
		unsigned index;      // in type->fields
		uint64_t value;
	} list[8];
	uint64_t seen;               // bit by index
};

static bool is_plain_number(const ProtobufCFieldDescriptor *field, uint64_t value)
{
	return field->label != PROTOBUF_C_LABEL_REPEATED
		&& (field->type == PROTOBUF_C_TYPE_UINT64
	            || (field->type == PROTOBUF_C_TYPE_UINT32 && value <= UINT32_MAX));
}

static bool read_plain(const struct crimg_json_entry *e, struct plain_fields *out)
{
	struct crimg_cursor c = crimg_cursor_make(e->data, e->length, NULL, 0);
	while (crimg_cursor_left(&c) > 0) {
		uint64_t tag, value;
		if (crimg_cursor_varint(&c, &tag, "", NULL) < 0 || (tag & 7) != 0 || tag > 0x7f)
			return false;
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(e->type, (unsigned)(tag >> 3));
		size_t at = c.at;
		if (field == NULL || crimg_cursor_varint(&c, &value, "", NULL) < 0
		    || !is_plain_number(field, value) || c.at - at != varint_length(value))
			return false;
		unsigned index = (unsigned)(field - e->type->fields);
		if (out->count == 8 || (out->count > 0 && out->list[out->count - 1].index >= index))
			return false;
		out->list[out->count].index = index;
		out->list[out->count++].value = value;
		out->seen |= UINT64_C(1) << index;
	}
	for (unsigned i = 0; i < e->type->n_fields; i++)
		if (e->type->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && (out->seen >> i & 1) == 0)
			return false;
	return true;
}

bool crimg_json_plain(struct crimg_json *j, const struct crimg_json_entry *entry, bool hints)
{
	struct plain_fields plain = { .count = 0 };
	struct showing s = { .json = j, .hints = hints };
	if (!read_plain(entry, &plain))
		return false;
	for (unsigned i = 0; i < plain.count; i++) {
		const ProtobufCFieldDescriptor *field = &entry->type->fields[plain.list[i].index];
		struct shown_field f = { .field = field, .key = field->name };
		if (hints)
			f.hint = crimg_field_info(entry->type, plain.list[i].index).crit;
		f.hex = f.hint == CRIMG_HINT_HEX;
		show_unsigned(&s, &f, plain.list[i].value);
	}
	return true;
}

// Whether encoding m gives data again. Encodes into memory of the arena, which is where m lies.
static int encodes_to(const ProtobufCMessage *m, const struct crimg_json_entry *entry,
                      struct crimg_arena *arena, bool *same, struct crimg_err *err)
{
	size_t length = protobuf_c_message_get_packed_size(m);
	*same = false;
	if (length != entry->length)
		return 0;
	uint8_t *again = crimg_arena_alloc(arena, length + 1);
	if (again == NULL)
		return crimg_fail_nomem(err, length);
	protobuf_c_message_pack(m, again);
	*same = length == 0 || memcmp(again, entry->data, length) == 0;
	return 0;
}

const ProtobufCMessage *crimg_json_entry(struct crimg_json *j, const struct crimg_json_entry *entry,
                                         bool hints, struct crimg_arena *arena,
                                         struct crimg_err *err)
{
	bool same;
	if (crimg_message_check(entry->type, entry->data, entry->length, entry->name, entry->base,
	                        &same, err) < 0)
		return NULL;
	const ProtobufCMessage *m = crimg_message_unpack(entry->type, entry->data, entry->length,
	                                                 arena, err);
	if (m == NULL || (!same && encodes_to(m, entry, arena, &same, err) < 0))
		return NULL;
	crimg_json_message(j, m, hints);
	if (!same)
		crimg_json_base64(j, CRIMG_JSON_ENCODED, entry->data, entry->length);
	return m;
}
