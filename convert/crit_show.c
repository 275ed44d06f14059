// crit info, and crit show --nopl.
#include <stdio.h>

#include "convert/crit_parts.h"
#include "format/checked.h"
#include "format/json_message.h"
#include "format/limits.h"

// Metadata come first in a stream: the first CONTENT ends what these commands want to know.
static int next_metadata(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	int rc = crimg_reader_next(reader, r, err);
	if (rc <= 0 || r->type == CRIMG_RECORD_CONTENT)
		return rc < 0 ? -1 : 0;
	return crit_refuse_raw(r, err) < 0 ? -1 : 1;
}

static int print(struct crimg_json *j, struct crimg_err *err)
{
	if (crimg_json_finish(j, err) < 0 || crimg_buf_append(j->out, "\n", 1, err) < 0)
		return -1;
	fwrite(j->out->data, 1, j->out->length, stdout);
	return 0;
}

int crit_info(struct crimg_reader *reader, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_json j = crimg_json_make(&text, true);
	struct crimg_record r;
	enum crimg_kind kind = CRIMG_KIND_OPAQUE;
	uint64_t count = 0;
	int rc;
	while ((rc = next_metadata(reader, &r, err)) > 0) {
		kind = r.object->kind;
		count += r.type == CRIMG_RECORD_MESSAGE && !r.tail;
	}
	// The head of a pagemap is no entry of it, says crit.
	if (count > 0 && crimg_kind_info(kind)->head == &pagemap_head__descriptor)
		count--;
	crimg_json_object(&j, NULL);
	crimg_json_text(&j, "magic", crimg_kind_crit_name(kind));
	crimg_json_u64(&j, "count", count);
	crimg_json_end(&j);
	if (rc == 0)
		rc = print(&j, err);
	crimg_buf_fini(&text);
	return rc;
}

// The size as crit writes it: 12B, 1KB, 1.5KB.
static void size_text(uint64_t size, char *out, size_t out_size)
{
	static const char *const units[] = { "", "K", "M", "G", "T", "P", "E" };
	double n = (double)size;
	size_t unit = 0;
	for (; n >= 1024 && unit < 6; unit++)
		n /= 1024;
	if (n == (double)(uint64_t)n)
		snprintf(out, out_size, "... <%llu%sB>", (unsigned long long)n, units[unit]);
	else
		snprintf(out, out_size, "... <%.1f%sB>", n, units[unit]);
}

// A message queue's texts and their heads, without lengths and padding.
static int queue_size(struct crimg_reader *reader, const struct crimg_record *r,
                      struct crimg_arena *arena, uint64_t *size, struct crimg_err *err)
{
	uint8_t head[4], message[64];
	uint64_t total = 0;
	for (uint64_t at = 0; at < r->payload.length;) {
		if (reader->driver->read(reader, r->payload.number, at, head, 4, err) < 0)
			return -1;
		uint32_t length = crimg_get_u32(head);
		// A head is two numbers; one that is longer holds fields we have not heard of.
		if (length > sizeof message)
			return crimg_fail(err, CRIMG_E_LIMIT, r->origin, r->origin_offset,
			                  "ipc_msg: %u bytes found, at most %zu wanted", length,
			                  sizeof message);
		if (reader->driver->read(reader, r->payload.number, at + 4, message, length, err) < 0)
			return -1;
		const void *m = crimg_message_decode(&ipc_msg__descriptor, message, length, arena,
		                                     r->origin, r->origin_offset, err);
		if (m == NULL)
			return -1;
		uint64_t text = ((const IpcMsg *)m)->msize;
		total += length + text;
		at += 4 + length + (text + 7) / 8 * 8;
	}
	*size = total;
	return 0;
}

static int payload_size(struct crimg_reader *reader, const struct crimg_record *r,
                        const ProtobufCMessage *message, struct crimg_arena *arena,
                        uint64_t *size, struct crimg_err *err)
{
	const void *m = message;
	*size = r->payload.number != CRIMG_NO_PAYLOAD ? r->payload.length : 0;
	switch (crimg_kind_info(r->object->kind)->payload) {
	case CRIMG_PAYLOAD_SHM:
		*size = ((const IpcShmEntry *)m)->size;
		return 0;
	case CRIMG_PAYLOAD_SEM:
		*size = (uint64_t)((const IpcSemEntry *)m)->nsems * 2;
		return 0;
	case CRIMG_PAYLOAD_MSG:
		return queue_size(reader, r, arena, size, err);
	default:
		return 0;
	}
}

static int show_entry(struct crimg_reader *reader, const struct crimg_record *r,
                      struct crimg_json *j, struct crimg_arena *arena, struct crimg_err *err)
{
	enum crimg_payload payload = crimg_kind_info(r->object->kind)->payload;
	struct crimg_json_entry entry = {
		.type = crimg_kind_message(r->object->kind, r->index, r->data, r->length),
		.data = r->data, .length = r->length, .name = r->origin, .base = r->origin_offset + 4,
	};
	char text[64];
	uint64_t size;
	crimg_arena_reset(arena);
	crimg_json_object(j, NULL);
	const ProtobufCMessage *m = crimg_json_entry(j, &entry, true, arena, err);
	if (m == NULL || payload_size(reader, r, m, arena, &size, err) < 0)
		return -1;
	// crit says nothing of a ghost file's contents here.
	if (payload != CRIMG_PAYLOAD_NONE && payload != CRIMG_PAYLOAD_GHOST) {
		size_text(size, text, sizeof text);
		crimg_json_text(j, CRIMG_JSON_EXTRA, text);
	}
	crimg_json_end(j);
	return crimg_json_status(j, err);
}

static int show_records(struct crimg_reader *reader, struct crimg_json *j,
                        struct crimg_arena *arena, struct crimg_err *err)
{
	struct crimg_record r;
	int rc;
	while ((rc = next_metadata(reader, &r, err)) > 0) {
		if (r.type == CRIMG_RECORD_OBJECT) {
			crimg_json_object(j, NULL);
			crimg_json_text(j, "magic", crimg_kind_crit_name(r.object->kind));
			crimg_json_array(j, "entries");
		} else if (!r.tail && show_entry(reader, &r, j, arena, err) < 0) {
			return -1;
		}
		if (j->out->length > (64u << 10)) {
			fwrite(j->out->data, 1, j->out->length, stdout);
			j->out->length = 0;
		}
	}
	crimg_json_end(j);
	crimg_json_end(j);
	return rc;
}

int crit_show_sizes(struct crimg_reader *reader, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_json j = crimg_json_make(&text, true);
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	int rc = show_records(reader, &j, &arena, err);
	if (rc == 0)
		rc = print(&j, err);
	crimg_arena_fini(&arena);
	crimg_buf_fini(&text);
	return rc;
}
