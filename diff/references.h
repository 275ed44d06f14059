// Numbers that stand for things (file 7, pipe 427806, namespace 10) are made anew with each checkpoint: two
// references are the same when everything that names the one in a names the other in b. Remembers which
// number of a goes with which of b.
#ifndef CRIMG_DIFF_REFERENCES_H
#define CRIMG_DIFF_REFERENCES_H

#include "format/err.h"

enum crimg_reference {
	CRIMG_REF_NONE,
	CRIMG_REF_FILE,       // open files
	CRIMG_REF_OBJECT,     // what tasks share by kcmp: memory, descriptors, fs, handlers
	CRIMG_REF_NAMESPACE,
	CRIMG_REF_PID,        // of tasks and threads
	CRIMG_REF_PIPE,
	CRIMG_REF_INODE,      // of sockets and the like
	CRIMG_REF_MOUNT,
	CRIMG_REF_DEVICE,     // of file systems
	CRIMG_REF_PEERS,      // groups of mounts that share
	CRIMG_REF_SEGMENT,    // shared memory
	CRIMG_REF_MEMFD,
	CRIMG_REF_TTY,
	CRIMG_REF_BPF,
	CRIMG_REF_PORT,       // netlink
	// What is told once, wherever it is met: pairs of these.
	CRIMG_REF_CGROUPS,    // sets of control groups
	CRIMG_REF_FILTER,     // seccomp filters
	CRIMG_REF_TABLES,     // descriptor tables
	CRIMG_REF_CONTENTS,   // what waits in pipes
	CRIMG_REF_MEMFD_TOLD,
	CRIMG_REF_TTY_TOLD,
	CRIMG_REF_TTY_DATA_TOLD,
	CRIMG_REF_GHOST_TOLD, // deleted files
	CRIMG_REF_BPF_TOLD,
	CRIMG_REF_KINDS
};

struct crimg_references;

struct crimg_references *crimg_references_make(void); // NULL without memory
void crimg_references_free(struct crimg_references *r); // NULL is allowed

// True when a (in the first image) and b (in the second) are the same thing: they were seen together before,
// or neither was seen at all, which is remembered. 0 is nothing and goes with 0 alone. Without memory, true
// with err filled.
bool crimg_references_agree(struct crimg_references *r, enum crimg_reference kind, uint64_t a,
                            uint64_t b, struct crimg_err *err);
// True when neither was seen, which is remembered: the two are met for the first time.
bool crimg_references_first(struct crimg_references *r, enum crimg_reference kind, uint64_t a,
                            uint64_t b, struct crimg_err *err);
// What id of side 0 or 1 goes with; false when it was not seen.
bool crimg_references_find(const struct crimg_references *r, enum crimg_reference kind, int side,
                           uint64_t id, uint64_t *other);

#endif
