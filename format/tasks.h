// The processes of an image, put together from pstree, core, ids, mm and fs of old and new images
// alike. Every tool that speaks of tasks starts here. Knows messages; knows nothing of how they are
// shown.
#ifndef CRIMG_FORMAT_TASKS_H
#define CRIMG_FORMAT_TASKS_H

#include "format/image.h"

// task_core_entry.task_state
enum crimg_task_state {
	CRIMG_TASK_UNKNOWN = 0,  // no core
	CRIMG_TASK_ALIVE = 1,
	CRIMG_TASK_DEAD = 2,     // a zombie: has neither threads nor memory nor files
	CRIMG_TASK_STOPPED = 3,
};

struct crimg_thread {
	uint32_t tid;
	const CoreEntry *core;   // NULL when it is missing or broken
};

#define CRIMG_NO_TASK SIZE_MAX

struct crimg_task {
	uint32_t pid, ppid, pgid, sid;
	enum crimg_task_state state;
	const CoreEntry *core;         // of the leader; NULL when it is missing or broken
	const TaskKobjIdsEntry *ids;   // NULL for zombies
	const MmEntry *mm;
	const FsEntry *fs;
	const struct crimg_image_object *pagemap; // with map; NULL when there is none
	struct crimg_thread *threads;  // the leader first; none of a zombie
	size_t thread_count;
	size_t parent;                 // index in list, or CRIMG_NO_TASK
	size_t fds_of; // index of the first task with this descriptor table: itself, mostly
	unsigned depth;                // 0 for roots
	bool last;                     // of its siblings
};

struct crimg_task_ref {
	uint32_t id;                   // pid or tid
	size_t task;                   // index in list
};

struct crimg_tasks {
	struct crimg_task *list;       // depth first: a task follows its parent
	size_t count;
	struct crimg_task_ref *threads; // of all tasks, leaders and zombies included, sorted by id
	size_t thread_count;
};

// Loads all tasks; they live as long as the image. A pre-dump has none. With damage, *out holds
// what was readable and -1 is returned with err filled with the first error.
CRIMG_MUST_CHECK int crimg_tasks_load(struct crimg_image *image, struct crimg_tasks *out,
                                      struct crimg_err *err);
void crimg_tasks_fini(struct crimg_tasks *tasks);
// NULL when there is none.
const struct crimg_task *crimg_tasks_find(const struct crimg_tasks *tasks, uint32_t pid);
// The task that thread tid belongs to, or NULL.
const struct crimg_task *crimg_tasks_of_thread(const struct crimg_tasks *tasks, uint32_t tid);

// False for zombies, and for what is no process of its own.
bool crimg_task_has_memory(const struct crimg_task *task);
// comm, "" when unknown; lives as long as the image.
const char *crimg_task_comm(const struct crimg_task *task);
const char *crimg_thread_comm(const struct crimg_task *task, const struct crimg_thread *thread);
// Pages of its private memory that the image (or its parents) holds.
uint64_t crimg_task_pages(const struct crimg_task *task);

// Repeated messages, wherever this image keeps them. Items are of the message type of the part.
enum crimg_part {
	CRIMG_PART_VMAS,       // VmaEntry: mm_entry.vmas, or vmas-PID.img (1.1 and older)
	CRIMG_PART_SIGACTIONS, // SaEntry, signals 1 to 64 without 9 and 19: in core, or
	                       // sigacts-PID.img
	CRIMG_PART_SIGNALS,    // SiginfoEntry pending for the process: in core, or signal-s-PID.img
	CRIMG_PART_RLIMITS,    // RlimitEntry in RLIMIT_* order: in core, or rlimit-PID.img
	CRIMG_PART_ITIMERS,    // ItimerEntry real, virtual, profiling: in core, or itimers-PID.img
	CRIMG_PART_POSIX_TIMERS, // PosixTimerEntry: in core, or posix-timers-PID.img
	CRIMG_PART_FDS,          // FdinfoEntry: fdinfo-FILES_ID.img, or fdinfo-PID.img (1.x)
};

// Empty when there is nothing. 0, or -1 with err filled (what was readable is in *out).
CRIMG_MUST_CHECK int crimg_task_list(struct crimg_image *image, const struct crimg_task *task,
                                     enum crimg_part part, struct crimg_list *out,
                                     struct crimg_err *err);
// SiginfoEntry pending for one thread: in its core, or signal-p-TID.img.
CRIMG_MUST_CHECK int crimg_thread_signals(struct crimg_image *image,
                                          const struct crimg_thread *thread,
                                          struct crimg_list *out, struct crimg_err *err);
// In the core of the thread, or creds-PID.img; NULL when there are none.
const CredsEntry *crimg_thread_creds(struct crimg_image *image, const struct crimg_task *task,
                                     const struct crimg_thread *thread, struct crimg_err *err);
// The mask of blocked signals: the leader's is in task_core_entry, others' in thread_core_entry.
uint64_t crimg_thread_blocked(const struct crimg_task *task, const struct crimg_thread *thread);

// Appends the arguments, NUL after each, read from the pages that hold them: at most limit bytes,
// *cut when there were more. 1: done. 0: they are not in the image. -1: err.
CRIMG_MUST_CHECK int crimg_task_arguments(struct crimg_image *image, const struct crimg_task *task,
                                          size_t limit, struct crimg_buf *out, bool *cut,
                                          struct crimg_err *err);
// The same for the environment ("NAME=VALUE").
CRIMG_MUST_CHECK int crimg_task_environment(struct crimg_image *image, const struct crimg_task *task,
                                            size_t limit, struct crimg_buf *out, bool *cut,
                                            struct crimg_err *err);

// What an image of ours tells of a thread, and of a process, beyond CRIU's messages; NULL: nothing. What cannot be
// read is noted in damage.
const ThreadExtraEntry *crimg_thread_extra(struct crimg_image *image, uint32_t tid, struct crimg_err *damage);
const ProcessExtraEntry *crimg_process_extra(struct crimg_image *image, uint32_t pid, struct crimg_err *damage);

#endif
