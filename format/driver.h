// The two vtables: a format is a reader driver and a writer driver. And the input they read from.
#ifndef CRIMG_FORMAT_DRIVER_H
#define CRIMG_FORMAT_DRIVER_H

#include "format/record.h"
#include "format/store.h"

#define CRIMG_PROBE_BYTES 4096

// What the user named: a directory or archive (store), a file or pipe (source), or a process (neither). A
// reader takes what is set over when its open succeeds and sets it to NULL.
struct crimg_input {
	char *path;                      // as the user wrote it; owned
	struct crimg_store *store;
	struct crimg_source *source;
	uint8_t head[CRIMG_PROBE_BYTES]; // first bytes of source
	size_t head_length;
};

// "-" is standard input. A pipe that holds an archive, one file of a CRIU image, an ELF core, a kernel
// stream or an OpenVZ image is copied to an unlinked temporary file in tmpdir first: there, metadata follow contents.
// tmpdir is borrowed as long as what in holds is open: see crimg_store_open_tar.
CRIMG_MUST_CHECK int crimg_input_open(const char *path, const char *tmpdir, struct crimg_input *out,
                                      struct crimg_err *err);
// For whoever reads all contents, in any order or where they lie: a pipe is copied so whatever it holds, and what is
// packed in an archive is unpacked.
CRIMG_MUST_CHECK int crimg_input_open_wanted(const char *path, const char *tmpdir,
                                             struct crimg_input *out, struct crimg_err *err);
void crimg_input_fini(struct crimg_input *in);
// The process that a path names as "pid:N" (a file of that name is ./pid:N); 0: it names none.
int32_t crimg_input_pid(const char *path);

struct crimg_ledger;
struct crimg_reader {
	const struct crimg_reader_driver *driver;
	void *state;
	bool single_object;  // the input is one file of an image (core-7.img, its JSON), not an image
};

// A piece of payload whose bytes were digested when it was written.
struct crimg_digest {
	uint64_t offset, length; // of the piece, in the payload
	bool zero;               // all bytes are 0; digest is not set
	uint8_t digest[16];      // XXH3-128, canonical form
};

struct crimg_reader_driver {
	const char *name;     // PRODUCT name: "criu", "crimg", …
	const char *summary;  // one line for `crimg formats`
	const char *keeps, *loses;
	// How sure we are that this is ours: 0 no, 100 certain. Pure: reads only what in holds.
	int (*probe)(const struct crimg_input *in);
	int (*open)(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err);
	// 1: *record is filled, lent until the next call. 0: the end. -1: err; a reader that can go on yields
	// the next OBJECT when it is called once more (with a fresh err), else -1 again.
	int (*next)(struct crimg_reader *reader, struct crimg_record *record, struct crimg_err *err);
	// Random access to a payload announced before: exactly length bytes. NULL: only as a stream.
	int (*read)(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
	            size_t length, struct crimg_err *err);
	// Where the payload's bytes from offset on lie as they are: *out, of at least one byte. 1; 0: they do
	// not (packed, or zeros that no file holds); -1: err. The span's source lives until the next call of
	// the reader. NULL: nowhere.
	int (*locate)(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
	              struct crimg_span *out, struct crimg_err *err);
	// The digest of the piece that holds offset, without its bytes. 1; 0: there is none; -1: err. NULL:
	// the format has none.
	int (*digest)(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
	              struct crimg_digest *out, struct crimg_err *err);
	// Of an input whose metadata were read: what they promise stands behind them, to the end. By its end alone;
	// thorough: by all that stands around contents, and a pipe is read to its end. 0; -1: err says where it
	// fails. NULL: who read the metadata knows. To be called once.
	int (*whole)(struct crimg_reader *reader, bool thorough, struct crimg_err *err);
	// Notes in the ledger what CRIU's messages approximate of the input or have no place for. To be called
	// before the first next. NULL: the messages say all.
	int (*notes)(struct crimg_reader *reader, struct crimg_ledger *ledger, struct crimg_err *err);
	void (*close)(struct crimg_reader *reader);
};

struct crimg_output;

struct crimg_writer_options {
	const char *compress;   // "none", "zstd" or NULL for the format's default
	int level;              // of compression; 0: the default
	bool pretty;            // json
	bool single_object;     // the source is one file of an image, not an image
	bool has_pid;           // core: of process pid alone
	uint32_t pid;
	bool members;           // core: the output is a directory, one member a process
	bool amends;            // crimg: the statistics come again behind the contents, as put says
	const char *posting;    // make the image as this posting has it, whatever records are carried; or NULL. linux-cr:
	                        // "v20", "v23-rc2"; kstate: "F", "M"
	struct crimg_ledger *ledger; // takes what is lost; borrowed; may be NULL
};

struct crimg_writer {
	const struct crimg_writer_driver *driver;
	struct crimg_output *output; // borrowed
	void *state;
};

struct crimg_writer_driver {
	const char *name;
	const char *const *suffixes; // NULL-terminated: ".crimg"
	bool single;          // writes one file (or a pipe), not a tree of members
	bool per_process;     // one file a process, several being members of a directory
	bool whole_pages;     // wants all pages, those of parents too, and none compressed
	int (*open)(struct crimg_writer *writer, const struct crimg_writer_options *options,
	            struct crimg_err *err);
	// Takes one record; what it lends may be used only during the call. With options->amends, a MESSAGE of
	// statistics behind the contents takes the place of the first, if the output can be written at offsets.
	int (*put)(struct crimg_writer *writer, const struct crimg_record *record,
	           struct crimg_err *err);
	// All records were given: complete the output (not yet under its final name).
	int (*finish)(struct crimg_writer *writer, struct crimg_err *err);
	void (*close)(struct crimg_writer *writer);
};

// The static tables (readers/readers.c, writers/writers.c), NULL-terminated.
extern const struct crimg_reader_driver *const crimg_readers[];
extern const struct crimg_writer_driver *const crimg_writers[];

// The most certain driver, or the one called format; opens it. Takes over what in holds.
CRIMG_MUST_CHECK int crimg_reader_open(struct crimg_input *in, const char *format,
                                       struct crimg_reader *out, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_reader_next(struct crimg_reader *reader, struct crimg_record *record,
                                       struct crimg_err *err);
void crimg_reader_close(struct crimg_reader *reader);

// By name, or by the suffix of path; NULL when there is none.
const struct crimg_writer_driver *crimg_writer_by_name(const char *name);
const struct crimg_writer_driver *crimg_writer_by_suffix(const char *path);

#endif
