// Framing: the records of a kernel stream, one after the other, forwards. Each is kept (page
// contents stay where they are), so that nothing is lost. Knows lengths; knows nothing of what
// follows what.
#ifndef CRIMG_READERS_LINUXCR_STREAM_H
#define CRIMG_READERS_LINUXCR_STREAM_H

#include "format/buf.h"
#include "format/source.h"
#include "readers/linuxcr_profile.h"

struct linuxcr_object;

struct linuxcr_record {
	uint32_t type;                      // as found
	uint32_t kind;                      // as v23-rc2 numbers it; 0: unknown
	uint64_t offset;                    // of its header
	uint32_t length;                    // of data
	const uint8_t *data;                // the payload; of a page buffer the addresses alone
	uint32_t beyond;                    // of data, bytes at its end that stand behind the record
	uint64_t pages;                     // contents behind the addresses; 0: no page buffer
	const struct linuxcr_object *owner; // of the pages
	struct linuxcr_record *next;        // in the stream
	struct linuxcr_record *sibling;     // in the list of what it belongs to
};

struct linuxcr_stream {
	struct crimg_source *source; // borrowed
	struct crimg_window window;
	struct crimg_arena arena; // records and objects
	struct linuxcr_profile profile;
	struct linuxcr_record *first, *last;
};

// What comes next; type and length (of the payload) as found. 1, 0 at the end, -1: a cut header, a
// length below 8, or more than what is left.
CRIMG_MUST_CHECK int linuxcr_stream_peek(struct linuxcr_stream *s, uint32_t *type, uint32_t *length,
					 struct crimg_err *err);
// The record that was peeked at; NULL with err filled. Its contents are `pages` pages behind the
// addresses; 0: a plain record.
CRIMG_MUST_CHECK struct linuxcr_record *linuxcr_stream_take(struct linuxcr_stream *s,
							    uint64_t pages, struct crimg_err *err);
// Adds to a record just taken the bytes behind it, which its length does not count.
CRIMG_MUST_CHECK int linuxcr_stream_extend(struct linuxcr_stream *s, struct linuxcr_record *r, uint32_t bytes,
					   struct crimg_err *err);
// From the stream's arena, zeroed; NULL with err filled.
CRIMG_MUST_CHECK void *linuxcr_stream_alloc(struct linuxcr_stream *s, size_t size,
					    struct crimg_err *err);

#endif
