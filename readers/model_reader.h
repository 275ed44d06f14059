// What a reader driver does when its format is loaded as a model first: open, lend records, read,
// close. Knows no format.
#ifndef CRIMG_READERS_MODEL_READER_H
#define CRIMG_READERS_MODEL_READER_H

#include "readers/model_records.h"

// Parts of a model that its records are made from.
struct model_parts {
	struct crimg_source *source; // that pieces of payloads are in
	struct model_payloads *payloads;
	struct crimg_err *damage;
};

struct model_loader {
	const struct model_format *format;
	size_t size;        // of the model, bytes
	const char *wanted; // what a directory is not, for the error ("an OpenVZ image"); NULL: it may be
	// Fills the model, which is zeroed, from in->source or in->store, which stay the caller's and live
	// longer.
	int (*load)(void *model, const struct crimg_input *in, struct model_parts *parts,
		    struct crimg_err *err);
	void (*fini)(void *model); // also of what load left when it failed
};

// The first of these is for a driver's open; the others are its next, read and close.
CRIMG_MUST_CHECK int model_reader_open(struct crimg_reader *reader, struct crimg_input *in,
				       const struct model_loader *loader, struct crimg_err *err);
int model_reader_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err);
int model_reader_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
		      size_t length, struct crimg_err *err);
void model_reader_close(struct crimg_reader *reader);
const void *model_reader_model(const struct crimg_reader *reader);

#endif
