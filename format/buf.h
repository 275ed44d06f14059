// The growable byte buffer, and the arena that decoded messages live in.
#ifndef CRIMG_FORMAT_BUF_H
#define CRIMG_FORMAT_BUF_H

#include "format/err.h"

struct crimg_buf {
	uint8_t *data;   // owned; NULL while capacity is 0
	size_t length;
	size_t capacity;
};

#define CRIMG_BUF_INIT ((struct crimg_buf){ .data = NULL })

void crimg_buf_fini(struct crimg_buf *buf);
// Makes room for extra more bytes behind length; length stays.
CRIMG_MUST_CHECK int crimg_buf_reserve(struct crimg_buf *buf, size_t extra, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_buf_append(struct crimg_buf *buf, const void *data, size_t length,
                                      struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_buf_u32(struct crimg_buf *buf, uint32_t value, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_buf_u64(struct crimg_buf *buf, uint64_t value, struct crimg_err *err);

// Grows an array of elements of `size` bytes so that count + 1 fit. *array and *capacity (in elements)
// stay as they were on failure.
CRIMG_MUST_CHECK int crimg_grow(void **array, size_t *capacity, size_t count, size_t size,
                                struct crimg_err *err);

// An arena: everything allocated from it goes at once. Refuses to hold more than limit bytes.
struct crimg_arena {
	struct crimg_arena_chunk *chunks;
	size_t held_bytes;
	size_t limit_bytes;
	bool exhausted;    // an allocation was refused because of limit_bytes
};

struct crimg_arena crimg_arena_make(size_t limit_bytes);
void crimg_arena_fini(struct crimg_arena *arena);
// Forgets all allocations but keeps one chunk for the next ones.
void crimg_arena_reset(struct crimg_arena *arena);
// Aligned for any object; not zeroed. NULL when memory is denied or the limit is reached.
void *crimg_arena_alloc(struct crimg_arena *arena, size_t size);
// A terminated copy of length bytes of text. NULL as above.
char *crimg_arena_text(struct crimg_arena *arena, const char *text, size_t length);

#endif
