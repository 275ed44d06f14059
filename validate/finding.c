#include "validate/finding.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/buf.h"

const struct crimg_finding_info crimg_finding_table[CRIMG_F_COUNT] = {
#define F(number, id, grade, phrase, help) { number, #id, CRIMG_##grade, phrase, help },
#include "validate/findings.def"
#undef F
};

const char *crimg_severity_word(enum crimg_severity severity)
{
	static const char *const words[] = { "note", "warning", "error" };
	return words[severity];
}

static int keep(struct crimg_findings *f, enum crimg_finding_id id,
                const struct crimg_place *place, const char *text)
{
	void *array = f->list;
	if (crimg_grow(&array, &f->capacity, f->count, sizeof *f->list, &f->fault) < 0)
		return -1;
	f->list = array;
	char *copy = NULL;
	if (asprintf(&copy, "%s", text) < 0)
		return crimg_fail_nomem(&f->fault, 0);
	f->list[f->count++] = (struct crimg_finding){ id, *place, copy };
	return 0;
}

void crimg_findings_add(struct crimg_findings *f, enum crimg_finding_id id,
                        const struct crimg_place *place, const char *fmt, ...)
{
	char text[CRIMG_ERR_TEXT_MAX];
	va_list ap;
	f->of[id]++;
	f->of_severity[crimg_finding_table[id].severity]++;
	if (f->count >= CRIMG_MAX_FINDINGS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (keep(f, id, place, text) < 0)
		return; // noted in fault
}

void crimg_findings_fini(struct crimg_findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->list[i].text);
	free(f->list);
	*f = (struct crimg_findings){ .count = 0 };
}
