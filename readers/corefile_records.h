// A core as objects of CRIU's layout: which there are, and the message of each entry. Knows
// messages; the driver knows their order in the stream.
#ifndef CRIMG_READERS_COREFILE_RECORDS_H
#define CRIMG_READERS_COREFILE_RECORDS_H

#include "format/schema.h"
#include "readers/corefile_stack.h"

struct corefile {
	struct corefile_elf elf;
	struct corefile_process process;
	struct corefile_space space;
	struct corefile_stack stack;
	struct corefile_walk notes; // how far entries of ELF_NOTES were made
	struct crimg_arena arena;   // for making a message
	struct crimg_err damage;    // the first thing that is wrong and was passed over
};

// One entry.
struct corefile_entry {
	struct crimg_buf message; // encoded; emptied by the caller before the next
	uint64_t offset, length;  // of the note it comes from; 0: from several places
};

// Objects of one kind. Entries are asked for in order.
struct corefile_step {
	enum crimg_kind kind;
	size_t (*count)(const struct corefile *core);               // NULL: 1
	uint64_t (*id)(const struct corefile *core, size_t object); // NULL: none
	// 1: entry `index` is in *out. 0: there is none more. -1: err.
	int (*entry)(struct corefile *core, size_t object, uint64_t index,
	             struct corefile_entry *out,
	             struct crimg_err *err); // NULL: raw
};

// In the order of kinds.def; the last is the pages object.
#define COREFILE_STEPS 8
extern const struct corefile_step corefile_steps[COREFILE_STEPS];

#endif
