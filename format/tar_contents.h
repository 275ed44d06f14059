// Where the bytes of an archive's members are: in the archive as they are (a plain tar), in memory (small members), in a
// file without a name, or nowhere: then they are unpacked as they are read. Judges no names: store_tar.c does.
#ifndef CRIMG_FORMAT_TAR_CONTENTS_H
#define CRIMG_FORMAT_TAR_CONTENTS_H

#include "format/spool.h"
#include "format/tar_stream.h"

// Of one member.
struct crimg_tar_place {
	uint64_t ordinal, size;      // among the archive's entries; bytes
	uint8_t *data;               // owned, when kept in memory
	struct crimg_source *source; // borrowed: has the bytes from data_at on; NULL: they are unpacked
	uint64_t data_at;
};

// The one member being unpacked. Known of it is [from, block_at + length): zeros up to block_at, then block. Further on
// is read on; further back starts the archive anew.
struct crimg_tar_cursor {
	struct crimg_tar_stream *stream;     // NULL before the first read and after a failed one
	uint64_t ordinal;                    // of the next entry
	const struct crimg_tar_place *place; // the entry it stands in; NULL: none that matters
	const uint8_t *block;                // lent by stream
	size_t length;
	uint64_t from, block_at;
};

struct crimg_tar_contents {
	struct crimg_source *archive; // borrowed
	enum crimg_tar_kind kind;
	const char *tmpdir;           // borrowed; NULL: no file is made
	bool wanted;                  // all contents will be read, in any order
	struct crimg_tar_place *places;
	size_t count, capacity;
	uint64_t held_bytes;          // in memory; whoever keeps more beside it adds that
	struct crimg_spool *spool;    // being filled
	uint64_t spool_bytes;
	struct crimg_source *spooled; // filled
	struct crimg_tar_cursor cursor;
};

void crimg_tar_contents_fini(struct crimg_tar_contents *c);
// The bytes of entry, the ordinal-th, in which stream stands: reads them through, and keeps them if they are small, or
// wanted. *number is what to open.
CRIMG_MUST_CHECK int crimg_tar_contents_take(struct crimg_tar_contents *c,
                                             struct crimg_tar_stream *stream,
                                             const struct crimg_tar_entry *entry, uint64_t ordinal,
                                             uint64_t *number, struct crimg_err *err);
// All were taken.
CRIMG_MUST_CHECK int crimg_tar_contents_seal(struct crimg_tar_contents *c, struct crimg_err *err);
// A source that must be closed before the contents are. Going back in what is nowhere but in the archive unpacks it
// all to a file without a name; where that cannot be (there is no room), each step back unpacks the archive anew.
CRIMG_MUST_CHECK int crimg_tar_contents_open(struct crimg_tar_contents *c, uint64_t number,
                                             const char *shown, struct crimg_source **out,
                                             struct crimg_err *err);

#endif
