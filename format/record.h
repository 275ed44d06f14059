// The stream of records: what every reader yields and every writer takes.
//
// A stream is a sequence of
//   OBJECT   opens an object (a file of the CRIU layout): kind, number, name;
//   MESSAGE  an entry of the object opened last, in its encoded form, perhaps with payload;
// for all objects, in the order of kinds.def, and then of
//   CONTENT  the bytes of payloads, in the order in which they were announced.
// So all metadata come before all page contents, and a payload is announced (number, length) by the
// OBJECT or MESSAGE that owns it. Numbers of payloads are 0, 1, 2, … in the order of announcement.
// The first CONTENT may have no payload and no bytes: it says that the metadata are over, so that nobody has
// to read contents to know, which from a pipe may come much later.
#ifndef CRIMG_FORMAT_RECORD_H
#define CRIMG_FORMAT_RECORD_H

#include "format/schema.h"
#include "format/source.h"

enum crimg_record_type {
	CRIMG_RECORD_OBJECT,
	CRIMG_RECORD_MESSAGE,
	CRIMG_RECORD_CONTENT,
};

// What stands before the entries of an object in the CRIU layout.
enum crimg_framing {
	CRIMG_FRAMING_V11 = 0, // common or service magic, then the kind's magic (inventory: only the latter)
	CRIMG_FRAMING_V10 = 1, // the kind's magic alone (releases up to 1.5)
	CRIMG_FRAMING_RAW = 2, // nothing: the object is one payload
};

enum crimg_object_type {
	CRIMG_OBJECT_FILE = 0,
	CRIMG_OBJECT_LINK = 1, // a symbolic link: target
	CRIMG_OBJECT_DIR = 2,  // an empty directory
};

struct crimg_object {
	enum crimg_object_type type;
	enum crimg_kind kind;       // OPAQUE for links, directories and foreign files
	enum crimg_framing framing;
	uint64_t id;                // number in the name: pid, namespace, file id …; 0 when there is none
	const char *name;           // path below the image's root, e.g. "checkpoint/core-7.img"; "" when the
	                            // format has no files: a writer that needs one derives it from kind, id
	const char *target;         // of a link; else NULL
};

#define CRIMG_NO_PAYLOAD UINT64_MAX

struct crimg_payload_ref {
	uint64_t number;  // CRIMG_NO_PAYLOAD when there is none
	uint64_t length;  // bytes; may be 0 (announced all the same, no CONTENT follows)
};

struct crimg_record {
	enum crimg_record_type type;
	const struct crimg_object *object; // OBJECT, MESSAGE: its object; lives as long as the reader

	// MESSAGE: the encoded protobuf message, lent until the next record.
	uint64_t index;            // of the entry within its object, from 0
	const uint8_t *data;
	size_t length;             // bytes; 0 is a legal message of defaults
	bool tail;                 // not a message: bytes behind the only entry, given as payload alone

	struct crimg_payload_ref payload; // OBJECT (raw ones), MESSAGE

	// CONTENT: `length` bytes at content_offset of payload.number. Exactly one of bytes, span.source and
	// zero is set; pieces of one payload come in order and without gaps.
	uint64_t content_offset;
	uint64_t content_length;
	const uint8_t *bytes;      // lent until the next record, already verified
	struct crimg_span span;    // where the bytes lie, not yet read
	bool zero;                 // all bytes are 0

	// Where this record came from, for messages: the source's name, and the byte range of the entry, which
	// begins with the 4 bytes of its length.
	const char *origin;        // lives as long as the reader
	uint64_t origin_offset, origin_length;
};

#endif
