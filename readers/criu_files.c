// Finding the files of a CRIU image and reading their frames.
#include "readers/criu_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"

// Bytes of the directory part, with its slash.
static size_t dir_length(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash == NULL ? 0 : (size_t)(slash - name) + 1;
}

static size_t depth_of(const char *name)
{
	size_t depth = 0;
	for (; *name != '\0'; name++)
		depth += *name == '/';
	return depth;
}

// How much a file name says that an image lies in its directory.
static int telling(const char *base)
{
	uint64_t id;
	enum crimg_kind kind = crimg_kind_by_file(base, &id);
	return kind == CRIMG_KIND_INVENTORY ? 3 : kind == CRIMG_KIND_PSTREE ? 2
		: kind == CRIMG_KIND_CORE || kind == CRIMG_KIND_PAGEMAP ? 1 : 0;
}

static int fail_no_image(const struct crimg_store *store, struct crimg_err *err)
{
	if (store->count == 0)
		return crimg_store_fail(store, NULL, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "empty: no inventory.img, and nothing else, is in it");
	return crimg_store_fail(store, NULL, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
	                        "no checkpoint: no inventory.img among its %zu members",
	                        store->count);
}

int criu_files_root(const struct crimg_store *store, char *root, struct crimg_err *err)
{
	const char *best = NULL, *rival = NULL;
	int best_rank = 0;
	for (size_t i = 0; i < store->count; i++) {
		const char *name = store->members[i].name;
		int rank = telling(name + dir_length(name));
		if (rank == 0 || rank < best_rank)
			continue;
		if (rank > best_rank || depth_of(name) < depth_of(best)) {
			best = name;
			best_rank = rank;
			rival = NULL;
		} else if (depth_of(name) == depth_of(best)
		           && (dir_length(name) != dir_length(best)
		               || memcmp(name, best, dir_length(name)) != 0)) {
			rival = name;
		}
	}
	if (best == NULL)
		return fail_no_image(store, err);
	if (rival != NULL)
		return crimg_store_fail(store, NULL, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "several images are in it, %.*s and %.*s among them: name one",
		                        (int)dir_length(best), best, (int)dir_length(rival), rival);
	if (root != NULL)
		snprintf(root, CRIMG_MAX_NAME_BYTES + 1, "%.*s", (int)dir_length(best), best);
	return 0;
}

bool criu_is_framed(const uint8_t *head)
{
	uint32_t outer = crimg_get_u32(head);
	return (outer == CRIMG_MAGIC_COMMON || outer == CRIMG_MAGIC_SERVICE)
		&& crimg_kind_by_magic(crimg_get_u32(head + 4)) != CRIMG_KIND_COUNT;
}

enum crimg_kind criu_single_kind(const char *path, const uint8_t *head, size_t length)
{
	uint64_t id;
	const char *slash = strrchr(path, '/');
	enum crimg_kind by_name = crimg_kind_by_file(slash != NULL ? slash + 1 : path, &id);
	if (by_name != CRIMG_KIND_OPAQUE)
		return by_name;
	if (length >= 8 && criu_is_framed(head))
		return crimg_kind_by_magic(crimg_get_u32(head + 4));
	if (length >= 4 && crimg_kind_by_magic(crimg_get_u32(head)) != CRIMG_KIND_COUNT)
		return crimg_kind_by_magic(crimg_get_u32(head));
	return CRIMG_KIND_OPAQUE;
}

// A member that CRIU's readers would open must be a file.
static int check_is_file(const struct crimg_store *store, const struct crimg_member *m,
                         enum crimg_kind kind, struct crimg_err *err)
{
	if (kind == CRIMG_KIND_OPAQUE || m->type == CRIMG_MEMBER_FILE)
		return 0;
	return crimg_store_fail(store, m->name, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
	                        "a %s found, a file wanted",
	                        m->type == CRIMG_MEMBER_LINK ? "symbolic link" : "directory");
}

// The kind of a member: files directly in the image's root, and Podman's stats-dump above it.
static int classify(const struct crimg_store *store, const struct crimg_member *m, const char *root,
                    struct crimg_object *object, struct crimg_err *err)
{
	size_t below = strlen(root);
	const char *base = m->name;
	object->kind = CRIMG_KIND_OPAQUE;
	if (strncmp(m->name, root, below) == 0)
		base = m->name + below;
	else if (strcmp(m->name, "stats-dump") != 0)
		return 0;
	const char *slash = strchr(base, '/');
	if (slash == NULL) {
		object->kind = crimg_kind_by_file(base, &object->id);
		return check_is_file(store, m, object->kind, err);
	}
	char first[CRIMG_FILE_NAME_MAX];
	uint64_t id;
	snprintf(first, sizeof first, "%.*s", (int)(slash - base), base);
	if ((size_t)(slash - base) < sizeof first
	    && crimg_kind_by_file(first, &id) != CRIMG_KIND_OPAQUE)
		return crimg_store_fail(store, first, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "a directory found, a file wanted");
	return 0;
}

static int add_file(struct criu_files *files, const struct crimg_store *store, size_t member,
                    struct crimg_object object, struct crimg_err *err)
{
	static const enum crimg_object_type types[] = {
		[CRIMG_MEMBER_FILE] = CRIMG_OBJECT_FILE,
		[CRIMG_MEMBER_LINK] = CRIMG_OBJECT_LINK,
		[CRIMG_MEMBER_DIR] = CRIMG_OBJECT_DIR,
	};
	const struct crimg_member *m = &store->members[member];
	char shown[CRIMG_ERR_SOURCE_MAX];
	void *array = files->list;
	if (crimg_grow(&array, &files->capacity, files->count, sizeof *files->list, err) < 0)
		return -1;
	files->list = array;
	crimg_store_shown(store, m->name, shown, sizeof shown);
	char *origin = strdup(shown);
	if (origin == NULL)
		return crimg_fail_nomem(err, strlen(shown));
	object.type = types[m->type];
	object.framing = CRIMG_FRAMING_RAW;
	object.name = m->name;
	object.target = m->target;
	files->list[files->count++] = (struct criu_file){ member, object, origin };
	return 0;
}

static int in_reading_order(const void *a, const void *b)
{
	const struct crimg_object *x = &((const struct criu_file *)a)->object;
	const struct crimg_object *y = &((const struct criu_file *)b)->object;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->name, y->name);
}

int criu_files_list(struct criu_files *files, const struct crimg_store *store, bool single,
                    const uint8_t *head, size_t head_length, struct crimg_err *err)
{
	char root[CRIMG_MAX_NAME_BYTES + 1] = "";
	if (!single && criu_files_root(store, root, err) < 0)
		return -1;
	for (size_t i = 0; i < store->count; i++) {
		struct crimg_object object = { .kind = CRIMG_KIND_OPAQUE };
		if (classify(store, &store->members[i], root, &object, err) < 0)
			return -1;
		if (single)
			object.kind = criu_single_kind(store->members[i].name, head, head_length);
		if (add_file(files, store, i, object, err) < 0)
			return -1;
	}
	qsort(files->list, files->count, sizeof *files->list, in_reading_order);
	return 0;
}

void criu_files_fini(struct criu_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->list[i].origin);
	free(files->list);
	*files = (struct criu_files){ .list = NULL };
}

size_t criu_head_length(const struct crimg_kind_info *info, enum crimg_framing framing)
{
	if (framing == CRIMG_FRAMING_RAW)
		return 0;
	// The inventory has one magic in every version, so that its version can be read first.
	return framing == CRIMG_FRAMING_V10 || info->entry == &inventory_entry__descriptor ? 4 : 8;
}

static int fail_magic(const struct crimg_kind_info *info, uint32_t found, uint64_t offset,
                      const char *name, struct crimg_err *err)
{
	enum crimg_kind kind = crimg_kind_by_magic(found);
	return crimg_fail(err, CRIMG_E_MAGIC, name, offset, "magic 0x%08x (%s) found, 0x%08x (%s) wanted",
	                  found, kind == CRIMG_KIND_COUNT ? "unknown" : crimg_kind_crit_name(kind),
	                  info->magic, info->name);
}

int criu_check_magic(const struct crimg_kind_info *info, const uint8_t *p, size_t got,
                     const char *name, enum crimg_framing *framing, struct crimg_err *err)
{
	uint32_t outer = info->service ? CRIMG_MAGIC_SERVICE : CRIMG_MAGIC_COMMON;
	if (got < 4)
		return crimg_fail(err, CRIMG_E_CUT, name, 0,
		                  "the file ends: %zu bytes of magic found, 4 wanted", got);
	uint32_t first = crimg_get_u32(p);
	if (first == info->magic) {
		bool inventory = info->entry == &inventory_entry__descriptor;
		*framing = inventory ? CRIMG_FRAMING_V11 : CRIMG_FRAMING_V10;
		return 0;
	}
	if (first != outer)
		return fail_magic(info, first, 0, name, err);
	if (got < 8)
		return crimg_fail(err, CRIMG_E_CUT, name, 4,
		                  "the file ends: %zu bytes of magic found, 8 wanted", got);
	if (crimg_get_u32(p + 4) != info->magic)
		return fail_magic(info, crimg_get_u32(p + 4), 4, name, err);
	*framing = CRIMG_FRAMING_V11;
	return 0;
}

int criu_peek_entry(struct crimg_window *w, const uint8_t **out, size_t *length,
                    struct crimg_err *err)
{
	const uint8_t *p;
	size_t got;
	if (crimg_window_peek(w, 4, &p, &got, err) < 0)
		return -1;
	if (got < 4)
		return crimg_fail(err, CRIMG_E_CUT, w->source->name, w->offset,
		                  "the file ends: %zu bytes of an entry's length found, 4 wanted", got);
	uint32_t wanted = crimg_get_u32(p);
	uint64_t size = w->source->size;
	if (size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(w->offset, 4 + (uint64_t)wanted, size))
		return crimg_fail(err, CRIMG_E_CUT, w->source->name, w->offset,
		                  "the file ends: %llu bytes of an entry found, %u wanted",
		                  (unsigned long long)(size - w->offset - 4), wanted);
	if (wanted > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, w->source->name, w->offset,
		                  "an entry of %u bytes found, at most %u wanted", wanted,
		                  CRIMG_MAX_MESSAGE_BYTES);
	if (crimg_window_peek(w, 4 + (size_t)wanted, &p, &got, err) < 0)
		return -1;
	if (got < 4 + (size_t)wanted)
		return crimg_fail(err, CRIMG_E_CUT, w->source->name, w->offset,
		                  "the file ends: %zu bytes of an entry found, %u wanted", got - 4,
		                  wanted);
	*out = p;
	*length = wanted;
	return 0;
}

int criu_measure_message(struct crimg_window *w, struct crimg_arena *arena, uint64_t *length,
                         struct crimg_err *err)
{
	const uint8_t *p;
	size_t size;
	if (criu_peek_entry(w, &p, &size, err) < 0)
		return -1;
	crimg_arena_reset(arena);
	const void *m = crimg_message_decode(&ipc_msg__descriptor, p + 4, size, arena,
	                                     w->source->name, w->offset + 4, err);
	if (m == NULL)
		return -1;
	uint64_t text = ((const IpcMsg *)m)->msize;
	*length = 4 + size + (text + 7) / 8 * 8;
	return 0;
}
