// Single values from JSON.
#include "readers/json_value.h"

#include <stdio.h>
#include <string.h>

#include "format/base64.h"
#include "format/hint_text.h"
#include "readers/json_scan.h"

int json_build_no_memory(struct json_builder *b)
{
	if (b->arena.exhausted)
		return crimg_fail(b->err, CRIMG_E_LIMIT, b->name, b->offset,
		                  "entry %llu: more than %zu bytes once decoded",
		                  (unsigned long long)b->entry, b->arena.limit_bytes);
	return crimg_fail_nomem(b->err, 0);
}

static int take_number(struct json_builder *b, const struct json_setting *f, const json_t *value,
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
	struct json_setting f = { .hint = CRIMG_HINT_NONE, .place = place };
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

static int set_unsigned(struct json_builder *b, const struct json_setting *f, const json_t *value,
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

static int set_signed(struct json_builder *b, const struct json_setting *f, const json_t *value,
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

static int set_bool(struct json_builder *b, const struct json_setting *f, const json_t *value,
                    protobuf_c_boolean *out)
{
	bool number = json_is_integer(value)
		&& (json_integer_value(value) == 0 || json_integer_value(value) == 1);
	if (!json_is_boolean(value) && !number)
		return json_build_fail(b, f->place, value, "true or false wanted");
	*out = number ? json_integer_value(value) == 1 : json_is_true(value);
	return 0;
}

static int set_enum(struct json_builder *b, const struct json_setting *f, const json_t *value, int *out)
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

static int set_string(struct json_builder *b, const struct json_setting *f, const json_t *value,
                      char **out)
{
	size_t length;
	if (!json_is_string(value))
		return json_build_fail(b, f->place, value, "a string wanted");
	char *text = string_bytes(b, value, &length);
	if (text == NULL)
		return json_build_no_memory(b);
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

static int set_bytes(struct json_builder *b, const struct json_setting *f, const json_t *value,
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
		rc = out->data == NULL ? json_build_no_memory(b) : 0;
	}
	crimg_buf_fini(&bytes);
	return rc;
}

static int set_number32(struct json_builder *b, const struct json_setting *f, const json_t *value,
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
int json_value_set(struct json_builder *b, const struct json_setting *f, const json_t *value,
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
	case PROTOBUF_C_TYPE_MESSAGE: // its members are json_build.c's
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		break;
	}
	return json_build_fail(b, f->place, value, "a field of another type wanted");
}

