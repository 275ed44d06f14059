// A hash table with open addressing: (kind, side, number) to number. Grows before it is three quarters full.
#include "diff/references.h"

#include <stdlib.h>

struct slot {
	uint64_t id, other;
	uint32_t key;          // kind * 2 + side + 1; 0: free
};

struct crimg_references {
	struct slot *slots;
	size_t count, capacity; // capacity: a power of two
	uint64_t seed;          // images choose numbers, but not where they fall
};

#define FIRST_CAPACITY 256u

struct crimg_references *crimg_references_make(void)
{
	struct crimg_references *r = calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	r->slots = calloc(FIRST_CAPACITY, sizeof *r->slots);
	r->capacity = FIRST_CAPACITY;
	r->seed = (uint64_t)(uintptr_t)r->slots;
	if (r->slots == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void crimg_references_free(struct crimg_references *r)
{
	if (r == NULL)
		return;
	free(r->slots);
	free(r);
}

static struct slot *find(const struct crimg_references *r, uint32_t key, uint64_t id)
{
	uint64_t h = (id ^ r->seed ^ (uint64_t)key << 56) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h ^ h >> 32) & (r->capacity - 1);
	while (r->slots[i].key != 0 && (r->slots[i].key != key || r->slots[i].id != id))
		i = (i + 1) & (r->capacity - 1);
	return &r->slots[i];
}

static int grow(struct crimg_references *r, struct crimg_err *err)
{
	struct crimg_references larger = { .capacity = r->capacity * 2, .count = r->count,
		                           .seed = r->seed };
	if ((r->count + 2) * 4 <= r->capacity * 3)
		return 0;
	larger.slots = calloc(larger.capacity, sizeof *larger.slots);
	if (larger.slots == NULL)
		return crimg_fail_nomem(err, larger.capacity * sizeof *larger.slots);
	for (size_t i = 0; i < r->capacity; i++)
		if (r->slots[i].key != 0)
			*find(&larger, r->slots[i].key, r->slots[i].id) = r->slots[i];
	free(r->slots);
	*r = larger;
	return 0;
}

static uint32_t key_of(enum crimg_reference kind, int side)
{
	return (uint32_t)kind * 2 + (uint32_t)side + 1;
}

bool crimg_references_find(const struct crimg_references *r, enum crimg_reference kind, int side,
                           uint64_t id, uint64_t *other)
{
	const struct slot *s = find(r, key_of(kind, side), id);
	if (s->key == 0)
		return false;
	*other = s->other;
	return true;
}

static bool seen(const struct crimg_references *r, enum crimg_reference kind, uint64_t a, uint64_t b)
{
	uint64_t other;
	return crimg_references_find(r, kind, 0, a, &other)
		|| crimg_references_find(r, kind, 1, b, &other);
}

bool crimg_references_first(struct crimg_references *r, enum crimg_reference kind, uint64_t a,
                            uint64_t b, struct crimg_err *err)
{
	if (seen(r, kind, a, b) || grow(r, err) < 0)
		return false;
	*find(r, key_of(kind, 0), a) = (struct slot){ a, b, key_of(kind, 0) };
	*find(r, key_of(kind, 1), b) = (struct slot){ b, a, key_of(kind, 1) };
	r->count += 2;
	return true;
}

bool crimg_references_agree(struct crimg_references *r, enum crimg_reference kind, uint64_t a,
                            uint64_t b, struct crimg_err *err)
{
	uint64_t of_a, of_b;
	if (a == 0 || b == 0)
		return a == b;
	if (crimg_references_first(r, kind, a, b, err))
		return true;
	if (!seen(r, kind, a, b))
		return true; // no memory
	return crimg_references_find(r, kind, 0, a, &of_a) && of_a == b
		&& crimg_references_find(r, kind, 1, b, &of_b) && of_b == a;
}
