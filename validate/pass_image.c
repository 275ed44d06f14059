// The image as a whole: inventory, the files that every task needs, pages, and that parents hold what
// is left to them.
#include <inttypes.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "validate/checker.h"

static void note_lack(void *context, enum crimg_lack lack, const struct crimg_err *err)
{
	static const enum crimg_finding_id ids[] = {
		[CRIMG_LACK_INVENTORY] = CRIMG_F_NO_INVENTORY, [CRIMG_LACK_TASKS] = CRIMG_F_NO_TASKS,
		[CRIMG_LACK_CORE] = CRIMG_F_NO_CORE,           [CRIMG_LACK_MM] = CRIMG_F_NO_MM,
		[CRIMG_LACK_PAGEMAP] = CRIMG_F_NO_PAGEMAP,     [CRIMG_LACK_PAGES] = CRIMG_F_NO_PAGES,
		[CRIMG_LACK_PAGE_BYTES] = CRIMG_F_PAGES_SHORT,
		[CRIMG_LACK_PAGE_ENTRIES] = CRIMG_F_PAGES_LONG,
		[CRIMG_LACK_PARENT] = CRIMG_F_NO_PARENT,
	};
	struct crimg_checker *c = context;
	struct crimg_place place = crimg_place_error(c, err);
	if (lack == CRIMG_LACK_SENSE)
		return; // the structure pass told
	const char *text = err->text; // the title says it, too
	if (strncmp(text, "missing: ", 9) == 0)
		text += 9;
	crimg_findings_add(&c->findings, ids[lack], &place, "%s", text);
}

// A run that is left to the parent: is all of it there?
static void check_run(struct crimg_checker *c, const struct crimg_image_object *o,
                      const struct crimg_page_run *run)
{
	uint64_t end = run->vaddr + run->pages * CRIMG_PAGE_BYTES, next;
	for (uint64_t at = run->vaddr; at < end; at = next) {
		enum crimg_pages_state state;
		struct crimg_err err = CRIMG_ERR_INIT;
		if (crimg_memory_state(c->image, o->object.kind, o->object.id, at, &state, &next,
		                       &err) < 0)
			return; // the parent cannot be opened: told
		next = crimg_min_u64(next, end);
		if (state == CRIMG_PAGES_HERE)
			continue;
		struct crimg_place place = crimg_place_object(o);
		CRIMG_FIND(c, PARENT_LACKS, &place,
		           "pages 0x%" PRIx64 "-0x%" PRIx64 " are left to the parent, which does not "
		           "hold them", at, next);
	}
}

static void check_parent_pages(struct crimg_checker *c)
{
	struct crimg_image *image = c->image;
	if (crimg_image_parent_link(image) == NULL || image->parent == NULL)
		return;
	for (size_t i = 0; i < image->count; i++) {
		const struct crimg_image_object *o = &image->objects[i];
		if (o->map == NULL || !o->sorted)
			continue;
		for (size_t r = 0; r < o->map->count; r++)
			if ((o->map->runs[r].flags & (CRIMG_PE_PARENT | CRIMG_PE_PRESENT))
			    == CRIMG_PE_PARENT)
				check_run(c, o, &o->map->runs[r]);
	}
}

void crimg_pass_image(struct crimg_checker *c)
{
	struct crimg_lack_listener listener = { note_lack, c };
	(void)crimg_image_lacks(c->image, &listener); // each was told
	check_parent_pages(c);
}
