// The registers of a thread, from its notes to the message. Knows the notes' layouts.
#ifndef CRIMG_READERS_COREFILE_REGS_H
#define CRIMG_READERS_COREFILE_REGS_H

#include "format/schema.h"
#include "readers/corefile_process.h"

// In arena. t has a status. Floating point notes that cannot be understood are damage: the next
// best note is taken, or what a CPU starts with. NULL with err filled: memory.
CRIMG_MUST_CHECK ThreadInfoX86 *
corefile_thread_info(const struct corefile_elf *elf, const struct corefile_thread *t,
                     struct crimg_arena *arena, struct crimg_err *damage, struct crimg_err *err);
// The mask of blocked signals, and the stack pointer.
uint64_t corefile_blocked(const struct corefile_elf *elf, const struct corefile_thread *t);
uint64_t corefile_stack_pointer(const struct corefile_elf *elf, const struct corefile_thread *t);

#endif
