#include "diff/memory_diff.h"

#include <inttypes.h>
#include <stdio.h>

#include "diff/mappings.h"

// What one comparison of pages passes on.
struct telling {
	struct crimg_diff *d;
	struct crimg_page_change change;
};

static void tell_range(void *context, const struct crimg_pages_range *range)
{
	struct telling *t = context;
	t->d->pages[range->kind] += crimg_pages_in(range);
	if (range->kind == CRIMG_PAGES_SAME || range->kind == CRIMG_PAGES_UNTOLD)
		return;
	t->change.range = range;
	if (t->d->sink->pages != NULL)
		t->d->sink->pages(t->d->sink->context, &t->change);
}

// Damage is of an image and is noted; without memory there is no use in going on.
static void note(struct crimg_diff *d, const struct crimg_err *err)
{
	if (err->code == CRIMG_E_NOMEM)
		crimg_fail_nomem(&d->fault, 0);
	else if (err->code != CRIMG_OK && d->damage.code == CRIMG_OK)
		d->damage = *err;
}

static void compare_pages(struct crimg_diff *d, const struct crimg_task_pair *pair,
                          const struct crimg_space *a, const struct crimg_space *b)
{
	struct telling t = { d, { .pair = pair, .space = { a, b } } };
	struct crimg_pages_visitor visitor = { tell_range, &t, true };
	struct crimg_err err = CRIMG_ERR_INIT;
	if (d->options->no_pages)
		return;
	if (crimg_pages_compare(a, b, &visitor, &err) < 0)
		note(d, &err);
}

static bool load(struct crimg_diff *d, int side, const struct crimg_task *task,
                 struct crimg_space *out)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_diff_side *s = &d->side[side];
	*out = (struct crimg_space){ .image = s->image, .task = task };
	if (crimg_space_load(s->image, &s->files, task, out, &err) < 0)
		note(d, &err);
	return !crimg_diff_failed(d);
}

void crimg_compare_memory(struct crimg_diff *d, const struct crimg_task_pair *pair)
{
	const struct crimg_task *a = pair->task[CRIMG_A], *b = pair->task[CRIMG_B];
	struct crimg_space x, y;
	if (!crimg_task_has_memory(a) && !crimg_task_has_memory(b))
		return;
	if (load(d, CRIMG_A, a, &x)) {
		if (load(d, CRIMG_B, b, &y)) {
			crimg_compare_mappings(d, pair, &x, &y);
			compare_pages(d, pair, &x, &y);
		}
		crimg_space_fini(&y);
	}
	crimg_space_fini(&x);
}

// Page maps without tasks: segments, and those of a pre-dump.
static void name_of(struct crimg_diff *d, int side, const struct crimg_image_object *o, char *out,
                    size_t size)
{
	struct crimg_list inodes = { NULL, 0 };
	uint64_t id = o->object.id;
	if (o->object.kind == CRIMG_KIND_PAGEMAP)
		snprintf(out, size, "pages of %" PRIu64, id);
	else if (crimg_image_select(d->side[side].image, CRIMG_KIND_MEMFD_INODE, "shmid", id, &inodes,
	                            &d->damage) == 0 && inodes.count > 0)
		snprintf(out, size, "%s", ((const MemfdInodeEntry *)inodes.items[0])->name);
	else
		snprintf(out, size, "segment %" PRIu64, id);
}

static void compare_maps(struct crimg_diff *d, const struct crimg_image_object *a,
                         const struct crimg_image_object *b)
{
	char name[512];
	struct telling t = { d, { .segment = name, .map = {
		{ d->side[CRIMG_A].image, a->object.kind, a->object.id },
		{ d->side[CRIMG_B].image, b->object.kind, b->object.id } } } };
	struct crimg_pages_visitor visitor = { tell_range, &t, false };
	struct crimg_err err = CRIMG_ERR_INIT;
	name_of(d, CRIMG_B, b, name, sizeof name);
	if (crimg_maps_compare(&t.change.map[CRIMG_A], &t.change.map[CRIMG_B], &visitor, &err) < 0)
		note(d, &err);
}

static void tell_map(struct crimg_diff *d, int side, const struct crimg_image_object *o)
{
	char subject[CRIMG_FILE_NAME_MAX], name[512];
	struct crimg_scope s = { .d = d, .group = CRIMG_DIFF_SEGMENTS, .subject = subject, .name = name };
	struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
	crimg_kind_file(o->object.kind, o->object.id, subject);
	name_of(d, side, o, name, sizeof name);
	value[side] = crimg_u64_value(o->map != NULL ? o->map->present_pages + o->map->parent_pages : 0);
	crimg_tell(&s, side == CRIMG_A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, "pages",
	           value[CRIMG_A], value[CRIMG_B]);
}

// The map of the other image that goes with o: by what refers to both segments, else by number.
static struct crimg_image_object *partner_of(struct crimg_diff *d, int side,
                                             const struct crimg_image_object *o)
{
	uint64_t id = o->object.id, back, other;
	struct crimg_image *image = d->side[1 - side].image;
	if (o->object.kind == CRIMG_KIND_PAGEMAP)
		return crimg_image_find(image, o->object.kind, id);
	if (crimg_references_find(d->references, CRIMG_REF_SEGMENT, side, id, &other))
		return crimg_image_find(image, o->object.kind, other);
	if (crimg_references_find(d->references, CRIMG_REF_SEGMENT, 1 - side, id, &back))
		return NULL; // that one goes with another
	return crimg_image_find(image, o->object.kind, id);
}

static void compare_map(struct crimg_diff *d, int side, const struct crimg_image_object *o)
{
	struct crimg_image_object *other = partner_of(d, side, o);
	crimg_mark(d, side, o);
	crimg_mark(d, 1 - side, other);
	if (crimg_one_core(d))
		return; // its pages are in the tasks, and were compared there
	if (other == NULL)
		tell_map(d, side, o);
	else if (!d->options->no_pages)
		compare_maps(d, side == CRIMG_A ? o : other, side == CRIMG_A ? other : o);
}

void crimg_compare_lone_maps(struct crimg_diff *d)
{
	static const enum crimg_kind kinds[] = { CRIMG_KIND_PAGEMAP, CRIMG_KIND_PAGEMAP_SHMEM };
	bool whole = crimg_image_first(d->side[CRIMG_A].image, CRIMG_KIND_PAGES) != NULL
		&& crimg_image_first(d->side[CRIMG_B].image, CRIMG_KIND_PAGES) != NULL;
	for (size_t k = 0; whole && k < sizeof kinds / sizeof kinds[0]; k++)
		for (int side = CRIMG_A; side <= CRIMG_B; side++) {
			struct crimg_image *image = d->side[side].image;
			struct crimg_image_object *o = crimg_image_first(image, kinds[k]);
			for (; o != NULL && !crimg_diff_failed(d); o = crimg_image_next(image, o))
				if (!crimg_is_marked(d, side, o))
					compare_map(d, side, o);
		}
}
