// What can be read only once, or only forwards, copied to a file that can be read anywhere. The file has no name,
// and goes with its last descriptor.
#ifndef CRIMG_FORMAT_SPOOL_H
#define CRIMG_FORMAT_SPOOL_H

#include "format/source.h"

// An empty file without a name in a directory; -1 with err filled.
CRIMG_MUST_CHECK int crimg_spool_file(const char *dir, struct crimg_err *err);
// Copies all of from to a file without a name in tmpdir. Returns its descriptor, which the caller closes; -1 with err
// filled.
CRIMG_MUST_CHECK int crimg_spool(struct crimg_source *from, const char *tmpdir,
                                 struct crimg_err *err);

// The same for who has the bytes piece by piece. A thread writes them; pages of zeros become holes.
struct crimg_spool;
CRIMG_MUST_CHECK int crimg_spool_open(const char *tmpdir, struct crimg_spool **out,
                                      struct crimg_err *err);
// What nobody puts is zeros.
CRIMG_MUST_CHECK int crimg_spool_put(struct crimg_spool *s, uint64_t offset, const void *data,
                                     size_t length, struct crimg_err *err);
// All is written, size bytes. Returns the descriptor, which is the caller's; -1 with err filled. To be closed
// whatever happens.
CRIMG_MUST_CHECK int crimg_spool_end(struct crimg_spool *s, uint64_t size, struct crimg_err *err);
void crimg_spool_close(struct crimg_spool *s); // NULL is allowed

#endif
