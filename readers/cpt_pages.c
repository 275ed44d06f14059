// Where the pages of address spaces and inodes lie; what was shared by copying at fork is looked up in
// the earlier address space.
#include <stdlib.h>

#include "format/limits.h"
#include "format/search.h"
#include "readers/cpt_model.h"

#define MAX_RUNS (16u << 20) // of an image

static const char *elsewhere(const struct cpt_object *o)
{
	switch (o->kind) {
	case CRIMG_CPT_OBJ_LAZYPAGES:
		return "a page-in daemon of the node that made the image serves them later";
	case CRIMG_CPT_OBJ_ITERPAGES:
	case CRIMG_CPT_OBJ_ITERYOUNGPAGES:
		return "they were sent before, in the iterations of a live migration";
	default:
		return o->content == CRIMG_CPT_CONTENT_PRAM ? "they are kept in the memory of the "
							      "node that made the image (PRAM)"
							    : NULL;
	}
}

static int add_run(struct cpt *c, struct cpt_runs *to, struct cpt_run run, struct crimg_err *err)
{
	void *array = to->list;
	if (c->run_count >= MAX_RUNS)
		return crimg_fail(err, CRIMG_E_LIMIT, c->source->name, CRIMG_NO_OFFSET,
				  "more than %u runs of pages", MAX_RUNS);
	if (crimg_grow(&array, &to->capacity, to->count, sizeof *to->list, err) < 0)
		return -1;
	to->list = array;
	to->list[to->count++] = run;
	to->pages += (run.bytes + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES;
	c->run_count++;
	return 0;
}

// The first run that ends behind an address.
static size_t run_at(const struct cpt_runs *in, uint64_t address)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, in->count, in->list[at].start + in->list[at].bytes <= address);
	return at;
}

// Address spaces are resolved in the order of the file, so what is copied from is known already.
static int copy_runs(struct cpt *c, struct cpt_runs *to, const struct cpt_object *o,
		     const struct cpt_object *space, uint64_t start, uint64_t end,
		     struct crimg_err *err)
{
	const struct cpt_object *source = cpt_ref(c, o, CRIMG_CPT_COPYPAGES_SOURCE);
	if (source == NULL)
		return 0; // said with the references
	if (source->offset >= space->offset) {
		cpt_damage(c, o->offset, "COPYPAGES: pages of the address space at %llu found, an "
					 "earlier one wanted",
			   (unsigned long long)source->offset);
		return 0;
	}
	const struct cpt_runs *in = &c->spaces[source->nth];
	uint64_t at = start;
	for (size_t i = run_at(in, at); at < end && i < in->count; i++) {
		struct cpt_run r = in->list[i];
		if (r.start > at)
			break;
		uint64_t skip = at - r.start, n = crimg_min_u64(r.bytes - skip, end - at);
		uint64_t offset = r.offset == CRIMG_NO_OFFSET ? r.offset : r.offset + skip;
		if (add_run(c, to, (struct cpt_run){at, n, offset, false}, err) < 0)
			return -1;
		at += n;
	}
	if (at < end)
		cpt_damage(c, o->offset,
			   "COPYPAGES: %llx is not among the pages of the address space at %llu",
			   (unsigned long long)at, (unsigned long long)source->offset);
	return 0;
}

struct range {
	uint64_t start, end;    // that pages must lie in
	uint64_t last;          // end of the pages before
	bool whole;             // whole pages only
};

// One page object; 1: it is right. 0: it was told what is wrong.
static int check_range(struct cpt *c, const struct cpt_object *o, const struct range *in,
		       uint64_t start, uint64_t end)
{
	uint64_t mask = CRIMG_PAGE_BYTES - 1;
	const char *name = crimg_cpt_objects[o->kind].name;
	if (start >= end || (start & mask) != 0 || (in->whole && (end & mask) != 0)
	    || start < in->last || start < in->start || end > in->end) {
		cpt_damage(c, o->offset,
			   "%s: pages %llx to %llx found, whole ones behind %llx and in %llx to "
			   "%llx wanted",
			   name, (unsigned long long)start, (unsigned long long)end,
			   (unsigned long long)in->last, (unsigned long long)in->start,
			   (unsigned long long)in->end);
		return 0;
	}
	if (o->kind == CRIMG_CPT_OBJ_PAGES && o->content == CRIMG_CPT_CONTENT_DATA
	    && cpt_body_bytes(o) < end - start) {
		cpt_damage(c, o->offset, "PAGES: %llu bytes found, %llu wanted",
			   (unsigned long long)cpt_body_bytes(o), (unsigned long long)(end - start));
		return 0;
	}
	return 1;
}

// start and end stand in all of them at the same place.
static int read_pages(struct cpt *c, struct cpt_runs *to, const struct cpt_object *o,
		      const struct cpt_object *space, struct range *in, struct crimg_err *err)
{
	uint64_t start = crimg_get_u64(o->data + 16), end = crimg_get_u64(o->data + 24);
	if (o->kind == CRIMG_CPT_OBJ_REMAPPAGES)
		return 0; // maps other pages of the file: no contents
	if (elsewhere(o) != NULL) {
		crimg_fail(&c->damage, CRIMG_E_UNSUPPORTED, c->source->name, o->offset,
			   "%s: the contents of %llx to %llx are not in the image: %s",
			   crimg_cpt_objects[o->kind].name, (unsigned long long)start,
			   (unsigned long long)end, elsewhere(o));
		return 0;
	}
	if (!check_range(c, o, in, start, end))
		return 0;
	in->last = end;
	if (o->kind == CRIMG_CPT_OBJ_COPYPAGES)
		return space == NULL ? 0 : copy_runs(c, to, o, space, start, end, err);
	uint64_t at = o->content == CRIMG_CPT_CONTENT_VOID ? CRIMG_NO_OFFSET : cpt_body(o);
	return add_run(c, to, (struct cpt_run){start, end - start, at, true}, err);
}

static bool holds_pages(const struct cpt_object *o)
{
	return o->kind == CRIMG_CPT_OBJ_PAGES || o->kind == CRIMG_CPT_OBJ_COPYPAGES
	       || o->kind == CRIMG_CPT_OBJ_REMAPPAGES || o->kind == CRIMG_CPT_OBJ_LAZYPAGES
	       || o->kind == CRIMG_CPT_OBJ_ITERPAGES || o->kind == CRIMG_CPT_OBJ_ITERYOUNGPAGES;
}

static int read_all(struct cpt *c, struct cpt_runs *to, const struct cpt_object *in,
		    const struct cpt_object *space, struct range *range, struct crimg_err *err)
{
	const struct cpt_object *o = NULL;
	while ((o = cpt_child(c, in, o, CRIMG_CPT_OBJ_ANY)) != NULL)
		if (holds_pages(o) && read_pages(c, to, o, space, range, err) < 0)
			return -1;
	return 0;
}

static int read_space(struct cpt *c, const struct cpt_object *space, struct crimg_err *err)
{
	const struct cpt_object *vma = NULL;
	struct range range = {.whole = true};
	while ((vma = cpt_child(c, space, vma, CRIMG_CPT_OBJ_VMA)) != NULL) {
		range.start = cpt_get(c, vma, CRIMG_CPT_VMA_START);
		range.end = cpt_get(c, vma, CRIMG_CPT_VMA_END);
		if (range.start >= range.end || range.start < range.last
		    || (range.start | range.end) % CRIMG_PAGE_BYTES != 0) {
			cpt_damage(c, vma->offset,
				   "VMA: %llx to %llx found, whole pages behind %llx wanted",
				   (unsigned long long)range.start, (unsigned long long)range.end,
				   (unsigned long long)range.last);
			continue;
		}
		range.last = range.start;
		if (read_all(c, &c->spaces[space->nth], vma, space, &range, err) < 0)
			return -1;
		range.last = range.end;
	}
	return 0;
}

int cpt_load_pages(struct cpt *c, struct crimg_err *err)
{
	size_t spaces = cpt_count(c, CRIMG_CPT_OBJ_MM), inodes = cpt_count(c, CRIMG_CPT_OBJ_INODE);
	c->spaces = calloc(spaces + 1, sizeof *c->spaces);
	c->inodes = calloc(inodes + 1, sizeof *c->inodes);
	if (c->spaces == NULL || c->inodes == NULL)
		return crimg_fail_nomem(err, (spaces + inodes) * sizeof *c->spaces);
	for (size_t i = 0; i < spaces; i++)
		if (read_space(c, cpt_nth(c, CRIMG_CPT_OBJ_MM, i), err) < 0)
			return -1;
	for (size_t i = 0; i < inodes; i++) {
		struct range all = {.end = INT64_MAX};
		if (read_all(c, &c->inodes[i], cpt_nth(c, CRIMG_CPT_OBJ_INODE, i), NULL, &all, err)
		    < 0)
			return -1;
	}
	return 0;
}
