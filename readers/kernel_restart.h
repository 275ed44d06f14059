// What becomes of a system call that a checkpoint interrupted, of images that a kernel of 2.6 wrote itself: the
// registers that this kernel would have left when it let the task go on, with a handler's turn before it or without.
// Knows which register holds a timeout; knows no format, and nothing of memory. Source: SPEC.md, 8.6.
#ifndef CRIMG_READERS_KERNEL_RESTART_H
#define CRIMG_READERS_KERNEL_RESTART_H

#include "format/schema.h"

// What the call left for going on where it was.
enum kernel_block {
	KERNEL_BLOCK_NONE, // nothing that is known
	KERNEL_BLOCK_NANOSLEEP,
	KERNEL_BLOCK_CPU_NANOSLEEP,
	KERNEL_BLOCK_COMPAT_NANOSLEEP,
	KERNEL_BLOCK_COMPAT_CLOCK_NANOSLEEP,
	KERNEL_BLOCK_POLL,
	KERNEL_BLOCK_FUTEX,
};

struct kernel_interrupted {
	bool compat;            // the task has 32 bits
	bool handled;           // a signal waits whose handler runs before all else
	uint64_t handler_flags; // of its action
	enum kernel_block block;
	uint64_t rest_address; // of a sleeper: where it finds the time that is left; 0: nowhere
	bool timed;            // of a poll: it has a timeout, and this is left of it:
	uint64_t left_ns;
};

// The flags of the first action with a handler whose signal is in `waiting`; false: there is none. handler(): of a
// signal from 1 on, 0 and 1 for none.
bool kernel_handler_waits(uint64_t waiting, uint64_t (*handler)(const void *of, uint32_t signal, uint64_t *flags),
			  const void *of, uint64_t *flags);

// Changes the registers. What became of the call, as words for the ledger; NULL: none was to be made again.
const char *kernel_restart(const struct kernel_interrupted *i, UserX86RegsEntry *regs);

// The call will be made once more. Returns what.
const char *kernel_restart_again(UserX86RegsEntry *regs, const char *what);

#endif
