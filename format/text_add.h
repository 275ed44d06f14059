// Putting a line together from pieces.
#ifndef CRIMG_FORMAT_TEXT_ADD_H
#define CRIMG_FORMAT_TEXT_ADD_H

#include "format/err.h"

// Appends to the terminated text in out, cut at size - 1 bytes.
void crimg_text_add(char *out, size_t size, const char *fmt, ...) CRIMG_PRINTF(3, 4);

#endif
