// Filters of conversions alone; those that a restart uses too are in format/filter.h.
#ifndef CRIMG_CONVERT_FILTERS_H
#define CRIMG_CONVERT_FILTERS_H

#include "format/filter.h"
#include "format/image.h"

// Rewrites metadata for a CRIU of release `version` (major * 100 + minor, 107 to 402): page counts where
// that release looks for them, newer fields taken out; what they said is noted in the ledger unless it
// said nothing (a default, a name). The ledger is borrowed.
CRIMG_MUST_CHECK int crimg_filter_version(struct crimg_reader *reader, unsigned version,
                                          struct crimg_ledger *ledger, struct crimg_err *err);
// Stores pages otherwise. merge: a layer and its parents become one whole image, without a parent link.
// blocks: pages as image version 1.2 stores them (LZ4), else as 1.1 does. image is the index of the same
// image, borrowed: pages are read through it.
struct crimg_pages_options {
	bool merge, blocks;
};

CRIMG_MUST_CHECK int crimg_filter_pages(struct crimg_reader *reader, struct crimg_image *image,
                                        struct crimg_pages_options options, struct crimg_err *err);

#endif
