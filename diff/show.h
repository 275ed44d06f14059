// What was found, for people and for programs: sinks for crimg_diff_run().
#ifndef CRIMG_DIFF_SHOW_H
#define CRIMG_DIFF_SHOW_H

#include <stdio.h>

#include "diff/engine.h"
#include "format/json.h"

struct crimg_diff_show {
	bool stat;           // counts alone
	bool all;            // nothing abridged
	bool bytes;          // the lines of pages that changed
	unsigned context;    // lines around those
	bool pointers;       // and where words of them point to
	bool color;
	bool compact;        // JSON without newlines and blanks for the eye
};

// Runs diff and writes what it tells. 0, or -1: output or memory.
CRIMG_MUST_CHECK int crimg_diff_text(struct crimg_diff *d, const struct crimg_diff_show *show,
                                     FILE *out, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_diff_json(struct crimg_diff *d, const struct crimg_diff_show *show,
                                     FILE *out, struct crimg_err *err);

// "3 changed, 1 added": what was told of a group, from counts by what; with pages, from counts by kind.
char *crimg_change_counts(const uint64_t counts[CRIMG_CHANGES], char *out, size_t size);
char *crimg_page_counts(const uint64_t counts[CRIMG_PAGES_KINDS], char *out, size_t size);
// A value as people read it, safe to print. Returns out.
char *crimg_value_text(const struct crimg_value *value, char *out, size_t size);
// "10595 m_diff", of the newer image where it is in it; "1 → 7 nginx" when the numbers differ.
char *crimg_pair_text(const struct crimg_task_pair *pair, char *out, size_t size);

#endif
