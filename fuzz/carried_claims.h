// Claims about formats whose images are carried as records and come back byte for byte.
#ifndef CRIMG_FUZZ_CARRIED_CLAIMS_H
#define CRIMG_FUZZ_CARRIED_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct carried_format {
	const char *name; // of the driver
	const char *file; // what the input is called
	bool mapped;      // no pages without a page map: address spaces are always somebody's
	bool piped;       // its reader goes forwards only: the index is made from a pipe, too
};

// What a fuzz target does with its input; 0.
int carried_claims(const struct carried_format *format, const uint8_t *data, size_t size);

#endif
