// The members of a store as one source, each behind the one before it: for contents that lie in many files. One
// member is open at a time.
#ifndef CRIMG_READERS_JOINED_SOURCE_H
#define CRIMG_READERS_JOINED_SOURCE_H

#include "format/store.h"

// The store is borrowed and must outlive *out.
CRIMG_MUST_CHECK int joined_source_open(struct crimg_store *store, struct crimg_source **out,
                                        struct crimg_err *err);
// Where in it a member of the store begins.
uint64_t joined_source_start(const struct crimg_source *joined, size_t member);

#endif
