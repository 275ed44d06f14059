// Records of another format that an image carries (KERNEL_RECORDS), put together again: what is no page
// as it was found, contents of pages and deleted files in their places between. Knows lengths;
// knows nothing of what records say.
#ifndef CRIMG_WRITERS_CARRIED_H
#define CRIMG_WRITERS_CARRIED_H

#include "format/buf.h"
#include "format/driver.h"
#include "format/output.h"

// Contents: where in which object they come from, and where they go.
struct carried_piece {
	enum crimg_kind kind; // PAGES or GHOST_FILE
	uint64_t id;
	uint64_t from, length; // in it; CARRIED_NEXT: behind the piece before
	uint64_t total;        // bytes it must have; 0: as many as pieces want
	uint64_t to;
};

#define CARRIED_NEXT UINT64_MAX

// A payload of such an object.
struct carried_source {
	enum crimg_kind kind;
	uint64_t id, base, length;
	uint64_t payload; // its number
};

struct carried {
	struct crimg_output *output;
	const char *what;       // "a kernel stream"
	const char *format;     // name of the driver whose records these must be
	const char *otherwise;  // what helps where contents do not fit the records; NULL: nothing more
	bool known;             // they are
	struct crimg_sink sink;
	struct crimg_buf heads; // all that is no page, one behind the other
	uint64_t size;          // of the output so far
	struct crimg_arena arena;
	struct carried_piece *pieces; // in the order of the output, which is that of each source too
	size_t piece_count, piece_capacity;
	struct carried_source *sources; // sorted by payload while contents come
	size_t source_count, source_capacity;
	bool begun, sink_open;
};

struct carried carried_make(struct crimg_output *output, const char *what, const char *format);
void carried_fini(struct carried *c);
// The message of a KERNEL_RECORDS entry, its padding as it was, in the arena until the next; NULL with err filled.
const KernelRecordEntry *carried_record(struct carried *c, const struct crimg_record *r,
					struct crimg_err *err);
// Bytes that are no contents; and contents, all but `to` of the piece being set.
CRIMG_MUST_CHECK int carried_head(struct carried *c, const void *bytes, size_t length,
				  struct crimg_err *err);
CRIMG_MUST_CHECK int carried_contents(struct carried *c, struct carried_piece piece,
				      struct crimg_err *err);
// Takes a record that is none of KERNEL_RECORDS.
CRIMG_MUST_CHECK int carried_put(struct carried *c, const struct crimg_record *r,
				 struct crimg_err *err);
CRIMG_MUST_CHECK int carried_finish(struct carried *c, struct crimg_err *err);

#endif
