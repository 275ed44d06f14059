#include "format/tar_contents.h"

#include <stdlib.h>
#include <string.h>

#include "format/buf.h"
#include "format/checked.h"
#include "format/limits.h"

// What an open member needs.
struct view {
	struct crimg_tar_contents *contents;
	const struct crimg_tar_place *place;
};

static void cursor_fini(struct crimg_tar_cursor *c)
{
	crimg_tar_stream_close(c->stream);
	*c = (struct crimg_tar_cursor){ .stream = NULL };
}

void crimg_tar_contents_fini(struct crimg_tar_contents *c)
{
	cursor_fini(&c->cursor);
	crimg_spool_close(c->spool);
	crimg_source_close(c->spooled);
	for (size_t i = 0; i < c->count; i++)
		free(c->places[i].data);
	free(c->places);
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

static int hold_in_memory(struct crimg_tar_contents *c, struct crimg_tar_stream *stream,
                          struct crimg_tar_place *place, struct crimg_err *err)
{
	place->data = calloc(1, place->size > 0 ? (size_t)place->size : 1);
	if (place->data == NULL)
		return crimg_fail_nomem(err, (size_t)place->size);
	c->held_bytes += place->size;
	return unpack(stream, place->data, err);
}

static int hold_in_file(struct crimg_tar_contents *c, struct crimg_tar_stream *stream,
                        struct crimg_tar_place *place, struct crimg_err *err)
{
	const uint8_t *block;
	size_t length;
	uint64_t offset, at = c->spool_bytes;
	int more;
	if (c->spool == NULL && crimg_spool_open(c->tmpdir, &c->spool, err) < 0)
		return -1;
	while ((more = crimg_tar_stream_block(stream, &block, &length, &offset, err)) > 0)
		if (crimg_spool_put(c->spool, at + offset, block, length, err) < 0)
			return -1;
	place->data_at = at;
	c->spool_bytes = at + place->size + CRIMG_PAGE_BYTES - 1;
	c->spool_bytes -= c->spool_bytes % CRIMG_PAGE_BYTES;
	return more;
}

int crimg_tar_contents_take(struct crimg_tar_contents *c, struct crimg_tar_stream *stream,
                            const struct crimg_tar_entry *entry, uint64_t ordinal, uint64_t *number,
                            struct crimg_err *err)
{
	void *array = c->places;
	if (crimg_grow(&array, &c->capacity, c->count, sizeof *c->places, err) < 0)
		return -1;
	c->places = array;
	*number = c->count++;
	struct crimg_tar_place *place = &c->places[*number];
	*place = (struct crimg_tar_place){ .ordinal = ordinal, .size = entry->size };
	if (entry->data_at != CRIMG_NO_OFFSET) {
		place->source = c->archive;
		place->data_at = entry->data_at;
		return 0;
	}
	if (entry->size <= CRIMG_MAX_MEMBER_IN_MEMORY
	    && c->held_bytes + entry->size <= CRIMG_MAX_INDEX_BYTES)
		return hold_in_memory(c, stream, place, err);
	if (c->wanted)
		return hold_in_file(c, stream, place, err);
	// A zip tells where the next member is; the others are unpacked to get there.
	return c->kind == CRIMG_TAR_ZIP ? 0 : unpack(stream, NULL, err);
}

int crimg_tar_contents_seal(struct crimg_tar_contents *c, struct crimg_err *err)
{
	if (c->spool == NULL)
		return 0;
	int fd = crimg_spool_end(c->spool, c->spool_bytes, err);
	crimg_spool_close(c->spool);
	c->spool = NULL;
	if (fd < 0 || crimg_source_open_fd(fd, c->archive->name, &c->spooled, err) < 0)
		return -1;
	for (size_t i = 0; i < c->count; i++)
		if (c->places[i].data == NULL && c->places[i].source == NULL)
			c->places[i].source = c->spooled;
	return 0;
}

// Enters the member, from the beginning of the archive when it lies behind the cursor.
static int cursor_enter(struct crimg_tar_contents *t, const struct crimg_tar_place *place,
                        struct crimg_err *err)
{
	struct crimg_tar_cursor *c = &t->cursor;
	struct crimg_tar_entry entry;
	if (c->stream == NULL || c->ordinal > place->ordinal) {
		cursor_fini(c);
		if (crimg_tar_stream_open(t->archive, t->kind, &c->stream, err) < 0)
			return -1;
	}
	c->place = NULL;
	for (int more = 1; c->ordinal <= place->ordinal; c->ordinal++) {
		more = crimg_tar_stream_next(c->stream, &entry, err);
		if (more < 0)
			return -1;
		if (more == 0 || (c->ordinal == place->ordinal && entry.size != place->size))
			return crimg_fail(err, CRIMG_E_FORMAT, t->archive->name, CRIMG_NO_OFFSET,
			                  "the archive changed while it was read");
	}
	c->place = place;
	c->from = c->block_at = 0;
	c->length = 0;
	return 0;
}

static int cursor_advance(struct crimg_tar_cursor *c, struct crimg_err *err)
{
	c->from = c->block_at + c->length;
	int more = crimg_tar_stream_block(c->stream, &c->block, &c->length, &c->block_at, err);
	if (more == 0) { // the rest of a sparse member
		c->block_at = c->place->size;
		c->length = 0;
	}
	return more < 0 ? -1 : 0;
}

// Gives what is known at offset, up to length bytes.
static size_t cursor_give(const struct crimg_tar_cursor *c, uint64_t offset, uint8_t *buf, size_t length)
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

static int read_unpacked(const struct view *v, uint64_t offset, void *buf, size_t length,
                         struct crimg_err *err)
{
	struct crimg_tar_cursor *c = &v->contents->cursor;
	int rc = 0;
	if (c->place != v->place || offset < c->from)
		rc = cursor_enter(v->contents, v->place, err);
	for (size_t done = 0; rc == 0 && done < length;) {
		size_t n = cursor_give(c, offset + done, (uint8_t *)buf + done, length - done);
		done += n;
		if (n == 0)
			rc = cursor_advance(c, err);
	}
	if (rc < 0)
		cursor_fini(c);
	return rc;
}

static int unpack_all(struct crimg_tar_contents *c, struct crimg_err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		struct crimg_tar_place *place = &c->places[i];
		if (place->data == NULL && place->source == NULL
		    && (cursor_enter(c, place, err) < 0
		        || hold_in_file(c, c->cursor.stream, place, err) < 0))
			return -1;
	}
	return crimg_tar_contents_seal(c, err);
}

// Whether reading there begins the archive anew.
static bool lies_behind(const struct crimg_tar_cursor *c, const struct crimg_tar_place *place,
                        uint64_t offset)
{
	return c->stream != NULL && (c->place != place || offset < c->from)
	       && c->ordinal > place->ordinal;
}

// Once, for all that go back from now on. What is wrong with the archive shows again where it matters.
static void stop_going_back(struct crimg_tar_contents *c)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (unpack_all(c, &ignored) < 0) {
		crimg_spool_close(c->spool);
		c->spool = NULL;
		c->tmpdir = NULL;
	}
	cursor_fini(&c->cursor);
}

static int view_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                     struct crimg_err *err)
{
	const struct view *v = s->state;
	const struct crimg_tar_place *place = v->place;
	if (place->source == NULL && v->contents->tmpdir != NULL
	    && lies_behind(&v->contents->cursor, place, offset))
		stop_going_back(v->contents);
	if (place->source != NULL)
		return crimg_source_read(place->source, place->data_at + offset, buf, length, got, err);
	*got = length; // a member cut short is an error, and crimg_source_read() knows the size
	return read_unpacked(v, offset, buf, length, err);
}

static void view_close(struct crimg_source *s)
{
	free(s->state);
}

static const struct crimg_source_ops view_ops = { view_read, view_close };

int crimg_tar_contents_open(struct crimg_tar_contents *c, uint64_t number, const char *shown,
                            struct crimg_source **out, struct crimg_err *err)
{
	const struct crimg_tar_place *place = &c->places[number];
	struct crimg_source *s;
	if (place->data != NULL)
		return crimg_source_open_memory(place->data, (size_t)place->size, shown, out, err);
	struct view *v = malloc(sizeof *v);
	if (v == NULL)
		return crimg_fail_nomem(err, sizeof *v);
	*v = (struct view){ .contents = c, .place = place };
	if (crimg_source_make(&view_ops, shown, v, &s, err) < 0) {
		free(v);
		return -1;
	}
	s->size = place->size;
	s->forward_only = place->source == NULL;
	if (place->source != NULL) {
		s->parallel = place->source->parallel;
		s->fd = place->source->fd;
		s->fd_offset = place->source->fd_offset + place->data_at;
	}
	*out = s;
	return 0;
}
