// Writes JSON, byte for byte as Python's json.dump does: ", " and ": " (or an indent of 4), all but ASCII
// escaped. Everything that crimg prints as JSON goes through here.
//
// Calls never fail: the first thing that goes wrong (memory, a misuse such as a key within an array) is
// kept, later calls do nothing, and crimg_json_finish() tells. So a caller checks once.
//
// Every value takes its key: a string within an object, NULL within an array and at the top. The text is
// only ever appended to `out`, which the caller may write away and empty between any two calls.
#ifndef CRIMG_FORMAT_JSON_H
#define CRIMG_FORMAT_JSON_H

#include "format/buf.h"

#define CRIMG_JSON_MAX_DEPTH 200
#define CRIMG_JSON_LINE_BYTES 57 // of data in one base64 line of 76 characters

struct crimg_json {
	struct crimg_buf *out;   // borrowed
	bool pretty;             // one member a line, indented by 4
	bool streaming;          // a base64 string is open
	bool ended;              // the top value is complete
	unsigned depth;          // objects and arrays that are open
	uint8_t open[CRIMG_JSON_MAX_DEPTH + 1]; // of each, see json.c
	uint8_t line[CRIMG_JSON_LINE_BYTES];    // data of an open base64 string that fills no line yet
	size_t line_length;
	struct crimg_err error;
};

struct crimg_json crimg_json_make(struct crimg_buf *out, bool pretty);

void crimg_json_object(struct crimg_json *j, const char *key);
void crimg_json_array(struct crimg_json *j, const char *key);
// Ends the object or array opened last.
void crimg_json_end(struct crimg_json *j);

// NULL is written as null. Bytes that are no UTF-8 become \udc80 … \udcff, as Python's surrogateescape
// does, so that any name comes back as it was.
void crimg_json_text(struct crimg_json *j, const char *key, const char *text);
void crimg_json_text_n(struct crimg_json *j, const char *key, const char *text, size_t length);
void crimg_json_textf(struct crimg_json *j, const char *key, const char *fmt, ...)
	CRIMG_PRINTF(3, 4); // cut at 1023 bytes
void crimg_json_u64(struct crimg_json *j, const char *key, uint64_t value);
void crimg_json_i64(struct crimg_json *j, const char *key, int64_t value);
void crimg_json_bool(struct crimg_json *j, const char *key, bool value);
void crimg_json_null(struct crimg_json *j, const char *key);
// An address or a mask, as the string "0x1f": many JSON readers have no unsigned 64-bit integers.
void crimg_json_hex(struct crimg_json *j, const char *key, uint64_t value);

// A string of base64 in lines of 76 characters, each ended by a newline ("" for no data).
void crimg_json_base64(struct crimg_json *j, const char *key, const uint8_t *data, size_t length);
// The same in pieces: nothing else may be written between open and close.
void crimg_json_base64_open(struct crimg_json *j, const char *key);
void crimg_json_base64_add(struct crimg_json *j, const uint8_t *data, size_t length);
void crimg_json_base64_close(struct crimg_json *j);

// For callers whose own part failed while writing: the first error is kept.
void crimg_json_fail(struct crimg_json *j, const struct crimg_err *err);
// 0, or -1 with what went wrong so far. Cheap.
CRIMG_MUST_CHECK int crimg_json_status(const struct crimg_json *j, struct crimg_err *err);
// The same, and -1 when not exactly one value was written and closed.
CRIMG_MUST_CHECK int crimg_json_finish(const struct crimg_json *j, struct crimg_err *err);

#endif
