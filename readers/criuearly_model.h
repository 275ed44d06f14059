// An early CRIU image, read: its processes, what they map and hold, where their pages lie. Numbers of open files
// of 2011 are given here. Knows structures; knows no messages.
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

#define EARLY_TYPE_FILE 1u // types are those of fd_types
#define EARLY_TYPE_PIPE 2u

// An open file, or what a descriptor or a mapping is of.
struct early_file {
	uint32_t id;
	uint32_t type;
	bool is_map;
	uint32_t flags, pipe;
	uint64_t number;     // descriptor, or address; of those in early.opened it says nothing
	uint64_t position;
	const char *name;
	const uint8_t *owner; // CRIMG_EARLY_OWNER_BYTES; NULL: none
};

struct early_files {
	struct early_file *list; // owned
	size_t count, capacity;
};

struct early_process {
	uint32_t pid, ppid, pgid, sid;
	const uint8_t *tids;     // of all threads, 4 bytes each; NULL: it has one
	uint32_t tid_count;
	const uint8_t *core; // as that of its thread; NULL: it was not read
	// Of 2012. NULL: not read, or of 2011.
	const uint8_t *mm, *fs, *actions;
	uint32_t table;          // of its descriptors
	bool shares_files;       // with a process before it: its descriptors are there
	struct early_area *areas; // owned
	size_t area_count, area_capacity;
	struct early_files files; // descriptors and mappings
	struct early_pages pages;
};

struct early_thread {
	uint32_t tid;
	const uint8_t *core; // CRIMG_EARLY_CORE_BYTES or CRIMG_EARLY_CORE_2012_BYTES; NULL: it was not read
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
enum early_record_type { EARLY_FILE_NAME, EARLY_PSTREE, EARLY_CORE, EARLY_AREA, EARLY_FD, EARLY_PIPE, EARLY_SHMEM,
			 EARLY_MM, EARLY_FS, EARLY_ACTIONS, EARLY_REG_FILE };

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
	bool is_2012;                    // which set it is
	struct early_thread *threads; // owned
	size_t thread_count, thread_capacity;
	struct early_files opened;
	struct early_pipe *pipes;
	size_t pipe_count, pipe_capacity;
	struct early_use *uses; // sorted by segment once all are read
	size_t use_count, use_capacity;
	struct early_segment *segments;
	size_t segment_count, segment_capacity;
	struct early_record *records;
	size_t record_count, record_capacity;
	bool *read;                  // of each member, whether it was read; owned
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

// "x/pstree-12.img" of the store, the first by name, of 2011, else a "x/pstree.img" that holds packed structures, of
// 2012. *tree is NULL when there is neither. -1: memory, I/O.
CRIMG_MUST_CHECK int early_pstree(struct crimg_store *store, const struct crimg_member **tree, bool *is_2012,
				  struct crimg_err *err);

#endif
