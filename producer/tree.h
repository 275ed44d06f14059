// A tree of processes that stands still: who is in it, and how each was caught.
#ifndef CRIMG_PRODUCER_TREE_H
#define CRIMG_PRODUCER_TREE_H

#include <sys/types.h>

#include "format/err.h"
#include "producer/freezer.h"
#include "producer/waits.h"

struct crimg_live_thread {
	pid_t tid;
	struct crimg_wait wait; // that it was caught in
};

enum crimg_live_state {
	CRIMG_LIVE_RUNS,
	CRIMG_LIVE_STOPPED, // by job control
	CRIMG_LIVE_ZOMBIE,  // has no threads
};

struct crimg_live_task {
	pid_t pid, ppid, pgid, sid;
	enum crimg_live_state state;
	int stop_signal;    // of a stopped one
	unsigned exit_code; // of a zombie: as wait() tells it
	struct crimg_live_thread *threads; // all seized and stopped; the leader first
	size_t count, capacity;
};

// Parents stand before their children. The root is the first.
struct crimg_tree {
	struct crimg_live_task *tasks;
	size_t count, capacity;
	uint64_t froze_us;   // how long it took to stop all of them
	struct crimg_freezer freezer; // of a control group that was frozen before
	uint64_t frozen_at;  // CLOCK_MONOTONIC in microseconds when the first was stopped
	uint64_t thawed_at;  // the same when the last ran again; 0: they stand still
};

enum crimg_thaw {
	CRIMG_THAW_RUN,  // goes on as if nothing had been
	CRIMG_THAW_STOP, // stays, stopped by SIGSTOP
	CRIMG_THAW_KILL,
};

// Names what makes the tree below root one that cannot be taken, before anything is touched: no such process,
// a kernel thread, traced already, not ours to trace, files or memory that no image can hold …
// CRIMG_E_UNSUPPORTED, CRIMG_E_NOTFOUND.
CRIMG_MUST_CHECK int crimg_tree_refuse(pid_t root, struct crimg_err *err);
// The same of one process.
CRIMG_MUST_CHECK int crimg_task_refuse(pid_t pid, struct crimg_err *err);

// Stops every thread of root and of all its descendants, new ones included; with the help of their
// control group, where they have one for themselves. After an error all run on. If we die, the
// kernel lets them run on.
CRIMG_MUST_CHECK int crimg_tree_freeze(pid_t root, struct crimg_tree *out, struct crimg_err *err);
// All that were stopped still stand; else the error says who ended, and how. CRIMG_E_IO.
CRIMG_MUST_CHECK int crimg_tree_check(const struct crimg_tree *tree, struct crimg_err *err);
// After an error: where a task has ended, that is why, and err says so instead. Returns -1.
int crimg_tree_explain(const struct crimg_tree *tree, struct crimg_err *err);
// Ends it. tree may be one that was thawed already.
void crimg_tree_thaw(struct crimg_tree *tree, enum crimg_thaw how);

uint64_t crimg_now_us(void); // CLOCK_MONOTONIC

// Calls one with every number that names an entry of a directory of /proc ("/proc/7/task"); stops when it
// returns not 0, and returns that. -1 with err: the directory cannot be read.
CRIMG_MUST_CHECK int crimg_each_number(const char *path, int (*one)(void *context, int number),
                                       void *context, struct crimg_err *err);
// The children of a process, of all its threads. The same.
CRIMG_MUST_CHECK int crimg_each_child(pid_t pid, int (*one)(void *context, int pid), void *context,
                                      struct crimg_err *err);

// Field number (from 1, as proc(5) counts) of /proc/PID/stat's text behind the name; fields 3 and up.
uint64_t crimg_stat_number(const char *stat, unsigned field);
char crimg_stat_state(const char *stat);
// Whether it is a thread of the kernel.
bool crimg_stat_is_kernel(const char *stat);

#endif
