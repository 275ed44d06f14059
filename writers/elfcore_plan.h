// The layout of one ELF core: which stretches of an address space become segments, where their
// bytes lie in the file, and which bytes of which payload go there. Knows spaces and page maps;
// knows nothing of notes and writes nothing. Source: SPEC.md, chapter "ELF cores".
#ifndef CRIMG_WRITERS_ELFCORE_PLAN_H
#define CRIMG_WRITERS_ELFCORE_PLAN_H

#include "format/ledger.h"
#include "format/space.h"
#include "writers/scatter.h"

// One PT_LOAD.
struct elfcore_segment {
	uint64_t start, bytes;   // bytes of address space
	uint32_t flags;          // CRIMG_ELF_PF_*
	bool stored;             // as many bytes in the file (holes where untouched), else none
};

struct elfcore_plan {
	struct crimg_space space;
	bool is32;
	struct elfcore_segment *segments; // owned; in address order
	size_t count, capacity;
	uint64_t stored_bytes;            // of all segments that are stored
	uint32_t args_length;             // bytes of arguments among the pieces
	uint64_t own_bytes;               // of the task's page map that are in areas
	uint64_t lost_bytes, lost_at;     // what the image does not hold; the first address
	uint64_t cut_bytes, cut_at;       // untouched, left out as the file would be too large
};

#define ELFCORE_FRONT_BYTES (UINT64_C(64) << 20) // of the offsets there are: for headers and notes

// Plans core number `core`, of a task that has memory; adds its pieces. *out is to be freed by
// elfcore_plan_fini() whatever happens.
CRIMG_MUST_CHECK int elfcore_plan_make(struct crimg_image *image, const struct crimg_files *files,
                                       const struct crimg_task *task, uint32_t core,
                                       struct scatter_pieces *pieces, struct elfcore_plan *out,
                                       struct crimg_err *err);
void elfcore_plan_fini(struct elfcore_plan *plan);
// Tells the ledger what is lost.
CRIMG_MUST_CHECK int elfcore_plan_losses(const struct elfcore_plan *plan,
                                         struct crimg_ledger *ledger, struct crimg_err *err);
#endif
