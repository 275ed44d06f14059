// Sets of small numbers as words of 64 bits, the lowest first: CPUs, nodes of memory.
#ifndef CRIMG_FORMAT_NUMBER_SET_H
#define CRIMG_FORMAT_NUMBER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool crimg_number_set_has(const uint64_t *words, size_t count, uint64_t number);
// "0-3,7"; "none". Ends in "…" where size is too small. Returns out.
char *crimg_number_set_text(const uint64_t *words, size_t count, char *out, size_t size);

#endif
