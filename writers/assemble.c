// Records back into whole objects.
#include "writers/assemble.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"

struct waiting_entry {
	size_t data;          // offset in bytes
	size_t length;
	uint64_t index;
	struct crimg_payload_ref payload;
	bool tail;
	uint64_t origin_offset, origin_length;
};

// An object whose payload has yet to come (or, when sized, whose entries have).
struct waiting_object {
	struct crimg_object object;   // strings owned
	struct crimg_payload_ref payload;
	struct waiting_entry *entries;
	size_t count, capacity;
	struct crimg_buf bytes;       // encoded messages
	uint64_t size;                // of all entries, framed
	const char *origin;           // lives as long as the reader
	struct waiting_object *next;
};

struct crimg_assembly {
	const struct crimg_assembly_ops *ops;
	void *context;
	bool sized;
	bool open;                    // an object went to begin() and not yet to end()
	struct waiting_object *gathering; // the object opened last, when it waits
	struct waiting_object *first, *last; // complete, in order
	size_t entry;                 // of *first: the next one to give
	bool begun;                   // *first went to begin()
	uint64_t expected;            // number of the payload being given, or CRIMG_NO_PAYLOAD
	uint64_t given, wanted;       // its bytes
};

int crimg_assembly_open(const struct crimg_assembly_ops *ops, void *context, bool sized,
                        struct crimg_assembly **out, struct crimg_err *err)
{
	struct crimg_assembly *a = calloc(1, sizeof *a);
	if (a == NULL)
		return crimg_fail_nomem(err, sizeof *a);
	a->ops = ops;
	a->context = context;
	a->sized = sized;
	a->expected = CRIMG_NO_PAYLOAD;
	*out = a;
	return 0;
}

static void free_object(struct waiting_object *w)
{
	free((char *)(uintptr_t)w->object.name);
	free((char *)(uintptr_t)w->object.target);
	free(w->entries);
	crimg_buf_fini(&w->bytes);
	free(w);
}

void crimg_assembly_close(struct crimg_assembly *a)
{
	if (a == NULL)
		return;
	while (a->first != NULL) {
		struct waiting_object *w = a->first;
		a->first = w->next;
		free_object(w);
	}
	if (a->gathering != NULL)
		free_object(a->gathering);
	free(a);
}

static int gather(struct crimg_assembly *a, const struct crimg_object *object,
                  struct crimg_payload_ref payload, struct crimg_err *err)
{
	struct waiting_object *w = calloc(1, sizeof *w);
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	w->object = *object;
	w->object.name = strdup(object->name);
	w->object.target = object->target != NULL ? strdup(object->target) : NULL;
	w->payload = payload;
	if (payload.number != CRIMG_NO_PAYLOAD)
		w->size = payload.length;
	a->gathering = w;
	if (w->object.name == NULL || (object->target != NULL && w->object.target == NULL))
		return crimg_fail_nomem(err, 0);
	return 0;
}

static int gather_entry(struct crimg_assembly *a, const struct crimg_record *r,
                        struct crimg_err *err)
{
	struct waiting_object *w = a->gathering;
	void *array = w->entries;
	if (crimg_grow(&array, &w->capacity, w->count, sizeof *w->entries, err) < 0)
		return -1;
	w->entries = array;
	w->entries[w->count] = (struct waiting_entry){
		w->bytes.length, r->length, r->index, r->payload, r->tail,
		r->origin_offset, r->origin_length
	};
	w->origin = r->origin;
	if (crimg_buf_append(&w->bytes, r->data, r->length, err) < 0)
		return -1;
	w->count++;
	uint64_t frame = (r->tail ? 0 : 4) + r->length;
	uint64_t payload = r->payload.number != CRIMG_NO_PAYLOAD ? r->payload.length : 0;
	if (!crimg_add_u64(w->size, frame, &w->size) || !crimg_add_u64(w->size, payload, &w->size))
		return crimg_fail(err, CRIMG_E_FORMAT, w->object.name, CRIMG_NO_OFFSET,
		                  "an object larger than 64 bits can count");
	return 0;
}

static bool has_payload(const struct waiting_object *w)
{
	if (w->payload.number != CRIMG_NO_PAYLOAD && w->payload.length > 0)
		return true;
	for (size_t i = 0; i < w->count; i++)
		if (w->entries[i].payload.number != CRIMG_NO_PAYLOAD && w->entries[i].payload.length > 0)
			return true;
	return false;
}

static int give_entry(struct crimg_assembly *a, struct waiting_object *w,
                      const struct waiting_entry *e, struct crimg_err *err)
{
	struct crimg_record r = {
		.type = CRIMG_RECORD_MESSAGE, .object = &w->object, .index = e->index,
		.data = w->bytes.data != NULL ? w->bytes.data + e->data : NULL, .length = e->length,
		.tail = e->tail, .payload = e->payload, .origin = w->origin,
		.origin_offset = e->origin_offset, .origin_length = e->origin_length,
	};
	return a->ops->message(a->context, &r, err);
}

static void expect(struct crimg_assembly *a, struct crimg_payload_ref payload)
{
	if (payload.number == CRIMG_NO_PAYLOAD || payload.length == 0)
		return;
	a->expected = payload.number;
	a->given = 0;
	a->wanted = payload.length;
}

// Gives entries of *first until one has payload to come, or the object is over.
static int give_until_payload(struct crimg_assembly *a, struct crimg_err *err)
{
	struct waiting_object *w = a->first;
	if (!a->begun) {
		if (a->ops->begin(a->context, &w->object, w->size, w->payload, err) < 0)
			return -1;
		a->begun = true;
		a->entry = 0;
		expect(a, w->payload);
	}
	while (a->expected == CRIMG_NO_PAYLOAD && a->entry < w->count) {
		const struct waiting_entry *e = &w->entries[a->entry++];
		if (give_entry(a, w, e, err) < 0)
			return -1;
		expect(a, e->payload);
	}
	if (a->expected != CRIMG_NO_PAYLOAD)
		return 0;
	a->first = w->next;
	if (a->first == NULL)
		a->last = NULL;
	a->begun = false;
	free_object(w);
	return a->ops->end(a->context, err);
}

// An object that waited and has no payload goes at once; one that has joins the queue.
static int gathered(struct crimg_assembly *a, struct crimg_err *err)
{
	struct waiting_object *w = a->gathering;
	if (w == NULL)
		return 0;
	a->gathering = NULL;
	if (has_payload(w)) {
		if (a->last != NULL)
			a->last->next = w;
		else
			a->first = w;
		a->last = w;
		return 0;
	}
	struct crimg_assembly alone = {
		.ops = a->ops, .context = a->context, .first = w, .last = w,
		.expected = CRIMG_NO_PAYLOAD,
	};
	int rc = give_until_payload(&alone, err);
	if (alone.first != NULL)
		free_object(alone.first);
	return rc;
}

static int end_object(struct crimg_assembly *a, struct crimg_err *err)
{
	if (a->open) {
		a->open = false;
		return a->ops->end(a->context, err);
	}
	return gathered(a, err);
}

static int put_object(struct crimg_assembly *a, const struct crimg_record *r, struct crimg_err *err)
{
	enum crimg_payload payload = crimg_kind_info(r->object->kind)->payload;
	bool plain = payload == CRIMG_PAYLOAD_NONE && crimg_kind_info(r->object->kind)->many;
	if (end_object(a, err) < 0)
		return -1;
	// One-entry kinds may have a tail, which is payload: they wait too.
	if (a->sized || !plain || r->payload.number != CRIMG_NO_PAYLOAD)
		return gather(a, r->object, r->payload, err);
	if (a->ops->begin(a->context, r->object, CRIMG_SIZE_UNKNOWN, r->payload, err) < 0)
		return -1;
	a->open = true;
	return 0;
}

static int put_content(struct crimg_assembly *a, const struct crimg_record *r,
                       struct crimg_err *err)
{
	if (end_object(a, err) < 0)
		return -1;
	while (a->expected == CRIMG_NO_PAYLOAD && a->first != NULL)
		if (give_until_payload(a, err) < 0)
			return -1;
	if (r->payload.number != a->expected || r->content_offset != a->given
	    || r->content_length > a->wanted - a->given)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "payload %llu at %llu found, payload %llu at %llu wanted",
		                  (unsigned long long)r->payload.number,
		                  (unsigned long long)r->content_offset,
		                  (unsigned long long)a->expected, (unsigned long long)a->given);
	if (a->ops->piece(a->context, r, err) < 0)
		return -1;
	a->given += r->content_length;
	if (a->given < a->wanted)
		return 0;
	a->expected = CRIMG_NO_PAYLOAD;
	return give_until_payload(a, err);
}

int crimg_assembly_put(struct crimg_assembly *a, const struct crimg_record *record,
                       struct crimg_err *err)
{
	switch (record->type) {
	case CRIMG_RECORD_OBJECT:
		return put_object(a, record, err);
	case CRIMG_RECORD_MESSAGE:
		if (a->gathering != NULL)
			return gather_entry(a, record, err);
		return a->ops->message(a->context, record, err);
	case CRIMG_RECORD_CONTENT:
		return put_content(a, record, err);
	}
	return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET, "a record of no known type");
}

int crimg_assembly_finish(struct crimg_assembly *a, struct crimg_err *err)
{
	if (end_object(a, err) < 0)
		return -1;
	if (a->first == NULL)
		return 0;
	return crimg_fail(err, CRIMG_E_FORMAT, a->first->object.name, CRIMG_NO_OFFSET,
	                  "the stream ends before this object's payload has come");
}
