// Between the parts that rebuild an address space: restart_memory.c, restart_pages.c, restart_inherit.c.
#ifndef CRIMG_PRODUCER_RESTART_MEMORY_H
#define CRIMG_PRODUCER_RESTART_MEMORY_H

#include "producer/restart_parts.h"

#define CRIMG_USER_END UINT64_C(0x7ffffffff000)

// Sets a->kept when the task, as its mother bore it, has most of its areas already.
CRIMG_MUST_CHECK int crimg_restart_inherit(struct crimg_restart *r, struct crimg_actor *a,
                                           struct crimg_err *err);

// restart_maps.c: a place for bytes that no area of the task's will have, nor the stage.
uint64_t crimg_restart_gap(const struct crimg_restart *r, const struct crimg_space *space,
                           uint64_t bytes);
// restart_compat.c: maps the vDSO of either width, data first, at an address, in a task that has none
// outside the stage.
CRIMG_MUST_CHECK int crimg_restart_map_vdso(const struct crimg_restart *r, struct crimg_actor *a,
                                            uint64_t at, bool is_32, struct crimg_err *err);

struct crimg_feed;
// The pages of the image in [start, end), which lie in area, into the task; now or with later ones.
CRIMG_MUST_CHECK int crimg_feed_pages(struct crimg_feed *feed, const struct crimg_area *area,
                                      uint64_t start, uint64_t end, struct crimg_err *err);
// The pages of all areas that were kept.
CRIMG_MUST_CHECK int crimg_restart_settle(struct crimg_restart *r, struct crimg_actor *a,
                                          struct crimg_feed *feed, struct crimg_err *err);

// True for areas whose pages are in the image: private ones that are not the kernel's.
bool crimg_restart_has_pages(const struct crimg_area *area);
// True for areas that have pages of their own.
bool crimg_restart_is_private(const VmaEntry *v);

#endif
