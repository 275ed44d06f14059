// One area of an address space: what it is in a kernel stream, and its record.
#ifndef CRIMG_WRITERS_KSTREAM_AREAS_H
#define CRIMG_WRITERS_KSTREAM_AREAS_H

#include "format/space.h"
#include "writers/kstream.h"

struct kstream_area {
	uint32_t type; // CRIMG_LCR_VMA_*
	int32_t file, inode;
	uint64_t size; // bytes of the file or segment
	bool executable; // of the program that runs
};

// CRIMG_LCR_VMA_*; 0: it has no place. *lost (which may be NULL) says what that costs, or what else is
// lost of it; else it stays.
uint32_t kstream_area_type(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                           const char **lost);
// What is lost of it, and advice that has no place.
void kstream_area_tell(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                       uint32_t type, const char *lost);
// Tells the ledger of it, with its addresses.
void kstream_area_lose(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                       const char *what);
// Of the shared memory behind it, as far as it tells.
uint64_t kstream_area_segment_bytes(const struct crimg_area *area);
void kstream_area_put(struct kstream_out *o, const struct crimg_area *area, const struct kstream_area *a);

#endif
