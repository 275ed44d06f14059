// Where the CONTENT frames of a crimg stream are: as its index tells, or, when the stream has none or is
// cut, as a walk over its frames finds. Knows nothing of what they hold.
#ifndef CRIMG_READERS_CRIMG_INDEX_H
#define CRIMG_READERS_CRIMG_INDEX_H

#include "format/source.h"

struct crimg_content_row {
	uint64_t at;                      // offset of the frame in the stream
	uint64_t payload, offset, length; // what it holds
};

struct crimg_content_index {
	struct crimg_content_row *rows; // sorted by payload and offset
	size_t count, capacity;
	uint64_t digests_at;            // of the last DIGESTS frame; 0: the stream promises none
};

// Fills a zeroed index from source, which must not be forward_only. _fini is due on failure, too.
CRIMG_MUST_CHECK int crimg_content_index_load(struct crimg_content_index *index,
                                              struct crimg_source *source, struct crimg_err *err);
void crimg_content_index_fini(struct crimg_content_index *index);
// Whether the stream, of a source that is not forward_only, ends with an END frame that knows its length.
bool crimg_stream_has_end(struct crimg_source *source);
// Whether the row (any number) holds the byte at offset of the payload.
bool crimg_content_index_holds(const struct crimg_content_index *index, size_t row,
                               uint64_t payload, uint64_t offset);
// The row that does, or count.
size_t crimg_content_index_find(const struct crimg_content_index *index, uint64_t payload,
                                uint64_t offset);

#endif
