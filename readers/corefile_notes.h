// The notes of a core, one after the other, each with the thread it belongs to. Knows how notes are
// framed and which of them open a thread; knows nothing of what is in them.
#ifndef CRIMG_READERS_COREFILE_NOTES_H
#define CRIMG_READERS_COREFILE_NOTES_H

#include "readers/corefile_parse.h"

// Bytes of the file, lent.
struct corefile_bytes {
	const uint8_t *data; // NULL: there are none
	size_t length;
	uint64_t offset; // of data[0] in the file
};

struct corefile_note {
	const char *owner;   // not terminated
	size_t owner_length; // up to its NUL
	uint32_t type;
	struct corefile_bytes desc;
	uint64_t offset, length; // of the whole note in the file
	bool has_tid;
	uint32_t tid; // of the thread it tells of; without: it tells of the process
};

struct corefile_walk {
	const struct corefile_elf *elf; // borrowed
	size_t part;                    // of elf->parts, next
	struct crimg_cursor cursor;
	bool has_tid;
	uint32_t tid;
};

struct corefile_walk corefile_walk_make(const struct corefile_elf *elf);
// 1: *note is filled; what it lends lives as long as the elf. 0: the end. -1: err; the call after
// that goes on with the next note segment.
CRIMG_MUST_CHECK int corefile_walk_next(struct corefile_walk *walk, struct corefile_note *note,
                                        struct crimg_err *err);
bool corefile_note_is(const struct corefile_note *note, const char *owner, uint32_t type);

#endif
