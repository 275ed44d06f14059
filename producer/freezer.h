// The freezer of control groups: where a tree has a group of its own, all of it stops at once, and
// nobody forks away while its tasks are being caught. Knows cgroup.freeze (v2) and freezer.state
// (v1); refuses to know ptrace.
//
// A frozen task makes no system calls for us, so the group is thawed as soon as all its tasks are
// seized and interrupted: they run into ptrace-stops, and not one instruction of theirs. What holds
// them from then on is ptrace: SIGCONT, kill(2) and thawing the group do not move them; only
// SIGKILL does.
//
// A group that was frozen before (docker pause) is frozen again before its tasks are let go. Should
// we be killed in between, a child of ours (the guard) puts the groups back to what they were.
#ifndef CRIMG_PRODUCER_FREEZER_H
#define CRIMG_PRODUCER_FREEZER_H

#include <sys/types.h>

#include "producer/guard.h"

struct crimg_cgroup {
	char *folder;    // "/sys/fs/cgroup/pod7"
	bool unified;    // v2
	bool was_frozen; // of its own doing, not because one above is
	bool top;        // holds the others
};

// Zeroed: the tree has no group of its own, and nothing is to be done.
struct crimg_freezer {
	struct crimg_cgroup *groups;
	size_t count, capacity;
	struct crimg_guard guard;
};

// Finds the groups that hold the tree below root and nobody else; changes nothing.
// CRIMG_E_UNSUPPORTED: the tree is frozen by a group that others are in, too.
CRIMG_MUST_CHECK int crimg_cgroups_find(struct crimg_freezer *f, pid_t root, struct crimg_err *err);
// All of it stands still.
bool crimg_cgroup_stands(const char *folder, bool unified);

// Finds them, and freezes. Those that cannot be written to are left alone, unless they are frozen
// already.
CRIMG_MUST_CHECK int crimg_freezer_freeze(struct crimg_freezer *f, pid_t root,
					  struct crimg_err *err);
// Thaws all of them: their tasks run into the stops that wait for them.
CRIMG_MUST_CHECK int crimg_freezer_release(struct crimg_freezer *f, struct crimg_err *err);
// Puts them back to what they were, and forgets them.
void crimg_freezer_restore(struct crimg_freezer *f);

#endif
