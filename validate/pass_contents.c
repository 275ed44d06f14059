// Page contents, with --pages: every stored page is read once. Digests are checked on the way (by the reader), zero
// pages and pages that were seen before are counted. Memory does not grow with the image: of many pages, only
// those whose hash falls into an ever smaller share are remembered, which is enough to tell the share of duplicates.
#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/names.h"
#include "validate/checker.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define SAMPLE_SLOTS ((size_t)1 << 20) // 8 MiB

struct contents {
	struct crimg_checker *c;
	uint8_t *piece;
	uint64_t *slots;      // hashes that are remembered, open addressing; 0 is free
	size_t used;
	unsigned shift;       // hashes with this many low bits zero take part
	uint64_t sampled, repeated;
	uint64_t pages, zero;
};

static bool insert(struct contents *t, uint64_t hash)
{
	size_t at = (size_t)(hash >> t->shift) & (SAMPLE_SLOTS - 1);
	while (t->slots[at] != 0 && t->slots[at] != hash)
		at = (at + 1) & (SAMPLE_SLOTS - 1);
	if (t->slots[at] == hash)
		return false;
	t->slots[at] = hash;
	t->used++;
	return true;
}

// Half of what was remembered goes; what was counted so far is halved with it.
static void thin_out(struct contents *t)
{
	uint64_t *old = t->slots;
	uint64_t *fresh = calloc(SAMPLE_SLOTS, sizeof *fresh);
	if (fresh == NULL) {
		crimg_fail_nomem(&t->c->findings.fault, SAMPLE_SLOTS * sizeof *fresh);
		return;
	}
	t->slots = fresh;
	t->used = 0;
	t->shift++;
	t->sampled /= 2;
	t->repeated /= 2;
	for (size_t i = 0; i < SAMPLE_SLOTS; i++)
		if (old[i] != 0 && (old[i] & ((UINT64_C(1) << t->shift) - 1)) == 0)
			(void)insert(t, old[i]);
	free(old);
}

static void take_page(struct contents *t, const uint8_t *page)
{
	t->pages++;
	if (crimg_all_zero(page, CRIMG_PAGE_BYTES)) {
		t->zero++;
		return;
	}
	uint64_t hash = XXH3_64bits(page, CRIMG_PAGE_BYTES);
	if (hash == 0 || (hash & ((UINT64_C(1) << t->shift) - 1)) != 0)
		return;
	t->sampled++;
	if (!insert(t, hash))
		t->repeated++;
	if (t->used > SAMPLE_SLOTS / 2)
		thin_out(t);
}

static bool read_object(struct contents *t, const struct crimg_image_object *o)
{
	for (uint64_t at = 0; at < o->payload.length; at += PIECE_BYTES) {
		struct crimg_err err = CRIMG_ERR_INIT;
		size_t n = (size_t)crimg_min_u64(PIECE_BYTES, o->payload.length - at);
		if (crimg_image_read(t->c->image, o->payload.number, at, t->piece, n, &err) < 0) {
			if (err.code == CRIMG_E_UNSUPPORTED && t->c->findings.fault.code == CRIMG_OK)
				t->c->findings.fault = err; // a pipe
			else
				crimg_checker_damage(t->c, &err);
			return false;
		}
		for (size_t p = 0; p + CRIMG_PAGE_BYTES <= n; p += CRIMG_PAGE_BYTES)
			take_page(t, t->piece + p);
	}
	return true;
}

static void report(struct contents *t)
{
	struct crimg_place at = crimg_place_image(t->c);
	char bytes[32];
	uint64_t rest = t->pages - t->zero;
	if (t->zero > 0)
		CRIMG_FIND(t->c, ZERO_PAGES, &at, "%" PRIu64 " of %" PRIu64 " stored pages: %s",
		           t->zero, t->pages,
		           crimg_bytes_text(t->zero * CRIMG_PAGE_BYTES, bytes, sizeof bytes));
	if (t->repeated == 0)
		return;
	uint64_t copies = (uint64_t)((double)rest * (double)t->repeated / (double)t->sampled);
	CRIMG_FIND(t->c, EQUAL_PAGES, &at, "%s%" PRIu64 " of %" PRIu64 " stored pages: %s",
	           t->shift > 0 ? "about " : "", copies, t->pages,
	           crimg_bytes_text(copies * CRIMG_PAGE_BYTES, bytes, sizeof bytes));
}

// Blocks of LZ4 are not pages: their contents are checked by whoever expands them.
static bool has_blocks(struct crimg_image *image)
{
	for (size_t i = 0; i < image->count; i++)
		if (image->objects[i].map != NULL && image->objects[i].map->blocks_count > 0)
			return true;
	return false;
}

void crimg_pass_contents(struct crimg_checker *c)
{
	struct contents t = { .c = c, .piece = malloc(PIECE_BYTES),
		              .slots = calloc(SAMPLE_SLOTS, sizeof *t.slots) };
	bool good = t.piece != NULL && t.slots != NULL;
	if (!good)
		crimg_fail_nomem(&c->findings.fault, PIECE_BYTES);
	struct crimg_image_object *o = crimg_image_first(c->image, CRIMG_KIND_PAGES);
	for (; good && o != NULL; o = crimg_image_next(c->image, o))
		good = read_object(&t, o);
	if (t.pages > 0 && !has_blocks(c->image) && c->findings.fault.code == CRIMG_OK)
		report(&t);
	free(t.piece);
	free(t.slots);
}
