// One message: checking its wire form, decoding, encoding, and the payload that follows it.
#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"
#include "format/limits.h"
#include "format/schema.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static enum wire wire_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_BYTES;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		break;
	}
	return WIRE_VARINT;
}

// What a walk over one message carries along.
struct walk {
	bool canonical;  // so far, every byte is as an encoder would write it
	struct crimg_err *err;
};

// A varint of more bytes than its value needs ends in a zero byte; one of ten bytes has room for a single
// bit in the last, and more than that is lost.
static inline int read_varint(struct walk *w, struct crimg_cursor *c, uint64_t *value, const char *what)
{
	size_t at = c->at;
	if (at < c->length && c->data[at] < 0x80) { // most are one byte, and there are many
		*value = c->data[c->at++];
		return 0;
	}
	if (crimg_cursor_varint(c, value, what, w->err) < 0)
		return -1;
	uint8_t last = c->data[c->at - 1];
	if (c->at > at + 1 && (last == 0 || (c->at == at + 10 && last != 1)))
		w->canonical = false;
	return 0;
}

// Tags and lengths: no encoder takes more than five bytes for 32 bits, and decoders read no more.
static inline int read_short(struct walk *w, struct crimg_cursor *c, uint64_t *value, const char *what)
{
	size_t at = c->at;
	if (read_varint(w, c, value, what) < 0)
		return -1;
	if (c->at - at > 5)
		return crimg_fail(w->err, CRIMG_E_WIRE, c->name, c->base + at,
		                  "%s: a tag or length of %zu bytes found, at most 5 wanted", what,
		                  c->at - at);
	return 0;
}

// *value gets a varint's; *sub the bytes of wire type 2.
static int read_value(struct walk *w, struct crimg_cursor *c, unsigned wire, const char *what,
                      uint64_t *value, struct crimg_cursor *sub)
{
	const uint8_t *bytes;
	switch (wire) {
	case WIRE_VARINT:
		return read_varint(w, c, value, what);
	case WIRE_64:
		return crimg_cursor_bytes(c, 8, &bytes, what, w->err);
	case WIRE_32:
		return crimg_cursor_bytes(c, 4, &bytes, what, w->err);
	case WIRE_BYTES:
		if (read_short(w, c, value, what) < 0)
			return -1;
		return crimg_cursor_sub(c, *value, sub, what, w->err);
	default:
		return crimg_fail(w->err, CRIMG_E_WIRE, c->name, crimg_cursor_offset(c),
		                  "%s: wire type %u found, 0, 1, 2 or 5 wanted", what, wire);
	}
}

static int check_message(struct walk *w, const ProtobufCMessageDescriptor *type,
                         struct crimg_cursor *c, unsigned depth);

// A repeated number may come packed, as one run of bytes.
static bool packable(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED && wire_of(field->type) != WIRE_BYTES;
}

// The largest value of a varint that surely comes back as it was; negative numbers are left to a closer look.
static uint64_t plain_limit(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
		return UINT64_MAX;
	case PROTOBUF_C_TYPE_UINT32:
		return UINT32_MAX;
	case PROTOBUF_C_TYPE_BOOL:
		return 1;
	default:
		return INT32_MAX;
	}
}

static int check_packed(struct walk *w, const ProtobufCFieldDescriptor *field,
                        struct crimg_cursor *sub)
{
	enum wire wire = wire_of(field->type);
	uint64_t value;
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) == 0 || sub->length == 0)
		w->canonical = false;
	while (crimg_cursor_left(sub) > 0) {
		if (read_value(w, sub, wire, field->name, &value, NULL) < 0)
			return -1;
		if (wire == WIRE_VARINT && value > plain_limit(field->type))
			w->canonical = false;
	}
	return 0;
}

static int check_field(struct walk *w, const ProtobufCFieldDescriptor *field,
                       struct crimg_cursor *c, unsigned wire, unsigned depth)
{
	uint64_t at = crimg_cursor_offset(c), value = 0;
	struct crimg_cursor sub;
	enum wire wanted = wire_of(field->type);
	bool packed = wire == WIRE_BYTES && packable(field);
	if (wire != wanted && !packed)
		return crimg_fail(w->err, CRIMG_E_WIRE, c->name, at,
		                  "field %s: wire type %u found, %u wanted", field->name, wire,
		                  (unsigned)wanted);
	if (read_value(w, c, wire, field->name, &value, &sub) < 0)
		return -1;
	if (packed)
		return check_packed(w, field, &sub);
	if ((wire == WIRE_VARINT && value > plain_limit(field->type))
	    || (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0)
		w->canonical = false;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return check_message(w, field->descriptor, &sub, depth + 1);
	if (field->type == PROTOBUF_C_TYPE_STRING && sub.length > 0
	    && memchr(sub.data, 0, sub.length) != NULL)
		return crimg_fail(w->err, CRIMG_E_WIRE, c->name, at,
		                  "field %s: a NUL byte within a string", field->name);
	return 0;
}

static int check_required(struct walk *w, const ProtobufCMessageDescriptor *type, uint64_t seen,
                          const struct crimg_cursor *c)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && (seen >> i & 1) == 0)
			return crimg_fail(w->err, CRIMG_E_REQUIRED, c->name, c->base,
			                  "%s: the required field %s is missing", type->name,
			                  type->fields[i].name);
	return 0;
}

// The field of this number, or NULL. Most come in order: *last is the one before, and becomes this one.
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *type, unsigned number,
                                                const ProtobufCFieldDescriptor **last)
{
	const ProtobufCFieldDescriptor *next = *last == NULL ? type->fields : *last + 1;
	if (next >= type->fields + type->n_fields || next->id != number)
		next = protobuf_c_message_descriptor_get_field(type, number);
	if (next != NULL)
		*last = next;
	return next;
}

// One field of type, its tag read: *seen gets its bit.
static int check_tagged(struct walk *w, const ProtobufCMessageDescriptor *type,
                        struct crimg_cursor *c, uint64_t tag, const ProtobufCFieldDescriptor **last,
                        uint64_t *seen, unsigned depth)
{
	uint64_t value;
	struct crimg_cursor sub;
	const ProtobufCFieldDescriptor *field = field_of(type, (unsigned)(tag >> 3), last);
	if (field == NULL) {
		w->canonical = false;
		return read_value(w, c, (unsigned)(tag & 7), "unknown field", &value, &sub);
	}
	uint64_t bit = UINT64_C(1) << ((size_t)(field - type->fields) & 63);
	bool one = field->label != PROTOBUF_C_LABEL_REPEATED
		|| (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
	if ((*seen & bit) != 0 && one)
		w->canonical = false;
	*seen |= bit;
	return check_field(w, field, c, (unsigned)(tag & 7), depth);
}

static int check_message(struct walk *w, const ProtobufCMessageDescriptor *type,
                         struct crimg_cursor *c, unsigned depth)
{
	uint64_t seen = 0; // no message of ours has more than 64 fields; a test holds this
	uint64_t tag, last = 0;
	const ProtobufCFieldDescriptor *field = NULL;
	if (depth > CRIMG_MAX_MESSAGE_DEPTH)
		return crimg_fail(w->err, CRIMG_E_LIMIT, c->name, c->base,
		                  "%s: messages nested more than %d deep", type->name,
		                  CRIMG_MAX_MESSAGE_DEPTH);
	while (crimg_cursor_left(c) > 0) {
		uint64_t at = crimg_cursor_offset(c);
		if (read_short(w, c, &tag, type->name) < 0)
			return -1;
		if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
			return crimg_fail(w->err, CRIMG_E_WIRE, c->name, at,
			                  "%s: field number %llu found, 1 to 536870911 wanted",
			                  type->name, (unsigned long long)(tag >> 3));
		if (tag >> 3 < last)
			w->canonical = false;
		last = tag >> 3;
		if (check_tagged(w, type, c, tag, &field, &seen, depth) < 0)
			return -1;
	}
	return check_required(w, type, seen, c);
}

int crimg_message_check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
                        const char *name, uint64_t base, bool *canonical, struct crimg_err *err)
{
	struct crimg_cursor c = crimg_cursor_make(data, length, name, base);
	struct walk w = { .canonical = true, .err = err };
	if (check_message(&w, type, &c, 1) < 0)
		return -1;
	if (canonical != NULL)
		*canonical = w.canonical;
	return 0;
}

static void *arena_alloc(void *data, size_t size)
{
	return crimg_arena_alloc(data, size);
}

static void arena_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

ProtobufCMessage *crimg_message_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                       size_t length, struct crimg_arena *arena,
                                       struct crimg_err *err)
{
	ProtobufCAllocator allocator = { arena_alloc, arena_free, arena };
	static const uint8_t nothing[1];
	ProtobufCMessage *message =
		protobuf_c_message_unpack(type, &allocator, length, length > 0 ? data : nothing);
	if (message != NULL)
		return message;
	if (arena->exhausted)
		crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		           "%s: more than %zu bytes once decoded", type->name, arena->limit_bytes);
	else
		crimg_fail_nomem(err, 0);
	return NULL;
}

ProtobufCMessage *crimg_message_decode(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                       size_t length, struct crimg_arena *arena, const char *name,
                                       uint64_t base, struct crimg_err *err)
{
	if (crimg_message_check(type, data, length, name, base, NULL, err) < 0)
		return NULL;
	return crimg_message_unpack(type, data, length, arena, err);
}

int crimg_message_encode(const ProtobufCMessage *message, struct crimg_buf *out,
                         struct crimg_err *err)
{
	size_t length = protobuf_c_message_get_packed_size(message);
	if (crimg_buf_reserve(out, length, err) < 0)
		return -1;
	if (length > 0)
		protobuf_c_message_pack(message, out->data + out->length);
	out->length += length;
	return 0;
}

// The wire type of the first field `number`, or 8 when there is none (or the bytes are broken).
static unsigned first_wire_type(const uint8_t *data, size_t length, unsigned number)
{
	struct crimg_cursor c = crimg_cursor_make(data, length, NULL, 0), sub;
	struct walk w = { .err = NULL };
	uint64_t tag, value;
	while (crimg_cursor_left(&c) > 0 && crimg_cursor_varint(&c, &tag, "", NULL) == 0) {
		if (tag >> 3 == number)
			return (unsigned)(tag & 7);
		if (read_value(&w, &c, (unsigned)(tag & 7), "", &value, &sub) < 0)
			break;
	}
	return 8;
}

const ProtobufCMessageDescriptor *crimg_kind_message(enum crimg_kind kind, uint64_t index,
                                                     const uint8_t *data, size_t length)
{
	const struct crimg_kind_info *info = crimg_kind_info(kind);
	if (index == 0 && info->head != NULL)
		return info->head;
	// Few messages have a byte of 0x30, the tag of a draft's field 6: the rest need no closer look.
	if (info->entry == &pagemap_entry__descriptor && memchr(data, 6 << 3 | WIRE_VARINT, length) != NULL
	    && first_wire_type(data, length, 6) == WIRE_VARINT)
		return &pagemap_entry_draft__descriptor;
	return info->entry;
}

static uint64_t padded(uint64_t length, unsigned to)
{
	return (length + to - 1) / to * to;
}

static uint64_t ghost_length(const ProtobufCMessage *message, uint64_t rest)
{
	if (message->descriptor == &ghost_chunk_entry__descriptor)
		return ((const GhostChunkEntry *)(const void *)message)->len;
	const GhostFileEntry *ghost = (const GhostFileEntry *)(const void *)message;
	return ghost->has_chunks && ghost->chunks ? 0 : rest;
}

int crimg_payload_length(enum crimg_kind kind, const ProtobufCMessage *message, uint64_t rest,
                         uint64_t *length, struct crimg_err *err)
{
	const void *m = message;
	switch (crimg_kind_info(kind)->payload) {
	case CRIMG_PAYLOAD_PIPE:
		*length = ((const PipeDataEntry *)m)->bytes;
		return 0;
	case CRIMG_PAYLOAD_PACKET:
		*length = ((const SkPacketEntry *)m)->length;
		return 0;
	case CRIMG_PAYLOAD_TCP:
		*length = (uint64_t)((const TcpStreamEntry *)m)->inq_len
			+ ((const TcpStreamEntry *)m)->outq_len;
		return 0;
	case CRIMG_PAYLOAD_SEM:
		*length = padded((uint64_t)((const IpcSemEntry *)m)->nsems * 2, 8);
		return 0;
	case CRIMG_PAYLOAD_BPF:
		*length = (uint64_t)((const BpfmapDataEntry *)m)->keys_bytes
			+ ((const BpfmapDataEntry *)m)->values_bytes;
		return 0;
	case CRIMG_PAYLOAD_GHOST:
		*length = ghost_length(message, rest);
		return 0;
	case CRIMG_PAYLOAD_SHM: {
		const IpcShmEntry *shm = m;
		bool elsewhere = shm->has_in_pagemaps && shm->in_pagemaps;
		if (!elsewhere && shm->size > UINT64_MAX - 4)
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
			                  "a shared memory segment of %llu bytes",
			                  (unsigned long long)shm->size);
		*length = elsewhere ? 0 : padded(shm->size, 4);
		return 0;
	}
	case CRIMG_PAYLOAD_NONE:
	case CRIMG_PAYLOAD_RAW:
	case CRIMG_PAYLOAD_MSG:
		break;
	}
	*length = 0;
	return 0;
}
