// An archive as a store: nothing is unpacked to disk. Members of a plain tar are read where they lie,
// small members of other archives are kept in memory, large ones are unpacked again when they are read.
// Judges names, types and sizes; tar_stream.c knows how archives are made.
#include <stdlib.h>
#include <string.h>

#include "format/buf.h"
#include "format/checked.h"
#include "format/limits.h"
#include "format/store.h"
#include "format/tar_stream.h"

#define MAX_DEPTH 32

// What the store knows of a member; its `where` is the index here.
struct note {
	uint64_t data_at; // in a plain tar, else CRIMG_NO_OFFSET
	uint8_t *data;    // owned, when kept in memory
	uint64_t ordinal; // place among the archive's entries
	uint64_t size;
	bool has_members; // of a directory
};

// The one large member being unpacked. Known of it is [from, block_at + length): zeros up to block_at,
// then block. Further on is read on; further back starts the archive anew.
struct cursor {
	struct crimg_tar_stream *stream; // NULL before the first read and after a failed one
	uint64_t ordinal;                // of the next entry
	const struct note *note;         // the entry it stands in; NULL: none that matters
	const uint8_t *block;            // lent by stream
	size_t length;
	uint64_t from, block_at;
};

struct tar_state {
	struct crimg_source *source;
	enum crimg_tar_kind kind;
	struct note *notes;
	size_t count, capacity;
	uint64_t held_bytes;     // names and small members
	uint64_t unpacked_bytes; // sizes of all members
	struct cursor cursor;
};

// What an open member needs.
struct view {
	struct tar_state *tar;
	const struct note *note;
};

static int place_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                      struct crimg_err *err)
{
	const struct view *v = s->state;
	return crimg_source_read(v->tar->source, v->note->data_at + offset, buf, length, got, err);
}

static void cursor_fini(struct cursor *c)
{
	crimg_tar_stream_close(c->stream);
	*c = (struct cursor){ .stream = NULL };
}

// Enters the member, from the beginning of the archive when it lies behind the cursor.
static int cursor_enter(struct tar_state *t, const struct note *note, struct crimg_err *err)
{
	struct cursor *c = &t->cursor;
	struct crimg_tar_entry entry;
	if (c->stream == NULL || c->ordinal > note->ordinal) {
		cursor_fini(c);
		if (crimg_tar_stream_open(t->source, t->kind, &c->stream, err) < 0)
			return -1;
	}
	c->note = NULL;
	for (int more = 1; c->ordinal <= note->ordinal; c->ordinal++) {
		more = crimg_tar_stream_next(c->stream, &entry, err);
		if (more < 0)
			return -1;
		if (more == 0 || (c->ordinal == note->ordinal && entry.size != note->size))
			return crimg_fail(err, CRIMG_E_FORMAT, t->source->name, CRIMG_NO_OFFSET,
			                  "the archive changed while it was read");
	}
	c->note = note;
	c->from = c->block_at = 0;
	c->length = 0;
	return 0;
}

static int cursor_advance(struct cursor *c, struct crimg_err *err)
{
	c->from = c->block_at + c->length;
	int more = crimg_tar_stream_block(c->stream, &c->block, &c->length, &c->block_at, err);
	if (more == 0) { // the rest of a sparse member
		c->block_at = c->note->size;
		c->length = 0;
	}
	return more < 0 ? -1 : 0;
}

// Gives what is known at offset, up to length bytes.
static size_t cursor_give(const struct cursor *c, uint64_t offset, uint8_t *buf, size_t length)
{
	if (offset < c->block_at) {
		size_t zeros = (size_t)crimg_min_u64(length, c->block_at - offset);
		memset(buf, 0, zeros);
		return zeros;
	}
	uint64_t skip = offset - c->block_at;
	if (skip >= c->length)
		return 0;
	size_t n = (size_t)crimg_min_u64(length, c->length - skip);
	memcpy(buf, c->block + skip, n);
	return n;
}

static int unpack_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length,
                       size_t *got, struct crimg_err *err)
{
	const struct view *v = s->state;
	struct cursor *c = &v->tar->cursor;
	int rc = 0;
	if (c->note != v->note || offset < c->from)
		rc = cursor_enter(v->tar, v->note, err);
	for (size_t done = 0; rc == 0 && done < length;) {
		size_t n = cursor_give(c, offset + done, (uint8_t *)buf + done, length - done);
		done += n;
		if (n == 0)
			rc = cursor_advance(c, err);
	}
	if (rc < 0) {
		cursor_fini(c);
		return -1;
	}
	*got = length; // a member cut short is an error, and crimg_source_read() knows the size
	return 0;
}

static void view_close(struct crimg_source *s)
{
	free(s->state);
}

static const struct crimg_source_ops place_ops = { place_read, view_close };
static const struct crimg_source_ops unpack_ops = { unpack_read, view_close };

static int tar_open_member(struct crimg_store *store, const struct crimg_member *member,
                           struct crimg_source **out, struct crimg_err *err)
{
	struct tar_state *t = store->state;
	const struct note *note = &t->notes[member->where];
	bool in_place = note->data_at != CRIMG_NO_OFFSET;
	char shown[CRIMG_ERR_SOURCE_MAX];
	crimg_store_shown(store, member->name, shown, sizeof shown);
	if (note->data != NULL)
		return crimg_source_open_memory(note->data, (size_t)note->size, shown, out, err);
	struct view *v = malloc(sizeof *v);
	if (v == NULL)
		return crimg_fail_nomem(err, sizeof *v);
	*v = (struct view){ .tar = t, .note = note };
	struct crimg_source *s;
	if (crimg_source_make(in_place ? &place_ops : &unpack_ops, shown, v, &s, err) < 0) {
		free(v);
		return -1;
	}
	s->size = note->size;
	s->forward_only = !in_place;
	if (in_place && t->source->fd >= 0) {
		s->fd = t->source->fd;
		s->fd_offset = t->source->fd_offset + note->data_at;
	}
	*out = s;
	return 0;
}

static void tar_close(struct crimg_store *store)
{
	struct tar_state *t = store->state;
	cursor_fini(&t->cursor);
	for (size_t i = 0; i < t->count; i++)
		free(t->notes[i].data);
	free(t->notes);
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

// Reads the member through: into a buffer of its size, or, with NULL, to see that it is whole.
static int unpack(struct crimg_tar_stream *stream, uint8_t *into, struct crimg_err *err)
{
	const uint8_t *block;
	size_t length;
	uint64_t offset;
	int more;
	while ((more = crimg_tar_stream_block(stream, &block, &length, &offset, err)) > 0)
		if (into != NULL && length > 0)
			memcpy(into + offset, block, length);
	return more;
}

static int hold_data(struct tar_state *t, struct crimg_tar_stream *stream, struct note *note,
                     struct crimg_err *err)
{
	bool small = note->size <= CRIMG_MAX_MEMBER_IN_MEMORY
	             && t->held_bytes + note->size <= CRIMG_MAX_INDEX_BYTES;
	if (note->data_at != CRIMG_NO_OFFSET)
		return 0;
	if (!small) // a zip tells where the next member is; the others are unpacked to get there
		return t->kind == CRIMG_TAR_ZIP ? 0 : unpack(stream, NULL, err);
	note->data = calloc(1, note->size > 0 ? (size_t)note->size : 1);
	if (note->data == NULL)
		return crimg_fail_nomem(err, (size_t)note->size);
	t->held_bytes += note->size;
	return unpack(stream, note->data, err);
}

// Appends the note, then the member that refers to it.
static int add_noted(struct crimg_store *store, const char *name,
                     const struct crimg_tar_entry *entry, struct crimg_tar_stream *stream,
                     struct note note, struct crimg_err *err)
{
	static const enum crimg_member_type types[] = {
		[CRIMG_TAR_FILE] = CRIMG_MEMBER_FILE,
		[CRIMG_TAR_LINK] = CRIMG_MEMBER_LINK,
		[CRIMG_TAR_DIR] = CRIMG_MEMBER_DIR,
	};
	struct tar_state *t = store->state;
	void *array = t->notes;
	if (crimg_grow(&array, &t->capacity, t->count, sizeof *t->notes, err) < 0)
		return -1;
	t->notes = array;
	t->held_bytes += strlen(name) + sizeof(struct crimg_member) + sizeof note
	                 + (entry->target != NULL ? strlen(entry->target) : 0);
	if (t->held_bytes > CRIMG_MAX_INDEX_BYTES)
		return crimg_store_fail(store, NULL, err, CRIMG_E_LIMIT, CRIMG_NO_OFFSET,
		                        "a list of members of more than %llu bytes",
		                        CRIMG_MAX_INDEX_BYTES);
	if (crimg_store_add(store, name, types[entry->type], entry->size, entry->target, t->count,
	                    err) < 0)
		return -1;
	t->notes[t->count] = note;
	t->count++;
	return entry->type == CRIMG_TAR_FILE
		? hold_data(t, stream, &t->notes[t->count - 1], err) : 0;
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
		struct note note = { .data_at = entry.data_at, .ordinal = n, .size = entry.size };
		if (check_kind(store, name, &entry, err) < 0
		    || add_noted(store, name, &entry, stream, note, err) < 0)
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
	const struct tar_state *t = store->state;
	(void)kept;
	return m->type == CRIMG_MEMBER_DIR && t->notes[m->where].has_members;
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
	struct tar_state *t = store->state;
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
			t->notes[m->where].has_members = true;
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
	if (crimg_tar_stream_open(t->source, t->kind, &stream, err) < 0)
		return -1;
	int rc = scan(store, stream, err);
	crimg_tar_stream_close(stream);
	return rc < 0 ? -1 : settle(store, err);
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

int crimg_store_open_tar(struct crimg_source *source, struct crimg_store **out,
                         struct crimg_err *err)
{
	enum crimg_tar_kind kind;
	struct crimg_store *store;
	if (find_kind(source, &kind, err) < 0)
		return -1;
	struct tar_state *t = calloc(1, sizeof *t);
	if (t == NULL)
		return crimg_fail_nomem(err, sizeof *t);
	*t = (struct tar_state){ .source = source, .kind = kind };
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
