// What an image of ours tells beyond CRIU's messages is of threads, processes and areas that are in it, once of each.
#include <inttypes.h>

#include "format/search.h"
#include "validate/numbered.h"

// Whether nobody was told of before: lists are as long as there are threads, so each is looked for from its place.
static bool is_first(struct crimg_checker *c, enum crimg_kind kind, const char *field, uint32_t number,
                     const void *message)
{
	struct crimg_list list = { NULL, 0 };
	struct crimg_err ignored = CRIMG_ERR_INIT;
	return crimg_image_select(c->image, kind, field, number, &list, &ignored) < 0 || list.count == 0
		|| list.items[0] == message;
}

static void check_threads(struct crimg_checker *c)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_THREAD_EXTRAS);
	const ThreadExtraEntry *e;
	while ((e = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		struct crimg_place at = crimg_place_message(c, e, "tid");
		if (crimg_tasks_of_thread(&c->tasks, e->tid) == NULL)
			CRIMG_FIND(c, STRAY_OBJECT, &at, "thread %u is not in the image", e->tid);
		else if (!is_first(c, CRIMG_KIND_THREAD_EXTRAS, "tid", e->tid, e))
			CRIMG_FIND(c, NUMBER_TWICE, &at, "thread %u is there twice", e->tid);
	}
}

// Names and areas are both sorted.
static void check_names(struct crimg_checker *c, const struct crimg_task *task, const ProcessExtraEntry *e)
{
	struct crimg_list vmas = crimg_checker_list(c, task, CRIMG_PART_VMAS);
	size_t k = 0;
	for (size_t i = 0; i < e->n_names; i++) {
		const AreaNameEntry *n = e->names[i];
		while (k < vmas.count && ((const VmaEntry *)vmas.items[k])->end <= n->start)
			k++;
		const VmaEntry *vma = k < vmas.count ? vmas.items[k] : NULL;
		if (vma != NULL && vma->start <= n->start && n->start < n->end)
			continue;
		struct crimg_place at = crimg_place_message(c, e, "names");
		CRIMG_FIND(c, STRAY_OBJECT, &at, "names[%zu]: process %u has no area 0x%" PRIx64 "-0x%" PRIx64, i,
		           task->pid, n->start, n->end);
	}
}

void crimg_refs_extras(struct crimg_numbered *r)
{
	struct crimg_checker *c = r->c;
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_PROCESS_EXTRAS);
	const ProcessExtraEntry *e;
	check_threads(c);
	while ((e = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		const struct crimg_task *task = crimg_tasks_of_thread(&c->tasks, e->pid);
		struct crimg_place at = crimg_place_message(c, e, "pid");
		if (task == NULL || task->pid != e->pid)
			CRIMG_FIND(c, STRAY_OBJECT, &at, "process %u is not in the image", e->pid);
		else if (!is_first(c, CRIMG_KIND_PROCESS_EXTRAS, "pid", e->pid, e))
			CRIMG_FIND(c, NUMBER_TWICE, &at, "process %u is there twice", e->pid);
		else
			check_names(c, task, e);
	}
}
