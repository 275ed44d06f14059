// The JSON reader: crit's document of one image file, or a document of a whole image, to records.
// Knows the order of a document and of a stream; heads are json_head.c's, entries json_entry.c's. A file
// is read in memory that does not grow with it: payload stays where it is. A long pipe is read as it
// comes, with its payload in memory.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/driver.h"
#include "format/limits.h"
#include "readers/json_entry.h"
#include "readers/json_head.h"
#include "readers/json_pipe.h"
#include "readers/readers.h"

enum phase { PHASE_OBJECT, PHASE_ENTRIES, PHASE_TAIL, PHASE_CONTENT };

struct listed {
	struct crimg_object object;
	uint64_t entries;              // offset of the list; 0: none
	struct json_cut raw;           // of raw objects
	size_t order;                  // in the document
};

#define PIECE_BYTES ((size_t)48 << 10)

struct json_state {
	struct crimg_source *source;
	const char *name;              // of the source
	bool image;                    // a whole image; else crit's document of one file
	bool indexed;                  // list holds every object; else they come as they stand
	bool seen_whole;               // crit's document was read to its end before its entries
	struct json_scan scan;
	struct json_payloads payloads;
	struct json_entry_reader entries;
	struct json_head_reader heads;
	struct crimg_arena arena;      // names and objects
	struct listed *list;
	size_t count, capacity, at;
	enum phase phase;
	bool first;                    // no object (entry) came yet in the list at the scan
	enum crimg_kind last_kind;     // of the objects of a pipe
	const struct crimg_object *object; // the one opened last
	uint64_t index;                // of its next entry
	struct json_entry entry;
	struct json_payload_cursor content_cursor, read_cursor;
	uint64_t content, content_at;  // next payload to yield, and the offset in it
	uint8_t *piece;                // PIECE_BYTES
	struct crimg_err broken;       // why nothing more can be read; told again and again
};

static int fail_here(struct json_state *s, enum crimg_code code, const char *text,
                     struct crimg_err *err)
{
	return crimg_fail(err, code, s->name, json_scan_offset(&s->scan), "%s", text);
}

static int expect_end(struct json_state *s, struct crimg_err *err)
{
	int c;
	if (json_scan_peek(&s->scan, &c, err) < 0)
		return -1;
	return c < 0 ? 0 : fail_here(s, CRIMG_E_FORMAT, "text behind the document found, its end "
	                             "wanted", err);
}

static int read_head(struct json_state *s, bool skim, struct listed *out,
                     enum json_head_stop *stop, struct crimg_err *err)
{
	struct json_head head = { .name = NULL };
	struct crimg_object object;
	if (json_scan_expect(&s->scan, '{', err) < 0
	    || json_head_read(&s->heads, &head, true, skim, stop, err) < 0
	    || json_head_object(&s->heads, &head, true, &object, err) < 0) {
		json_cut_fini(&head.raw);
		return -1;
	}
	*out = (struct listed){ .object = object, .entries = head.entries, .raw = head.raw };
	return 0;
}

static int by_kind(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	if (x->object.kind != y->object.kind)
		return x->object.kind < y->object.kind ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int list_object(struct json_state *s, struct crimg_err *err)
{
	void *array = s->list;
	enum json_head_stop stop;
	if (s->count >= CRIMG_MAX_OBJECTS)
		return fail_here(s, CRIMG_E_LIMIT, "too many objects", err);
	if (crimg_grow(&array, &s->capacity, s->count, sizeof *s->list, err) < 0)
		return -1;
	s->list = array;
	if (read_head(s, true, &s->list[s->count], &stop, err) < 0)
		return -1;
	s->list[s->count].order = s->count;
	s->count++;
	return 0;
}

static int list_objects(struct json_state *s, struct crimg_err *err)
{
	bool more;
	for (bool first = true;; first = false) {
		if (json_scan_more(&s->scan, ']', first, &more, err) < 0)
			return -1;
		if (!more)
			break;
		if (list_object(s, err) < 0)
			return -1;
	}
	if (s->count > 0)
		qsort(s->list, s->count, sizeof *s->list, by_kind);
	s->indexed = true;
	if (json_scan_expect(&s->scan, '}', err) < 0)
		return -1;
	return expect_end(s, err);
}

// The list of objects, of a whole image, is next.
static int begin_image(struct json_state *s, const struct json_head *head, struct crimg_err *err)
{
	if (strcmp(head->schema, "crimg.image/1") != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, s->name, json_scan_offset(&s->scan),
		                  "schema %.60s found, crimg.image/1 wanted", head->schema);
	if (json_scan_expect(&s->scan, '[', err) < 0)
		return -1;
	s->image = true;
	s->first = true;
	return s->source->forward_only ? 0 : list_objects(s, err);
}

// Entries before their magic: a file is read twice.
static int look_behind(struct json_state *s, struct json_head *head, struct crimg_err *err)
{
	enum json_head_stop stop;
	if (s->source->forward_only)
		return fail_here(s, CRIMG_E_UNSUPPORTED, "entries before their magic, on a pipe: "
		                 "store the JSON in a file", err);
	if (json_scan_value(&s->scan, NULL, err) < 0
	    || json_head_read(&s->heads, head, false, true, &stop, err) < 0)
		return -1;
	s->seen_whole = true;
	return expect_end(s, err);
}

// crit's document of one file.
static int begin_single(struct json_state *s, struct json_head *head, enum json_head_stop stop,
                        struct crimg_err *err)
{
	struct listed one = { .entries = head->entries };
	void *array = s->list;
	if (stop == JSON_HEAD_ENTRIES && head->magic == NULL && look_behind(s, head, err) < 0)
		return -1;
	if (!head->has_entries || head->name != NULL || head->raw.found || head->dir
	    || head->link != NULL || head->kind != NULL || head->has_id)
		return fail_here(s, CRIMG_E_FORMAT, "a document of one file found that is not "
		                 "magic and entries alone", err);
	if (json_head_object(&s->heads, head, false, &one.object, err) < 0
	    || crimg_grow(&array, &s->capacity, 0, sizeof *s->list, err) < 0)
		return -1;
	s->list = array;
	s->list[s->count++] = one;
	s->indexed = true;
	return 0;
}

static int begin_document(struct json_state *s, struct crimg_err *err)
{
	struct json_head head = { .name = NULL };
	enum json_head_stop stop;
	int rc = json_scan_expect(&s->scan, '{', err);
	if (rc == 0)
		rc = json_head_read(&s->heads, &head, true, false, &stop, err);
	if (rc == 0 && stop == JSON_HEAD_OBJECTS)
		rc = begin_image(s, &head, err);
	else if (rc == 0)
		rc = begin_single(s, &head, stop, err);
	json_cut_fini(&head.raw);
	return rc;
}

// The next object of a pipe, as it stands; *out lives as long as the reader. 0: the end.
static int next_on_pipe(struct json_state *s, struct listed **out, struct crimg_err *err)
{
	enum json_head_stop stop;
	bool more;
	if (json_scan_more(&s->scan, ']', s->first, &more, err) < 0)
		return -1;
	if (!more) {
		if (json_scan_expect(&s->scan, '}', err) < 0)
			return -1;
		return expect_end(s, err);
	}
	s->first = false;
	struct listed *one = crimg_arena_alloc(&s->arena, sizeof *one);
	if (one == NULL)
		return crimg_fail_nomem(err, sizeof *one);
	if (read_head(s, false, one, &stop, err) < 0)
		return -1;
	if (one->object.kind < s->last_kind) {
		json_cut_fini(&one->raw);
		return fail_here(s, CRIMG_E_UNSUPPORTED, "objects in another order than a stream "
		                 "wants them, on a pipe: store the JSON in a file", err);
	}
	s->last_kind = one->object.kind;
	*out = one;
	return 1;
}

static int next_listed(struct json_state *s, struct listed **out, struct crimg_err *err)
{
	if (!s->indexed)
		return next_on_pipe(s, out, err);
	if (s->at == s->count)
		return 0;
	*out = &s->list[s->at++];
	// The one object of crit's document is read on from where its head ended.
	if ((*out)->entries > 0 && (s->image || s->seen_whole))
		json_scan_seek(&s->scan, (*out)->entries);
	return 1;
}

static int next_object(struct json_state *s, struct crimg_record *record, struct crimg_err *err)
{
	struct listed *one = NULL;
	int rc = next_listed(s, &one, err);
	if (rc <= 0 || one == NULL) {
		s->phase = PHASE_CONTENT;
		return rc;
	}
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_OBJECT, .object = &one->object,
		.payload = { .number = CRIMG_NO_PAYLOAD }, .origin = s->name,
	};
	s->object = &one->object;
	s->index = 0;
	if (one->raw.found
	    && (json_payloads_add_cut(&s->payloads, &one->raw, err) < 0
	        || json_payloads_announce(&s->payloads, &record->payload, err) < 0))
		return -1;
	if (one->entries == 0)
		return 1;
	if (json_scan_expect(&s->scan, '[', err) < 0)
		return -1;
	s->phase = PHASE_ENTRIES;
	return 1;
}

// Behind the entries: of what was read ahead already, nothing is of interest.
static int end_entries(struct json_state *s, struct crimg_err *err)
{
	s->phase = PHASE_OBJECT;
	if ((s->image && s->indexed) || s->seen_whole)
		return 0;
	if (json_scan_expect(&s->scan, '}', err) < 0)
		return -1;
	return s->image ? 0 : expect_end(s, err);
}

// 1, or 0 behind the last entry.
static int next_entry(struct json_state *s, struct crimg_record *record, struct crimg_err *err)
{
	bool more;
	if (json_scan_more(&s->scan, ']', s->index == 0, &more, err) < 0)
		return -1;
	if (!more)
		return end_entries(s, err);
	if (json_entry_read(&s->entries, s->object->kind, s->index, &s->entry, err) < 0)
		return -1;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE, .object = s->object, .index = s->index++,
		.data = s->entry.data, .length = s->entry.length, .payload = s->entry.payload,
		.origin = s->name, .origin_offset = s->entry.offset, .origin_length = s->entry.span,
	};
	if (s->entry.tail.number != CRIMG_NO_PAYLOAD)
		s->phase = PHASE_TAIL;
	return 1;
}

static int next_tail(struct json_state *s, struct crimg_record *record)
{
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE, .object = s->object, .index = s->index, .tail = true,
		.payload = s->entry.tail, .origin = s->name, .origin_offset = s->entry.offset,
		.origin_length = s->entry.span,
	};
	s->phase = PHASE_ENTRIES;
	return 1;
}

static int next_content(struct json_state *s, struct crimg_record *record, struct crimg_err *err)
{
	while (s->content < s->payloads.count
	       && s->content_at == s->payloads.list[s->content].length) {
		s->content++;
		s->content_at = 0;
	}
	if (s->content == s->payloads.count)
		return 0;
	uint64_t length = s->payloads.list[s->content].length;
	size_t n = (size_t)crimg_min_u64(PIECE_BYTES, length - s->content_at);
	if (json_payloads_read(&s->payloads, &s->content_cursor, s->content, s->content_at,
	                       s->piece, n, err) < 0)
		return -1;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT, .payload = { s->content, length },
		.content_offset = s->content_at, .content_length = n, .bytes = s->piece,
	};
	s->content_at += n;
	return 1;
}

static int next_record(struct json_state *s, struct crimg_record *record, struct crimg_err *err)
{
	int rc = 0;
	if (s->phase == PHASE_TAIL)
		return next_tail(s, record);
	if (s->phase == PHASE_ENTRIES)
		rc = next_entry(s, record, err);
	if (rc == 0 && s->phase == PHASE_OBJECT)
		rc = next_object(s, record, err);
	if (rc == 0 && s->phase == PHASE_CONTENT)
		rc = next_content(s, record, err);
	return rc;
}

// Where each object begins is known of a whole image in a file: a damaged one is passed over. Elsewhere
// an error is the end.
static int json_next(struct crimg_reader *reader, struct crimg_record *record,
                     struct crimg_err *err)
{
	struct json_state *s = reader->state;
	struct crimg_err found = CRIMG_ERR_INIT;
	int rc = -1;
	if (s->broken.code == CRIMG_OK) {
		rc = next_record(s, record, &found);
		if (rc >= 0)
			return rc;
		if (s->image && s->indexed && s->phase != PHASE_CONTENT) {
			json_payloads_drop(&s->payloads);
			s->phase = PHASE_OBJECT;
		} else {
			s->broken = found;
		}
	} else {
		found = s->broken;
	}
	if (err != NULL && err->code == CRIMG_OK)
		*err = found;
	return rc;
}

static int json_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
                     size_t length, struct crimg_err *err)
{
	struct json_state *s = reader->state;
	return json_payloads_read(&s->payloads, &s->read_cursor, payload, offset, buf, length, err);
}

static void state_free(struct json_state *s)
{
	for (size_t i = 0; i < s->count; i++)
		json_cut_fini(&s->list[i].raw);
	json_payload_cursor_fini(&s->content_cursor);
	json_payload_cursor_fini(&s->read_cursor);
	json_entry_reader_fini(&s->entries);
	json_head_reader_fini(&s->heads);
	json_payloads_fini(&s->payloads);
	json_scan_fini(&s->scan);
	crimg_arena_fini(&s->arena);
	free(s->piece);
	free(s->list);
	free(s);
}

static void json_close(struct crimg_reader *reader)
{
	struct json_state *s = reader->state;
	struct crimg_source *source = s->source;
	state_free(s);
	crimg_source_close(source);
}

static struct json_state *state_make(struct crimg_source *source, struct crimg_err *err)
{
	struct json_state *s = calloc(1, sizeof *s);
	uint8_t *piece = malloc(PIECE_BYTES);
	if (s == NULL || piece == NULL) {
		free(s);
		free(piece);
		crimg_fail_nomem(err, PIECE_BYTES);
		return NULL;
	}
	s->source = source;
	s->name = source->name;
	s->piece = piece;
	s->scan = json_scan_make(source, 0);
	s->payloads = json_payloads_make(source);
	s->arena = crimg_arena_make(CRIMG_MAX_INDEX_BYTES);
	json_entry_reader_init(&s->entries, &s->scan, &s->payloads, s->name);
	s->heads = (struct json_head_reader){
		.scan = &s->scan, .payloads = &s->payloads, .builder = &s->entries.builder,
		.arena = &s->arena,
	};
	json_payload_cursor_init(&s->content_cursor, &s->payloads);
	json_payload_cursor_init(&s->read_cursor, &s->payloads);
	return s;
}

static int json_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	if (in->source == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
		                  "a directory or archive found, a JSON file wanted");
	if (json_pipe_settle(&in->source, err) < 0)
		return -1;
	struct json_state *s = state_make(in->source, err);
	if (s == NULL)
		return -1;
	if (begin_document(s, err) < 0) {
		state_free(s);
		return -1;
	}
	in->source = NULL;
	reader->state = s;
	reader->single_object = !s->image;
	return 0;
}

static bool head_has(const struct crimg_input *in, const char *text)
{
	return in->head_length > 0 && memmem(in->head, in->head_length, text, strlen(text)) != NULL;
}

static int json_probe(const struct crimg_input *in)
{
	size_t i = 0;
	while (i < in->head_length && strchr(" \n\r\t", in->head[i]) != NULL && in->head[i] != 0)
		i++;
	if (in->source == NULL || i == in->head_length || in->head[i] != '{')
		return 0;
	if (head_has(in, "\"crimg.image/"))
		return 95;
	return head_has(in, "\"magic\"") || head_has(in, "\"entries\"") ? 70 : 0;
}

const struct crimg_reader_driver crimg_reader_json = {
	.name = "json",
	.summary = "the JSON that crit prints and takes, of one image file or of a whole image",
	.keeps = "everything, bit for bit",
	.loses = "nothing",
	.probe = json_probe,
	.open = json_open,
	.next = json_next,
	.read = json_read,
	.close = json_close,
};
