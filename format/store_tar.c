// An archive as a store. Judges names, types and sizes; tar_contents.c knows where the bytes are, tar_stream.c how
// archives are made.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/store.h"
#include "format/tar_contents.h"

#define MAX_DEPTH 32

struct tar_state {
	struct crimg_source *source;
	struct crimg_tar_contents contents; // a file's `where` is its number there; a directory's, whether it has members
	uint64_t unpacked_bytes;            // sizes of all members
};

static int tar_open_member(struct crimg_store *store, const struct crimg_member *member,
                           struct crimg_source **out, struct crimg_err *err)
{
	struct tar_state *t = store->state;
	char shown[CRIMG_ERR_SOURCE_MAX];
	crimg_store_shown(store, member->name, shown, sizeof shown);
	return crimg_tar_contents_open(&t->contents, member->where, shown, out, err);
}

static void tar_close(struct crimg_store *store)
{
	struct tar_state *t = store->state;
	crimg_tar_contents_fini(&t->contents);
	crimg_source_close(t->source);
	free(t);
}

static const struct crimg_store_ops tar_ops = { tar_open_member, tar_close };

// The name below the root: without a leading "./" and, for a directory, a trailing '/'. "" is the root.
static int clean_name(const struct crimg_store *store, const struct crimg_tar_entry *entry,
                      char out[CRIMG_MAX_NAME_BYTES + 1], struct crimg_err *err)
{
	const char *name = entry->name;
	if (name == NULL)
		return crimg_store_fail(store, NULL, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "a member whose name cannot be decoded");
	while (name[0] == '.' && name[1] == '/')
		name += 1 + strspn(name + 1, "/");
	size_t n = strlen(name);
	while (entry->type == CRIMG_TAR_DIR && n > 1 && name[n - 1] == '/')
		n--;
	if (entry->type == CRIMG_TAR_DIR && n == 1 && name[0] == '.')
		n = 0;
	if (n > CRIMG_MAX_NAME_BYTES)
		return crimg_store_fail(store, NULL, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "a member name of more than %u bytes",
		                        CRIMG_MAX_NAME_BYTES);
	memcpy(out, name, n);
	out[n] = '\0';
	return 0;
}

static int check_kind(const struct crimg_store *store, const char *name,
                      const struct crimg_tar_entry *entry, struct crimg_err *err)
{
	unsigned depth = 0;
	for (const char *p = name; *p != '\0'; p++)
		depth += *p == '/';
	if (depth > MAX_DEPTH)
		return crimg_store_fail(store, name, err, CRIMG_E_UNSUPPORTED, CRIMG_NO_OFFSET,
		                        "directories nested too deep");
	if (entry->type == CRIMG_TAR_HARDLINK)
		return crimg_store_fail(store, name, err, CRIMG_E_UNSUPPORTED, CRIMG_NO_OFFSET,
		                        "a hard link (to %s) has no place in an image",
		                        entry->target);
	if (entry->type == CRIMG_TAR_SPECIAL)
		return crimg_store_fail(store, name, err, CRIMG_E_UNSUPPORTED, CRIMG_NO_OFFSET,
		                        "a special file (device, socket or fifo) has no place in "
		                        "an image");
	if (entry->type == CRIMG_TAR_LINK && entry->target == NULL)
		return crimg_store_fail(store, name, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "a link without a readable target");
	if (entry->type == CRIMG_TAR_LINK && strlen(entry->target) > CRIMG_MAX_NAME_BYTES)
		return crimg_store_fail(store, name, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "a link target of more than %u bytes",
		                        CRIMG_MAX_NAME_BYTES);
	return 0;
}

// Asked of what the headers claim, before anything is unpacked.
static int check_volume(const struct crimg_store *store, const char *name, uint64_t size,
                        uint64_t unpacked_so_far, struct crimg_err *err)
{
	struct tar_state *t = store->state;
	if (!crimg_add_u64(t->unpacked_bytes, size, &t->unpacked_bytes)
	    || t->unpacked_bytes > CRIMG_MAX_ARCHIVE_BYTES)
		return crimg_store_fail(store, name, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "the archive unpacks to more than %llu bytes",
		                        CRIMG_MAX_ARCHIVE_BYTES);
	uint64_t all = t->unpacked_bytes > unpacked_so_far ? t->unpacked_bytes : unpacked_so_far;
	if (all > CRIMG_ARCHIVE_RATIO_FREE && all / CRIMG_MAX_ARCHIVE_RATIO >= t->source->size)
		return crimg_store_fail(store, name, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "%llu bytes unpack to %llu or more, over %u times as many: "
		                        "an archive that you trust you can unpack yourself, then "
		                        "name the directory",
		                        (unsigned long long)t->source->size,
		                        (unsigned long long)all, CRIMG_MAX_ARCHIVE_RATIO);
	return 0;
}

// Where its bytes are, then the member that refers to that.
static int add_member(struct crimg_store *store, const char *name,
                      const struct crimg_tar_entry *entry, struct crimg_tar_stream *stream,
                      uint64_t ordinal, struct crimg_err *err)
{
	static const enum crimg_member_type types[] = {
		[CRIMG_TAR_FILE] = CRIMG_MEMBER_FILE,
		[CRIMG_TAR_LINK] = CRIMG_MEMBER_LINK,
		[CRIMG_TAR_DIR] = CRIMG_MEMBER_DIR,
	};
	struct tar_state *t = store->state;
	uint64_t *held = &t->contents.held_bytes, where = 0;
	*held += strlen(name) + sizeof(struct crimg_member) + sizeof(struct crimg_tar_place)
	         + (entry->target != NULL ? strlen(entry->target) : 0);
	if (*held > CRIMG_MAX_INDEX_BYTES)
		return crimg_store_fail(store, NULL, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "a list of members of more than %llu bytes",
		                        CRIMG_MAX_INDEX_BYTES);
	if (entry->type == CRIMG_TAR_FILE
	    && crimg_tar_contents_take(&t->contents, stream, entry, ordinal, &where, err) < 0)
		return -1;
	return crimg_store_add(store, name, types[entry->type], entry->size, entry->target, where, err);
}

static int scan(struct crimg_store *store, struct crimg_tar_stream *stream, struct crimg_err *err)
{
	struct crimg_tar_entry entry;
	char name[CRIMG_MAX_NAME_BYTES + 1];
	int more;
	for (uint64_t n = 0; (more = crimg_tar_stream_next(stream, &entry, err)) > 0; n++) {
		if (clean_name(store, &entry, name, err) < 0
		    || check_volume(store, name, entry.size, crimg_tar_stream_unpacked(stream),
		                    err) < 0)
			return -1;
		if (name[0] == '\0' && entry.type == CRIMG_TAR_DIR)
			continue;
		if (check_kind(store, name, &entry, err) < 0
		    || add_member(store, name, &entry, stream, n, err) < 0)
			return -1;
	}
	return more;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct crimg_member *)a)->name,
	              ((const struct crimg_member *)b)->name);
}

// tar may well list a directory twice; that says nothing new.
static bool is_repeated(const struct crimg_store *store, size_t kept, const struct crimg_member *m)
{
	return kept > 0 && m->type == CRIMG_MEMBER_DIR
	       && store->members[kept - 1].type == CRIMG_MEMBER_DIR
	       && by_name(&store->members[kept - 1], m) == 0;
}

static bool is_filled(const struct crimg_store *store, size_t kept, const struct crimg_member *m)
{
	(void)store;
	(void)kept;
	return m->type == CRIMG_MEMBER_DIR && m->where != 0;
}

static void drop(struct crimg_store *store,
                 bool (*unwanted)(const struct crimg_store *, size_t, const struct crimg_member *))
{
	size_t kept = 0;
	for (size_t i = 0; i < store->count; i++) {
		struct crimg_member *m = &store->members[i];
		if (unwanted(store, kept, m)) {
			free(m->name);
			free(m->target);
		} else {
			store->members[kept++] = *m;
		}
	}
	store->count = kept;
}

// Whatever stands in the path of a member must be a directory: a link there could lead anywhere.
static int check_path(const struct crimg_store *store, const char *name, struct crimg_err *err)
{
	char path[CRIMG_MAX_NAME_BYTES + 1];
	size_t n = strlen(name);
	memcpy(path, name, n + 1);
	for (char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		const struct crimg_member *m = crimg_store_find(store, path);
		if (m != NULL && m->type != CRIMG_MEMBER_DIR)
			return crimg_store_fail(store, name, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
			                        "a %s (%s) stands in the path of this member",
			                        m->type == CRIMG_MEMBER_LINK ? "link" : "file",
			                        path);
		if (m != NULL)
			store->members[m - store->members].where = 1;
		*p = '/';
	}
	return 0;
}

static int settle(struct crimg_store *store, struct crimg_err *err)
{
	if (store->count > 1)
		qsort(store->members, store->count, sizeof *store->members, by_name);
	drop(store, is_repeated);
	if (crimg_store_seal(store, err) < 0)
		return -1;
	for (size_t i = 0; i < store->count; i++)
		if (check_path(store, store->members[i].name, err) < 0)
			return -1;
	drop(store, is_filled);
	return 0;
}

static int list_members(struct crimg_store *store, struct crimg_err *err)
{
	struct tar_state *t = store->state;
	struct crimg_tar_stream *stream;
	if (crimg_tar_stream_open(t->source, t->contents.kind, &stream, err) < 0)
		return -1;
	int rc = scan(store, stream, err);
	crimg_tar_stream_close(stream);
	return rc < 0 || crimg_tar_contents_seal(&t->contents, err) < 0 ? -1 : settle(store, err);
}

static int find_kind(struct crimg_source *source, enum crimg_tar_kind *out, struct crimg_err *err)
{
	uint8_t head[512];
	size_t got;
	if (source->forward_only || source->size == CRIMG_SIZE_UNKNOWN)
		return crimg_fail(err, CRIMG_E_USAGE, source->name, CRIMG_NO_OFFSET,
		                  "an archive is read at any offset, a pipe cannot be");
	if (crimg_source_read(source, 0, head, sizeof head, &got, err) < 0)
		return -1;
	*out = crimg_tar_kind_of(head, got);
	if (*out == CRIMG_TAR_NONE)
		return crimg_fail(err, CRIMG_E_FORMAT, source->name, 0,
		                  "no archive found: tar (plain, gzip, zstd, xz, bzip2) or zip wanted");
	return 0;
}

bool crimg_store_is_tar(const uint8_t *head, size_t length)
{
	return crimg_tar_kind_of(head, length) != CRIMG_TAR_NONE;
}

int crimg_store_open_tar(struct crimg_source *source, const char *tmpdir, bool wanted,
                         struct crimg_store **out, struct crimg_err *err)
{
	enum crimg_tar_kind kind;
	struct crimg_store *store;
	if (find_kind(source, &kind, err) < 0)
		return -1;
	struct tar_state *t = calloc(1, sizeof *t);
	if (t == NULL)
		return crimg_fail_nomem(err, sizeof *t);
	*t = (struct tar_state){ .source = source, .contents = {
		.archive = source, .kind = kind, .tmpdir = tmpdir, .wanted = wanted,
	} };
	if (crimg_store_make(&tar_ops, source->name, '!', t, &store, err) < 0) {
		free(t);
		return -1;
	}
	if (list_members(store, err) < 0) {
		t->source = NULL; // still the caller's
		crimg_store_close(store);
		return -1;
	}
	*out = store;
	return 0;
}
