// System V objects of the namespace that the tasks have of their own. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_SYSV_H
#define CRIMG_PRODUCER_RESTART_SYSV_H

#include "producer/restart_parts.h"

// Segments, semaphores and queues that cannot be made: into r->refused. Fills r->segments.
void crimg_restart_refuse_sysv(struct crimg_restart *r);
// restart_sysv.c: all objects, with their numbers, owners and contents, by a puppet that has no memory of the image yet.
CRIMG_MUST_CHECK int crimg_restart_make_sysv(struct crimg_restart *r, struct crimg_puppet *p,
                                             struct crimg_err *err);
// The segment of this number, or NULL.
const struct crimg_segment *crimg_restart_segment(const struct crimg_restart *r, uint64_t id);
// restart_attach.c. Maps the area, which is of a segment. Once for each attachment: its first area brings the others along.
CRIMG_MUST_CHECK int crimg_restart_attach(struct crimg_restart *r, struct crimg_actor *a,
                                          const struct crimg_area *area, struct crimg_err *err);
// When all have attached them: segments that were locked, or removed while they are in use.
CRIMG_MUST_CHECK int crimg_restart_seal_sysv(struct crimg_restart *r, struct crimg_puppet *p,
                                             struct crimg_err *err);

#endif
