// Stopping a tree and letting it go. Knows ptrace's stops; refuses to know what is taken from the tasks.
#include "producer/tree.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/buf.h"
#include "producer/interrupted.h"
#include "producer/proc.h"
#include "producer/remote.h"

#define PATIENCE_US 10000000u // for a task that sleeps where no signal reaches it
#define GONE_US 2000000u       // for the reaper of those that we end
#define SPINS 200u            // before we sleep between looks

static int stat_of(pid_t pid, struct crimg_buf *buf, struct crimg_err *err)
{
	return crimg_proc_read(pid, "stat", buf, err);
}

static bool is_over(pid_t tid)
{
	struct crimg_buf stat = CRIMG_BUF_INIT;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char state = stat_of(tid, &stat, &ignored) < 0 ? 'X'
						       : crimg_stat_state((const char *)stat.data);
	crimg_buf_fini(&stat);
	return state == 'Z' || state == 'X' || state == 'x';
}

// 1: *status; 0: not in time.
static int wait_for(pid_t tid, int *status, struct crimg_err *err)
{
	uint64_t from = crimg_now_us();
	for (unsigned i = 0; crimg_now_us() - from < PATIENCE_US; i++) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);
		if (got == tid)
			return 1;
		if (got < 0 && errno != EINTR)
			return crimg_fail_sys(err, errno, NULL, "task %d cannot be waited for",
					      (int)tid);
		if (i < SPINS)
			sched_yield();
		else
			nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
	return 0;
}

// Waits until a seized and interrupted thread stands. *stop_signal: of job control, or 0. 0: it ended
// instead; 1: it stands.
static int wait_until_still(struct crimg_live_thread *t, int *stop_signal, struct crimg_err *err)
{
	pid_t tid = t->tid;
	for (;;) {
		int status, rc = wait_for(tid, &status, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET,
					  "task %d does not stop within %u seconds", (int)tid,
					  PATIENCE_US / 1000000u);
		if (!WIFSTOPPED(status))
			return 0;
		if (status >> 16 == PTRACE_EVENT_STOP) {
			struct crimg_err mine = CRIMG_ERR_INIT;
			*stop_signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
			if (crimg_undo_interruption(tid, &t->wait, &mine) == 0)
				return 1;
			if (mine.sys_errno == ESRCH) // killed: its end is still to be told
				continue;
			*err = mine;
			return -1;
		}
		// A signal was on its way: it is delivered, and the task stops behind that.
		if (ptrace(PTRACE_CONT, tid, NULL, (void *)(long)WSTOPSIG(status)) < 0
		    && errno != ESRCH)
			return crimg_fail_sys(err, errno, NULL, "task %d cannot go on", (int)tid);
	}
}

static bool has_thread(const struct crimg_live_task *t, pid_t tid)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->threads[i].tid == tid)
			return true;
	return false;
}

struct thread_walk {
	struct crimg_live_task *task;
	struct crimg_err *err;
};

static int fail_seize(pid_t tid, int number, struct crimg_err *err)
{
	return crimg_fail_sys(err, number, NULL, "task %d cannot be traced", (int)tid);
}

static int seize(void *context, int tid)
{
	struct thread_walk *w = context;
	void *array = w->task->threads;
	if (has_thread(w->task, tid))
		return 0;
	if (crimg_grow(&array, &w->task->capacity, w->task->count, sizeof *w->task->threads, w->err)
	    < 0)
		return -1;
	w->task->threads = array;
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)(long)CRIMG_REMOTE_OPTIONS) < 0) {
		int number = errno;
		return is_over(tid) ? 0 : fail_seize(tid, number, w->err);
	}
	struct crimg_live_thread *t = &w->task->threads[w->task->count++];
	*t = (struct crimg_live_thread){.tid = tid};
	crimg_wait_look(tid, &t->wait);
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 && errno != ESRCH)
		return fail_seize(tid, errno, w->err);
	return 0;
}

// Waits for the threads from number from on, and drops those that ended.
static int settle(struct crimg_live_task *t, size_t from, struct crimg_err *err)
{
	size_t kept = from;
	for (size_t i = from; i < t->count; i++) {
		int signal = 0, rc = wait_until_still(&t->threads[i], &signal, err);
		if (rc < 0) {
			// Those behind are still to be let go.
			memmove(t->threads + kept, t->threads + i,
				(t->count - i) * sizeof *t->threads);
			t->count -= i - kept;
			return -1;
		}
		if (rc > 0)
			t->threads[kept++] = t->threads[i];
		if (signal != 0) {
			t->state = CRIMG_LIVE_STOPPED;
			t->stop_signal = signal;
		}
	}
	t->count = kept;
	return 0;
}

static int read_identity(struct crimg_live_task *t, struct crimg_err *err)
{
	struct crimg_buf stat = CRIMG_BUF_INIT;
	if (stat_of(t->pid, &stat, err) < 0) {
		crimg_buf_fini(&stat);
		return -1;
	}
	const char *text = (const char *)stat.data;
	t->ppid = (pid_t)crimg_stat_number(text, 4);
	t->pgid = (pid_t)crimg_stat_number(text, 5);
	t->sid = (pid_t)crimg_stat_number(text, 6);
	if (t->count == 0) {
		t->state = CRIMG_LIVE_ZOMBIE;
		t->exit_code = (unsigned)crimg_stat_number(text, 52);
	}
	crimg_buf_fini(&stat);
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	const struct crimg_live_thread *x = a, *y = b;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

// The leader to the front. A process whose leader ended before its other threads is beyond every image.
static int put_leader_first(struct crimg_live_task *t, struct crimg_err *err)
{
	qsort(t->threads, t->count, sizeof *t->threads, by_tid);
	for (size_t i = 0; i < t->count; i++)
		if (t->threads[i].tid == t->pid) {
			struct crimg_live_thread leader = t->threads[i];
			memmove(t->threads + 1, t->threads, i * sizeof *t->threads);
			t->threads[0] = leader;
			return 0;
		}
	return t->count == 0 ? 0
			     : crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d: its first thread ended, others run on",
					  (int)t->pid);
}

// Looks for threads until there are no new ones: those that stand cannot make any.
static int freeze_task(struct crimg_live_task *t, struct crimg_err *err)
{
	struct thread_walk w = {t, err};
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
	if (settle(t, 0, err) < 0) // those that were seized while their control group stood
		return -1;
	for (size_t from = SIZE_MAX; from != t->count;) {
		from = t->count;
		if (crimg_each_number(path, seize, &w, err) < 0 || settle(t, from, err) < 0)
			return -1;
	}
	return put_leader_first(t, err) < 0 ? -1 : read_identity(t, err);
}

struct child_list {
	struct crimg_tree *tree;
	struct crimg_err *err;
};

static int add_task(void *context, int pid)
{
	struct child_list *l = context;
	void *array = l->tree->tasks;
	for (size_t i = 0; i < l->tree->count; i++)
		if (l->tree->tasks[i].pid == pid)
			return 0;
	if (crimg_grow(&array, &l->tree->capacity, l->tree->count, sizeof *l->tree->tasks, l->err) < 0)
		return -1;
	l->tree->tasks = array;
	l->tree->tasks[l->tree->count++] = (struct crimg_live_task){.pid = pid};
	return 0;
}

// One task of the list, which may be gone without a trace by now: then it is taken off it. The root is not.
static int freeze_at(struct crimg_tree *tree, size_t *at, struct crimg_err *err)
{
	struct crimg_err mine = CRIMG_ERR_INIT;
	struct crimg_live_task *t = &tree->tasks[*at];
	char path[64];
	snprintf(path, sizeof path, "/proc/%d", (int)t->pid);
	if (freeze_task(t, &mine) == 0) {
		++*at;
		return 0;
	}
	if (*at == 0 || t->count > 0 || access(path, F_OK) == 0) {
		*err = mine;
		return -1;
	}
	free(t->threads);
	tree->count--;
	memmove(t, t + 1, (tree->count - *at) * sizeof *t);
	return 0;
}

// Of the tasks from number first on, which stand.
static int list_children(struct crimg_tree *tree, size_t first, size_t end, struct crimg_err *err)
{
	struct child_list list = {tree, err};
	for (size_t i = first; i < end; i++)
		if (tree->tasks[i].state != CRIMG_LIVE_ZOMBIE
		    && crimg_each_child(tree->tasks[i].pid, add_task, &list, err) < 0)
			return -1;
	return 0;
}

// All threads of the tree, without waiting for any: they come into their stops together (those of a control
// group that stands, once it is thawed). Of a tree that runs, who is born meanwhile is found later.
static int seize_all(pid_t root, struct crimg_tree *tree, struct crimg_err *err)
{
	struct child_list list = {tree, err};
	int rc = add_task(&list, root);
	for (size_t i = 0; rc == 0 && i < tree->count; i++) {
		struct crimg_err mine = CRIMG_ERR_INIT;
		struct thread_walk w = {&tree->tasks[i], &mine};
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/task", (int)w.task->pid);
		list.err = &mine;
		rc = crimg_each_number(path, seize, &w, &mine);
		if (rc == 0)
			rc = crimg_each_child(tree->tasks[i].pid, add_task, &list, &mine);
		if (rc < 0 && access(path, F_OK) < 0)
			rc = 0; // killed, or a child of somebody who was
		else if (rc < 0)
			*err = mine;
	}
	return rc;
}

static int freeze_groups(pid_t root, struct crimg_tree *tree, struct crimg_err *err)
{
	if (crimg_freezer_freeze(&tree->freezer, root, err) < 0 || seize_all(root, tree, err) < 0)
		return -1;
	return tree->freezer.count == 0 ? 0 : crimg_freezer_release(&tree->freezer, err);
}

// Parents first: whoever stands can make no more children. But it can inherit some, from a child that ends
// before it is stopped: so all are asked again until nobody is new.
static int freeze_all(pid_t root, struct crimg_tree *tree, struct crimg_err *err)
{
	struct child_list list = {tree, err};
	size_t frozen = 0;
	if (add_task(&list, root) < 0) // unless it is the first already
		return -1;
	while (frozen < tree->count) {
		while (frozen < tree->count) {
			size_t before = frozen;
			if (freeze_at(tree, &frozen, err) < 0
			    || list_children(tree, before, frozen, err) < 0)
				return -1;
		}
		if (list_children(tree, 0, frozen, err) < 0)
			return -1;
	}
	if (tree->tasks[0].state == CRIMG_LIVE_ZOMBIE)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d has ended", (int)root);
	return 0;
}

int crimg_tree_freeze(pid_t root, struct crimg_tree *out, struct crimg_err *err)
{
	struct crimg_tree tree = {.frozen_at = crimg_now_us()};
	bool frozen = freeze_groups(root, &tree, err) == 0 && freeze_all(root, &tree, err) == 0;
	crimg_wait_looked();
	if (!frozen) {
		crimg_tree_thaw(&tree, CRIMG_THAW_RUN);
		return -1;
	}
	tree.froze_us = crimg_now_us() - tree.frozen_at;
	*out = tree;
	return 0;
}

// The parent hears of the death of a child only when its tracer has.
static void reap(const struct crimg_live_task *t)
{
	int status;
	for (size_t i = t->count; i-- > 0;)
		while (waitpid(t->threads[i].tid, &status, __WALL) < 0 && errno == EINTR)
			;
}

static void let_go(const struct crimg_live_task *t, enum crimg_thaw how)
{
	if (how == CRIMG_THAW_STOP && t->count > 0)
		kill(t->pid, SIGSTOP);
	for (size_t i = 0; how != CRIMG_THAW_KILL && i < t->count; i++)
		ptrace(PTRACE_DETACH, t->threads[i].tid, NULL, NULL);
}

// Whoever inherits the children reaps them in its own time; until then their numbers are taken, and the image
// cannot be restored. The root's parent may take as long as it likes.
static void wait_until_gone(const struct crimg_tree *tree)
{
	uint64_t from = crimg_now_us();
	char path[64];
	for (size_t i = 1; i < tree->count; i++) {
		snprintf(path, sizeof path, "/proc/%d", (int)tree->tasks[i].pid);
		while (access(path, F_OK) == 0 && crimg_now_us() - from < GONE_US)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

// A control group that was frozen is frozen again before anybody can run.
void crimg_tree_thaw(struct crimg_tree *tree, enum crimg_thaw how)
{
	for (size_t i = 0; how == CRIMG_THAW_KILL && i < tree->count; i++)
		if (tree->tasks[i].count > 0)
			kill(tree->tasks[i].pid, SIGKILL);
	if (how != CRIMG_THAW_KILL)
		crimg_freezer_restore(&tree->freezer);
	for (size_t i = 0; i < tree->count; i++) {
		if (how == CRIMG_THAW_KILL)
			reap(&tree->tasks[i]);
		else
			let_go(&tree->tasks[i], how);
		free(tree->tasks[i].threads);
	}
	if (how == CRIMG_THAW_KILL)
		wait_until_gone(tree);
	crimg_freezer_restore(&tree->freezer);
	free(tree->tasks);
	*tree = (struct crimg_tree){
		.froze_us = tree->froze_us, .frozen_at = tree->frozen_at,
		.thawed_at = tree->thawed_at != 0 ? tree->thawed_at : crimg_now_us(),
	};
}
