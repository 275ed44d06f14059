// How wide UTF-8 is on a terminal, and cutting it there. East Asian wide characters take two columns;
// combining marks take none.
#include <stdlib.h>
#include <string.h>

#include "inspect/table.h"

static size_t decode(const unsigned char *p, uint32_t *out)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) { // not UTF-8: crimg_safe_text keeps this away
			*out = p[0];
			return 1;
		}
		c = c << 6 | (p[i] & 0x3fu);
	}
	*out = c;
	return n;
}

static const struct {
	uint32_t first, last;
	unsigned columns;
} odd_widths[] = {
	{ 0x300, 0x36f, 0 },     { 0x200b, 0x200f, 0 },   { 0x20d0, 0x20ff, 0 },
	{ 0xfe00, 0xfe0f, 0 },   { 0x1100, 0x115f, 2 },   { 0x2e80, 0x303e, 2 },
	{ 0x3041, 0x33ff, 2 },   { 0x3400, 0x4dbf, 2 },   { 0x4e00, 0x9fff, 2 },
	{ 0xa000, 0xa4cf, 2 },   { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },
	{ 0xfe30, 0xfe6f, 2 },   { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
	{ 0x1f300, 0x1f64f, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
};

static size_t columns_of(uint32_t c)
{
	if (c < 0x300)
		return 1;
	for (size_t i = 0; i < sizeof odd_widths / sizeof odd_widths[0]; i++)
		if (c >= odd_widths[i].first && c <= odd_widths[i].last)
			return odd_widths[i].columns;
	return 1;
}

size_t crimg_text_columns(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t total = 0;
	while (*p != '\0') {
		uint32_t c;
		p += decode(p, &c);
		total += columns_of(c);
	}
	return total;
}

// Bytes of text that fit into columns.
static size_t fitting(const char *text, size_t columns)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0, at = 0;
	while (p[at] != '\0') {
		uint32_t c;
		size_t n = decode(p + at, &c);
		used += columns_of(c);
		if (used > columns)
			break;
		at += n;
	}
	return at;
}

// Where the last columns of text begin.
static size_t tail_start(const char *text, size_t columns)
{
	size_t total = crimg_text_columns(text), at = 0;
	const unsigned char *p = (const unsigned char *)text;
	while (p[at] != '\0' && total > columns) {
		uint32_t c;
		at += decode(p + at, &c);
		total -= columns_of(c);
	}
	return at;
}

char *crimg_text_cut(const char *text, size_t columns, bool middle)
{
	static const char dots[] = "\xe2\x80\xa6"; // …
	size_t length = strlen(text);
	char *out = malloc(length + sizeof dots);
	if (out == NULL)
		return NULL;
	if (crimg_text_columns(text) <= columns || columns == 0) {
		memcpy(out, text, columns == 0 ? 0 : length);
		out[columns == 0 ? 0 : length] = '\0';
		return out;
	}
	size_t head = fitting(text, middle ? (columns - 1) / 3 : columns - 1);
	size_t tail = middle ? tail_start(text, columns - 1 - (columns - 1) / 3) : length;
	memcpy(out, text, head);
	memcpy(out + head, dots, sizeof dots - 1);
	memcpy(out + head + sizeof dots - 1, text + tail, length - tail + 1);
	return out;
}
