// Which objects have numbers: they rise by one with each object that is first spoken of.
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "writers/kstream.h"

struct kstream_number {
	const uint8_t *key; // in the arena
	size_t length;
	uint32_t type;
	int32_t ref;        // 0: the slot is free
	bool written;       // OBJREF and body are in the stream, or being written
};

static size_t hash(uint32_t type, const uint8_t *key, size_t length)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ type;
	for (size_t i = 0; i < length; i++)
		h = (h ^ key[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

static struct kstream_number *slot_of(struct kstream_number *table, size_t capacity, uint32_t type,
                                      const uint8_t *key, size_t length)
{
	size_t i = hash(type, key, length) & (capacity - 1);
	while (table[i].ref != 0
	       && (table[i].type != type || table[i].length != length
	           || memcmp(table[i].key, key, length) != 0))
		i = (i + 1) & (capacity - 1);
	return &table[i];
}

static int make_room(struct kstream *k)
{
	size_t capacity = k->number_capacity == 0 ? 256 : 2 * k->number_capacity;
	if (k->number_count < k->number_capacity / 2)
		return 0;
	struct kstream_number *table = calloc(capacity, sizeof *table);
	if (table == NULL)
		return crimg_fail_nomem(&k->out.err, capacity * sizeof *table);
	for (size_t i = 0; i < k->number_capacity; i++) {
		const struct kstream_number *n = &k->numbers[i];
		if (n->ref != 0)
			*slot_of(table, capacity, n->type, n->key, n->length) = *n;
	}
	free(k->numbers);
	k->numbers = table;
	k->number_capacity = capacity;
	return 0;
}

// NULL once something failed.
static struct kstream_number *find(struct kstream *k, uint32_t type, const void *key, size_t length,
                                   bool *fresh)
{
	*fresh = false;
	key = length > 0 ? key : "";
	if (kstream_failed(&k->out) || make_room(k) < 0)
		return NULL;
	struct kstream_number *n = slot_of(k->numbers, k->number_capacity, type, key, length);
	if (n->ref != 0)
		return n;
	uint8_t *copy = crimg_arena_alloc(&k->arena, length + 1);
	if (copy == NULL || k->last == INT32_MAX) {
		crimg_fail(&k->out.err, copy == NULL && !k->arena.exhausted ? CRIMG_E_NOMEM : CRIMG_E_LIMIT,
		           NULL, CRIMG_NO_OFFSET, "no room for object number %d", k->last);
		return NULL;
	}
	memcpy(copy, key, length);
	*n = (struct kstream_number){ copy, length, type, ++k->last, false };
	k->number_count++;
	*fresh = true;
	return n;
}

int32_t kstream_number(struct kstream *k, uint32_t type, const void *key, size_t length, bool *fresh)
{
	bool ignored;
	const struct kstream_number *n = find(k, type, key, length, fresh != NULL ? fresh : &ignored);
	return n != NULL ? n->ref : 0;
}

int32_t kstream_number_of(struct kstream *k, uint32_t type, uint64_t key, bool *fresh)
{
	uint8_t bytes[8];
	crimg_put_u64(bytes, key);
	return kstream_number(k, type, bytes, sizeof bytes, fresh);
}

bool kstream_object(struct kstream *k, uint32_t type, const void *key, size_t length, int32_t *ref)
{
	bool fresh;
	struct kstream_number *n = find(k, type, key, length, &fresh);
	*ref = n != NULL ? n->ref : 0;
	if (n == NULL || n->written)
		return false;
	n->written = true;
	kstream_begin(&k->out, CRIMG_LCR_OBJREF);
	kstream_u32(&k->out, k->out.rc2 ? type : type - 1);
	kstream_ref(&k->out, *ref);
	kstream_end(&k->out);
	return true;
}

bool kstream_object_of(struct kstream *k, uint32_t type, uint64_t key, int32_t *ref)
{
	uint8_t bytes[8];
	crimg_put_u64(bytes, key);
	return kstream_object(k, type, bytes, sizeof bytes, ref);
}
