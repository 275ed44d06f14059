// CRIU stores no version. Every field of its messages came with some release, so the newest field
// that is present tells the oldest release that can have written the image.
#include "inspect/origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"

#define ENTRIES_LOOKED_AT 1024u // of one object: later ones have the same fields
#define LOG_BYTES 8192u

static bool is_present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)m;
	size_t count;
	const void *pointer;
	switch (f->label) {
	case PROTOBUF_C_LABEL_REPEATED:
		memcpy(&count, base + f->quantifier_offset, sizeof count);
		return count > 0;
	case PROTOBUF_C_LABEL_OPTIONAL:
		if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING) {
			memcpy(&pointer, base + f->offset, sizeof pointer);
			return pointer != NULL && pointer != f->default_value;
		}
		return *(const protobuf_c_boolean *)(const void *)(base + f->quantifier_offset) != 0;
	case PROTOBUF_C_LABEL_REQUIRED:
	case PROTOBUF_C_LABEL_NONE:
		break;
	}
	return true;
}

static void look_at(struct crimg_origin *o, const ProtobufCMessage *m, unsigned depth);

static void look_below(struct crimg_origin *o, const ProtobufCMessage *m,
                       const ProtobufCFieldDescriptor *f, unsigned depth)
{
	const char *base = (const char *)m;
	const ProtobufCMessage *child;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		memcpy(&child, base + f->offset, sizeof child);
		if (child != NULL)
			look_at(o, child, depth + 1);
		return;
	}
	size_t count;
	const ProtobufCMessage *const *children;
	memcpy(&count, base + f->quantifier_offset, sizeof count);
	memcpy(&children, base + f->offset, sizeof children);
	for (size_t i = 0; i < count && i < ENTRIES_LOOKED_AT; i++)
		look_at(o, children[i], depth + 1);
}

static void look_at(struct crimg_origin *o, const ProtobufCMessage *m, unsigned depth)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;
	for (unsigned i = 0; i < type->n_fields && depth < CRIMG_MAX_MESSAGE_DEPTH; i++) {
		const ProtobufCFieldDescriptor *f = &type->fields[i];
		if (!is_present(m, f))
			continue;
		unsigned since = crimg_field_info(type, i).since;
		if (since > o->at_least) {
			o->at_least = since;
			o->message = type->name;
			o->field = f->name;
		}
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			look_below(o, m, f, depth);
	}
}

// Inventories of full dumps have a run id since 4.1.
static void bound_above(struct crimg_view *view, struct crimg_origin *o)
{
	const InventoryEntry *inventory =
		crimg_image_get(view->image, CRIMG_KIND_INVENTORY, 0, &view->damage);
	if (inventory != NULL && inventory->img_version != 0 && inventory->dump_criu_run_id == NULL
	    && inventory->plugins_entry == NULL && o->at_least < 401)
		o->before = 401;
}

static void find_release(struct crimg_view *view, struct crimg_origin *o)
{
	struct crimg_image *image = view->image;
	for (size_t i = 0; i < image->count; i++) {
		struct crimg_image_object *object = &image->objects[i];
		for (size_t k = 0; k < object->count && k < ENTRIES_LOOKED_AT; k++) {
			const ProtobufCMessage *m =
				crimg_image_message(image, object, k, &view->damage);
			if (m != NULL)
				look_at(o, m, 0);
		}
		if (object->wide_counts && o->at_least < 402) {
			o->at_least = 402;
			o->message = "pagemap_entry";
			o->field = "nr_pages";
		}
	}
	bound_above(view, o);
}

// What stands behind mark, up to the end of the line (or the first of `ends`).
static bool copy_after(const char *text, const char *mark, const char *ends, char *out, size_t size)
{
	const char *at = strstr(text, mark);
	if (at == NULL)
		return false;
	at += strlen(mark);
	size_t length = strcspn(at, ends);
	crimg_safe_text(out, size, at, length);
	return true;
}

static bool is_log(const struct crimg_image_object *o)
{
	size_t length = strlen(o->object.name);
	return o->object.kind == CRIMG_KIND_OPAQUE && o->object.type == CRIMG_OBJECT_FILE
		&& length > 4 && strcmp(o->object.name + length - 4, ".log") == 0;
}

// CRIU begins its logs with "Version: 4.2 (gitid …)" and "Running on HOST Linux 6.1 … x86_64".
static void read_log(struct crimg_view *view, const struct crimg_image_object *object,
                     struct crimg_origin *o)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	char version[sizeof o->version];
	if (crimg_view_contents(view, object, LOG_BYTES, false, &text)
	    && crimg_buf_append(&text, "", 1, &view->fault) == 0
	    && copy_after((const char *)text.data, "Version: ", " (\n", version, sizeof version)) {
		memcpy(o->version, version, sizeof version);
		copy_after((const char *)text.data, "Running on ", "\n", o->kernel, sizeof o->kernel);
		snprintf(o->log, sizeof o->log, "%s", object->object.name);
	}
	crimg_buf_fini(&text);
}

static void note_time(struct crimg_origin *o, uint64_t seconds, const char *what)
{
	if (seconds <= o->newest_time)
		return;
	o->newest_time = seconds;
	snprintf(o->newest_what, sizeof o->newest_what, "%s", what);
}

static void find_times(struct crimg_view *view, struct crimg_origin *o)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_TIMENS);
	const TimensEntry *timens = crimg_image_walk(view->image, &walk, &view->damage);
	const InventoryEntry *inventory =
		crimg_image_get(view->image, CRIMG_KIND_INVENTORY, 0, &view->damage);
	if (timens != NULL && timens->boottime != NULL)
		o->uptime_seconds = timens->boottime->tv_sec;
	if (o->uptime_seconds == 0 && inventory != NULL && inventory->has_dump_uptime)
		o->uptime_seconds = inventory->dump_uptime / 1000000;
	for (struct crimg_image_object *g = crimg_image_first(view->image, CRIMG_KIND_GHOST_FILE);
	     g != NULL; g = crimg_image_next(view->image, g)) {
		const GhostFileEntry *ghost =
			g->count > 0 ? crimg_image_message(view->image, g, 0, &view->damage) : NULL;
		char what[CRIMG_FILE_NAME_MAX + 32];
		if (ghost == NULL || ghost->mtim == NULL)
			continue;
		crimg_kind_file(CRIMG_KIND_GHOST_FILE, g->object.id, what);
		snprintf(what + strlen(what), 32, " was modified then");
		note_time(o, ghost->mtim->tv_sec, what);
	}
}

// An image that says who took it.
static void find_maker(struct crimg_view *view, struct crimg_origin *o)
{
	const MakerEntry *e = crimg_image_get(view->image, CRIMG_KIND_MAKER, 0, &view->damage);
	if (e == NULL)
		return;
	crimg_safe_text(o->program, sizeof o->program, e->program, strlen(e->program));
	crimg_safe_text(o->program_version, sizeof o->program_version, e->version, strlen(e->version));
	for (size_t i = 0; i < e->n_closed; i++) {
		size_t length = strlen(o->closed);
		if (length + 2 < sizeof o->closed && length > 0)
			o->closed[length++] = ' ';
		crimg_safe_text(o->closed + length, sizeof o->closed - length, e->closed[i], strlen(e->closed[i]));
	}
	if (e->kernel != NULL)
		crimg_safe_text(o->kernel, sizeof o->kernel, e->kernel, strlen(e->kernel));
	o->taken_at = e->has_taken_at ? e->taken_at : 0;
}

void crimg_origin_find(struct crimg_view *view, struct crimg_origin *out)
{
	*out = (struct crimg_origin){ .at_least = 0 };
	find_release(view, out);
	find_times(view, out);
	find_maker(view, out);
	for (size_t i = 0; i < view->image->count && out->version[0] == '\0'; i++)
		if (is_log(&view->image->objects[i]))
			read_log(view, &view->image->objects[i], out);
}
