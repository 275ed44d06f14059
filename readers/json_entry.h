// One entry of an image in JSON: its text to an encoded message and the payload that goes with it.
// Knows what the payload of each kind looks like; knows nothing of objects and documents.
#ifndef CRIMG_READERS_JSON_ENTRY_H
#define CRIMG_READERS_JSON_ENTRY_H

#include "readers/json_build.h"
#include "readers/json_payload.h"

struct json_entry_reader {
	struct json_scan *scan;          // borrowed, as is the next
	struct json_payloads *payloads;
	struct json_builder builder;
	struct crimg_buf text;           // of the entry, in jansson's form
	struct crimg_buf encoded;        // its message
	struct json_cut extra, inq, outq, tail;
	bool chunked;                    // a ghost file whose contents come in chunks
};

struct json_entry {
	const uint8_t *data;             // encoded message, lent until the next entry
	size_t length;
	struct crimg_payload_ref payload, tail; // number CRIMG_NO_PAYLOAD: none
	uint64_t offset, span;           // bytes in the JSON text
};

void json_entry_reader_init(struct json_entry_reader *r, struct json_scan *scan,
                            struct json_payloads *payloads, const char *name);
void json_entry_reader_fini(struct json_entry_reader *r);
// Reads the object at the scan as entry number index of an object of this kind.
CRIMG_MUST_CHECK int json_entry_read(struct json_entry_reader *r, enum crimg_kind kind,
                                     uint64_t index, struct json_entry *out, struct crimg_err *err);

#endif
