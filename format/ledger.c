// The loss ledger.
#include "format/ledger.h"

#include <stdio.h>

static int add_line(struct crimg_buf *text, const char *object, const char *field,
                    const char *what, struct crimg_err *err)
{
	char line[1024];
	const char *joint = field[0] != '\0' ? ": " : "";
	int n = snprintf(line, sizeof line, "%s%s%s: %s\n", object, joint, field, what);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	return crimg_buf_append(text, line, length, err);
}

int crimg_ledger_add(struct crimg_ledger *ledger, const char *object, const char *field,
                     const char *what, struct crimg_err *err)
{
	if (add_line(&ledger->text, object, field, what, err) < 0)
		return -1;
	ledger->count++;
	return 0;
}

int crimg_ledger_note(struct crimg_ledger *ledger, const char *object, const char *field,
                      const char *what, struct crimg_err *err)
{
	return add_line(&ledger->notes, object, field, what, err);
}

int crimg_ledger_vnote_of(struct crimg_ledger *ledger, enum crimg_kind kind, uint64_t id, const char *field,
                          struct crimg_err *err, const char *format, va_list args)
{
	char object[CRIMG_FILE_NAME_MAX], what[256];
	vsnprintf(what, sizeof what, format, args);
	crimg_kind_file(kind, id, object);
	return crimg_ledger_note(ledger, object, field, what, err);
}

void crimg_ledger_fini(struct crimg_ledger *ledger)
{
	crimg_buf_fini(&ledger->text);
	crimg_buf_fini(&ledger->notes);
	*ledger = CRIMG_LEDGER_INIT;
}
