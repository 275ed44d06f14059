// The CRIU reader: a directory (or archive) of files, or one .img file, to records.
// Knows magics, frames and where payload follows a message; decodes a message only where its payload
// must be measured. Page contents stay where they are. Source: SPEC.md, chapter "CRIU images".
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/buf.h"
#include "format/checked.h"
#include "readers/readers.h"
#include "format/limits.h"
#include "readers/criu_files.h"

struct payload {
	size_t member;         // index into store->members
	uint64_t offset, length;
};

enum phase { PHASE_OBJECT, PHASE_ENTRIES, PHASE_CONTENT, PHASE_END };

struct criu_state {
	struct crimg_store *store;
	struct criu_files files;        // members in reading order, with kinds
	enum phase phase;
	size_t at;                      // object being read, index into files.list
	struct crimg_source *source;    // of that object; NULL when it is closed
	struct crimg_window window;
	struct criu_file *file;         // files.list + at
	uint64_t index;                 // of the next entry
	uint64_t file_size;
	bool chunked;                   // a ghost file whose contents come in chunks
	struct crimg_arena arena;       // for measuring payload
	struct payload *payloads;
	size_t payload_count, payload_capacity;
	size_t content;                 // next payload to yield
	struct crimg_source *payload_source; // the member that payload was taken from last, kept open
	size_t payload_member;
};

static int announce(struct criu_state *s, uint64_t offset, uint64_t length,
                    struct crimg_payload_ref *ref, struct crimg_err *err)
{
	void *array = s->payloads;
	if (crimg_grow(&array, &s->payload_capacity, s->payload_count, sizeof *s->payloads, err) < 0)
		return -1;
	s->payloads = array;
	s->payloads[s->payload_count] = (struct payload){ s->file->member, offset, length };
	*ref = (struct crimg_payload_ref){ s->payload_count++, length };
	return 0;
}

static void close_object(struct criu_state *s)
{
	crimg_window_fini(&s->window);
	crimg_source_close(s->source);
	s->source = NULL;
}

static int read_magics(struct criu_state *s, struct crimg_err *err)
{
	const struct crimg_kind_info *info = crimg_kind_info(s->file->object.kind);
	const uint8_t *p;
	size_t got, head;
	if (crimg_window_peek(&s->window, 8, &p, &got, err) < 0)
		return -1;
	if (criu_check_magic(info, p, got, s->source->name, &s->file->object.framing, err) < 0)
		return -1;
	head = criu_head_length(info, s->file->object.framing);
	return crimg_window_skip(&s->window, head, err);
}

// Opens the member at s->at and yields its object.
static int begin_object(struct criu_state *s, struct crimg_record *record, struct crimg_err *err)
{
	s->file = &s->files.list[s->at];
	s->index = 0;
	s->chunked = false;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_OBJECT, .object = &s->file->object,
		.payload = { .number = CRIMG_NO_PAYLOAD }, .origin = s->file->origin,
	};
	if (s->file->object.type != CRIMG_OBJECT_FILE)
		return 1;
	if (crimg_store_open_member(s->store, &s->store->members[s->file->member], &s->source,
	                            err) < 0)
		return -1;
	s->window = crimg_window_make(s->source, 0);
	s->file_size = s->source->size;
	if (crimg_kind_info(s->file->object.kind)->payload != CRIMG_PAYLOAD_RAW)
		return read_magics(s, err) < 0 ? -1 : 1;
	return announce(s, 0, s->file_size, &record->payload, err) < 0 ? -1 : 1;
}

// ipc_msg_entry: qnum times u32 size, ipc_msg, msize bytes padded to 8, from offset at.
static int measure_messages(struct criu_state *s, const IpcMsgEntry *queue, uint64_t at,
                            uint64_t *length, struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(s->source, at);
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < queue->qnum; i++) {
		uint64_t one;
		rc = criu_measure_message(&w, &s->arena, &one, err);
		if (rc == 0)
			rc = crimg_window_skip(&w, one, err);
	}
	*length = w.offset - at;
	crimg_window_fini(&w);
	return rc;
}

static int measure_payload(struct criu_state *s, const struct crimg_record *record, uint64_t at,
                           uint64_t *length, struct crimg_err *err)
{
	crimg_arena_reset(&s->arena);
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(s->file->object.kind, s->index, record->data, record->length);
	ProtobufCMessage *m = crimg_message_decode(type, record->data, record->length, &s->arena,
	                                           record->origin, record->origin_offset + 4, err);
	const void *message = m;
	uint64_t rest = at <= s->file_size ? s->file_size - at : 0;
	if (m == NULL)
		return -1;
	if (type == &ghost_file_entry__descriptor)
		s->chunked = ((const GhostFileEntry *)message)->has_chunks
			&& ((const GhostFileEntry *)message)->chunks;
	if (crimg_kind_info(s->file->object.kind)->payload == CRIMG_PAYLOAD_MSG)
		return measure_messages(s, message, at, length, err);
	return crimg_payload_length(s->file->object.kind, m, rest, length, err);
}

static int take_payload(struct criu_state *s, struct crimg_record *record, struct crimg_err *err)
{
	uint64_t at = record->origin_offset + 4 + record->length, length;
	if (measure_payload(s, record, at, &length, err) < 0)
		return -1;
	if (s->file_size == CRIMG_SIZE_UNKNOWN || !crimg_in_range(at, length, s->file_size))
		return crimg_fail(err, CRIMG_E_CUT, record->origin, at,
		                  "the file ends: %llu bytes of payload found, %llu wanted",
		                  (unsigned long long)(at < s->file_size ? s->file_size - at : 0),
		                  (unsigned long long)length);
	if (length > 0 && announce(s, at, length, &record->payload, err) < 0)
		return -1;
	record->origin_length += length;
	return 0;
}

// What follows the only entry of a one-entry file; CRIU ignores it, we keep it.
static int take_tail(struct criu_state *s, struct crimg_record *record, struct crimg_err *err)
{
	uint64_t left = s->file_size - s->window.offset;
	record->tail = true;
	record->origin_length = left;
	if (announce(s, s->window.offset, left, &record->payload, err) < 0)
		return -1;
	s->index++;
	return crimg_window_skip(&s->window, left, err) < 0 ? -1 : 1;
}

static bool entries_are_over(const struct criu_state *s)
{
	const struct crimg_kind_info *info = crimg_kind_info(s->file->object.kind);
	if (info->payload == CRIMG_PAYLOAD_GHOST)
		return s->index > 0 && !s->chunked;
	return !info->many && s->index > 0;
}

// One entry: u32 length, message, payload. 1, or 0 at the end of the file.
static int next_entry(struct criu_state *s, struct crimg_record *record, struct crimg_err *err)
{
	const uint8_t *p;
	size_t got;
	uint64_t at = s->window.offset;
	if (s->source == NULL || crimg_kind_info(s->file->object.kind)->payload == CRIMG_PAYLOAD_RAW)
		return 0;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE, .object = &s->file->object,
		.index = s->index, .payload = { .number = CRIMG_NO_PAYLOAD },
		.origin = s->file->origin, .origin_offset = at,
	};
	if (at == s->file_size)
		return 0;
	if (entries_are_over(s))
		return take_tail(s, record, err);
	if (criu_peek_entry(&s->window, &p, &got, err) < 0)
		return -1;
	record->data = p + 4;
	record->length = got;
	record->origin_length = 4 + got;
	if (crimg_kind_info(s->file->object.kind)->payload != CRIMG_PAYLOAD_NONE
	    && take_payload(s, record, err) < 0)
		return -1;
	s->index++;
	// The bytes stay lent: skipping moves no memory until the next peek.
	return crimg_window_skip(&s->window, record->origin_length, err) < 0 ? -1 : 1;
}

static int open_payload(struct criu_state *s, size_t member, struct crimg_err *err)
{
	if (s->payload_source != NULL && s->payload_member == member)
		return 0;
	crimg_source_close(s->payload_source);
	s->payload_source = NULL;
	s->payload_member = member;
	return crimg_store_open_member(s->store, &s->store->members[member], &s->payload_source, err);
}

static int next_content(struct criu_state *s, struct crimg_record *record, struct crimg_err *err)
{
	while (s->content < s->payload_count && s->payloads[s->content].length == 0)
		s->content++;
	if (s->content == s->payload_count)
		return 0;
	const struct payload *p = &s->payloads[s->content];
	if (open_payload(s, p->member, err) < 0)
		return -1;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT, .payload = { s->content, p->length },
		.content_length = p->length, .span = { s->payload_source, p->offset, p->length },
		.origin = s->payload_source->name,
	};
	s->content++;
	return 1;
}

// A damaged object is given up, not the image: the call after the error yields the next object.
static int give_up_object(struct criu_state *s)
{
	close_object(s);
	s->at++;
	s->phase = PHASE_OBJECT;
	return -1;
}

static int criu_next(struct crimg_reader *reader, struct crimg_record *record,
                     struct crimg_err *err)
{
	struct criu_state *s = reader->state;
	int rc;
	if (s->phase == PHASE_ENTRIES) {
		rc = next_entry(s, record, err);
		if (rc != 0)
			return rc > 0 ? rc : give_up_object(s);
		close_object(s);
		s->at++;
		s->phase = PHASE_OBJECT;
	}
	if (s->phase == PHASE_OBJECT && s->at < s->files.count) {
		s->phase = PHASE_ENTRIES;
		rc = begin_object(s, record, err);
		return rc > 0 ? rc : give_up_object(s);
	}
	if (s->phase == PHASE_OBJECT)
		s->phase = PHASE_CONTENT;
	return s->phase == PHASE_CONTENT ? next_content(s, record, err) : 0;
}

static int criu_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
                     size_t length, struct crimg_err *err)
{
	struct criu_state *s = reader->state;
	if (payload >= s->payload_count
	    || !crimg_in_range(offset, length, s->payloads[payload].length))
		return crimg_fail(err, CRIMG_E_USAGE, s->store->name, CRIMG_NO_OFFSET,
		                  "payload %llu has no %zu bytes at %llu",
		                  (unsigned long long)payload, length, (unsigned long long)offset);
	const struct payload *p = &s->payloads[payload];
	if (open_payload(s, p->member, err) < 0)
		return -1;
	return crimg_source_read_exact(s->payload_source, p->offset + offset, buf, length, err);
}

static int criu_locate(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
                       struct crimg_span *out, struct crimg_err *err)
{
	struct criu_state *s = reader->state;
	if (payload >= s->payload_count || offset >= s->payloads[payload].length)
		return 0;
	const struct payload *p = &s->payloads[payload];
	if (open_payload(s, p->member, err) < 0)
		return -1;
	*out = (struct crimg_span){ s->payload_source, p->offset + offset, p->length - offset };
	return 1;
}

static void criu_close(struct crimg_reader *reader)
{
	struct criu_state *s = reader->state;
	close_object(s);
	crimg_source_close(s->payload_source);
	criu_files_fini(&s->files);
	crimg_arena_fini(&s->arena);
	free(s->payloads);
	crimg_store_close(s->store);
	free(s);
}

// One .img file: a store of one member; its name, then its magic, tells the kind.
static int store_of_single(struct crimg_input *in, struct crimg_err *err)
{
	const char *base = strrchr(in->path, '/');
	base = base != NULL ? base + 1 : in->path;
	if (in->source->forward_only)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, in->path, CRIMG_NO_OFFSET,
		                  "a single image file cannot be read from a pipe: name the file");
	if (crimg_store_open_single(in->source, strcmp(base, "-") == 0 ? "stdin" : base, &in->store,
	                            err) < 0)
		return -1;
	in->source = NULL;
	return 0;
}

static int criu_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	bool single = in->store == NULL;
	if (single && store_of_single(in, err) < 0)
		return -1;
	struct criu_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	if (criu_files_list(&s->files, in->store, single, in->head, in->head_length, err) < 0) {
		criu_files_fini(&s->files);
		free(s);
		return -1;
	}
	s->store = in->store;
	in->store = NULL;
	reader->state = s;
	reader->single_object = single;
	return 0;
}

static int criu_probe(const struct crimg_input *in)
{
	// Of a store that holds no image, or several, our open says so best.
	if (in->store != NULL)
		return criu_files_root(in->store, NULL, NULL) == 0 ? 90 : 1;
	if (in->head_length >= 4
	    && crimg_kind_by_magic(crimg_get_u32(in->head)) != CRIMG_KIND_COUNT)
		return 80;
	if (in->head_length >= 8 && criu_is_framed(in->head))
		return 80;
	return criu_single_kind(in->path, in->head, in->head_length) != CRIMG_KIND_OPAQUE ? 40 : 0;
}

const struct crimg_reader_driver crimg_reader_criu = {
	.name = "criu",
	.summary = "CRIU image directory, 1.x to 4.2, parent chains and archives included",
	.keeps = "everything, bit for bit",
	.loses = "nothing",
	.probe = criu_probe,
	.open = criu_open,
	.next = criu_next,
	.read = criu_read,
	.locate = criu_locate,
	.close = criu_close,
};
