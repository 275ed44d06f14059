// Searching what is in order.
#ifndef CRIMG_FORMAT_SEARCH_H
#define CRIMG_FORMAT_SEARCH_H

#include <stddef.h>

// Sets at, a size_t, to how many of count things come before: `before` is an expression in at that holds for
// the first ones and for none behind them.
#define CRIMG_COUNT_BEFORE(at, count, before)                          \
	do {                                                           \
		size_t search_low = 0, search_high = (count);          \
		while (search_low < search_high) {                     \
			(at) = search_low + (search_high - search_low) / 2; \
			if (before)                                    \
				search_low = (at) + 1;                 \
			else                                           \
				search_high = (at);                    \
		}                                                      \
		(at) = search_low;                                     \
	} while (0)

#endif
