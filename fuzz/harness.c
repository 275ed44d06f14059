// What the fuzz targets share.
#include "fuzz/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "convert/pump.h"
#include "format/checked.h"
#include "format/files.h"
#include "format/limits.h"
#include "format/tasks.h"

#define OUTPUT_LIMIT ((size_t)64 << 20)

void harness_claim(bool good, const char *text)
{
	if (good)
		return;
	fprintf(stderr, "CLAIM BROKEN: %s\n", text);
	abort();
}

void harness_claim_err(int rc, const struct crimg_err *err)
{
	if (rc < 0 && getenv("HARNESS_SHOW") != NULL)
		fprintf(stderr, "error %d: %s: %s\n", err->code, err->source, err->text);
	harness_claim(rc >= 0 || (err->code != CRIMG_OK && err->text[0] != '\0'),
	              "a call failed without saying why");
}

// A pipe: the size is not known, reading backwards is a broken claim, reads are short now and then.
struct pipe_state {
	const uint8_t *data;
	size_t size;
	uint64_t at;
};

static int pipe_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                     struct crimg_err *err)
{
	struct pipe_state *p = s->state;
	(void)err;
	harness_claim(offset >= p->at, "a pipe is read forwards only");
	*got = offset >= p->size ? 0 : (size_t)crimg_min_u64(length, p->size - offset);
	if (*got > 0)
		memcpy(buf, p->data + offset, *got);
	p->at = offset + *got;
	return 0;
}

static void pipe_close(struct crimg_source *s)
{
	free(s->state);
}

static const struct crimg_source_ops pipe_ops = { pipe_read, pipe_close };

static int open_pipe(const void *data, size_t size, const char *name, struct crimg_source **out)
{
	struct pipe_state *p = malloc(sizeof *p);
	if (p == NULL)
		return -1;
	*p = (struct pipe_state){ .data = data, .size = size };
	if (crimg_source_make(&pipe_ops, name, p, out, NULL) < 0) {
		free(p);
		return -1;
	}
	(*out)->forward_only = true;
	return 0;
}

bool harness_input_bytes(struct crimg_input *in, const char *name, const void *data, size_t size,
                         bool pipe)
{
	*in = (struct crimg_input){ .path = strdup(name) };
	if (in->path == NULL
	    || (pipe ? open_pipe(data, size, name, &in->source)
	             : crimg_source_open_memory(data, size, name, &in->source, NULL)) < 0) {
		crimg_input_fini(in);
		return false;
	}
	in->head_length = size < sizeof in->head ? size : sizeof in->head;
	if (size > 0)
		memcpy(in->head, data, in->head_length);
	return true;
}

bool harness_input_store(struct crimg_input *in, struct crimg_store *store)
{
	*in = (struct crimg_input){ .path = strdup("image"), .store = store };
	if (in->path != NULL && store != NULL)
		return true;
	crimg_input_fini(in);
	return false;
}

struct crimg_store *harness_store_of(const struct crimg_output *o)
{
	struct crimg_store *store;
	if (crimg_store_open_memory("image", &store, NULL) < 0)
		return NULL;
	for (const struct crimg_mem_member *m = crimg_output_mem_last(o); m != NULL; m = m->next) {
		enum crimg_member_type type = m->target != NULL ? CRIMG_MEMBER_LINK
			: m->directory ? CRIMG_MEMBER_DIR : CRIMG_MEMBER_FILE;
		if (crimg_store_add(store, m->name, type, m->data.length, m->target,
		                    (uintptr_t)m->data.data, NULL) < 0) {
			crimg_store_close(store);
			return NULL;
		}
	}
	if (crimg_store_seal(store, NULL) == 0)
		return store;
	crimg_store_close(store);
	return NULL;
}

// What was seen of the payloads: their sums, to compare with random reads.
struct payload_sum {
	uint64_t length;
	uint8_t first, last; // bytes, when given in whole
	uint64_t given;
};

struct drain {
	struct crimg_reader *reader;
	struct harness_limits limits;
	struct payload_sum *sums;
	size_t count, capacity;
	uint8_t *buf;
};

#define BUF_BYTES ((size_t)64 << 10)

static int note_payload(struct drain *d, struct crimg_payload_ref ref, struct crimg_err *err)
{
	void *array = d->sums;
	if (ref.number == CRIMG_NO_PAYLOAD)
		return 0;
	harness_claim(ref.number == d->count, "payloads are announced in order");
	if (crimg_grow(&array, &d->capacity, d->count, sizeof *d->sums, err) < 0)
		return -1;
	d->sums = array;
	d->sums[d->count++] = (struct payload_sum){ .length = ref.length };
	return 0;
}

// Decodes as the index would; a message that does not decode must say why.
static void look_at_message(const struct crimg_record *r)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(r->object->kind, r->index, r->data, r->length);
	if (type != NULL && !r->tail
	    && crimg_message_decode(type, r->data, r->length, &arena, r->origin,
	                            r->origin_offset + 4, &err) == NULL)
		harness_claim_err(-1, &err);
	crimg_arena_fini(&arena);
}

static int take_bytes(struct drain *d, const struct crimg_record *r, struct crimg_err *err)
{
	struct payload_sum *sum = &d->sums[r->payload.number];
	for (uint64_t at = 0; at < r->content_length;) {
		size_t n = (size_t)crimg_min_u64(BUF_BYTES, r->content_length - at);
		const uint8_t *p = r->bytes != NULL ? r->bytes + at : d->buf;
		if (r->zero)
			memset(d->buf, 0, n);
		else if (r->span.source != NULL
		         && crimg_source_read_exact(r->span.source, r->span.offset + at, d->buf, n,
		                                    err) < 0)
			return -1;
		if (sum->given == 0)
			sum->first = p[0];
		sum->last = p[n - 1];
		sum->given += n;
		at += n;
		if (d->limits.bytes < n)
			return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET, "enough bytes");
		d->limits.bytes -= n;
	}
	return 0;
}

static int take_content(struct drain *d, const struct crimg_record *r, struct crimg_err *err)
{
	int ways = (r->bytes != NULL) + (r->span.source != NULL) + r->zero;
	if (r->payload.number == CRIMG_NO_PAYLOAD) { // a pipe tells that its metadata are over
		harness_claim(ways == 0 && r->content_length == 0, "the end of metadata has no content");
		return 0;
	}
	harness_claim(ways == 1, "content comes in exactly one way");
	harness_claim(r->payload.number < d->count, "content of a payload that was announced");
	const struct payload_sum *sum = &d->sums[r->payload.number];
	harness_claim(r->content_offset == sum->given, "content comes in order, without gaps");
	harness_claim(r->content_length > 0 && r->content_length <= sum->length - sum->given,
	              "content stays within what was announced");
	return take_bytes(d, r, err);
}

static int take_record(struct drain *d, const struct crimg_record *r, struct crimg_err *err)
{
	harness_claim(r->object != NULL || r->type == CRIMG_RECORD_CONTENT, "a record has an object");
	switch (r->type) {
	case CRIMG_RECORD_OBJECT:
		harness_claim(r->object->kind < CRIMG_KIND_COUNT && r->object->name != NULL,
		              "an object has a kind and a name");
		return note_payload(d, r->payload, err);
	case CRIMG_RECORD_MESSAGE:
		look_at_message(r);
		return note_payload(d, r->payload, err);
	case CRIMG_RECORD_CONTENT:
		if (r->payload.number == CRIMG_NO_PAYLOAD && r->content_length == 0)
			return 0; // from a pipe: the metadata are over
		break;
	}
	return take_content(d, r, err);
}

// A digest, told without the bytes, is that of the bytes. What cannot be had is an error, not a claim.
static void look_at_digest(struct drain *d, uint64_t payload, uint64_t offset)
{
	struct crimg_digest told;
	struct crimg_err err = CRIMG_ERR_INIT;
	XXH128_canonical_t sum;
	int rc = d->reader->driver->digest(d->reader, payload, offset, &told, &err);
	harness_claim_err(rc, &err);
	if (rc <= 0)
		return;
	harness_claim(told.offset <= offset && offset - told.offset < told.length,
	              "a digest is of a piece that holds the byte");
	uint8_t *bytes = malloc((size_t)told.length);
	if (bytes != NULL
	    && d->reader->driver->read(d->reader, payload, told.offset, bytes, (size_t)told.length,
	                               &err) == 0) {
		XXH128_canonicalFromHash(&sum, XXH3_128bits(bytes, (size_t)told.length));
		harness_claim(told.zero ? crimg_all_zero(bytes, (size_t)told.length)
		                        : memcmp(sum.digest, told.digest, sizeof sum.digest) == 0,
		              "a digest is that of the bytes");
	}
	free(bytes);
}

// whole: all announcements were seen.
static void read_again(struct drain *d, bool whole)
{
	for (size_t i = 0; i < d->count && i < 64; i++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		const struct payload_sum *sum = &d->sums[i];
		uint8_t ends[2] = { 0, 0 };
		if (sum->length == 0 || sum->given != sum->length)
			continue;
		int rc = d->reader->driver->read(d->reader, i, 0, &ends[0], 1, &err);
		if (rc == 0)
			rc = d->reader->driver->read(d->reader, i, sum->length - 1, &ends[1], 1, &err);
		harness_claim_err(rc, &err);
		harness_claim(rc < 0 || (ends[0] == sum->first && ends[1] == sum->last),
		              "a payload at random holds what it held in sequence");
		if (d->reader->driver->digest != NULL)
			look_at_digest(d, i, sum->length - 1);
	}
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t byte;
	if (!whole)
		return;
	harness_claim(d->reader->driver->read(d->reader, d->count, 0, &byte, 1, &err) < 0,
	              "a payload that was not announced cannot be read");
	harness_claim_err(-1, &err);
}

static int drain_reader(struct crimg_reader *reader, bool random, struct harness_limits limits,
                        struct crimg_err *err)
{
	struct drain d = { .reader = reader, .limits = limits, .buf = malloc(BUF_BYTES) };
	struct crimg_record r;
	int rc = d.buf == NULL ? crimg_fail_nomem(err, BUF_BYTES) : 1;
	for (size_t n = 0; rc > 0 && n < limits.records; n++) {
		rc = crimg_reader_next(reader, &r, err);
		if (rc > 0 && take_record(&d, &r, err) < 0)
			rc = -1;
	}
	if (rc == 0)
		for (size_t i = 0; i < d.count; i++)
			harness_claim(d.sums[i].given == d.sums[i].length,
			              "a stream that ends well gave every payload in whole");
	if (random && reader->driver->read != NULL)
		read_again(&d, rc == 0);
	free(d.sums);
	free(d.buf);
	return rc < 0 ? -1 : 0;
}

int harness_drain(struct crimg_input *in, const char *format, bool random,
                  struct harness_limits limits, struct crimg_err *err)
{
	struct crimg_reader reader;
	int rc = crimg_reader_open(in, format, &reader, err);
	if (rc == 0) {
		rc = drain_reader(&reader, random, limits, err);
		crimg_reader_close(&reader);
	}
	crimg_input_fini(in);
	harness_claim_err(rc, err);
	return rc;
}

// Decodes every message; false when one does not decode.
static bool look_at_objects(struct crimg_image *image)
{
	bool sound = true;
	for (size_t i = 0; i < image->count; i++) {
		struct crimg_image_object *o = &image->objects[i];
		for (size_t k = 0; k < o->count; k++) {
			struct crimg_err err = CRIMG_ERR_INIT;
			sound &= crimg_image_message(image, o, k, &err) != NULL || err.code == CRIMG_OK;
		}
	}
	return sound;
}

bool harness_sound(struct crimg_input *in, const char *format)
{
	struct crimg_image *image;
	struct crimg_err err = CRIMG_ERR_INIT;
	bool sound = crimg_image_open_input(in, format, &image, &err) == 0 && look_at_objects(image);
	crimg_image_close(image);
	return sound;
}

static int look_at_image(struct crimg_image *image, struct crimg_err *err)
{
	struct crimg_tasks tasks = { .count = 0 };
	struct crimg_files files = { .count = 0 };
	struct crimg_err more = CRIMG_ERR_INIT;
	int rc = crimg_image_missing(image, err);
	harness_claim(rc <= 0 || err->code != CRIMG_OK, "what is missing is told");
	look_at_objects(image);
	harness_claim_err(crimg_tasks_load(image, &tasks, &more), &more);
	more = CRIMG_ERR_INIT;
	harness_claim_err(crimg_files_load(image, &files, &more), &more);
	for (size_t i = 0; i < tasks.count && i < 64; i++) {
		struct crimg_buf args = CRIMG_BUF_INIT;
		bool cut;
		more = CRIMG_ERR_INIT;
		harness_claim_err(crimg_task_arguments(image, &tasks.list[i], 4096, &args, &cut, &more),
		                  &more);
		crimg_buf_fini(&args);
	}
	crimg_tasks_fini(&tasks);
	crimg_files_fini(&files);
	return rc;
}

int harness_index(struct crimg_input *in, const char *format, struct crimg_err *err)
{
	struct crimg_image *image;
	int rc = crimg_image_open_input(in, format, &image, err);
	harness_claim_err(rc, err);
	harness_claim(rc < 0 || image != NULL, "an image that opened is there");
	if (image != NULL) {
		struct crimg_err more = CRIMG_ERR_INIT;
		int missing = look_at_image(image, &more);
		harness_claim_err(missing, &more);
		if (rc == 0 && missing != 0) {
			*err = more;
			rc = -1;
		}
	}
	crimg_image_close(image);
	return rc;
}

static bool go_on(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	(void)done;
	(void)total;
	return true;
}

static int pump_into(struct crimg_reader *reader, const char *to,
                     const struct crimg_writer_options *options, struct crimg_output *out,
                     struct crimg_err *err)
{
	const struct crimg_progress progress = { .tell = go_on };
	struct crimg_writer writer = { .driver = crimg_writer_by_name(to), .output = out };
	struct crimg_writer_options o = *options;
	o.single_object = reader->single_object;
	harness_claim(writer.driver != NULL, "the writer exists");
	if (writer.driver->open(&writer, &o, err) < 0)
		return -1;
	int rc = crimg_pump(reader, &writer, &progress, err);
	writer.driver->close(&writer);
	return rc == 0 ? crimg_output_commit(out, err) : rc;
}

int harness_convert(struct crimg_input *in, const char *from, const char *to,
                    const struct crimg_writer_options *options, bool at_offsets,
                    struct crimg_output **out, struct crimg_err *err)
{
	struct crimg_reader reader;
	*out = NULL;
	int rc = crimg_reader_open(in, from, &reader, err);
	if (rc == 0) {
		rc = crimg_output_open_mem(at_offsets, OUTPUT_LIMIT, out, err);
		if (rc == 0)
			rc = pump_into(&reader, to, options, *out, err);
		crimg_reader_close(&reader);
	}
	crimg_input_fini(in);
	harness_claim_err(rc, err);
	return rc;
}

static bool same_member(const struct crimg_mem_member *a, const struct crimg_mem_member *b)
{
	if (b == NULL || a->directory != b->directory || (a->target == NULL) != (b->target == NULL))
		return false;
	if (a->target != NULL && strcmp(a->target, b->target) != 0)
		return false;
	return a->data.length == b->data.length
		&& (a->data.length == 0 || memcmp(a->data.data, b->data.data, a->data.length) == 0);
}

bool harness_same(const struct crimg_output *a, const struct crimg_output *b)
{
	size_t n = 0, m = 0;
	for (const struct crimg_mem_member *x = crimg_output_mem_last(b); x != NULL; x = x->next)
		m++;
	for (const struct crimg_mem_member *x = crimg_output_mem_last(a); x != NULL; x = x->next, n++)
		if (!same_member(x, crimg_output_mem_find(b, x->name)))
			return false;
	return n == m;
}
