// Where the initial stack of a process begins, and the arguments and environment on it. A core does
// not say so; the kernel's layout does: argument count, arguments, NULL, environment, NULL,
// auxiliary vector, and somewhere above the texts, the path of the program last. Knows that layout
// alone.
#ifndef CRIMG_READERS_COREFILE_STACK_H
#define CRIMG_READERS_COREFILE_STACK_H

#include "readers/corefile_space.h"

// As in mm_entry; 0: not known.
struct corefile_stack {
	uint64_t start, arg_start, arg_end, env_start, env_end;
};

struct corefile_stack corefile_stack_find(const struct corefile_elf *elf,
                                          const struct corefile_process *process,
                                          const struct corefile_space *space);

#endif
