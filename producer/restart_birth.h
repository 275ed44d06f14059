// How single tasks come and go; restart_tree.c says which. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_BIRTH_H
#define CRIMG_PRODUCER_RESTART_BIRTH_H

#include "producer/restart_parts.h"

// mother creates a task called number (clone3 with flags, CLONE_*), which becomes the puppet child; its
// name is set already.
CRIMG_MUST_CHECK int crimg_restart_bear(struct crimg_puppet *mother, uint64_t flags, uint32_t number,
                                        struct crimg_puppet *child, struct crimg_err *err);
// The same with a number that no task of the image wants.
CRIMG_MUST_CHECK int crimg_restart_bear_helper(struct crimg_restart *r, struct crimg_puppet *mother,
                                               uint64_t flags, struct crimg_puppet *helper,
                                               struct crimg_err *err);
// Ends a child that was borne so, and nothing of it is left.
CRIMG_MUST_CHECK int crimg_restart_end_child(struct crimg_puppet *mother, struct crimg_puppet *child,
                                             struct crimg_err *err);
// Before anything is opened: process 1 of a new pid namespace, where one is wanted, and the gate that tasks wait at.
CRIMG_MUST_CHECK int crimg_restart_prepare(struct crimg_restart *r, struct crimg_err *err);
// Creates the root, as a child of crimg, or of process 1 of a new pid namespace.
CRIMG_MUST_CHECK int crimg_restart_first(struct crimg_restart *r, struct crimg_err *err);
// Ends a puppet, so that its parent finds this wait status.
CRIMG_MUST_CHECK int crimg_restart_end(struct crimg_puppet *p, uint32_t status,
                                       struct crimg_err *err);
// Lets process 1 of a new pid namespace do its work.
void crimg_restart_open_gate(struct crimg_restart *r);

#endif
