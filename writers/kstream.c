// The frame of a kernel stream: head, pids, tree of tasks, the records of each task, tail.
#include "writers/kstream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"
#include "format/x86.h"

// What the kernel of these postings says of itself.
#define KERNEL_MAJOR 2u
#define KERNEL_MINOR 6u
#define KERNEL_PATCH 33u
#define KERNEL_RELEASE "2.6.33"
#define KERNEL_MACHINE "x86_64"
#define UTS_WIDTH 65u
#define COMM_WIDTH 16u
#define AUXV_WORDS 44u
#define SIGNALS 64u
#define RLIMITS 16u
#define TTY_BUFFER 4096u
#define SIGCHLD_NUMBER 17u
#define STATE_SLEEPING 2u // uninterruptibly: as the freezer has it
#define STATE_DEAD 64u
#define EXIT_ZOMBIE_STATE 16u
#define PF_FORKNOEXEC 0x40u // of tc.flags, which are the kernel's own
#define PF_SUPERPRIV 0x100u
#define NO_EXIT_SIGNAL (-1)
#define COMPAT_ROBUST_BYTES 12u
#define ROBUST_BYTES 24u

// One line of the tree: a thread, or a process that is dead.
struct line {
	const struct crimg_task *task;
	const struct crimg_thread *thread; // NULL: dead
	uint32_t tid;
};

struct lines {
	struct line *list; // owned
	size_t count;
};

static void put_head(struct kstream *k)
{
	struct kstream_out *o = &k->out;
	static const unsigned widths[] = { UTS_WIDTH, UTS_WIDTH, UTS_WIDTH, UTS_WIDTH, UTS_WIDTH, UTS_WIDTH };
	static const char *const names[] = { KERNEL_RELEASE, "", KERNEL_MACHINE };
	kstream_begin(o, CRIMG_LCR_HEADER);
	kstream_u64(o, CRIMG_LCR_HEAD_MAGIC);
	kstream_u16(o, CRIMG_LCR_ARCH_X86_64);
	kstream_u16(o, KERNEL_MAJOR);
	kstream_u16(o, KERNEL_MINOR);
	kstream_u16(o, KERNEL_PATCH);
	kstream_u16(o, o->rc2 ? 6 : 5);
	kstream_zeros(o, 6);
	kstream_u16(o, COMM_WIDTH);
	kstream_u16(o, AUXV_WORDS);
	kstream_u16(o, SIGNALS);
	for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
		kstream_u16(o, widths[i]);
	kstream_u16(o, RLIMITS);
	kstream_u16(o, TTY_BUFFER);
	kstream_u16(o, o->rc2 ? 19 : 8); // control characters of a terminal
	kstream_u64(o, 0);               // when: images do not tell
	kstream_u64(o, CRIMG_LCR_SUBTREE);
	kstream_end(o);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		kstream_begin(o, CRIMG_LCR_BUFFER);
		kstream_text(o, names[i], UTS_WIDTH);
		kstream_end(o);
	}
	kstream_begin(o, CRIMG_LCR_HEADER_ARCH);
	kstream_u16(o, 1); // FXSAVE
	kstream_u16(o, k->xstate_bytes > CRIMG_FXSAVE_BYTES);
	kstream_u16(o, k->xstate_bytes);
	kstream_u16(o, 0);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_CONTAINER);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_BUFFER);
	kstream_text(o, "lsm_none", 11);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_LSM_INFO);
	kstream_bytes(o, "dummy", 5);
	kstream_end(o);
}

// Children stand before the other threads of their parent.
static int order_tasks(const struct kstream *k, struct lines *out, struct crimg_err *err)
{
	const struct crimg_tasks *tasks = &k->tasks;
	size_t *open = calloc(tasks->count + 1, sizeof *open), depth = 0;
	out->list = calloc(tasks->thread_count + tasks->count + 1, sizeof *out->list);
	if (open == NULL || out->list == NULL) {
		free(open);
		return crimg_fail_nomem(err, tasks->thread_count * sizeof *out->list);
	}
	for (size_t i = 0; i <= tasks->count; i++) {
		while (depth > 0 && (i == tasks->count || tasks->list[i].parent != open[depth - 1])) {
			const struct crimg_task *done = &tasks->list[open[--depth]];
			for (size_t t = 1; t < done->thread_count; t++)
				out->list[out->count++] = (struct line){ done, &done->threads[t], done->threads[t].tid };
		}
		if (i == tasks->count)
			break;
		const struct crimg_task *task = &tasks->list[i];
		bool lives = crimg_task_has_memory(task) && task->thread_count > 0;
		out->list[out->count++] = (struct line){ task, lives ? &task->threads[0] : NULL, task->pid };
		open[depth++] = i;
	}
	free(open);
	return 0;
}

// Numbers of a line, in the order of its entry.
static void numbers_of(const struct line *l, uint32_t out[5])
{
	out[0] = l->tid;
	out[1] = l->task->ppid;
	out[2] = l->task->pid;
	out[3] = l->task->pgid;
	out[4] = l->task->sid;
}

// Each number is an object without OBJREF; those of tasks come first.
static void put_pids(struct kstream *k, const struct lines *lines)
{
	struct kstream_out *o = &k->out;
	struct crimg_buf list = CRIMG_BUF_INIT;
	uint32_t numbers[5], count = 0;
	bool fresh;
	for (size_t i = 0; i < 2 * lines->count && !kstream_failed(o); i++) {
		numbers_of(&lines->list[i % lines->count], numbers);
		for (size_t n = 0; n < (i < lines->count ? 1 : 5); n++) {
			if (numbers[n] == 0)
				continue;
			(void)kstream_number_of(k, CRIMG_LCR_OBJ_PID, numbers[n], &fresh);
			if (!fresh)
				continue;
			count++;
			if (crimg_buf_u32(&list, 0, &o->err) < 0 // namespaces below that of the root task
			    || crimg_buf_u32(&list, numbers[n], &o->err) < 0)
				break;
		}
	}
	kstream_begin(o, CRIMG_LCR_PIDS);
	kstream_u32(o, count);
	kstream_u32(o, 0);
	kstream_u32(o, 1); // number of the first
	kstream_u32(o, 0);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_BUFFER);
	kstream_bytes(o, list.data, list.length);
	kstream_end(o);
	crimg_buf_fini(&list);
}

static void put_tree(struct kstream *k, const struct lines *lines)
{
	struct kstream_out *o = &k->out;
	uint32_t numbers[5];
	if (o->rc2)
		put_pids(k, lines);
	kstream_begin(o, CRIMG_LCR_TREE);
	kstream_u32(o, (uint32_t)lines->count);
	kstream_u32(o, 0);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_BUFFER);
	for (size_t i = 0; i < lines->count; i++) {
		numbers_of(&lines->list[i], numbers);
		for (size_t n = 0; n < 5; n++)
			kstream_ref(o, !o->rc2 || numbers[n] == 0 ? (int32_t)numbers[n]
			               : kstream_number_of(k, CRIMG_LCR_OBJ_PID, numbers[n], NULL));
		kstream_u32(o, 0); // depth
	}
	kstream_end(o);
}

// The fields of TASK, in the order of v20; v23-rc2 has them in another.
struct task_fields {
	uint32_t flags, state, exit_state, exit_code, pdeath, sas_size;
	int32_t exit_signal;
	uint64_t robust, clear_tid, sas;
	bool lives, is_32;
};

static void put_robust(struct kstream_out *o, const struct task_fields *f)
{
	kstream_u32(o, f->lives ? COMPAT_ROBUST_BYTES : 0);
	kstream_u32(o, f->is_32 ? (uint32_t)f->robust : 0);
	kstream_u32(o, f->lives ? ROBUST_BYTES : 0);
	kstream_u64(o, f->is_32 ? 0 : f->robust);
}

static void put_task(struct kstream_out *o, const struct task_fields *f, const char *comm)
{
	kstream_begin(o, CRIMG_LCR_TASK);
	if (o->rc2)
		kstream_u32(o, f->flags);
	kstream_u32(o, f->state);
	kstream_u32(o, f->exit_state);
	kstream_u32(o, f->exit_code);
	kstream_ref(o, f->exit_signal);
	kstream_u32(o, f->pdeath);
	if (!o->rc2)
		put_robust(o, f);
	kstream_u64(o, 0); // where its number was to be put: that was done
	kstream_u64(o, f->clear_tid);
	if (o->rc2) {
		kstream_u64(o, f->sas);
		kstream_u32(o, f->sas_size);
		put_robust(o, f);
	}
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_STRING);
	kstream_text(o, comm, COMM_WIDTH);
	kstream_end(o);
}

static void put_zombie(struct kstream *k, const struct crimg_task *task)
{
	const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
	struct task_fields f = {
		.state = STATE_DEAD, .exit_state = EXIT_ZOMBIE_STATE, .exit_code = tc != NULL ? tc->exit_code : 0,
	};
	put_task(&k->out, &f, crimg_task_comm(task));
}

static void put_own(struct kstream *k, const struct line *l)
{
	const ThreadCoreEntry *tc = l->thread->core->thread_core;
	const ThreadInfoX86 *info = l->thread->core->thread_info;
	struct task_fields f = {
		.state = l->task->state == CRIMG_TASK_STOPPED ? CRIMG_LCR_STATE_STOPPED : STATE_SLEEPING,
		.exit_signal = l->tid == l->task->pid ? (int32_t)SIGCHLD_NUMBER : NO_EXIT_SIGNAL,
		.clear_tid = info->clear_tid_addr, .lives = true,
		.is_32 = crimg_x86_is_32(info->gpregs),
	};
	uint32_t flags = l->thread->core->tc != NULL ? l->thread->core->tc->flags : 0;
	f.flags = ((flags & PF_FORKNOEXEC) != 0 ? CRIMG_LCR_TASK_FORKNOEXEC : 0)
		| ((flags & PF_SUPERPRIV) != 0 ? CRIMG_LCR_TASK_SUPERPRIV : 0);
	if (tc != NULL) {
		f.pdeath = tc->has_pdeath_sig ? tc->pdeath_sig : 0;
		f.robust = tc->futex_rla;
	}
	if (tc != NULL && tc->sas != NULL) {
		f.sas = tc->sas->ss_sp;
		f.sas_size = (uint32_t)tc->sas->ss_size;
		if (f.sas_size != 0 && !k->out.rc2)
			kstream_lose_of(k, CRIMG_KIND_CORE, l->tid, "thread_core.sas",
			                "v20 has no place for the alternate signal stack");
	}
	put_task(&k->out, &f, crimg_thread_comm(l->task, l->thread));
}

// Credentials, namespaces, shared objects; of a process's first thread also what all its threads share.
static void put_objects(struct kstream *k, const struct line *l)
{
	struct kstream_out *o = &k->out;
	const CredsEntry *creds = crimg_thread_creds(k->image, l->task, l->thread, NULL);
	int32_t refs[6] = { 0 };
	bool fresh;
	k->creds = kstream_creds(k, l->task, creds);
	k->exe = 0;
	kstream_begin(o, CRIMG_LCR_TASK_CREDS);
	kstream_ref(o, k->creds);
	kstream_ref(o, k->creds);
	kstream_end(o);
	int32_t ns = kstream_namespaces(k, l->task);
	kstream_begin(o, CRIMG_LCR_TASK_NS);
	kstream_ref(o, ns);
	kstream_u32(o, 0);
	kstream_end(o);
	refs[0] = kstream_table(k, l->task);
	refs[1] = kstream_mm(k, l->task);
	refs[2] = kstream_fs(k, l->task);
	refs[4] = kstream_handlers(k, l->task);
	refs[5] = kstream_number_of(k, CRIMG_LCR_OBJ_SIGNAL, l->task->pid, &fresh);
	kstream_begin(o, CRIMG_LCR_TASK_OBJS);
	for (size_t i = 0; i < 6; i++)
		if (i != 3 || o->rc2) // semaphore undo
			kstream_ref(o, refs[i]);
	if (!o->rc2)
		kstream_u32(o, 0);
	kstream_end(o);
	if (fresh)
		kstream_limits(k, l->task);
}

static void put_thread(struct kstream *k, const struct line *l)
{
	struct kstream_out *o = &k->out;
	struct crimg_list pending = { .count = 0 };
	put_own(k, l);
	kstream_regs(k, l->thread);
	put_objects(k, l);
	if (!kstream_failed(o))
		(void)(crimg_thread_signals(k->image, l->thread, &pending, &o->err) < 0);
	kstream_pending(k, &pending);
	kstream_begin(o, CRIMG_LCR_SIGNAL_TASK);
	kstream_u64(o, crimg_thread_blocked(l->task, l->thread));
	kstream_end(o);
	if (l->tid == l->task->pid)
		kstream_lose_task(k, l->task);
	kstream_lose_thread(k, l->thread);
}

static int check_line(const struct line *l, struct crimg_err *err)
{
	char number[32];
	if (l->thread == NULL)
		return 0;
	const CoreEntry *core = l->thread->core;
	if (core != NULL && core->mtype != CORE_ENTRY__MARCH__X86_64)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "kernel streams are made for x86 only; the image is %s",
		                  crimg_name_or_number(CRIMG_NAMES_MACHINE, core->mtype, number, sizeof number));
	if (core == NULL || core->thread_info == NULL || core->thread_info->gpregs == NULL
	    || core->thread_info->fpregs == NULL)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "thread %" PRIu32 " has no registers in the image, and a kernel stream has no "
		                  "task without them", l->tid);
	return 0;
}

// One tree, of tasks that can be written.
static int check(const struct kstream *k, const struct lines *lines, struct crimg_err *err)
{
	size_t roots = 0;
	for (size_t i = 0; i < k->tasks.count; i++)
		roots += k->tasks.list[i].parent == CRIMG_NO_TASK;
	if (roots != 1)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "%zu trees of processes found, and a kernel stream holds one", roots);
	if (!crimg_task_has_memory(&k->tasks.list[0]))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "process %" PRIu32 ", the root, is dead or has no core: nothing to begin with",
		                  k->tasks.list[0].pid);
	for (size_t i = 0; i < lines->count; i++)
		if (check_line(&lines->list[i], err) < 0)
			return -1;
	return 0;
}

static void put_all(struct kstream *k, const struct lines *lines)
{
	struct kstream_out *o = &k->out;
	kstream_lose_kinds(k);
	put_head(k);
	put_tree(k, lines);
	for (size_t i = 0; i < lines->count && !kstream_failed(o); i++) {
		if (lines->list[i].thread == NULL)
			put_zombie(k, lines->list[i].task);
		else
			put_thread(k, &lines->list[i]);
	}
	kstream_begin(o, CRIMG_LCR_TAIL);
	kstream_u64(o, CRIMG_LCR_TAIL_MAGIC);
	kstream_end(o);
}

int kstream_make(struct kstream *k, struct crimg_err *err)
{
	struct lines lines = { .count = 0 };
	k->arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES);
	if (crimg_tasks_load(k->image, &k->tasks, err) < 0
	    || crimg_files_load(k->image, &k->files, err) < 0)
		return -1;
	int rc = order_tasks(k, &lines, err);
	if (rc == 0)
		rc = check(k, &lines, err);
	if (rc == 0) {
		k->xstate_bytes = kstream_xstate(k);
		put_all(k, &lines);
	}
	free(lines.list);
	if (rc == 0 && kstream_failed(&k->out)) {
		if (err != NULL)
			*err = k->out.err;
		rc = -1;
	}
	return rc;
}

void kstream_fini(struct kstream *k)
{
	crimg_tasks_fini(&k->tasks);
	crimg_files_fini(&k->files);
	kstream_out_fini(&k->out);
	free(k->numbers);
	crimg_arena_fini(&k->arena);
}
