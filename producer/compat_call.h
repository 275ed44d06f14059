// System calls of crimg itself as a 32-bit program makes them: where the kernel keeps for 32-bit
// tasks what it tells in no other way.
#ifndef CRIMG_PRODUCER_COMPAT_CALL_H
#define CRIMG_PRODUCER_COMPAT_CALL_H

#include <sys/types.h>

#include "format/err.h"

// The robust futexes of a 32-bit task.
CRIMG_MUST_CHECK int crimg_compat_robust_list(pid_t tid, uint32_t *head, uint32_t *length,
					      struct crimg_err *err);

#endif
