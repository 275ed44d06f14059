// An image being taken: records put in any order, given back in the order of a stream. Payloads are told
// where their bytes lie (a task's memory, a file of ours, bytes of ours), and are read only when they are
// asked for. Knows records; refuses to know what they mean.
#ifndef CRIMG_PRODUCER_SHELF_H
#define CRIMG_PRODUCER_SHELF_H

#include <sys/types.h>

#include "format/record.h"

// Where a run of a payload's bytes lies.
enum crimg_shelf_where {
	CRIMG_SHELF_BYTES, // bytes, which live in the shelf's arena
	CRIMG_SHELF_TASK,  // at address of the memory of task tid
	CRIMG_SHELF_FILE,  // at offset address of fd, which the shelf closes
};

struct crimg_shelf_run {
	uint64_t at, length;     // in the payload
	enum crimg_shelf_where where;
	int place;               // tid, fd
	uint64_t address;        // in a task or file
	const uint8_t *bytes;
};

struct crimg_shelf_payload {
	struct crimg_shelf_run *runs;
	size_t count, capacity;
	uint64_t length;
};

struct crimg_shelf_object {
	struct crimg_object object;
	struct crimg_buf entries; // each a u32 length, and the message
	uint64_t count;
	// Entries that have payload, ascending; a raw object has one, of entry 0.
	struct crimg_shelf_mark {
		uint64_t entry;
		size_t payload; // in payloads
	} *marks;
	size_t mark_count, mark_capacity;
};

struct crimg_shelf {
	struct crimg_shelf_object *objects;
	size_t count, capacity;
	size_t last[CRIMG_KIND_COUNT]; // index + 1 of the object of a kind that was put to last; 0: none
	struct crimg_shelf_payload *payloads; // numbered as put; sealed: as announced
	size_t payload_count, payload_capacity;
	bool running;            // the tasks run: pages that are gone by now are zeros
	int *fds;                // owned
	size_t fd_count, fd_capacity;
	struct crimg_arena arena; // of bytes
};

void crimg_shelf_init(struct crimg_shelf *s);
void crimg_shelf_fini(struct crimg_shelf *s);

// Appends an entry to the object of kind and number, which is made when the object of this kind that was
// put to last has another number: what belongs to one object is put without others of its kind in between.
CRIMG_MUST_CHECK int crimg_shelf_put(struct crimg_shelf *s, enum crimg_kind kind, uint64_t id,
                                     const ProtobufCMessage *message, struct crimg_err *err);
// The same, with payload that crimg_shelf_add… fill: *payload is valid until crimg_shelf_seal. A raw
// kind takes no message (NULL).
CRIMG_MUST_CHECK int crimg_shelf_put_payload(struct crimg_shelf *s, enum crimg_kind kind, uint64_t id,
                                             const ProtobufCMessage *message, size_t *payload,
                                             struct crimg_err *err);
// Appends a run; at, and bytes of CRIMG_SHELF_BYTES, are filled in: bytes are copied.
CRIMG_MUST_CHECK int crimg_shelf_add(struct crimg_shelf *s, size_t payload,
                                     struct crimg_shelf_run run, struct crimg_err *err);
// A symbolic link of the image; both texts live as long as the shelf.
CRIMG_MUST_CHECK int crimg_shelf_put_link(struct crimg_shelf *s, const char *name,
					  const char *target, struct crimg_err *err);
// Takes fd over: it is closed with the shelf, or now when this fails.
CRIMG_MUST_CHECK int crimg_shelf_keep(struct crimg_shelf *s, int fd, struct crimg_err *err);

// Moves what lies in tasks and files to a file without a name in dir, so that it can be read when those go on.
// stopped, when it is not NULL, is asked now and then whether to give up.
CRIMG_MUST_CHECK int crimg_shelf_spool(struct crimg_shelf *s, const char *dir, bool (*stopped)(void),
                                       struct crimg_err *err);

// Puts objects in the order of a stream. Nothing is put any more.
CRIMG_MUST_CHECK int crimg_shelf_seal(struct crimg_shelf *s, struct crimg_err *err);

// Exactly length bytes of a payload of a sealed shelf, many runs at a time.
CRIMG_MUST_CHECK int crimg_shelf_read(const struct crimg_shelf *s, uint64_t payload, uint64_t offset,
                                      void *buf, size_t length, struct crimg_err *err);

#endif
