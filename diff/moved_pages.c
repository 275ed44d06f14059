// The table holds a hash and an address a page of side a; side b is looked up in it. A hash proves nothing
// where images are hostile: what it finds is compared before it counts.
#include "diff/moved_pages.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/buf.h"
#include "format/checked.h"
#include "format/limits.h"
#include "format/search.h"

struct candidate {
	uint64_t hash;    // the lowest bit: this page was found
	uint64_t address;
};

#define FOUND UINT64_C(1)

struct table {
	struct candidate *list;  // sorted by hash, then address
	size_t count, capacity;
	bool full;
};

typedef int page_fn(void *context, uint64_t address, const uint8_t *page, struct crimg_err *err);

// Every page that is HERE in `in` and not in other, that is not all zero, in order.
struct walk {
	struct crimg_page_side *in, *other;
	page_fn *page;
	void *context;
};

static int walk_piece(const struct walk *w, const struct crimg_page_piece *piece, uint64_t at,
                      uint64_t end, struct crimg_err *err)
{
	const uint8_t *data;
	while (at < end) {
		size_t n = (size_t)crimg_min_u64(end - at, CRIMG_PAGE_BLOCK);
		struct crimg_err damage = CRIMG_ERR_INIT;
		int rc = crimg_page_side_lend(w->in, piece, at, n, &data, &damage);
		if (rc < 0 && damage.code == CRIMG_E_NOMEM)
			return crimg_fail_nomem(err, 0);
		for (size_t i = 0; rc > 0 && i + CRIMG_PAGE_BYTES <= n; i += CRIMG_PAGE_BYTES)
			if (!crimg_all_zero(data + i, CRIMG_PAGE_BYTES)
			    && w->page(w->context, at + i, data + i, err) != 0)
				return -1;
		at += n;
	}
	return 0;
}

// page may end the walk with a number that is not 0; then -1 is returned.
static int walk_pages(const struct walk *w, struct crimg_err *err)
{
	struct crimg_page_piece in, other;
	for (uint64_t at = 0; at != UINT64_MAX; at = crimg_min_u64(in.end, other.end)) {
		if (crimg_page_side_at(w->in, at, &in, err) < 0
		    || crimg_page_side_at(w->other, at, &other, err) < 0)
			return -1;
		if (in.state == CRIMG_PAGE_HERE && other.state != CRIMG_PAGE_HERE
		    && other.state != CRIMG_PAGE_LOST
		    && walk_piece(w, &in, at, crimg_min_u64(in.end, other.end), err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t hash_of(const uint8_t *page)
{
	return XXH3_64bits(page, CRIMG_PAGE_BYTES) & ~FOUND;
}

static int add_candidate(void *context, uint64_t address, const uint8_t *page, struct crimg_err *err)
{
	struct table *t = context;
	void *array = t->list;
	t->full = t->count == CRIMG_MOVED_MAX;
	if (t->full || crimg_grow(&array, &t->capacity, t->count, sizeof *t->list, err) < 0)
		return -1;
	t->list = array;
	t->list[t->count++] = (struct candidate){ hash_of(page), address };
	return 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static bool candidate_before(const struct candidate *c, uint64_t hash, uint64_t address)
{
	uint64_t h = c->hash & ~FOUND;
	return h < hash || (h == hash && c->address < address);
}

static size_t first_of(const struct table *t, uint64_t hash, uint64_t address)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, t->count, candidate_before(&t->list[low], hash, address));
	return low;
}

struct search {
	struct table *table;
	struct crimg_moved *out;
	size_t seen;       // pages of b
};

static bool is_free(const struct table *t, size_t i, uint64_t hash)
{
	return i < t->count && t->list[i].hash == hash;
}

// Behind the last page that was found, if that is the one: what moves, moves as a whole. Else one that is
// left, unless many alike come first: so hostile memory costs no more than other.
#define TRIES 64u
static struct candidate *candidate_for(const struct search *s, uint64_t hash, uint64_t after)
{
	const struct table *t = s->table;
	size_t i = first_of(t, hash, after);
	if (is_free(t, i, hash))
		return &t->list[i];
	i = first_of(t, hash, 0);
	for (unsigned tries = 0; tries < TRIES; tries++)
		if (is_free(t, i + tries, hash))
			return &t->list[i + tries];
	return NULL;
}

static int look_up(void *context, uint64_t address, const uint8_t *page, struct crimg_err *err)
{
	struct search *s = context;
	struct crimg_moved *m = s->out;
	struct crimg_moved_range *last = m->count > 0 ? &m->list[m->count - 1] : NULL;
	if (s->seen++ == CRIMG_MOVED_MAX)
		return -1;
	struct candidate *c = candidate_for(s, hash_of(page), last != NULL ? last->from + last->bytes : 0);
	if (c == NULL)
		return 0;
	c->hash |= FOUND;
	if (last != NULL && last->to + last->bytes == address && last->from + last->bytes == c->address) {
		last->bytes += CRIMG_PAGE_BYTES;
		return 0;
	}
	void *array = m->list;
	if (crimg_grow(&array, &m->capacity, m->count, sizeof *m->list, err) < 0)
		return -1;
	m->list = array;
	m->list[m->count++] = (struct crimg_moved_range){ c->address, address, CRIMG_PAGE_BYTES };
	return 0;
}

// True when all bytes of the range are the same on both sides.
static bool is_same(struct crimg_page_side *a, struct crimg_page_side *b,
                    const struct crimg_moved_range *r)
{
	struct crimg_page_piece pa, pb;
	const uint8_t *x, *y;
	for (uint64_t at = 0; at < r->bytes;) {
		if (crimg_page_side_at(a, r->from + at, &pa, NULL) < 0
		    || crimg_page_side_at(b, r->to + at, &pb, NULL) < 0
		    || pa.state != CRIMG_PAGE_HERE || pb.state != CRIMG_PAGE_HERE)
			return false;
		uint64_t left = crimg_min_u64(pa.end - (r->from + at), pb.end - (r->to + at));
		size_t n = (size_t)crimg_min_u64(crimg_min_u64(left, r->bytes - at), CRIMG_PAGE_BLOCK);
		if (crimg_page_side_lend(a, &pa, r->from + at, n, &x, NULL) <= 0
		    || crimg_page_side_lend(b, &pb, r->to + at, n, &y, NULL) <= 0
		    || memcmp(x, y, n) != 0)
			return false;
		at += n;
	}
	return true;
}

static void keep_true(struct crimg_page_side *a, struct crimg_page_side *b, struct crimg_moved *m)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->count; i++)
		if (is_same(a, b, &m->list[i]))
			m->list[kept++] = m->list[i];
	m->count = kept;
}

static int by_from(const void *a, const void *b)
{
	const struct crimg_moved_range *x = a, *y = b;
	return x->from < y->from ? -1 : x->from > y->from;
}

static int index_from(struct crimg_moved *m, struct crimg_err *err)
{
	m->by_from = malloc((m->count + 1) * sizeof *m->by_from);
	if (m->by_from == NULL)
		return crimg_fail_nomem(err, m->count * sizeof *m->by_from);
	if (m->count > 0)
		memcpy(m->by_from, m->list, m->count * sizeof *m->list);
	qsort(m->by_from, m->count, sizeof *m->by_from, by_from);
	return 0;
}

// True when both hold the same runs of pages, so that none is in one alone: the usual case.
static bool same_runs(const struct crimg_page_side *a, const struct crimg_page_side *b)
{
	const struct crimg_image_object *o = crimg_image_find(a->image, a->kind, a->id);
	const struct crimg_image_object *p = crimg_image_find(b->image, b->kind, b->id);
	if (o == NULL || p == NULL || o->map == NULL || p->map == NULL)
		return false;
	const struct crimg_pagemap *x = o->map, *y = p->map;
	if (x->count != y->count || x->parent_pages + y->parent_pages > 0)
		return false;
	for (size_t i = 0; i < x->count; i++)
		if (x->runs[i].vaddr != y->runs[i].vaddr || x->runs[i].pages != y->runs[i].pages
		    || x->runs[i].flags != y->runs[i].flags)
			return false;
	return true;
}

int crimg_moved_find(struct crimg_page_side *a, struct crimg_page_side *b, struct crimg_moved *out,
                     struct crimg_err *err)
{
	struct crimg_err found = CRIMG_ERR_INIT;
	struct table table = { .list = NULL };
	struct crimg_moved moved = { .list = NULL };
	struct search search = { &table, &moved, 0 };
	*out = moved;
	if (same_runs(a, b))
		return 0;
	int rc = walk_pages(&(struct walk){ a, b, add_candidate, &table }, &found);
	if (rc == 0 && table.count > 0) {
		qsort(table.list, table.count, sizeof *table.list, by_hash);
		rc = walk_pages(&(struct walk){ b, a, look_up, &search }, &found);
	}
	free(table.list);
	if (found.code == CRIMG_OK && rc < 0) {
		crimg_moved_fini(&moved); // too many: none was looked for
		return 0;
	}
	if (rc == 0) {
		keep_true(a, b, &moved);
		rc = index_from(&moved, &found);
	}
	if (rc < 0) {
		crimg_moved_fini(&moved);
		return crimg_fail_nomem(err, 0);
	}
	*out = moved;
	return 0;
}

void crimg_moved_fini(struct crimg_moved *moved)
{
	free(moved->list);
	free(moved->by_from);
	*moved = (struct crimg_moved){ .list = NULL };
}

const struct crimg_moved_range *crimg_moved_at(const struct crimg_moved *moved, bool from,
                                               uint64_t address, uint64_t *next)
{
	const struct crimg_moved_range *list = from ? moved->by_from : moved->list;
	size_t low; // the first that ends behind address
	CRIMG_COUNT_BEFORE(low, moved->count,
	                   (from ? list[low].from : list[low].to) + list[low].bytes <= address);
	if (low == moved->count)
		return NULL;
	uint64_t start = from ? list[low].from : list[low].to;
	if (start <= address)
		return &list[low];
	*next = crimg_min_u64(*next, start);
	return NULL;
}
