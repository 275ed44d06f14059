// Contents to their places in cores: each piece of a payload goes wherever the plan wants it, long
// zeros as holes. A core is opened when its first bytes come and ended after its last.
// Knows offsets; knows nothing of what the bytes mean. Memory: the list of pieces.
#ifndef CRIMG_WRITERS_ELFCORE_SCATTER_H
#define CRIMG_WRITERS_ELFCORE_SCATTER_H

#include "format/layout_elfcore.h"
#include "format/output.h"
#include "format/record.h"
#include "writers/elfcore_plan.h"

// One core as far as bytes go.
struct elfcore_core {
	uint64_t data_at, size;    // offset of the first stored segment; of the end
	uint64_t args_at;          // offset of the arguments
	uint32_t args_length;      // bytes of them that will come; 0: none
	uint64_t waiting;          // pieces that have not come in full
	bool opened, ended;
	struct crimg_sink sink;
	uint8_t args[CRIMG_PRPSINFO_ARGS_BYTES];
};

// Creates the file of a core, with all but memory.
typedef int elfcore_open_fn(void *context, size_t core, struct crimg_sink *sink,
                            struct crimg_err *err);

struct elfcore_scatter {
	struct elfcore_pieces pieces;  // filled by the planner before begin
	struct elfcore_core *cores;    // borrowed
	size_t count;
	elfcore_open_fn *open;
	void *context;
	size_t next;                   // the first piece that no contents have reached
	size_t *active;                // owned; those that have come in part
	size_t active_count, active_capacity;
	uint64_t payload, offset;      // where the contents are that came last
	uint8_t *buf;                  // owned; made when needed
};

// Sorts the pieces; from here on contents are taken.
void elfcore_scatter_begin(struct elfcore_scatter *s, struct elfcore_core *cores, size_t count,
                           elfcore_open_fn *open, void *context);
// Takes a CONTENT record, in the order of readers.
CRIMG_MUST_CHECK int elfcore_scatter_put(struct elfcore_scatter *s,
                                         const struct crimg_record *record, struct crimg_err *err);
// All contents were given: what is still open is ended; a piece that did not come is
// CRIMG_E_FORMAT.
CRIMG_MUST_CHECK int elfcore_scatter_end(struct elfcore_scatter *s, struct crimg_err *err);
void elfcore_scatter_fini(struct elfcore_scatter *s);

#endif
