// Growable buffer and arena.
#include "format/buf.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "format/checked.h"

void crimg_buf_fini(struct crimg_buf *buf)
{
	free(buf->data);
	*buf = CRIMG_BUF_INIT;
}

int crimg_buf_reserve(struct crimg_buf *buf, size_t extra, struct crimg_err *err)
{
	if (extra <= buf->capacity - buf->length)
		return 0;
	if (extra > SIZE_MAX / 2 - buf->length)
		return crimg_fail_nomem(err, extra);
	size_t capacity = buf->capacity < 256 ? 256 : buf->capacity;
	while (capacity - buf->length < extra)
		capacity += capacity / 2;
	uint8_t *data = realloc(buf->data, capacity);
	if (data == NULL)
		return crimg_fail_nomem(err, capacity);
	buf->data = data;
	buf->capacity = capacity;
	return 0;
}

int crimg_buf_append(struct crimg_buf *buf, const void *data, size_t length, struct crimg_err *err)
{
	if (crimg_buf_reserve(buf, length, err) < 0)
		return -1;
	if (length > 0)
		memcpy(buf->data + buf->length, data, length);
	buf->length += length;
	return 0;
}

int crimg_buf_u32(struct crimg_buf *buf, uint32_t value, struct crimg_err *err)
{
	uint8_t bytes[4];
	crimg_put_u32(bytes, value);
	return crimg_buf_append(buf, bytes, sizeof bytes, err);
}

int crimg_buf_u64(struct crimg_buf *buf, uint64_t value, struct crimg_err *err)
{
	uint8_t bytes[8];
	crimg_put_u64(bytes, value);
	return crimg_buf_append(buf, bytes, sizeof bytes, err);
}

int crimg_grow(void **array, size_t *capacity, size_t count, size_t size, struct crimg_err *err)
{
	if (count < *capacity)
		return 0;
	size_t wanted = *capacity < 8 ? 8 : *capacity + *capacity / 2;
	if (wanted > SIZE_MAX / 2 / size)
		return crimg_fail_nomem(err, 0);
	void *grown = realloc(*array, wanted * size);
	if (grown == NULL)
		return crimg_fail_nomem(err, wanted * size);
	*array = grown;
	*capacity = wanted;
	return 0;
}

#define ARENA_CHUNK_BYTES ((size_t)64 << 10)
#define ARENA_HUGE_BYTES ((size_t)2 << 20) // of a huge page; chunks of a large arena are made of these

struct crimg_arena_chunk {
	struct crimg_arena_chunk *next;
	size_t capacity, used;
	alignas(max_align_t) unsigned char data[];
};

struct crimg_arena crimg_arena_make(size_t limit_bytes)
{
	return (struct crimg_arena){ .limit_bytes = limit_bytes };
}

void crimg_arena_fini(struct crimg_arena *arena)
{
	while (arena->chunks != NULL) {
		struct crimg_arena_chunk *chunk = arena->chunks;
		arena->chunks = chunk->next;
		free(chunk);
	}
	arena->held_bytes = 0;
}

void crimg_arena_reset(struct crimg_arena *arena)
{
	struct crimg_arena_chunk *kept = arena->chunks;
	arena->exhausted = false;
	if (kept == NULL)
		return;
	arena->chunks = kept->next;
	crimg_arena_fini(arena);
	if (kept->capacity > 16 * ARENA_CHUNK_BYTES) {
		free(kept);
		return;
	}
	kept->next = NULL;
	kept->used = 0;
	arena->chunks = kept;
	arena->held_bytes = sizeof *kept + kept->capacity;
}

// A chunk is a quarter of what the arena holds: few for large images, none idle for small ones.
static size_t chunk_bytes(const struct crimg_arena *arena, size_t size)
{
	size_t wanted = sizeof(struct crimg_arena_chunk) + size, bytes = arena->held_bytes / 4;
	if (bytes < ARENA_CHUNK_BYTES)
		bytes = ARENA_CHUNK_BYTES;
	if (bytes > ARENA_HUGE_BYTES)
		bytes = 2 * ARENA_HUGE_BYTES;
	return wanted > bytes ? wanted : bytes;
}

static struct crimg_arena_chunk *add_chunk(struct crimg_arena *arena, size_t size)
{
	size_t bytes = chunk_bytes(arena, size);
	if (bytes > arena->limit_bytes || arena->held_bytes > arena->limit_bytes - bytes) {
		arena->exhausted = true;
		return NULL;
	}
	bool huge = bytes % ARENA_HUGE_BYTES == 0;
	struct crimg_arena_chunk *chunk = huge ? aligned_alloc(ARENA_HUGE_BYTES, bytes) : malloc(bytes);
	if (chunk == NULL)
		return NULL;
	if (huge) // only asks: a fault for each page of metadata is a tenth of the time of reading them
		(void)madvise(chunk, bytes, MADV_HUGEPAGE);
	*chunk = (struct crimg_arena_chunk){ .next = arena->chunks, .capacity = bytes - sizeof *chunk };
	arena->chunks = chunk;
	arena->held_bytes += bytes;
	return chunk;
}

void *crimg_arena_alloc(struct crimg_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	struct crimg_arena_chunk *chunk = arena->chunks;
	if (chunk == NULL || size > chunk->capacity - chunk->used)
		chunk = add_chunk(arena, size);
	if (chunk == NULL)
		return NULL;
	void *out = chunk->data + chunk->used;
	chunk->used += size;
	return out;
}

char *crimg_arena_text(struct crimg_arena *arena, const char *text, size_t length)
{
	char *out = crimg_arena_alloc(arena, length + 1);
	if (out == NULL)
		return NULL;
	if (length > 0)
		memcpy(out, text, length);
	out[length] = '\0';
	return out;
}
