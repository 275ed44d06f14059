// Everything that belongs to no process and no open file: namespaces and what is in them, control groups,
// the inventory, single files of an image.
#ifndef CRIMG_DIFF_OBJECTS_DIFF_H
#define CRIMG_DIFF_OBJECTS_DIFF_H

#include "diff/tell.h"

// Compares what is not marked yet.
void crimg_compare_objects(struct crimg_diff *d);

#endif
