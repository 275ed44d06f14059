// Entries from JSON.
#include "readers/json_entry.h"

#include <string.h>

#include "format/checked.h"
#include "format/json_message.h"

void json_entry_reader_init(struct json_entry_reader *r, struct json_scan *scan,
                            struct json_payloads *payloads, const char *name)
{
	*r = (struct json_entry_reader){
		.scan = scan, .payloads = payloads, .builder = json_builder_make(name),
	};
}

static void drop_cuts(struct json_entry_reader *r)
{
	json_cut_fini(&r->extra);
	json_cut_fini(&r->inq);
	json_cut_fini(&r->outq);
	json_cut_fini(&r->tail);
}

void json_entry_reader_fini(struct json_entry_reader *r)
{
	drop_cuts(r);
	json_builder_fini(&r->builder);
	crimg_buf_fini(&r->text);
	crimg_buf_fini(&r->encoded);
}

static int put(struct json_entry_reader *r, const char *text, struct crimg_err *err)
{
	return crimg_buf_append(&r->text, text, strlen(text), err);
}

typedef struct json_cut *pick_cut(struct json_entry_reader *r, const char *key);

// Keys as crit writes them, and as go-criu does.
static struct json_cut *pick_queue(struct json_entry_reader *r, const char *key)
{
	if (strcmp(key, "inq") == 0 || strcmp(key, "inQ") == 0)
		return &r->inq;
	if (strcmp(key, "outq") == 0 || strcmp(key, "outQ") == 0)
		return &r->outq;
	return NULL;
}

static struct json_cut *pick_top(struct json_entry_reader *r, const char *key)
{
	if (strcmp(key, CRIMG_JSON_EXTRA) == 0)
		return &r->extra;
	return strcmp(key, CRIMG_JSON_TAIL) == 0 ? &r->tail : NULL;
}

static int scan_members(struct json_entry_reader *r, pick_cut *pick, struct crimg_err *err);

// A value whose key is known: payload strings are cut out, all else is copied.
static int scan_member(struct json_entry_reader *r, const char *key, pick_cut *pick,
                       struct crimg_err *err)
{
	struct json_cut *cut = pick(r, key);
	int c;
	if (json_scan_peek(r->scan, &c, err) < 0)
		return -1;
	if (cut != NULL && c == '"')
		return json_payloads_cut(r->payloads, r->scan, cut, err) < 0 ? -1
			: put(r, "null", err);
	if (cut == &r->extra && c == '{')
		return scan_members(r, pick_queue, err);
	return json_scan_value(r->scan, &r->text, err);
}

static int scan_members(struct json_entry_reader *r, pick_cut *pick, struct crimg_err *err)
{
	char key[64];
	bool more;
	if (json_scan_expect(r->scan, '{', err) < 0 || put(r, "{", err) < 0)
		return -1;
	for (bool first = true;; first = false) {
		if (json_scan_more(r->scan, '}', first, &more, err) < 0)
			return -1;
		if (!more)
			return put(r, "}", err);
		if ((!first && put(r, ",", err) < 0)
		    || json_scan_key(r->scan, &r->text, key, sizeof key, err) < 0
		    || put(r, ":", err) < 0 || scan_member(r, key, pick, err) < 0)
			return -1;
	}
}

static const ProtobufCMessageDescriptor *choose_type(enum crimg_kind kind, uint64_t index,
                                                     const json_t *root)
{
	const struct crimg_kind_info *info = crimg_kind_info(kind);
	bool draft = json_object_get(root, "compressed_size") != NULL
		|| json_object_get(root, "compressedSize") != NULL;
	if (index == 0 && info->head != NULL)
		return info->head;
	if (info->entry == &pagemap_entry__descriptor && draft)
		return &pagemap_entry_draft__descriptor;
	return info->entry;
}

static const struct json_place extra_place = { .key = CRIMG_JSON_EXTRA };
static const struct json_place padding_place = { .key = CRIMG_JSON_PADDING };

// Adds the padding that stands behind data: what extra_padding holds from *used on, else zeros.
static int add_padding(struct crimg_buf *out, const struct crimg_buf *padding, size_t *used,
                       size_t length, struct crimg_err *err)
{
	static const uint8_t zeros[8];
	const uint8_t *from = padding->data == NULL ? zeros : padding->data + *used;
	if (padding->data != NULL && length > padding->length - *used)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "extra_padding: %zu bytes are not enough", padding->length);
	*used += length;
	return crimg_buf_append(out, from, length, err);
}

static int build_semaphores(struct json_builder *b, const json_t *list, uint32_t wanted,
                            struct crimg_buf *out)
{
	if (!json_is_array(list) || json_array_size(list) != wanted)
		return json_build_fail(b, &extra_place, list, "a list of nsems numbers wanted");
	for (size_t i = 0; i < wanted; i++) {
		struct json_place place = { .outer = &extra_place, .index = i };
		uint64_t value;
		uint8_t bytes[2];
		if (json_build_unsigned(b, &place, json_array_get(list, i), UINT16_MAX, &value) < 0)
			return -1;
		crimg_put_u16(bytes, (uint16_t)value);
		if (crimg_buf_append(out, bytes, 2, b->err) < 0)
			return -1;
	}
	return 0;
}

static int build_message(struct json_builder *b, const json_t *list, size_t i,
                         struct crimg_buf *out)
{
	static const char *const ours[] = { CRIMG_JSON_ENCODED, NULL };
	struct json_place head = { .outer = &extra_place, .index = i };
	struct json_place text = { .outer = &extra_place, .index = i + 1 };
	const ProtobufCMessage *m;
	const void *message;
	size_t start = out->length;
	if (crimg_buf_u32(out, 0, b->err) < 0
	    || json_build_entry(b, json_array_get(list, i), &ipc_msg__descriptor, &head, ours, out,
	                        &m, b->err) < 0)
		return -1;
	crimg_put_u32(out->data + start, (uint32_t)(out->length - start - 4));
	message = m;
	start = out->length;
	if (json_build_base64(b, &text, json_array_get(list, i + 1), out) < 0)
		return -1;
	if (out->length - start != ((const IpcMsg *)message)->msize)
		return json_build_fail(b, &text, json_array_get(list, i + 1),
		                       "base64 of msize bytes wanted");
	return 0;
}

static int build_messages(struct json_builder *b, const json_t *list, uint32_t wanted,
                          const struct crimg_buf *padding, size_t *used, struct crimg_buf *out)
{
	if (!json_is_array(list) || json_array_size(list) != 2 * (size_t)wanted)
		return json_build_fail(b, &extra_place, list,
		                       "a list of qnum messages and texts wanted");
	for (size_t i = 0; i < json_array_size(list); i += 2) {
		// The text is padded, not what precedes it: its length is known once it is built.
		size_t start = out->length;
		if (build_message(b, list, i, out) < 0)
			return -1;
		size_t head = 4 + crimg_get_u32(out->data + start);
		size_t text = out->length - start - head;
		if (add_padding(out, padding, used, (8 - text % 8) % 8, b->err) < 0)
			return -1;
	}
	return 0;
}

// Payload that is a list in JSON is built in memory: semaphores and messages.
static int add_list(struct json_entry_reader *r, const ProtobufCMessage *message,
                    const json_t *list, const struct crimg_buf *padding, size_t *used,
                    struct crimg_err *err)
{
	struct crimg_buf bytes = CRIMG_BUF_INIT;
	const void *m = message;
	int rc;
	if (message->descriptor == &ipc_sem_entry__descriptor) {
		rc = build_semaphores(&r->builder, list, ((const IpcSemEntry *)m)->nsems, &bytes);
		if (rc == 0)
			rc = add_padding(&bytes, padding, used, (8 - bytes.length % 8) % 8, err);
	} else {
		rc = build_messages(&r->builder, list, ((const IpcMsgEntry *)m)->qnum, padding,
		                    used, &bytes);
	}
	if (rc == 0)
		rc = json_payloads_add_bytes(r->payloads, bytes.data, bytes.length, err);
	crimg_buf_fini(&bytes);
	return rc;
}

static int add_segment(struct json_entry_reader *r, const struct crimg_buf *padding, size_t *used,
                       struct crimg_err *err)
{
	size_t missing = (4 - r->extra.text.length % 4) % 4;
	struct crimg_buf bytes = CRIMG_BUF_INIT;
	if (json_payloads_add_cut(r->payloads, &r->extra, err) < 0)
		return -1;
	int rc = add_padding(&bytes, padding, used, missing, err);
	if (rc == 0)
		rc = json_payloads_add_bytes(r->payloads, bytes.data, bytes.length, err);
	crimg_buf_fini(&bytes);
	return rc;
}

static int check_queue(struct json_entry_reader *r, const struct json_cut *cut, const char *key,
                       uint32_t wanted)
{
	struct json_place place = { .outer = &extra_place, .key = key };
	if (cut->text.length == wanted)
		return 0;
	return json_build_fail(&r->builder, &place, NULL,
	                       "base64 of as many bytes as the message says wanted");
}

static int add_queues(struct json_entry_reader *r, const ProtobufCMessage *message,
                      struct crimg_err *err)
{
	const void *m = message;
	const TcpStreamEntry *tcp = m;
	if (check_queue(r, &r->inq, "inq", tcp->inq_len) < 0
	    || check_queue(r, &r->outq, "outq", tcp->outq_len) < 0
	    || json_payloads_add_cut(r->payloads, &r->inq, err) < 0)
		return -1;
	return json_payloads_add_cut(r->payloads, &r->outq, err);
}

// The strings that were cut out left null; anything else there is a mistake.
static int check_cut(struct json_entry_reader *r, const json_t *root, enum crimg_payload payload)
{
	const json_t *extra = json_object_get(root, CRIMG_JSON_EXTRA);
	if (extra == NULL)
		return 0;
	if (payload == CRIMG_PAYLOAD_TCP) {
		bool good = json_is_object(extra)
			&& json_object_size(extra) == (size_t)r->inq.found + r->outq.found;
		return good ? 0 : json_build_fail(&r->builder, &extra_place, extra,
		                                  "{\"inq\", \"outq\"} of base64 strings wanted");
	}
	return r->extra.found ? 0 : json_build_fail(&r->builder, &extra_place, extra,
	                                            "a base64 string wanted");
}

static int add_parts(struct json_entry_reader *r, enum crimg_payload payload,
                     const ProtobufCMessage *message, const json_t *root,
                     const struct crimg_buf *padding, size_t *used, struct crimg_err *err)
{
	if (payload == CRIMG_PAYLOAD_SEM || payload == CRIMG_PAYLOAD_MSG)
		return add_list(r, message, json_object_get(root, CRIMG_JSON_EXTRA), padding, used, err);
	if (check_cut(r, root, payload) < 0)
		return -1;
	if (payload == CRIMG_PAYLOAD_TCP)
		return add_queues(r, message, err);
	if (payload == CRIMG_PAYLOAD_SHM)
		return add_segment(r, padding, used, err);
	return json_payloads_add_cut(r->payloads, &r->extra, err);
}

// The parts that were added must be as long as the message says.
static int announce(struct json_entry_reader *r, enum crimg_kind kind,
                    const ProtobufCMessage *message, struct crimg_payload_ref *ref,
                    struct crimg_err *err)
{
	uint64_t length = r->payloads->open_length, wanted = length;
	if (crimg_kind_info(kind)->payload != CRIMG_PAYLOAD_MSG
	    && crimg_payload_length(kind, message, length, &wanted, err) < 0)
		return -1;
	if (length != wanted)
		return crimg_fail(err, CRIMG_E_FORMAT, r->builder.name, r->builder.offset,
		                  "entry %llu: extra: %llu bytes found, %llu wanted by the entry",
		                  (unsigned long long)r->builder.entry, (unsigned long long)length,
		                  (unsigned long long)wanted);
	return length > 0 ? json_payloads_announce(r->payloads, ref, err) : 0;
}

static int build_payload(struct json_entry_reader *r, enum crimg_kind kind,
                         const ProtobufCMessage *message, const json_t *root,
                         struct json_entry *out, struct crimg_err *err)
{
	const json_t *given = json_object_get(root, CRIMG_JSON_PADDING);
	struct crimg_buf padding = CRIMG_BUF_INIT;
	size_t used = 0;
	int rc = given == NULL ? 0 : json_build_base64(&r->builder, &padding_place, given, &padding);
	if (rc == 0)
		rc = add_parts(r, crimg_kind_info(kind)->payload, message, root, &padding, &used,
		               err);
	if (rc == 0 && used != padding.length && padding.data != NULL)
		rc = json_build_fail(&r->builder, &padding_place, given, "fewer bytes wanted");
	crimg_buf_fini(&padding);
	return rc < 0 ? -1 : announce(r, kind, message, &out->payload, err);
}

static int build_tail(struct json_entry_reader *r, enum crimg_kind kind, const json_t *root,
                      struct json_entry *out, struct crimg_err *err)
{
	static const struct json_place place = { .key = CRIMG_JSON_TAIL };
	const json_t *tail = json_object_get(root, CRIMG_JSON_TAIL);
	if (tail == NULL)
		return 0;
	if (!r->tail.found)
		return json_build_fail(&r->builder, &place, tail, "a base64 string wanted");
	if (crimg_kind_info(kind)->many)
		return json_build_fail(&r->builder, &place, NULL,
		                       "a kind of one entry wanted: others have no tail");
	if (r->tail.text.length == 0)
		return 0;
	if (json_payloads_add_cut(r->payloads, &r->tail, err) < 0)
		return -1;
	return json_payloads_announce(r->payloads, &out->tail, err);
}

static int build_entry(struct json_entry_reader *r, enum crimg_kind kind, uint64_t index,
                       const json_t *root, struct json_entry *out, struct crimg_err *err)
{
	static const char *const plain[] = { CRIMG_JSON_ENCODED, CRIMG_JSON_TAIL, NULL };
	static const char *const loaded[] = { CRIMG_JSON_ENCODED, CRIMG_JSON_TAIL,
	                                      CRIMG_JSON_EXTRA, CRIMG_JSON_PADDING, NULL };
	bool payload = crimg_kind_info(kind)->payload != CRIMG_PAYLOAD_NONE;
	const ProtobufCMessageDescriptor *type = choose_type(kind, index, root);
	const ProtobufCMessage *m;
	if (json_build_entry(&r->builder, root, type, NULL, payload ? loaded : plain, &r->encoded,
	                     &m, err) < 0)
		return -1;
	if (type == &ghost_file_entry__descriptor) {
		const void *ghost = m;
		r->chunked = ((const GhostFileEntry *)ghost)->has_chunks
			&& ((const GhostFileEntry *)ghost)->chunks;
	}
	if (payload && build_payload(r, kind, m, root, out, err) < 0)
		return -1;
	return build_tail(r, kind, root, out, err);
}

static int check_count(const struct json_entry_reader *r, enum crimg_kind kind, uint64_t index,
                       struct crimg_err *err)
{
	const struct crimg_kind_info *info = crimg_kind_info(kind);
	bool over = info->payload == CRIMG_PAYLOAD_GHOST ? !r->chunked : !info->many;
	if (index == 0 || !over)
		return 0;
	return crimg_fail(err, CRIMG_E_FORMAT, r->builder.name, json_scan_offset(r->scan),
	                  "a second entry found, %s holds one", info->name);
}

int json_entry_read(struct json_entry_reader *r, enum crimg_kind kind, uint64_t index,
                    struct json_entry *out, struct crimg_err *err)
{
	int c;
	if (json_scan_peek(r->scan, &c, err) < 0 || check_count(r, kind, index, err) < 0)
		return -1;
	struct json_entry entry = {
		.payload = { .number = CRIMG_NO_PAYLOAD }, .tail = { .number = CRIMG_NO_PAYLOAD },
		.offset = json_scan_offset(r->scan),
	};
	r->text.length = r->encoded.length = 0;
	r->builder.entry = index;
	r->builder.offset = entry.offset;
	drop_cuts(r);
	crimg_arena_reset(&r->builder.arena);
	if (scan_members(r, pick_top, err) < 0)
		return -1;
	json_t *root = json_build_parse(&r->builder, (const char *)r->text.data, r->text.length, err);
	if (root == NULL)
		return -1;
	int rc = build_entry(r, kind, index, root, &entry, err);
	json_decref(root);
	if (rc < 0)
		return -1;
	entry.data = r->encoded.data;
	entry.length = r->encoded.length;
	entry.span = json_scan_offset(r->scan) - entry.offset;
	*out = entry;
	return 0;
}
