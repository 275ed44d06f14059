// The payload of one entry as JSON: crit's "extra", written while the bytes come.
// Knows what the payload of each kind looks like; knows nothing of objects or streams.
#ifndef CRIMG_WRITERS_JSON_EXTRA_H
#define CRIMG_WRITERS_JSON_EXTRA_H

#include "format/json.h"
#include "format/schema.h"

struct json_extra {
	struct crimg_json *json;   // borrowed
	enum crimg_payload type;   // NONE: nothing is open
	unsigned stage;            // TCP, MSG: see json_extra.c
	uint64_t left;             // bytes of the part being written
	uint64_t next;             // TCP: bytes of the second part
	struct crimg_buf held;     // SEM, MSG: bytes that are not complete yet
	struct crimg_buf padding;
	struct crimg_arena arena;
};

void json_extra_init(struct json_extra *x, struct crimg_json *json);
void json_extra_fini(struct json_extra *x);

// Begins the payload of an entry in the object that is open; length is what was announced. Refused when
// message says another length. Nothing is begun for kinds and entries that have no payload.
CRIMG_MUST_CHECK int json_extra_open(struct json_extra *x, enum crimg_kind kind,
                                     const ProtobufCMessage *message, uint64_t length,
                                     struct crimg_err *err);
CRIMG_MUST_CHECK int json_extra_add(struct json_extra *x, const uint8_t *data, size_t length,
                                    struct crimg_err *err);
// All bytes were given. Does nothing when nothing is open.
CRIMG_MUST_CHECK int json_extra_close(struct json_extra *x, struct crimg_err *err);

#endif
