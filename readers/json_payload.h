// The payloads of a JSON image: which base64 strings (or bytes in memory) make up each, and their bytes
// at any offset. Knows no kinds: whoever announces a payload tells its parts.
#ifndef CRIMG_READERS_JSON_PAYLOAD_H
#define CRIMG_READERS_JSON_PAYLOAD_H

#include "format/base64.h"
#include "format/record.h"
#include "readers/json_scan.h"

// What a pipe's payloads may take in memory, all together.
#define JSON_PAYLOAD_PIPE_BYTES ((size_t)64 << 20)

// A base64 string that was scanned but not copied.
struct json_cut {
	bool found;
	struct json_scan_base64 text;
	size_t mark;          // index of its first mark
	uint8_t *memory;      // the decoded bytes, owned, when the source is a pipe; else NULL
};

struct json_part;

struct json_payload {
	size_t part, parts;   // [part, part + parts)
	uint64_t length;
};

struct json_payloads {
	struct crimg_source *source; // borrowed
	struct json_part *parts;
	size_t part_count, part_capacity;
	struct json_payload *list;
	size_t count, capacity;
	size_t open_part;            // first part of the payload being made
	uint64_t open_length;
	struct crimg_buf marks;      // u64 offsets, see json_scan_base64
	size_t pipe_bytes;
};

struct json_payloads json_payloads_make(struct crimg_source *source);
void json_payloads_fini(struct json_payloads *p);

// Passes over a base64 string at s and fills cut; from a pipe its bytes are kept.
CRIMG_MUST_CHECK int json_payloads_cut(struct json_payloads *p, struct json_scan *s,
                                       struct json_cut *cut, struct crimg_err *err);
void json_cut_fini(struct json_cut *cut);

// Adds a part to the payload being made: a cut (which is taken over; one not found adds nothing), bytes
// (copied), zeros.
CRIMG_MUST_CHECK int json_payloads_add_cut(struct json_payloads *p, struct json_cut *cut,
                                           struct crimg_err *err);
CRIMG_MUST_CHECK int json_payloads_add_bytes(struct json_payloads *p, const uint8_t *data,
                                             size_t length, struct crimg_err *err);
// Forgets the parts of the payload being made: its entry turned out to be damaged.
void json_payloads_drop(struct json_payloads *p);
// Ends the payload being made and gives it the next number.
CRIMG_MUST_CHECK int json_payloads_announce(struct json_payloads *p, struct crimg_payload_ref *ref,
                                            struct crimg_err *err);

// A place in one payload. Reading on from where it stands is cheap; elsewhere costs one read of at most
// JSON_SCAN_MARK_BYTES.
struct json_payload_cursor {
	size_t part;                  // index into parts; SIZE_MAX: nowhere yet
	uint64_t at;                  // offset in the part of out[out_at]
	struct crimg_window window;
	struct crimg_base64_decoder decoder;
	uint8_t out[6144];
	size_t out_at, out_length;
};

void json_payload_cursor_init(struct json_payload_cursor *c, struct json_payloads *p);
void json_payload_cursor_fini(struct json_payload_cursor *c);
CRIMG_MUST_CHECK int json_payloads_read(struct json_payloads *p, struct json_payload_cursor *c,
                                        uint64_t payload, uint64_t offset, void *buf, size_t length,
                                        struct crimg_err *err);

#endif
