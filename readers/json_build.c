// JSON values to message fields.
#include "readers/json_build.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/hint_text.h"
#include "format/json_message.h"
#include "format/limits.h"
#include "readers/json_unknown.h"
#include "readers/json_value.h"

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

static int build(struct json_builder *b, const json_t *object, const struct json_setting *f,
                 const ProtobufCMessageDescriptor *type, const char *const *ours,
                 ProtobufCMessage **out);

// Sets the value at out, stored as protobuf-c stores it.
static int set_value(struct json_builder *b, const struct json_setting *f, const json_t *value,
                     void *out)
{
	if (f->field->type != PROTOBUF_C_TYPE_MESSAGE)
		return json_value_set(b, f, value, out);
	return build(b, value, f, f->field->descriptor, NULL, out);
}

// A list of one address in words; *done is left false when the list is one of numbers.
static int set_address(struct json_builder *b, const struct json_setting *f, const json_t *list,
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
	return *data == NULL ? json_build_no_memory(b) : 0;
}

static int set_list(struct json_builder *b, struct json_setting *f, const json_t *list, uint8_t *base)
{
	size_t count = json_array_size(list), size = crimg_value_size(f->field->type);
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
			return json_build_no_memory(b);
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

static int set_field(struct json_builder *b, struct json_setting *f, const json_t *value, uint8_t *base)
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
static int build_member(struct json_builder *b, const struct json_setting *f, const char *key,
                        const json_t *value, ProtobufCMessage *m, uint64_t *seen)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;
	struct json_place place = { .outer = f->place, .key = key };
	struct json_setting inner = { .place = &place, .depth = f->depth };
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

static int build(struct json_builder *b, const json_t *object, const struct json_setting *f,
                 const ProtobufCMessageDescriptor *type, const char *const *ours,
                 ProtobufCMessage **out)
{
	uint64_t seen = 0; // no message of ours has more than 64 fields; a test holds this
	struct json_setting inner = { .place = f->place, .depth = f->depth + 1 };
	if (!json_is_object(object))
		return json_build_fail(b, f->place, object, "an object wanted");
	if (inner.depth > CRIMG_MAX_MESSAGE_DEPTH)
		return crimg_fail(b->err, CRIMG_E_LIMIT, b->name, b->offset,
		                  "entry %llu: %s: messages nested more than %d deep",
		                  (unsigned long long)b->entry, type->name,
		                  CRIMG_MAX_MESSAGE_DEPTH);
	ProtobufCMessage *m = crimg_arena_alloc(&b->arena, type->sizeof_message);
	if (m == NULL)
		return json_build_no_memory(b);
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
	struct json_setting top = { .place = place };
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
