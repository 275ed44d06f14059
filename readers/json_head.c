// Heads of objects in JSON.
#include "readers/json_head.h"

#include <string.h>

#include "format/store.h"

void json_head_reader_fini(struct json_head_reader *r)
{
	crimg_buf_fini(&r->text);
}

static int fail(struct json_head_reader *r, const char *found, const char *wanted,
                struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, r->builder->name, json_scan_offset(r->scan),
	                  "%.80s found, %s", found, wanted);
}

static json_t *take_value(struct json_head_reader *r, struct crimg_err *err)
{
	r->text.length = 0;
	r->builder->offset = json_scan_offset(r->scan);
	if (json_scan_value(r->scan, &r->text, err) < 0)
		return NULL;
	return json_build_parse(r->builder, (const char *)r->text.data, r->text.length, err);
}

static int take_text(struct json_head_reader *r, char **out, struct crimg_err *err)
{
	json_t *value = take_value(r, err);
	if (value == NULL)
		return -1;
	char *text = NULL;
	int rc = 0;
	if (!json_is_string(value)) {
		rc = fail(r, "another value", "a string wanted", err);
	} else {
		size_t length = json_string_length(value);
		text = crimg_arena_text(r->arena, json_string_value(value), length);
		rc = text == NULL ? crimg_fail_nomem(err, length) : 0;
		if (rc == 0)
			text[json_scan_bytes(text, length)] = '\0';
	}
	json_decref(value);
	if (rc == 0)
		*out = text;
	return rc;
}

static int take_id(struct json_head_reader *r, uint64_t *out, struct crimg_err *err)
{
	static const struct json_place place = { .key = "id" };
	json_t *value = take_value(r, err);
	if (value == NULL)
		return -1;
	int rc = json_build_unsigned(r->builder, &place, value, UINT64_MAX, out);
	json_decref(value);
	return rc;
}

static int take_dir(struct json_head_reader *r, bool *out, struct crimg_err *err)
{
	json_t *value = take_value(r, err);
	if (value == NULL)
		return -1;
	int rc = json_is_true(value) ? 0 : fail(r, "another value", "\"dir\": true wanted", err);
	json_decref(value);
	*out = rc == 0;
	return rc;
}

// The text member that a key names, or NULL.
static char **text_member(struct json_head *head, const char *key)
{
	struct {
		const char *key;
		char **text;
	} table[] = {
		{ "name", &head->name }, { "link", &head->link }, { "magic", &head->magic },
		{ "kind", &head->kind }, { "framing", &head->framing }, { "schema", &head->schema },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(table[i].key, key) == 0)
			return table[i].text;
	return NULL;
}

static int take_entries(struct json_head_reader *r, struct json_head *head, bool skim,
                        enum json_head_stop *stop, struct crimg_err *err)
{
	int c;
	if (json_scan_peek(r->scan, &c, err) < 0)
		return -1;
	if (c != '[')
		return fail(r, "another value", "a list of entries wanted", err);
	head->has_entries = true;
	head->entries = json_scan_offset(r->scan);
	if (skim)
		return json_scan_value(r->scan, NULL, err);
	*stop = JSON_HEAD_ENTRIES;
	return 0;
}

static bool is_taken(struct json_head *head, const char *key)
{
	char **text = text_member(head, key);
	if (text != NULL)
		return *text != NULL;
	return (strcmp(key, "id") == 0 && head->has_id) || (strcmp(key, "dir") == 0 && head->dir)
		|| (strcmp(key, "entries") == 0 && head->has_entries);
}

static int take_member(struct json_head_reader *r, struct json_head *head, bool skim,
                       enum json_head_stop *stop, struct crimg_err *err)
{
	char key[64];
	r->text.length = 0;
	if (json_scan_key(r->scan, &r->text, key, sizeof key, err) < 0)
		return -1;
	char **text = text_member(head, key);
	if (is_taken(head, key))
		return fail(r, key, "a key that was not given yet wanted", err);
	if (text != NULL)
		return take_text(r, text, err);
	if (strcmp(key, "id") == 0) {
		head->has_id = true;
		return take_id(r, &head->id, err);
	}
	if (strcmp(key, "dir") == 0)
		return take_dir(r, &head->dir, err);
	if (strcmp(key, "raw") == 0)
		return json_payloads_cut(r->payloads, r->scan, &head->raw, err);
	if (strcmp(key, "entries") == 0)
		return take_entries(r, head, skim, stop, err);
	if (strcmp(key, "objects") == 0 && head->schema != NULL) {
		*stop = JSON_HEAD_OBJECTS;
		return 0;
	}
	return fail(r, key, "a key of an image wanted (magic, entries, …)", err);
}

int json_head_read(struct json_head_reader *r, struct json_head *head, bool first, bool skim,
                   enum json_head_stop *stop, struct crimg_err *err)
{
	bool more;
	*stop = JSON_HEAD_END;
	for (; *stop == JSON_HEAD_END; first = false) {
		if (json_scan_more(r->scan, '}', first, &more, err) < 0)
			return -1;
		if (!more)
			return 0;
		if (take_member(r, head, skim, stop, err) < 0)
			return -1;
	}
	return 0;
}

// What the file name says is kept unless the document says otherwise.
static int choose_kind(struct json_head_reader *r, const struct json_head *head,
                       struct crimg_object *o, struct crimg_err *err)
{
	const char *slash = strrchr(o->name, '/');
	enum crimg_kind named = crimg_kind_by_file(slash != NULL ? slash + 1 : o->name, &o->id);
	o->kind = named;
	if (head->kind != NULL) {
		o->kind = crimg_kind_by_name(head->kind);
		if (o->kind == CRIMG_KIND_COUNT)
			return fail(r, head->kind, "the name of a kind of object wanted", err);
	} else if (head->has_entries && head->magic != NULL
	           && strcmp(crimg_kind_crit_name(named), head->magic) != 0) {
		o->kind = crimg_kind_by_name(head->magic);
		o->id = 0;
	} else if (!head->has_entries && crimg_kind_info(named)->payload != CRIMG_PAYLOAD_RAW) {
		o->kind = CRIMG_KIND_OPAQUE;
		o->id = 0;
	}
	if (head->has_id)
		o->id = head->id;
	return 0;
}

static int check_entries(struct json_head_reader *r, const struct json_head *head,
                         struct crimg_object *o, struct crimg_err *err)
{
	if (head->magic == NULL)
		return fail(r, "entries without a magic", "\"magic\" wanted", err);
	if (o->kind == CRIMG_KIND_COUNT
	    || crimg_kind_info(o->kind)->payload == CRIMG_PAYLOAD_RAW
	    || strcmp(crimg_kind_crit_name(o->kind), head->magic) != 0)
		return fail(r, head->magic, "the magic of a kind of image wanted, as crit names it",
		            err);
	if (head->framing != NULL && strcmp(head->framing, "v10") != 0)
		return fail(r, head->framing, "framing \"v10\" (or none) wanted", err);
	o->framing = head->framing != NULL ? CRIMG_FRAMING_V10 : CRIMG_FRAMING_V11;
	return 0;
}

static int check_one(struct json_head_reader *r, const struct json_head *head,
                     struct crimg_err *err)
{
	int count = head->has_entries + head->raw.found + (head->link != NULL) + head->dir;
	return count == 1 ? 0 : fail(r, count == 0 ? "an object of nothing" : "an object of two",
	                             "one of entries, raw, link, dir wanted", err);
}

int json_head_object(struct json_head_reader *r, const struct json_head *head, bool image,
                     struct crimg_object *out, struct crimg_err *err)
{
	struct crimg_object o = {
		.type = head->link != NULL ? CRIMG_OBJECT_LINK : head->dir ? CRIMG_OBJECT_DIR
			: CRIMG_OBJECT_FILE,
		.framing = CRIMG_FRAMING_RAW, .name = head->name != NULL ? head->name : "",
		.target = head->link,
	};
	if (check_one(r, head, err) < 0)
		return -1;
	if (head->schema != NULL)
		return fail(r, "a schema", "an object without one wanted", err);
	if (image && !crimg_name_is_safe(o.name))
		return fail(r, head->name != NULL ? head->name : "no name",
		            "a relative name that stays within the image wanted", err);
	if (choose_kind(r, head, &o, err) < 0)
		return -1;
	if (o.type != CRIMG_OBJECT_FILE) {
		o.kind = CRIMG_KIND_OPAQUE;
		o.id = 0;
	} else if (head->has_entries) {
		if (check_entries(r, head, &o, err) < 0)
			return -1;
	} else if (crimg_kind_info(o.kind)->payload != CRIMG_PAYLOAD_RAW) {
		return fail(r, head->kind, "a kind that is stored raw wanted", err);
	}
	*out = o;
	return 0;
}
