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

static int missing_file(const struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                        const char *why, struct crimg_err *err)
{
	char file[CRIMG_FILE_NAME_MAX], name[2 * CRIMG_MAX_NAME_BYTES];
	crimg_kind_file(kind, id, file);
	crimg_fail(err, CRIMG_E_NOTFOUND, shown(image, file, name, sizeof name), CRIMG_NO_OFFSET,
	           "missing: %s", why);
	return 1;
}

// The pages of one map, here and in the parent.
static int missing_pages(struct crimg_image *image, const struct crimg_image_object *o,
                         struct crimg_err *err)
{
	const struct crimg_pagemap *map = o->map;
	char file[CRIMG_FILE_NAME_MAX], name[2 * CRIMG_MAX_NAME_BYTES], why[128];
	const struct crimg_image_object *pages =
		crimg_image_find(image, CRIMG_KIND_PAGES, map->pages_id);
	snprintf(why, sizeof why, "%s points at %llu bytes of pages in it", o->object.name,
	         (unsigned long long)map->stored_bytes);
	if (map->stored_bytes > 0 && pages == NULL)
		return missing_file(image, CRIMG_KIND_PAGES, map->pages_id, why, err);
	if (map->stored_bytes > 0 && pages->payload.length < map->stored_bytes) {
		crimg_kind_file(CRIMG_KIND_PAGES, map->pages_id, file);
		crimg_fail(err, CRIMG_E_FORMAT, shown(image, file, name, sizeof name),
		           pages->payload.length,
		           "the file ends: %llu bytes of pages found, %llu wanted by %s",
		           (unsigned long long)pages->payload.length,
		           (unsigned long long)map->stored_bytes, o->object.name);
		return 1;
	}
	if (map->parent_pages == 0)
		return 0;
	if (crimg_image_parent_link(image) == NULL) {
		crimg_fail(err, CRIMG_E_NOTFOUND, shown(image, "parent", name, sizeof name),
		           CRIMG_NO_OFFSET, "missing: %s leaves %llu pages to the parent image",
		           o->object.name, (unsigned long long)map->parent_pages);
		return 1;
	}
	// A layer in a stream or archive travels alone: its parents need not be where it is now.
	return image->directory && crimg_image_parent(image, err) == NULL ? 1 : 0;
}

static int missing_maps_of(struct crimg_image *image, struct crimg_err *err)
{
	static const enum crimg_kind kinds[] = { CRIMG_KIND_PAGEMAP, CRIMG_KIND_PAGEMAP_SHMEM };
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (struct crimg_image_object *o = crimg_image_first(image, kinds[k]); o != NULL;
		     o = crimg_image_next(image, o)) {
			int rc = o->map == NULL ? 0 : missing_pages(image, o, err);
			if (rc != 0)
				return rc;
		}
	return 0;
}

// The parents too, and theirs.
static int missing_maps(struct crimg_image *image, struct crimg_err *err)
{
	int rc = 0;
	while (rc == 0 && image != NULL) {
		rc = missing_maps_of(image, err);
		if (rc == 0)
			image = image->parent; // opened because pages are in it
	}
	return rc;
}

static int missing_of_task(struct crimg_image *image, const PstreeEntry *p, struct crimg_err *err)
{
	static const struct {
		enum crimg_kind kind;
		const char *why;
	} wanted[] = {
		{ CRIMG_KIND_MM, "the address space of a task in pstree.img" },
		{ CRIMG_KIND_PAGEMAP, "the page map of a task in pstree.img" },
	};
	struct crimg_image_object *o = crimg_image_find(image, CRIMG_KIND_CORE, p->pid);
	if (o == NULL || o->count == 0)
		return missing_file(image, CRIMG_KIND_CORE, p->pid, "a task in pstree.img needs it",
		                    err);
	const CoreEntry *core = crimg_image_message(image, o, 0, err);
	if (core == NULL) // told before, perhaps: then without an error of its own
		return crimg_fail(err, CRIMG_E_FORMAT, o->origin, CRIMG_NO_OFFSET,
		                  "the core does not decode");
	if (core->tc != NULL && core->tc->task_state == 2) // a zombie: its thread number is garbage
		return 0;
	for (size_t i = 0; i < p->n_threads; i++)
		if (crimg_image_find(image, CRIMG_KIND_CORE, p->threads[i]) == NULL)
			return missing_file(image, CRIMG_KIND_CORE, p->threads[i],
			                    "a thread in pstree.img needs it", err);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (crimg_image_find(image, wanted[i].kind, p->pid) == NULL)
			return missing_file(image, wanted[i].kind, p->pid, wanted[i].why, err);
	return 0;
}

int crimg_image_missing(struct crimg_image *image, struct crimg_err *err)
{
	struct crimg_err broken = CRIMG_ERR_INIT;
	if (!image->directory && !image->archive && image->count <= 1)
		return 0; // one object (core-7.img, or a stream of it) is no image that could be whole
	const InventoryEntry *inventory = crimg_image_get(image, CRIMG_KIND_INVENTORY, 0, &broken);
	if (broken.code == CRIMG_OK && inventory == NULL
	    && crimg_image_find(image, CRIMG_KIND_INVENTORY, 0) == NULL)
		return missing_file(image, CRIMG_KIND_INVENTORY, 0, "every image begins with it", err);
	if (inventory != NULL && inventory->img_version == 0)
		return missing_maps(image, err);
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_PSTREE);
	const PstreeEntry *p;
	size_t tasks = 0;
	while (broken.code == CRIMG_OK && (p = crimg_image_walk(image, &walk, &broken)) != NULL) {
		int rc = missing_of_task(image, p, err);
		if (rc != 0)
			return rc;
		tasks++;
	}
	if (broken.code != CRIMG_OK) {
		if (err != NULL && err->code == CRIMG_OK)
			*err = broken;
		return -1;
	}
	if (tasks == 0)
		return missing_file(image, CRIMG_KIND_PSTREE, 0, "no process is in the image", err);
	return missing_maps(image, err);
}
