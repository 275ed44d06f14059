// View stack: backtraces of all threads. Guesses have a "?" before them. How frames are found is not
// known here.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inspect/command.h"
#include "inspect/unwind.h"

static const struct crimg_column columns[] = { // text has lines of its own
	{ "number", NULL, CRIMG_COLUMN_RIGHT },  { "address", NULL, CRIMG_COLUMN_RIGHT },
	{ "function", NULL, CRIMG_COLUMN_LEFT }, { "offset", NULL, CRIMG_COLUMN_RIGHT },
	{ "module", NULL, CRIMG_COLUMN_LEFT },   { "module_offset", NULL, CRIMG_COLUMN_RIGHT },
	{ "file", NULL, CRIMG_COLUMN_LEFT },     { "line", NULL, CRIMG_COLUMN_RIGHT },
	{ "signal", NULL, CRIMG_COLUMN_LEFT },   { "how", NULL, CRIMG_COLUMN_LEFT },
	{ "guess", NULL, CRIMG_COLUMN_LEFT },
};

static const char *const how_words[] = {
	[CRIMG_FRAME_REGISTERS] = "registers",
	[CRIMG_FRAME_CFI] = "cfi",
	[CRIMG_FRAME_POINTER] = "frame-pointer",
	[CRIMG_FRAME_SCAN] = "scan",
};

struct shown {
	struct crimg_view *view;
	struct crimg_debuggee *d;
	bool headings;           // of threads: there are several
};

// What is known of a frame's place.
struct place {
	const struct crimg_module *module; // NULL: none
	const struct crimg_symbol *symbol; // NULL: none
	uint64_t address;                  // in the module's file, when symbol is set
};

static struct place place_of(struct crimg_debuggee *d, const struct crimg_frame *f)
{
	uint64_t lookup = crimg_frame_lookup(f);
	struct crimg_module *m = crimg_debuggee_module(d, lookup);
	const struct crimg_symbols *symbols = m != NULL ? crimg_module_symbols(d, m) : NULL;
	struct place p = { .module = m };
	if (symbols != NULL) {
		p.symbol = crimg_symbols_find(symbols, lookup - m->bias);
		p.address = f->pc - m->bias;
	}
	return p;
}

static const char *file_of(const struct crimg_trace *t, const struct crimg_frame *f)
{
	return f->line != 0 ? (const char *)t->texts.data + f->file : NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

// "main+0x1c (zoo)", "<signal handler called>".
static void describe(const struct shown *s, const struct crimg_frame *f, char *out, size_t size)
{
	struct place p = place_of(s->d, f);
	char offset[24] = "";
	if (p.symbol != NULL && p.address != p.symbol->value)
		snprintf(offset, sizeof offset, "+0x%" PRIx64, p.address - p.symbol->value);
	if (f->signal)
		snprintf(out, size, "<signal handler called>");
	else if (p.symbol != NULL)
		snprintf(out, size, "%s%s (%s)", p.symbol->name, offset, base_name(p.module->name));
	else if (crimg_debuggee_text(s->d, f->pc, out, size)[0] == '\0')
		snprintf(out, size, "not mapped");
}

static void frame_line(const struct shown *s, const struct crimg_trace *t, size_t i)
{
	const struct crimg_frame *f = &t->frames[i];
	char text[CRIMG_ADDRESS_TEXT_MAX], line[16] = "";
	const char *file = file_of(t, f);
	describe(s, f, text, sizeof text);
	if (file != NULL)
		snprintf(line, sizeof line, ":%u", f->line);
	crimg_line(s->view, f->guess ? CRIMG_MARK_DIM : CRIMG_MARK_NONE,
	           "%s#%-3zu%c 0x%0*" PRIx64 "  %s%s%s%s", s->headings ? "    " : "  ", i,
	           f->guess ? '?' : ' ', s->d->is_32 ? 8 : 16, f->pc, text,
	           file != NULL ? "  " : "", file != NULL ? file : "", line);
}

static void hex_or_none(struct crimg_table *t, bool known, uint64_t value)
{
	if (known)
		crimg_cell_hex(t, value);
	else
		crimg_cell_none(t);
}

static void frame_cells(struct crimg_table *t, const struct shown *s, const struct crimg_trace *trace,
                        size_t i)
{
	const struct crimg_frame *f = &trace->frames[i];
	struct place p = place_of(s->d, f);
	crimg_table_row(t);
	crimg_cell_u64(t, i);
	crimg_cell_hex(t, f->pc);
	crimg_cell_text(t, p.symbol != NULL ? p.symbol->name : NULL);
	hex_or_none(t, p.symbol != NULL, p.symbol != NULL ? p.address - p.symbol->value : 0);
	crimg_cell_text(t, p.module != NULL ? p.module->name : NULL);
	hex_or_none(t, p.module != NULL, p.module != NULL ? f->pc - p.module->start : 0);
	crimg_cell_text(t, file_of(trace, f));
	if (f->line != 0)
		crimg_cell_u64(t, f->line);
	else
		crimg_cell_none(t);
	crimg_cell_bool(t, f->signal);
	crimg_cell_text(t, how_words[f->how]);
	crimg_cell_bool(t, f->guess);
}

static void text_of(const struct shown *s, const struct crimg_thread *thread,
                    const struct crimg_trace *trace)
{
	const char *indent = s->headings ? "    " : "  ";
	if (s->headings)
		crimg_line(s->view, CRIMG_MARK_BOLD, "  thread %u %s", thread->tid,
		           crimg_thread_comm(s->d->task, thread));
	if (trace->stopped[0] != '\0')
		crimg_line(s->view, CRIMG_MARK_WARN, "%s%s", indent, trace->stopped);
	for (size_t i = 0; i < trace->count && !crimg_view_failed(s->view); i++) {
		frame_line(s, trace, i);
		crimg_view_flush(s->view);
	}
	if (!trace->complete)
		crimg_line(s->view, CRIMG_MARK_DIM, "%s… %s", indent, trace->ended);
}

static void json_of(const struct shown *s, const struct crimg_thread *thread,
                    const struct crimg_trace *trace)
{
	struct crimg_json *j = s->view->json;
	struct crimg_table t;
	crimg_json_object(j, NULL);
	crimg_json_u64(j, "tid", thread->tid);
	crimg_json_text(j, "comm", crimg_thread_comm(s->d->task, thread));
	crimg_table_begin(&t, s->view, "frames", columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; i < trace->count && !crimg_view_failed(s->view); i++) {
		frame_cells(&t, s, trace, i);
		crimg_view_flush(s->view);
	}
	crimg_table_end(&t);
	crimg_json_bool(j, "complete", trace->complete);
	crimg_json_text(j, "ended", trace->ended);
	crimg_json_text(j, "unwinder", trace->stopped[0] != '\0' ? trace->stopped : NULL);
	crimg_json_end(j);
}

static void show_thread(void *context, const struct crimg_thread *thread,
                        const struct crimg_trace *trace)
{
	const struct shown *s = context;
	if (s->view->json != NULL)
		json_of(s, thread, trace);
	else
		text_of(s, thread, trace);
}

static void show_task(struct crimg_view *view, const struct crimg_task *task,
                      struct crimg_unwind_budget *budget)
{
	struct crimg_debuggee d;
	char label[64];
	if (!crimg_debuggee_open(view, task, &d))
		return;
	struct shown s = { .view = view, .d = &d, .headings = task->thread_count > 1 };
	crimg_heading(view, "%s%s", crimg_task_label(task, label, sizeof label),
	              task->state == CRIMG_TASK_STOPPED ? " (stopped)" : "");
	crimg_group_object(view, NULL);
	crimg_task_json(view, task);
	crimg_group_array(view, "threads");
	crimg_unwind_task(&d, budget, show_thread, &s);
	crimg_group_end(view);
	crimg_group_end(view);
	crimg_debuggee_close(&d);
}

void crimg_view_stack(struct crimg_view *view)
{
	struct crimg_unwind_budget budget = CRIMG_UNWIND_BUDGET;
	crimg_group_array(view, "stack");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		if (task->state != CRIMG_TASK_DEAD && crimg_view_wants(view, task))
			show_task(view, task, &budget);
	}
	crimg_group_end(view);
}
