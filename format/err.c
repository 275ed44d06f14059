// Filling and formatting the error value.
#include "format/err.h"

#include <stdio.h>
#include <string.h>

static void set_place(struct crimg_err *err, const char *source, uint64_t offset)
{
	if (source != NULL)
		snprintf(err->source, sizeof err->source, "%s", source);
	err->has_offset = offset != CRIMG_NO_OFFSET;
	err->offset = err->has_offset ? offset : 0;
}

int crimg_fail(struct crimg_err *err, enum crimg_code code, const char *source, uint64_t offset,
               const char *fmt, ...)
{
	if (err == NULL || err->code != CRIMG_OK)
		return -1;
	err->code = code;
	set_place(err, source, offset);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	return -1;
}

int crimg_fail_sys(struct crimg_err *err, int sys_errno, const char *source, const char *fmt, ...)
{
	if (err == NULL || err->code != CRIMG_OK)
		return -1;
	err->code = CRIMG_E_IO;
	err->sys_errno = sys_errno;
	set_place(err, source, CRIMG_NO_OFFSET);
	va_list ap;
	va_start(ap, fmt);
	int used = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (used >= 0 && (size_t)used < sizeof err->text)
		snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s",
		         strerror(sys_errno));
	return -1;
}

int crimg_fail_nomem(struct crimg_err *err, size_t size)
{
	if (size == 0)
		return crimg_fail(err, CRIMG_E_NOMEM, NULL, CRIMG_NO_OFFSET, "out of memory");
	return crimg_fail(err, CRIMG_E_NOMEM, NULL, CRIMG_NO_OFFSET,
	                  "out of memory: %zu bytes were wanted", size);
}

// Overlong forms, surrogates and what lies beyond U+10FFFF, told by the first two bytes.
static bool is_ill_formed(const unsigned char *p)
{
	return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)
		|| (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90);
}

// C1 controls, and the marks that turn the direction of text or break its lines.
static bool is_control(const unsigned char *p, size_t n)
{
	if (n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return n == 3 && p[0] == 0xe2
		&& ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae)
		    || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

// Length of the well-formed UTF-8 sequence at p (1 to 4), or 0.
static size_t utf8_length(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
		: p[0] < 0xf5 ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n > 1 && (is_ill_formed(p) || is_control(p, n)) ? 0 : n;
}

char *crimg_safe_text(char *out, size_t size, const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;
	for (size_t i = 0; i < length;) {
		size_t n = utf8_length(p + i, length - i);
		bool plain = n > 1 || (n == 1 && p[i] >= 0x20 && p[i] != 0x7f);
		size_t need = plain ? n : 4;
		if (used + need + 1 > size)
			break;
		if (plain)
			memcpy(out + used, p + i, n);
		else
			snprintf(out + used, 5, "\\x%02x", (unsigned)p[i]);
		used += need;
		i += plain ? n : 1;
	}
	if (size > 0)
		out[used] = '\0';
	return out;
}

void crimg_err_format(const struct crimg_err *err, char *out, size_t size)
{
	char source[2 * CRIMG_ERR_SOURCE_MAX], text[2 * CRIMG_ERR_TEXT_MAX];
	crimg_safe_text(source, sizeof source, err->source, strlen(err->source));
	crimg_safe_text(text, sizeof text, err->text, strlen(err->text));
	if (err->source[0] == '\0')
		snprintf(out, size, "%s", text);
	else if (err->has_offset)
		snprintf(out, size, "%s: offset %llu (0x%llx): %s", source,
		         (unsigned long long)err->offset, (unsigned long long)err->offset, text);
	else
		snprintf(out, size, "%s: %s", source, text);
}
