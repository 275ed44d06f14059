// Going through memory in the order of addresses, in stretches of one origin, in pieces that fit into
// memory. Knows where bytes come from and why they are absent; knows nothing of what is done with them.
#ifndef CRIMG_INSPECT_MEMORY_WALK_H
#define CRIMG_INSPECT_MEMORY_WALK_H

#include "inspect/debuggee.h"

#define CRIMG_WALK_BYTES ((size_t)1 << 20) // at most so many bytes at once

struct crimg_stretch {
	uint64_t start, end;          // end exclusive
	enum crimg_bytes kind;
	const struct crimg_area *area; // NULL: nothing is mapped there
	const struct crimg_elf_file *file; // of kind FILE, when there is one
	const char *why;              // why its bytes are not to be had; NULL: they are
	bool broken;                  // they should be, but reading them failed
};

// What is done with memory. Both may set view->fault to end the walk.
struct crimg_memory_visitor {
	void *context;
	// A stretch begins, or what is left of one whose bytes cannot be read (why tells). False: its
	// bytes are not wanted. Those of kind ZERO never come: they are zeros, however many.
	bool (*stretch)(void *context, const struct crimg_stretch *stretch);
	void (*bytes)(void *context, uint64_t address, const uint8_t *data, size_t length);
};

// Visits [start, end) of d. What cannot be read is noted in view->damage; view->fault: no memory, or an
// image whose contents come only in order.
void crimg_memory_walk(struct crimg_debuggee *d, uint64_t start, uint64_t end,
                       const struct crimg_memory_visitor *visitor);

// The file that area maps, from the sysroot or told why not; NULL when it maps none with a path.
const struct crimg_elf_file *crimg_area_file(struct crimg_debuggee *d, const struct crimg_area *area);

#endif
