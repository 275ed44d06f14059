// The forward scan over a JSON text.
#include "readers/json_scan.h"

#include <string.h>

#include "format/base64.h"
#include "format/checked.h"

struct json_scan json_scan_make(struct crimg_source *source, uint64_t offset)
{
	return (struct json_scan){ .window = crimg_window_make(source, offset), .base = offset };
}

void json_scan_fini(struct json_scan *s)
{
	crimg_window_fini(&s->window);
}

void json_scan_seek(struct json_scan *s, uint64_t offset)
{
	struct crimg_source *source = s->window.source;
	crimg_window_fini(&s->window);
	*s = json_scan_make(source, offset);
}

static int fail_at(struct json_scan *s, const char *found, const char *wanted)
{
	return crimg_fail(s->err, CRIMG_E_FORMAT, s->window.source->name, json_scan_offset(s),
	                  "%s found, %s wanted", found, wanted);
}

static int fail_here(struct json_scan *s, const char *wanted)
{
	char found[32] = "the end of the text", byte[8];
	if (s->at < s->length) {
		crimg_safe_text(byte, sizeof byte, (const char *)s->data + s->at, 1);
		memcpy(found, "'", 2);
		strcat(found, byte);
		strcat(found, "'");
	}
	return fail_at(s, found, wanted);
}

// Makes data[at] readable; at the end of the text, s->eof.
static int fill(struct json_scan *s)
{
	if (s->at < s->length || s->eof)
		return 0;
	if (crimg_window_skip(&s->window, s->length, s->err) < 0)
		return -1;
	s->base += s->length;
	s->at = s->length = 0;
	if (crimg_window_peek(&s->window, 1, &s->data, &s->length, s->err) < 0)
		return -1;
	s->eof = s->length == 0;
	return 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int json_scan_peek(struct json_scan *s, int *c, struct crimg_err *err)
{
	s->err = err;
	for (;;) {
		if (fill(s) < 0)
			return -1;
		if (s->eof) {
			*c = -1;
			return 0;
		}
		if (!is_space(s->data[s->at])) {
			*c = s->data[s->at];
			return 0;
		}
		s->at++;
	}
}

int json_scan_expect(struct json_scan *s, char wanted, struct crimg_err *err)
{
	int c;
	char text[4] = { '\'', wanted, '\'', '\0' };
	if (json_scan_peek(s, &c, err) < 0)
		return -1;
	if (c != (unsigned char)wanted)
		return fail_here(s, text);
	s->at++;
	return 0;
}

int json_scan_more(struct json_scan *s, char close, bool first, bool *more, struct crimg_err *err)
{
	int c;
	if (json_scan_peek(s, &c, err) < 0)
		return -1;
	if (c == (unsigned char)close) {
		s->at++;
		*more = false;
		return 0;
	}
	if (!first && c != ',')
		return fail_here(s, close == '}' ? "',' or '}'" : "',' or ']'");
	if (!first)
		s->at++;
	*more = true;
	return 0;
}

static int emit(struct json_scan *s, struct crimg_buf *out, const void *data, size_t length)
{
	if (out == NULL)
		return 0;
	if (length > JSON_SCAN_MAX_VALUE - crimg_min_u64(out->length, JSON_SCAN_MAX_VALUE))
		return crimg_fail(s->err, CRIMG_E_LIMIT, s->window.source->name,
		                  json_scan_offset(s), "a JSON value of more than %u bytes",
		                  JSON_SCAN_MAX_VALUE);
	return crimg_buf_append(out, data, length, s->err);
}

// Takes exactly one character of a token, whatever it is.
static int take(struct json_scan *s, char *c)
{
	if (fill(s) < 0)
		return -1;
	if (s->eof)
		return fail_here(s, "the rest of a JSON value");
	*c = (char)s->data[s->at++];
	return 0;
}

static int take_hex4(struct json_scan *s, unsigned *out)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		char c = 0;
		if (take(s, &c) < 0)
			return -1;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
			: c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			: c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
		if (digit == 16) {
			s->at--;
			return fail_here(s, "a hexadecimal digit");
		}
		value = value << 4 | digit;
	}
	*out = value;
	return 0;
}

// A byte that is no text, in our private form: U+10FF00 + byte in UTF-8.
static int emit_private(struct json_scan *s, struct crimg_buf *out, unsigned byte)
{
	uint8_t utf8[4] = { 0xf4, 0x8f, (uint8_t)(0xbc | byte >> 6), (uint8_t)(0x80 | (byte & 0x3f)) };
	return emit(s, out, utf8, 4);
}

// Characters that look like our private form are passed on as four private bytes, so that the way back is
// unambiguous.
static int emit_look_alike(struct json_scan *s, struct crimg_buf *out, unsigned byte)
{
	if (emit_private(s, out, 0xf4) < 0 || emit_private(s, out, 0x8f) < 0
	    || emit_private(s, out, 0xbc | byte >> 6) < 0)
		return -1;
	return emit_private(s, out, 0x80 | (byte & 0x3f));
}

static int emit_unit(struct json_scan *s, struct crimg_buf *out, unsigned unit)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
	                 hex[unit & 15] };
	return emit(s, out, text, 6);
}

// Behind a high surrogate: the low one must follow.
static int take_pair(struct json_scan *s, struct crimg_buf *out, unsigned high)
{
	char c[2] = { 0 };
	unsigned low = 0;
	if (take(s, &c[0]) < 0 || take(s, &c[1]) < 0)
		return -1;
	if (c[0] != '\\' || c[1] != 'u')
		return fail_at(s, "half a surrogate pair", "both halves");
	if (take_hex4(s, &low) < 0)
		return -1;
	if (low < 0xdc00 || low > 0xdfff)
		return fail_at(s, "half a surrogate pair", "both halves");
	if (high == 0xdbff && low >= 0xdf80)
		return emit_look_alike(s, out, low & 0xff);
	return emit_unit(s, out, high) < 0 ? -1 : emit_unit(s, out, low);
}

static int take_escape(struct json_scan *s, struct crimg_buf *out)
{
	char c = 0;
	unsigned unit = 0;
	if (take(s, &c) < 0)
		return -1;
	if (c != 'u') {
		char both[2] = { '\\', c };
		if (strchr("\"\\/bfnrt", c) == NULL || c == '\0') {
			s->at--;
			return fail_here(s, "one of \"\\/bfnrtu behind a backslash");
		}
		return emit(s, out, both, 2);
	}
	if (take_hex4(s, &unit) < 0)
		return -1;
	if (unit >= 0xd800 && unit <= 0xdbff)
		return take_pair(s, out, unit);
	if (unit >= 0xdc80 && unit <= 0xdcff)
		return emit_private(s, out, unit & 0xff);
	return emit_unit(s, out, unit);
}

// A raw four-byte character that may be one of our private ones: F4 8F BE|BF xx.
static int take_f4(struct json_scan *s, struct crimg_buf *out)
{
	char c[4] = { 0 };
	for (int i = 0; i < 4; i++) {
		if (take(s, &c[i]) < 0)
			return -1;
		if (i > 0 && ((uint8_t)c[i] & 0xc0) != 0x80) {
			s->at--;
			return emit(s, out, c, (size_t)i); // no UTF-8: jansson will say so
		}
	}
	if ((uint8_t)c[1] == 0x8f && (uint8_t)c[2] >= 0xbe)
		return emit_look_alike(s, out, ((uint8_t)c[2] & 3u) << 6 | ((uint8_t)c[3] & 0x3fu));
	return emit(s, out, c, 4);
}

// How many characters of a string from data[at] on need no care.
static size_t plain_run(const struct json_scan *s)
{
	size_t i = s->at;
	while (i < s->length && s->data[i] != '"' && s->data[i] != '\\' && s->data[i] >= 0x20
	       && s->data[i] != 0xf4)
		i++;
	return i - s->at;
}

static int take_string(struct json_scan *s, struct crimg_buf *out)
{
	if (emit(s, out, "\"", 1) < 0)
		return -1;
	for (s->at++;;) {
		if (fill(s) < 0)
			return -1;
		size_t n = plain_run(s);
		if (n > 0 && emit(s, out, s->data + s->at, n) < 0)
			return -1;
		s->at += n;
		if (s->at == s->length && !s->eof)
			continue;
		if (s->eof || s->data[s->at] < 0x20)
			return fail_here(s, "the rest of a string");
		if (s->data[s->at] == '"') {
			s->at++;
			return emit(s, out, "\"", 1);
		}
		int rc;
		if (s->data[s->at] == '\\') {
			s->at++;
			rc = take_escape(s, out);
		} else {
			rc = take_f4(s, out);
		}
		if (rc < 0)
			return -1;
	}
}

static bool in_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'
		|| c == '+' || c == '.';
}

// A number or true, false, null. Integers of 19 digits or more may not fit jansson's.
static int take_word(struct json_scan *s, struct crimg_buf *out)
{
	char word[64];
	size_t n = 0;
	bool integer = true;
	while (fill(s) == 0 && !s->eof && in_word(s->data[s->at]) && n < sizeof word) {
		word[n] = (char)s->data[s->at++];
		integer &= (word[n] >= '0' && word[n] <= '9') || (n == 0 && word[n] == '-');
		n++;
	}
	if (n == 0 || n == sizeof word)
		return fail_here(s, n == 0 ? "a JSON value" : "a shorter number");
	bool quote = integer && n >= 19;
	if ((quote && emit(s, out, "\"", 1) < 0) || emit(s, out, word, n) < 0)
		return -1;
	return quote ? emit(s, out, "\"", 1) : 0;
}

static int take_value(struct json_scan *s, struct crimg_buf *out, unsigned depth);

static int take_members(struct json_scan *s, struct crimg_buf *out, unsigned depth, bool object)
{
	bool more, first = true;
	char close = object ? '}' : ']';
	if (emit(s, out, object ? "{" : "[", 1) < 0)
		return -1;
	for (s->at++;; first = false) {
		int c;
		if (json_scan_more(s, close, first, &more, s->err) < 0)
			return -1;
		if (!more)
			return emit(s, out, &close, 1);
		if (!first && emit(s, out, ",", 1) < 0)
			return -1;
		if (object) {
			if (json_scan_peek(s, &c, s->err) < 0)
				return -1;
			if (c != '"')
				return fail_here(s, "a key");
			if (take_string(s, out) < 0 || json_scan_expect(s, ':', s->err) < 0
			    || emit(s, out, ":", 1) < 0)
				return -1;
		}
		if (take_value(s, out, depth + 1) < 0)
			return -1;
	}
}

static int take_value(struct json_scan *s, struct crimg_buf *out, unsigned depth)
{
	int c;
	if (json_scan_peek(s, &c, s->err) < 0)
		return -1;
	if (depth > JSON_SCAN_MAX_DEPTH)
		return crimg_fail(s->err, CRIMG_E_LIMIT, s->window.source->name,
		                  json_scan_offset(s), "JSON nested more than %d deep",
		                  JSON_SCAN_MAX_DEPTH);
	if (c == '{' || c == '[')
		return take_members(s, out, depth, c == '{');
	return c == '"' ? take_string(s, out) : take_word(s, out);
}

int json_scan_value(struct json_scan *s, struct crimg_buf *out, struct crimg_err *err)
{
	s->err = err;
	return take_value(s, out, 1);
}

int json_scan_key(struct json_scan *s, struct crimg_buf *out, char *key, size_t size,
                  struct crimg_err *err)
{
	size_t start = out->length;
	int c;
	if (json_scan_peek(s, &c, err) < 0)
		return -1;
	if (c != '"')
		return fail_here(s, "a key");
	if (take_string(s, out) < 0)
		return -1;
	size_t n = out->length - start - 2;
	if (n >= size)
		n = size - 1;
	if (n > 0)
		memcpy(key, out->data + start + 1, n);
	key[n] = '\0';
	return json_scan_expect(s, ':', err);
}

// Where the run of base64 text ends that is in the window: at a quote or the end of the window.
static size_t text_run(const struct json_scan *s)
{
	const uint8_t *quote = memchr(s->data + s->at, '"', s->length - s->at);
	return quote != NULL ? (size_t)(quote - s->data) - s->at : s->length - s->at;
}

#define RUN_BYTES ((size_t)4096)

static int take_run(struct json_scan *s, struct crimg_base64_decoder *d, size_t length,
                    struct crimg_buf *decoded, size_t limit)
{
	uint8_t bytes[RUN_BYTES / 4 * 3 + 3];
	size_t got, bad;
	if (!crimg_base64_decode(d, (const char *)s->data + s->at, length,
	                         decoded != NULL ? bytes : NULL, &got, &bad)) {
		s->at += bad;
		return fail_here(s, "base64");
	}
	s->at += length;
	if (decoded == NULL)
		return 0;
	if (got > limit - crimg_min_u64(decoded->length, limit))
		return crimg_fail(s->err, CRIMG_E_UNSUPPORTED, s->window.source->name,
		                  json_scan_offset(s),
		                  "more than %zu bytes of payload on a pipe: store the JSON in a "
		                  "file", limit);
	return crimg_buf_append(decoded, bytes, got, s->err);
}

// Counts up to the mark exactly: a run that would cross it is taken one character at a time.
static int take_marked(struct json_scan *s, struct crimg_base64_decoder *d, size_t run,
                       struct crimg_buf *marks)
{
	uint64_t next = (d->decoded / JSON_SCAN_MARK_BYTES + 1) * JSON_SCAN_MARK_BYTES;
	if (next - d->decoded > run)
		return take_run(s, d, run, NULL, 0);
	for (size_t i = 0; i < run && d->decoded < next; i++)
		if (take_run(s, d, 1, NULL, 0) < 0)
			return -1;
	if (d->decoded < next)
		return 0;
	return crimg_buf_u64(marks, json_scan_offset(s), s->err);
}

int json_scan_base64(struct json_scan *s, struct json_scan_base64 *out, struct crimg_buf *marks,
                     struct crimg_buf *decoded, size_t limit, struct crimg_err *err)
{
	struct crimg_base64_decoder d = CRIMG_BASE64_DECODER_INIT;
	if (json_scan_expect(s, '"', err) < 0)
		return -1;
	uint64_t offset = json_scan_offset(s);
	for (;;) {
		if (fill(s) < 0)
			return -1;
		if (s->eof)
			return fail_here(s, "the rest of a base64 string");
		if (s->data[s->at] == '"')
			break;
		size_t run = text_run(s);
		if (run > RUN_BYTES)
			run = RUN_BYTES;
		int rc = marks != NULL ? take_marked(s, &d, run, marks)
		                       : take_run(s, &d, run, decoded, limit);
		if (rc < 0)
			return -1;
	}
	if (!crimg_base64_complete(&d))
		return fail_here(s, "the rest of four base64 digits");
	s->at++;
	*out = (struct json_scan_base64){ .offset = offset, .length = d.decoded };
	return 0;
}

size_t json_scan_bytes(char *text, size_t length)
{
	uint8_t *p = (uint8_t *)text;
	size_t n = 0;
	for (size_t i = 0; i < length; n++) {
		if (length - i >= 4 && p[i] == 0xf4 && p[i + 1] == 0x8f && p[i + 2] >= 0xbe) {
			p[n] = (uint8_t)((p[i + 2] & 3) << 6 | (p[i + 3] & 0x3f));
			i += 4;
		} else {
			p[n] = p[i++];
		}
	}
	return n;
}
