// Small pieces of a task's memory, read again and again while stacks are walked: pages are kept.
// Knows address spaces; knows no frames.
#ifndef CRIMG_INSPECT_STACK_MEMORY_H
#define CRIMG_INSPECT_STACK_MEMORY_H

#include "format/space.h"

struct crimg_kept_page;

struct crimg_stack_memory {
	const struct crimg_space *space; // borrowed
	struct crimg_kept_page *slots;   // owned
};

CRIMG_MUST_CHECK int crimg_stack_memory_init(struct crimg_stack_memory *m,
                                             const struct crimg_space *space,
                                             struct crimg_err *err);
void crimg_stack_memory_fini(struct crimg_stack_memory *m);

// Exactly length bytes at address; false when they are not to be had, for whatever reason.
bool crimg_stack_memory_read(struct crimg_stack_memory *m, uint64_t address, void *buf, size_t length);
// An unsigned little-endian number of word bytes (4 or 8).
bool crimg_stack_memory_word(struct crimg_stack_memory *m, uint64_t address, unsigned word,
                             uint64_t *out);

// Reads what stands at these stack pointers and a little above, lowest address first (which sorts them): in a
// compressed archive each step back unpacks from the start.
void crimg_stack_memory_prefetch(struct crimg_stack_memory *m, uint64_t *pointers, size_t count);

#endif
