#include "format/number_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD_BITS 64u
#define ROOM_BYTES 48u // for one more range, and the sign that there are others

bool crimg_number_set_has(const uint64_t *words, size_t count, uint64_t number)
{
	return number / WORD_BITS < count && (words[number / WORD_BITS] >> number % WORD_BITS & 1) != 0;
}

char *crimg_number_set_text(const uint64_t *words, size_t count, char *out, size_t size)
{
	size_t used = 0;
	snprintf(out, size, "none");
	for (uint64_t from = 0, to; from < count * WORD_BITS; from = to + 1) {
		to = from;
		if (!crimg_number_set_has(words, count, from))
			continue;
		while (crimg_number_set_has(words, count, to + 1))
			to++;
		if (used + ROOM_BYTES > size) {
			snprintf(out + used, size - used, ",…");
			return out;
		}
		snprintf(out + used, size - used, "%s%" PRIu64, used > 0 ? "," : "", from);
		used += strlen(out + used);
		if (to > from)
			snprintf(out + used, size - used, "-%" PRIu64, to);
		used += strlen(out + used);
	}
	return out;
}
