// What all stores share, and the two stores that are nothing else: memory, and a single file.
#include "format/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/buf.h"
#include "format/limits.h"
#include "format/search.h"

int crimg_store_make(const struct crimg_store_ops *ops, const char *name, char joint, void *state,
                     struct crimg_store **out, struct crimg_err *err)
{
	struct crimg_store *store = calloc(1, sizeof *store);
	char *copy = strdup(name);
	if (store == NULL || copy == NULL) {
		free(store);
		free(copy);
		return crimg_fail_nomem(err, sizeof *store);
	}
	store->ops = ops;
	store->name = copy;
	store->joint = joint;
	store->state = state;
	*out = store;
	return 0;
}

void crimg_store_close(struct crimg_store *store)
{
	if (store == NULL || store->shares-- > 0)
		return;
	if (store->ops->close != NULL)
		store->ops->close(store);
	for (size_t i = 0; i < store->count; i++) {
		free(store->members[i].name);
		free(store->members[i].target);
	}
	free(store->members);
	free(store->name);
	free(store);
}

struct crimg_store *crimg_store_share(struct crimg_store *store)
{
	if (store != NULL)
		store->shares++;
	return store;
}

void crimg_store_shown(const struct crimg_store *store, const char *member, char *out, size_t size)
{
	size_t length = strlen(store->name);
	if (member == NULL)
		snprintf(out, size, "%s", store->name);
	else if (length > 0 && store->name[length - 1] == store->joint)
		snprintf(out, size, "%s%s", store->name, member);
	else
		snprintf(out, size, "%s%c%s", store->name, store->joint, member);
}

int crimg_store_fail(const struct crimg_store *store, const char *member, struct crimg_err *err,
                     enum crimg_code code, uint64_t offset, const char *fmt, ...)
{
	char shown[CRIMG_ERR_SOURCE_MAX], text[CRIMG_ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	crimg_store_shown(store, member, shown, sizeof shown);
	return crimg_fail(err, code, shown, offset, "%s", text);
}

bool crimg_name_is_safe(const char *name)
{
	if (name[0] == '\0' || strlen(name) > CRIMG_MAX_NAME_BYTES)
		return false;
	for (const char *p = name;;) {
		size_t n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

int crimg_store_add(struct crimg_store *store, const char *name, enum crimg_member_type type,
                    uint64_t size, const char *target, uint64_t where, struct crimg_err *err)
{
	if (!crimg_name_is_safe(name))
		return crimg_store_fail(store, name, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "a member name that leaves the image (or is empty)");
	if (store->count >= CRIMG_MAX_OBJECTS)
		return crimg_store_fail(store, NULL, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "more than %u members", CRIMG_MAX_OBJECTS);
	void *array = store->members;
	if (crimg_grow(&array, &store->capacity, store->count, sizeof *store->members, err) < 0)
		return -1;
	store->members = array;
	char *own = strdup(name), *link = target != NULL ? strdup(target) : NULL;
	if (own == NULL || (target != NULL && link == NULL)) {
		free(own);
		free(link);
		return crimg_fail_nomem(err, strlen(name));
	}
	store->members[store->count++] = (struct crimg_member){
		.name = own, .target = link, .type = type, .size = size, .where = where
	};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct crimg_member *)a)->name,
	              ((const struct crimg_member *)b)->name);
}

int crimg_store_seal(struct crimg_store *store, struct crimg_err *err)
{
	if (store->count > 1)
		qsort(store->members, store->count, sizeof *store->members, by_name);
	for (size_t i = 1; i < store->count; i++)
		if (by_name(&store->members[i - 1], &store->members[i]) == 0)
			return crimg_store_fail(store, store->members[i].name, err, CRIMG_E_FORMAT,
			                        CRIMG_NO_OFFSET, "two members of this name");
	return 0;
}

const struct crimg_member *crimg_store_find(const struct crimg_store *store, const char *name)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, store->count, strcmp(store->members[at].name, name) < 0);
	return at < store->count && strcmp(store->members[at].name, name) == 0 ? &store->members[at] : NULL;
}

int crimg_store_open_member(struct crimg_store *store, const struct crimg_member *member,
                            struct crimg_source **out, struct crimg_err *err)
{
	if (member->type != CRIMG_MEMBER_FILE)
		return crimg_store_fail(store, member->name, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "a %s found, a file wanted",
		                        member->type == CRIMG_MEMBER_LINK ? "link" : "directory");
	return store->ops->open(store, member, out, err);
}

// A single file: the store owns the one source and lends views of it.
static int view_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                     struct crimg_err *err)
{
	return crimg_source_read(s->state, offset, buf, length, got, err);
}

static const struct crimg_source_ops view_ops = { view_read, NULL };

static int single_open(struct crimg_store *store, const struct crimg_member *member,
                       struct crimg_source **out, struct crimg_err *err)
{
	struct crimg_source *whole = store->state;
	(void)member;
	if (crimg_source_make(&view_ops, whole->name, whole, out, err) < 0)
		return -1;
	(*out)->size = whole->size;
	(*out)->parallel = whole->parallel;
	(*out)->fd = whole->fd;
	(*out)->fd_offset = whole->fd_offset;
	(*out)->forward_only = whole->forward_only;
	return 0;
}

static void single_close(struct crimg_store *store)
{
	crimg_source_close(store->state);
}

static const struct crimg_store_ops single_ops = { single_open, single_close };

int crimg_store_open_single(struct crimg_source *source, const char *name, struct crimg_store **out,
                            struct crimg_err *err)
{
	static const struct crimg_store_ops nothing_held;
	struct crimg_store *store;
	if (crimg_store_make(&nothing_held, source->name, '/', NULL, &store, err) < 0)
		return -1;
	if (crimg_store_add(store, name, CRIMG_MEMBER_FILE, source->size, NULL, 0, err) < 0) {
		crimg_store_close(store);
		return -1;
	}
	store->ops = &single_ops;
	store->state = source;
	*out = store;
	return 0;
}

// Memory: `where` is the address of the borrowed bytes.
static int memory_open(struct crimg_store *store, const struct crimg_member *member,
                       struct crimg_source **out, struct crimg_err *err)
{
	char shown[CRIMG_ERR_SOURCE_MAX];
	crimg_store_shown(store, member->name, shown, sizeof shown);
	return crimg_source_open_memory((const void *)(uintptr_t)member->where,
	                                (size_t)member->size, shown, out, err);
}

static const struct crimg_store_ops memory_store_ops = { memory_open, NULL };

int crimg_store_open_memory(const char *name, struct crimg_store **out, struct crimg_err *err)
{
	return crimg_store_make(&memory_store_ops, name, '/', NULL, out, err);
}

int crimg_store_add_memory(struct crimg_store *store, const char *name, const void *data,
                           size_t length, struct crimg_err *err)
{
	if (crimg_store_add(store, name, CRIMG_MEMBER_FILE, length, NULL, (uintptr_t)data, err) < 0)
		return -1;
	return crimg_store_seal(store, err);
}
