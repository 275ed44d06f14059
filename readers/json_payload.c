// Payload parts of a JSON image.
#include "readers/json_payload.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"

struct json_part {
	uint8_t *memory;       // owned; NULL: base64 in the source
	uint64_t text;         // offset of the first character
	uint64_t length;       // bytes
	size_t mark;           // index of the part's first mark
};

struct json_payloads json_payloads_make(struct crimg_source *source)
{
	return (struct json_payloads){ .source = source };
}

void json_payloads_fini(struct json_payloads *p)
{
	for (size_t i = 0; i < p->part_count; i++)
		free(p->parts[i].memory);
	free(p->parts);
	free(p->list);
	crimg_buf_fini(&p->marks);
}

void json_cut_fini(struct json_cut *cut)
{
	free(cut->memory);
	*cut = (struct json_cut){ .found = false };
}

int json_payloads_cut(struct json_payloads *p, struct json_scan *s, struct json_cut *cut,
                      struct crimg_err *err)
{
	bool pipe = p->source->forward_only;
	struct crimg_buf decoded = CRIMG_BUF_INIT;
	struct json_cut found = { .found = true, .mark = p->marks.length / 8 };
	if (cut->found)
		return crimg_fail(err, CRIMG_E_FORMAT, p->source->name, json_scan_offset(s),
		                  "this key once wanted, twice given");
	if (json_scan_base64(s, &found.text, pipe ? NULL : &p->marks, pipe ? &decoded : NULL,
	                     JSON_PAYLOAD_PIPE_BYTES - p->pipe_bytes, err) < 0) {
		crimg_buf_fini(&decoded);
		return -1;
	}
	p->pipe_bytes += decoded.length;
	found.memory = decoded.data;
	*cut = found;
	return 0;
}

static int add_part(struct json_payloads *p, struct json_part part, struct crimg_err *err)
{
	void *array = p->parts;
	if (crimg_grow(&array, &p->part_capacity, p->part_count, sizeof *p->parts, err) < 0)
		return -1;
	p->parts = array;
	p->parts[p->part_count++] = part;
	p->open_length += part.length;
	return 0;
}

int json_payloads_add_cut(struct json_payloads *p, struct json_cut *cut, struct crimg_err *err)
{
	struct json_part part = {
		.memory = cut->memory, .text = cut->text.offset, .length = cut->text.length,
		.mark = cut->mark,
	};
	if (!cut->found || part.length == 0)
		return 0;
	if (add_part(p, part, err) < 0)
		return -1;
	cut->memory = NULL;
	return 0;
}

int json_payloads_add_bytes(struct json_payloads *p, const uint8_t *data, size_t length,
                            struct crimg_err *err)
{
	if (length == 0)
		return 0;
	struct json_part part = { .memory = malloc(length), .length = length };
	if (part.memory == NULL)
		return crimg_fail_nomem(err, length);
	memcpy(part.memory, data, length);
	if (add_part(p, part, err) == 0)
		return 0;
	free(part.memory);
	return -1;
}

void json_payloads_drop(struct json_payloads *p)
{
	while (p->part_count > p->open_part)
		free(p->parts[--p->part_count].memory);
	p->open_length = 0;
}

int json_payloads_announce(struct json_payloads *p, struct crimg_payload_ref *ref,
                           struct crimg_err *err)
{
	void *array = p->list;
	if (crimg_grow(&array, &p->capacity, p->count, sizeof *p->list, err) < 0)
		return -1;
	p->list = array;
	p->list[p->count] = (struct json_payload){
		.part = p->open_part, .parts = p->part_count - p->open_part, .length = p->open_length,
	};
	*ref = (struct crimg_payload_ref){ p->count++, p->open_length };
	p->open_part = p->part_count;
	p->open_length = 0;
	return 0;
}

void json_payload_cursor_init(struct json_payload_cursor *c, struct json_payloads *p)
{
	c->part = SIZE_MAX;
	c->at = 0;
	c->window = crimg_window_make(p->source, 0);
	c->decoder = CRIMG_BASE64_DECODER_INIT;
	c->out_at = c->out_length = 0;
}

void json_payload_cursor_fini(struct json_payload_cursor *c)
{
	crimg_window_fini(&c->window);
}

static int fail_changed(const struct json_payloads *p, uint64_t offset, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, p->source->name, offset,
	                  "not the base64 that was here before: the file was changed while it "
	                  "was read");
}

// Decodes the next piece of the part's text into out.
static int decode_more(struct json_payloads *p, struct json_payload_cursor *c,
                       struct crimg_err *err)
{
	const uint8_t *text;
	size_t got, bad;
	do {
		if (crimg_window_peek(&c->window, 1, &text, &got, err) < 0)
			return -1;
		if (got > sizeof c->out / 3 * 4 - 4)
			got = sizeof c->out / 3 * 4 - 4;
		const uint8_t *quote = got > 0 ? memchr(text, '"', got) : NULL;
		if (quote != NULL)
			got = (size_t)(quote - text);
		if (got == 0 || !crimg_base64_decode(&c->decoder, (const char *)text, got, c->out,
		                                     &c->out_length, &bad))
			return fail_changed(p, c->window.offset, err);
		if (crimg_window_skip(&c->window, got, err) < 0)
			return -1;
	} while (c->out_length == 0);
	c->out_at = 0;
	return 0;
}

// Moves to the last mark at or before offset, unless the cursor is nearer already.
static int approach(struct json_payloads *p, struct json_payload_cursor *c, size_t index,
                    uint64_t offset, struct crimg_err *err)
{
	const struct json_part *part = &p->parts[index];
	uint64_t mark = offset / JSON_SCAN_MARK_BYTES;
	if (c->part == index && c->at <= offset && offset - c->at < JSON_SCAN_MARK_BYTES)
		return 0;
	uint64_t text = mark == 0 ? part->text
		: crimg_get_u64(p->marks.data + 8 * (part->mark + (size_t)mark - 1));
	crimg_window_fini(&c->window);
	json_payload_cursor_init(c, p);
	c->part = index;
	c->at = mark * JSON_SCAN_MARK_BYTES;
	return crimg_window_skip(&c->window, text, err);
}

static int read_text(struct json_payloads *p, struct json_payload_cursor *c, size_t index,
                     uint64_t offset, void *buf, size_t length, struct crimg_err *err)
{
	if (approach(p, c, index, offset, err) < 0)
		return -1;
	for (size_t done = 0; done < length;) {
		if (c->out_at == c->out_length && decode_more(p, c, err) < 0)
			return -1;
		size_t held = c->out_length - c->out_at;
		size_t skip = (size_t)crimg_min_u64(offset + done - c->at, held);
		size_t n = (size_t)crimg_min_u64(held - skip, length - done);
		memcpy((uint8_t *)buf + done, c->out + c->out_at + skip, n);
		c->out_at += skip + n;
		c->at += skip + n;
		done += n;
	}
	return 0;
}

int json_payloads_read(struct json_payloads *p, struct json_payload_cursor *c, uint64_t payload,
                       uint64_t offset, void *buf, size_t length, struct crimg_err *err)
{
	if (payload >= p->count || !crimg_in_range(offset, length, p->list[payload].length))
		return crimg_fail(err, CRIMG_E_USAGE, p->source->name, CRIMG_NO_OFFSET,
		                  "payload %llu has no %zu bytes at %llu",
		                  (unsigned long long)payload, length, (unsigned long long)offset);
	size_t index = p->list[payload].part;
	for (uint8_t *to = buf; length > 0; index++) {
		const struct json_part *part = &p->parts[index];
		if (offset >= part->length) {
			offset -= part->length;
			continue;
		}
		size_t n = (size_t)crimg_min_u64(part->length - offset, length);
		if (part->memory != NULL)
			memcpy(to, part->memory + offset, n);
		else if (read_text(p, c, index, offset, to, n, err) < 0)
			return -1;
		to += n;
		length -= n;
		offset = 0;
	}
	return 0;
}
