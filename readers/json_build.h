// One JSON object to one protobuf message, by its descriptor; strict where crit is silent. Knows crit's
// dialect (and that of go-criu); knows nothing of files or streams.
#ifndef CRIMG_READERS_JSON_BUILD_H
#define CRIMG_READERS_JSON_BUILD_H

#include <jansson.h>

#include "format/schema.h"

struct json_builder {
	struct crimg_arena arena;  // messages live here; the caller resets it between entries
	const char *name;          // of the source, for errors; borrowed
	uint64_t entry;            // number of the entry being built, for errors
	uint64_t offset;           // of the entry in the source, for errors
	bool camel;                // a lowerCamelCase key was seen: this is go-criu's dialect, whose
	                           // unix socket names are base64
	struct crimg_err *err;     // of the call that runs
};

struct json_builder json_builder_make(const char *name);
void json_builder_fini(struct json_builder *b);

// Where a value stands within its entry, for errors: a key, or an index (key NULL), within outer.
struct json_place {
	const struct json_place *outer;
	const char *key;
	size_t index;
};

// Fills err: "entry 3: vmas[2].start: "zz" found, … wanted". value may be NULL. Returns -1.
int json_build_fail(struct json_builder *b, const struct json_place *place, const json_t *value,
                    const char *wanted);

// Parses one value in the form that json_scan_value writes. NULL with err filled.
CRIMG_MUST_CHECK json_t *json_build_parse(struct json_builder *b, const char *text, size_t length,
                                          struct crimg_err *err);
// Appends to out the encoded message of this type. Members of object that are in ours (a NULL-terminated
// list) are the caller's. Every other key must be a field or one of format/json_message.h's. The message
// itself stays in the arena: *message.
CRIMG_MUST_CHECK int json_build_entry(struct json_builder *b, const json_t *object,
                                      const ProtobufCMessageDescriptor *type,
                                      const struct json_place *place, const char *const *ours,
                                      struct crimg_buf *out, const ProtobufCMessage **message,
                                      struct crimg_err *err);

// A number as crit takes it: an integer, or a string that int(x, 0) or the field's hint understands.
CRIMG_MUST_CHECK int json_build_unsigned(struct json_builder *b, const struct json_place *place,
                                         const json_t *value, uint64_t max, uint64_t *out);
// A base64 string, appended to out.
CRIMG_MUST_CHECK int json_build_base64(struct json_builder *b, const struct json_place *place,
                                       const json_t *value, struct crimg_buf *out);

#endif
