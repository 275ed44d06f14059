// The JSON emitter.
#include "format/json.h"

#include <stdio.h>
#include <string.h>

#include "format/base64.h"

// What is known of an open object or array.
enum { IS_OBJECT = 1, HAS_MEMBERS = 2 };

struct crimg_json crimg_json_make(struct crimg_buf *out, bool pretty)
{
	return (struct crimg_json){ .out = out, .pretty = pretty };
}

static void misuse(struct crimg_json *j, const char *what)
{
	crimg_fail(&j->error, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET, "JSON: %s", what);
}

void crimg_json_fail(struct crimg_json *j, const struct crimg_err *err)
{
	if (j->error.code == CRIMG_OK)
		j->error = *err;
}

int crimg_json_status(const struct crimg_json *j, struct crimg_err *err)
{
	if (j->error.code == CRIMG_OK)
		return 0;
	if (err != NULL && err->code == CRIMG_OK)
		*err = j->error;
	return -1;
}

int crimg_json_finish(const struct crimg_json *j, struct crimg_err *err)
{
	if (crimg_json_status(j, err) < 0)
		return -1;
	if (!j->ended)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "JSON: %u values are still open", j->depth);
	return 0;
}

static const char hex_digits[] = "0123456789abcdef";

static char *put_unit(char *p, uint32_t unit)
{
	p[0] = '\\';
	p[1] = 'u';
	p[2] = hex_digits[unit >> 12 & 15];
	p[3] = hex_digits[unit >> 8 & 15];
	p[4] = hex_digits[unit >> 4 & 15];
	p[5] = hex_digits[unit & 15];
	return p + 6;
}

static char *put_code_point(char *p, uint32_t c)
{
	if (c < 0x10000)
		return put_unit(p, c);
	c -= 0x10000;
	p = put_unit(p, 0xd800 + (c >> 10));
	return put_unit(p, 0xdc00 + (c & 0x3ff));
}

static bool continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

// The length of the UTF-8 sequence at s (left >= 1 bytes) and its code point; 0 when it is none.
static size_t decode_utf8(const unsigned char *s, size_t left, uint32_t *out)
{
	uint32_t c;
	if (s[0] >= 0xc2 && s[0] < 0xe0 && left >= 2 && continues(s[1])) {
		*out = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3fu);
		return 2;
	}
	if ((s[0] & 0xf0) == 0xe0 && left >= 3 && continues(s[1]) && continues(s[2])) {
		c = (uint32_t)(s[0] & 0xf) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
		*out = c;
		return c >= 0x800 && (c < 0xd800 || c > 0xdfff) ? 3 : 0;
	}
	if (s[0] >= 0xf0 && s[0] < 0xf5 && left >= 4 && continues(s[1]) && continues(s[2])
	    && continues(s[3])) {
		c = (uint32_t)(s[0] & 7) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6
			| (s[3] & 0x3fu);
		*out = c;
		return c >= 0x10000 && c <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

static char *put_control(char *p, unsigned char c)
{
	static const char names[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};
	if (c >= 32 || names[c] == '\0')
		return put_unit(p, c);
	p[0] = '\\';
	p[1] = names[c];
	return p + 2;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Writes the character at s, of which left bytes are there; *n gets how many it took.
static char *put_special(char *p, const unsigned char *s, size_t left, size_t *n)
{
	uint32_t c = 0;
	*n = 1;
	if (s[0] == '"' || s[0] == '\\') {
		p[0] = '\\';
		p[1] = (char)s[0];
		return p + 2;
	}
	if (s[0] < 0x80)
		return put_control(p, s[0]);
	size_t length = decode_utf8(s, left, &c);
	if (length == 0)
		return put_unit(p, 0xdc00u + s[0]);
	*n = length;
	return put_code_point(p, c);
}

// Writes a quoted string: at most 6 * length + 2 bytes.
static char *put_text(char *p, const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	*p++ = '"';
	for (size_t i = 0, n; i < length; i += n) {
		for (n = 0; i + n < length && is_plain(s[i + n]); n++)
			p[n] = (char)s[i + n];
		p += n;
		if (n == 0)
			p = put_special(p, s + i, length - i, &n);
	}
	*p++ = '"';
	return p;
}

static char *put_line_start(char *p, unsigned depth)
{
	*p++ = '\n';
	memset(p, ' ', (size_t)depth * 4);
	return p + (size_t)depth * 4;
}

static bool may_add(struct crimg_json *j, const char *key)
{
	if (j->error.code != CRIMG_OK)
		return false;
	bool in_object = j->depth > 0 && (j->open[j->depth] & IS_OBJECT) != 0;
	if (j->streaming)
		misuse(j, "a value within an open base64 string");
	else if (j->ended)
		misuse(j, "a second value at the top");
	else if (in_object && key == NULL)
		misuse(j, "a member of an object without a key");
	else if (!in_object && key != NULL)
		misuse(j, "a key outside an object");
	return j->error.code == CRIMG_OK;
}

// Writes what stands before a value (comma, line start, key), with room for `room` more bytes behind it.
// NULL when nothing may be written.
static char *begin(struct crimg_json *j, const char *key, size_t room)
{
	if (!may_add(j, key))
		return NULL;
	size_t key_length = key != NULL ? strlen(key) : 0;
	size_t fixed = (size_t)j->depth * 4 + 16;
	if (key_length > SIZE_MAX / 32 || room > SIZE_MAX / 2 - 6 * key_length - fixed) {
		misuse(j, "a value that fits no memory");
		return NULL;
	}
	if (crimg_buf_reserve(j->out, room + 6 * key_length + fixed, &j->error) < 0)
		return NULL;
	char *p = (char *)j->out->data + j->out->length;
	if (j->depth == 0)
		return p;
	bool first = (j->open[j->depth] & HAS_MEMBERS) == 0;
	j->open[j->depth] |= HAS_MEMBERS;
	if (!first)
		*p++ = ',';
	if (j->pretty)
		p = put_line_start(p, j->depth);
	else if (!first)
		*p++ = ' ';
	if (key == NULL)
		return p;
	p = put_text(p, key, key_length);
	*p++ = ':';
	*p++ = ' ';
	return p;
}

// The text ends at p.
static void commit(struct crimg_json *j, const char *p)
{
	j->out->length = (size_t)(p - (char *)j->out->data);
	j->ended = j->depth == 0;
}

static void open_value(struct crimg_json *j, const char *key, bool object)
{
	if (j->depth == CRIMG_JSON_MAX_DEPTH)
		misuse(j, "values nested too deep");
	char *p = begin(j, key, 1);
	if (p == NULL)
		return;
	*p++ = object ? '{' : '[';
	j->depth++;
	j->open[j->depth] = object ? IS_OBJECT : 0;
	commit(j, p);
}

void crimg_json_object(struct crimg_json *j, const char *key)
{
	open_value(j, key, true);
}

void crimg_json_array(struct crimg_json *j, const char *key)
{
	open_value(j, key, false);
}

void crimg_json_end(struct crimg_json *j)
{
	if (j->error.code != CRIMG_OK)
		return;
	if (j->depth == 0 || j->streaming) {
		misuse(j, "an end without a beginning");
		return;
	}
	if (crimg_buf_reserve(j->out, (size_t)j->depth * 4 + 2, &j->error) < 0)
		return;
	char *p = (char *)j->out->data + j->out->length;
	uint8_t what = j->open[j->depth--];
	if (j->pretty && (what & HAS_MEMBERS) != 0)
		p = put_line_start(p, j->depth);
	*p++ = (what & IS_OBJECT) != 0 ? '}' : ']';
	commit(j, p);
}

void crimg_json_text_n(struct crimg_json *j, const char *key, const char *text, size_t length)
{
	if (length > SIZE_MAX / 32) {
		misuse(j, "a text that fits no memory");
		return;
	}
	char *p = begin(j, key, 6 * length + 2);
	if (p != NULL)
		commit(j, put_text(p, text, length));
}

void crimg_json_text(struct crimg_json *j, const char *key, const char *text)
{
	if (text == NULL)
		crimg_json_null(j, key);
	else
		crimg_json_text_n(j, key, text, strlen(text));
}

void crimg_json_textf(struct crimg_json *j, const char *key, const char *fmt, ...)
{
	char text[1024] = "";
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	crimg_json_text(j, key, text);
}

static void put_word(struct crimg_json *j, const char *key, const char *word, size_t length)
{
	char *p = begin(j, key, length);
	if (p == NULL)
		return;
	memcpy(p, word, length);
	commit(j, p + length);
}

void crimg_json_null(struct crimg_json *j, const char *key)
{
	put_word(j, key, "null", 4);
}

void crimg_json_bool(struct crimg_json *j, const char *key, bool value)
{
	put_word(j, key, value ? "true" : "false", value ? 4 : 5);
}

// Writes the digits of value so that they end at end; returns their start.
static char *put_digits(char *end, uint64_t value)
{
	for (; value >= 100; value /= 100) {
		unsigned pair = (unsigned)(value % 100);
		*--end = (char)('0' + pair % 10);
		*--end = (char)('0' + pair / 10);
	}
	if (value >= 10) {
		*--end = (char)('0' + value % 10);
		value /= 10;
	}
	*--end = (char)('0' + value);
	return end;
}

void crimg_json_u64(struct crimg_json *j, const char *key, uint64_t value)
{
	char digits[20], *end = digits + sizeof digits, *start = put_digits(end, value);
	put_word(j, key, start, (size_t)(end - start));
}

void crimg_json_i64(struct crimg_json *j, const char *key, int64_t value)
{
	char digits[21], *end = digits + sizeof digits;
	char *start = put_digits(end, value < 0 ? -(uint64_t)value : (uint64_t)value);
	if (value < 0)
		*--start = '-';
	put_word(j, key, start, (size_t)(end - start));
}

void crimg_json_hex(struct crimg_json *j, const char *key, uint64_t value)
{
	char digits[20], *end = digits + sizeof digits, *p = end;
	*--p = '"';
	do
		*--p = hex_digits[value & 15];
	while ((value >>= 4) != 0);
	*--p = 'x';
	*--p = '0';
	*--p = '"';
	put_word(j, key, p, (size_t)(end - p));
}

void crimg_json_base64_open(struct crimg_json *j, const char *key)
{
	char *p = begin(j, key, 1);
	if (p == NULL)
		return;
	*p++ = '"';
	j->out->length = (size_t)(p - (char *)j->out->data);
	j->streaming = true;
	j->line_length = 0;
}

#define LINE_TEXT ((size_t)(CRIMG_JSON_LINE_BYTES / 3 * 4 + 2))

static char *put_line(char *p, const uint8_t *data, size_t length)
{
	p += crimg_base64_encode(data, length, p);
	p[0] = '\\';
	p[1] = 'n';
	return p + 2;
}

// Whole lines straight from data.
static void add_lines(struct crimg_json *j, const uint8_t *data, size_t lines)
{
	if (lines > SIZE_MAX / 2 / LINE_TEXT) {
		misuse(j, "data that fit no memory");
		return;
	}
	if (crimg_buf_reserve(j->out, lines * LINE_TEXT, &j->error) < 0)
		return;
	char *p = (char *)j->out->data + j->out->length;
	for (size_t i = 0; i < lines; i++)
		p = put_line(p, data + i * CRIMG_JSON_LINE_BYTES, CRIMG_JSON_LINE_BYTES);
	j->out->length = (size_t)(p - (char *)j->out->data);
}

void crimg_json_base64_add(struct crimg_json *j, const uint8_t *data, size_t length)
{
	if (!j->streaming)
		misuse(j, "base64 data outside a string");
	if (j->error.code != CRIMG_OK || length == 0)
		return;
	if (j->line_length > 0) {
		size_t n = CRIMG_JSON_LINE_BYTES - j->line_length;
		if (n > length)
			n = length;
		memcpy(j->line + j->line_length, data, n);
		j->line_length += n;
		data += n;
		length -= n;
		if (j->line_length < CRIMG_JSON_LINE_BYTES)
			return;
		add_lines(j, j->line, 1);
	}
	size_t lines = length / CRIMG_JSON_LINE_BYTES;
	add_lines(j, data, lines);
	j->line_length = length - lines * CRIMG_JSON_LINE_BYTES;
	if (j->line_length > 0)
		memcpy(j->line, data + lines * CRIMG_JSON_LINE_BYTES, j->line_length);
}

void crimg_json_base64_close(struct crimg_json *j)
{
	if (!j->streaming)
		misuse(j, "the end of a base64 string that was not begun");
	if (j->error.code != CRIMG_OK
	    || crimg_buf_reserve(j->out, LINE_TEXT + 1, &j->error) < 0)
		return;
	char *p = (char *)j->out->data + j->out->length;
	if (j->line_length > 0)
		p = put_line(p, j->line, j->line_length);
	*p++ = '"';
	j->line_length = 0;
	j->streaming = false;
	commit(j, p);
}

void crimg_json_base64(struct crimg_json *j, const char *key, const uint8_t *data, size_t length)
{
	crimg_json_base64_open(j, key);
	if (length > 0)
		crimg_json_base64_add(j, data, length);
	crimg_json_base64_close(j);
}
