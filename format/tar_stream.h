// The entries of an archive, read once from front to back. With output_tar.c the only place that knows
// libarchive; it reads through a source, so an archive may lie anywhere. Judges no names: store_tar.c does.
#ifndef CRIMG_FORMAT_TAR_STREAM_H
#define CRIMG_FORMAT_TAR_STREAM_H

#include "format/source.h"

enum crimg_tar_kind {
	CRIMG_TAR_NONE,    // not an archive
	CRIMG_TAR_PLAIN,   // a tar as it is
	CRIMG_TAR_GZIP,    // a compressed file; whether a tar is inside shows only later
	CRIMG_TAR_ZSTD,
	CRIMG_TAR_XZ,
	CRIMG_TAR_BZIP2,
	CRIMG_TAR_ZIP,
};

enum crimg_tar_type {
	CRIMG_TAR_FILE,
	CRIMG_TAR_LINK,
	CRIMG_TAR_DIR,
	CRIMG_TAR_HARDLINK,
	CRIMG_TAR_SPECIAL, // a device, fifo or socket
};

struct crimg_tar_stream;

// Valid until the next call on the stream.
struct crimg_tar_entry {
	const char *name;   // as the archive spells it; NULL when it cannot be decoded
	const char *target; // of a link or hard link; else NULL
	enum crimg_tar_type type;
	uint64_t size;      // bytes once unpacked, of a file; else 0
	bool sparse;        // blocks may leave gaps, which are zeros
	uint64_t data_at;   // where in the source the bytes lie as they are, else CRIMG_NO_OFFSET
};

// What the first bytes of a file (512 are enough) say. Every kind is recognised by its magic, a plain
// tar by the checksum of its first header.
enum crimg_tar_kind crimg_tar_kind_of(const uint8_t *head, size_t length);
// "gzip", "zstd", ...
const char *crimg_tar_kind_name(enum crimg_tar_kind kind);

// Borrows source, whose size must be known and which must read at any offset. Only this kind is read:
// an archive within an archive is not.
CRIMG_MUST_CHECK int crimg_tar_stream_open(struct crimg_source *source, enum crimg_tar_kind kind,
                                           struct crimg_tar_stream **out, struct crimg_err *err);
void crimg_tar_stream_close(struct crimg_tar_stream *t); // NULL is allowed
// 1: *out is the next entry; 0: there are no more; -1: an error. A tar without its end mark was cut
// short: CRIMG_E_FORMAT. Data of the entry before that was not read is passed over.
CRIMG_MUST_CHECK int crimg_tar_stream_next(struct crimg_tar_stream *t, struct crimg_tar_entry *out,
                                           struct crimg_err *err);
// 1: *data[0, *length) are the bytes of the entry at *offset, lent until the next call; 0: no more.
// Offsets only grow. Errors name "archive!member".
CRIMG_MUST_CHECK int crimg_tar_stream_block(struct crimg_tar_stream *t, const uint8_t **data,
                                            size_t *length, uint64_t *offset,
                                            struct crimg_err *err);
// Bytes unpacked so far, headers included.
uint64_t crimg_tar_stream_unpacked(const struct crimg_tar_stream *t);

#endif
