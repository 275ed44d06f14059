// A line of bytes as people know it from `hexdump -C`.
#ifndef CRIMG_FORMAT_HEXDUMP_LINE_H
#define CRIMG_FORMAT_HEXDUMP_LINE_H

#include "format/err.h"

#define CRIMG_HEXDUMP_BYTES 16u
#define CRIMG_HEXDUMP_LINE_MAX 96u

// One line of up to 16 bytes without newline and NUL. Returns its length.
size_t crimg_hexdump_line(char out[CRIMG_HEXDUMP_LINE_MAX], unsigned digits, uint64_t address,
                          const uint8_t *data, size_t length);
// Writes an address of at least that many hex digits, without NUL; returns its end.
char *crimg_hexdump_address(char *out, unsigned digits, uint64_t address);
// Digits of an address: 8, or 12 for 64-bit tasks, whose addresses may have more.
unsigned crimg_address_digits(bool is_32);

#endif
