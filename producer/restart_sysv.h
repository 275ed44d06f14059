// System V objects of the namespace that the tasks have of their own. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_SYSV_H
#define CRIMG_PRODUCER_RESTART_SYSV_H

#include "producer/restart_parts.h"

// restart_sysv.c: segments, semaphores and queues that cannot be made, into r->refused; fills
// r->segments.
void crimg_restart_refuse_sysv(struct crimg_restart *r);
// The segment of this number, or NULL.
const struct crimg_sysv *crimg_restart_sysv(const struct crimg_restart *r, uint64_t id);
// All objects, with their numbers, owners and contents, by a puppet without memory of the image yet.
CRIMG_MUST_CHECK int crimg_restart_make_sysv(struct crimg_restart *r, struct crimg_puppet *p,
                                             struct crimg_err *err);
// When all have attached them: segments that were locked, or removed while they were in use.
CRIMG_MUST_CHECK int crimg_restart_seal_sysv(struct crimg_restart *r, struct crimg_puppet *p,
                                             struct crimg_err *err);

// restart_attach.c: maps the area, which is of a segment. Once for each attachment: its first area
// brings the others along.
CRIMG_MUST_CHECK int crimg_restart_attach(struct crimg_restart *r, struct crimg_actor *a,
                                          const struct crimg_area *area, struct crimg_err *err);

// Who makes objects of one sort.
struct crimg_sysv_maker {
	struct crimg_restart *r;
	struct crimg_puppet *p;
	uint64_t next_id; // descriptor of the puppet's: says which number comes next
};

// restart_sysv.c: the call that makes an object, as its number and maker say.
CRIMG_MUST_CHECK int crimg_sysv_make(struct crimg_sysv_maker *m, const IpcDescEntry *d,
                                     struct crimg_call call, struct crimg_err *err);
// Data for the puppet, which has it until its memory goes: for one call.
CRIMG_MUST_CHECK int crimg_sysv_borrow(struct crimg_sysv_maker *m, const void *data, size_t length,
                                       uint64_t *at, struct crimg_err *err);
// restart_objects.c: an object with its contents; entry is decoded.
CRIMG_MUST_CHECK int crimg_sysv_segment(struct crimg_sysv_maker *m,
                                        const struct crimg_image_entry *entry,
                                        struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sysv_semaphores(struct crimg_sysv_maker *m,
                                           const struct crimg_image_entry *entry,
                                           struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sysv_queue(struct crimg_sysv_maker *m,
                                      const struct crimg_image_entry *entry, struct crimg_err *err);

#endif
