// What only conversions to one file a process (ELF cores) need: one file or a directory of them,
// and pages that are whole.
#ifndef CRIMG_CONVERT_CONVERT_CORE_H
#define CRIMG_CONVERT_CONVERT_CORE_H

#include "convert/convert_options.h"
#include "convert/filters.h"

// *members: the target is a directory of one file a process. image is the index of the source;
// NULL when there is none, for a source on standard input.
CRIMG_MUST_CHECK int crimg_core_members(const struct crimg_convert_options *o,
                                        struct crimg_image *image, bool *members,
                                        struct crimg_err *err);
// True when pages must be stored otherwise before a core can be made of them, with the way in *out.
bool crimg_core_pages(const struct crimg_image *image, struct crimg_pages_options *out);
// Many processes that share memory are many files open at once: as many as we may.
void crimg_core_raise_limit(void);

#endif
