// Every length is held against what is left before anything is allocated for it.
#include "readers/linuxcr_stream.h"

#include <string.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"

void *linuxcr_stream_alloc(struct linuxcr_stream *s, size_t size, struct crimg_err *err)
{
	void *p = crimg_arena_alloc(&s->arena, size);
	if (p != NULL)
		memset(p, 0, size);
	else
		crimg_fail(err, s->arena.exhausted ? CRIMG_E_LIMIT : CRIMG_E_NOMEM, s->source->name,
			   s->window.offset, "no memory for the records (%zu bytes held)",
			   s->arena.held_bytes);
	return p;
}

int linuxcr_stream_peek(struct linuxcr_stream *s, uint32_t *type, uint32_t *length,
			struct crimg_err *err)
{
	const uint8_t *head;
	size_t got;
	uint64_t at = s->window.offset, size = s->source->size;
	if (crimg_window_peek(&s->window, CRIMG_LCR_HEADER_BYTES, &head, &got, err) < 0)
		return -1;
	if (got == 0)
		return 0;
	if (got < CRIMG_LCR_HEADER_BYTES)
		return crimg_fail(err, CRIMG_E_CUT, s->source->name, at,
				  "%zu bytes found, the 8 of a record's header wanted", got);
	uint32_t all = crimg_get_u32(head + 4);
	*type = crimg_get_u32(head);
	if (all < CRIMG_LCR_HEADER_BYTES)
		return crimg_fail(err, CRIMG_E_FORMAT, s->source->name, at + 4,
				  "record of type %u: length %u found, at least 8 wanted", *type,
				  all);
	if (size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(at, all, size))
		return crimg_fail(err, CRIMG_E_CUT, s->source->name, at,
				  "record of type %u: %u bytes wanted, the stream ends after %llu",
				  *type, all, (unsigned long long)(size - at));
	*length = all - CRIMG_LCR_HEADER_BYTES;
	return 1;
}

// Bytes of the record in hand that are kept: all, or the addresses of its pages.
static int kept_bytes(const struct linuxcr_stream *s, uint32_t length, uint64_t pages,
		      uint32_t *kept, struct crimg_err *err)
{
	uint64_t wanted;
	*kept = length;
	if (pages != 0) {
		if (!crimg_mul_u64(pages, s->profile.word + CRIMG_PAGE_BYTES, &wanted)
		    || wanted != length)
			return crimg_fail(
				err, CRIMG_E_FORMAT, s->source->name, s->window.offset,
				"a BUFFER of %u bytes found, %llu pages of %u and their addresses "
				"wanted",
				length, (unsigned long long)pages, CRIMG_PAGE_BYTES);
		*kept = (uint32_t)pages * s->profile.word;
	}
	if (*kept > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, s->source->name, s->window.offset,
				  "a record of %u bytes found, at most %u wanted", *kept,
				  CRIMG_MAX_MESSAGE_BYTES);
	return 0;
}

struct linuxcr_record *linuxcr_stream_take(struct linuxcr_stream *s, uint64_t pages,
					   struct crimg_err *err)
{
	uint32_t type, length, kept;
	const uint8_t *bytes;
	size_t got;
	uint64_t at = s->window.offset;
	if (linuxcr_stream_peek(s, &type, &length, err) <= 0
	    || kept_bytes(s, length, pages, &kept, err) < 0
	    || crimg_window_peek(&s->window, CRIMG_LCR_HEADER_BYTES + (size_t)kept, &bytes, &got,
				 err)
		       < 0)
		return NULL;
	if (got < CRIMG_LCR_HEADER_BYTES + (size_t)kept) {
		crimg_fail(err, CRIMG_E_CUT, s->source->name, at,
			   "record of type %u: %u bytes wanted, %zu found", type, kept,
			   got - CRIMG_LCR_HEADER_BYTES);
		return NULL;
	}
	struct linuxcr_record *r = linuxcr_stream_alloc(s, sizeof *r, err);
	uint8_t *data = r == NULL ? NULL : linuxcr_stream_alloc(s, (size_t)kept + 1, err);
	if (data == NULL)
		return NULL;
	memcpy(data, bytes + CRIMG_LCR_HEADER_BYTES, kept);
	*r = (struct linuxcr_record){
		.type = type,
		.kind = linuxcr_kind(&s->profile, type),
		.offset = at,
		.length = kept,
		.data = data,
		.pages = pages,
	};
	if (crimg_window_skip(&s->window, CRIMG_LCR_HEADER_BYTES + (uint64_t)length, err) < 0)
		return NULL;
	if (s->last != NULL)
		s->last->next = r;
	else
		s->first = r;
	s->last = r;
	return r;
}

int linuxcr_stream_extend(struct linuxcr_stream *s, struct linuxcr_record *r, uint32_t bytes, struct crimg_err *err)
{
	const uint8_t *more;
	size_t got;
	if (crimg_window_peek(&s->window, bytes, &more, &got, err) < 0)
		return -1;
	if (got < bytes)
		return crimg_fail(err, CRIMG_E_CUT, s->source->name, s->window.offset,
				  "%u bytes behind a record of type %u wanted, %zu found", bytes, r->type, got);
	uint8_t *data = linuxcr_stream_alloc(s, (size_t)r->length + bytes + 1, err);
	if (data == NULL)
		return -1;
	memcpy(data, r->data, r->length);
	memcpy(data + r->length, more, bytes);
	r->data = data;
	r->length += bytes;
	r->beyond = bytes;
	return crimg_window_skip(&s->window, bytes, err);
}
