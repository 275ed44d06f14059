// libdw on the files of one task: which are reported to it, where it finds them, what it may read.
// libdw trusts the files it reads: all of this runs in a child process. Nothing but the sysroot and the image is
// read: no debug paths of this machine, no debug server.
#ifndef CRIMG_INSPECT_UNWIND_DWFL_H
#define CRIMG_INSPECT_UNWIND_DWFL_H

#include <elfutils/libdwfl.h>

#include "inspect/stack_memory.h"
#include "inspect/unwind_guess.h"

#define CRIMG_DWARF_REGS 17u // of x86-64: 16 and the return address; i386 has 9

// Registers in DWARF's order.
struct crimg_dwarf_regs {
	Dwarf_Word value[CRIMG_DWARF_REGS];
	uint32_t known;          // bit n: value[n]
};

struct crimg_dwfl_module;

// A session for threads of one kind, 64-bit or 32-bit.
struct crimg_dwfl {
	struct crimg_debuggee *d;
	struct crimg_stack_memory *memory;
	bool is_32;
	Dwfl *dwfl;
	struct crimg_dwfl_module *modules; // as many as d has; reported when an address is in them
	const struct crimg_dwarf_regs *start; // of crimg_dwfl_frames()
	bool read_failed;        // of the word that was asked for last
	uint64_t read_at, read_word;
};

// What frame information says of a place.
struct crimg_coverage {
	bool signal;             // it returns from a signal handler
	bool outermost;          // it has no caller
};

// False when libdw cannot be had. Lasts until the process ends.
CRIMG_MUST_CHECK bool crimg_dwfl_open(struct crimg_dwfl *s, struct crimg_debuggee *d,
                                      struct crimg_stack_memory *memory, bool is_32);
struct crimg_dwarf_regs crimg_dwarf_regs_of(const UserX86RegsEntry *regs);
// Of a guessed frame little is known.
struct crimg_dwarf_regs crimg_dwarf_regs_at(const struct crimg_stack_point *at, bool is_32);

// False when no frame information covers address. Makes the module known to libdw, which unwinding from
// there needs.
bool crimg_dwfl_covers(struct crimg_dwfl *s, uint64_t address, struct crimg_coverage *out);
// Frames from these registers on: the callback gets the frame that has them first. Returns as
// dwfl_thread_getframes() does.
int crimg_dwfl_frames(struct crimg_dwfl *s, const struct crimg_dwarf_regs *start,
                      int (*callback)(Dwfl_Frame *state, void *arg), void *arg);
// The place of a frame, from libdw; bp 0 when it is unknown. False when pc or sp is.
bool crimg_dwfl_point(const struct crimg_dwfl *s, Dwfl_Frame *state, struct crimg_stack_point *out);

#endif
