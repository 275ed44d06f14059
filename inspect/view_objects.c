// View objects: every record with its file, offset, length and all fields. Reads the image by
// itself, as a stream, so that a million entries need no memory; pages and payloads are only
// measured.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "inspect/fields.h"
#include "inspect/table.h"

#define ENTRIES_SHOWN 256u // of one object in text, without --all

struct objects {
	struct crimg_view *view;
	struct crimg_arena arena;  // one message at a time
	bool open;                 // an object is open in JSON
	bool skip;                 // -p and -t pass over the object
	uint64_t entries;          // of the open object
};

static void end_object(struct objects *o)
{
	struct crimg_json *j = o->view->json;
	if (o->open && j != NULL) {
		crimg_json_end(j);
		crimg_json_end(j);
	} else if (o->open && o->entries > ENTRIES_SHOWN && !o->view->options->all) {
		crimg_line(o->view, CRIMG_MARK_DIM, "  … %" PRIu64 " more entries (--all shows them)",
		           o->entries - ENTRIES_SHOWN);
	}
	o->open = false;
}

// Kinds whose number is a process or thread.
static bool is_of_task(enum crimg_kind kind)
{
	return (kind >= CRIMG_KIND_IDS && kind <= CRIMG_KIND_SIGNAL_PRIVATE
	        && kind != CRIMG_KIND_FDINFO) || kind == CRIMG_KIND_PAGEMAP;
}

static bool is_wanted(const struct crimg_view *view, const struct crimg_object *object)
{
	const struct crimg_view_options *w = view->options;
	if (!w->has_pid && !w->has_tid)
		return true;
	const struct crimg_task *task =
		crimg_tasks_of_thread(&view->tasks, w->has_tid ? w->tid : w->pid);
	if (task == NULL)
		return false;
	if (object->kind == CRIMG_KIND_FDINFO)
		return task->ids != NULL && task->ids->files_id == object->id;
	if (!is_of_task(object->kind))
		return false;
	if (w->has_tid && object->kind == CRIMG_KIND_CORE)
		return object->id == w->tid;
	return crimg_tasks_of_thread(&view->tasks, (uint32_t)object->id) == task;
}

static const char *const type_names[] = {
	[CRIMG_OBJECT_FILE] = "file", [CRIMG_OBJECT_LINK] = "link", [CRIMG_OBJECT_DIR] = "directory",
};

static const char *name_of(const struct crimg_object *object, char *out)
{
	if (object->name != NULL && object->name[0] != '\0')
		return object->name;
	crimg_kind_file(object->kind, object->id, out);
	return out;
}

static void begin_object(struct objects *o, const struct crimg_record *record)
{
	const struct crimg_object *object = record->object;
	struct crimg_json *j = o->view->json;
	char name[CRIMG_FILE_NAME_MAX];
	end_object(o);
	o->skip = !is_wanted(o->view, object);
	o->entries = 0;
	if (o->skip)
		return;
	o->open = true;
	bool raw = record->payload.number != CRIMG_NO_PAYLOAD;
	if (j != NULL) {
		crimg_json_object(j, NULL);
		crimg_json_text(j, "file", name_of(object, name));
		crimg_json_text(j, "kind", crimg_kind_info(object->kind)->name);
		crimg_json_u64(j, "id", object->id);
		crimg_json_text(j, "type", type_names[object->type]);
		if (object->target != NULL)
			crimg_json_text(j, "target", object->target);
		if (raw)
			crimg_json_u64(j, "payload_bytes", record->payload.length);
		crimg_json_array(j, "entries");
		return;
	}
	crimg_heading(o->view, "%s  %s%s%s", name_of(object, name),
	              crimg_kind_info(object->kind)->name, object->target != NULL ? " -> " : "",
	              object->target != NULL ? object->target : "");
	if (raw)
		crimg_line(o->view, CRIMG_MARK_NONE, "  %" PRIu64 " bytes of contents",
		           record->payload.length);
}

static void entry_head(struct objects *o, const struct crimg_record *r)
{
	struct crimg_json *j = o->view->json;
	char payload[64] = "";
	bool has_payload = r->payload.number != CRIMG_NO_PAYLOAD;
	if (j != NULL) {
		crimg_json_object(j, NULL);
		crimg_json_u64(j, "index", r->index);
		crimg_json_u64(j, "offset", r->origin_offset);
		crimg_json_u64(j, "length", r->origin_length);
		if (has_payload)
			crimg_json_u64(j, "payload_bytes", r->payload.length);
		if (r->tail)
			crimg_json_bool(j, "tail", true);
		return;
	}
	if (has_payload)
		snprintf(payload, sizeof payload, ", with %" PRIu64 " bytes of %s", r->payload.length,
		         r->tail ? "unknown data behind the entry" : "contents");
	crimg_line(o->view, CRIMG_MARK_DIM, "  entry %" PRIu64 " at %" PRIu64 ", %" PRIu64 " bytes%s",
	           r->index, r->origin_offset, r->origin_length, payload);
}

static void show_entry(struct objects *o, const struct crimg_record *r)
{
	struct crimg_json *j = o->view->json;
	if (o->skip || (o->entries++ >= ENTRIES_SHOWN && j == NULL && !o->view->options->all))
		return;
	entry_head(o, r);
	const ProtobufCMessageDescriptor *type = r->tail ? NULL
		: crimg_kind_message(r->object->kind, r->index, r->data, r->length);
	crimg_arena_reset(&o->arena);
	const ProtobufCMessage *m =
		type == NULL ? NULL
			     : crimg_message_decode(type, r->data, r->length, &o->arena, r->origin,
	                                            r->origin_offset, &o->view->damage);
	if (j != NULL && type != NULL) {
		crimg_json_object(j, "message");
		if (m != NULL)
			crimg_fields_show(o->view, m, 0);
		crimg_json_end(j);
	} else if (m != NULL) {
		crimg_fields_show(o->view, m, 4);
	}
	if (j != NULL)
		crimg_json_end(j);
	crimg_view_flush(o->view);
}

static void show_all(struct objects *o, struct crimg_reader *reader)
{
	struct crimg_record record;
	while (!crimg_view_failed(o->view)) {
		int rc = crimg_reader_next(reader, &record, &o->view->damage);
		if (rc <= 0 || record.type == CRIMG_RECORD_CONTENT)
			break;
		if (record.type == CRIMG_RECORD_OBJECT)
			begin_object(o, &record);
		else
			show_entry(o, &record);
	}
	end_object(o);
}

void crimg_view_objects(struct crimg_view *view)
{
	struct objects o = { .view = view, .arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES) };
	struct crimg_reader reader = { .driver = NULL };
	struct crimg_input in;
	crimg_group_array(view, "objects");
	if (crimg_input_open(view->options->path, view->options->tmpdir, &in, &view->damage) == 0) {
		if (crimg_reader_open(&in, view->options->format, &reader, &view->damage) == 0) {
			show_all(&o, &reader);
			crimg_reader_close(&reader);
		}
		crimg_input_fini(&in);
	}
	crimg_group_end(view);
	crimg_arena_fini(&o.arena);
}
