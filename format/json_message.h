// A decoded message as JSON members, by its descriptor: the dialect of crit, plain and --pretty.
#ifndef CRIMG_FORMAT_JSON_MESSAGE_H
#define CRIMG_FORMAT_JSON_MESSAGE_H

#include "format/json.h"
#include "format/schema.h"

// Keys of ours beside a message's own fields; crit's encode passes over them, and no field has their
// name (a test holds this).
#define CRIMG_JSON_UNKNOWN "unknown_fields" // in any message: fields that criu.proto does not have
#define CRIMG_JSON_ENCODED "encoded"        // of an entry: its bytes, when its fields give others
#define CRIMG_JSON_PADDING "extra_padding"  // of an entry: padding of its payload that is not zero
#define CRIMG_JSON_TAIL "tail"              // of the only entry: bytes behind it
// crit's own key for payload.
#define CRIMG_JSON_EXTRA "extra"

// Adds to the object that is open one member for each field that is set, in order of field numbers.
// hints: as crit --pretty shows them. Fields that are not in the descriptor come last, as a list of
// {"number", "wire", "value"} under CRIMG_JSON_UNKNOWN.
void crimg_json_message(struct crimg_json *j, const ProtobufCMessage *message, bool hints);

// Adds the members of one whole encoded message, decoded into arena (which is not reset), and its bytes
// under CRIMG_JSON_ENCODED when encoding the fields again would give others. name and base are for
// errors. Returns the decoded message, NULL with err filled.
struct crimg_json_entry {
	const ProtobufCMessageDescriptor *type;
	const uint8_t *data;
	size_t length;
	const char *name;
	uint64_t base;
};
CRIMG_MUST_CHECK const ProtobufCMessage *crimg_json_entry(struct crimg_json *j,
                                                          const struct crimg_json_entry *entry,
                                                          bool hints, struct crimg_arena *arena,
                                                          struct crimg_err *err);

// Bytes that protobuf-c keeps one value of this type in.
size_t crimg_value_size(ProtobufCType type);

// The short way for entries of nothing but a few unsigned numbers, as page maps have by the hundred
// thousand: shown straight from their bytes. False when this is no such entry: nothing was written.
CRIMG_MUST_CHECK bool crimg_json_plain(struct crimg_json *j, const struct crimg_json_entry *entry,
                                       bool hints);

#endif
