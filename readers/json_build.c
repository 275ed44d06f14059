// JSON values to message fields.
#include "readers/json_build.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/base64.h"
#include "format/hint_text.h"
#include "format/json_message.h"
#include "format/limits.h"
#include "readers/json_scan.h"
#include "readers/json_unknown.h"

struct json_builder json_builder_make(const char *name)
{
	return (struct json_builder){
		.arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES), .name = name,
	};
}

void json_builder_fini(struct json_builder *b)
{
	crimg_arena_fini(&b->arena);
}

static size_t put_path(const struct json_place *place, char *out, size_t size)
{
	if (place == NULL)
		return 0;
	size_t used = put_path(place->outer, out, size);
	if (used >= size)
		return used;
	int n = place->key != NULL
		? snprintf(out + used, size - used, "%s%.60s", used > 0 ? "." : "", place->key)
		: snprintf(out + used, size - used, "[%zu]", place->index);
	return used + (n > 0 ? (size_t)n : 0);
}

int json_build_fail(struct json_builder *b, const struct json_place *place, const json_t *value,
                    const char *wanted)
{
	char path[200] = "", found[48] = "nothing";
	put_path(place, path, sizeof path);
	char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
	if (text != NULL)
		snprintf(found, sizeof found, "%.40s%s", text, strlen(text) > 40 ? "…" : "");
	free(text);
	return crimg_fail(b->err, CRIMG_E_FORMAT, b->name, b->offset, "entry %llu: %s%s%s found, %s",
	                  (unsigned long long)b->entry, path, path[0] != '\0' ? ": " : "", found,
	                  wanted);
}

json_t *json_build_parse(struct json_builder *b, const char *text, size_t length,
                         struct crimg_err *err)
{
	json_error_t error;
	b->err = err;
	json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value != NULL)
		return value;
	crimg_fail(err, json_error_code(&error) == json_error_out_of_memory ? CRIMG_E_NOMEM
	           : CRIMG_E_FORMAT, b->name, b->offset, "entry %llu: not JSON: %s",
	           (unsigned long long)b->entry, error.text);
	return NULL;
}

static int no_memory(struct json_builder *b)
{
	if (b->arena.exhausted)
		return crimg_fail(b->err, CRIMG_E_LIMIT, b->name, b->offset,
		                  "entry %llu: more than %zu bytes once decoded",
		                  (unsigned long long)b->entry, b->arena.limit_bytes);
	return crimg_fail_nomem(b->err, 0);
}

// One field being set, and where.
struct setting {
	const ProtobufCFieldDescriptor *field;
	enum crimg_hint hint;
	const struct json_place *place;
	unsigned depth;
};

static int take_number(struct json_builder *b, const struct setting *f, const json_t *value,
                       bool *negative, uint64_t *magnitude)
{
	if (json_is_integer(value)) {
		json_int_t v = json_integer_value(value);
		*negative = v < 0;
		*magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;
		return 0;
	}
	if (json_is_string(value)
	    && crimg_hint_number(f->hint, f->field != NULL ? f->field->name : "",
	                         json_string_value(value), negative, magnitude))
		return 0;
	return json_build_fail(b, f->place, value, "a number wanted");
}

int json_build_unsigned(struct json_builder *b, const struct json_place *place,
                        const json_t *value, uint64_t max, uint64_t *out)
{
	struct setting f = { .hint = CRIMG_HINT_NONE, .place = place };
	char wanted[64];
	bool negative;
	uint64_t magnitude;
	if (take_number(b, &f, value, &negative, &magnitude) < 0)
		return -1;
	if (negative || magnitude > max) {
		snprintf(wanted, sizeof wanted, "a number from 0 to %llu wanted",
		         (unsigned long long)max);
		return json_build_fail(b, place, value, wanted);
	}
	*out = magnitude;
	return 0;
}

static int set_unsigned(struct json_builder *b, const struct setting *f, const json_t *value,
                        uint64_t max, uint64_t *out)
{
	bool negative;
	uint64_t magnitude;
	if (take_number(b, f, value, &negative, &magnitude) < 0)
		return -1;
	if (negative || magnitude > max)
		return json_build_fail(b, f->place, value,
		                       max == UINT32_MAX ? "an unsigned 32-bit number wanted"
		                                         : "an unsigned 64-bit number wanted");
	*out = magnitude;
	return 0;
}

static int set_signed(struct json_builder *b, const struct setting *f, const json_t *value,
                      int64_t max, int64_t *out)
{
	bool negative;
	uint64_t magnitude;
	if (take_number(b, f, value, &negative, &magnitude) < 0)
		return -1;
	if (magnitude > (uint64_t)max + (negative ? 1 : 0))
		return json_build_fail(b, f->place, value,
		                       max == INT32_MAX ? "a signed 32-bit number wanted"
		                                        : "a signed 64-bit number wanted");
	*out = negative ? (int64_t)(-magnitude) : (int64_t)magnitude;
	return 0;
}

static int set_bool(struct json_builder *b, const struct setting *f, const json_t *value,
                    protobuf_c_boolean *out)
{
	bool number = json_is_integer(value)
		&& (json_integer_value(value) == 0 || json_integer_value(value) == 1);
	if (!json_is_boolean(value) && !number)
		return json_build_fail(b, f->place, value, "true or false wanted");
	*out = number ? json_integer_value(value) == 1 : json_is_true(value);
	return 0;
}

static int set_enum(struct json_builder *b, const struct setting *f, const json_t *value, int *out)
{
	const ProtobufCEnumValue *named = NULL;
	bool negative;
	uint64_t magnitude;
	int64_t number;
	if (json_is_string(value))
		named = protobuf_c_enum_descriptor_get_value_by_name(f->field->descriptor,
		                                                     json_string_value(value));
	if (named != NULL) {
		*out = named->value;
		return 0;
	}
	if (json_is_string(value)
	    && !crimg_hint_number(CRIMG_HINT_NONE, "", json_string_value(value), &negative,
	                          &magnitude))
		return json_build_fail(b, f->place, value, "one of the field's names wanted");
	if (set_signed(b, f, value, INT32_MAX, &number) < 0)
		return -1;
	*out = (int)number;
	return 0;
}

// The bytes of a JSON string, terminated, in the arena.
static char *string_bytes(struct json_builder *b, const json_t *value, size_t *length)
{
	size_t n = json_string_length(value);
	char *text = crimg_arena_text(&b->arena, json_string_value(value), n);
	if (text == NULL)
		return NULL;
	*length = json_scan_bytes(text, n);
	text[*length] = '\0';
	return text;
}

static int set_string(struct json_builder *b, const struct setting *f, const json_t *value,
                      char **out)
{
	size_t length;
	if (!json_is_string(value))
		return json_build_fail(b, f->place, value, "a string wanted");
	char *text = string_bytes(b, value, &length);
	if (text == NULL)
		return no_memory(b);
	*out = text;
	return 0;
}

int json_build_base64(struct json_builder *b, const struct json_place *place, const json_t *value,
                      struct crimg_buf *out)
{
	struct crimg_base64_decoder d = CRIMG_BASE64_DECODER_INIT;
	size_t length = json_string_length(value), got, bad;
	if (!json_is_string(value))
		return json_build_fail(b, place, value, "a base64 string wanted");
	if (crimg_buf_reserve(out, length / 4 * 3 + 3, b->err) < 0)
		return -1;
	if (!crimg_base64_decode(&d, json_string_value(value), length, out->data + out->length,
	                         &got, &bad) || !crimg_base64_complete(&d))
		return json_build_fail(b, place, value, "base64 wanted");
	out->length += got;
	return 0;
}

static int set_bytes(struct json_builder *b, const struct setting *f, const json_t *value,
                     ProtobufCBinaryData *out)
{
	struct crimg_buf bytes = CRIMG_BUF_INIT;
	int rc;
	if (!json_is_string(value))
		return json_build_fail(b, f->place, value, "a string wanted");
	if (f->hint == CRIMG_HINT_UNIX_NAME && !b->camel)
		rc = crimg_quoted_decode(json_string_value(value), json_string_length(value), &bytes,
		                         b->err);
	else
		rc = json_build_base64(b, f->place, value, &bytes);
	if (rc == 0) {
		// One byte more, so that no bytes are not NULL.
		out->data = (uint8_t *)crimg_arena_text(&b->arena, (char *)bytes.data,
		                                        bytes.length);
		out->len = bytes.length;
		rc = out->data == NULL ? no_memory(b) : 0;
	}
	crimg_buf_fini(&bytes);
	return rc;
}

static int build(struct json_builder *b, const json_t *object, const struct setting *f,
                 const ProtobufCMessageDescriptor *type, const char *const *ours,
                 ProtobufCMessage **out);

static int set_message(struct json_builder *b, const struct setting *f, const json_t *value,
                       ProtobufCMessage **out)
{
	return build(b, value, f, f->field->descriptor, NULL, out);
}

static int set_number32(struct json_builder *b, const struct setting *f, const json_t *value,
                        void *out)
{
	bool is_signed = f->field->type == PROTOBUF_C_TYPE_INT32
		|| f->field->type == PROTOBUF_C_TYPE_SINT32
		|| f->field->type == PROTOBUF_C_TYPE_SFIXED32;
	uint64_t u;
	int64_t i;
	if (is_signed ? set_signed(b, f, value, INT32_MAX, &i) < 0
	              : set_unsigned(b, f, value, UINT32_MAX, &u) < 0)
		return -1;
	if (is_signed)
		*(int32_t *)out = (int32_t)i;
	else
		*(uint32_t *)out = (uint32_t)u;
	return 0;
}

// Sets the value at out, stored as protobuf-c stores it.
static int set_value(struct json_builder *b, const struct setting *f, const json_t *value,
                     void *out)
{
	switch (f->field->type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return set_unsigned(b, f, value, UINT64_MAX, out);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return set_signed(b, f, value, INT64_MAX, out);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return set_number32(b, f, value, out);
	case PROTOBUF_C_TYPE_BOOL:
		return set_bool(b, f, value, out);
	case PROTOBUF_C_TYPE_ENUM:
		return set_enum(b, f, value, out);
	case PROTOBUF_C_TYPE_STRING:
		return set_string(b, f, value, out);
	case PROTOBUF_C_TYPE_BYTES:
		return set_bytes(b, f, value, out);
	case PROTOBUF_C_TYPE_MESSAGE:
		return set_message(b, f, value, out);
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		break;
	}
	return json_build_fail(b, f->place, value, "a field of another type wanted");
}

static size_t value_size(ProtobufCType type)
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
	default:
		return 4;
	}
}

// A list of one address in words; *done is left false when the list is one of numbers.
static int set_address(struct json_builder *b, const struct setting *f, const json_t *list,
                       uint8_t **data, size_t *count, bool *done)
{
	const json_t *first = json_array_get(list, 0);
	uint32_t words[4] = { 0 };
	uint64_t number;
	bool negative;
	if (f->hint != CRIMG_HINT_IPADD || !json_is_string(first)
	    || crimg_hint_number(CRIMG_HINT_NONE, "", json_string_value(first), &negative, &number))
		return 0;
	if (json_array_size(list) != 1 || !crimg_hint_words(json_string_value(first), words, count))
		return json_build_fail(b, f->place, list, "a list of one IPv4 or IPv6 address wanted");
	*data = (uint8_t *)crimg_arena_text(&b->arena, (const char *)words, sizeof words);
	*done = true;
	return *data == NULL ? no_memory(b) : 0;
}

static int set_list(struct json_builder *b, struct setting *f, const json_t *list, uint8_t *base)
{
	size_t count = json_array_size(list), size = value_size(f->field->type);
	const struct json_place *outer = f->place;
	uint8_t *data = NULL;
	bool done = false;
	if (!json_is_array(list))
		return json_build_fail(b, f->place, list, "a list wanted");
	if (set_address(b, f, list, &data, &count, &done) < 0)
		return -1;
	if (!done) {
		data = crimg_arena_alloc(&b->arena, count * size);
		if (data == NULL)
			return no_memory(b);
		memset(data, 0, count * size);
	}
	for (size_t i = 0; i < count && !done; i++) {
		struct json_place place = { .outer = outer, .index = i };
		f->place = &place;
		if (set_value(b, f, json_array_get(list, i), data + i * size) < 0)
			return -1;
	}
	*(uint8_t **)(void *)(base + f->field->offset) = data;
	*(size_t *)(void *)(base + f->field->quantifier_offset) = count;
	return 0;
}

static int set_field(struct json_builder *b, struct setting *f, const json_t *value, uint8_t *base)
{
	if (f->field->label == PROTOBUF_C_LABEL_REPEATED)
		return set_list(b, f, value, base);
	bool pointer = f->field->type == PROTOBUF_C_TYPE_STRING
		|| f->field->type == PROTOBUF_C_TYPE_MESSAGE;
	if (f->field->label == PROTOBUF_C_LABEL_OPTIONAL && !pointer)
		*(protobuf_c_boolean *)(void *)(base + f->field->quantifier_offset) = 1;
	return set_value(b, f, value, base + f->field->offset);
}

// Whether key is the field's name without underscores, each letter behind one in upper case.
static bool is_camel_of(const char *key, const char *name)
{
	for (; *name != '\0'; name++, key++) {
		if (*name == '_' && name[1] != '\0') {
			name++;
			if (*key != (char)toupper((unsigned char)*name))
				return false;
		} else if (*key != *name) {
			return false;
		}
	}
	return *key == '\0';
}

static const ProtobufCFieldDescriptor *find_field(struct json_builder *b,
                                                  const ProtobufCMessageDescriptor *type,
                                                  const char *key)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(type, key);
	for (unsigned i = 0; field == NULL && i < type->n_fields; i++)
		if (is_camel_of(key, type->fields[i].name)) {
			field = &type->fields[i];
			b->camel = true;
		}
	return field;
}

static bool is_listed(const char *const *list, const char *key)
{
	for (; list != NULL && *list != NULL; list++)
		if (strcmp(*list, key) == 0)
			return true;
	return false;
}

static int check_required(struct json_builder *b, const ProtobufCMessageDescriptor *type,
                          uint64_t seen, const struct json_place *place)
{
	char wanted[128];
	for (unsigned i = 0; i < type->n_fields; i++) {
		if (type->fields[i].label != PROTOBUF_C_LABEL_REQUIRED || (seen >> i & 1) != 0)
			continue;
		snprintf(wanted, sizeof wanted, "the field %s of %s wanted", type->fields[i].name,
		         type->name);
		return json_build_fail(b, place, NULL, wanted);
	}
	return 0;
}

// One member of an object whose message is m.
static int build_member(struct json_builder *b, const struct setting *f, const char *key,
                        const json_t *value, ProtobufCMessage *m, uint64_t *seen)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;
	struct json_place place = { .outer = f->place, .key = key };
	struct setting inner = { .place = &place, .depth = f->depth };
	char wanted[128];
	if (strcmp(key, CRIMG_JSON_UNKNOWN) == 0)
		return json_build_unknown(b, &place, value, m);
	inner.field = find_field(b, type, key);
	if (inner.field == NULL) {
		snprintf(wanted, sizeof wanted, "a field of %s wanted: this key is none",
		         type->name);
		return json_build_fail(b, &place, value, wanted);
	}
	unsigned index = (unsigned)(inner.field - type->fields);
	if ((*seen >> index & 1) != 0)
		return json_build_fail(b, &place, value, "this field once wanted, twice given");
	*seen |= UINT64_C(1) << index;
	inner.hint = crimg_field_info(type, index).crit;
	return set_field(b, &inner, value, (uint8_t *)m);
}

static int build(struct json_builder *b, const json_t *object, const struct setting *f,
                 const ProtobufCMessageDescriptor *type, const char *const *ours,
                 ProtobufCMessage **out)
{
	uint64_t seen = 0; // no message of ours has more than 64 fields; a test holds this
	struct setting inner = { .place = f->place, .depth = f->depth + 1 };
	if (!json_is_object(object))
		return json_build_fail(b, f->place, object, "an object wanted");
	if (inner.depth > CRIMG_MAX_MESSAGE_DEPTH)
		return crimg_fail(b->err, CRIMG_E_LIMIT, b->name, b->offset,
		                  "entry %llu: %s: messages nested more than %d deep",
		                  (unsigned long long)b->entry, type->name,
		                  CRIMG_MAX_MESSAGE_DEPTH);
	ProtobufCMessage *m = crimg_arena_alloc(&b->arena, type->sizeof_message);
	if (m == NULL)
		return no_memory(b);
	protobuf_c_message_init(type, m);
	void *iterator = json_object_iter((json_t *)(uintptr_t)object);
	for (; iterator != NULL;
	     iterator = json_object_iter_next((json_t *)(uintptr_t)object, iterator)) {
		const char *key = json_object_iter_key(iterator);
		if (is_listed(ours, key))
			continue;
		if (build_member(b, &inner, key, json_object_iter_value(iterator), m, &seen) < 0)
			return -1;
	}
	if (check_required(b, type, seen, f->place) < 0)
		return -1;
	*out = m;
	return 0;
}

// The bytes an entry was written with, kept beside fields that would encode to others, are taken when
// the fields still say the same as they do: an edited entry wins over its old bytes.
static int take_encoded(struct json_builder *b, const struct json_place *outer, const json_t *value,
                        const ProtobufCMessageDescriptor *type, struct crimg_buf *out, size_t start)
{
	struct json_place place = { .outer = outer, .key = CRIMG_JSON_ENCODED };
	struct crimg_buf given = CRIMG_BUF_INIT, again = CRIMG_BUF_INIT;
	int rc = json_build_base64(b, &place, value, &given);
	if (rc == 0) {
		const ProtobufCMessage *m = crimg_message_decode(
			type, given.data, given.length, &b->arena, b->name, b->offset, b->err);
		rc = m == NULL ? -1 : crimg_message_encode(m, &again, b->err);
	}
	size_t length = out->length - start;
	if (rc == 0 && again.length == length
	    && (length == 0 || memcmp(again.data, out->data + start, length) == 0)) {
		out->length = start;
		rc = crimg_buf_append(out, given.data, given.length, b->err);
	}
	crimg_buf_fini(&given);
	crimg_buf_fini(&again);
	return rc;
}

int json_build_entry(struct json_builder *b, const json_t *object,
                     const ProtobufCMessageDescriptor *type, const struct json_place *place,
                     const char *const *ours, struct crimg_buf *out,
                     const ProtobufCMessage **message, struct crimg_err *err)
{
	struct setting top = { .place = place };
	size_t start = out->length;
	ProtobufCMessage *m;
	b->err = err;
	if (build(b, object, &top, type, ours, &m) < 0)
		return -1;
	if (protobuf_c_message_get_packed_size(m) > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, b->name, b->offset,
		                  "entry %llu: a message of more than %u bytes",
		                  (unsigned long long)b->entry, CRIMG_MAX_MESSAGE_BYTES);
	if (crimg_message_encode(m, out, err) < 0)
		return -1;
	*message = m;
	const json_t *encoded = json_object_get(object, CRIMG_JSON_ENCODED);
	return encoded == NULL ? 0 : take_encoded(b, place, encoded, type, out, start);
}
