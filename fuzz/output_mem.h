// An output in memory: the members that a writer makes, for targets that compare them.
// Knows what the other outputs refuse (names, doubles, sizes that were promised) and refuses it too.
#ifndef CRIMG_FUZZ_OUTPUT_MEM_H
#define CRIMG_FUZZ_OUTPUT_MEM_H

#include "format/buf.h"
#include "format/output.h"

struct crimg_mem_member {
	char *name;            // "" for the only member of a single output; owned
	char *target;          // of a link, owned; else NULL
	bool directory;
	bool ended;
	uint64_t size;         // that was promised, or CRIMG_SIZE_UNKNOWN
	struct crimg_buf data;
	struct crimg_mem_member *next; // the member made before this one
};

// at_offsets: as a directory takes bytes; else as an archive does: forwards, of known size. Refuses to
// hold more than limit bytes in all: CRIMG_E_LIMIT.
CRIMG_MUST_CHECK int crimg_output_open_mem(bool at_offsets, size_t limit, struct crimg_output **out,
                                           struct crimg_err *err);
// The member called name, or NULL; valid until the output is closed.
const struct crimg_mem_member *crimg_output_mem_find(const struct crimg_output *o,
                                                     const char *name);
// The member made last; follow next for the others. NULL when there is none.
const struct crimg_mem_member *crimg_output_mem_last(const struct crimg_output *o);

#endif
