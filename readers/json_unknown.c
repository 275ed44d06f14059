// Unknown fields from JSON.
#include "readers/json_unknown.h"

#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"

#define MAX_FIELD_NUMBER ((UINT64_C(1) << 29) - 1)

static int append_varint(struct crimg_buf *out, uint64_t value, struct crimg_err *err)
{
	uint8_t bytes[10];
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (uint8_t)(value | 0x80);
	bytes[n++] = (uint8_t)value;
	return crimg_buf_append(out, bytes, n, err);
}

static int append_number(struct json_builder *b, const struct json_place *place,
                         const json_t *value, uint64_t wire, struct crimg_buf *out)
{
	uint64_t number;
	uint8_t bytes[8];
	if (json_build_unsigned(b, place, value, wire == 5 ? UINT32_MAX : UINT64_MAX, &number) < 0)
		return -1;
	if (wire == 0)
		return append_varint(out, number, b->err);
	crimg_put_u64(bytes, number);
	return crimg_buf_append(out, bytes, wire == 5 ? 4 : 8, b->err);
}

static int append_value(struct json_builder *b, const struct json_place *place,
                        const json_t *value, uint64_t wire, struct crimg_buf *out)
{
	struct crimg_buf bytes = CRIMG_BUF_INIT;
	if (wire != 2)
		return append_number(b, place, value, wire, out);
	int rc = json_build_base64(b, place, value, &bytes);
	if (rc == 0)
		rc = append_varint(out, bytes.length, b->err);
	if (rc == 0)
		rc = crimg_buf_append(out, bytes.data, bytes.length, b->err);
	crimg_buf_fini(&bytes);
	return rc;
}

// Raw bytes must be exactly one value of their wire type, or they would break the message.
static int check_raw(struct json_builder *b, const struct json_place *place, const json_t *value,
                     uint64_t wire, const struct crimg_buf *raw)
{
	struct crimg_cursor c = crimg_cursor_make(raw->data, raw->length, b->name, b->offset);
	uint64_t number = 0;
	bool good = (wire == 0 || wire == 2) && crimg_cursor_varint(&c, &number, "", NULL) == 0
		&& crimg_cursor_left(&c) == (wire == 2 ? number : 0);
	return good ? 0 : json_build_fail(b, place, value, "one encoded varint or length wanted");
}

static int append_field(struct json_builder *b, const struct json_place *place, const json_t *item,
                        uint64_t wire, struct crimg_buf *out)
{
	const json_t *value = json_object_get(item, "value"), *raw = json_object_get(item, "raw");
	struct json_place inner = { .outer = place, .key = raw != NULL ? "raw" : "value" };
	if (raw == NULL)
		return append_value(b, &inner, value, wire, out);
	if (json_build_base64(b, &inner, raw, out) < 0)
		return -1;
	return check_raw(b, &inner, raw, wire, out);
}

static int check_keys(struct json_builder *b, const struct json_place *place, const json_t *item)
{
	bool one = (json_object_get(item, "value") != NULL) != (json_object_get(item, "raw") != NULL);
	if (json_is_object(item) && json_object_size(item) == 3 && one)
		return 0;
	return json_build_fail(b, place, item, "{\"number\", \"wire\", \"value\"} wanted");
}

static int build_one(struct json_builder *b, const struct json_place *place, const json_t *item,
                     const ProtobufCMessageDescriptor *type, ProtobufCMessageUnknownField *out)
{
	struct crimg_buf bytes = CRIMG_BUF_INIT;
	uint64_t number, wire;
	if (check_keys(b, place, item) < 0
	    || json_build_unsigned(b, place, json_object_get(item, "number"), MAX_FIELD_NUMBER,
	                           &number) < 0
	    || json_build_unsigned(b, place, json_object_get(item, "wire"), 5, &wire) < 0)
		return -1;
	if (number == 0 || protobuf_c_message_descriptor_get_field(type, (unsigned)number) != NULL)
		return json_build_fail(b, place, item, "the number of a field not yet known wanted");
	if (wire == 3 || wire == 4)
		return json_build_fail(b, place, item, "wire type 0, 1, 2 or 5 wanted");
	int rc = append_field(b, place, item, wire, &bytes);
	if (rc == 0) {
		out->tag = (uint32_t)number;
		out->wire_type = (ProtobufCWireType)wire;
		out->len = bytes.length;
		out->data = (uint8_t *)crimg_arena_text(&b->arena, (char *)bytes.data,
		                                        bytes.length);
		rc = out->data == NULL ? crimg_fail_nomem(b->err, bytes.length) : 0;
	}
	crimg_buf_fini(&bytes);
	return rc;
}

int json_build_unknown(struct json_builder *b, const struct json_place *place, const json_t *list,
                       ProtobufCMessage *m)
{
	size_t count = json_array_size(list);
	if (!json_is_array(list))
		return json_build_fail(b, place, list, "a list wanted");
	ProtobufCMessageUnknownField *fields =
		crimg_arena_alloc(&b->arena, (count + 1) * sizeof *fields);
	if (fields == NULL)
		return crimg_fail_nomem(b->err, count * sizeof *fields);
	for (size_t i = 0; i < count; i++) {
		struct json_place item = { .outer = place, .index = i };
		if (build_one(b, &item, json_array_get(list, i), m->descriptor, &fields[i]) < 0)
			return -1;
	}
	m->n_unknown_fields = (unsigned)count;
	m->unknown_fields = fields;
	return 0;
}
