// The walk over a message. In JSON, numbers stay numbers unless a hint gives them a better form.
#include "inspect/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_message.h"
#include "format/names.h"
#include "format/field_value.h"
#include "inspect/table.h"

#define LIST_SHOWN 16u   // numbers of a repeated field in text
#define FLAT_COLUMNS 100u // of a message that stands on one line
#define BYTES_SHOWN 48u  // of a bytes field in text

struct walk {
	struct crimg_view *view;
	unsigned indent;
	enum crimg_hint inherited; // of the message field above
};

static void line(const struct walk *w, const char *name, const char *value)
{
	crimg_line(w->view, CRIMG_MARK_NONE, "%*s%s:%s%s", (int)w->indent, "", name,
	           value[0] != '\0' ? " " : "", value);
}

static void bytes_text(const uint8_t *data, size_t length, size_t limit, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < length && i < limit; i++)
		snprintf(out + strlen(out), size - strlen(out), "%02x", (unsigned)data[i]);
	snprintf(out + strlen(out), size - strlen(out), "%s (%zu B)", length > limit ? "…" : "",
	         length);
}

static void show_bytes(const struct walk *w, const char *name, enum crimg_hint hint,
                       const uint8_t *data, size_t length)
{
	char text[CRIMG_NUMBER_MAX];
	struct crimg_json *j = w->view->json;
	if (hint == CRIMG_HINT_UNIX_NAME) {
		crimg_safe_text(text, sizeof text, (const char *)data, data != NULL ? length : 0);
		if (j != NULL)
			crimg_json_text(j, name, text);
		else
			line(w, name, text);
		return;
	}
	if (j == NULL) {
		bytes_text(data, length, BYTES_SHOWN, text, sizeof text);
		line(w, name, text);
		return;
	}
	char *hex = malloc(2 * length + 1);
	if (hex == NULL) {
		crimg_fail_nomem(&w->view->fault, 2 * length);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = "0123456789abcdef"[data[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
	}
	crimg_json_text_n(j, name, hex, 2 * length);
	free(hex);
}

static void walk_message(struct walk w, const ProtobufCMessage *m);

static void show_message(struct walk w, const char *key, const ProtobufCMessage *m,
                         enum crimg_hint hint)
{
	char text[FLAT_COLUMNS + 1];
	if (m == NULL)
		return;
	if (w.view->json == NULL && crimg_message_text(m, hint, text, sizeof text)) {
		line(&w, key, text);
		return;
	}
	if (w.view->json != NULL)
		crimg_json_object(w.view->json, key);
	else
		line(&w, key, "");
	struct walk below = { w.view, w.indent + 2, hint };
	walk_message(below, m);
	if (w.view->json != NULL)
		crimg_json_end(w.view->json);
}

// One value: the only one of a field (key: its name) or one of an array (key NULL in JSON).
static void show_value(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                       const void *at, bool in_array)
{
	const char *key = in_array && w.view->json != NULL ? NULL : f->name;
	char text[CRIMG_NUMBER_MAX];
	const char *string;
	const ProtobufCMessage *message;
	ProtobufCBinaryData bytes;
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		memcpy(&string, at, sizeof string);
		if (w.view->json != NULL)
			crimg_json_text(w.view->json, key, string);
		else
			line(&w, key, string != NULL ? string : "");
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		memcpy(&message, at, sizeof message);
		show_message(w, key, message, hint);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		memcpy(&bytes, at, sizeof bytes);
		show_bytes(&w, key, hint, bytes.data, bytes.len);
		return;
	default:
		break;
	}
	if (w.view->json != NULL) {
		crimg_number_json(w.view->json, key, f, hint, crimg_number_load(f->type, at));
		return;
	}
	crimg_number_text(f, hint, crimg_number_load(f->type, at), text, sizeof text);
	line(&w, key, text);
}

// Repeated numbers on one line; addresses and capability sets as one value.
static void show_numbers(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                         const uint8_t *array, size_t count)
{
	char text[8192] = "", one[CRIMG_NUMBER_MAX];
	const uint32_t *words = (const uint32_t *)(const void *)array;
	bool address = hint == CRIMG_HINT_IPADD, caps = hint == CRIMG_HINT_CAPS;
	if (address)
		crimg_address_text(words, count, text, sizeof text);
	else if (caps)
		crimg_caps_text(words, count, text, sizeof text);
	if (address || caps) {
		if (w.view->json != NULL)
			crimg_json_text(w.view->json, f->name, text);
		else
			line(&w, f->name, text);
		return;
	}
	if (w.view->json != NULL) {
		crimg_json_array(w.view->json, f->name);
		for (size_t i = 0; i < count; i++)
			crimg_number_json(
				w.view->json, NULL, f, hint,
				crimg_number_load(f->type, array + i * crimg_value_size(f->type)));
		crimg_json_end(w.view->json);
		return;
	}
	size_t shown = w.view->options->all || count <= LIST_SHOWN + 2 ? count : LIST_SHOWN;
	for (size_t i = 0, used = 0; i < shown && used + CRIMG_NUMBER_MAX < sizeof text; i++) {
		crimg_number_text(
			f, hint, crimg_number_load(f->type, array + i * crimg_value_size(f->type)),
			one, sizeof one);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "",
		                         one);
	}
	if (shown < count)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", … (%zu values)", count);
	line(&w, f->name, text);
}

// Repeated messages with their numbers; those that are flat take a line each, and runs of equal
// ones one.
static void show_messages(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                          const ProtobufCMessage *const *list, size_t count)
{
	char text[CRIMG_NUMBER_MAX], next[CRIMG_NUMBER_MAX], name[128];
	for (size_t i = 0, end; i < count && !crimg_view_failed(w.view); i = end) {
		end = i + 1;
		if (!crimg_message_text(list[i], hint, text, sizeof text)) {
			snprintf(name, sizeof name, "%s[%zu]", f->name, i);
			show_message(w, name, list[i], hint);
			continue;
		}
		while (end < count && crimg_message_text(list[end], hint, next, sizeof next)
		       && strcmp(text, next) == 0)
			end++;
		if (end > i + 1)
			snprintf(name, sizeof name, "%s[%zu..%zu]", f->name, i, end - 1);
		else
			snprintf(name, sizeof name, "%s[%zu]", f->name, i);
		line(&w, name, text);
	}
}

static void show_repeated(struct walk w, const ProtobufCFieldDescriptor *f, enum crimg_hint hint,
                          const void *base)
{
	size_t count;
	const uint8_t *array;
	memcpy(&count, (const char *)base + f->quantifier_offset, sizeof count);
	memcpy(&array, (const char *)base + f->offset, sizeof array);
	if (count == 0)
		return;
	if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE
	    && f->type != PROTOBUF_C_TYPE_BYTES) {
		show_numbers(w, f, hint, array, count);
		return;
	}
	if (w.view->json == NULL && f->type == PROTOBUF_C_TYPE_MESSAGE) {
		show_messages(w, f, hint, (const ProtobufCMessage *const *)(const void *)array,
		              count);
		return;
	}
	if (w.view->json != NULL)
		crimg_json_array(w.view->json, f->name);
	for (size_t i = 0; i < count && !crimg_view_failed(w.view); i++)
		show_value(w, f, hint, array + i * crimg_value_size(f->type), true);
	if (w.view->json != NULL)
		crimg_json_end(w.view->json);
}

static void show_unknown(const struct walk *w, const ProtobufCMessage *m)
{
	char name[48];
	for (unsigned i = 0; i < m->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *u = &m->unknown_fields[i];
		snprintf(name, sizeof name, "unknown_field_%u_%u", u->tag, i);
		show_bytes(w, name, CRIMG_HINT_NONE, u->data, u->len);
	}
}

static void walk_message(struct walk w, const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields && !crimg_view_failed(w.view); i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		enum crimg_hint hint = crimg_field_info(m->descriptor, i).people;
		hint = hint == CRIMG_HINT_NONE ? w.inherited : hint;
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			show_repeated(w, f, hint, m);
		else if (crimg_field_present(m, f))
			show_value(w, f, hint, (const char *)m + f->offset, false);
	}
	show_unknown(&w, m);
}

void crimg_fields_show(struct crimg_view *view, const ProtobufCMessage *message, unsigned indent)
{
	walk_message((struct walk){ view, indent, CRIMG_HINT_NONE }, message);
}
