// One of two memories that are compared: a task's address space, or a page map alone (a segment). What is at
// an address, and its bytes, read ahead in large pieces. Knows spaces and page places; compares nothing.
#ifndef CRIMG_DIFF_PAGE_SIDE_H
#define CRIMG_DIFF_PAGE_SIDE_H

#include <sys/types.h>

#include "format/space.h"

#define CRIMG_PAGE_BLOCK ((size_t)256 << 10) // bytes that are lent at once, at most

enum crimg_page_state {
	CRIMG_PAGE_ABSENT, // nothing is mapped, no page is there
	CRIMG_PAGE_ZERO,   // never touched
	CRIMG_PAGE_FILE,   // still equal to the file that is mapped
	CRIMG_PAGE_KERNEL, // no image holds it
	CRIMG_PAGE_LOST,   // should be here and is not
	CRIMG_PAGE_HERE,   // crimg_page_side_lend() gives the bytes
};

// A stretch of addresses that are alike.
struct crimg_page_piece {
	enum crimg_page_state state;
	uint64_t end;                  // exclusive
	const struct crimg_area *area; // NULL: none, or a segment
	bool of_segment;               // HERE, in the segment that area maps
	bool placed;                   // HERE, and its bytes lie in place as they are
	struct crimg_page_place place;
};

// The file that a pages object lies in.
struct crimg_page_file {
	const struct crimg_image *image; // NULL: none was asked for yet
	const struct crimg_image_object *pages;
	bool known;                      // it is a file, and dev and ino tell which
	dev_t dev;
	ino_t ino;
};

struct crimg_page_side {
	const struct crimg_space *space; // of a task; NULL: a page map alone
	struct crimg_image *image;
	enum crimg_kind kind;            // of the page map: PAGEMAP_SHMEM (a segment), or PAGEMAP
	uint64_t id;
	uint8_t *data;                   // owned, CRIMG_PAGE_BLOCK bytes: what was read last
	const struct crimg_image *held_image;           // where that is from
	const struct crimg_image_object *held_pages;
	uint64_t held_offset;
	size_t held;
	struct crimg_page_file file;     // of the pages object that was asked for last
	struct crimg_err cut;            // the first pages object that ends before its map does, or CRIMG_OK
};

// Of a task, whose space is borrowed; of a page map alone.
CRIMG_MUST_CHECK int crimg_page_side_of_space(struct crimg_page_side *side,
                                              const struct crimg_space *space,
                                              struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_page_side_of_map(struct crimg_page_side *side, struct crimg_image *image,
                                            enum crimg_kind kind, uint64_t id,
                                            struct crimg_err *err);
void crimg_page_side_fini(struct crimg_page_side *side);

// What is at address. 0, or -1: only without memory.
CRIMG_MUST_CHECK int crimg_page_side_at(struct crimg_page_side *side, uint64_t address,
                                        struct crimg_page_piece *out, struct crimg_err *err);
// length bytes (at most CRIMG_PAGE_BLOCK) at address, which lie in piece: lent until the next call. 1; 0:
// they cannot be had after all; -1: err.
CRIMG_MUST_CHECK int crimg_page_side_lend(struct crimg_page_side *side,
                                          const struct crimg_page_piece *piece, uint64_t address,
                                          size_t length, const uint8_t **out, struct crimg_err *err);
// The offset in the pages object of address, which lies in piece; piece->placed must be set.
uint64_t crimg_page_offset(const struct crimg_page_piece *piece, uint64_t address);
// Where it lies in a file: *span, of at least one byte, and which file that is. False: in none, or it is not known.
bool crimg_page_side_file(struct crimg_page_side *side, const struct crimg_page_piece *piece,
                          uint64_t address, struct crimg_span *span, struct crimg_page_file *file);

#endif
