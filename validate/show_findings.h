// Findings as text and as JSON.
#ifndef CRIMG_VALIDATE_SHOW_FINDINGS_H
#define CRIMG_VALIDATE_SHOW_FINDINGS_H

#include <stdio.h>

#include "validate/checker.h"

struct crimg_show_options {
	bool all;    // every finding, however many of one kind
	bool color;
};

// The most severe first; of one kind the first few; advice once a kind; a verdict at the end. Nothing when there is
// nothing to tell.
void crimg_findings_text(const struct crimg_checker *c, const struct crimg_show_options *options,
                         FILE *out);
// One object, schema crimg.validate/1; pretty: one member a line. 0, or -1 with err filled.
CRIMG_MUST_CHECK int crimg_findings_json(const struct crimg_checker *c, bool pretty, FILE *out,
                                         struct crimg_err *err);
// The table of all findings, for --list: text, or JSON.
CRIMG_MUST_CHECK int crimg_findings_list(bool json, FILE *out, struct crimg_err *err);

#endif
