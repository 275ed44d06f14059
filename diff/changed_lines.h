// The lines of 16 bytes that differ within a range of pages that changed. Knows bytes; prints nothing.
#ifndef CRIMG_DIFF_CHANGED_LINES_H
#define CRIMG_DIFF_CHANGED_LINES_H

#include "diff/change.h"
#include "format/hexdump_line.h"

struct crimg_changed_line {
	uint64_t address;
	const uint8_t *bytes[2];  // CRIMG_HEXDUMP_BYTES each
	bool same;                // context
	bool gap;                 // lines before it are left out
};

struct crimg_line_visitor {
	void (*line)(void *context, const struct crimg_changed_line *line);
	void *context;
	unsigned around;          // lines that are the same before and behind those that differ
};

// Reads the range of both sides once more. 0, or -1: err.
CRIMG_MUST_CHECK int crimg_changed_lines(const struct crimg_page_change *change,
                                         const struct crimg_line_visitor *visitor,
                                         struct crimg_err *err);

#endif
