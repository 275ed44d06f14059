// What a tree holds, by what tells it from the outside: tables, open files, and what has a device and an inode number.
// Knows the tree; refuses to know who else there is.
#ifndef CRIMG_PRODUCER_LEAK_TABLE_H
#define CRIMG_PRODUCER_LEAK_TABLE_H

#include "producer/sharing.h"
#include "producer/tree.h"

// The structures of the kernel that a task has one of each: rows of crimg_leak_structures.
enum { CRIMG_LEAK_ROW_MM, CRIMG_LEAK_ROW_FILES, CRIMG_LEAK_ROW_FS, CRIMG_LEAK_ROW_SIGHAND,
       CRIMG_LEAK_STRUCTURES };
struct crimg_leak_structure {
	unsigned kind; // CRIMG_LEAK_…
	int compared;  // KCMP_…
	const char *what;
};
extern const struct crimg_leak_structure crimg_leak_structures[CRIMG_LEAK_STRUCTURES];

// Namespaces, as /proc/PID/ns names them: rows of crimg_leak_namespaces. Those for users, control groups and clocks are
// not among them: engines leave containers in their own.
enum { CRIMG_LEAK_NAMESPACE_COUNT = 6 };
struct crimg_leak_namespace {
	unsigned kind;
	const char *name;
};
extern const struct crimg_leak_namespace crimg_leak_namespaces[CRIMG_LEAK_NAMESPACE_COUNT];

enum crimg_leak_held_as { CRIMG_LEAK_HELD_FD, CRIMG_LEAK_HELD_MAPPING, CRIMG_LEAK_HELD_NAMESPACE };

struct crimg_leak_held {
	uint64_t dev, ino;
	enum crimg_leak_held_as as;
	pid_t pid;        // a holder inside
	int place;        // descriptor; row of crimg_leak_namespaces
	unsigned kind;
	bool by_opening;  // only who has this very open file holds it: others of the same inode do not
	bool told;
};

struct crimg_leak_table {
	pid_t *inside; // processes, ascending
	size_t inside_count;
	struct crimg_sharing structures[CRIMG_LEAK_STRUCTURES], openings;
	bool told[CRIMG_LEAK_STRUCTURES]; // a leak of it
	struct crimg_leak_held *held; // ascending by dev and ino
	size_t count, capacity;
};

// Of the kinds in the mask. Close it with _fini also after an error.
CRIMG_MUST_CHECK int crimg_leak_table_fill(struct crimg_leak_table *t, const struct crimg_tree *tree,
                                           unsigned kinds, struct crimg_err *err);
void crimg_leak_table_fini(struct crimg_leak_table *t);
bool crimg_leak_table_inside(const struct crimg_leak_table *t, pid_t pid);
// The first row of an inode, or NULL; the others follow it, up to held + count.
struct crimg_leak_held *crimg_leak_table_find(const struct crimg_leak_table *t, uint64_t dev,
                                              uint64_t ino);

// Calls one with every mapping of shared memory that has no name (anonymous, memfd, removed) of a process.
CRIMG_MUST_CHECK int crimg_leak_each_mapping(pid_t pid,
                                             int (*one)(void *context, uint64_t dev, uint64_t ino),
                                             void *context, struct crimg_err *err);

#endif
