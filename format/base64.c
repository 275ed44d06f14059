// Base64 encoding and decoding.
#include "format/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t crimg_base64_encode(const uint8_t *data, size_t length, char *out)
{
	char *p = out;
	size_t i = 0;
	for (; i + 3 <= length; i += 3, p += 4) {
		uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
		p[0] = digits[v >> 18];
		p[1] = digits[v >> 12 & 63];
		p[2] = digits[v >> 6 & 63];
		p[3] = digits[v & 63];
	}
	if (i < length) {
		bool two = length - i == 2;
		uint32_t v = (uint32_t)data[i] << 16 | (two ? (uint32_t)data[i + 1] << 8 : 0);
		p[0] = digits[v >> 18];
		p[1] = digits[v >> 12 & 63];
		p[2] = two ? digits[v >> 6 & 63] : '=';
		p[3] = '=';
		p += 4;
	}
	return (size_t)(p - out);
}

// Classes of characters; digits are their value + 1, so that 0, what is not listed, is refused.
enum { REFUSED = 0, SPACE = 65, PAD = 66, BACKSLASH = 67 };

#define RUN6(c, v) [c] = v, [c + 1] = v + 1, [c + 2] = v + 2, [c + 3] = v + 3, [c + 4] = v + 4, \
	[c + 5] = v + 5
#define RUN26(c, v) RUN6(c, v), RUN6(c + 6, v + 6), RUN6(c + 12, v + 12), RUN6(c + 18, v + 18), \
	[c + 24] = v + 24, [c + 25] = v + 25
static const uint8_t classes[256] = {
	RUN26('A', 1), RUN26('a', 27), RUN6('0', 53), ['6'] = 59, ['7'] = 60, ['8'] = 61,
	['9'] = 62, ['+'] = 63, ['/'] = 64, [' '] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE,
	['\t'] = SPACE, ['='] = PAD, ['\\'] = BACKSLASH,
};

// The class of a character that a backslash precedes.
static unsigned escaped_class(char c)
{
	return c == 'n' || c == 'r' || c == 't' ? SPACE : c == '/' ? classes['/'] : REFUSED;
}

static bool take_pad(struct crimg_base64_decoder *d, uint8_t *out, size_t *n)
{
	if (d->digits < 2 || d->digits + d->pads >= 4)
		return false;
	d->pads++;
	if (d->pads > 1)
		return true;
	// The first '=' tells how much the open quantum holds: 2 digits 1 byte, 3 digits 2.
	uint32_t v = d->bits << 6 * (4 - d->digits);
	for (unsigned i = 0; i + 1 < d->digits; i++, d->decoded++, (*n)++)
		if (out != NULL)
			out[*n] = (uint8_t)(v >> (16 - 8 * i));
	return true;
}

static void take_digit(struct crimg_base64_decoder *d, unsigned value, uint8_t *out, size_t *n)
{
	d->bits = d->bits << 6 | value;
	if (++d->digits < 4)
		return;
	if (out != NULL) {
		out[*n] = (uint8_t)(d->bits >> 16);
		out[*n + 1] = (uint8_t)(d->bits >> 8);
		out[*n + 2] = (uint8_t)d->bits;
	}
	*n += 3;
	d->decoded += 3;
	d->digits = 0;
	d->bits = 0;
}

bool crimg_base64_decode(struct crimg_base64_decoder *d, const char *text, size_t length,
                         uint8_t *out, size_t *got, size_t *bad)
{
	size_t n = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned class = d->escape ? escaped_class(text[i]) : classes[(uint8_t)text[i]];
		d->escape = class == BACKSLASH;
		if (class == SPACE || class == BACKSLASH)
			continue;
		if (class == REFUSED || (class == PAD && !take_pad(d, out, &n))
		    || (class != PAD && d->pads > 0)) {
			*bad = i;
			return false;
		}
		if (class != PAD)
			take_digit(d, class - 1, out, &n);
	}
	*got = n;
	return true;
}

bool crimg_base64_complete(const struct crimg_base64_decoder *d)
{
	return !d->escape && (d->digits + d->pads) % 4 == 0;
}
