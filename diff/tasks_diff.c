#include "diff/tasks_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/memory_diff.h"
#include "diff/messages.h"
#include "diff/open_files.h"
#include "diff/regs_diff.h"
#include "format/names.h"
#include "format/siginfo.h"
#include "format/text_add.h"

enum { A = CRIMG_A, B = CRIMG_B };

// Objects of a task that are looked at through it.
static void mark_task(struct crimg_diff *d, int side, const struct crimg_task *task)
{
	static const enum crimg_kind kinds[] = {
		CRIMG_KIND_IDS, CRIMG_KIND_CORE, CRIMG_KIND_MM, CRIMG_KIND_VMAS, CRIMG_KIND_FS,
		CRIMG_KIND_CREDS, CRIMG_KIND_ITIMERS, CRIMG_KIND_POSIX_TIMERS, CRIMG_KIND_RLIMIT,
		CRIMG_KIND_SIGACT, CRIMG_KIND_SIGNAL_SHARED, CRIMG_KIND_SIGNAL_PRIVATE,
		CRIMG_KIND_PAGEMAP, CRIMG_KIND_FDINFO,
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		crimg_mark_id(d, side, kinds[i], task->pid);
	if (task->ids != NULL)
		crimg_mark_id(d, side, CRIMG_KIND_FDINFO, task->ids->files_id);
	for (size_t i = 0; i < task->thread_count; i++) {
		crimg_mark_id(d, side, CRIMG_KIND_CORE, task->threads[i].tid);
		crimg_mark_id(d, side, CRIMG_KIND_SIGNAL_PRIVATE, task->threads[i].tid);
	}
}

static void describe_task(const struct crimg_task *task, char *out, size_t size)
{
	char state[64];
	if (task->state == CRIMG_TASK_DEAD && task->core != NULL)
		snprintf(out, size, "zombie, %s",
		         crimg_exit_text(task->core->tc->exit_code, state, sizeof state));
	else
		snprintf(out, size, "%zu thread%s, child of %u", task->thread_count,
		         task->thread_count == 1 ? "" : "s", task->ppid);
}

void crimg_tell_lone_tasks(struct crimg_diff *d)
{
	for (size_t i = 0; i < d->pair_count && !crimg_diff_failed(d); i++) {
		const struct crimg_task_pair *p = &d->pairs[i];
		if (p->task[A] != NULL && p->task[B] != NULL)
			continue;
		int side = p->task[A] != NULL ? A : B;
		struct crimg_scope s = { .d = d, .group = CRIMG_DIFF_PROCESSES, .pair = p };
		char text[128];
		struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
		describe_task(p->task[side], text, sizeof text);
		value[side] = crimg_text_value(text);
		mark_task(d, side, p->task[side]);
		crimg_mark_id(d, side, CRIMG_KIND_ELF_NOTES, p->task[side]->pid);
		crimg_pass_over_files(d, side, p->task[side]);
		crimg_tell(&s, side == A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, NULL, value[A],
		           value[B]);
	}
}

// Numbers of tasks, groups and sessions are references to them.
static void compare_pid(const struct crimg_scope *s, const char *field, uint32_t a, uint32_t b)
{
	if (!crimg_same_reference(s->d, CRIMG_REF_PID, a, b))
		crimg_tell(s, CRIMG_CHANGE_CHANGED, field, crimg_u64_value(a), crimg_u64_value(b));
	else if (a != b)
		crimg_tell_folded(s, field, crimg_u64_value(a), crimg_u64_value(b));
}

static const char *state_word(const struct crimg_task *task)
{
	return crimg_name_of(CRIMG_NAMES_TASK_STATE, (uint64_t)task->state);
}

static void compare_identity(const struct crimg_scope *s, const struct crimg_task *a,
                             const struct crimg_task *b)
{
	compare_pid(s, "pid", a->pid, b->pid);
	compare_pid(s, "parent", a->ppid, b->ppid);
	compare_pid(s, "process_group", a->pgid, b->pgid);
	compare_pid(s, "session", a->sid, b->sid);
	if (a->core != NULL && b->core != NULL)
		crimg_compare_texts(s, "state", state_word(a), state_word(b));
}

// What only one image tells of; a core tells of little.
static bool is_untold(struct crimg_diff *d, enum crimg_diff_group group, bool has_a, bool has_b)
{
	bool one_core = crimg_one_core(d);
	int core = d->side[A].is_core ? A : B;
	if (one_core && has_a != has_b)
		crimg_tell_untold(d, core, group);
	return one_core;
}

static void compare_creds(const struct crimg_scope *s, const struct crimg_task_pair *p,
                          const struct crimg_thread_pair *t)
{
	struct crimg_diff *d = s->d;
	const CredsEntry *c[2];
	for (int side = A; side <= B; side++)
		c[side] = crimg_thread_creds(d->side[side].image, p->task[side], t->thread[side],
		                             &d->damage);
	if (!is_untold(d, s->group, c[A] != NULL, c[B] != NULL))
		crimg_compare_messages(s, c[A] == NULL || c[B] == NULL ? "credentials" : NULL, c[A], c[B]);
}

// Signals that wait: one row each, told by what is in it.
static const char *signal_words(const SiginfoEntry *e, char *out, size_t size)
{
	struct crimg_siginfo info;
	char name[32], code[32], rest[256];
	if (!crimg_siginfo_decode(e->siginfo.data, e->siginfo.len, &info))
		return "?";
	snprintf(out, size, "%s %s %s", crimg_signal_text((uint64_t)(uint32_t)info.signo, name, sizeof name),
	         crimg_siginfo_code(&info, code, sizeof code),
	         crimg_siginfo_text(&info, rest, sizeof rest));
	return out;
}

static void compare_pending(const struct crimg_scope *s, const struct crimg_list *a,
                            const struct crimg_list *b)
{
	char x[400], y[400], field[48];
	for (size_t i = 0; i < a->count || i < b->count; i++) {
		const SiginfoEntry *p = i < a->count ? a->items[i] : NULL;
		const SiginfoEntry *q = i < b->count ? b->items[i] : NULL;
		if (p != NULL && q != NULL && p->siginfo.len == q->siginfo.len
		    && memcmp(p->siginfo.data, q->siginfo.data, p->siginfo.len) == 0)
			continue;
		snprintf(field, sizeof field, "pending[%zu]", i);
		crimg_tell(s, p == NULL ? CRIMG_CHANGE_ADDED : q == NULL ? CRIMG_CHANGE_GONE
		                                                         : CRIMG_CHANGE_CHANGED,
		           field, crimg_text_value(p != NULL ? signal_words(p, x, sizeof x) : NULL),
		           crimg_text_value(q != NULL ? signal_words(q, y, sizeof y) : NULL));
	}
}

static void compare_thread_signals(const struct crimg_scope *s, const struct crimg_thread_pair *t)
{
	struct crimg_diff *d = s->d;
	struct crimg_list a, b;
	int rc = crimg_thread_signals(d->side[A].image, t->thread[A], &a, &d->damage);
	rc |= crimg_thread_signals(d->side[B].image, t->thread[B], &b, &d->damage);
	if (rc == 0 && !is_untold(d, s->group, a.count > 0, b.count > 0)) // else noted in damage
		compare_pending(s, &a, &b);
}

static void compare_thread_cores(struct crimg_scope *s, const CoreEntry *a, const CoreEntry *b)
{
	struct crimg_diff *d = s->d;
	s->group = CRIMG_DIFF_THREADS;
	// The mask of blocked signals is in cores too, at another place for leaders.
	if (!crimg_one_core(d))
		crimg_compare_messages(s, a->thread_core == NULL || b->thread_core == NULL ? "state" : NULL,
		                       a->thread_core, b->thread_core);
	s->group = CRIMG_DIFF_REGISTERS;
	crimg_compare_registers(s, a, b);
}

// What only images of ours tell.
static void compare_thread_extras(const struct crimg_scope *s, const struct crimg_thread *a,
                                  const struct crimg_thread *b)
{
	struct crimg_diff *d = s->d;
	const ThreadExtraEntry *x = crimg_thread_extra(d->side[A].image, a->tid, &d->damage);
	const ThreadExtraEntry *y = crimg_thread_extra(d->side[B].image, b->tid, &d->damage);
	if (x != NULL && y != NULL)
		crimg_compare_messages(s, NULL, x, y);
}

static void compare_process_extras(const struct crimg_scope *s, const struct crimg_task *a,
                                   const struct crimg_task *b)
{
	struct crimg_diff *d = s->d;
	const ProcessExtraEntry *x = crimg_process_extra(d->side[A].image, a->pid, &d->damage);
	const ProcessExtraEntry *y = crimg_process_extra(d->side[B].image, b->pid, &d->damage);
	if (x != NULL && y != NULL)
		crimg_compare_messages(s, NULL, x, y);
}

static void compare_thread(struct crimg_diff *d, const struct crimg_task_pair *p,
                           const struct crimg_thread_pair *t)
{
	const struct crimg_thread *a = t->thread[A], *b = t->thread[B];
	struct crimg_scope s = { .d = d, .group = CRIMG_DIFF_THREADS, .pair = p, .thread = t };
	if (a == NULL || b == NULL) {
		struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
		int side = a != NULL ? A : B;
		value[side] = crimg_text_value(crimg_thread_comm(p->task[side], t->thread[side]));
		crimg_tell(&s, side == A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, NULL, value[A],
		           value[B]);
		return;
	}
	if (a->tid != p->task[A]->pid || b->tid != p->task[B]->pid)
		compare_pid(&s, "tid", a->tid, b->tid);
	if (a->core == NULL || b->core == NULL) { // damage: all that is in it is told so
		if (a->core != b->core)
			crimg_tell(&s, a->core != NULL ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, "core",
			           CRIMG_NO_VALUE, CRIMG_NO_VALUE);
		return;
	}
	s.group = CRIMG_DIFF_CREDENTIALS;
	compare_creds(&s, p, t);
	s.group = CRIMG_DIFF_SIGNALS;
	compare_thread_signals(&s, t);
	compare_thread_cores(&s, a->core, b->core);
	s.group = CRIMG_DIFF_THREADS;
	compare_thread_extras(&s, a, b);
}

// Lists of a task that a core has not.
struct part {
	enum crimg_part part;
	enum crimg_diff_group group;
	const char *field;
};

static const char *part_subject(enum crimg_part part, size_t i, char *out, size_t size)
{
	static const char *const itimers[] = { "ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF" };
	char name[32];
	// Signals 1 to 64, without SIGKILL and SIGSTOP.
	size_t signal = i + 1 + (i >= 8) + (i >= 17);
	if (part == CRIMG_PART_SIGACTIONS)
		snprintf(out, size, "%s", crimg_signal_text(signal, name, sizeof name));
	else if (part == CRIMG_PART_RLIMITS)
		snprintf(out, size, "RLIMIT_%s",
		         crimg_name_or_number(CRIMG_NAMES_RLIMIT, i, name, sizeof name));
	else if (i < 3)
		snprintf(out, size, "%s", itimers[i]);
	else
		snprintf(out, size, "timer %zu", i);
	return out;
}

static void compare_rows(const struct crimg_scope *scope, enum crimg_part part,
                         const struct crimg_list *a, const struct crimg_list *b)
{
	char subject[64];
	struct crimg_scope s = *scope;
	for (size_t i = 0; (i < a->count || i < b->count) && !crimg_diff_failed(s.d); i++) {
		s.subject = part_subject(part, i, subject, sizeof subject);
		crimg_compare_messages(&s, NULL, i < a->count ? a->items[i] : NULL,
		                       i < b->count ? b->items[i] : NULL);
	}
}

static void compare_part(struct crimg_diff *d, const struct crimg_task_pair *p,
                         const struct part *part)
{
	struct crimg_list a, b;
	struct crimg_scope s = { .d = d, .group = part->group, .pair = p };
	int rc = crimg_task_list(d->side[A].image, p->task[A], part->part, &a, &d->damage);
	rc |= crimg_task_list(d->side[B].image, p->task[B], part->part, &b, &d->damage);
	if (rc < 0 || is_untold(d, part->group, a.count > 0, b.count > 0))
		return; // what is wrong is noted in damage
	if (part->part == CRIMG_PART_SIGNALS)
		compare_pending(&s, &a, &b);
	else if (part->part == CRIMG_PART_POSIX_TIMERS)
		crimg_compare_lists(&s, part->field, &a, &b);
	else
		compare_rows(&s, part->part, &a, &b);
}

static void compare_parts(struct crimg_diff *d, const struct crimg_task_pair *p)
{
	static const struct part parts[] = {
		{ CRIMG_PART_SIGACTIONS, CRIMG_DIFF_SIGNALS, NULL },
		{ CRIMG_PART_SIGNALS, CRIMG_DIFF_SIGNALS, NULL },
		{ CRIMG_PART_ITIMERS, CRIMG_DIFF_TIMERS, NULL },
		{ CRIMG_PART_POSIX_TIMERS, CRIMG_DIFF_TIMERS, "posix" },
		{ CRIMG_PART_RLIMITS, CRIMG_DIFF_LIMITS, NULL },
	};
	if ((p->task[A]->core == NULL) != (p->task[B]->core == NULL))
		return; // told with the thread
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		compare_part(d, p, &parts[i]);
}

// The fields of task_core_entry that a core tells as well.
static void compare_told_by_cores(struct crimg_scope *s, const struct crimg_task *a,
                                  const struct crimg_task *b)
{
	s->group = CRIMG_DIFF_PROCESSES;
	crimg_compare_texts(s, "comm", crimg_task_comm(a), crimg_task_comm(b));
	s->group = CRIMG_DIFF_SIGNALS;
	if (a->thread_count > 0 && b->thread_count > 0)
		crimg_compare_u64(s, "blk_sigset", crimg_thread_blocked(a, &a->threads[0]),
		                  crimg_thread_blocked(b, &b->threads[0]));
}

static void compare_task_core(struct crimg_scope *s, const struct crimg_task *a,
                              const struct crimg_task *b)
{
	const CoreEntry *x = a->core, *y = b->core;
	if (x == NULL || y == NULL)
		return; // told with the thread
	if (crimg_one_core(s->d))
		compare_told_by_cores(s, a, b);
	else
		crimg_compare_messages(s, x->tc == NULL || y->tc == NULL ? "state" : NULL, x->tc, y->tc);
}

static void compare_program(struct crimg_scope *s, const struct crimg_task *a,
                            const struct crimg_task *b)
{
	struct crimg_diff *d = s->d;
	if (!crimg_one_core(d)) {
		s->group = CRIMG_DIFF_MAPPINGS;
		crimg_compare_messages(s, a->mm == NULL || b->mm == NULL ? "address_space" : NULL, a->mm,
		                       b->mm);
	}
	if (!is_untold(d, CRIMG_DIFF_FILES, a->fs != NULL, b->fs != NULL)) {
		s->group = CRIMG_DIFF_FILES;
		crimg_compare_messages(s, a->fs == NULL || b->fs == NULL ? "fs" : NULL, a->fs, b->fs);
	}
	bool damaged = (a->core == NULL) != (b->core == NULL);
	if (!damaged && !is_untold(d, CRIMG_DIFF_NAMESPACES, a->ids != NULL, b->ids != NULL)) {
		s->group = CRIMG_DIFF_PROCESSES;
		crimg_compare_messages(s, a->ids == NULL || b->ids == NULL ? "ids" : NULL, a->ids, b->ids);
	}
}

void crimg_compare_tasks(struct crimg_diff *d, const struct crimg_task_pair *p)
{
	const struct crimg_task *a = p->task[A], *b = p->task[B];
	struct crimg_scope s = { .d = d, .group = CRIMG_DIFF_PROCESSES, .pair = p };
	mark_task(d, A, a);
	mark_task(d, B, b);
	compare_identity(&s, a, b);
	compare_task_core(&s, a, b);
	compare_program(&s, a, b);
	s.group = CRIMG_DIFF_PROCESSES;
	compare_process_extras(&s, a, b);
	for (size_t i = 0; i < p->thread_count && !crimg_diff_failed(d); i++)
		compare_thread(d, p, &p->threads[i]);
	crimg_compare_memory(d, p);
	if (!crimg_one_core(d))
		crimg_compare_descriptors(d, p);
	crimg_compare_met_files(d);
	compare_parts(d, p);
}
