#include "diff/tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"

const char *crimg_diff_group_word(enum crimg_diff_group group)
{
	static const char *const words[CRIMG_DIFF_GROUPS] = {
		"processes", "credentials", "threads", "mappings", "pages", "files", "sockets",
		"signals", "timers", "limits", "registers", "shared_memory", "namespaces", "mounts",
		"cgroups", "ipc", "image",
	};
	return words[group];
}

const char *crimg_change_word(enum crimg_change_what what)
{
	static const char *const words[CRIMG_CHANGES] = {
		"changed", "added", "gone", "grown", "shrunk", "split", "joined", "moved", "untold",
	};
	return words[what];
}

bool crimg_diff_failed(const struct crimg_diff *d)
{
	return d->fault.code != CRIMG_OK;
}

static void tell(const struct crimg_scope *s, struct crimg_change *c)
{
	struct crimg_diff *d = s->d;
	c->folded = c->folded || s->folded;
	c->group = s->group;
	c->pair = s->pair;
	c->thread = s->thread;
	c->subject = s->subject;
	c->name = s->name;
	if (c->folded)
		d->folded++;
	else
		d->counts[c->group][c->what]++;
	if (!c->folded || d->options->folded)
		d->sink->change(d->sink->context, c);
}

void crimg_tell(const struct crimg_scope *s, enum crimg_change_what what, const char *field,
                struct crimg_value a, struct crimg_value b)
{
	struct crimg_change c = { .what = what, .field = field, .value = { a, b } };
	tell(s, &c);
}

void crimg_tell_folded(const struct crimg_scope *s, const char *field, struct crimg_value a,
                       struct crimg_value b)
{
	struct crimg_change c = { .field = field, .value = { a, b }, .folded = true };
	tell(s, &c);
}

void crimg_tell_untold(struct crimg_diff *d, int side, enum crimg_diff_group group)
{
	d->untold[side] |= UINT64_C(1) << group;
}

struct crimg_value crimg_text_value(const char *text)
{
	return (struct crimg_value){ .kind = text != NULL ? CRIMG_VALUE_TEXT : CRIMG_VALUE_NONE,
		                     .text = text };
}

struct crimg_value crimg_hex_value(uint64_t number)
{
	return (struct crimg_value){ .kind = CRIMG_VALUE_HEX, .number = number };
}

struct crimg_value crimg_u64_value(uint64_t number)
{
	return (struct crimg_value){ .kind = CRIMG_VALUE_NUMBER, .number = number };
}

struct crimg_value crimg_bytes_value(const uint8_t *data, size_t length)
{
	return (struct crimg_value){ .kind = CRIMG_VALUE_BYTES, .data = data, .length = length };
}

void crimg_compare_texts(const struct crimg_scope *s, const char *field, const char *a,
                         const char *b)
{
	bool same = a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
	if (!same)
		crimg_tell(s, CRIMG_CHANGE_CHANGED, field, crimg_text_value(a), crimg_text_value(b));
}

void crimg_compare_u64(const struct crimg_scope *s, const char *field, uint64_t a, uint64_t b)
{
	if (a != b)
		crimg_tell(s, CRIMG_CHANGE_CHANGED, field, crimg_u64_value(a), crimg_u64_value(b));
}

bool crimg_same_reference(struct crimg_diff *d, enum crimg_reference kind, uint64_t a, uint64_t b)
{
	return crimg_references_agree(d->references, kind, a, b, &d->fault);
}

void crimg_mark(struct crimg_diff *d, int side, const struct crimg_image_object *object)
{
	struct crimg_diff_side *s = &d->side[side];
	if (object != NULL)
		s->marked[object - s->image->objects] = true;
}

void crimg_mark_id(struct crimg_diff *d, int side, enum crimg_kind kind, uint64_t id)
{
	crimg_mark(d, side, crimg_image_find(d->side[side].image, kind, id));
}

bool crimg_is_marked(const struct crimg_diff *d, int side, const struct crimg_image_object *object)
{
	const struct crimg_diff_side *s = &d->side[side];
	return s->marked[object - s->image->objects];
}

void crimg_entry_messages(struct crimg_diff *d, int side, struct crimg_image_object *object,
                          struct crimg_list *out)
{
	struct crimg_image *image = d->side[side].image;
	const void **items = crimg_arena_alloc(&image->arena, (object->count + 1) * sizeof *items);
	size_t count = 0;
	*out = (struct crimg_list){ NULL, 0 };
	if (items == NULL) {
		crimg_fail_nomem(&d->fault, object->count * sizeof *items);
		return;
	}
	for (size_t i = 0; i < object->count; i++) {
		const void *m = crimg_image_message(image, object, i, &d->damage);
		if (m != NULL)
			items[count++] = m;
	}
	*out = (struct crimg_list){ items, count };
}

#define STEP ((size_t)64 << 10)
#define SHOWN 48u  // bytes told of where contents begin to differ

static uint64_t length_of(const struct crimg_payload_ref *p)
{
	return p->number == CRIMG_NO_PAYLOAD ? 0 : p->length;
}

// Up to STEP bytes of a payload at offset; false with what is wrong noted.
static bool read_piece(struct crimg_diff *d, int side, const struct crimg_payload_ref *p,
                       uint64_t offset, uint8_t *buf, size_t length)
{
	return length == 0
		|| crimg_image_read(d->side[side].image, p->number, offset, buf, length, &d->damage) == 0;
}

// The first offset at which they differ; the shorter one's length when it is the other's beginning.
// UINT64_MAX: they are the same, or cannot be read.
static uint64_t first_difference(struct crimg_diff *d, const struct crimg_payload_ref *a,
                                 const struct crimg_payload_ref *b, uint8_t *buf)
{
	uint64_t common = crimg_min_u64(length_of(a), length_of(b));
	for (uint64_t at = 0; at < common;) {
		size_t n = (size_t)crimg_min_u64(STEP, common - at);
		if (!read_piece(d, CRIMG_A, a, at, buf, n)
		    || !read_piece(d, CRIMG_B, b, at, buf + STEP, n))
			return UINT64_MAX;
		for (size_t i = 0; memcmp(buf, buf + STEP, n) != 0 && i < n; i++)
			if (buf[i] != buf[STEP + i])
				return at + i;
		at += n;
	}
	return length_of(a) == length_of(b) ? UINT64_MAX : common;
}

void crimg_compare_payloads(const struct crimg_scope *s, const char *field,
                            const struct crimg_payload_ref *a, const struct crimg_payload_ref *b)
{
	struct crimg_diff *d = s->d;
	uint8_t *buf = malloc(2 * STEP);
	char place[96];
	if (buf == NULL) {
		crimg_fail_nomem(&d->fault, 2 * STEP);
		return;
	}
	uint64_t at = first_difference(d, a, b, buf);
	size_t n[2] = { 0, 0 };
	if (at != UINT64_MAX) {
		n[CRIMG_A] = (size_t)crimg_min_u64(SHOWN, length_of(a) - at);
		n[CRIMG_B] = (size_t)crimg_min_u64(SHOWN, length_of(b) - at);
		snprintf(place, sizeof place, "%s_bytes", field);
		crimg_compare_u64(s, place, length_of(a), length_of(b));
	}
	if (at != UINT64_MAX && read_piece(d, CRIMG_A, a, at, buf, n[CRIMG_A])
	    && read_piece(d, CRIMG_B, b, at, buf + STEP, n[CRIMG_B])) {
		snprintf(place, sizeof place, "%s at %llu", field, (unsigned long long)at);
		crimg_tell(s, CRIMG_CHANGE_CHANGED, place, crimg_bytes_value(buf, n[CRIMG_A]),
		           crimg_bytes_value(buf + STEP, n[CRIMG_B]));
	}
	free(buf);
}
