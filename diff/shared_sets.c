#include "diff/shared_sets.h"

#include <stdio.h>
#include <string.h>

// More of them no system has: what a hostile image costs has an end.
#define SETS_MAX 4096u
#define CONTROLLERS_MAX 256u

static const CgSetEntry *find_set(struct crimg_diff *d, int side, uint32_t id)
{
	const CgroupEntry *e =
		crimg_image_get(d->side[side].image, CRIMG_KIND_CGROUP, 0, &d->damage);
	for (size_t i = 0; id != 0 && e != NULL && i < e->n_sets && i < SETS_MAX; i++)
		if (e->sets[i]->id == id)
			return e->sets[i];
	return NULL;
}

static const char *path_in(const CgSetEntry *set, const char *name)
{
	for (size_t i = 0; set != NULL && i < set->n_ctls && i < CONTROLLERS_MAX; i++)
		if (strcmp(set->ctls[i]->name, name) == 0)
			return set->ctls[i]->path;
	return NULL;
}

static void compare_sets(const struct crimg_scope *s, const CgSetEntry *a, const CgSetEntry *b)
{
	for (size_t i = 0; a != NULL && i < a->n_ctls && i < CONTROLLERS_MAX; i++) {
		struct crimg_scope at = *s;
		at.subject = a->ctls[i]->name;
		crimg_compare_texts(&at, "path", a->ctls[i]->path, path_in(b, a->ctls[i]->name));
	}
	for (size_t i = 0; b != NULL && i < b->n_ctls && i < CONTROLLERS_MAX; i++) {
		struct crimg_scope at = *s;
		at.subject = b->ctls[i]->name;
		if (path_in(a, b->ctls[i]->name) == NULL)
			crimg_compare_texts(&at, "path", NULL, b->ctls[i]->path);
	}
}

// Tasks share sets, and chains: each pair of them is compared once, and told with the first task that has it.
static bool met_before(const struct crimg_scope *s, enum crimg_reference kind, uint32_t a, uint32_t b)
{
	uint64_t both = ((uint64_t)a << 32) + b;
	return !crimg_references_first(s->d->references, kind, both, both, &s->d->fault);
}

void crimg_compare_cgroup_sets(const struct crimg_scope *s, uint32_t a, uint32_t b)
{
	if (met_before(s, CRIMG_REF_CGROUPS, a, b))
		return;
	const CgSetEntry *x = find_set(s->d, CRIMG_A, a), *y = find_set(s->d, CRIMG_B, b);
	if (x == NULL && y == NULL && a != b) // numbers without sets say nothing
		crimg_tell_folded(s, "cg_set", crimg_u64_value(a), crimg_u64_value(b));
	compare_sets(s, x, y);
}

static const SeccompFilter *find_filter(struct crimg_diff *d, int side, uint32_t index)
{
	const SeccompEntry *e =
		crimg_image_get(d->side[side].image, CRIMG_KIND_SECCOMP, 0, &d->damage);
	return e != NULL && index < e->n_seccomp_filters ? e->seccomp_filters[index] : NULL;
}

static bool same_filter(const SeccompFilter *x, const SeccompFilter *y)
{
	return x->filter.len == y->filter.len && x->flags == y->flags
		&& (x->filter.len == 0 || memcmp(x->filter.data, y->filter.data, x->filter.len) == 0);
}

// Up to this many filters stand behind each other; a chain that leads into itself ends here.
#define CHAIN_MAX 256u

// The number of the first filter, from the last one on, that is not the same; CHAIN_MAX: all are.
static unsigned first_other(const struct crimg_scope *s, uint32_t a, uint32_t b)
{
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		const SeccompFilter *x = find_filter(s->d, CRIMG_A, a);
		const SeccompFilter *y = find_filter(s->d, CRIMG_B, b);
		if (x == NULL && y == NULL)
			return CHAIN_MAX;
		if (x == NULL || y == NULL || !same_filter(x, y) || x->has_prev != y->has_prev)
			return i;
		if (!x->has_prev)
			return CHAIN_MAX;
		a = x->prev;
		b = y->prev;
	}
	return CHAIN_MAX;
}

void crimg_compare_filters(const struct crimg_scope *s, bool has_a, uint32_t a, bool has_b, uint32_t b)
{
	char text[64];
	if (has_a != has_b)
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "seccomp_filter",
		           has_a ? crimg_u64_value(a) : CRIMG_NO_VALUE,
		           has_b ? crimg_u64_value(b) : CRIMG_NO_VALUE);
	if (!has_a || !has_b || met_before(s, CRIMG_REF_FILTER, a, b))
		return;
	unsigned at = first_other(s, a, b);
	if (at == CHAIN_MAX)
		return;
	snprintf(text, sizeof text, "another program, %u behind the last", at);
	crimg_tell(s, CRIMG_CHANGE_CHANGED, "seccomp_filter", crimg_text_value("a program"),
	           crimg_text_value(text));
}
