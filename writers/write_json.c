// The JSON writer: records to the document that crit prints for one image file, or to one document for a
// whole image. Knows the outer shape; fields are format/json_message.c's, payload is json_extra.c's.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/driver.h"
#include "format/json.h"
#include "format/json_message.h"
#include "format/limits.h"
#include "format/output.h"
#include "writers/assemble.h"
#include "writers/json_extra.h"
#include "writers/writers.h"

#define DRAIN_BYTES ((size_t)64 << 10)
#define COPY_BYTES ((size_t)1024 * CRIMG_JSON_LINE_BYTES)

enum receiving { NOTHING, EXTRA, BASE64 };

struct json_state {
	struct crimg_assembly *assembly;
	struct crimg_sink sink;
	struct crimg_buf text;         // not yet in the sink
	struct crimg_json json;
	struct json_extra extra;
	struct crimg_arena arena;      // of the entry being written
	uint8_t *copy;                 // COPY_BYTES, for spans
	const char *path;              // of the output, for errors; borrowed
	bool single, pretty, newline;
	bool begun, crit;              // the document is open; it is crit's
	enum crimg_kind kind;          // of the open object
	bool entries_open, entry_open;
	enum receiving receiving;      // what the next piece belongs to
};

static int drain(struct json_state *s, size_t above, struct crimg_err *err)
{
	if (crimg_json_status(&s->json, err) < 0)
		return -1;
	if (s->text.length <= above)
		return 0;
	if (crimg_sink_append(&s->sink, s->text.data, s->text.length, err) < 0)
		return -1;
	s->text.length = 0;
	return 0;
}

static void begin_document(struct json_state *s, bool crit)
{
	s->begun = true;
	s->crit = crit;
	if (crit)
		return;
	crimg_json_object(&s->json, NULL);
	crimg_json_text(&s->json, "schema", "crimg.image/1");
	crimg_json_array(&s->json, "objects");
}

// What a reader cannot tell from the name alone is said in words.
static void name_object(struct json_state *s, const struct crimg_object *o)
{
	char derived[CRIMG_FILE_NAME_MAX];
	uint64_t id = 0;
	const char *name = o->name;
	if (name[0] == '\0') {
		crimg_kind_file(o->kind, o->id, derived);
		name = derived;
	}
	const char *slash = strrchr(name, '/');
	enum crimg_kind kind = crimg_kind_by_file(slash != NULL ? slash + 1 : name, &id);
	crimg_json_text(&s->json, "name", name);
	if (o->type != CRIMG_OBJECT_FILE || (kind == o->kind && id == o->id))
		return;
	crimg_json_text(&s->json, "kind", crimg_kind_info(o->kind)->name);
	crimg_json_u64(&s->json, "id", o->id);
}

static void begin_entries(struct json_state *s, const struct crimg_object *o)
{
	crimg_json_text(&s->json, "magic", crimg_kind_crit_name(o->kind));
	if (o->framing == CRIMG_FRAMING_V10)
		crimg_json_text(&s->json, "framing", "v10");
	crimg_json_array(&s->json, "entries");
	s->entries_open = true;
}

static int begin(void *context, const struct crimg_object *o, uint64_t size,
                 struct crimg_payload_ref payload, struct crimg_err *err)
{
	struct json_state *s = context;
	bool raw = crimg_kind_info(o->kind)->payload == CRIMG_PAYLOAD_RAW;
	(void)size;
	(void)payload;
	if (s->begun && s->crit)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, s->path, CRIMG_NO_OFFSET,
		                  "a second object for a document of one: %s", o->name);
	if (!s->begun)
		begin_document(s, s->single && !raw && o->type == CRIMG_OBJECT_FILE);
	s->kind = o->kind;
	crimg_json_object(&s->json, NULL);
	if (!s->crit)
		name_object(s, o);
	if (o->type == CRIMG_OBJECT_LINK) {
		crimg_json_text(&s->json, "link", o->target);
	} else if (o->type == CRIMG_OBJECT_DIR) {
		crimg_json_bool(&s->json, "dir", true);
	} else if (raw) {
		crimg_json_base64_open(&s->json, "raw");
		s->receiving = BASE64;
	} else {
		begin_entries(s, o);
	}
	return drain(s, DRAIN_BYTES, err);
}

static int end_payload(struct json_state *s, struct crimg_err *err)
{
	if (s->receiving == EXTRA && json_extra_close(&s->extra, err) < 0)
		return -1;
	if (s->receiving == BASE64)
		crimg_json_base64_close(&s->json);
	s->receiving = NOTHING;
	return 0;
}

static int end_entry(struct json_state *s, struct crimg_err *err)
{
	if (end_payload(s, err) < 0)
		return -1;
	if (s->entry_open)
		crimg_json_end(&s->json);
	s->entry_open = false;
	return 0;
}

// Bytes behind the only entry become its last member, where crit's encode passes over them.
static int begin_tail(struct json_state *s, struct crimg_err *err)
{
	if (end_payload(s, err) < 0)
		return -1;
	if (!s->entry_open)
		return crimg_fail(err, CRIMG_E_FORMAT, s->path, CRIMG_NO_OFFSET,
		                  "bytes behind an entry that is not there");
	crimg_json_base64_open(&s->json, CRIMG_JSON_TAIL);
	s->receiving = BASE64;
	return 0;
}

static int message(void *context, const struct crimg_record *r, struct crimg_err *err)
{
	struct json_state *s = context;
	uint64_t length = r->payload.number != CRIMG_NO_PAYLOAD ? r->payload.length : 0;
	struct crimg_json_entry entry = {
		.type = crimg_kind_message(s->kind, r->index, r->data, r->length),
		.data = r->data, .length = r->length, .base = r->origin_offset + 4,
		.name = r->origin != NULL ? r->origin : r->object->name,
	};
	if (r->tail)
		return begin_tail(s, err);
	if (end_entry(s, err) < 0)
		return -1;
	crimg_arena_reset(&s->arena);
	crimg_json_object(&s->json, NULL);
	s->entry_open = true;
	if (crimg_kind_info(s->kind)->payload == CRIMG_PAYLOAD_NONE
	    && crimg_json_plain(&s->json, &entry, s->pretty)) {
		s->receiving = NOTHING;
		return drain(s, DRAIN_BYTES, err);
	}
	const ProtobufCMessage *m = crimg_json_entry(&s->json, &entry, s->pretty, &s->arena, err);
	if (m == NULL || json_extra_open(&s->extra, s->kind, m, length, err) < 0)
		return -1;
	s->receiving = s->extra.type != CRIMG_PAYLOAD_NONE ? EXTRA : NOTHING;
	return drain(s, DRAIN_BYTES, err);
}

static int take(struct json_state *s, const uint8_t *data, size_t length, struct crimg_err *err)
{
	if (s->receiving == EXTRA) {
		if (json_extra_add(&s->extra, data, length, err) < 0)
			return -1;
	} else {
		crimg_json_base64_add(&s->json, data, length); // which refuses when nothing is open
	}
	return drain(s, DRAIN_BYTES, err);
}

static int piece(void *context, const struct crimg_record *r, struct crimg_err *err)
{
	struct json_state *s = context;
	uint64_t n;
	if (r->zero)
		memset(s->copy, 0, COPY_BYTES);
	for (uint64_t at = 0; at < r->content_length; at += n) {
		n = crimg_min_u64(COPY_BYTES, r->content_length - at);
		const uint8_t *data = r->bytes != NULL ? r->bytes + at : s->copy;
		if (r->span.source != NULL
		    && crimg_source_read_exact(r->span.source, r->span.offset + at, s->copy,
		                               (size_t)n, err) < 0)
			return -1;
		if (take(s, data, (size_t)n, err) < 0)
			return -1;
	}
	return 0;
}

static int end(void *context, struct crimg_err *err)
{
	struct json_state *s = context;
	if (end_entry(s, err) < 0)
		return -1;
	if (s->entries_open)
		crimg_json_end(&s->json);
	s->entries_open = false;
	crimg_json_end(&s->json);
	return drain(s, DRAIN_BYTES, err);
}

static const struct crimg_assembly_ops assembly_ops = { begin, message, piece, end };

static void state_free(struct json_state *s)
{
	crimg_assembly_close(s->assembly);
	json_extra_fini(&s->extra);
	crimg_arena_fini(&s->arena);
	crimg_buf_fini(&s->text);
	free(s->copy);
	free(s);
}

static int json_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
                     struct crimg_err *err)
{
	struct json_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->single = options->single_object;
	s->pretty = options->pretty;
	s->path = writer->output->path;
	s->newline = strcmp(s->path, "-") == 0; // as crit does
	s->json = crimg_json_make(&s->text, s->pretty);
	s->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	json_extra_init(&s->extra, &s->json);
	s->copy = malloc(COPY_BYTES);
	int rc = s->copy == NULL ? crimg_fail_nomem(err, COPY_BYTES) : 0;
	if (rc < 0 || crimg_assembly_open(&assembly_ops, s, false, &s->assembly, err) < 0
	    || crimg_sink_create(writer->output, "", CRIMG_SIZE_UNKNOWN, &s->sink, err) < 0) {
		state_free(s);
		return -1;
	}
	writer->state = s;
	return 0;
}

static int json_put(struct crimg_writer *writer, const struct crimg_record *record,
                    struct crimg_err *err)
{
	struct json_state *s = writer->state;
	return crimg_assembly_put(s->assembly, record, err);
}

static int json_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct json_state *s = writer->state;
	if (crimg_assembly_finish(s->assembly, err) < 0)
		return -1;
	if (!s->begun)
		begin_document(s, false);
	if (!s->crit) {
		crimg_json_end(&s->json);
		crimg_json_end(&s->json);
	}
	if (crimg_json_finish(&s->json, err) < 0
	    || (s->newline && crimg_buf_append(&s->text, "\n", 1, err) < 0)
	    || drain(s, 0, err) < 0)
		return -1;
	return crimg_sink_end(&s->sink, err);
}

static void json_close(struct crimg_writer *writer)
{
	state_free(writer->state);
}

const struct crimg_writer_driver crimg_writer_json = {
	.name = "json",
	.suffixes = (const char *const[]){ ".json", NULL },
	.single = true,
	.open = json_open,
	.put = json_put,
	.finish = json_finish,
	.close = json_close,
};
