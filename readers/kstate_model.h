// A "LinuxC/R" image, read: its objects in the order of the file, each known by where it begins, and what
// they refer to. Values stay in the objects' bytes; the places are those of format/layout_kstate.h. Knows
// framing and references, no messages.
#ifndef CRIMG_READERS_KSTATE_MODEL_H
#define CRIMG_READERS_KSTATE_MODEL_H

#include "format/buf.h"
#include "format/layout_kstate.h"
#include "format/source.h"

struct kstate_object {
	uint64_t offset;          // by which others refer to it
	uint32_t found;           // its type, as it says
	enum crimg_kst_type type; // as M numbers it; UNKNOWN_TYPE: only its bytes are known
	uint32_t length;
	uint32_t span;            // up to the next object, gap included
	uint32_t references;      // from other objects
	const uint8_t *data;      // of span bytes, in the arena
};

struct kstate {
	struct crimg_source *source; // borrowed
	enum crimg_kst_posting posting;
	const uint8_t *header; // of header_span bytes, gap included
	uint32_t header_span;
	struct kstate_object *objects; // owned
	size_t count, capacity;
	struct crimg_arena arena;
	struct crimg_err damage; // what ended reading, or the first thing that is wrong
};

// Reads all of source. k is zeroed; kstate_fini() frees what it holds whatever happens. Damage behind the
// first object is told in k->damage. -1: nothing that can be read: another format or posting, no object,
// memory, a limit, I/O.
CRIMG_MUST_CHECK int kstate_load(struct kstate *k, struct crimg_source *source, struct crimg_err *err);
void kstate_fini(struct kstate *k);

// What the field at `at` of an object refers to; NULL: nothing, or what it should not (told).
struct kstate_object *kstate_ref(const struct kstate *k, const struct kstate_object *o, uint32_t at);
// The number of an object within its image, from 1; 0 of NULL.
static inline uint32_t kstate_number(const struct kstate *k, const struct kstate_object *o)
{
	return o == NULL ? 0 : (uint32_t)(o - k->objects) + 1;
}

static inline uint32_t kstate_u32(const struct kstate_object *o, uint32_t at)
{
	return at + 4 <= o->length ? crimg_get_u32(o->data + at) : 0;
}

static inline uint64_t kstate_u64(const struct kstate_object *o, uint32_t at)
{
	return at + 8 <= o->length ? crimg_get_u64(o->data + at) : 0;
}

#endif
