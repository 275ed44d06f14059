// The notes of two ELF cores.
#ifndef CRIMG_DIFF_NOTES_DIFF_H
#define CRIMG_DIFF_NOTES_DIFF_H

#include "diff/tell.h"

// Tells notes that differ, and those of one core alone; folded when registers, names and files, which were
// compared, say what is in them. Notes are matched by thread and type.
void crimg_compare_notes(const struct crimg_scope *s, struct crimg_image_object *a,
                         struct crimg_image_object *b);

#endif
