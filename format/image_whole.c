// What makes an image whole: its parent chain, and what must be there. Reads no page contents.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "format/image.h"
#include "format/limits.h"

// The image's path and a name within it, as stores write it.
static const char *shown(const struct crimg_image *image, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s%s", image->path,
	         image->directory ? "/" : image->archive ? "!" : ": ", image->root, name);
	return out;
}

static struct crimg_image_object *parent_object(struct crimg_image *image)
{
	char name[CRIMG_MAX_NAME_BYTES + 8];
	snprintf(name, sizeof name, "%sparent", image->root);
	return crimg_image_member(image, name);
}

// Copies of images through tools that know no links carry the link's text as a file.
static const char *text_of(struct crimg_image *image, struct crimg_image_object *o)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	const char *kept = NULL;
	if (o->object.type != CRIMG_OBJECT_FILE || o->payload.number == CRIMG_NO_PAYLOAD
	    || o->payload.length == 0 || o->payload.length > CRIMG_MAX_NAME_BYTES)
		return NULL;
	if (crimg_image_contents(image, o, CRIMG_MAX_NAME_BYTES, false, &text, NULL) == 0
	    && memchr(text.data, 0, text.length) == NULL && memchr(text.data, '\n', text.length) == NULL)
		kept = crimg_arena_text(&image->arena, (const char *)text.data, text.length);
	crimg_buf_fini(&text);
	return kept;
}

const char *crimg_image_parent_link(struct crimg_image *image)
{
	struct crimg_image_object *o = parent_object(image);
	if (o == NULL)
		return NULL;
	if (o->object.target == NULL)
		o->object.target = text_of(image, o);
	return o->object.target;
}

// Takes "a/b/../c" to "a/c" in place: a stream is a file, and the kernel walks no ".." behind a file.
static void walk_up(char *path)
{
	char *up;
	while ((up = strstr(path, "/..")) != NULL && up != path
	       && (up[3] == '/' || up[3] == '\0')) {
		*up = '\0';
		char *slash = strrchr(path, '/');
		char *from = slash != NULL ? slash : path;
		const char *rest = up + 3;
		if (slash == NULL && *rest == '/')
			rest++;
		memmove(from, rest, strlen(rest) + 1);
	}
}

static int parent_path(struct crimg_image *image, const char *target, char *out, size_t size,
                       struct crimg_err *err)
{
	int n = target[0] == '/' ? snprintf(out, size, "%s", target)
		: snprintf(out, size, "%s/%s%s", image->path, image->root, target);
	if (n < 0 || (size_t)n >= size)
		return crimg_fail(err, CRIMG_E_LIMIT, image->path, CRIMG_NO_OFFSET,
		                  "the path of the parent is longer than %zu bytes", size);
	if (!image->directory && target[0] != '/')
		walk_up(out);
	return 0;
}

// Opening a directory lists all below it: a hostile link to "/" must not make us do that.
static bool holds_inventory(const char *directory)
{
	char path[2 * CRIMG_MAX_NAME_BYTES + 16];
	struct stat st;
	snprintf(path, sizeof path, "%s/inventory.img", directory);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int open_parent(struct crimg_image *image, const char *target, struct crimg_err *err)
{
	char path[2 * CRIMG_MAX_NAME_BYTES], name[2 * CRIMG_MAX_NAME_BYTES];
	struct stat st;
	shown(image, "parent", name, sizeof name);
	if (image->depth + 1 >= CRIMG_MAX_PARENTS)
		return crimg_fail(err, CRIMG_E_LIMIT, name, CRIMG_NO_OFFSET,
		                  "more than %d layers: the parents go in a circle",
		                  CRIMG_MAX_PARENTS);
	if (parent_path(image, target, path, sizeof path, err) < 0)
		return -1;
	if (stat(path, &st) < 0)
		return crimg_fail(err, CRIMG_E_NOTFOUND, name, CRIMG_NO_OFFSET,
		                  "the parent image %s is not there (%s): its pages are needed", target,
		                  strerror(errno));
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_NO_OFFSET,
		                  "the parent image %s is neither directory nor file", target);
	if (S_ISDIR(st.st_mode) && !holds_inventory(path))
		return crimg_fail(err, CRIMG_E_FORMAT, name, CRIMG_NO_OFFSET,
		                  "the parent image %s holds no inventory.img", target);
	if (crimg_image_open(path, NULL, "/tmp", &image->parent, err) < 0) {
		crimg_image_close(image->parent);
		image->parent = NULL;
		return -1;
	}
	image->parent->depth = image->depth + 1;
	return 0;
}

struct crimg_image *crimg_image_parent(struct crimg_image *image, struct crimg_err *err)
{
	const char *target = crimg_image_parent_link(image);
	if (target == NULL || image->parent != NULL)
		return image->parent;
	if (image->parent_tried) {
		crimg_fail(err, CRIMG_E_NOTFOUND, image->path, CRIMG_NO_OFFSET,
		           "the parent image %s cannot be read", target);
		return NULL;
	}
	image->parent_tried = true;
	return open_parent(image, target, err) < 0 ? NULL : image->parent;
}

const KernelOriginEntry *crimg_image_origin(struct crimg_image *image)
{
	const KernelRecordEntry *first = crimg_image_get(image, CRIMG_KIND_KERNEL_RECORDS, 0, NULL);
	return first != NULL ? first->origin : NULL;
}

bool crimg_image_is_skeleton(struct crimg_image *image)
{
	const KernelOriginEntry *origin = crimg_image_origin(image);
	return origin != NULL && origin->skeleton;
}

// One look at an image: tells what is lacking and goes on.
struct look {
	const struct crimg_lack_listener *listener;
	bool lacking;
};

static void tell(struct look *look, enum crimg_lack lack, const struct crimg_err *err)
{
	look->lacking = true;
	look->listener->lacks(look->listener->context, lack, err);
}

static void lacks_file(struct look *look, const struct crimg_image *image, enum crimg_lack lack,
                       enum crimg_kind kind, uint64_t id, const char *why)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	char file[CRIMG_FILE_NAME_MAX], name[2 * CRIMG_MAX_NAME_BYTES];
	crimg_kind_file(kind, id, file);
	crimg_fail(&err, CRIMG_E_NOTFOUND, shown(image, file, name, sizeof name), CRIMG_NO_OFFSET,
	           "missing: %s", why);
	tell(look, lack, &err);
}

static void look_at_size(struct look *look, const struct crimg_image *image,
                         const struct crimg_image_object *o, const struct crimg_image_object *pages)
{
	const struct crimg_pagemap *map = o->map;
	uint64_t found = pages->payload.length;
	struct crimg_err err = CRIMG_ERR_INIT;
	char file[CRIMG_FILE_NAME_MAX], name[2 * CRIMG_MAX_NAME_BYTES];
	if (found == map->stored_bytes)
		return;
	crimg_kind_file(CRIMG_KIND_PAGES, map->pages_id, file);
	shown(image, file, name, sizeof name);
	if (found < map->stored_bytes)
		crimg_fail(&err, CRIMG_E_FORMAT, name, found,
		           "the file ends: %llu bytes of pages found, %llu wanted by %s",
		           (unsigned long long)found, (unsigned long long)map->stored_bytes,
		           o->object.name);
	else
		crimg_fail(&err, CRIMG_E_FORMAT, name, map->stored_bytes,
		           "%llu bytes of pages found, %llu wanted by %s", (unsigned long long)found,
		           (unsigned long long)map->stored_bytes, o->object.name);
	tell(look, found < map->stored_bytes ? CRIMG_LACK_PAGE_BYTES : CRIMG_LACK_PAGE_ENTRIES, &err);
}

static void look_for_parent(struct look *look, struct crimg_image *image,
                            const struct crimg_image_object *o)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	char name[2 * CRIMG_MAX_NAME_BYTES];
	if (crimg_image_parent_link(image) == NULL) {
		crimg_fail(&err, CRIMG_E_NOTFOUND, shown(image, "parent", name, sizeof name),
		           CRIMG_NO_OFFSET, "missing: %s leaves %llu pages to the parent image",
		           o->object.name, (unsigned long long)o->map->parent_pages);
		tell(look, CRIMG_LACK_PARENT, &err);
	} else if (image->directory && !image->parent_failed
	           && crimg_image_parent(image, &err) == NULL) {
		// A layer in a stream or archive travels alone: its parents need not be where it is now.
		image->parent_failed = true;
		tell(look, CRIMG_LACK_PARENT, &err);
	}
}

// The pages of one map, here and in the parent.
static void look_at_map(struct look *look, struct crimg_image *image,
                        const struct crimg_image_object *o)
{
	const struct crimg_pagemap *map = o->map;
	char why[128];
	const struct crimg_image_object *pages =
		crimg_image_find(image, CRIMG_KIND_PAGES, map->pages_id);
	snprintf(why, sizeof why, "%s points at %llu bytes of pages in it", o->object.name,
	         (unsigned long long)map->stored_bytes);
	if (pages != NULL)
		look_at_size(look, image, o, pages);
	else if (map->stored_bytes > 0)
		lacks_file(look, image, CRIMG_LACK_PAGES, CRIMG_KIND_PAGES, map->pages_id, why);
	if (map->parent_pages > 0)
		look_for_parent(look, image, o);
}

static void look_at_maps(struct look *look, struct crimg_image *image)
{
	static const enum crimg_kind kinds[] = { CRIMG_KIND_PAGEMAP, CRIMG_KIND_PAGEMAP_SHMEM };
	for (; image != NULL; image = image->parent) // opened because pages are in it
		for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
			for (struct crimg_image_object *o = crimg_image_first(image, kinds[k]); o != NULL;
			     o = crimg_image_next(image, o))
				if (o->map != NULL)
					look_at_map(look, image, o);
}

static void look_at_task(struct look *look, struct crimg_image *image, const PstreeEntry *p)
{
	static const struct {
		enum crimg_kind kind;
		enum crimg_lack lack;
		const char *why;
	} wanted[] = {
		{ CRIMG_KIND_MM, CRIMG_LACK_MM, "the address space of a task in pstree.img" },
		{ CRIMG_KIND_PAGEMAP, CRIMG_LACK_PAGEMAP, "the page map of a task in pstree.img" },
	};
	struct crimg_image_object *o = crimg_image_find(image, CRIMG_KIND_CORE, p->pid);
	if (o == NULL || o->count == 0) {
		lacks_file(look, image, CRIMG_LACK_CORE, CRIMG_KIND_CORE, p->pid,
		           "a task in pstree.img needs it");
		return;
	}
	struct crimg_err err = CRIMG_ERR_INIT;
	const CoreEntry *core = crimg_image_message(image, o, 0, &err);
	if (core == NULL) { // told before, perhaps: then without an error of its own
		crimg_fail(&err, CRIMG_E_FORMAT, o->origin, CRIMG_NO_OFFSET,
		           "the core does not decode");
		tell(look, CRIMG_LACK_SENSE, &err);
		return;
	}
	if (core->tc != NULL && core->tc->task_state == 2) // a zombie: its thread number is garbage
		return;
	for (size_t i = 0; i < p->n_threads; i++)
		if (p->threads[i] != p->pid
		    && crimg_image_find(image, CRIMG_KIND_CORE, p->threads[i]) == NULL)
			lacks_file(look, image, CRIMG_LACK_CORE, CRIMG_KIND_CORE, p->threads[i],
			           "a thread in pstree.img needs it");
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (crimg_image_find(image, wanted[i].kind, p->pid) == NULL)
			lacks_file(look, image, wanted[i].lack, wanted[i].kind, p->pid, wanted[i].why);
}

static void look_at_tasks(struct look *look, struct crimg_image *image)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_PSTREE);
	const PstreeEntry *p;
	size_t tasks = 0;
	while ((p = crimg_image_walk(image, &walk, &err)) != NULL) {
		look_at_task(look, image, p);
		tasks++;
	}
	if (err.code != CRIMG_OK)
		tell(look, CRIMG_LACK_SENSE, &err);
	else if (tasks == 0)
		lacks_file(look, image, CRIMG_LACK_TASKS, CRIMG_KIND_PSTREE, 0,
		           "no process is in the image");
}

bool crimg_image_lacks(struct crimg_image *image, const struct crimg_lack_listener *listener)
{
	struct look look = { .listener = listener };
	struct crimg_err err = CRIMG_ERR_INIT;
	if (!image->directory && !image->archive && image->count <= 1)
		return false; // one object (core-7.img, or a stream of it) is no image that could be whole
	const InventoryEntry *inventory = crimg_image_get(image, CRIMG_KIND_INVENTORY, 0, &err);
	if (err.code != CRIMG_OK)
		tell(&look, CRIMG_LACK_SENSE, &err);
	else if (inventory == NULL && crimg_image_find(image, CRIMG_KIND_INVENTORY, 0) == NULL)
		lacks_file(&look, image, CRIMG_LACK_INVENTORY, CRIMG_KIND_INVENTORY, 0,
		           "every image begins with it");
	bool whole = inventory == NULL || inventory->img_version != 0;
	if (whole && !crimg_image_is_skeleton(image))
		look_at_tasks(&look, image);
	look_at_maps(&look, image);
	return look.lacking;
}

struct first_lack {
	struct crimg_err *err;
	bool told;
	int rc;
};

static void note_first(void *context, enum crimg_lack lack, const struct crimg_err *err)
{
	struct first_lack *first = context;
	if (first->told || lack == CRIMG_LACK_PAGE_ENTRIES)
		return;
	first->told = true;
	first->rc = lack == CRIMG_LACK_SENSE ? -1 : 1;
	if (first->err != NULL && first->err->code == CRIMG_OK)
		*first->err = *err;
}

int crimg_image_missing(struct crimg_image *image, struct crimg_err *err)
{
	struct first_lack first = { .err = err };
	struct crimg_lack_listener listener = { note_first, &first };
	return crimg_image_lacks(image, &listener) ? first.rc : 0;
}
