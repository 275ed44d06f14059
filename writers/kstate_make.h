// A "LinuxC/R" image made from an image's messages: of the posting of March 2009 (M) who is there, under which
// names and numbers, and what they share; of that of February (F) system names and credentials alone. Source: SPEC.md,
// chapter "LinuxC/R images".
#ifndef CRIMG_WRITERS_KSTATE_MAKE_H
#define CRIMG_WRITERS_KSTATE_MAKE_H

#include "format/image.h"
#include "format/layout_kstate.h"
#include "format/ledger.h"

// Appends it to out, and tells the ledger (which may be NULL) what it has no place for. -1: the image has
// what no kernel of then would have frozen, or memory.
CRIMG_MUST_CHECK int kstate_make(struct crimg_image *image, enum crimg_kst_posting posting,
                                 struct crimg_ledger *ledger, struct crimg_buf *out, struct crimg_err *err);
// What of the image has no place; kstate_losses.c.
CRIMG_MUST_CHECK int kstate_losses(struct crimg_image *image, enum crimg_kst_posting posting,
                                   struct crimg_ledger *ledger, struct crimg_err *err);

#endif
