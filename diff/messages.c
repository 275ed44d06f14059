#include "diff/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/field_rules.h"
#include "diff/open_files.h"
#include "diff/shared_sets.h"
#include "format/json_message.h"
#include "format/names.h"
#include "format/text_add.h"

#define PATH_MAX_BYTES 256u
#define ELEMENTS_TOLD 16u  // numbers of a list that are told one by one
#define LIST_BYTES 1024u   // of a list that is shown as one value: all capabilities by name

struct walk {
	struct crimg_scope scope;
	char *path;              // PATH_MAX_BYTES, of the message's fields
	enum crimg_hint inherited;
};

// One field of both messages.
struct pair {
	const ProtobufCFieldDescriptor *f;
	enum crimg_hint hint;
	const void *at[2];
	bool present[2];
	bool folded;
};

static void tell(const struct walk *w, const struct pair *p, struct crimg_value a,
                 struct crimg_value b)
{
	if (p->folded)
		crimg_tell_folded(&w->scope, w->path, a, b);
	else
		crimg_tell(&w->scope, CRIMG_CHANGE_CHANGED, w->path, a, b);
}

static struct crimg_value number_value(const struct pair *p, uint64_t number, bool present)
{
	return (struct crimg_value){ .kind = present ? CRIMG_VALUE_NUMBER : CRIMG_VALUE_NONE,
		                     .number = number, .field = p->f, .hint = p->hint };
}

static void compare_numbers(const struct walk *w, const struct pair *p)
{
	uint64_t a = crimg_number_load(p->f->type, p->at[CRIMG_A]);
	uint64_t b = crimg_number_load(p->f->type, p->at[CRIMG_B]);
	if (a != b)
		tell(w, p, number_value(p, a, p->present[CRIMG_A]),
		     number_value(p, b, p->present[CRIMG_B]));
}

static void compare_strings(const struct walk *w, const struct pair *p)
{
	const char *text[2];
	for (int s = CRIMG_A; s <= CRIMG_B; s++) {
		memcpy(&text[s], p->at[s], sizeof text[s]);
		text[s] = p->present[s] && text[s] != NULL ? text[s] : "";
	}
	if (strcmp(text[CRIMG_A], text[CRIMG_B]) != 0)
		tell(w, p, crimg_text_value(p->present[CRIMG_A] ? text[CRIMG_A] : NULL),
		     crimg_text_value(p->present[CRIMG_B] ? text[CRIMG_B] : NULL));
}

static void compare_bytes(const struct walk *w, const struct pair *p)
{
	ProtobufCBinaryData data[2];
	for (int s = CRIMG_A; s <= CRIMG_B; s++) {
		memcpy(&data[s], p->at[s], sizeof data[s]);
		if (!p->present[s] || data[s].data == NULL)
			data[s].len = 0;
	}
	if (data[0].len == data[1].len
	    && (data[0].len == 0 || memcmp(data[0].data, data[1].data, data[0].len) == 0))
		return;
	tell(w, p, crimg_bytes_value(data[0].data, data[0].len),
	     crimg_bytes_value(data[1].data, data[1].len));
}

static void walk_messages(struct walk *w, const ProtobufCMessage *a, const ProtobufCMessage *b);

static void tell_whole(const struct walk *w, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	bool gone = b == NULL;
	struct crimg_value value = { .kind = CRIMG_VALUE_MESSAGE, .message = gone ? a : b,
		                     .hint = w->inherited };
	const char *field = w->path[0] != '\0' ? w->path : NULL;
	crimg_tell(&w->scope, gone ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, field,
	           gone ? value : CRIMG_NO_VALUE, gone ? CRIMG_NO_VALUE : value);
}

static void compare_one(struct walk *w, const struct pair *p)
{
	const ProtobufCMessage *m[2];
	switch (p->f->type) {
	case PROTOBUF_C_TYPE_STRING:
		compare_strings(w, p);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		compare_bytes(w, p);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	default:
		compare_numbers(w, p);
		return;
	}
	for (int s = CRIMG_A; s <= CRIMG_B; s++)
		memcpy(&m[s], p->at[s], sizeof m[s]);
	struct walk below = { w->scope, w->path, p->hint };
	below.scope.folded = w->scope.folded || p->folded;
	if (m[CRIMG_A] != NULL && m[CRIMG_B] != NULL)
		walk_messages(&below, m[CRIMG_A], m[CRIMG_B]);
	else if (m[CRIMG_A] != NULL || m[CRIMG_B] != NULL)
		tell_whole(&below, m[CRIMG_A], m[CRIMG_B]);
}

// Repeated fields.
struct array {
	size_t count;
	const uint8_t *items;
};

static struct array array_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	struct array a;
	memcpy(&a.count, (const char *)m + f->quantifier_offset, sizeof a.count);
	memcpy(&a.items, (const char *)m + f->offset, sizeof a.items);
	return a;
}

// Addresses and capability sets are one value.
static bool whole_text(const struct pair *p, const struct array *a, char *out, size_t size)
{
	const uint32_t *words = (const uint32_t *)(const void *)a->items;
	out[0] = '\0';
	if (p->hint == CRIMG_HINT_IPADD)
		crimg_address_text(words, a->count, out, size);
	else if (p->hint == CRIMG_HINT_CAPS)
		crimg_caps_text(words, a->count, out, size);
	else
		return false;
	return true;
}

// A set without bits may have no words, or some that are 0.
static bool same_set(const struct array *a, const struct array *b)
{
	const uint32_t *x = (const uint32_t *)(const void *)a->items;
	const uint32_t *y = (const uint32_t *)(const void *)b->items;
	for (size_t i = 0; i < a->count || i < b->count; i++)
		if ((i < a->count ? x[i] : 0) != (i < b->count ? y[i] : 0))
			return false;
	return true;
}

static void list_text(const struct pair *p, const struct array *a, char *out, size_t size)
{
	char one[CRIMG_NUMBER_MAX];
	out[0] = '\0';
	for (size_t i = 0; i < a->count && strlen(out) + 64 < size; i++) {
		crimg_number_text(p->f, p->hint,
		                  crimg_number_load(p->f->type,
		                                    a->items + i * crimg_value_size(p->f->type)),
		                  one, sizeof one);
		crimg_text_add(out, size, "%s%s", i > 0 ? ", " : "", one);
	}
	crimg_text_add(out, size, " (%zu)", a->count);
}

static void compare_number_arrays(struct walk *w, const struct pair *p, const struct array *a,
                                  const struct array *b)
{
	size_t size = crimg_value_size(p->f->type), used = strlen(w->path), told = 0;
	char x[LIST_BYTES], y[LIST_BYTES];
	if (a->count == b->count && (a->count == 0 || memcmp(a->items, b->items, a->count * size) == 0))
		return;
	bool whole = whole_text(p, a, x, sizeof x) && whole_text(p, b, y, sizeof y);
	if (p->hint == CRIMG_HINT_CAPS && same_set(a, b))
		return;
	for (size_t i = 0; !whole && i < a->count && a->count == b->count; i++)
		told += memcmp(a->items + i * size, b->items + i * size, size) != 0;
	if (told == 0 || told > ELEMENTS_TOLD) {
		if (!whole) {
			list_text(p, a, x, sizeof x);
			list_text(p, b, y, sizeof y);
		}
		tell(w, p, crimg_text_value(x), crimg_text_value(y));
		return;
	}
	for (size_t i = 0; i < a->count; i++) {
		struct pair one = *p;
		one.at[CRIMG_A] = a->items + i * size;
		one.at[CRIMG_B] = b->items + i * size;
		crimg_text_add(w->path, PATH_MAX_BYTES, "[%zu]", i);
		compare_numbers(w, &one);
		w->path[used] = '\0';
	}
}

static void compare_string_arrays(struct walk *w, const struct pair *p, const struct array *a,
                                  const struct array *b)
{
	size_t used = strlen(w->path);
	for (size_t i = 0; i < a->count || i < b->count; i++) {
		static const char *const none = NULL;
		struct pair one = *p;
		one.present[CRIMG_A] = i < a->count;
		one.present[CRIMG_B] = i < b->count;
		one.at[CRIMG_A] = i < a->count ? (const void *)(a->items + i * sizeof none) : &none;
		one.at[CRIMG_B] = i < b->count ? (const void *)(b->items + i * sizeof none) : &none;
		crimg_text_add(w->path, PATH_MAX_BYTES, "[%zu]", i);
		compare_strings(w, &one);
		w->path[used] = '\0';
	}
}

static void compare_byte_arrays(struct walk *w, const struct pair *p, const struct array *a,
                                const struct array *b)
{
	static const ProtobufCBinaryData none = { 0, NULL };
	size_t used = strlen(w->path);
	for (size_t i = 0; i < a->count || i < b->count; i++) {
		struct pair one = *p;
		one.at[CRIMG_A] = i < a->count ? (const void *)(a->items + i * sizeof none) : &none;
		one.at[CRIMG_B] = i < b->count ? (const void *)(b->items + i * sizeof none) : &none;
		crimg_text_add(w->path, PATH_MAX_BYTES, "[%zu]", i);
		compare_bytes(w, &one);
		w->path[used] = '\0';
	}
}

// Lists of messages: sorted by key, then merged.
struct element {
	const ProtobufCMessage *message;
	const ProtobufCFieldDescriptor *key;
	size_t place;
};

// A key that is a text; of a list of texts the first.
static const char *key_text(const struct element *e)
{
	const char *at = (const char *)e->message, *text = NULL;
	char *const *list;
	size_t count = 1;
	if (e->key->label != PROTOBUF_C_LABEL_REPEATED) {
		memcpy(&text, at + e->key->offset, sizeof text);
	} else {
		memcpy(&count, at + e->key->quantifier_offset, sizeof count);
		memcpy(&list, at + e->key->offset, sizeof list);
		text = count > 0 ? list[0] : NULL;
	}
	return text != NULL ? text : "";
}

static int compare_keys(const struct element *x, const struct element *y)
{
	const char *a = (const char *)x->message + x->key->offset;
	const char *b = (const char *)y->message + y->key->offset;
	if (x->key->type == PROTOBUF_C_TYPE_STRING)
		return strcmp(key_text(x), key_text(y));
	uint64_t m = crimg_number_load(x->key->type, a), n = crimg_number_load(x->key->type, b);
	return m < n ? -1 : m > n;
}

static int by_key(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int order = x->key != NULL ? compare_keys(x, y) : 0;
	return order != 0 ? order : x->place < y->place ? -1 : x->place > y->place;
}

// Without key, elements go by their place.
static int order_of(const struct element *x, const struct element *y)
{
	if (x->key != NULL)
		return compare_keys(x, y);
	return x->place < y->place ? -1 : x->place > y->place;
}

static struct element *elements_of(const struct crimg_list *list,
                                   const ProtobufCFieldDescriptor *key)
{
	struct element *e = calloc(list->count + 1, sizeof *e);
	for (size_t i = 0; e != NULL && i < list->count; i++)
		e[i] = (struct element){ list->items[i], key, i };
	if (e != NULL)
		qsort(e, list->count, sizeof *e, by_key);
	return e;
}

static void add_place(char *path, const struct element *e)
{
	char text[CRIMG_NUMBER_MAX];
	if (e->key == NULL) {
		crimg_text_add(path, PATH_MAX_BYTES, "[%zu]", e->place);
	} else if (e->key->type == PROTOBUF_C_TYPE_STRING) {
		crimg_text_add(path, PATH_MAX_BYTES, "[%s]", key_text(e));
	} else {
		const char *at = (const char *)e->message + e->key->offset;
		crimg_number_text(e->key, CRIMG_HINT_NONE, crimg_number_load(e->key->type, at), text,
		                  sizeof text);
		crimg_text_add(path, PATH_MAX_BYTES, "[%s]", text);
	}
}

static void merge(struct walk *w, const struct element *a, size_t count_a, const struct element *b,
                  size_t count_b)
{
	size_t i = 0, k = 0, used = strlen(w->path);
	while ((i < count_a || k < count_b) && !crimg_diff_failed(w->scope.d)) {
		int order = i == count_a ? 1 : k == count_b ? -1 : order_of(&a[i], &b[k]);
		const struct element *x = order <= 0 ? &a[i++] : NULL, *y = order >= 0 ? &b[k++] : NULL;
		add_place(w->path, x != NULL ? x : y);
		if (x != NULL && y != NULL)
			walk_messages(w, x->message, y->message);
		else
			tell_whole(w, x != NULL ? x->message : NULL, y != NULL ? y->message : NULL);
		w->path[used] = '\0';
	}
}

static void compare_lists(struct walk *w, const struct crimg_list *a, const struct crimg_list *b)
{
	if (a->count == 0 && b->count == 0)
		return;
	const ProtobufCMessage *first = a->count > 0 ? a->items[0] : b->items[0];
	const ProtobufCFieldDescriptor *key = crimg_list_key(first->descriptor);
	struct element *x = elements_of(a, key), *y = elements_of(b, key);
	if (x != NULL && y != NULL)
		merge(w, x, a->count, y, b->count);
	else
		crimg_fail_nomem(&w->scope.d->fault, (a->count + b->count) * sizeof *x);
	free(x);
	free(y);
}

static void compare_repeated(struct walk *w, const struct pair *p, const ProtobufCMessage *m,
                             const ProtobufCMessage *n)
{
	struct array a = array_of(m, p->f), b = array_of(n, p->f);
	struct walk below = { w->scope, w->path, p->hint };
	below.scope.folded = w->scope.folded || p->folded;
	switch (p->f->type) {
	case PROTOBUF_C_TYPE_STRING:
		compare_string_arrays(w, p, &a, &b);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		compare_byte_arrays(w, p, &a, &b);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		compare_lists(&below,
		              &(struct crimg_list){ (const void *const *)(const void *)a.items, a.count },
		              &(struct crimg_list){ (const void *const *)(const void *)b.items, b.count });
		return;
	default:
		compare_number_arrays(w, p, &a, &b);
	}
}

// A number that is a reference: 0, or all ones in a field of that default, is none.
static uint64_t reference(const struct pair *p, int side)
{
	uint64_t id = crimg_number_load(p->f->type, p->at[side]);
	return !p->present[side] || id == UINT64_MAX ? 0 : id;
}

static void compare_files(const struct walk *w, uint32_t a, uint32_t b)
{
	char x[CRIMG_FILE_TEXT_MAX], y[CRIMG_FILE_TEXT_MAX];
	if (crimg_same_file(&w->scope, a, b))
		return;
	crimg_tell(&w->scope, CRIMG_CHANGE_CHANGED, w->path,
	           crimg_text_value(crimg_file_name(w->scope.d, CRIMG_A, a, x, sizeof x)),
	           crimg_text_value(crimg_file_name(w->scope.d, CRIMG_B, b, y, sizeof y)));
}

// Lists of references, of files alone: descriptors that are on their way in a packet.
static void compare_file_lists(struct walk *w, const struct pair *p, const ProtobufCMessage *m,
                               const ProtobufCMessage *n)
{
	struct array a = array_of(m, p->f), b = array_of(n, p->f);
	crimg_compare_u64(&w->scope, w->path, a.count, b.count);
	for (size_t i = 0; i < a.count && i < b.count; i++)
		compare_files(w, (uint32_t)crimg_number_load(p->f->type, a.items + i * sizeof(uint32_t)),
		              (uint32_t)crimg_number_load(p->f->type, b.items + i * sizeof(uint32_t)));
}

static void compare_references(const struct walk *w, const struct pair *p,
                               enum crimg_reference kind)
{
	uint64_t a = reference(p, CRIMG_A), b = reference(p, CRIMG_B);
	struct pair folded = *p;
	if (!crimg_same_reference(w->scope.d, kind, a, b)) {
		tell(w, p, number_value(p, a, p->present[CRIMG_A]),
		     number_value(p, b, p->present[CRIMG_B]));
		return;
	}
	folded.folded = true;
	compare_numbers(w, &folded);
}

// A timer is armed when some time is left.
static bool is_armed(const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		if (crimg_field_rule(m->descriptor, f->name)->rule == CRIMG_RULE_LEFT
		    && crimg_number_load(f->type, (const char *)m + f->offset) != 0)
			return true;
	}
	return false;
}

static void compare_by_rule(struct walk *w, struct pair *p, enum crimg_rule rule,
                            const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	bool repeated = p->f->label == PROTOBUF_C_LABEL_REPEATED;
	p->folded = rule == CRIMG_RULE_FOLD || (rule == CRIMG_RULE_LEFT && is_armed(a) == is_armed(b));
	if (rule == CRIMG_RULE_FILE && repeated)
		compare_file_lists(w, p, a, b);
	else if (rule == CRIMG_RULE_FILE)
		compare_files(w, (uint32_t)reference(p, CRIMG_A), (uint32_t)reference(p, CRIMG_B));
	else if (rule == CRIMG_RULE_CGROUPS)
		crimg_compare_cgroup_sets(&w->scope, (uint32_t)reference(p, CRIMG_A),
		                          (uint32_t)reference(p, CRIMG_B));
	else if (rule == CRIMG_RULE_FILTER)
		crimg_compare_filters(&w->scope, p->present[CRIMG_A], (uint32_t)reference(p, CRIMG_A),
		                      p->present[CRIMG_B], (uint32_t)reference(p, CRIMG_B));
	else if (rule >= CRIMG_RULE_OBJECT)
		compare_references(w, p, crimg_rule_reference(rule));
	else if (repeated)
		compare_repeated(w, p, a, b);
	else
		compare_one(w, p);
}

static void compare_field(struct walk *w, unsigned index, const ProtobufCMessage *a,
                          const ProtobufCMessage *b)
{
	const ProtobufCFieldDescriptor *f = &a->descriptor->fields[index];
	const struct crimg_rule_row *row = crimg_field_rule(a->descriptor, f->name);
	enum crimg_hint hint = crimg_field_info(a->descriptor, index).people;
	size_t used = strlen(w->path);
	if (row->rule == CRIMG_RULE_SKIP && !w->scope.whole)
		return;
	struct pair p = {
		.f = f, .hint = hint == CRIMG_HINT_NONE ? w->inherited : hint,
		.at = { (const char *)a + f->offset, (const char *)b + f->offset },
		.present = { crimg_field_present(a, f), crimg_field_present(b, f) },
	};
	enum crimg_diff_group group = w->scope.group;
	w->scope.group = row->group == CRIMG_DIFF_GROUPS ? group : row->group;
	crimg_text_add(w->path, PATH_MAX_BYTES, "%s%s", used > 0 ? "." : "", f->name);
	compare_by_rule(w, &p, row->rule, a, b);
	w->path[used] = '\0';
	w->scope.group = group;
}

static void compare_unknown(struct walk *w, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t used = strlen(w->path);
	unsigned n = a->n_unknown_fields > b->n_unknown_fields ? a->n_unknown_fields
		: b->n_unknown_fields;
	for (unsigned i = 0; i < n; i++) {
		const ProtobufCMessageUnknownField *x =
			i < a->n_unknown_fields ? &a->unknown_fields[i] : NULL;
		const ProtobufCMessageUnknownField *y =
			i < b->n_unknown_fields ? &b->unknown_fields[i] : NULL;
		if (x != NULL && y != NULL && x->tag == y->tag && x->len == y->len
		    && memcmp(x->data, y->data, x->len) == 0)
			continue;
		crimg_text_add(w->path, PATH_MAX_BYTES, "%sunknown_field_%u", used > 0 ? "." : "",
		               i < a->n_unknown_fields ? a->unknown_fields[i].tag
		                                       : b->unknown_fields[i].tag);
		crimg_tell(&w->scope, CRIMG_CHANGE_CHANGED, w->path,
		           x != NULL ? crimg_bytes_value(x->data, x->len) : CRIMG_NO_VALUE,
		           y != NULL ? crimg_bytes_value(y->data, y->len) : CRIMG_NO_VALUE);
		w->path[used] = '\0';
	}
}

static void walk_messages(struct walk *w, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	if (a->descriptor != b->descriptor) {
		tell_whole(w, a, NULL);
		tell_whole(w, NULL, b);
		return;
	}
	for (unsigned i = 0; i < a->descriptor->n_fields && !crimg_diff_failed(w->scope.d); i++)
		compare_field(w, i, a, b);
	compare_unknown(w, a, b);
}

void crimg_compare_messages(const struct crimg_scope *s, const char *field, const void *a,
                            const void *b)
{
	char path[PATH_MAX_BYTES] = "";
	struct walk w = { *s, path, CRIMG_HINT_NONE };
	if (field != NULL)
		snprintf(path, sizeof path, "%s", field);
	if (a != NULL && b != NULL)
		walk_messages(&w, a, b);
	else if (a != NULL || b != NULL)
		tell_whole(&w, a, b);
}

void crimg_compare_lists(const struct crimg_scope *s, const char *field,
                         const struct crimg_list *a, const struct crimg_list *b)
{
	char path[PATH_MAX_BYTES] = "";
	struct walk w = { *s, path, CRIMG_HINT_NONE };
	if (field != NULL)
		snprintf(path, sizeof path, "%s", field);
	compare_lists(&w, a, b);
}
