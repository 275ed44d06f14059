// The records that an image carries from the kernel stream it was (KERNEL_RECORDS), put together again.
// Knows lengths; knows nothing of what records say.
#ifndef CRIMG_WRITERS_KSTREAM_CARRIED_H
#define CRIMG_WRITERS_KSTREAM_CARRIED_H

#include "writers/kstream_out.h"

struct kstream_pages_object {
	uint64_t id, length;
	uint64_t payload; // its number
	uint64_t used;    // bytes that records want
};

struct kstream_carried {
	struct crimg_arena arena;
	struct kstream_pages_object *objects; // owned
	size_t count, capacity;
};

void kstream_carried_fini(struct kstream_carried *c);
// Adds a record to out (a MESSAGE of KERNEL_RECORDS); its pages, as pieces, have the number of their pages
// object in the place of a payload until all is known.
CRIMG_MUST_CHECK int kstream_carried_add(struct kstream_carried *c, struct kstream_out *out,
                                         const struct crimg_record *record, struct crimg_err *err);
CRIMG_MUST_CHECK int kstream_carried_pages(struct kstream_carried *c, const struct crimg_record *object,
                                           struct crimg_err *err);
// Where in its pages object each piece begins; all of an object must be wanted.
CRIMG_MUST_CHECK int kstream_carried_place(struct kstream_carried *c, struct kstream_out *out,
                                           struct crimg_err *err);

#endif
