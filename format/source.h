// A source: bytes that can be read at an offset, wherever they live. A span: a piece of one. A window:
// reading a source forwards with look-ahead. None knows what the bytes mean.
#ifndef CRIMG_FORMAT_SOURCE_H
#define CRIMG_FORMAT_SOURCE_H

#include "format/err.h"

#define CRIMG_SIZE_UNKNOWN UINT64_MAX

struct crimg_source;

struct crimg_source_ops {
	// Reads up to length bytes at offset; *got is short only at the end of the source.
	int (*read)(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
	            struct crimg_err *err);
	void (*close)(struct crimg_source *s); // frees what s->state holds
};

struct crimg_source {
	const struct crimg_source_ops *ops;
	char *name;        // for errors, owned
	uint64_t size;     // bytes; CRIMG_SIZE_UNKNOWN for a pipe
	int fd;            // the kernel may copy from here; -1 when it cannot
	uint64_t fd_offset; // where in fd the source begins
	bool parallel;     // read() may run in several threads at once
	bool forward_only; // reading backwards is refused (a pipe) or costs a new start (an archive)
	void *state;
};

struct crimg_span {
	struct crimg_source *source; // borrowed
	uint64_t offset, length;     // bytes
};

// Opens a regular file, `name` relative to directory dirfd (AT_FDCWD allowed); shown is its name in
// errors. Links are followed only with follow. Not a regular file: CRIMG_E_FORMAT.
CRIMG_MUST_CHECK int crimg_source_open_file(int dirfd, const char *name, const char *shown,
                                            bool follow, struct crimg_source **out,
                                            struct crimg_err *err);
// Takes over fd: a regular file is read at offsets, anything else forwards only. fd is closed by
// crimg_source_close, and by this call when it fails.
CRIMG_MUST_CHECK int crimg_source_open_fd(int fd, const char *shown, struct crimg_source **out,
                                          struct crimg_err *err);
// Borrows data, which must outlive the source.
CRIMG_MUST_CHECK int crimg_source_open_memory(const void *data, size_t length, const char *shown,
                                              struct crimg_source **out, struct crimg_err *err);
// For drivers that bring their own ops: allocates and names a source (fd -1, size unknown).
CRIMG_MUST_CHECK int crimg_source_make(const struct crimg_source_ops *ops, const char *shown,
                                       void *state, struct crimg_source **out,
                                       struct crimg_err *err);
void crimg_source_close(struct crimg_source *s); // NULL is allowed

// Up to length bytes at offset; *got is short only at the end.
CRIMG_MUST_CHECK int crimg_source_read(struct crimg_source *s, uint64_t offset, void *buf,
                                       size_t length, size_t *got, struct crimg_err *err);
// Exactly length bytes, else CRIMG_E_CUT naming found and wanted.
CRIMG_MUST_CHECK int crimg_source_read_exact(struct crimg_source *s, uint64_t offset, void *buf,
                                             size_t length, struct crimg_err *err);

// Whether the byte at offset (below size) lies in a hole of the file, where nothing was ever written and
// all bytes are 0; the same holds up to *end: offset < *end <= size. Where the file system does not
// tell, and for sources without a file, there are no holes.
void crimg_source_extent(struct crimg_source *s, uint64_t offset, bool *hole, uint64_t *end);

// A window onto a source, read forwards: bytes are lent, then consumed.
struct crimg_window {
	struct crimg_source *source; // borrowed
	uint64_t offset;             // of the next byte that is not consumed
	uint8_t *data;               // owned
	size_t start, end, capacity; // data[start, end) is at offset
	size_t ahead;                // bytes to read at a time, at least; 0: as suits reading on
};

struct crimg_window crimg_window_make(struct crimg_source *source, uint64_t offset);
void crimg_window_fini(struct crimg_window *w);
// Goes on at offset, wherever that is. Forgets what is held.
void crimg_window_seek(struct crimg_window *w, uint64_t offset);
// Lends at least `wanted` contiguous bytes, fewer only at the end; *got says how many. Valid until the
// next call.
CRIMG_MUST_CHECK int crimg_window_peek(struct crimg_window *w, size_t wanted, const uint8_t **out,
                                       size_t *got, struct crimg_err *err);
// Moves on by length bytes, which need not have been peeked at.
CRIMG_MUST_CHECK int crimg_window_skip(struct crimg_window *w, uint64_t length,
                                       struct crimg_err *err);

#endif
