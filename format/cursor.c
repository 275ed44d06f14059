// The bounded cursor.
#include "format/cursor.h"

#include "format/checked.h"

struct crimg_cursor crimg_cursor_make(const void *data, size_t length, const char *name,
                                      uint64_t base)
{
	return (struct crimg_cursor){ .data = data, .length = length, .name = name, .base = base };
}

static int need(const struct crimg_cursor *c, uint64_t length, const char *what,
                struct crimg_err *err)
{
	if (length <= crimg_cursor_left(c))
		return 0;
	return crimg_fail(err, CRIMG_E_WIRE, c->name, crimg_cursor_offset(c),
	                  "%s: %llu bytes wanted, %zu left", what, (unsigned long long)length,
	                  crimg_cursor_left(c));
}

int crimg_cursor_bytes(struct crimg_cursor *c, uint64_t length, const uint8_t **out,
                       const char *what, struct crimg_err *err)
{
	if (need(c, length, what, err) < 0)
		return -1;
	*out = c->data + c->at;
	c->at += (size_t)length;
	return 0;
}

int crimg_cursor_u8(struct crimg_cursor *c, uint8_t *out, const char *what, struct crimg_err *err)
{
	const uint8_t *p;
	if (crimg_cursor_bytes(c, 1, &p, what, err) < 0)
		return -1;
	*out = p[0];
	return 0;
}

int crimg_cursor_u16(struct crimg_cursor *c, uint16_t *out, const char *what, struct crimg_err *err)
{
	const uint8_t *p;
	if (crimg_cursor_bytes(c, 2, &p, what, err) < 0)
		return -1;
	*out = crimg_get_u16(p);
	return 0;
}

int crimg_cursor_u32(struct crimg_cursor *c, uint32_t *out, const char *what, struct crimg_err *err)
{
	const uint8_t *p;
	if (crimg_cursor_bytes(c, 4, &p, what, err) < 0)
		return -1;
	*out = crimg_get_u32(p);
	return 0;
}

int crimg_cursor_u64(struct crimg_cursor *c, uint64_t *out, const char *what, struct crimg_err *err)
{
	const uint8_t *p;
	if (crimg_cursor_bytes(c, 8, &p, what, err) < 0)
		return -1;
	*out = crimg_get_u64(p);
	return 0;
}

int crimg_cursor_varint(struct crimg_cursor *c, uint64_t *out, const char *what,
                        struct crimg_err *err)
{
	uint64_t value = 0;
	if (c->at < c->length && c->data[c->at] < 0x80) { // most are one byte
		*out = c->data[c->at++];
		return 0;
	}
	for (size_t i = 0; i < 10; i++) {
		if (i >= crimg_cursor_left(c))
			return need(c, i + 1, what, err);
		uint8_t byte = c->data[c->at + i];
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if ((byte & 0x80) == 0) {
			*out = value;
			c->at += i + 1;
			return 0;
		}
	}
	return crimg_fail(err, CRIMG_E_WIRE, c->name, crimg_cursor_offset(c),
	                  "%s: a varint of more than 10 bytes", what);
}

int crimg_cursor_sub(struct crimg_cursor *c, uint64_t length, struct crimg_cursor *out,
                     const char *what, struct crimg_err *err)
{
	uint64_t base = crimg_cursor_offset(c);
	const uint8_t *p;
	if (crimg_cursor_bytes(c, length, &p, what, err) < 0)
		return -1;
	*out = crimg_cursor_make(p, (size_t)length, c->name, base);
	return 0;
}
