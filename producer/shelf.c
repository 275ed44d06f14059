// Collecting records and putting them in order.
#include "producer/shelf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/limits.h"

void crimg_shelf_init(struct crimg_shelf *s)
{
	*s = (struct crimg_shelf){.arena = crimg_arena_make(CRIMG_MAX_INDEX_BYTES)};
}

void crimg_shelf_fini(struct crimg_shelf *s)
{
	for (size_t i = 0; i < s->count; i++) {
		crimg_buf_fini(&s->objects[i].entries);
		free(s->objects[i].marks);
	}
	for (size_t i = 0; i < s->payload_count; i++)
		free(s->payloads[i].runs);
	for (size_t i = 0; i < s->fd_count; i++)
		close(s->fds[i]);
	free(s->objects);
	free(s->payloads);
	free(s->fds);
	crimg_arena_fini(&s->arena);
	*s = (struct crimg_shelf){.objects = NULL};
}

static struct crimg_shelf_object *find(struct crimg_shelf *s, enum crimg_kind kind, uint64_t id)
{
	size_t last = s->last[kind];
	return last > 0 && s->objects[last - 1].object.id == id ? &s->objects[last - 1] : NULL;
}

static struct crimg_shelf_object *find_or_make(struct crimg_shelf *s, enum crimg_kind kind,
					       uint64_t id, struct crimg_err *err)
{
	struct crimg_shelf_object *o = find(s, kind, id);
	void *array = s->objects;
	if (o != NULL)
		return o;
	if (crimg_grow(&array, &s->capacity, s->count, sizeof *s->objects, err) < 0)
		return NULL;
	s->objects = array;
	o = &s->objects[s->count++];
	s->last[kind] = s->count;
	*o = (struct crimg_shelf_object){.object = {.kind = kind, .id = id, .name = ""}};
	if (crimg_kind_info(kind)->magic == 0)
		o->object.framing = CRIMG_FRAMING_RAW;
	return o;
}

static int put_entry(struct crimg_shelf_object *o, const ProtobufCMessage *message,
		     struct crimg_err *err)
{
	size_t length = protobuf_c_message_get_packed_size(message);
	if (length > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
				  "a message of %zu bytes found, %u at most wanted", length,
				  CRIMG_MAX_MESSAGE_BYTES);
	if (crimg_buf_reserve(&o->entries, length + 4, err) < 0
	    || crimg_buf_u32(&o->entries, (uint32_t)length, err) < 0
	    || crimg_message_encode(message, &o->entries, err) < 0)
		return -1;
	o->count++;
	return 0;
}

int crimg_shelf_put(struct crimg_shelf *s, enum crimg_kind kind, uint64_t id,
		    const ProtobufCMessage *message, struct crimg_err *err)
{
	struct crimg_shelf_object *o = find_or_make(s, kind, id, err);
	return o == NULL ? -1 : put_entry(o, message, err);
}

static int make_payload(struct crimg_shelf *s, size_t *payload, struct crimg_err *err)
{
	void *array = s->payloads;
	if (crimg_grow(&array, &s->payload_capacity, s->payload_count, sizeof *s->payloads, err) < 0)
		return -1;
	s->payloads = array;
	s->payloads[s->payload_count] = (struct crimg_shelf_payload){.runs = NULL};
	*payload = s->payload_count++;
	return 0;
}

int crimg_shelf_put_payload(struct crimg_shelf *s, enum crimg_kind kind, uint64_t id,
			    const ProtobufCMessage *message, size_t *payload, struct crimg_err *err)
{
	struct crimg_shelf_object *o = find_or_make(s, kind, id, err);
	if (o == NULL)
		return -1;
	void *array = o->marks;
	if (crimg_grow(&array, &o->mark_capacity, o->mark_count, sizeof *o->marks, err) < 0)
		return -1;
	o->marks = array;
	if (make_payload(s, payload, err) < 0)
		return -1;
	o->marks[o->mark_count++] = (struct crimg_shelf_mark){o->count, *payload};
	return message == NULL ? 0 : put_entry(o, message, err);
}

int crimg_shelf_put_link(struct crimg_shelf *s, const char *name, const char *target,
			 struct crimg_err *err)
{
	struct crimg_shelf_object *o = find_or_make(s, CRIMG_KIND_OPAQUE, 0, err);
	if (o == NULL)
		return -1;
	o->object.type = CRIMG_OBJECT_LINK;
	o->object.name = name;
	o->object.target = target;
	return 0;
}

// Runs that follow each other where they lie are one.
static bool joins(const struct crimg_shelf_run *last, const struct crimg_shelf_run *run)
{
	return last->where == run->where && run->where != CRIMG_SHELF_BYTES
	       && last->place == run->place && last->address + last->length == run->address;
}

int crimg_shelf_add(struct crimg_shelf *s, size_t payload, struct crimg_shelf_run run,
		    struct crimg_err *err)
{
	struct crimg_shelf_payload *p = &s->payloads[payload];
	void *array = p->runs;
	run.at = p->length;
	if (run.length == 0)
		return 0;
	p->length += run.length;
	if (p->count > 0 && joins(&p->runs[p->count - 1], &run)) {
		p->runs[p->count - 1].length += run.length;
		return 0;
	}
	if (run.where == CRIMG_SHELF_BYTES) {
		void *copy = crimg_arena_alloc(&s->arena, run.length);
		if (copy == NULL)
			return crimg_fail_nomem(err, run.length);
		run.bytes = memcpy(copy, run.bytes, run.length);
	}
	if (crimg_grow(&array, &p->capacity, p->count, sizeof *p->runs, err) < 0)
		return -1;
	p->runs = array;
	p->runs[p->count++] = run;
	return 0;
}

int crimg_shelf_keep(struct crimg_shelf *s, int fd, struct crimg_err *err)
{
	void *array = s->fds;
	if (crimg_grow(&array, &s->fd_capacity, s->fd_count, sizeof *s->fds, err) < 0) {
		close(fd);
		return -1;
	}
	s->fds = array;
	s->fds[s->fd_count++] = fd;
	return 0;
}

static int by_kind_and_id(const void *a, const void *b)
{
	const struct crimg_object *x = &((const struct crimg_shelf_object *)a)->object;
	const struct crimg_object *y = &((const struct crimg_shelf_object *)b)->object;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

int crimg_shelf_seal(struct crimg_shelf *s, struct crimg_err *err)
{
	struct crimg_shelf_payload *ordered = calloc(s->payload_count + 1, sizeof *ordered);
	size_t next = 0;
	if (ordered == NULL)
		return crimg_fail_nomem(err, 0);
	qsort(s->objects, s->count, sizeof *s->objects, by_kind_and_id);
	for (size_t i = 0; i < s->count; i++)
		for (size_t j = 0; j < s->objects[i].mark_count; j++) {
			struct crimg_shelf_mark *mark = &s->objects[i].marks[j];
			ordered[next] = s->payloads[mark->payload];
			mark->payload = next++;
		}
	free(s->payloads);
	s->payloads = ordered;
	s->payload_capacity = s->payload_count;
	return 0;
}
