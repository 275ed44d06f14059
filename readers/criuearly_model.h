// An early CRIU image, read: its processes, what they map and hold, where their pages lie. Numbers of open files
// are given here. Knows structures; knows no messages.
#ifndef CRIMG_READERS_CRIUEARLY_MODEL_H
#define CRIMG_READERS_CRIUEARLY_MODEL_H

#include "format/buf.h"
#include "format/layout_criuearly.h"
#include "format/store.h"

struct early_page {
	uint64_t address;
	uint64_t offset; // of its bytes, in the joined source
};

struct early_pages {
	struct early_page *list; // owned; sorted by address
	size_t count, capacity;
};

struct early_area {
	const uint8_t *data; // CRIMG_EARLY_AREA_BYTES
	uint32_t file;       // that is mapped; 0: none
	uint64_t segment;    // of shared memory; 0: none
};

// An open file: what a descriptor or a mapping is of.
struct early_file {
	uint32_t id;
	bool is_map, is_pipe;
	uint32_t flags, pipe;
	uint64_t number;     // descriptor, or address
	uint64_t position;
	const char *name;
};

struct early_process {
	uint32_t pid, ppid;
	const uint8_t *core; // CRIMG_EARLY_CORE_BYTES; NULL: it was not read
	struct early_area *areas; // owned
	size_t area_count, area_capacity;
	struct early_file *files; // owned
	size_t file_count, file_capacity;
	struct early_pages pages;
};

// What is in a pipe.
struct early_pipe {
	uint32_t pipe, bytes;
	uint64_t offset; // in the joined source
};

// Shared memory as a process maps it.
struct early_use {
	uint64_t segment, start, end;
};

struct early_segment {
	uint64_t id;
	struct early_pages pages; // addresses within the segment
};

// A structure as it was found, under the number of its kind.
enum early_record_type { EARLY_FILE_NAME, EARLY_PSTREE, EARLY_CORE, EARLY_AREA, EARLY_FD, EARLY_PIPE, EARLY_SHMEM };

struct early_record {
	enum early_record_type type;
	const uint8_t *data;
	uint32_t length;
	uint64_t offset; // in its file
};

struct early {
	struct crimg_store *store;
	struct crimg_source *joined; // owned: all members
	char *root;                  // owned: of the image's files, with its slash
	struct early_process *processes; // owned; sorted by pid
	size_t process_count, process_capacity;
	struct early_pipe *pipes;
	size_t pipe_count, pipe_capacity;
	struct early_use *uses; // sorted by segment once all are read
	size_t use_count, use_capacity;
	struct early_segment *segments;
	size_t segment_count, segment_capacity;
	struct early_record *records;
	size_t record_count, record_capacity;
	size_t *others;              // members that are none of the above; owned
	size_t other_count, other_capacity;
	uint32_t last_file;
	struct crimg_arena arena;
	struct crimg_err damage;
};

// Reads all but page contents. e is zeroed; early_fini() frees what it holds whatever happens. Damage is told
// in e->damage where something can be read. -1: nothing can, memory, I/O.
CRIMG_MUST_CHECK int early_load(struct early *e, struct crimg_store *store, struct crimg_err *err);
void early_fini(struct early *e);

// "x/pstree-12.img" of the store, the first by name. NULL: there is none.
const struct crimg_member *early_pstree(const struct crimg_store *store);

#endif
