// Filters: readers that read another reader and change what passes. Each takes inner over on success
// and puts itself in its place.
#ifndef CRIMG_CONVERT_FILTERS_H
#define CRIMG_CONVERT_FILTERS_H

#include "format/driver.h"
#include "format/image.h"
#include "format/ledger.h"

// Puts message, encoded into `encoded` (whose bytes the record then lends), in the place of the record's.
CRIMG_MUST_CHECK int crimg_filter_replace(struct crimg_record *record,
                                          const ProtobufCMessage *message,
                                          struct crimg_buf *encoded, struct crimg_err *err);

// Rewrites metadata for a CRIU of release `version` (major * 100 + minor, 107 to 402): page counts where
// that release looks for them, newer fields taken out; what they said is noted in the ledger unless it
// said nothing (a default, a name). The ledger is borrowed.
CRIMG_MUST_CHECK int crimg_filter_version(struct crimg_reader *reader, unsigned version,
                                          struct crimg_ledger *ledger, struct crimg_err *err);
// Puts a page that says ENOSYS in the place of every vDSO whose contents the image does not have (those of
// kernel streams), so that criu can restore it; notes each in the ledger, which is borrowed.
CRIMG_MUST_CHECK int crimg_filter_vdso(struct crimg_reader *reader, struct crimg_ledger *ledger,
                                       struct crimg_err *err);
// Files under the directory root: names and the roots of tasks begin with its real path. Refuses images
// with mounts of their own.
CRIMG_MUST_CHECK int crimg_filter_sysroot(struct crimg_reader *reader, const char *root,
                                          struct crimg_err *err);
// Stores pages otherwise. merge: a layer and its parents become one whole image, without a parent link.
// blocks: pages as image version 1.2 stores them (LZ4), else as 1.1 does. image is the index of the same
// image, borrowed: pages are read through it.
struct crimg_pages_options {
	bool merge, blocks;
};

CRIMG_MUST_CHECK int crimg_filter_pages(struct crimg_reader *reader, struct crimg_image *image,
                                        struct crimg_pages_options options, struct crimg_err *err);

#endif
