// View timers: interval timers, POSIX timers and timerfds, with what is left of them.
#include <stdio.h>

#include "format/names.h"
#include "inspect/command.h"

static const struct crimg_column columns[] = {
	{ "kind", "KIND", CRIMG_COLUMN_LEFT },
	{ "id", "ID", CRIMG_COLUMN_RIGHT },
	{ "clock", "CLOCK", CRIMG_COLUMN_LEFT },
	{ "armed", NULL, CRIMG_COLUMN_LEFT },
	{ "left_seconds", NULL, CRIMG_COLUMN_RIGHT },
	{ "left_nanoseconds", NULL, CRIMG_COLUMN_RIGHT },
	{ NULL, "LEFT", CRIMG_COLUMN_RIGHT },
	{ "interval_seconds", NULL, CRIMG_COLUMN_RIGHT },
	{ "interval_nanoseconds", NULL, CRIMG_COLUMN_RIGHT },
	{ NULL, "EVERY", CRIMG_COLUMN_RIGHT },
	{ "notify", "NOTIFY", CRIMG_COLUMN_LEFT },
	{ "signal", "SIGNAL", CRIMG_COLUMN_LEFT },
	{ "value", "VALUE", CRIMG_COLUMN_RIGHT },
	{ "overrun", "OVERRUN", CRIMG_COLUMN_RIGHT },
};

struct span {
	uint64_t seconds, nanoseconds;
};

static void span_cells(struct crimg_table *t, struct span s, const char *nothing)
{
	char text[48];
	crimg_cell_u64(t, s.seconds);
	crimg_cell_u64(t, s.nanoseconds);
	if (s.seconds == 0 && s.nanoseconds == 0)
		crimg_cell_text(t, nothing);
	else
		crimg_cell_text(t, crimg_duration_text(s.seconds, s.nanoseconds, text, sizeof text));
}

static void begin_row(struct crimg_table *t, const char *kind, const char *clock, int64_t id,
                      const struct span spans[2])
{
	crimg_table_row(t);
	crimg_cell_text(t, kind);
	if (id >= 0)
		crimg_cell_i64(t, id);
	else
		crimg_cell_none(t);
	crimg_cell_text(t, clock);
	crimg_cell_bool(t, spans[0].seconds != 0 || spans[0].nanoseconds != 0);
	span_cells(t, spans[0], "disarmed");
	span_cells(t, spans[1], "once");
}

static void itimer_row(struct crimg_table *t, size_t place, const ItimerEntry *e)
{
	static const struct {
		const char *kind, *clock, *signal;
	} rows[] = {
		{ "ITIMER_REAL", "real time", "SIGALRM" },
		{ "ITIMER_VIRTUAL", "user CPU time", "SIGVTALRM" },
		{ "ITIMER_PROF", "CPU time", "SIGPROF" },
	};
	const struct span spans[2] = { { e->vsec, e->vusec * 1000 }, { e->isec, e->iusec * 1000 } };
	if (place >= 3 || (e->vsec == 0 && e->vusec == 0 && e->isec == 0 && e->iusec == 0
	                   && !t->view->options->all))
		return;
	begin_row(t, rows[place].kind, rows[place].clock, -1, spans);
	crimg_cell_text(t, "SIGEV_SIGNAL");
	crimg_cell_text(t, rows[place].signal);
	crimg_cell_none(t);
	crimg_cell_none(t);
}

static void posix_row(struct crimg_table *t, const PosixTimerEntry *e)
{
	const struct span spans[2] = { { e->vsec, e->vnsec }, { e->isec, e->insec } };
	char clock[32], notify[64], signal[32];
	begin_row(t, "posix",
	          crimg_name_or_number(CRIMG_NAMES_CLOCK, e->clock_id, clock, sizeof clock),
	          e->it_id, spans);
	const char *how =
		crimg_name_or_number(CRIMG_NAMES_SIGEV, e->it_sigev_notify, notify, sizeof notify);
	if (e->has_notify_thread_id && e->notify_thread_id != 0)
		crimg_cell_textf(t, "%s %d", how, e->notify_thread_id);
	else
		crimg_cell_text(t, how);
	if (e->it_sigev_notify == 1)
		crimg_cell_none(t);
	else
		crimg_cell_text(t, crimg_signal_text(e->si_signo, signal, sizeof signal));
	crimg_cell_hex(t, e->sival_ptr);
	crimg_cell_u64(t, e->overrun);
}

static void timerfd_row(struct crimg_table *t, const TimerfdEntry *e, uint32_t fd)
{
	const struct span spans[2] = { { e->vsec, e->vnsec }, { e->isec, e->insec } };
	char clock[32];
	begin_row(t, "timerfd",
	          crimg_name_or_number(CRIMG_NAMES_CLOCK, e->clockid, clock, sizeof clock), fd,
	          spans);
	crimg_cell_textf(t, "fd %u", fd);
	crimg_cell_none(t);
	crimg_cell_none(t);
	crimg_cell_u64(t, e->ticks);
}

static void show_timerfds(struct crimg_table *t, const struct crimg_task *task)
{
	struct crimg_view *view = t->view;
	if (&view->tasks.list[task->fds_of] != task)
		return; // shown with the first task that has this table
	struct crimg_list fds = crimg_view_list(view, task, CRIMG_PART_FDS);
	for (size_t i = 0; i < fds.count; i++) {
		const FdinfoEntry *fd = fds.items[i];
		const struct crimg_file *file = crimg_files_find(&view->files, fd->id);
		if (file != NULL && file->type == FD_TYPES__TIMERFD && file->message != NULL)
			timerfd_row(t, file->message, fd->fd);
	}
}

static void show_task(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_list itimers, posix;
	struct crimg_table t;
	char label[64];
	itimers = crimg_view_list(view, task, CRIMG_PART_ITIMERS);
	posix = crimg_view_list(view, task, CRIMG_PART_POSIX_TIMERS);
	crimg_heading(view, "%s", crimg_task_label(task, label, sizeof label));
	crimg_group_object(view, NULL);
	crimg_task_json(view, task);
	crimg_table_begin(&t, view, "timers", columns, sizeof columns / sizeof columns[0]);
	t.indent = 2;
	for (size_t i = 0; i < itimers.count; i++)
		itimer_row(&t, i, itimers.items[i]);
	for (size_t i = 0; i < posix.count; i++)
		posix_row(&t, posix.items[i]);
	show_timerfds(&t, task);
	bool none = t.cell_count == 0;
	crimg_table_end(&t);
	if (none)
		crimg_line(view, CRIMG_MARK_DIM, "  none");
	crimg_group_end(view);
}

void crimg_view_timers(struct crimg_view *view)
{
	crimg_group_array(view, "timers");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		if (task->state != CRIMG_TASK_DEAD && crimg_view_wants(view, task))
			show_task(view, task);
	}
	crimg_group_end(view);
}
