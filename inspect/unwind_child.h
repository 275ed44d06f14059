// The part of unwinding that runs in a limited child process: libdw reads ELF files that nobody has
// looked at. Knows libdw (no other file does); tells what it finds by inspect/unwind_wire.h.
#ifndef CRIMG_INSPECT_UNWIND_CHILD_H
#define CRIMG_INSPECT_UNWIND_CHILD_H

#include "inspect/stack_memory.h"
#include "inspect/unwind.h"

struct crimg_unwind_job {
	struct crimg_debuggee *d;
	struct crimg_stack_memory memory;
	const struct crimg_thread **threads; // owned; those that are wanted
	size_t count;
	size_t next;             // the first that is not done
	uint32_t limit;          // frames of each
	bool lines;              // source lines are wanted
};

// A crimg_child_fn: context is the job.
void crimg_unwind_child(void *context, int fd);

#endif
