// An array, sorted once.
#include "validate/id_set.h"

#include <stdlib.h>

#include "format/buf.h"
#include "format/search.h"

int crimg_id_set_add(struct crimg_id_set *set, uint64_t id, const void *thing,
                     struct crimg_err *err)
{
	void *array = set->list;
	if (crimg_grow(&array, &set->capacity, set->count, sizeof *set->list, err) < 0)
		return -1;
	set->list = array;
	set->list[set->count] = (struct crimg_id){ .id = id, .thing = thing, .came = set->count };
	set->count++;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct crimg_id *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->came < y->came ? -1 : x->came > y->came;
}

void crimg_id_set_seal(struct crimg_id_set *set)
{
	if (set->count > 0)
		qsort(set->list, set->count, sizeof *set->list, by_id);
}

struct crimg_id *crimg_id_set_find(const struct crimg_id_set *set, uint64_t id)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, set->count, set->list[low].id < id);
	return low < set->count && set->list[low].id == id ? &set->list[low] : NULL;
}

bool crimg_id_set_repeats(const struct crimg_id_set *set, size_t i)
{
	return i > 0 && set->list[i - 1].id == set->list[i].id;
}

void crimg_id_set_fini(struct crimg_id_set *set)
{
	free(set->list);
	*set = (struct crimg_id_set){ .list = NULL };
}
