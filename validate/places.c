// From what a pass looks at to file and offset.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/message_offset.h"
#include "validate/checker.h"

struct crimg_message_place {
	const void *message;
	const struct crimg_image_object *object;
	size_t index;
};

static const struct crimg_place nowhere = { .offset = CRIMG_NO_OFFSET };

struct crimg_place crimg_place_image(const struct crimg_checker *c)
{
	struct crimg_place place = nowhere;
	place.file = c->image->path;
	return place;
}

struct crimg_place crimg_place_object(const struct crimg_image_object *object)
{
	struct crimg_place place = nowhere;
	place.file = object->origin;
	place.object = object->object.name;
	return place;
}

struct crimg_place crimg_place_error(struct crimg_checker *c, const struct crimg_err *err)
{
	struct crimg_place place = nowhere;
	uint64_t id;
	place.file = crimg_arena_text(&c->names, err->source, strlen(err->source));
	const char *name = place.file != NULL ? crimg_place_base(place.file) : NULL;
	if (name != NULL && crimg_kind_by_file(name, &id) < CRIMG_KIND_OPAQUE)
		place.object = name;
	if (err->has_offset)
		place.offset = err->offset;
	return place;
}

// Behind the last folder, or the archive.
const char *crimg_place_base(const char *file)
{
	const char *slash = strrchr(file, '/'), *joint = strrchr(file, '!');
	const char *last = joint > slash ? joint : slash; // NULL is below everything
	return last != NULL ? last + 1 : file;
}

static struct crimg_place entry_place(const struct crimg_image_object *object, size_t index,
                                      const char *field, va_list ap)
{
	struct crimg_place place = crimg_place_object(object);
	vsnprintf(place.field, sizeof place.field, field, ap);
	if (index >= object->count)
		return place;
	const struct crimg_image_entry *e = &object->entries[index];
	uint64_t at;
	place.offset = e->offset;
	if (e->data == NULL || place.field[0] == '\0')
		return place;
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(object->object.kind, index, e->data, e->length);
	if (type != NULL && crimg_message_offset(type, e->data, e->length, place.field, &at))
		place.offset = e->offset + 4 + at; // behind the entry's length
	return place;
}

struct crimg_place crimg_place_entry(const struct crimg_image_object *object, size_t index,
                                     const char *field, ...)
{
	va_list ap;
	va_start(ap, field);
	struct crimg_place place = entry_place(object, index, field, ap);
	va_end(ap);
	return place;
}

struct crimg_place crimg_place_of(struct crimg_checker *c, enum crimg_kind kind, uint64_t id,
                                  const char *field, ...)
{
	const struct crimg_image_object *o = crimg_image_find(c->image, kind, id);
	if (o == NULL)
		return crimg_place_image(c);
	va_list ap;
	va_start(ap, field);
	struct crimg_place place = entry_place(o, 0, field, ap);
	va_end(ap);
	return place;
}

static int by_message(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct crimg_message_place *)a)->message;
	uintptr_t y = (uintptr_t)((const struct crimg_message_place *)b)->message;
	return x < y ? -1 : x > y;
}

// Findings are rare: only the first one pays for this table.
static void make_places(struct crimg_checker *c)
{
	struct crimg_image *image = c->image;
	size_t count = 0;
	c->places_made = true;
	for (size_t i = 0; i < image->count; i++)
		count += image->objects[i].count;
	c->places = calloc(count + 1, sizeof *c->places);
	if (c->places == NULL) {
		crimg_fail_nomem(&c->findings.fault, count * sizeof *c->places);
		return;
	}
	for (size_t i = 0; i < image->count; i++)
		for (size_t k = 0; k < image->objects[i].count; k++)
			if (image->objects[i].entries[k].message != NULL)
				c->places[c->place_count++] = (struct crimg_message_place){
					image->objects[i].entries[k].message, &image->objects[i], k };
	qsort(c->places, c->place_count, sizeof *c->places, by_message);
}

static const struct crimg_message_place *find_message(struct crimg_checker *c, const void *message)
{
	struct crimg_message_place key = { .message = message };
	if (!c->places_made)
		make_places(c);
	return c->place_count == 0 ? NULL
	                           : bsearch(&key, c->places, c->place_count, sizeof *c->places,
	                                     by_message);
}

struct crimg_place crimg_place_message(struct crimg_checker *c, const void *message,
                                       const char *field, ...)
{
	const struct crimg_message_place *m = find_message(c, message);
	if (m == NULL)
		return crimg_place_image(c);
	va_list ap;
	va_start(ap, field);
	struct crimg_place place = entry_place(m->object, m->index, field, ap);
	va_end(ap);
	return place;
}

static const char *joint(const char *field)
{
	return field[0] == '\0' ? "" : ".";
}

// Where each part lies when it is not in an image of its own.
static const struct {
	enum crimg_kind kind, own;
	const char *path;
} parts[] = {
	[CRIMG_PART_VMAS] = { CRIMG_KIND_MM, CRIMG_KIND_VMAS, "vmas" },
	[CRIMG_PART_SIGACTIONS] = { CRIMG_KIND_CORE, CRIMG_KIND_SIGACT, "tc.sigactions" },
	[CRIMG_PART_SIGNALS] = { CRIMG_KIND_CORE, CRIMG_KIND_SIGNAL_SHARED, "tc.signals_s.signals" },
	[CRIMG_PART_RLIMITS] = { CRIMG_KIND_CORE, CRIMG_KIND_RLIMIT, "tc.rlimits.rlimits" },
	[CRIMG_PART_ITIMERS] = { CRIMG_KIND_CORE, CRIMG_KIND_ITIMERS, "tc.timers" },
	[CRIMG_PART_POSIX_TIMERS] = { CRIMG_KIND_CORE, CRIMG_KIND_POSIX_TIMERS, "tc.timers.posix" },
};

static struct crimg_place fd_place(struct crimg_checker *c, const struct crimg_task *task,
                                   size_t index, const char *field)
{
	const struct crimg_image_object *o = task->ids == NULL ? NULL
		: crimg_image_find(c->image, CRIMG_KIND_FDINFO, task->ids->files_id);
	if (o == NULL)
		o = crimg_image_find(c->image, CRIMG_KIND_FDINFO, task->pid);
	return o == NULL ? crimg_place_image(c) : crimg_place_entry(o, index, "%s", field);
}

struct crimg_place crimg_place_part(struct crimg_checker *c, const struct crimg_task *task,
                                    enum crimg_part part, size_t index, const char *field)
{
	if (part == CRIMG_PART_FDS)
		return fd_place(c, task, index, field);
	const struct crimg_image_object *own =
		crimg_image_find(c->image, parts[part].own, task->pid);
	if (own != NULL && index < own->count)
		return crimg_place_entry(own, index, "%s", field);
	if (part == CRIMG_PART_ITIMERS) {
		static const char *const names[] = { "real", "virt", "prof" };
		return crimg_place_of(c, CRIMG_KIND_CORE, task->pid, "tc.timers.%s%s%s",
		                      names[index < 3 ? index : 0], joint(field), field);
	}
	return crimg_place_of(c, parts[part].kind, task->pid, "%s[%zu]%s%s", parts[part].path, index,
	                      joint(field), field);
}

// The member of file_entry that holds a file's message: the one whose pointer it is.
static bool place_in_files(struct crimg_checker *c, const struct crimg_file *file,
                           const char *field, struct crimg_place *out)
{
	struct crimg_list found = { NULL, 0 };
	struct crimg_err err = CRIMG_ERR_INIT;
	if (crimg_image_select(c->image, CRIMG_KIND_FILES, "id", file->id, &found, &err) < 0
	    || found.count == 0)
		return false;
	const ProtobufCMessage *entry = found.items[0];
	for (unsigned i = 0; i < entry->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &entry->descriptor->fields[i];
		const void *member;
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		memcpy(&member, (const char *)entry + f->offset, sizeof member);
		if (member == file->message && member != NULL) {
			*out = crimg_place_message(c, entry, "%s%s%s", f->name, joint(field), field);
			return true;
		}
	}
	*out = crimg_place_message(c, entry, "%s", field);
	return true;
}

struct crimg_place crimg_place_opened(struct crimg_checker *c, const struct crimg_file *file,
                                         const char *field)
{
	struct crimg_place place;
	if (place_in_files(c, file, field, &place))
		return place;
	return crimg_place_message(c, file->message, "%s", field);
}
