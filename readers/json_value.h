// One JSON value to one value of a field: numbers, names, text, bytes. Knows types, ranges and crit's
// words; knows nothing of messages.
#ifndef CRIMG_READERS_JSON_VALUE_H
#define CRIMG_READERS_JSON_VALUE_H

#include "readers/json_build.h"

// One field being set, and where.
struct json_setting {
	const ProtobufCFieldDescriptor *field;
	enum crimg_hint hint;
	const struct json_place *place;
	unsigned depth;                 // of the message it is in
};

// Sets the value at out, stored as protobuf-c stores it; text and bytes go to b's arena. Not for
// messages. b->err gets the error.
CRIMG_MUST_CHECK int json_value_set(struct json_builder *b, const struct json_setting *f,
                                    const json_t *value, void *out);
// Fills b->err: the arena is full, or memory was denied. Returns -1.
int json_build_no_memory(struct json_builder *b);

#endif
