// One number of a message: what its hint makes of it, in text and in JSON.
#ifndef CRIMG_FORMAT_FIELD_VALUE_H
#define CRIMG_FORMAT_FIELD_VALUE_H

#include "format/json.h"
#include "format/schema.h"

#define CRIMG_NUMBER_MAX 1024u // bytes that any text of a value needs

// Whether an optional field of the message at base was given; true for all others.
bool crimg_field_present(const void *base, const ProtobufCFieldDescriptor *f);
// A number as the field at this place holds it: negative ones in two's complement.
uint64_t crimg_number_load(ProtobufCType type, const void *at);
// What a person reads: the words, the number with its unit, or the number.
void crimg_number_text(const ProtobufCFieldDescriptor *f, enum crimg_hint hint, uint64_t value,
                      char *out, size_t size);
// The same words, or the number; masks and addresses as hex strings.
void crimg_number_json(struct crimg_json *j, const char *key, const ProtobufCFieldDescriptor *f,
                      enum crimg_hint hint, uint64_t value);

// True when a message fits on a line, "a=1 b=2" in out: numbers and short texts alone, nothing unknown.
bool crimg_message_text(const ProtobufCMessage *m, enum crimg_hint inherited, char *out, size_t size);

#endif
