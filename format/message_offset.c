#include "format/message_offset.h"

#include <stdlib.h>
#include <string.h>

#include "format/cursor.h"

// One step of a path: a field's name, perhaps with [index].
struct step {
	const ProtobufCFieldDescriptor *field;
	uint64_t index;
	const char *rest; // behind the dot; NULL at the end
};

static bool take_step(const ProtobufCMessageDescriptor *type, const char *path, struct step *out)
{
	char name[64];
	size_t length = strcspn(path, ".[");
	const char *rest = path + length;
	if (length == 0 || length >= sizeof name)
		return false;
	memcpy(name, path, length);
	name[length] = '\0';
	*out = (struct step){ .field = protobuf_c_message_descriptor_get_field_by_name(type, name) };
	if (*rest == '[') {
		char *end;
		out->index = strtoull(rest + 1, &end, 10);
		rest = *end == ']' ? end + 1 : end;
	}
	out->rest = *rest == '.' ? rest + 1 : NULL;
	return out->field != NULL;
}

static bool skip_value(struct crimg_cursor *c, unsigned wire, struct crimg_cursor *sub)
{
	uint64_t value;
	*sub = crimg_cursor_make(NULL, 0, NULL, 0);
	switch (wire) {
	case 0:
		return crimg_cursor_varint(c, &value, "", NULL) == 0;
	case 1:
		return crimg_cursor_u64(c, &value, "", NULL) == 0;
	case 2:
		return crimg_cursor_varint(c, &value, "", NULL) == 0
			&& crimg_cursor_sub(c, value, sub, "", NULL) == 0;
	case 5: {
		uint32_t word;
		return crimg_cursor_u32(c, &word, "", NULL) == 0;
	}
	default:
		return false;
	}
}

bool crimg_message_offset(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                          size_t length, const char *path, uint64_t *offset)
{
	struct crimg_cursor c = crimg_cursor_make(data, length, NULL, 0), sub;
	struct step step;
	if (!take_step(type, path, &step))
		return false;
	for (uint64_t seen = 0; crimg_cursor_left(&c) > 0;) {
		uint64_t at = crimg_cursor_offset(&c), tag;
		if (crimg_cursor_varint(&c, &tag, "", NULL) < 0
		    || !skip_value(&c, (unsigned)(tag & 7), &sub))
			return false;
		if (tag >> 3 != step.field->id || seen++ < step.index)
			continue;
		if (step.rest == NULL) {
			*offset = at;
			return true;
		}
		if (step.field->type != PROTOBUF_C_TYPE_MESSAGE)
			return false;
		c = sub; // its base is its offset in data
		type = step.field->descriptor;
		seen = 0;
		if (!take_step(type, step.rest, &step))
			return false;
	}
	return false;
}
