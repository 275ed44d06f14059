// The loss ledger: what a conversion drops or approximates, each thing by name.
#ifndef CRIMG_CONVERT_LEDGER_H
#define CRIMG_CONVERT_LEDGER_H

#include "format/buf.h"

struct crimg_ledger {
	struct crimg_buf text;  // one line a loss: "object: field: what"
	size_t count;
};

#define CRIMG_LEDGER_INIT ((struct crimg_ledger){ .count = 0 })

// Notes one loss. object may be ""; field is a dotted path, "" for the whole object.
CRIMG_MUST_CHECK int crimg_ledger_add(struct crimg_ledger *ledger, const char *object,
                                      const char *field, const char *what, struct crimg_err *err);
void crimg_ledger_fini(struct crimg_ledger *ledger);

#endif
