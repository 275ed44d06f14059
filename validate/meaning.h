// What the passes of meaning share: what an address may be, and where it is in a task. They look at
// values; what values point at was or will be looked at by others.
#ifndef CRIMG_VALIDATE_MEANING_H
#define CRIMG_VALIDATE_MEANING_H

#include "validate/checker.h"

// The end of user addresses, with five levels of page tables, which the image does not tell from four; and
// of what 32-bit code reaches.
#define CRIMG_USER_END ((UINT64_C(1) << 56) - 4096)
#define CRIMG_USER_END_32 (UINT64_C(1) << 32)

#define CRIMG_USER_CODE_32 0x23u // the code selector of 32-bit tasks

bool crimg_task_is_32(const struct crimg_task *task);

// The areas of a task; empty when they are not to be had. Fini with crimg_space_fini().
struct crimg_space crimg_checker_space(struct crimg_checker *c, const struct crimg_task *task);
// Is address in an area that may be executed?
bool crimg_space_is_code(const struct crimg_space *space, uint64_t address);

// Signals 1 to 64 by bit: those that no mask can hold, KILL and STOP.
#define CRIMG_SIGNALS_UNMASKABLE (UINT64_C(1) << 8 | UINT64_C(1) << 18)
#define CRIMG_SIGNAL_MAX 64u

typedef void crimg_thread_fn(struct crimg_checker *c, const struct crimg_task *task,
                             const struct crimg_thread *thread, const struct crimg_space *space);
// Calls fn for every thread that has a core, with the areas of its task or, when they are not wanted, NULL.
void crimg_checker_threads(struct crimg_checker *c, bool with_space, crimg_thread_fn *fn);

#endif
