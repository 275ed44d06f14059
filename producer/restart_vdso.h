// Between the parts that bring the vDSO: restart_memory.c (when), restart_vdso.c (this kernel's),
// restart_bridge.c (another kernel's).
#ifndef CRIMG_PRODUCER_RESTART_VDSO_H
#define CRIMG_PRODUCER_RESTART_VDSO_H

#include "producer/restart_parts.h"

// What the image has of the vDSO: the data in front of it, then the code.
struct crimg_old_vdso {
	uint64_t data, code, end; // data: 0 when there is none
};

// False without one.
bool crimg_restart_old_vdso(const struct crimg_space *space, struct crimg_old_vdso *out);
// The code of this kernel's; NULL without any.
const struct crimg_vdso_part *crimg_vdso_code(const struct crimg_vdso *vdso);

// Its parts wait in the stage for their place.
CRIMG_MUST_CHECK int crimg_restart_park_vdso(const struct crimg_restart *r, struct crimg_puppet *p,
                                             const struct crimg_vdso *vdso, struct crimg_err *err);
// Compares both, the kernel's where it is now; sets a->bridge when they differ, and fails when
// nothing can be done about that.
CRIMG_MUST_CHECK int crimg_restart_check_vdso(struct crimg_restart *r, struct crimg_actor *a,
                                              const struct crimg_vdso *vdso,
                                              const struct crimg_old_vdso *old,
                                              struct crimg_err *err);
// Then: from the stage to where the task knows it, or to where the bridge wants it. vdso: before it
// waited.
CRIMG_MUST_CHECK int crimg_restart_place_vdso(const struct crimg_restart *r, struct crimg_actor *a,
                                              const struct crimg_vdso *vdso,
                                              const struct crimg_old_vdso *old,
                                              struct crimg_err *err);
int crimg_restart_fail_vdso(const struct crimg_actor *a, const char *why, struct crimg_err *err);

// Makes the code that will stand at the old place, and chooses a place for this kernel's: a->bridge.
CRIMG_MUST_CHECK int crimg_restart_plan_bridge(struct crimg_restart *r, struct crimg_actor *a,
                                               const struct crimg_vdso *vdso,
                                               const struct crimg_old_vdso *old,
                                               struct crimg_err *err);
// Maps it, when all else is mapped. Does nothing without a bridge of the task's own.
CRIMG_MUST_CHECK int crimg_restart_build_bridge(struct crimg_actor *a, struct crimg_err *err);
// Whether a thread stands in code that a bridge replaces; err names it.
CRIMG_MUST_CHECK int crimg_restart_check_standing(const struct crimg_actor *a,
                                                  const struct crimg_old_vdso *old,
                                                  struct crimg_err *err);

#endif
