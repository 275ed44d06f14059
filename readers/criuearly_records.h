// An early CRIU image as objects of today's layout: which there are, and the message of each entry.
#ifndef CRIMG_READERS_CRIUEARLY_RECORDS_H
#define CRIMG_READERS_CRIUEARLY_RECORDS_H

#include "format/schema.h"
#include "readers/criuearly_model.h"
#include "readers/model_records.h"

// A loaded image while records are made from it.
struct early_image {
	struct early e;
	struct model_payloads payloads;
	struct crimg_arena arena; // for making a message
	size_t item;              // where the entry before was found
};

extern const struct model_format early_format; // its model is a struct early_image
void early_image_fini(struct early_image *m);
// Room for one more than count, until the next message. NULL: memory.
void *early_make(struct early_image *m, size_t count, size_t size, struct crimg_err *err);
// The entry of a thread's core, as model_format wants it.
int early_put_core(struct early_image *m, size_t object, uint64_t index, struct model_entry *out, struct crimg_err *err);

#endif
