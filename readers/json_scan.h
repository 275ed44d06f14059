// A JSON text read forwards: single values are copied out in a form that jansson takes, long base64
// strings are measured in place and never copied. Knows JSON's grammar; knows nothing of checkpoints.
//
// Two things that Python's JSON has and jansson has not are rewritten on the way: integers beyond 63 bits
// become strings of their digits, and lone surrogates \udc80 … \udcff (bytes that are no UTF-8) become
// the private characters U+10FF80 … U+10FFFF, which json_scan_bytes() turns back.
#ifndef CRIMG_READERS_JSON_SCAN_H
#define CRIMG_READERS_JSON_SCAN_H

#include "format/buf.h"
#include "format/source.h"

#define JSON_SCAN_MAX_DEPTH 160
#define JSON_SCAN_MAX_VALUE (256u << 20) // bytes of one value that is copied out

struct json_scan {
	struct crimg_window window;
	const uint8_t *data;   // lent by the window
	size_t at, length;     // data[at, length) is not yet taken
	uint64_t base;         // offset of data[0]
	bool eof;
	struct crimg_err *err; // of the call that runs
};

struct json_scan json_scan_make(struct crimg_source *source, uint64_t offset);
void json_scan_fini(struct json_scan *s);
// Goes on reading at offset.
void json_scan_seek(struct json_scan *s, uint64_t offset);

static inline uint64_t json_scan_offset(const struct json_scan *s)
{
	return s->base + s->at;
}

// The next character that is not space, not taken; -1 at the end of the text.
CRIMG_MUST_CHECK int json_scan_peek(struct json_scan *s, int *c, struct crimg_err *err);
// Takes the next character, which must be c.
CRIMG_MUST_CHECK int json_scan_expect(struct json_scan *s, char c, struct crimg_err *err);
// Within an object or array that closes with `close`, after its beginning or a member: takes the comma or
// the end. *more: a member follows. first: no member came yet.
CRIMG_MUST_CHECK int json_scan_more(struct json_scan *s, char close, bool first, bool *more,
                                    struct crimg_err *err);
// Appends one value to out in jansson's form. out may be NULL: the value is only passed over.
CRIMG_MUST_CHECK int json_scan_value(struct json_scan *s, struct crimg_buf *out,
                                     struct crimg_err *err);
// Appends a string in jansson's form, quotes included, and writes its text (cut at size, escapes as they
// stand) to key. For keys: they are short and plain.
CRIMG_MUST_CHECK int json_scan_key(struct json_scan *s, struct crimg_buf *out, char *key,
                                   size_t size, struct crimg_err *err);

// A base64 string as the scan passed over it.
struct json_scan_base64 {
	uint64_t offset;       // of its first character within the quotes
	uint64_t length;       // bytes that it stands for
};

// Bytes of data between two marks: whole quanta.
#define JSON_SCAN_MARK_BYTES (UINT64_C(3) << 18)

// Passes over a base64 string. marks: appends, for every JSON_SCAN_MARK_BYTES of data, the offset (u64)
// of its first character; NULL: none. decoded: appends the data themselves, at most limit bytes; NULL:
// they are only counted.
CRIMG_MUST_CHECK int json_scan_base64(struct json_scan *s, struct json_scan_base64 *out,
                                      struct crimg_buf *marks, struct crimg_buf *decoded,
                                      size_t limit, struct crimg_err *err);

// Turns text that came through json_scan_value into the bytes it stands for, in place. Returns their
// number.
size_t json_scan_bytes(char *text, size_t length);

#endif
