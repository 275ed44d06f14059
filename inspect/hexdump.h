// Bytes as people know them from `hexdump -C`: address, 16 bytes, their characters; lines that repeat are
// folded into "*". Knows nothing of where bytes come from.
#ifndef CRIMG_INSPECT_HEXDUMP_H
#define CRIMG_INSPECT_HEXDUMP_H

#include "format/hexdump_line.h"
#include "inspect/view.h"

struct crimg_hexdump {
	struct crimg_view *view;
	unsigned digits;       // of addresses
	uint64_t address;      // of line[0]
	uint8_t line[CRIMG_HEXDUMP_BYTES]; // bytes that fill no line yet
	size_t held;
	uint8_t last[CRIMG_HEXDUMP_BYTES]; // the line before
	bool has_last, folding;
};

// A dump that begins at address. Lines begin there, not at multiples of 16.
struct crimg_hexdump crimg_hexdump_make(struct crimg_view *view, bool is_32, uint64_t address);
void crimg_hexdump_bytes(struct crimg_hexdump *h, const uint8_t *data, size_t length);
// As many zeros, in one step unless options->all.
void crimg_hexdump_zeros(struct crimg_hexdump *h, uint64_t length);
// Shows what fills no line, or behind folded ones where the dump ends.
void crimg_hexdump_end(struct crimg_hexdump *h);

#endif
