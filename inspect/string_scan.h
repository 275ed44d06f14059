// Texts in bytes: runs of printable ASCII (and tabs), and of the same characters in UTF-16, little end
// first, wherever they begin. Bytes come in pieces; a text that crosses pieces comes out whole. Knows
// nothing of where bytes come from.
#ifndef CRIMG_INSPECT_STRING_SCAN_H
#define CRIMG_INSPECT_STRING_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRIMG_STRING_KEPT 4096u // characters that are kept of a text

struct crimg_string {
	uint64_t address;
	bool utf16;
	const char *text;      // the first `kept` characters, in ASCII, not terminated; for this call
	size_t kept;
	uint64_t length;       // characters
};

typedef void crimg_string_fn(void *context, const struct crimg_string *string);

// A text that is not complete.
struct crimg_string_part {
	uint64_t start, length;
	char text[CRIMG_STRING_KEPT];
	size_t kept;
	char last;             // its last character
};

struct crimg_string_scan {
	uint64_t min;          // characters of the shortest text
	crimg_string_fn *show;
	void *context;
	uint64_t next;         // address behind the last piece
	struct crimg_string_part ascii; // a run that touches the end of the last piece; length 0: none
	struct crimg_string_part wide;  // length 0: none; its last character counts when a NUL follows
	bool wide_confirmed;   // that NUL was in an earlier piece
};

// show is called in the order of addresses (with a min of 1, of the ends of texts). min is at least 1.
void crimg_string_scan_init(struct crimg_string_scan *s, uint64_t min, crimg_string_fn *show,
                            void *context);
// The next piece. When it does not follow the one before, texts end there.
void crimg_string_scan_bytes(struct crimg_string_scan *s, uint64_t address, const uint8_t *data,
                             size_t length);
// No bytes follow: texts end.
void crimg_string_scan_end(struct crimg_string_scan *s);

#endif
