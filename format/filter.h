// Filters: readers that read another reader and change what passes. Each takes the reader over on
// success and puts itself in its place.
#ifndef CRIMG_FORMAT_FILTER_H
#define CRIMG_FORMAT_FILTER_H

#include "format/driver.h"
#include "format/ledger.h"

// Puts message, encoded into `encoded` (whose bytes the record then lends), in the place of the
// record's.
CRIMG_MUST_CHECK int crimg_filter_replace(struct crimg_record *record,
					  const ProtobufCMessage *message,
					  struct crimg_buf *encoded, struct crimg_err *err);

// What the state of a filter begins with that can be asked for payloads (an image's index is read
// through it), and the functions of its driver that hand this on.
struct crimg_filter {
	struct crimg_reader inner;
};

CRIMG_MUST_CHECK int crimg_filter_read(struct crimg_reader *reader, uint64_t payload,
				       uint64_t offset, void *buf, size_t length,
				       struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_filter_locate(struct crimg_reader *reader, uint64_t payload,
					 uint64_t offset, struct crimg_span *out,
					 struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_filter_digest(struct crimg_reader *reader, uint64_t payload,
					 uint64_t offset, struct crimg_digest *out,
					 struct crimg_err *err);

// Puts a page that says ENOSYS in the place of every vDSO whose contents the image does not have
// (those of kernel streams), so that criu can restore it; notes each in the ledger, which is
// borrowed.
CRIMG_MUST_CHECK int crimg_filter_vdso(struct crimg_reader *reader, struct crimg_ledger *ledger,
				       struct crimg_err *err);
// Files under the directory root: names and the roots of tasks begin with its real path. Refuses
// images with mounts of their own.
CRIMG_MUST_CHECK int crimg_filter_sysroot(struct crimg_reader *reader, const char *root,
					  struct crimg_err *err);

#endif
