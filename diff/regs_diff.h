// The registers of two threads.
#ifndef CRIMG_DIFF_REGS_DIFF_H
#define CRIMG_DIFF_REGS_DIFF_H

#include "diff/tell.h"

// Tells those that changed, addresses with what is there in each image.
void crimg_compare_registers(const struct crimg_scope *s, const CoreEntry *a, const CoreEntry *b);

#endif
