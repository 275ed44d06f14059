// The address space of a core: its areas, and where the bytes of its pages lie in the file. Knows
// segments, mappings and holes; knows nothing of messages.
#ifndef CRIMG_READERS_COREFILE_SPACE_H
#define CRIMG_READERS_COREFILE_SPACE_H

#include "readers/corefile_process.h"

struct corefile_area {
	uint64_t start, end;
	uint64_t offset;              // in the file that is mapped
	uint32_t prot, flags, status; // as in vma_entry
	uint32_t file;                // its number, or 0
	size_t mapping;               // index + 1, or 0
	bool no_segment;              // only NT_FILE has it: prot is a guess
};

enum corefile_run_kind {
	COREFILE_RUN_BYTES, // in the file
	COREFILE_RUN_ZERO,  // a hole of the file, where a file was mapped: surely zero
	COREFILE_RUN_LOST,  // existed, but is not in the file
};

struct corefile_run {
	enum corefile_run_kind kind;
	uint64_t start, length; // addresses; whole pages
	uint64_t payload;       // of BYTES and ZERO: where they begin in the pages object
	uint64_t offset, bytes; // of BYTES: in the file; what is missing to length is zero
};

struct corefile_space {
	struct crimg_source *source; // borrowed
	struct corefile_area *areas; // sorted, disjoint
	size_t count, capacity;
	struct corefile_run *runs; // sorted, disjoint
	size_t run_count, run_capacity;
	uint64_t payload_bytes; // of the pages object
};

// Memory that the file should hold and does not is damage. On failure *out needs no fini.
CRIMG_MUST_CHECK int corefile_space_build(const struct corefile_elf *elf,
                                          const struct corefile_process *process,
                                          struct corefile_space *out, struct crimg_err *damage,
                                          struct crimg_err *err);
void corefile_space_fini(struct corefile_space *space);

// Exactly length bytes at offset of the pages object.
CRIMG_MUST_CHECK int corefile_space_payload(const struct corefile_space *space, uint64_t offset,
                                            void *buf, size_t length, struct crimg_err *err);
// Where they lie in the file, from offset to the end of what lies there in one piece; false for zeros.
bool corefile_space_locate(const struct corefile_space *space, uint64_t offset,
                           struct crimg_span *out);
// Reads memory. True when all of it is in the file.
bool corefile_space_read(const struct corefile_space *space, uint64_t address, void *buf,
                         size_t length);
// CRIMG_PROT_* for CRIMG_ELF_PF_*.
uint32_t corefile_prot(uint32_t flags);
// The area that holds address, or NULL.
const struct corefile_area *corefile_space_area(const struct corefile_space *space,
                                                uint64_t address);

#endif
