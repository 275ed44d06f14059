// Contents to their places in the files of an output: each piece of a payload goes wherever the plan
// wants it, long zeros as holes. A file is opened when its first bytes come and ended after its last.
// Knows offsets; knows nothing of what the bytes mean. Memory: the list of pieces.
#ifndef CRIMG_WRITERS_SCATTER_H
#define CRIMG_WRITERS_SCATTER_H

#include "format/layout_elfcore.h"
#include "format/output.h"
#include "format/record.h"

// Bytes of a payload and their place in a file.
struct scatter_piece {
	uint64_t payload, from, length;
	uint64_t to;             // bytes behind data_at; args: into them
	uint32_t core;           // which file
	bool args;               // of a core: goes into the note that shows the process's arguments
};

struct scatter_pieces {
	struct scatter_piece *list; // owned
	size_t count, capacity;
	uint64_t steps;             // stretches of address space looked at, over all cores
};

// In the order in which payloads come.
void scatter_pieces_sort(struct scatter_pieces *pieces);

// One file (an ELF core, a kernel stream) as far as bytes go.
struct scatter_file {
	uint64_t data_at, size;    // offset that pieces count from; of the end
	uint64_t args_at;          // offset of the arguments
	uint32_t args_length;      // bytes of them that will come; 0: none
	uint64_t waiting;          // pieces that have not come in full
	bool opened, ended;
	struct crimg_sink sink;
	uint8_t args[CRIMG_PRPSINFO_ARGS_BYTES];
};

// Creates a file, with all but memory.
typedef int scatter_open_fn(void *context, size_t core, struct crimg_sink *sink,
                            struct crimg_err *err);

struct scatter {
	struct scatter_pieces pieces;  // filled by the planner before begin
	struct scatter_file *cores;    // borrowed
	size_t count;
	scatter_open_fn *open;
	void *context;
	size_t next;                   // the first piece that no contents have reached
	size_t *active;                // owned; those that have come in part
	size_t active_count, active_capacity;
	uint64_t payload, offset;      // where the contents are that came last
	uint8_t *buf;                  // owned; made when needed
};

// Sorts the pieces; from here on contents are taken.
void scatter_begin(struct scatter *s, struct scatter_file *cores, size_t count,
                   scatter_open_fn *open, void *context);
// Takes a CONTENT record, in the order of readers.
CRIMG_MUST_CHECK int scatter_put(struct scatter *s, const struct crimg_record *record,
                                 struct crimg_err *err);
// All contents were given: what is still open is ended; a piece that did not come is
// CRIMG_E_FORMAT.
CRIMG_MUST_CHECK int scatter_end(struct scatter *s, struct crimg_err *err);
void scatter_fini(struct scatter *s);

#endif
