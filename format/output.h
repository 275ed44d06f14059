// Where a writer's bytes go: a directory, a tar, one file, or standard output. The output appears under
// its final name whole or not at all. Knows nothing of formats.
#ifndef CRIMG_FORMAT_OUTPUT_H
#define CRIMG_FORMAT_OUTPUT_H

#include "format/source.h"

struct crimg_output;

// One member being written. Members of a directory take bytes at any offset; others only forwards.
struct crimg_sink {
	struct crimg_output *output;
	void *state;
	uint64_t at;       // bytes so far, where the next append goes
};

struct crimg_output_ops {
	// A member of exactly size bytes (CRIMG_SIZE_UNKNOWN: not known yet, refused by archives).
	int (*create)(struct crimg_output *o, const char *name, uint64_t size, struct crimg_sink *sink,
	              struct crimg_err *err);
	int (*write)(struct crimg_sink *sink, uint64_t offset, const void *data, size_t length,
	             struct crimg_err *err);
	// length zero bytes: a hole where holes are possible.
	int (*zero)(struct crimg_sink *sink, uint64_t offset, uint64_t length, struct crimg_err *err);
	// Copies a span; NULL: read and write.
	int (*copy)(struct crimg_sink *sink, uint64_t offset, struct crimg_span span,
	            struct crimg_err *err);
	int (*end)(struct crimg_sink *sink, struct crimg_err *err);   // the member is complete
	int (*link)(struct crimg_output *o, const char *name, const char *target,
	            struct crimg_err *err);
	int (*mkdir)(struct crimg_output *o, const char *name, struct crimg_err *err);
	int (*commit)(struct crimg_output *o, struct crimg_err *err);
	// Frees what o->state holds, and unless o->committed first removes what this output made, and
	// nothing else.
	void (*discard)(struct crimg_output *o);
};

struct crimg_output {
	const struct crimg_output_ops *ops;
	char *path;        // final name, owned
	bool at_offsets;   // write() takes any offset; several members may be open at once
	bool committed;
	void *state;
};

// A directory that must not exist yet, or be empty (and no mount point). Mode 0700, files 0600.
CRIMG_MUST_CHECK int crimg_output_open_dir(const char *path, struct crimg_output **out,
                                           struct crimg_err *err);
// One file, mode 0600; "-" is standard output. Its only member has the name "". A regular file of this
// name is replaced by the commit, not before; a device or fifo is written as it is, forwards. Callers
// ignore SIGPIPE and SIGXFSZ, so that a closed pipe and a file size limit come back as errors.
CRIMG_MUST_CHECK int crimg_output_open_file(const char *path, struct crimg_output **out,
                                            struct crimg_err *err);
// A tar; the suffix of path chooses the compression (.tar, .tar.gz, .tgz, .tar.zst, .tar.xz), unless
// filter is not NULL but one of "none", "gzip", "zstd", "xz"; "-" is standard output and needs a filter.
// Members are written one after the other.
CRIMG_MUST_CHECK int crimg_output_open_tar(const char *path, const char *filter,
                                           struct crimg_output **out, struct crimg_err *err);
// A symbolic link, and an empty directory; refused by outputs of one file: CRIMG_E_UNSUPPORTED. Missing
// directories in the path of a member are made as needed.
CRIMG_MUST_CHECK int crimg_output_link(struct crimg_output *o, const char *name, const char *target,
                                       struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_output_mkdir(struct crimg_output *o, const char *name,
                                        struct crimg_err *err);
// Gives it its final name: fsync, rename. All members must have ended. Then, or to discard everything:
// close.
CRIMG_MUST_CHECK int crimg_output_commit(struct crimg_output *o, struct crimg_err *err);
void crimg_output_close(struct crimg_output *o); // NULL is allowed

// Each member is created, filled, and ended; one that is not ended goes when the output is closed. Small
// pieces are gathered, so a full disk or a closed pipe may show in a later call, at the latest in end. Where
// bytes are only taken forwards, an offset beyond the last byte fills the gap with zeros.
CRIMG_MUST_CHECK int crimg_sink_create(struct crimg_output *o, const char *name, uint64_t size,
                                       struct crimg_sink *sink, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sink_append(struct crimg_sink *sink, const void *data, size_t length,
                                       struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sink_write(struct crimg_sink *sink, uint64_t offset, const void *data,
                                      size_t length, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sink_zero(struct crimg_sink *sink, uint64_t offset, uint64_t length,
                                     struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sink_copy(struct crimg_sink *sink, uint64_t offset,
                                     struct crimg_span span, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_sink_end(struct crimg_sink *sink, struct crimg_err *err);

// For the outputs themselves: allocates an output and copies path.
CRIMG_MUST_CHECK int crimg_output_make(const struct crimg_output_ops *ops, const char *path,
                                       void *state, struct crimg_output **out,
                                       struct crimg_err *err);
// What copy does where the kernel cannot help: read and write.
CRIMG_MUST_CHECK int crimg_sink_copy_bytes(struct crimg_sink *sink, uint64_t offset,
                                           struct crimg_span span, struct crimg_err *err);

#endif
