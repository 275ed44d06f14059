// Reading payload of a crimg stream at any offset: through the index, or, when the stream has none or is
// cut, by walking its frames once.
#ifndef CRIMG_READERS_CRIMG_RANDOM_H
#define CRIMG_READERS_CRIMG_RANDOM_H

#include "format/driver.h"

struct crimg_random;

// Borrows source, which must not be forward_only (CRIMG_E_UNSUPPORTED).
CRIMG_MUST_CHECK int crimg_random_open(struct crimg_source *source, struct crimg_random **out,
                                       struct crimg_err *err);
// Exactly length bytes, verified. What the stream does not hold: CRIMG_E_FORMAT.
CRIMG_MUST_CHECK int crimg_random_read(struct crimg_random *r, uint64_t payload, uint64_t offset,
                                       void *buf, size_t length, struct crimg_err *err);
// The digest of the chunk that holds offset: no bytes are read. 1; 0: the stream does not hold it; -1: err.
CRIMG_MUST_CHECK int crimg_random_digest(struct crimg_random *r, uint64_t payload, uint64_t offset,
                                         struct crimg_digest *out, struct crimg_err *err);
void crimg_random_close(struct crimg_random *r); // NULL is allowed

#endif
