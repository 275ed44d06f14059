// Things that others name by a number: who is there, once or twice, and was anybody asked for.
// Knows numbers; knows nothing of what they stand for.
#ifndef CRIMG_VALIDATE_ID_SET_H
#define CRIMG_VALIDATE_ID_SET_H

#include "format/err.h"

struct crimg_id {
	uint64_t id;
	const void *thing;  // borrowed: what has the number
	size_t came;        // how many were added before it
	bool used;          // somebody names it
};

struct crimg_id_set {
	struct crimg_id *list; // sorted by id once sealed; of equal ids the one that came first is first
	size_t count, capacity;
};

CRIMG_MUST_CHECK int crimg_id_set_add(struct crimg_id_set *set, uint64_t id, const void *thing,
                                      struct crimg_err *err);
void crimg_id_set_seal(struct crimg_id_set *set); // sorts; from here on ids are found
// The first with this id, or NULL.
struct crimg_id *crimg_id_set_find(const struct crimg_id_set *set, uint64_t id);
// True when item i has the same id as the one before it.
bool crimg_id_set_repeats(const struct crimg_id_set *set, size_t i);
void crimg_id_set_fini(struct crimg_id_set *set);

#endif
