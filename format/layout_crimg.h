// Constants of the crimg stream, version 1. Source: SPEC.md, chapter "The crimg stream".
#ifndef CRIMG_FORMAT_LAYOUT_CRIMG_H
#define CRIMG_FORMAT_LAYOUT_CRIMG_H

#include <stdint.h>

#define CRIMG_STREAM_MAGIC "\x89" "CRIMG\r\n" // 8 bytes
#define CRIMG_STREAM_VERSION 1u

// Stream header: fixed part, extension area, checksum.
enum {
	CRIMG_H_MAGIC = 0,         // 8 bytes
	CRIMG_H_VERSION = 8,       // u32
	CRIMG_H_LENGTH = 12,       // u32, of the whole header, a multiple of 8
	CRIMG_H_INCOMPATIBLE = 16, // u64 feature words
	CRIMG_H_COMPATIBLE = 24,
	CRIMG_H_AUTOCLEAR = 32,
	CRIMG_H_PAGE_BYTES = 40,   // u32
	CRIMG_H_NAMES_BYTES = 44,  // u32, of the feature-name table
	CRIMG_H_RESERVED = 48,     // u64, zero
	CRIMG_H_NAMES = 56,        // the table: u8 word, u8 bit, u16 length, name; then zeros to 8
	CRIMG_H_MIN = 64,          // with the checksum
	CRIMG_H_MAX = 65536,
};

#define CRIMG_FEATURE_ZSTD (UINT64_C(1) << 0)           // incompatible
#define CRIMG_FEATURE_ALIGNED_CHUNKS (UINT64_C(1) << 0) // compatible
#define CRIMG_FEATURE_INDEX (UINT64_C(1) << 0)          // autoclear
#define CRIMG_FEATURE_DIGESTS (UINT64_C(1) << 1)        // autoclear; counts only together with INDEX

// Frame header, 40 bytes, then body.
enum {
	CRIMG_F_MAGIC = 0,     // u32 "CRFR"
	CRIMG_F_TYPE = 4,      // u16
	CRIMG_F_FLAGS = 6,     // u16, zero but for CRIMG_FRAME_IGNORABLE
	CRIMG_F_NUMBER = 8,    // u64, 0, 1, 2, …
	CRIMG_F_BODY = 16,     // u64, bytes of body
	CRIMG_F_COVERED = 24,  // u32, bytes of body under the checksum
	CRIMG_F_RESERVED = 28, // u32, zero
	CRIMG_F_CHECKSUM = 32, // u64, XXH3-64 of bytes 0 to 31 and the covered body
	CRIMG_F_BYTES = 40,
};
#define CRIMG_FRAME_MAGIC 0x52465243u
#define CRIMG_FRAME_IGNORABLE 1u

enum crimg_frame_type {
	CRIMG_FRAME_OBJECT = 1,
	CRIMG_FRAME_ENTRIES = 2,
	CRIMG_FRAME_METADATA_END = 3,
	CRIMG_FRAME_CONTENT = 4,
	CRIMG_FRAME_INDEX = 5,
	CRIMG_FRAME_END = 6,
	CRIMG_FRAME_DIGESTS = 7,
	CRIMG_FRAME_PADDING = 8, // its body means nothing
};

// OBJECT body.
enum {
	CRIMG_O_TYPE = 0,           // u8 enum crimg_object_type
	CRIMG_O_FRAMING = 1,        // u8 enum crimg_framing
	CRIMG_O_KIND_LENGTH = 2,    // u16
	CRIMG_O_NAME_LENGTH = 4,    // u32
	CRIMG_O_TARGET_LENGTH = 8,  // u32
	CRIMG_O_RESERVED = 12,      // u32, zero
	CRIMG_O_ID = 16,            // u64
	CRIMG_O_PAYLOAD = 24,       // u64, all ones: none
	CRIMG_O_PAYLOAD_LENGTH = 32, // u64
	CRIMG_O_BYTES = 40,         // then kind, name, target
};

// ENTRIES body: u64 first index, u32 count, u32 zero; then count entries: u32 length, u32 flags, with
// CRIMG_ENTRY_PAYLOAD u64 number and u64 length, then the message.
enum { CRIMG_E_FIRST = 0, CRIMG_E_COUNT = 8, CRIMG_E_RESERVED = 12, CRIMG_E_BYTES = 16 };
#define CRIMG_ENTRY_PAYLOAD 1u
#define CRIMG_ENTRY_TAIL 2u

// METADATA_END body: u64 objects, u64 entries, u64 payloads, u64 bytes of all payloads.
enum { CRIMG_M_BYTES = 32 };

// CONTENT body: this, count chunks, stored bytes (not covered: the chunks' digests are).
enum {
	CRIMG_C_PAYLOAD = 0,       // u64
	CRIMG_C_OFFSET = 8,        // u64, into the payload
	CRIMG_C_LENGTH = 16,       // u64, sum of the chunks' lengths
	CRIMG_C_COUNT = 24,        // u32
	CRIMG_C_ENCODING = 28,     // u32
	CRIMG_C_STORED = 32,       // u64, stored bytes that follow the chunks
	CRIMG_C_STORED_SUM = 40,   // u64, XXH3-64 of them when encoded, else zero
	CRIMG_C_BYTES = 48,
};
enum { CRIMG_ENCODING_RAW = 0, CRIMG_ENCODING_ZSTD = 1 };
// Chunk: u32 length, u32 flags, 16 bytes of XXH3-128 (canonical form; zeros for a zero chunk).
enum { CRIMG_K_LENGTH = 0, CRIMG_K_FLAGS = 4, CRIMG_K_DIGEST = 8, CRIMG_K_BYTES = 24 };
#define CRIMG_CHUNK_ZERO 1u

#define CRIMG_CHUNK_MAX ((uint32_t)256 << 10)      // bytes; also the alignment of chunks in address space
#define CRIMG_CONTENT_MAX ((uint32_t)1 << 20)      // bytes of one CONTENT frame, uncompressed
#define CRIMG_CONTENT_CHUNKS_MAX 4096u

// INDEX body: u64 count; then count times u64 offset of a CONTENT frame, payload, offset, length.
enum { CRIMG_I_BYTES = 8, CRIMG_I_ROW = 32 };

// DIGESTS body: this, then the chunk rows of the CONTENT frames since the DIGESTS frame before it.
enum {
	CRIMG_D_BEFORE = 0,        // u64, offset of the DIGESTS frame before this one, 0: none
	CRIMG_D_CONTENTS = 8,      // u32, CONTENT frames
	CRIMG_D_CHUNKS = 12,       // u32, their chunks
	CRIMG_D_BYTES = 16,
};
#define CRIMG_DIGESTS_CHUNKS_MAX 65536u

// END body: u64 offset of INDEX (0: none), u64 frames before this one, u64 bytes of the whole stream,
// u64 XXH3-64 over the checksums of all frames before this one, in order.
enum { CRIMG_END_BODY = 32, CRIMG_END_BYTES = CRIMG_F_BYTES + CRIMG_END_BODY };

#endif
