// Puts a stream of records back into whole objects, for writers whose format keeps payload beside its
// message (a CRIU file, JSON): objects without payload pass straight through, objects with payload wait
// in memory (messages only, never payload) until their CONTENT comes. One object is open at a time.
#ifndef CRIMG_WRITERS_ASSEMBLE_H
#define CRIMG_WRITERS_ASSEMBLE_H

#include "format/record.h"

struct crimg_assembly_ops {
	// size: bytes of all entries as the CRIU layout frames them (without magics), tails and payload
	// included; CRIMG_SIZE_UNKNOWN unless the assembly was made with sized. payload is the object's own
	// (raw objects). Strings are lent for the call.
	int (*begin)(void *context, const struct crimg_object *object, uint64_t size,
	             struct crimg_payload_ref payload, struct crimg_err *err);
	// The next entry; its payload pieces follow before the next entry.
	int (*message)(void *context, const struct crimg_record *message, struct crimg_err *err);
	// A piece of the payload of the entry (or raw object) that came last, in order.
	int (*piece)(void *context, const struct crimg_record *content, struct crimg_err *err);
	int (*end)(void *context, struct crimg_err *err);
};

struct crimg_assembly;

// sized: begin gets the size, so every object waits until all its entries are known.
CRIMG_MUST_CHECK int crimg_assembly_open(const struct crimg_assembly_ops *ops, void *context,
                                         bool sized, struct crimg_assembly **out,
                                         struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_assembly_put(struct crimg_assembly *a, const struct crimg_record *record,
                                        struct crimg_err *err);
// The stream is over: every announced payload must have come, else CRIMG_E_FORMAT.
CRIMG_MUST_CHECK int crimg_assembly_finish(struct crimg_assembly *a, struct crimg_err *err);
void crimg_assembly_close(struct crimg_assembly *a); // NULL is allowed

#endif
