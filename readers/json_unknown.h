// Fields that criu.proto does not have, as JSON, back into a message.
#ifndef CRIMG_READERS_JSON_UNKNOWN_H
#define CRIMG_READERS_JSON_UNKNOWN_H

#include "readers/json_build.h"

// Takes a list of {"number", "wire", "value" or "raw"} as the unknown fields of m. b->err gets the error.
CRIMG_MUST_CHECK int json_build_unknown(struct json_builder *b, const struct json_place *place,
                                        const json_t *list, ProtobufCMessage *m);

#endif
