// What can be read only once, copied to a file that can be read again.
#ifndef CRIMG_FORMAT_SPOOL_H
#define CRIMG_FORMAT_SPOOL_H

#include "format/source.h"

// An empty file without a name in a directory; -1 with err filled.
CRIMG_MUST_CHECK int crimg_spool_open(const char *dir, struct crimg_err *err);
// Copies all of from to a file without a name in tmpdir. Returns its descriptor, which the caller closes; -1 with err
// filled.
CRIMG_MUST_CHECK int crimg_spool(struct crimg_source *from, const char *tmpdir,
                                 struct crimg_err *err);

#endif
