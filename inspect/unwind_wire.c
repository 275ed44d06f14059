// A message: the length of what follows, a type, then numbers of 64 bits and a text, as many as the
// type has.
#include "inspect/unwind_wire.h"

#include <string.h>

#include "format/checked.h"

enum { HEAD_BYTES = 4, FLAG_EXACT = 1, FLAG_SIGNAL = 2, MAX_NUMBERS = 4 };

static const struct {
	unsigned numbers;
	bool text;
} shapes[] = {
	[CRIMG_WIRE_BEGIN] = { 1, false }, [CRIMG_WIRE_FRAME] = { 4, false },
	[CRIMG_WIRE_END] = { 2, false },   [CRIMG_WIRE_LINE] = { 2, true },
	[CRIMG_WIRE_DONE] = { 0, false },
};

int crimg_wire_put(struct crimg_buf *out, const struct crimg_wire *m, struct crimg_err *err)
{
	uint64_t flags = (m->frame.exact ? FLAG_EXACT : 0) | (m->frame.signal ? FLAG_SIGNAL : 0);
	const uint64_t numbers[][MAX_NUMBERS] = {
		[CRIMG_WIRE_BEGIN] = { m->thread },
		[CRIMG_WIRE_FRAME] = { m->frame.pc, m->frame.sp, m->frame.how, flags },
		[CRIMG_WIRE_END] = { m->end, m->address },
		[CRIMG_WIRE_LINE] = { m->number, m->line },
		[CRIMG_WIRE_DONE] = { 0 },
	};
	unsigned count = shapes[m->type].numbers;
	size_t length = shapes[m->type].text ? crimg_min_u64(m->length, CRIMG_WIRE_MAX_TEXT) : 0;
	uint8_t type = (uint8_t)m->type;
	if (crimg_buf_u32(out, (uint32_t)(sizeof type + 8 * count + length), err) < 0
	    || crimg_buf_append(out, &type, sizeof type, err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++)
		if (crimg_buf_u64(out, numbers[m->type][i], err) < 0)
			return -1;
	return length > 0 ? crimg_buf_append(out, m->text, length, err) : 0;
}

// Numbers as the type has them, each within its bounds.
static bool understand(struct crimg_wire *m, const uint64_t *n)
{
	switch (m->type) {
	case CRIMG_WIRE_BEGIN:
		m->thread = (uint32_t)n[0];
		return n[0] <= UINT32_MAX;
	case CRIMG_WIRE_FRAME:
		m->frame = (struct crimg_frame){ .pc = n[0], .sp = n[1],
			                         .how = (enum crimg_frame_how)(n[2] & 0xff),
			                         .exact = (n[3] & FLAG_EXACT) != 0,
			                         .signal = (n[3] & FLAG_SIGNAL) != 0 };
		return n[2] < CRIMG_FRAME_HOW_COUNT && n[3] <= (FLAG_EXACT | FLAG_SIGNAL);
	case CRIMG_WIRE_END:
		m->end = (enum crimg_unwind_end)(n[0] & 0xff);
		m->address = n[1];
		return n[0] < CRIMG_END_COUNT;
	case CRIMG_WIRE_LINE:
		m->number = (uint32_t)n[0];
		m->line = (uint32_t)n[1];
		return n[0] <= UINT32_MAX && n[1] > 0 && n[1] <= INT32_MAX;
	default:
		return true;
	}
}

int crimg_wire_take(struct crimg_cursor *c, struct crimg_wire *out, struct crimg_err *err)
{
	struct crimg_cursor at = *c, body;
	struct crimg_wire m = { .type = CRIMG_WIRE_DONE };
	uint64_t numbers[MAX_NUMBERS] = { 0 };
	const uint8_t *text;
	uint32_t length;
	uint8_t type;
	if (crimg_cursor_left(&at) < HEAD_BYTES)
		return 0;
	if (crimg_cursor_u32(&at, &length, "length", err) < 0)
		return -1;
	if (length == 0 || length > 1 + 8 * MAX_NUMBERS + CRIMG_WIRE_MAX_TEXT)
		return crimg_fail(err, CRIMG_E_FORMAT, c->name, CRIMG_NO_OFFSET, "a message of %u bytes",
		                  length);
	if (crimg_cursor_left(&at) < length)
		return 0;
	if (crimg_cursor_sub(&at, length, &body, "message", err) < 0
	    || crimg_cursor_u8(&body, &type, "type", err) < 0)
		return -1;
	if (type < CRIMG_WIRE_BEGIN || type > CRIMG_WIRE_DONE)
		return crimg_fail(err, CRIMG_E_FORMAT, c->name, CRIMG_NO_OFFSET, "type %u", type);
	m.type = (enum crimg_wire_type)type;
	for (unsigned i = 0; i < shapes[type].numbers; i++)
		if (crimg_cursor_u64(&body, &numbers[i], "number", err) < 0)
			return -1;
	m.length = crimg_cursor_left(&body);
	if ((m.length > 0 && !shapes[type].text) || !understand(&m, numbers))
		return crimg_fail(err, CRIMG_E_FORMAT, c->name, CRIMG_NO_OFFSET,
		                  "a message of type %u that makes no sense", type);
	if (crimg_cursor_bytes(&body, m.length, &text, "text", err) < 0)
		return -1;
	m.text = (const char *)text;
	*out = m;
	*c = at;
	return 1;
}
