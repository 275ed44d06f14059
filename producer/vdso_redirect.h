// One kernel's vDSO, whose functions begin with jumps to those of another.
#ifndef CRIMG_PRODUCER_VDSO_REDIRECT_H
#define CRIMG_PRODUCER_VDSO_REDIRECT_H

#include "format/err.h"

struct crimg_vdso_image {
	uint8_t *bytes;   // as mapped, 64-bit x86; may be anybody's
	size_t length;
	uint64_t address; // where the task has it
	const char *name; // for errors
};

// Changes old's bytes: each function that it exports goes on in new's of the same name; one that
// new lacks makes the system call of that name, and where there is none, says ENOSYS. 0, or -1 with
// err filled (CRIMG_E_FORMAT: its symbols are damaged; CRIMG_E_UNSUPPORTED: a function is too short
// for that); the bytes are as they were then.
CRIMG_MUST_CHECK int crimg_vdso_redirect(struct crimg_vdso_image *old, const struct crimg_vdso_image *new,
                                         struct crimg_err *err);

#endif
