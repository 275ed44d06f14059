// Who bears whom. A session is had by birth alone, so a task whose parent never was in its session is born
// below that parent by somebody who is: by its bearer, through a helper, and comes up to its parent when the
// helper ends, as an orphan comes to a subreaper. Knows the numbers of an image; makes nothing.
//
// What is looked for is a tree of births in which every task stands below its parent, and every session is one
// piece that hangs from its leader. Every tree that a kernel can have had has one.
#ifndef CRIMG_PRODUCER_RESTART_FAMILY_H
#define CRIMG_PRODUCER_RESTART_FAMILY_H

#include "format/tasks.h"

#define CRIMG_NOBODY SIZE_MAX

struct crimg_puppet;

// A task of the image (the same index), or behind those a leader of a session who has ended: it is made for a while.
struct crimg_kin {
	uint32_t number;
	size_t birth;    // session it is born in
	size_t leads;    // session that it leads; CRIMG_NOBODY: none
	size_t bearer;   // index; CRIMG_NOBODY: of the first
	size_t first, next; // of those that it bears; the next of those that its bearer bears
	bool early;      // born before its bearer leads a session
	uint64_t shares, leaves; // CLONE_*: with its bearer from birth; when all are born (restart_tables.c)
	struct crimg_puppet *self;   // of a leader who has ended
	struct crimg_puppet *helper; // between bearer and task, while it is not its parent's yet
};

struct crimg_session {
	uint32_t number;
	size_t leader; // in kin; of session 0, which the first is born in, the first
	size_t parent; // session that its leader is born in; CRIMG_NOBODY: of session 0
};

struct crimg_family {
	struct crimg_kin *kin;
	size_t count;
	struct crimg_session *sessions;
	size_t session_count;
	uint32_t *used; // numbers that the image has, sorted
	size_t used_count;
	uint32_t spare; // number that was given to a helper last, or the first above all
};

// Of an image of one tree. CRIMG_E_UNSUPPORTED, with *who the first task that nobody can bear.
CRIMG_MUST_CHECK int crimg_family_plan(struct crimg_family *f, const struct crimg_tasks *tasks,
                                       size_t *who, struct crimg_err *err);
// Whom each bears, and whom early, from who their bearers are.
void crimg_family_list_children(struct crimg_family *f);
void crimg_family_fini(struct crimg_family *f);
// A number that is nobody's in the image, another each time, from the highest down; 0: none is left.
uint32_t crimg_family_spare(struct crimg_family *f);

#endif
