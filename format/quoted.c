// Quoted-printable text, as crit shows and takes the names of unix sockets.
#include <string.h>

#include "format/hint_text.h"

#define LINE_MAX_CHARACTERS 76u

struct quoting {
	struct crimg_buf *out;
	size_t column;
	bool crlf;      // the first line end of the data is CR LF: then all of the text have it
	bool keep_lines; // line ends stand for themselves; else they are quoted
};

static void put(struct quoting *q, uint8_t c)
{
	q->out->data[q->out->length++] = c;
}

static void put_quoted(struct quoting *q, uint8_t c)
{
	static const char hex[] = "0123456789ABCDEF";
	put(q, '=');
	put(q, (uint8_t)hex[c >> 4]);
	put(q, (uint8_t)hex[c & 15]);
	q->column += 3;
}

static void put_line_end(struct quoting *q)
{
	if (q->crlf)
		put(q, '\r');
	put(q, '\n');
	q->column = 0;
}

static void put_soft_end(struct quoting *q)
{
	put(q, '=');
	put_line_end(q);
}

// A dot alone on its line would end a mail.
static bool lone_dot(const struct quoting *q, const uint8_t *p, size_t left)
{
	return p[0] == '.' && q->column == 0
		&& (left == 1 || p[1] == '\n' || p[1] == '\r' || p[1] == 0);
}

static bool must_quote(const struct quoting *q, const uint8_t *p, size_t left)
{
	if (p[0] > 126 || p[0] == '=' || lone_dot(q, p, left))
		return true;
	if (p[0] == '\r' || p[0] == '\n')
		return !q->keep_lines;
	if (p[0] == ' ' || p[0] == '\t')
		return left == 1;
	return p[0] < 33;
}

static bool line_ends(const struct quoting *q, const uint8_t *p, size_t left)
{
	return q->keep_lines && (p[0] == '\n' || (p[0] == '\r' && left > 1 && p[1] == '\n'));
}

// A blank at the end of a line could be lost: it is quoted after the fact.
static void quote_last_blank(struct quoting *q)
{
	uint8_t last = q->out->data[q->out->length - 1];
	q->out->length--;
	put_quoted(q, last);
}

static void encode_one(struct quoting *q, const uint8_t *data, size_t length, size_t *i)
{
	const uint8_t *p = data + *i;
	size_t left = length - *i;
	if (must_quote(q, p, left)) {
		if (q->column + 3 >= LINE_MAX_CHARACTERS)
			put_soft_end(q);
		put_quoted(q, p[0]);
		*i += 1;
	} else if (line_ends(q, p, left)) {
		if (*i > 0 && (p[-1] == ' ' || p[-1] == '\t'))
			quote_last_blank(q);
		put_line_end(q);
		*i += p[0] == '\r' ? 2 : 1;
	} else {
		if (left > 1 && p[1] != '\n' && q->column + 1 >= LINE_MAX_CHARACTERS)
			put_soft_end(q);
		put(q, p[0]);
		q->column++;
		*i += 1;
	}
}

static int encode(const uint8_t *data, size_t length, bool keep_lines, struct crimg_buf *out,
                  struct crimg_err *err)
{
	// Three characters a byte, and a soft line end of at most three every 73 characters.
	if (length > SIZE_MAX / 16)
		return crimg_fail_nomem(err, length);
	if (crimg_buf_reserve(out, 4 * length + 16, err) < 0)
		return -1;
	const uint8_t *end = length > 0 ? memchr(data, '\n', length) : NULL;
	struct quoting q = {
		.out = out, .keep_lines = keep_lines,
		.crlf = end != NULL && end > data && end[-1] == '\r',
	};
	for (size_t i = 0; i < length;)
		encode_one(&q, data, length, &i);
	return 0;
}

int crimg_quoted_encode(const uint8_t *data, size_t length, struct crimg_buf *out,
                        struct crimg_err *err)
{
	size_t start = out->length;
	struct crimg_buf back = CRIMG_BUF_INIT;
	if (encode(data, length, true, out, err) < 0)
		return -1;
	int rc = crimg_quoted_decode((const char *)out->data + start, out->length - start, &back, err);
	bool same = rc == 0 && back.length == length
		&& (length == 0 || memcmp(back.data, data, length) == 0);
	crimg_buf_fini(&back);
	if (rc < 0 || same)
		return rc;
	out->length = start;
	return encode(data, length, false, out, err);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// What follows a '=' at text[i]; returns where to go on.
static size_t decode_quoted(struct crimg_buf *out, const char *text, size_t length, size_t i)
{
	if (++i >= length)
		return i;
	if (text[i] == '\n' || text[i] == '\r') { // a soft line end stands for nothing
		while (i < length && text[i] != '\n')
			i++;
		return i + 1;
	}
	if (text[i] == '=') {
		out->data[out->length++] = '=';
		return i + 1;
	}
	if (i + 1 < length && hex_value(text[i]) >= 0 && hex_value(text[i + 1]) >= 0) {
		out->data[out->length++] =
			(uint8_t)(hex_value(text[i]) << 4 | hex_value(text[i + 1]));
		return i + 2;
	}
	out->data[out->length++] = '=';
	return i;
}

int crimg_quoted_decode(const char *text, size_t length, struct crimg_buf *out,
                        struct crimg_err *err)
{
	if (crimg_buf_reserve(out, length + 1, err) < 0)
		return -1;
	for (size_t i = 0; i < length;) {
		if (text[i] == '=') {
			i = decode_quoted(out, text, length, i);
		} else {
			out->data[out->length++] = (uint8_t)text[i++];
		}
	}
	return 0;
}
