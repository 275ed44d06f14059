// The loss ledger: what a conversion drops or approximates, each thing by name. Filters and writers
// fill it, the tool prints it.
#ifndef CRIMG_FORMAT_LEDGER_H
#define CRIMG_FORMAT_LEDGER_H

#include <stdarg.h>

#include "format/buf.h"
#include "format/schema.h"

struct crimg_ledger {
	struct crimg_buf text;  // losses, one line each: "object: field: what"
	size_t count;           // of losses
	struct crimg_buf notes; // the same of what the target format never holds: no losses
};

#define CRIMG_LEDGER_INIT ((struct crimg_ledger){ .count = 0 })

// Notes one loss. object may be ""; field is a dotted path, "" for the whole object.
CRIMG_MUST_CHECK int crimg_ledger_add(struct crimg_ledger *ledger, const char *object,
                                      const char *field, const char *what, struct crimg_err *err);
// Notes what the target format has no place for by its nature: an ELF core has none for sockets.
CRIMG_MUST_CHECK int crimg_ledger_note(struct crimg_ledger *ledger, const char *object,
                                       const char *field, const char *what, struct crimg_err *err);
// The same of a field of an object of the image.
CRIMG_MUST_CHECK int crimg_ledger_vnote_of(struct crimg_ledger *ledger, enum crimg_kind kind, uint64_t id,
                                           const char *field, struct crimg_err *err, const char *format,
                                           va_list args);
void crimg_ledger_fini(struct crimg_ledger *ledger);

#endif
