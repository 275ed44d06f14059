// What a record can hold: kinds of objects, their messages, and how fields are shown.
// Knows the tables kinds.def and hints.def, criu.proto and crimg.proto; knows nothing of files on disk or streams.
#ifndef CRIMG_FORMAT_SCHEMA_H
#define CRIMG_FORMAT_SCHEMA_H

#include <protobuf-c/protobuf-c.h>

#include "format/buf.h"
#include "format/criu.pb-c.h"
#include "format/crimg.pb-c.h"

enum crimg_kind {
#define K(name, file, base, magic, entry, head, count, payload) CRIMG_KIND_##name,
#include "format/kinds.def"
#undef K
	CRIMG_KIND_COUNT
};

// Where the bytes that follow a message come from, and how many they are.
enum crimg_payload {
	CRIMG_PAYLOAD_NONE,
	CRIMG_PAYLOAD_RAW,    // the whole object is payload, there is no message
	CRIMG_PAYLOAD_PIPE,   // pipe_data_entry.bytes
	CRIMG_PAYLOAD_PACKET, // sk_packet_entry.length
	CRIMG_PAYLOAD_TCP,    // tcp_stream_entry.inq_len, then .outq_len
	CRIMG_PAYLOAD_SHM,    // ipc_shm_entry.size padded to 4, unless in_pagemaps
	CRIMG_PAYLOAD_SEM,    // ipc_sem_entry.nsems u16, padded to 8
	CRIMG_PAYLOAD_MSG,    // ipc_msg_entry.qnum times u32 size, ipc_msg, msize bytes padded to 8
	CRIMG_PAYLOAD_BPF,    // bpfmap_data_entry.keys_bytes, then .values_bytes
	CRIMG_PAYLOAD_GHOST,  // ghost_chunk_entry.len each; without chunks, all that is left
};

struct crimg_kind_info {
	const char *name;        // as crit names the magic, e.g. "CORE"
	const char *file;        // file name, '%' stands for the number; "" for OPAQUE
	unsigned base;           // of the number: 10, 16, or 0 when there is none
	uint32_t magic;          // 0: the file is raw, no magic and no frames
	bool service;            // carries the service magic instead of the common one
	bool many;               // entries until the end of the file; else exactly one
	enum crimg_payload payload;
	const ProtobufCMessageDescriptor *entry; // NULL when raw
	const ProtobufCMessageDescriptor *head;  // first entry, when it is another message; or NULL
};

#define CRIMG_MAGIC_COMMON 0x54564319u
#define CRIMG_MAGIC_SERVICE 0x55105940u

extern const struct crimg_kind_info crimg_kinds[CRIMG_KIND_COUNT];

// kind must be below CRIMG_KIND_COUNT.
static inline const struct crimg_kind_info *crimg_kind_info(enum crimg_kind kind)
{
	return &crimg_kinds[kind];
}

// The first kind with this magic, or CRIMG_KIND_COUNT. Several kinds share a magic (pagemaps, stats,
// signals); their messages are the same.
enum crimg_kind crimg_kind_by_magic(uint32_t magic);
// By crit's name ("CORE"); CRIMG_KIND_COUNT when unknown. "STATS", "SIGNAL", "PAGEMAP" give the first.
enum crimg_kind crimg_kind_by_name(const char *name);
// By file name without directories ("core-12.img"); *id gets the number (0 when the kind has none).
// CRIMG_KIND_OPAQUE when the name is none of ours.
enum crimg_kind crimg_kind_by_file(const char *file, uint64_t *id);
// The name that crit prints for a kind: SIGNAL_SHARED is SIGNAL, STATS_DUMP is STATS, …
const char *crimg_kind_crit_name(enum crimg_kind kind);
// The file name of an object; out holds at least CRIMG_FILE_NAME_MAX bytes.
#define CRIMG_FILE_NAME_MAX 64
void crimg_kind_file(enum crimg_kind kind, uint64_t id, char *out);

// The message type of entry number index of an object of this kind; NULL for raw kinds. The encoded
// bytes decide between the draft and the final layout of image version 1.2's pagemap entries.
const ProtobufCMessageDescriptor *crimg_kind_message(enum crimg_kind kind, uint64_t index,
                                                     const uint8_t *data, size_t length);

// Walks the wire form of one message: lengths inside their bounds, known fields with their wire types,
// required fields present, strings without NUL, depth within limits. name and base (offset of data in
// the file called name) are for the error, which names the field and its offset. *canonical (may be NULL)
// is set to true when encoding the decoded message surely gives the same bytes; false is no proof.
CRIMG_MUST_CHECK int crimg_message_check(const ProtobufCMessageDescriptor *type,
                                         const uint8_t *data, size_t length, const char *name,
                                         uint64_t base, bool *canonical, struct crimg_err *err);
// Decodes what was checked, into the arena; NULL with err filled: memory or its limit.
CRIMG_MUST_CHECK ProtobufCMessage *crimg_message_unpack(const ProtobufCMessageDescriptor *type,
                                                        const uint8_t *data, size_t length,
                                                        struct crimg_arena *arena,
                                                        struct crimg_err *err);
// Checks and decodes into the arena; NULL with err filled. Unknown fields are kept in the message.
CRIMG_MUST_CHECK ProtobufCMessage *crimg_message_decode(const ProtobufCMessageDescriptor *type,
                                                        const uint8_t *data, size_t length,
                                                        struct crimg_arena *arena,
                                                        const char *name, uint64_t base,
                                                        struct crimg_err *err);
// Appends the encoded message to out.
CRIMG_MUST_CHECK int crimg_message_encode(const ProtobufCMessage *message, struct crimg_buf *out,
                                          struct crimg_err *err);

// How many bytes of payload follow an entry, as far as its message tells. rest is what is left of the
// file behind the message. CRIMG_PAYLOAD_MSG cannot be told from the message (give it to
// crimg_payload_msg_length). Returns 0, or -1 when the message contradicts itself.
CRIMG_MUST_CHECK int crimg_payload_length(enum crimg_kind kind, const ProtobufCMessage *message,
                                          uint64_t rest, uint64_t *length, struct crimg_err *err);

// How crit --pretty shows a field. Hints on message fields reach all fields below them.
enum crimg_hint {
	CRIMG_HINT_NONE,
	CRIMG_HINT_HEX,
	CRIMG_HINT_IPADD,     // the whole repeated field is one address, words in network order
	CRIMG_HINT_DEV,       // kernel encoding, major << 20 | minor
	CRIMG_HINT_ODEV,      // the old encoding
	CRIMG_HINT_DICT_SK,   // family, type, state, proto of sockets
	CRIMG_HINT_DICT_GEN,  // task state
	CRIMG_HINT_UNIX_NAME, // quoted printable
	CRIMG_HINT_FLAGS_RFILE,
	CRIMG_HINT_FLAGS_SEALS,
	CRIMG_HINT_FLAGS_PMAP,
	CRIMG_HINT_FLAGS_MMAP,
	CRIMG_HINT_FLAGS_MMAP_PROT,
	CRIMG_HINT_FLAGS_MMAP_STATUS,
	// ours, for people
	CRIMG_HINT_US,        // microseconds
	CRIMG_HINT_NS,        // nanoseconds
	CRIMG_HINT_PAGES,
	CRIMG_HINT_BYTES,
	CRIMG_HINT_OCTAL,
	CRIMG_HINT_SIGNAL,    // a signal number
	CRIMG_HINT_SIGSET,    // bit n - 1 is signal n
	CRIMG_HINT_CAPS,      // the whole repeated field is one capability set, low word first
	CRIMG_HINT_ADDRESS,   // hex
	CRIMG_HINT_OPEN_FLAGS,
	CRIMG_HINT_FSTYPE,
};

struct crimg_field_info {
	enum crimg_hint crit;   // what crit --pretty does
	enum crimg_hint people; // what inspect does; never NONE when crit is not
	unsigned since;         // first release, major * 100 + minor; 0: 1.6 or older
};

// The row of a field; a row of zeros when the table has none. index is the field's place in
// type->fields.
struct crimg_field_info crimg_field_info(const ProtobufCMessageDescriptor *type, unsigned index);

#endif
