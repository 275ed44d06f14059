// Payload to JSON, kind by kind.
#include "writers/json_extra.h"

#include <string.h>

#include "format/checked.h"
#include "format/json_message.h"
#include "format/limits.h"

enum { TCP_IN, TCP_OUT };
enum { MSG_SIZE, MSG_HEAD, MSG_TEXT, MSG_PADDING };

void json_extra_init(struct json_extra *x, struct crimg_json *json)
{
	*x = (struct json_extra){
		.json = json, .arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES),
	};
}

void json_extra_fini(struct json_extra *x)
{
	crimg_buf_fini(&x->held);
	crimg_buf_fini(&x->padding);
	crimg_arena_fini(&x->arena);
}

static int check_length(enum crimg_kind kind, const ProtobufCMessage *message, uint64_t length,
                        struct crimg_err *err)
{
	uint64_t wanted;
	if (crimg_payload_length(kind, message, length, &wanted, err) < 0)
		return -1;
	if (wanted == length || crimg_kind_info(kind)->payload == CRIMG_PAYLOAD_MSG)
		return 0;
	return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
	                  "%s: a payload of %llu bytes found, %llu wanted",
	                  message->descriptor->name, (unsigned long long)length,
	                  (unsigned long long)wanted);
}

static bool has_extra(enum crimg_payload type, const ProtobufCMessage *message)
{
	const void *m = message;
	if (type != CRIMG_PAYLOAD_GHOST || message->descriptor != &ghost_file_entry__descriptor)
		return type != CRIMG_PAYLOAD_NONE && type != CRIMG_PAYLOAD_RAW;
	const GhostFileEntry *ghost = m;
	return !(ghost->has_chunks && ghost->chunks);
}

int json_extra_open(struct json_extra *x, enum crimg_kind kind, const ProtobufCMessage *message,
                    uint64_t length, struct crimg_err *err)
{
	enum crimg_payload type = crimg_kind_info(kind)->payload;
	const void *m = message;
	if (!has_extra(type, message))
		return 0;
	if (check_length(kind, message, length, err) < 0)
		return -1;
	x->type = type;
	x->stage = 0;
	x->left = length;
	x->held.length = x->padding.length = 0;
	if (type == CRIMG_PAYLOAD_SHM && length > 0)
		x->left = ((const IpcShmEntry *)m)->size;
	if (type == CRIMG_PAYLOAD_SEM)
		x->left = (uint64_t)((const IpcSemEntry *)m)->nsems * 2;
	if (type == CRIMG_PAYLOAD_SEM || type == CRIMG_PAYLOAD_MSG) {
		crimg_json_array(x->json, CRIMG_JSON_EXTRA);
		return 0;
	}
	if (type == CRIMG_PAYLOAD_TCP) {
		x->left = ((const TcpStreamEntry *)m)->inq_len;
		x->next = ((const TcpStreamEntry *)m)->outq_len;
		crimg_json_object(x->json, CRIMG_JSON_EXTRA);
	}
	crimg_json_base64_open(x->json, type == CRIMG_PAYLOAD_TCP ? "inq" : CRIMG_JSON_EXTRA);
	return 0;
}

// Padding is only kept to be looked at once it is complete: at most 7 bytes an item, zeros or (CRIU pads
// with what lies behind its buffer) anything.
static int add_padding(struct json_extra *x, const uint8_t *data, size_t length,
                       struct crimg_err *err)
{
	if (length > CRIMG_MAX_MESSAGE_BYTES - x->padding.length)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "more than %u bytes of padding", CRIMG_MAX_MESSAGE_BYTES);
	return crimg_buf_append(&x->padding, data, length, err);
}

static void next_queue(struct json_extra *x)
{
	crimg_json_base64_close(x->json);
	crimg_json_base64_open(x->json, "outq");
	x->stage = TCP_OUT;
	x->left = x->next;
}

static int add_text(struct json_extra *x, const uint8_t *data, size_t length,
                    struct crimg_err *err)
{
	size_t n = (size_t)crimg_min_u64(x->left, length);
	crimg_json_base64_add(x->json, data, n);
	x->left -= n;
	if (n == length)
		return 0;
	if (x->type == CRIMG_PAYLOAD_TCP && x->stage == TCP_IN) {
		next_queue(x);
		return add_text(x, data + n, length - n, err);
	}
	return add_padding(x, data + n, length - n, err);
}

static int add_semaphores(struct json_extra *x, const uint8_t *data, size_t length,
                          struct crimg_err *err)
{
	size_t n = (size_t)crimg_min_u64(x->left, length);
	for (size_t i = 0; i < n; i++) {
		if (crimg_buf_append(&x->held, &data[i], 1, err) < 0)
			return -1;
		if (x->held.length == 2) {
			crimg_json_u64(x->json, NULL, crimg_get_u16(x->held.data));
			x->held.length = 0;
		}
	}
	x->left -= n;
	return add_padding(x, data + n, length - n, err);
}

// The ipc_msg in held is complete.
static int show_head(struct json_extra *x, struct crimg_err *err)
{
	struct crimg_json_entry entry = {
		.type = &ipc_msg__descriptor, .data = x->held.data, .length = x->held.length,
	};
	crimg_arena_reset(&x->arena);
	crimg_json_object(x->json, NULL);
	const void *m = crimg_json_entry(x->json, &entry, false, &x->arena, err);
	if (m == NULL)
		return -1;
	crimg_json_end(x->json);
	crimg_json_base64_open(x->json, NULL);
	x->left = ((const IpcMsg *)m)->msize;
	x->held.length = 0;
	return 0;
}

// Collects `wanted` bytes in held; *n gets how many were taken.
static int collect(struct json_extra *x, const uint8_t *data, size_t length, size_t *n,
                   uint64_t wanted, struct crimg_err *err)
{
	*n = (size_t)crimg_min_u64(wanted - x->held.length, length);
	return crimg_buf_append(&x->held, data, *n, err);
}

static int after_size(struct json_extra *x, struct crimg_err *err)
{
	x->left = crimg_get_u32(x->held.data);
	x->held.length = 0;
	x->stage = MSG_HEAD;
	if (x->left > 0 && x->left <= CRIMG_MAX_MESSAGE_BYTES)
		return 0;
	return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
	                  "ipc_msg: a length of %llu bytes found, 1 to %u wanted",
	                  (unsigned long long)x->left, CRIMG_MAX_MESSAGE_BYTES);
}

// Text and padding may be empty: moves on past every part of which nothing is left.
static void past_empty(struct json_extra *x, uint64_t text)
{
	if (x->stage == MSG_TEXT && x->left == 0) {
		crimg_json_base64_close(x->json);
		x->stage = MSG_PADDING;
		x->left = (8 - text % 8) % 8;
	}
	if (x->stage == MSG_PADDING && x->left == 0)
		x->stage = MSG_SIZE;
}

static int add_message_part(struct json_extra *x, const uint8_t *data, size_t length, size_t *n,
                            struct crimg_err *err)
{
	*n = (size_t)crimg_min_u64(x->left, length);
	switch (x->stage) {
	case MSG_SIZE:
		if (collect(x, data, length, n, 4, err) < 0)
			return -1;
		return x->held.length == 4 ? after_size(x, err) : 0;
	case MSG_HEAD:
		if (collect(x, data, length, n, x->left, err) < 0)
			return -1;
		if (x->held.length < x->left)
			return 0;
		x->stage = MSG_TEXT;
		if (show_head(x, err) < 0)
			return -1;
		x->next = x->left;
		break;
	case MSG_TEXT:
		crimg_json_base64_add(x->json, data, *n);
		x->left -= *n;
		break;
	default:
		if (add_padding(x, data, *n, err) < 0)
			return -1;
		x->left -= *n;
		break;
	}
	past_empty(x, x->next);
	return 0;
}

static int add_messages(struct json_extra *x, const uint8_t *data, size_t length,
                        struct crimg_err *err)
{
	for (size_t n; length > 0; data += n, length -= n)
		if (add_message_part(x, data, length, &n, err) < 0)
			return -1;
	return 0;
}

int json_extra_add(struct json_extra *x, const uint8_t *data, size_t length, struct crimg_err *err)
{
	if (x->type == CRIMG_PAYLOAD_SEM)
		return add_semaphores(x, data, length, err);
	if (x->type == CRIMG_PAYLOAD_MSG)
		return add_messages(x, data, length, err);
	if (x->type != CRIMG_PAYLOAD_NONE)
		return add_text(x, data, length, err);
	return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
	                  "payload for an entry that has none");
}

static bool is_complete(const struct json_extra *x)
{
	if (x->type == CRIMG_PAYLOAD_MSG)
		return x->stage == MSG_SIZE && x->held.length == 0;
	return x->left == 0;
}

static void show_padding(struct json_extra *x)
{
	for (size_t i = 0; i < x->padding.length; i++)
		if (x->padding.data[i] != 0) {
			crimg_json_base64(x->json, CRIMG_JSON_PADDING, x->padding.data,
			                  x->padding.length);
			return;
		}
}

int json_extra_close(struct json_extra *x, struct crimg_err *err)
{
	if (x->type == CRIMG_PAYLOAD_NONE)
		return 0;
	if (x->type == CRIMG_PAYLOAD_TCP && x->stage == TCP_IN && x->left == 0)
		next_queue(x);
	if (!is_complete(x))
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "a payload ends too early");
	if (x->type != CRIMG_PAYLOAD_SEM && x->type != CRIMG_PAYLOAD_MSG)
		crimg_json_base64_close(x->json);
	if (x->type == CRIMG_PAYLOAD_SEM || x->type == CRIMG_PAYLOAD_MSG
	    || x->type == CRIMG_PAYLOAD_TCP)
		crimg_json_end(x->json);
	show_padding(x);
	x->type = CRIMG_PAYLOAD_NONE;
	return 0;
}
