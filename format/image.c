// The index: objects found by kind and number. Decodes an entry the first time it is wanted.
#include "format/image.h"

#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/search.h"

// 1: record taken; 0: the metadata are over; -1: err.
static int take_record(struct crimg_image *image, struct crimg_record *record,
                       struct crimg_err *err)
{
	int rc = crimg_reader_next(&image->reader, record, err);
	if (rc <= 0)
		return rc;
	if (record->type == CRIMG_RECORD_CONTENT)
		return 0;
	return crimg_image_put(image, record, err) < 0 ? -1 : 1;
}

// True when err is of one object, so that looking further makes sense.
static bool can_go_on(const struct crimg_image *image, const struct crimg_err *err)
{
	return err->code != CRIMG_E_NOMEM && !image->arena.exhausted
		&& image->count < CRIMG_MAX_OBJECTS;
}

static bool same_error(const struct crimg_err *a, const struct crimg_err *b)
{
	return a->code == b->code && a->offset == b->offset && strcmp(a->source, b->source) == 0
		&& strcmp(a->text, b->text) == 0;
}

// After the error now: finds the next object, telling each that cannot be begun. False when there is none: a
// reader that says the same again has no more.
static bool find_next_object(struct crimg_image *image, const struct crimg_image_listener *listener,
                             struct crimg_err *now)
{
	struct crimg_record record;
	for (;;) {
		struct crimg_err was = *now;
		if (listener != NULL)
			listener->error(listener->context, now);
		if (!can_go_on(image, now))
			return false;
		*now = CRIMG_ERR_INIT;
		int rc = crimg_reader_next(&image->reader, &record, now);
		if (rc == 0 || (rc > 0 && record.type != CRIMG_RECORD_OBJECT))
			return false;
		if (rc > 0 && crimg_image_put(image, &record, now) == 0)
			return true;
		if (same_error(&was, now))
			return false;
	}
}

// Takes all metadata; *first is the first error. A reader that can go on behind a damaged object begins
// the next one then; anything else it says after an error is not to be trusted.
static int read_metadata(struct crimg_image *image, const struct crimg_image_listener *listener,
                         struct crimg_err *first)
{
	struct crimg_record record;
	struct crimg_err now = CRIMG_ERR_INIT;
	bool more = true;
	while (more) {
		int rc;
		while ((rc = take_record(image, &record, &now)) > 0)
			;
		if (first->code == CRIMG_OK)
			*first = now;
		more = rc < 0 && find_next_object(image, listener, &now);
		now = CRIMG_ERR_INIT;
	}
	return first->code == CRIMG_OK ? 0 : -1;
}

// Both listener and filters may be NULL.
static int open_image(struct crimg_input *in, const char *format,
                      const struct crimg_image_listener *listener,
                      const struct crimg_image_filters *filters, struct crimg_image **out,
                      struct crimg_err *err)
{
	struct crimg_err first = CRIMG_ERR_INIT;
	struct crimg_image *image;
	*out = NULL;
	bool directory = in->store != NULL && in->store->joint == '/';
	bool archive = in->store != NULL && !directory;
	if (crimg_image_make(in->path, &image, err) < 0) {
		crimg_input_fini(in);
		return -1;
	}
	int rc = crimg_reader_open(in, format, &image->reader, err);
	crimg_input_fini(in);
	if (rc < 0) {
		image->reader.driver = NULL;
		crimg_image_close(image);
		return -1;
	}
	image->directory = directory;
	image->archive = archive;
	image->format = image->reader.driver->name;
	if (filters != NULL && filters->put(filters->context, &image->reader, err) < 0) {
		crimg_image_close(image);
		return -1;
	}
	rc = read_metadata(image, listener, &first);
	if (rc < 0 && err != NULL && err->code == CRIMG_OK)
		*err = first;
	crimg_image_seal(image);
	*out = image;
	return rc;
}

int crimg_image_open_all(struct crimg_input *in, const char *format,
                         const struct crimg_image_listener *listener, struct crimg_image **out,
                         struct crimg_err *err)
{
	return open_image(in, format, listener, NULL, out, err);
}

int crimg_image_open_input(struct crimg_input *in, const char *format, struct crimg_image **out,
                           struct crimg_err *err)
{
	return open_image(in, format, NULL, NULL, out, err);
}

int crimg_image_open_filtered(const char *path, const char *format, const char *tmpdir,
                              const struct crimg_image_filters *filters, struct crimg_image **out,
                              struct crimg_err *err)
{
	struct crimg_input in;
	*out = NULL;
	bool wanted = filters != NULL && filters->contents;
	if ((wanted ? crimg_input_open_wanted : crimg_input_open)(path, tmpdir, &in, err) < 0)
		return -1;
	return open_image(&in, format, NULL, filters, out, err);
}

int crimg_image_open(const char *path, const char *format, const char *tmpdir,
                     struct crimg_image **out, struct crimg_err *err)
{
	return crimg_image_open_filtered(path, format, tmpdir, NULL, out, err);
}

void crimg_image_close(struct crimg_image *image)
{
	while (image != NULL) {
		struct crimg_image *parent = image->parent;
		for (size_t i = 0; i < image->count; i++) {
			free(image->objects[i].entries);
			if (image->objects[i].map != NULL)
				crimg_pagemap_fini(image->objects[i].map);
			free(image->objects[i].map);
		}
		free(image->objects);
		crimg_reader_close(&image->reader);
		crimg_arena_fini(&image->arena);
		free(image->path);
		free(image);
		image = parent;
	}
}

static bool object_before(const struct crimg_object *o, enum crimg_kind kind, uint64_t id)
{
	return o->kind < kind || (o->kind == kind && o->id < id);
}

// The first object that is not before (kind, id).
static size_t lower_bound(const struct crimg_image *image, enum crimg_kind kind, uint64_t id)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, image->count, object_before(&image->objects[low].object, kind, id));
	return low;
}

struct crimg_image_object *crimg_image_find(struct crimg_image *image, enum crimg_kind kind,
                                            uint64_t id)
{
	size_t i = lower_bound(image, kind, id);
	if (i == image->count || image->objects[i].object.kind != kind
	    || image->objects[i].object.id != id)
		return NULL;
	return &image->objects[i];
}

struct crimg_image_object *crimg_image_first(struct crimg_image *image, enum crimg_kind kind)
{
	size_t i = lower_bound(image, kind, 0);
	return i < image->count && image->objects[i].object.kind == kind ? &image->objects[i] : NULL;
}

struct crimg_image_object *crimg_image_next(struct crimg_image *image,
                                            struct crimg_image_object *object)
{
	const struct crimg_image_object *end = image->objects + image->count;
	const struct crimg_object *was = &object->object;
	while (++object < end && object->object.kind == was->kind)
		if (object->object.id != was->id || was->kind == CRIMG_KIND_OPAQUE)
			return object;
	return NULL;
}

struct crimg_image_object *crimg_image_member(struct crimg_image *image, const char *name)
{
	for (size_t i = 0; i < image->count; i++)
		if (strcmp(image->objects[i].object.name, name) == 0)
			return &image->objects[i];
	return NULL;
}

const void *crimg_image_message(struct crimg_image *image, struct crimg_image_object *object,
                                size_t i, struct crimg_err *err)
{
	struct crimg_image_entry *e = &object->entries[i];
	if (e->message != NULL || e->tail || e->broken)
		return e->message;
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(object->object.kind, i, e->data, e->length);
	if (type != NULL)
		e->message = crimg_message_decode(type, e->data, e->length, &image->arena,
		                                  object->origin, e->offset, err);
	e->broken = e->message == NULL;
	return e->message;
}

const void *crimg_image_get(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                            struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_find(image, kind, id);
	return o == NULL || o->count == 0 ? NULL : crimg_image_message(image, o, 0, err);
}

struct crimg_image_walk crimg_image_walk_make(enum crimg_kind kind)
{
	return (struct crimg_image_walk){ .kind = kind };
}

const void *crimg_image_walk(struct crimg_image *image, struct crimg_image_walk *walk,
                             struct crimg_err *err)
{
	if (walk->object == NULL)
		walk->object = crimg_image_first(image, walk->kind);
	for (; walk->object != NULL; walk->next = 0) {
		struct crimg_image_object *o = walk->object;
		while (walk->next < o->count) {
			const void *m = crimg_image_message(image, o, walk->next++, err);
			if (m != NULL)
				return m;
		}
		struct crimg_image_object *following = crimg_image_next(image, o);
		if (following == NULL)
			break;
		walk->object = following;
	}
	return NULL;
}

int crimg_image_read(struct crimg_image *image, uint64_t payload, uint64_t offset, void *buf,
                     size_t length, struct crimg_err *err)
{
	if (image->reader.driver == NULL || image->reader.driver->read == NULL)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, image->path, CRIMG_NO_OFFSET,
		                  "%s images give their contents only in order", image->format);
	return image->reader.driver->read(&image->reader, payload, offset, buf, length, err);
}

int crimg_image_whole(struct crimg_image *image, bool thorough, struct crimg_err *err)
{
	const struct crimg_reader_driver *driver = image->reader.driver;
	return driver == NULL || driver->whole == NULL ? 0 : driver->whole(&image->reader, thorough, err);
}

int crimg_image_locate(struct crimg_image *image, uint64_t payload, uint64_t offset,
                       struct crimg_span *out, struct crimg_err *err)
{
	const struct crimg_reader_driver *driver = image->reader.driver;
	return driver == NULL || driver->locate == NULL ? 0
		: driver->locate(&image->reader, payload, offset, out, err);
}

int crimg_image_digest(struct crimg_image *image, uint64_t payload, uint64_t offset,
                       struct crimg_digest *out, struct crimg_err *err)
{
	const struct crimg_reader_driver *driver = image->reader.driver;
	return driver == NULL || driver->digest == NULL ? 0
		: driver->digest(&image->reader, payload, offset, out, err);
}

int crimg_image_contents(struct crimg_image *image, const struct crimg_image_object *object,
                         size_t limit, bool tail, struct crimg_buf *out, struct crimg_err *err)
{
	struct crimg_payload_ref ref = object->payload;
	if (ref.number == CRIMG_NO_PAYLOAD)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, object->origin, CRIMG_NO_OFFSET,
		                  "no contents beside its entries");
	size_t length = ref.length < limit ? (size_t)ref.length : limit;
	if (length == 0)
		return 0;
	if (crimg_buf_reserve(out, length, err) < 0
	    || crimg_image_read(image, ref.number, tail ? ref.length - length : 0,
	                        out->data + out->length, length, err) < 0)
		return -1;
	out->length += length;
	return 0;
}
