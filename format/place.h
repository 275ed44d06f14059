// Where an output appears: a temporary sibling of the final name, renamed when it is whole. Or what is
// there already and cannot be replaced: standard output, a device, a fifo.
#ifndef CRIMG_FORMAT_PLACE_H
#define CRIMG_FORMAT_PLACE_H

#include "format/err.h"

#define CRIMG_PLACE_NAME_BYTES 256

struct crimg_place {
	int parent;        // the directory both names are in; -1: written in place
	bool directory;
	const char *shown; // the final name, for errors; borrowed
	char base[CRIMG_PLACE_NAME_BYTES];
	char temp[CRIMG_PLACE_NAME_BYTES]; // ".BASE.crimg-XXXXXX.tmp"; "" when there is none (any more)
};

// Opens path for one file of bytes, "-" for standard output. path must outlive the place. *fd is the
// caller's; *in_place tells that it takes bytes forwards only and cannot be discarded.
CRIMG_MUST_CHECK int crimg_place_open_file(struct crimg_place *place, const char *path, int *fd,
                                           bool *in_place, struct crimg_err *err);
// Makes a directory, mode 0700. path must not exist or be an empty directory, and no mount point.
CRIMG_MUST_CHECK int crimg_place_open_dir(struct crimg_place *place, const char *path, int *fd,
                                          struct crimg_err *err);
// Renames, and makes the new name last. What is inside must have been synced already.
CRIMG_MUST_CHECK int crimg_place_commit(struct crimg_place *place, struct crimg_err *err);
// Removes the temporary file or (empty) directory if it was not renamed.
void crimg_place_fini(struct crimg_place *place);

// fsync(2), forgiving those who cannot.
CRIMG_MUST_CHECK int crimg_sync_fd(int fd, const char *shown, struct crimg_err *err);

#endif
