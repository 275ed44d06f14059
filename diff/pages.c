// Both sides are walked together, piece by piece; within a piece, block by block. Ranges that meet are told
// as one.
#include "diff/pages.h"

#include <string.h>

#include "diff/moved_pages.h"
#include "diff/shared_extents.h"
#include "format/checked.h"
#include "format/limits.h"

enum { A, B };

struct comparison {
	struct crimg_page_side side[2];
	struct crimg_page_piece piece[2];
	struct crimg_moved moved;
	struct crimg_extents extents;
	const struct crimg_pages_visitor *visitor;
	struct crimg_pages_range held; // not told yet; empty when start == end
	struct crimg_err *err;         // the first thing that could not be read
};

const char *crimg_pages_word(enum crimg_pages_kind kind)
{
	static const char *const words[CRIMG_PAGES_KINDS] = {
		"same", "changed", "new", "dropped", "moved", "unknown", "untold",
	};
	return words[kind];
}

static void tell_held(struct comparison *c)
{
	if (c->held.end > c->held.start)
		c->visitor->range(c->visitor->context, &c->held);
	c->held.start = c->held.end = 0;
}

static void tell(struct comparison *c, uint64_t start, uint64_t end, enum crimg_pages_kind kind,
                 uint64_t from)
{
	struct crimg_pages_range *h = &c->held;
	bool goes_on = h->end == start && h->end > h->start && h->kind == kind
		&& h->area[A] == c->piece[A].area && h->area[B] == c->piece[B].area
		&& (kind != CRIMG_PAGES_MOVED || h->from + (h->end - h->start) == from);
	if (!goes_on) {
		tell_held(c);
		*h = (struct crimg_pages_range){ start, end, kind, from,
			                         { c->piece[A].area, c->piece[B].area } };
	}
	h->end = end;
}

// Bytes of [at, end) on one side: 1; 0 or less when they cannot be had, which is noted.
static int lend(struct comparison *c, int side, uint64_t at, size_t length, const uint8_t **out)
{
	struct crimg_err damage = CRIMG_ERR_INIT;
	int rc = crimg_page_side_lend(&c->side[side], &c->piece[side], at, length, out, &damage);
	if (rc < 0 && c->err != NULL && c->err->code == CRIMG_OK)
		*c->err = damage;
	return rc;
}

static size_t page_at(uint64_t at, uint64_t end)
{
	return (size_t)crimg_min_u64(CRIMG_PAGE_BYTES, end - at);
}

// Where the digests of both sides are of the same addresses: the end of that. 0: they are not.
static uint64_t same_by_digest(struct comparison *c, uint64_t at, uint64_t end)
{
	struct crimg_digest d[2];
	uint64_t start[2];
	for (int s = A; s <= B; s++) {
		const struct crimg_page_place *place = &c->piece[s].place;
		uint64_t offset = crimg_page_offset(&c->piece[s], at);
		if (!c->piece[s].placed
		    || crimg_image_digest(place->image, place->pages->payload.number, offset, &d[s], NULL)
		           <= 0)
			return 0;
		start[s] = at - (offset - d[s].offset);
	}
	if (d[A].zero && d[B].zero)
		return crimg_min_u64(end, crimg_min_u64(start[A] + d[A].length, start[B] + d[B].length));
	bool same = !d[A].zero && !d[B].zero && start[A] == start[B] && start[A] <= at
		&& d[A].length == d[B].length && memcmp(d[A].digest, d[B].digest, sizeof d[A].digest) == 0;
	return same ? crimg_min_u64(end, start[A] + d[A].length) : 0;
}

// Where both sides are the same bytes of the same file, or of two files that share them: the end of that.
static uint64_t same_by_place(struct comparison *c, uint64_t at, uint64_t end)
{
	struct crimg_span span[2];
	struct crimg_page_file file[2];
	for (int s = A; s <= B; s++)
		if (!crimg_page_side_file(&c->side[s], &c->piece[s], at, &span[s], &file[s]))
			return 0;
	if (file[A].dev != file[B].dev)
		return 0;
	struct crimg_extent_place place[2];
	for (int s = A; s <= B; s++)
		place[s] = (struct crimg_extent_place){
			span[s].source->fd, file[s].ino, span[s].source->fd_offset + span[s].offset };
	uint64_t length = crimg_min_u64(end - at, crimg_min_u64(span[A].length, span[B].length));
	if (file[A].ino == file[B].ino)
		return place[A].offset == place[B].offset ? at + length : 0;
	length = crimg_extents_shared(&c->extents, place, length);
	return length > 0 ? at + length : 0;
}

static void compare_block(struct comparison *c, uint64_t at, size_t length)
{
	const uint8_t *x, *y;
	uint64_t end = at + length;
	int rc = lend(c, A, at, length, &x);
	if (rc > 0)
		rc = lend(c, B, at, length, &y);
	if (rc <= 0)
		tell(c, at, end, CRIMG_PAGES_UNKNOWN, 0);
	else if (memcmp(x, y, length) == 0)
		tell(c, at, end, CRIMG_PAGES_SAME, 0);
	else
		for (size_t i = 0, n; i < length; i += n) {
			n = page_at(at + i, end);
			tell(c, at + i, at + i + n,
			     memcmp(x + i, y + i, n) == 0 ? CRIMG_PAGES_SAME : CRIMG_PAGES_CHANGED, 0);
		}
}

static void compare_both(struct comparison *c, uint64_t at, uint64_t end)
{
	while (at < end) {
		uint64_t same = same_by_place(c, at, end);
		if (same == 0)
			same = same_by_digest(c, at, end);
		if (same > at) {
			tell(c, at, same, CRIMG_PAGES_SAME, 0);
			at = same;
			continue;
		}
		// Blocks end where chunks of streams do, so that digests are asked for each.
		uint64_t block = crimg_min_u64(end, (at | (CRIMG_PAGE_BLOCK - 1)) + 1);
		compare_block(c, at, (size_t)(block - at));
		at = block;
	}
}

// Pages that only one side has; zeros are the same as what was never touched.
static void tell_block(struct comparison *c, int side, uint64_t at, size_t length, bool zero_is_same)
{
	const uint8_t *data;
	uint64_t end = at + length;
	if (lend(c, side, at, length, &data) <= 0) {
		tell(c, at, end, CRIMG_PAGES_UNKNOWN, 0);
		return;
	}
	for (size_t i = 0, n; i < length; i += n) {
		n = page_at(at + i, end);
		if (zero_is_same && crimg_all_zero(data + i, n))
			tell(c, at + i, at + i + n, CRIMG_PAGES_SAME, 0);
		else
			tell(c, at + i, at + i + n, side == A ? CRIMG_PAGES_DROPPED : CRIMG_PAGES_NEW, 0);
	}
}

static void tell_one_sided(struct comparison *c, int side, uint64_t at, uint64_t end)
{
	enum crimg_page_state other = c->piece[1 - side].state;
	bool zero_is_same = other == CRIMG_PAGE_ZERO || other == CRIMG_PAGE_ABSENT;
	while (at < end) {
		uint64_t stop = end;
		const struct crimg_moved_range *m = crimg_moved_at(&c->moved, side == A, at, &stop);
		if (m == NULL) {
			stop = crimg_min_u64(stop, at + CRIMG_PAGE_BLOCK);
			tell_block(c, side, at, (size_t)(stop - at), zero_is_same);
		} else {
			uint64_t into = at - (side == A ? m->from : m->to);
			stop = crimg_min_u64(end, at + (m->bytes - into));
			if (side == B) // what left a is told where it went
				tell(c, at, stop, CRIMG_PAGES_MOVED, m->from + into);
		}
		at = stop;
	}
}

static void compare_stretch(struct comparison *c, uint64_t at, uint64_t end)
{
	const struct crimg_page_piece *a = &c->piece[A], *b = &c->piece[B];
	bool here_a = a->state == CRIMG_PAGE_HERE, here_b = b->state == CRIMG_PAGE_HERE;
	bool lost_a = a->state == CRIMG_PAGE_LOST, lost_b = b->state == CRIMG_PAGE_LOST;
	if (c->visitor->skip_segments && (a->of_segment || !here_a) && (b->of_segment || !here_b)
	    && (a->of_segment || b->of_segment))
		return;
	if (lost_a || lost_b)
		tell(c, at, end, lost_a && lost_b ? CRIMG_PAGES_UNTOLD : CRIMG_PAGES_UNKNOWN, 0);
	else if (here_a && here_b)
		compare_both(c, at, end);
	else if (here_a)
		tell_one_sided(c, A, at, end);
	else if (here_b)
		tell_one_sided(c, B, at, end);
}

static int compare(struct comparison *c)
{
	struct crimg_page_piece piece[2];
	for (uint64_t at = 0, end; at != UINT64_MAX; at = end) {
		end = UINT64_MAX;
		for (int s = A; s <= B; s++) {
			if (crimg_page_side_at(&c->side[s], at, &piece[s], c->err) < 0)
				return -1;
			end = crimg_min_u64(end, piece[s].end);
		}
		if (piece[A].area != c->piece[A].area || piece[B].area != c->piece[B].area)
			tell_held(c); // which lies in the areas before
		memcpy(c->piece, piece, sizeof piece);
		compare_stretch(c, at, end);
	}
	tell_held(c);
	return 0;
}

// Once both sides are there (rc 0).
static int finish(struct comparison *c, int rc, struct crimg_err *err)
{
	struct crimg_err damage = CRIMG_ERR_INIT;
	c->err = rc == 0 ? &damage : err;
	if (rc == 0)
		rc = crimg_moved_find(&c->side[A], &c->side[B], &c->moved, &damage);
	if (rc == 0)
		rc = compare(c);
	crimg_moved_fini(&c->moved);
	for (int s = A; rc == 0 && s <= B; s++)
		if (damage.code == CRIMG_OK)
			damage = c->side[s].cut;
	crimg_page_side_fini(&c->side[A]);
	crimg_page_side_fini(&c->side[B]);
	if (rc == 0 && damage.code == CRIMG_OK)
		return 0;
	if (err != NULL && err->code == CRIMG_OK)
		*err = damage;
	return -1;
}

int crimg_pages_compare(const struct crimg_space *a, const struct crimg_space *b,
                        const struct crimg_pages_visitor *visitor, struct crimg_err *err)
{
	struct comparison c = { .visitor = visitor };
	int rc = crimg_page_side_of_space(&c.side[A], a, err);
	if (rc == 0)
		rc = crimg_page_side_of_space(&c.side[B], b, err);
	return finish(&c, rc, err);
}

int crimg_maps_compare(const struct crimg_map_name *a, const struct crimg_map_name *b,
                       const struct crimg_pages_visitor *visitor, struct crimg_err *err)
{
	struct comparison c = { .visitor = visitor };
	int rc = crimg_page_side_of_map(&c.side[A], a->image, a->kind, a->id, err);
	if (rc == 0)
		rc = crimg_page_side_of_map(&c.side[B], b->image, b->kind, b->id, err);
	return finish(&c, rc, err);
}
