// Base64 both ways: whole quanta out, and a decoder that takes its text in pieces.
// Knows the alphabet of RFC 4648; knows nothing of JSON beyond the escapes a string may hold.
#ifndef CRIMG_FORMAT_BASE64_H
#define CRIMG_FORMAT_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Writes (length + 2) / 3 * 4 characters, padded with '=', not terminated. Returns how many.
size_t crimg_base64_encode(const uint8_t *data, size_t length, char *out);

// Space between digits (blanks, line ends) is passed over, so lines of any length are accepted.
struct crimg_base64_decoder {
	uint32_t bits;      // of the digits of the quantum that is open
	unsigned digits;    // 0 to 3
	unsigned pads;      // '=' seen; nothing but '=' and space may follow
	bool escape;        // the last character was a backslash
	uint64_t decoded;   // bytes so far
};

#define CRIMG_BASE64_DECODER_INIT ((struct crimg_base64_decoder){ .bits = 0 })

// Takes length characters as they stand in a JSON string (so "\n" may come as two). out holds at least
// length / 4 * 3 + 3 bytes, or is NULL to count only. *got: bytes written. False at a character that
// does not belong; *bad is then its place in text.
bool crimg_base64_decode(struct crimg_base64_decoder *d, const char *text, size_t length,
                         uint8_t *out, size_t *got, size_t *bad);
// True when the text may end here: no quantum is open, or '=' closed it.
bool crimg_base64_complete(const struct crimg_base64_decoder *d);

#endif
