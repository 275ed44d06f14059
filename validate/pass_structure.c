// The structure: what reading did not tell yet. Every entry must decode, every file must hold what its
// kind asks for, no object is there twice.
#include "validate/checker.h"

static void check_entries(struct crimg_checker *c, struct crimg_image_object *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		const struct crimg_image_entry *e = &o->entries[i];
		if (crimg_image_message(c->image, o, i, &err) == NULL && err.code != CRIMG_OK)
			crimg_checker_damage(c, &err);
		if (e->tail) {
			struct crimg_place at = crimg_place_entry(o, i, "%s", "");
			CRIMG_FIND(c, TAIL, &at, "%llu bytes found behind the only entry",
			           (unsigned long long)e->payload.length);
		}
	}
}

// Kinds of one entry must have it; of those with many, the process tree.
static void check_count(struct crimg_checker *c, const struct crimg_image_object *o)
{
	const struct crimg_kind_info *info = crimg_kind_info(o->object.kind);
	bool wanted = info->entry != NULL && (!info->many || info->head != NULL);
	if (o->object.type != CRIMG_OBJECT_FILE || !wanted || o->entries_in_file > 0)
		return;
	struct crimg_place at = crimg_place_object(o);
	crimg_checker_distrust(c, o->origin);
	CRIMG_FIND(c, EMPTY, &at, "no entry found, %s wanted",
	           (info->head != NULL ? info->head : info->entry)->name);
}

static void check_twice(struct crimg_checker *c, const struct crimg_image_object *a,
                        const struct crimg_image_object *b)
{
	if (a->object.kind != b->object.kind || a->object.id != b->object.id
	    || a->object.kind == CRIMG_KIND_OPAQUE)
		return;
	struct crimg_place at = crimg_place_object(b);
	CRIMG_FIND(c, DUPLICATE_OBJECT, &at, "the same kind and number as %s", a->object.name);
}

#define NEWEST_IMAGE_VERSION 3u // 1.2

static void check_version(struct crimg_checker *c)
{
	const InventoryEntry *inventory = crimg_image_get(c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	if (inventory == NULL || inventory->img_version <= NEWEST_IMAGE_VERSION)
		return;
	struct crimg_place at = crimg_place_of(c, CRIMG_KIND_INVENTORY, 0, "img_version");
	CRIMG_FIND(c, UNSUPPORTED, &at, "%u found, at most %u is known", inventory->img_version,
	           NEWEST_IMAGE_VERSION);
}

void crimg_pass_structure(struct crimg_checker *c)
{
	struct crimg_image *image = c->image;
	struct crimg_err err = CRIMG_ERR_INIT;
	if (crimg_image_whole(image, true, &err) < 0)
		crimg_checker_damage(c, &err);
	for (size_t i = 0; i < image->count; i++) {
		check_entries(c, &image->objects[i]);
		check_count(c, &image->objects[i]);
		if (i > 0)
			check_twice(c, &image->objects[i - 1], &image->objects[i]);
	}
	check_version(c);
}
