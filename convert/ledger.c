// The loss ledger.
#include "convert/ledger.h"

#include <stdio.h>
#include <string.h>

int crimg_ledger_add(struct crimg_ledger *ledger, const char *object, const char *field,
                     const char *what, struct crimg_err *err)
{
	char line[1024];
	int n = snprintf(line, sizeof line, "%s%s%s: %s\n", object, field[0] ? ": " : "", field, what);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	if (crimg_buf_append(&ledger->text, line, length, err) < 0)
		return -1;
	ledger->count++;
	return 0;
}

void crimg_ledger_fini(struct crimg_ledger *ledger)
{
	crimg_buf_fini(&ledger->text);
	*ledger = CRIMG_LEDGER_INIT;
}
