// Objects, their entries, then contents: the order of records, whatever format they are made from.
#include "readers/model_records.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/search.h"

enum phase { PHASE_OBJECT, PHASE_ENTRIES, PHASE_CONTENT };

int model_payload_begin(struct model_payloads *p, struct crimg_err *err)
{
	void *array = p->list;
	if (crimg_grow(&array, &p->capacity, p->count, sizeof *p->list, err) < 0)
		return -1;
	p->list = array;
	p->list[p->count++] = (struct model_payload){.first = p->piece_count};
	return 0;
}

int model_payload_add(struct model_payloads *p, const uint8_t *bytes, uint64_t offset,
		      uint64_t length, struct crimg_err *err)
{
	struct model_payload *last = &p->list[p->count - 1];
	void *array = p->pieces;
	if (length == 0)
		return 0;
	if (crimg_grow(&array, &p->piece_capacity, p->piece_count, sizeof *p->pieces, err) < 0)
		return -1;
	p->pieces = array;
	p->pieces[p->piece_count++] = (struct model_piece){
		.at = last->length, .length = length, .bytes = bytes, .offset = offset};
	last->length += length;
	last->count++;
	return 0;
}

int model_payload_zero(struct model_payloads *p, uint64_t length, struct crimg_err *err)
{
	return model_payload_add(p, NULL, CRIMG_NO_OFFSET, length, err);
}

void model_payloads_fini(struct model_payloads *p)
{
	free(p->pieces);
	free(p->list);
}

int model_encode(const ProtobufCMessage *message, struct model_entry *out, struct crimg_err *err)
{
	return crimg_message_encode(message, &out->message, err) < 0 ? -1 : 1;
}

static bool is_raw(const struct model_records *s)
{
	return crimg_kind_info(s->format->kind(s->step))->payload == CRIMG_PAYLOAD_RAW;
}

static struct crimg_payload_ref last_payload(const struct model_payloads *p)
{
	return (struct crimg_payload_ref){p->count - 1, p->list[p->count - 1].length};
}

static int begin_object(struct model_records *s, struct crimg_record *r, struct crimg_err *err)
{
	struct crimg_object *o = &s->objects[s->seen];
	bool raw = is_raw(s);
	const char *name = s->format->name(s->model, s->step, s->object);
	if (name == NULL)
		return crimg_fail_nomem(err, 0);
	if (raw && s->format->announce(s->model, s->step, s->object, err) < 0)
		return -1;
	s->seen++;
	*o = (struct crimg_object){
		.kind = s->format->kind(s->step),
		.name = name,
		.id = s->format->id(s->model, s->step, s->object),
		.framing = raw ? CRIMG_FRAMING_RAW : CRIMG_FRAMING_V11,
	};
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_OBJECT,
		.object = o,
		.origin = s->source->name,
		.payload = {.number = CRIMG_NO_PAYLOAD},
	};
	if (raw)
		r->payload = last_payload(s->payloads);
	s->phase = PHASE_ENTRIES;
	return 1;
}

// 1: the entry is made. 0: the object has no more entries. -1.
static int make_entry(struct model_records *s, uint64_t index, struct crimg_err *err)
{
	struct model_entry *e = &s->entry;
	e->message.length = 0;
	e->offset = e->length = 0;
	e->has_payload = false;
	int rc = is_raw(s) ? 0 : s->format->entry(s->model, s->step, s->object, index, e, err);
	if (rc > 0 && e->message.length > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, s->source->name, e->offset,
				  "an entry of %zu bytes, at most %u wanted", e->message.length,
				  CRIMG_MAX_MESSAGE_BYTES);
	return rc;
}

static int give_entry(struct model_records *s, struct crimg_record *r)
{
	const struct model_entry *e = &s->entry;
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE,
		.object = &s->objects[s->seen - 1],
		.index = s->index++,
		.data = e->message.data,
		.length = e->message.length,
		.payload = {.number = CRIMG_NO_PAYLOAD},
		.origin = s->source->name,
		.origin_offset = e->offset,
		.origin_length = e->length,
	};
	if (e->has_payload)
		r->payload = last_payload(s->payloads);
	return 1;
}

static int next_content(struct model_records *s, struct crimg_record *r)
{
	const struct model_payloads *all = s->payloads;
	while (s->payload < all->count && s->piece == all->list[s->payload].count) {
		s->payload++;
		s->piece = 0;
	}
	if (s->payload == all->count)
		return 0;
	const struct model_payload *p = &all->list[s->payload];
	const struct model_piece *piece = &all->pieces[p->first + s->piece++];
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT,
		.payload = {s->payload, p->length},
		.content_offset = piece->at,
		.content_length = piece->length,
		.bytes = piece->bytes,
		.origin = s->source->name,
	};
	if (piece->bytes == NULL && piece->offset == CRIMG_NO_OFFSET)
		r->zero = true;
	else if (piece->bytes == NULL)
		r->span = (struct crimg_span){s->source, piece->offset, piece->length};
	return 1;
}

// PAGES are the last kind.
static bool is_last_metadata(const struct model_records *s)
{
	return s->step >= s->format->steps - 1;
}

// On to the next object that has entries. What was wrong is told before the pages, when all else
// was given.
static int next_object(struct model_records *s, struct crimg_record *r, struct crimg_err *err)
{
	for (;;) {
		while (s->step < s->format->steps
		       && s->object >= s->format->count(s->model, s->step)) {
			s->step++;
			s->object = 0;
		}
		if (is_last_metadata(s) && !s->said && s->damage->code != CRIMG_OK) {
			s->said = true;
			if (err != NULL && err->code == CRIMG_OK)
				*err = *s->damage;
			return -1;
		}
		if (s->step == s->format->steps) {
			s->phase = PHASE_CONTENT;
			return next_content(s, r);
		}
		if (is_raw(s))
			return begin_object(s, r, err);
		int rc = make_entry(s, 0, err);
		if (rc > 0)
			return begin_object(s, r, err);
		s->object++;
		if (rc < 0)
			return rc;
	}
}

int model_records_next(struct model_records *s, struct crimg_record *r, struct crimg_err *err)
{
	if (s->phase == PHASE_CONTENT)
		return next_content(s, r);
	if (s->phase == PHASE_ENTRIES) {
		// The first entry was made to see whether there is an object.
		int rc = s->index == 0 && !is_raw(s) ? 1 : make_entry(s, s->index, err);
		if (rc > 0)
			return give_entry(s, r);
		s->object++;
		s->index = 0;
		s->phase = PHASE_OBJECT;
		if (rc < 0)
			return rc;
	}
	return next_object(s, r, err);
}

static const struct model_piece *piece_at(const struct model_payloads *all,
					  const struct model_payload *p, uint64_t at)
{
	const struct model_piece *pieces = &all->pieces[p->first];
	size_t behind;
	CRIMG_COUNT_BEFORE(behind, p->count, pieces[behind].at <= at);
	return &pieces[behind - 1];
}

int model_records_read(const struct model_records *s, uint64_t payload, uint64_t offset, void *buf,
		       size_t length, struct crimg_err *err)
{
	const struct model_payloads *all = s->payloads;
	if (payload >= all->count || !crimg_in_range(offset, length, all->list[payload].length))
		return crimg_fail(err, CRIMG_E_USAGE, s->source->name, CRIMG_NO_OFFSET,
				  "%zu bytes at %llu of payload %llu wanted, which are not there",
				  length, (unsigned long long)offset, (unsigned long long)payload);
	uint8_t *to = buf;
	while (length > 0) {
		const struct model_piece *p = piece_at(all, &all->list[payload], offset);
		uint64_t into = offset - p->at;
		size_t n = (size_t)crimg_min_u64(length, p->length - into);
		if (p->bytes != NULL)
			memcpy(to, p->bytes + into, n);
		else if (p->offset == CRIMG_NO_OFFSET)
			memset(to, 0, n);
		else if (crimg_source_read_exact(s->source, p->offset + into, to, n, err) < 0)
			return -1;
		to += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int model_records_init(struct model_records *s, struct crimg_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < s->format->steps; i++)
		count += s->format->count(s->model, i);
	s->objects = calloc(count + 1, sizeof *s->objects);
	return s->objects == NULL ? crimg_fail_nomem(err, count * sizeof *s->objects) : 0;
}

void model_records_fini(struct model_records *s)
{
	crimg_buf_fini(&s->entry.message);
	free(s->objects);
}
