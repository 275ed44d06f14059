// What belongs to a task, wherever an image of this age keeps it: in core (since 1.3 to 3.1), in mm
// (since 1.2), or in files of its own before that.
#include <string.h>

#include "format/memory.h"
#include "format/tasks.h"

bool crimg_task_has_memory(const struct crimg_task *task)
{
	return task->state != CRIMG_TASK_DEAD && task->mm != NULL;
}

const char *crimg_task_comm(const struct crimg_task *task)
{
	return task->core != NULL && task->core->tc != NULL ? task->core->tc->comm : "";
}

const char *crimg_thread_comm(const struct crimg_task *task, const struct crimg_thread *thread)
{
	const CoreEntry *core = thread->core;
	if (core != NULL && core->thread_core != NULL && core->thread_core->comm != NULL)
		return core->thread_core->comm;
	return crimg_task_comm(task);
}

uint64_t crimg_task_pages(const struct crimg_task *task)
{
	if (task->pagemap == NULL || task->pagemap->map == NULL)
		return 0;
	return task->pagemap->map->present_pages + task->pagemap->map->parent_pages;
}

// All entries of one object.
static int object_list(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                       struct crimg_list *out, struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_find(image, kind, id);
	if (o == NULL || o->count == 0)
		return 0;
	const void **items = crimg_arena_alloc(&image->arena, o->count * sizeof *items);
	if (items == NULL)
		return crimg_fail_nomem(err, o->count * sizeof *items);
	struct crimg_err first = CRIMG_ERR_INIT;
	size_t count = 0;
	for (size_t i = 0; i < o->count; i++) {
		const void *m = crimg_image_message(image, o, i, &first);
		if (m != NULL)
			items[count++] = m;
	}
	*out = (struct crimg_list){ items, count };
	if (first.code == CRIMG_OK)
		return 0;
	if (err != NULL && err->code == CRIMG_OK)
		*err = first;
	return -1;
}

// A copy of message pointers: a list must not care which message they hung in.
static int pointer_list(struct crimg_image *image, const void *array, size_t count,
                        struct crimg_list *out, struct crimg_err *err)
{
	const void **items = crimg_arena_alloc(&image->arena, (count + 1) * sizeof *items);
	if (items == NULL)
		return crimg_fail_nomem(err, count * sizeof *items);
	if (count > 0)
		memcpy(items, array, count * sizeof *items);
	*out = (struct crimg_list){ items, count };
	return 0;
}

static int itimer_list(struct crimg_image *image, const TaskTimersEntry *timers,
                       struct crimg_list *out, struct crimg_err *err)
{
	const void *items[] = { timers->real, timers->virt, timers->prof };
	return pointer_list(image, items, 3, out, err);
}

static uint64_t fdinfo_id(struct crimg_image *image, const struct crimg_task *task)
{
	const InventoryEntry *inventory = crimg_image_get(image, CRIMG_KIND_INVENTORY, 0, NULL);
	bool per_id = inventory == NULL || (inventory->has_fdinfo_per_id && inventory->fdinfo_per_id);
	return per_id && task->ids != NULL ? task->ids->files_id : task->pid;
}

int crimg_task_list(struct crimg_image *image, const struct crimg_task *task, enum crimg_part part,
                    struct crimg_list *out, struct crimg_err *err)
{
	const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
	uint64_t pid = task->pid;
	*out = (struct crimg_list){ NULL, 0 };
	switch (part) {
	case CRIMG_PART_VMAS:
		if (task->mm != NULL && task->mm->n_vmas > 0)
			return pointer_list(image, task->mm->vmas, task->mm->n_vmas, out, err);
		return object_list(image, CRIMG_KIND_VMAS, pid, out, err);
	case CRIMG_PART_SIGACTIONS:
		if (tc != NULL && tc->n_sigactions > 0)
			return pointer_list(image, tc->sigactions, tc->n_sigactions, out, err);
		return object_list(image, CRIMG_KIND_SIGACT, pid, out, err);
	case CRIMG_PART_SIGNALS:
		if (tc != NULL && tc->signals_s != NULL)
			return pointer_list(image, tc->signals_s->signals, tc->signals_s->n_signals,
			                    out, err);
		return object_list(image, CRIMG_KIND_SIGNAL_SHARED, pid, out, err);
	case CRIMG_PART_RLIMITS:
		if (tc != NULL && tc->rlimits != NULL)
			return pointer_list(image, tc->rlimits->rlimits, tc->rlimits->n_rlimits, out,
			                    err);
		return object_list(image, CRIMG_KIND_RLIMIT, pid, out, err);
	case CRIMG_PART_ITIMERS:
		if (tc != NULL && tc->timers != NULL)
			return itimer_list(image, tc->timers, out, err);
		return object_list(image, CRIMG_KIND_ITIMERS, pid, out, err);
	case CRIMG_PART_POSIX_TIMERS:
		if (tc != NULL && tc->timers != NULL)
			return pointer_list(image, tc->timers->posix, tc->timers->n_posix, out, err);
		return object_list(image, CRIMG_KIND_POSIX_TIMERS, pid, out, err);
	case CRIMG_PART_FDS:
		if (task->state == CRIMG_TASK_DEAD)
			return 0;
		return object_list(image, CRIMG_KIND_FDINFO, fdinfo_id(image, task), out, err);
	}
	return 0;
}

int crimg_thread_signals(struct crimg_image *image, const struct crimg_thread *thread,
                         struct crimg_list *out, struct crimg_err *err)
{
	const ThreadCoreEntry *c = thread->core != NULL ? thread->core->thread_core : NULL;
	*out = (struct crimg_list){ NULL, 0 };
	if (c != NULL && c->signals_p != NULL)
		return pointer_list(image, c->signals_p->signals, c->signals_p->n_signals, out, err);
	return object_list(image, CRIMG_KIND_SIGNAL_PRIVATE, thread->tid, out, err);
}

const CredsEntry *crimg_thread_creds(struct crimg_image *image, const struct crimg_task *task,
                                     const struct crimg_thread *thread, struct crimg_err *err)
{
	if (thread->core != NULL && thread->core->thread_core != NULL
	    && thread->core->thread_core->creds != NULL)
		return thread->core->thread_core->creds;
	return crimg_image_get(image, CRIMG_KIND_CREDS, task->pid, err);
}

uint64_t crimg_thread_blocked(const struct crimg_task *task, const struct crimg_thread *thread)
{
	const CoreEntry *core = thread->core;
	if (core == NULL)
		return 0;
	if (thread->tid == task->pid && core->tc != NULL)
		return core->tc->blk_sigset;
	return core->thread_core != NULL && core->thread_core->has_blk_sigset
		? core->thread_core->blk_sigset : 0;
}

// Words with a NUL after each, as the kernel puts them on the first stack.
static int read_words(struct crimg_image *image, const struct crimg_task *task, uint64_t start,
                      uint64_t end, size_t limit, struct crimg_buf *out, bool *cut,
                      struct crimg_err *err)
{
	if (task->pagemap == NULL || end <= start)
		return 0;
	uint64_t length = end - start;
	*cut = length > limit;
	size_t wanted = *cut ? limit : (size_t)length;
	if (crimg_buf_reserve(out, wanted + 1, err) < 0)
		return -1;
	int rc = crimg_memory_read(image, CRIMG_KIND_PAGEMAP, task->pid, start,
	                           out->data + out->length, wanted, err);
	if (rc <= 0)
		return rc;
	out->length += wanted;
	if (out->data[out->length - 1] != '\0')
		out->data[out->length++] = '\0';
	return 1;
}

int crimg_task_arguments(struct crimg_image *image, const struct crimg_task *task, size_t limit,
                         struct crimg_buf *out, bool *cut, struct crimg_err *err)
{
	*cut = false;
	return task->mm == NULL ? 0 : read_words(image, task, task->mm->mm_arg_start,
	                                         task->mm->mm_arg_end, limit, out, cut, err);
}

int crimg_task_environment(struct crimg_image *image, const struct crimg_task *task, size_t limit,
                           struct crimg_buf *out, bool *cut, struct crimg_err *err)
{
	*cut = false;
	return task->mm == NULL ? 0 : read_words(image, task, task->mm->mm_env_start,
	                                         task->mm->mm_env_end, limit, out, cut, err);
}

const ThreadExtraEntry *crimg_thread_extra(struct crimg_image *image, uint32_t tid, struct crimg_err *damage)
{
	return crimg_image_select_one(image, CRIMG_KIND_THREAD_EXTRAS, "tid", tid, damage);
}

const ProcessExtraEntry *crimg_process_extra(struct crimg_image *image, uint32_t pid, struct crimg_err *damage)
{
	return crimg_image_select_one(image, CRIMG_KIND_PROCESS_EXTRAS, "pid", pid, damage);
}
