// The stream of records of a format that is loaded as a model first: objects of CRIU's layout, made one
// after the other, and payloads put together from pieces of the source. Knows the order of records;
// the format knows which objects there are and what each entry says.
#ifndef CRIMG_READERS_MODEL_RECORDS_H
#define CRIMG_READERS_MODEL_RECORDS_H

#include "format/buf.h"
#include "format/driver.h"

// A piece of a payload: bytes of ours, of the source, or zeros.
struct model_piece {
	uint64_t at, length;  // in the payload
	const uint8_t *bytes; // NULL: at offset of the source
	uint64_t offset;      // CRIMG_NO_OFFSET, without bytes: zeros
};

struct model_payload {
	size_t first, count; // in pieces
	uint64_t length;
};

// In the order of announcement.
struct model_payloads {
	struct model_piece *pieces;
	size_t piece_count, piece_capacity;
	struct model_payload *list;
	size_t count, capacity;
};

CRIMG_MUST_CHECK int model_payload_begin(struct model_payloads *p, struct crimg_err *err);
// Adds to the payload that was begun last; bytes live as long as the model.
CRIMG_MUST_CHECK int model_payload_add(struct model_payloads *p, const uint8_t *bytes,
				       uint64_t offset, uint64_t length, struct crimg_err *err);
CRIMG_MUST_CHECK int model_payload_zero(struct model_payloads *p, uint64_t length,
					struct crimg_err *err);
void model_payloads_fini(struct model_payloads *p);

// One entry.
struct model_entry {
	struct crimg_buf message; // encoded; emptied by the caller before the next
	uint64_t offset, length;  // of the bytes it comes from; 0: from several places
	bool has_payload;         // the payload added last is its
};

// Encodes the message into the entry: 1, or -1 with err filled.
int model_encode(const ProtobufCMessage *message, struct model_entry *out, struct crimg_err *err);

// What a format says of its objects. A step is a kind; steps are in the order of kinds.def. Entries
// of an object are asked for in order, and an object without any is left out.
struct model_format {
	size_t steps;
	enum crimg_kind (*kind)(size_t step);
	size_t (*count)(const void *model, size_t step);
	uint64_t (*id)(const void *model, size_t step, size_t object);
	const char *(*name)(void *model, size_t step, size_t object);
	int (*entry)(void *model, size_t step, size_t object, uint64_t index,
		     struct model_entry *out, struct crimg_err *err);
	int (*announce)(void *model, size_t step, size_t object, struct crimg_err *err);
};

// The type of a format's steps; `type` is that of its model. NULL: as the comment says.
#define MODEL_STEP(type)                                                                       \
	struct {                                                                               \
		enum crimg_kind kind;                                                          \
		size_t (*count)(const type *m);               /* objects; NULL: 1 */           \
		uint64_t (*id)(const type *m, size_t object); /* their numbers; NULL: 0 */     \
		/* 1: entry `index` is in *out. 0: there is none more. -1: err. */             \
		int (*entry)(type *m, size_t object, uint64_t index, struct model_entry *out,  \
			     struct crimg_err *err);          /* NULL: of a raw kind */        \
		/* Of a raw kind: adds the payload that the object is. */                      \
		int (*announce)(type *m, size_t object, struct crimg_err *err);                \
		/* Of objects that no kind names, living as long as the model (NULL: memory) */ \
		const char *(*name)(type *m, size_t object);                                   \
	}

// Defines `const struct model_format format` from an array of steps.
#define MODEL_FORMAT(format, array)                                                            \
	static enum crimg_kind format##_kind(size_t step)                                      \
	{                                                                                      \
		return array[step].kind;                                                       \
	}                                                                                      \
	static size_t format##_count(const void *m, size_t step)                               \
	{                                                                                      \
		return array[step].count != NULL ? array[step].count(m) : 1;                   \
	}                                                                                      \
	static uint64_t format##_id(const void *m, size_t step, size_t object)                 \
	{                                                                                      \
		return array[step].id != NULL ? array[step].id(m, object) : 0;                 \
	}                                                                                      \
	static const char *format##_name(void *m, size_t step, size_t object)                  \
	{                                                                                      \
		return array[step].name != NULL ? array[step].name(m, object) : "";            \
	}                                                                                      \
	static int format##_entry(void *m, size_t step, size_t object, uint64_t index,         \
				  struct model_entry *out, struct crimg_err *err)              \
	{                                                                                      \
		return array[step].entry(m, object, index, out, err);                          \
	}                                                                                      \
	static int format##_announce(void *m, size_t step, size_t object,                      \
				     struct crimg_err *err)                                    \
	{                                                                                      \
		return array[step].announce(m, object, err);                                   \
	}                                                                                      \
	const struct model_format format = {                                                   \
		sizeof array / sizeof array[0], format##_kind,  format##_count,                \
		format##_id, format##_name, format##_entry, format##_announce,                 \
	}

struct model_records {
	const struct model_format *format;
	void *model;
	struct crimg_source *source;     // borrowed
	struct model_payloads *payloads; // of the model
	struct crimg_err *damage;        // of the model: told before the pages, when all else was given
	int phase;
	size_t step, object;          // being read
	size_t seen;                  // objects so far
	struct crimg_object *objects; // all, since they live as long as the reader
	uint64_t index;               // of the next entry
	struct model_entry entry;
	size_t payload, piece; // next to give contents of
	bool said;             // the damage was told
};

// The first five fields are set.
CRIMG_MUST_CHECK int model_records_init(struct model_records *s, struct crimg_err *err);
void model_records_fini(struct model_records *s);
// As in crimg_reader_driver.
int model_records_next(struct model_records *s, struct crimg_record *r, struct crimg_err *err);
CRIMG_MUST_CHECK int model_records_read(const struct model_records *s, uint64_t payload,
					uint64_t offset, void *buf, size_t length,
					struct crimg_err *err);

#endif
