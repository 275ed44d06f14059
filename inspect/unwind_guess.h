// Callers without call frame information: frame pointers, and words on the stack that may be return
// addresses. Knows x86 code and stacks; knows no files. Safe with any memory whatever.
#ifndef CRIMG_INSPECT_UNWIND_GUESS_H
#define CRIMG_INSPECT_UNWIND_GUESS_H

#include "inspect/stack_memory.h"
#include "inspect/unwind.h"

#define CRIMG_GUESS_UNVERIFIED 16u // words whose code is not at hand, of one thread

struct crimg_guesser {
	const struct crimg_space *space;
	struct crimg_stack_memory *memory;
	unsigned word;            // bytes: 8, or 4 for 32-bit code
	unsigned unverified_left;
};

// A frame as far as guesses need it.
struct crimg_stack_point {
	uint64_t pc, sp;
	uint64_t bp;              // rbp (ebp) there; 0: unknown
	bool linked;              // bp is the frame's own, as far as one can tell
	enum crimg_frame_how how;
	bool exact;
};

struct crimg_guesser crimg_guesser_make(struct crimg_stack_memory *memory, bool is_32);
struct crimg_stack_point crimg_stack_point_of(const UserX86RegsEntry *regs);
// True for an address that code can be run at.
bool crimg_is_code(const struct crimg_space *space, uint64_t address);
// The caller of from, or false: nothing looks like one.
bool crimg_guess_caller(struct crimg_guesser *g, const struct crimg_stack_point *from,
                        struct crimg_stack_point *to);

#endif
