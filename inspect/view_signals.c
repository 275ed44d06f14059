// View signals: what a process does on each signal, what its threads block, what is pending.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "format/siginfo.h"
#include "inspect/command.h"

#define HANDLER_DEFAULT 0u
#define HANDLER_IGNORE 1u

static const struct crimg_column action_columns[] = {
	{ "signal", "SIGNAL", CRIMG_COLUMN_LEFT },
	{ "number", NULL, CRIMG_COLUMN_RIGHT },
	{ "action", NULL, CRIMG_COLUMN_LEFT },
	{ "handler", NULL, CRIMG_COLUMN_RIGHT },
	{ NULL, "ACTION", CRIMG_COLUMN_LEFT },
	{ "flags", "FLAGS", CRIMG_COLUMN_CUT },
	{ "blocks", "BLOCKS MEANWHILE", CRIMG_COLUMN_CUT },
	{ "restorer", NULL, CRIMG_COLUMN_RIGHT },
};

// Place i stands for signals 1 to 64 without SIGKILL and SIGSTOP.
static unsigned signal_of_place(size_t i)
{
	unsigned n = (unsigned)i + 1;
	n += n >= 9;
	n += n >= 19;
	return n;
}

static void action_row(struct crimg_table *t, unsigned signal, const SaEntry *sa)
{
	char name[32], flags[256], mask[1024];
	const char *action = sa->sigaction == HANDLER_DEFAULT ? "default"
		: sa->sigaction == HANDLER_IGNORE ? "ignored" : "handler";
	crimg_table_row(t);
	crimg_cell_text(t, crimg_signal_text(signal, name, sizeof name));
	crimg_cell_u64(t, signal);
	crimg_cell_text(t, action);
	crimg_cell_hex(t, sa->sigaction);
	if (sa->sigaction > HANDLER_IGNORE)
		crimg_cell_textf(t, "handler 0x%" PRIx64, sa->sigaction);
	else
		crimg_cell_text(t, action);
	crimg_cell_text(
		t, crimg_flags_text(CRIMG_NAMES_SIGACTION_FLAGS, sa->flags, flags, sizeof flags));
	crimg_cell_text(t, crimg_sigset_text(sa->mask, mask, sizeof mask));
	crimg_cell_hex(t, sa->restorer);
}

static void show_actions(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_list list;
	struct crimg_table t;
	size_t defaults = 0;
	list = crimg_view_list(view, task, CRIMG_PART_SIGACTIONS);
	crimg_table_begin(&t, view, "actions", action_columns,
	                  sizeof action_columns / sizeof action_columns[0]);
	t.indent = 2;
	for (size_t i = 0; i < list.count; i++) {
		const SaEntry *sa = list.items[i];
		bool plain = sa->sigaction == HANDLER_DEFAULT && sa->flags == 0 && sa->mask == 0;
		defaults += plain;
		if (!plain || view->options->all)
			action_row(&t, signal_of_place(i), sa);
	}
	crimg_table_end(&t);
	if (defaults > 0 && !view->options->all)
		crimg_line(view, CRIMG_MARK_DIM, "  %zu %ssignals: default action", defaults,
		           defaults < list.count ? "other " : "");
}

static const struct crimg_column thread_columns[] = {
	{ "tid", "THREAD", CRIMG_COLUMN_RIGHT },
	{ "comm", "NAME", CRIMG_COLUMN_LEFT },
	{ "stack_address", NULL, CRIMG_COLUMN_RIGHT },
	{ "stack_bytes", NULL, CRIMG_COLUMN_RIGHT },
	{ NULL, "SIGNAL STACK", CRIMG_COLUMN_LEFT },
	{ "death_signal", "PARENT DEATH", CRIMG_COLUMN_LEFT },
	{ "blocked_mask", NULL, CRIMG_COLUMN_RIGHT },
	{ "blocked", "BLOCKS", CRIMG_COLUMN_CUT },
};

#define STACK_DISABLED 2u

static void thread_row(struct crimg_table *t, const struct crimg_task *task,
                       const struct crimg_thread *thread)
{
	const ThreadCoreEntry *c = thread->core != NULL ? thread->core->thread_core : NULL;
	const ThreadSasEntry *stack = c != NULL ? c->sas : NULL;
	uint64_t blocked = crimg_thread_blocked(task, thread);
	char name[32], mask[1024], bytes[32];
	bool used = stack != NULL && (stack->ss_flags & STACK_DISABLED) == 0 && stack->ss_size > 0;
	crimg_table_row(t);
	crimg_cell_u64(t, thread->tid);
	crimg_cell_text(t, crimg_thread_comm(task, thread));
	crimg_cell_hex(t, used ? stack->ss_sp : 0);
	crimg_cell_u64(t, used ? stack->ss_size : 0);
	if (used)
		crimg_cell_textf(t, "0x%" PRIx64 " %s", stack->ss_sp,
		                 crimg_bytes_text(stack->ss_size, bytes, sizeof bytes));
	else
		crimg_cell_none(t);
	if (c != NULL && c->has_pdeath_sig && c->pdeath_sig != 0)
		crimg_cell_text(t, crimg_signal_text(c->pdeath_sig, name, sizeof name));
	else
		crimg_cell_none(t);
	crimg_cell_hex(t, blocked);
	crimg_sigset_text(blocked, mask, sizeof mask);
	crimg_cell_text(t, mask[0] == '\0' && t->view->json == NULL ? "-" : mask);
}

static void show_threads(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_table t;
	crimg_table_begin(&t, view, "threads", thread_columns,
	                  sizeof thread_columns / sizeof thread_columns[0]);
	t.indent = 2;
	for (size_t i = 0; i < task->thread_count; i++)
		if (crimg_view_wants_thread(view, &task->threads[i]))
			thread_row(&t, task, &task->threads[i]);
	crimg_table_end(&t);
}

static const struct crimg_column pending_columns[] = {
	{ "tid", NULL, CRIMG_COLUMN_RIGHT },
	{ NULL, "PENDING FOR", CRIMG_COLUMN_LEFT },
	{ "signal", "SIGNAL", CRIMG_COLUMN_LEFT },
	{ "number", NULL, CRIMG_COLUMN_RIGHT },
	{ "code", "CODE", CRIMG_COLUMN_LEFT },
	{ "info", "INFO", CRIMG_COLUMN_CUT },
	{ "sender_pid", NULL, CRIMG_COLUMN_RIGHT },
	{ "value", NULL, CRIMG_COLUMN_RIGHT },
};

// tid 0: pending for the process.
static void pending_row(struct crimg_table *t, uint32_t tid, const SiginfoEntry *entry)
{
	struct crimg_siginfo info;
	char name[32], code[32], text[160];
	crimg_table_row(t);
	if (tid == 0)
		crimg_cell_none(t);
	else
		crimg_cell_u64(t, tid);
	if (tid == 0)
		crimg_cell_text(t, "process");
	else
		crimg_cell_textf(t, "thread %u", tid);
	if (!crimg_siginfo_decode(entry->siginfo.data, entry->siginfo.len, &info)) {
		for (int i = 0; i < 6; i++)
			crimg_cell_none(t);
		return;
	}
	bool sent = info.form == CRIMG_SIGINFO_SENT || info.form == CRIMG_SIGINFO_QUEUED
		|| info.form == CRIMG_SIGINFO_CHILD;
	crimg_cell_text(t, crimg_signal_text((uint64_t)(uint32_t)info.signo, name, sizeof name));
	crimg_cell_i64(t, info.signo);
	crimg_cell_text(t, crimg_siginfo_code(&info, code, sizeof code));
	crimg_cell_text(t, crimg_siginfo_text(&info, text, sizeof text));
	if (sent)
		crimg_cell_u64(t, info.pid);
	else
		crimg_cell_none(t);
	if (info.form == CRIMG_SIGINFO_QUEUED || info.form == CRIMG_SIGINFO_TIMER)
		crimg_cell_hex(t, info.value);
	else
		crimg_cell_none(t);
}

static void show_pending(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_list list;
	struct crimg_table t;
	crimg_table_begin(&t, view, "pending", pending_columns,
	                  sizeof pending_columns / sizeof pending_columns[0]);
	t.indent = 2;
	list = crimg_view_list(view, task, CRIMG_PART_SIGNALS);
	for (size_t i = 0; i < list.count; i++)
		pending_row(&t, 0, list.items[i]);
	for (size_t k = 0; k < task->thread_count; k++) {
		if (!crimg_view_wants_thread(view, &task->threads[k]))
			continue;
		if (crimg_thread_signals(view->image, &task->threads[k], &list, &view->damage) < 0
		    && list.items == NULL)
			continue; // noted in damage
		for (size_t i = 0; i < list.count; i++)
			pending_row(&t, task->threads[k].tid, list.items[i]);
	}
	crimg_table_end(&t);
}

void crimg_view_signals(struct crimg_view *view)
{
	char label[64];
	crimg_group_array(view, "signals");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		if (task->state == CRIMG_TASK_DEAD || !crimg_view_wants(view, task))
			continue;
		crimg_heading(view, "%s", crimg_task_label(task, label, sizeof label));
		crimg_group_object(view, NULL);
		crimg_task_json(view, task);
		show_actions(view, task);
		show_threads(view, task);
		show_pending(view, task);
		crimg_group_end(view);
	}
	crimg_group_end(view);
}
