// What the tasks of a tree share with tasks outside it: a container is closed when nobody out there holds
// anything that is held inside. Knows kcmp and /proc; refuses to know images.
#ifndef CRIMG_PRODUCER_LEAKS_H
#define CRIMG_PRODUCER_LEAKS_H

#include "producer/tree.h"

// The kinds that can be enforced, as bits of a mask.
enum {
	CRIMG_LEAK_MM = 1,          // an address space; memory that is mapped shared and has no name
	CRIMG_LEAK_FILES = 2,       // a table of descriptors; an open file; a file without a name
	CRIMG_LEAK_FS = 4,          // working directory, root, umask
	CRIMG_LEAK_SIGHAND = 8,     // signal handlers
	CRIMG_LEAK_IPC = 16,        // the ipc namespace
	CRIMG_LEAK_NAMESPACES = 32, // mounts, network, processes, names; not users, control groups and clocks
	CRIMG_LEAK_PIPES = 64,      // an end of a pipe or fifo
	CRIMG_LEAK_SOCKETS = 128,   // a socket
	CRIMG_LEAK_ALL = 255,
};

// The mask of "mm,files"; CRIMG_E_USAGE for a word that is no kind.
CRIMG_MUST_CHECK int crimg_leaks_parse(const char *words, unsigned *kinds, struct crimg_err *err);

// The word of the kind that is bit i of a mask; NULL: there is none.
const char *crimg_leaks_word(unsigned i);

// Counts the holders of what tree, which stands still, holds of these kinds. Each object that is held
// outside, too, is told once ("files: descriptor 1 of process 7, /dev/pts/0, is held by process 5 (bash), too");
// then the call fails with CRIMG_E_UNSUPPORTED. So it does when a task outside cannot be looked at.
// Crimg itself, its children and kernel threads are nobody. Source: PRODUCT's --enforce; the leak detection of
// checkpoint(2) (2009), which counted references instead.
CRIMG_MUST_CHECK int crimg_leaks_refuse(const struct crimg_tree *tree, unsigned kinds,
                                        void (*found)(void *context, const char *leak), void *context,
                                        struct crimg_err *err);

#endif
