// Bytes into a file descriptor: a new regular file at any offset, with holes and with copies made by the
// kernel; or anything else, forwards. Small writes are gathered; a large file is handed to the disk
// early, so that the last fsync is short.
#ifndef CRIMG_FORMAT_OUTFD_H
#define CRIMG_FORMAT_OUTFD_H

#include "format/output.h"

struct crimg_outfd {
	int fd;
	bool at_offsets;   // a regular file that was empty
	bool failed;       // bytes are missing: it cannot be finished any more
	const char *shown; // for errors, borrowed
	uint64_t held;     // bytes that the file has
	uint64_t end;      // bytes that it must have: what is missing are zeros, or pending
	uint64_t promised; // bytes that it will have; 0: not known
	uint8_t *pending;  // bytes [pending_at, + pending_length) not written yet; owned, made when needed
	uint64_t pending_at;
	size_t pending_length;
	uint64_t written;  // bytes in all
	struct crimg_early_sync *sync;     // of a large file; made when needed
	struct crimg_write_behind *behind; // takes the large writes of one; the same
};

// Takes over fd.
struct crimg_outfd crimg_outfd_make(int fd, bool at_offsets, const char *shown);
// Tells how large it will be (CRIMG_SIZE_UNKNOWN: who knows).
void crimg_outfd_promise(struct crimg_outfd *f, uint64_t size);
// Closes fd, if that is not -1, without writing what is pending. Returns 0 or an errno: network file
// systems tell of a full disk only here.
int crimg_outfd_close(struct crimg_outfd *f);
// offset is that of the next byte unless at_offsets. A failure may show in a later call.
CRIMG_MUST_CHECK int crimg_outfd_write(struct crimg_outfd *f, uint64_t offset, const void *data,
                                       size_t length, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_outfd_zero(struct crimg_outfd *f, uint64_t offset, uint64_t length,
                                      struct crimg_err *err);
// Lets the kernel copy: *done bytes of span, fewer than all (0) when it cannot.
CRIMG_MUST_CHECK int crimg_outfd_copy(struct crimg_outfd *f, uint64_t offset,
                                      struct crimg_span span, uint64_t *done,
                                      struct crimg_err *err);
// Writes what is pending and gives the file its size, which must be `wanted` bytes unless that is
// CRIMG_SIZE_UNKNOWN.
CRIMG_MUST_CHECK int crimg_outfd_finish(struct crimg_outfd *f, uint64_t wanted,
                                        struct crimg_err *err);

// The operations of a sink whose state is a struct crimg_outfd.
CRIMG_MUST_CHECK int crimg_outfd_sink_write(struct crimg_sink *sink, uint64_t offset,
                                            const void *data, size_t length,
                                            struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_outfd_sink_zero(struct crimg_sink *sink, uint64_t offset,
                                           uint64_t length, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_outfd_sink_copy(struct crimg_sink *sink, uint64_t offset,
                                           struct crimg_span span, struct crimg_err *err);

#endif
