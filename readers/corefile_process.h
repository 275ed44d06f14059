// What the notes of a core say of the process: its numbers, its threads, its auxiliary vector, the
// files it had mapped. Knows notes; knows nothing of memory and of messages.
#ifndef CRIMG_READERS_COREFILE_PROCESS_H
#define CRIMG_READERS_COREFILE_PROCESS_H

#include "readers/corefile_notes.h"

struct corefile_thread {
	uint32_t tid;
	bool repeated; // of several with one tid all but the first: passed over
	struct corefile_bytes status; // NT_PRSTATUS, of the right size; a leader that is gone has none
	struct corefile_bytes xstate, fxregs, fpregs, tls; // others, of any size
};

// A row of NT_FILE.
struct corefile_mapping {
	uint64_t start, end; // addresses, whole pages
	uint64_t offset;     // of start in the file that is mapped
	const char *path;
	uint32_t file; // its number, from 1
};

struct corefile_process {
	uint32_t pid, ppid, pgid, sid;
	uint32_t flags; // of the task (PF_*), as far as the core tells
	char comm[17];
	struct corefile_thread *threads; // in the order of the notes
	size_t count, capacity;
	size_t *by_tid; // those that are not repeated, by number
	size_t tid_count;
	size_t leader; // index in threads
	struct corefile_bytes auxv;
	struct corefile_mapping *mappings; // sorted by start
	size_t mapping_count;
	const char **paths; // of files 1, 2, …
	size_t path_count;
};

// What is wrong but can be passed over goes into damage. On failure *out needs no fini. What *out
// lends lives as long as the elf.
CRIMG_MUST_CHECK int corefile_process_load(const struct corefile_elf *elf,
                                           struct corefile_process *out, struct crimg_err *damage,
                                           struct crimg_err *err);
void corefile_process_fini(struct corefile_process *p);

// The value of an AT_* of the auxiliary vector; false when it is not there.
bool corefile_auxv(const struct corefile_elf *elf, const struct corefile_process *p, uint64_t type,
                   uint64_t *value);
// The mapping that holds address, or NULL. Of those that overlap, the one that begins last.
const struct corefile_mapping *corefile_mapping_at(const struct corefile_process *p,
                                                   uint64_t address);

#endif
