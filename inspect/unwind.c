// The parent's side: starts the child, takes its answer thread by thread, and guesses for itself where the
// child fails. A child that fails is started again behind the thread that it failed at, a few times.
#include "inspect/unwind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/x86.h"
#include "inspect/sandbox_child.h"
#include "inspect/unwind_child.h"
#include "inspect/unwind_guess.h"
#include "inspect/unwind_wire.h"

#define MAX_FAILURES 4u       // of children, in one task
#define MAX_FRAMES (1u << 20) // whatever --limit says
#define CHILD_LIMITS                                                                                 \
	((struct crimg_child_limits){ .cpu_seconds = 10, .wait_seconds = 10,                         \
	                              .memory_bytes = 2ull << 30 })

// The answer of one child, and the thread that it is at.
struct answer {
	struct crimg_unwind_job *job;
	struct crimg_trace trace;
	struct crimg_buf in;         // not understood yet
	bool begun, ended;           // this thread; its frames
	enum crimg_unwind_end end;
	uint64_t address;
	crimg_trace_fn *show;
	void *context;
};

const UserX86RegsEntry *crimg_unwind_regs(const struct crimg_thread *thread)
{
	const CoreEntry *core = thread->core;
	return core != NULL && core->thread_info != NULL ? core->thread_info->gpregs : NULL;
}

static const struct crimg_thread *thread_of(const struct answer *a)
{
	return a->job->threads[a->job->next];
}

static void fail_view(const struct answer *a)
{
	crimg_fail_nomem(&a->job->d->view->fault, 0);
}

static bool add_frame(struct answer *a, const struct crimg_frame *frame)
{
	struct crimg_trace *t = &a->trace;
	void *frames = t->frames;
	if (crimg_grow(&frames, &t->capacity, t->count, sizeof *t->frames, &a->job->d->view->fault) < 0)
		return false;
	t->frames = frames;
	t->frames[t->count] = *frame;
	struct crimg_frame *f = &t->frames[t->count];
	f->guess = f->how == CRIMG_FRAME_POINTER || f->how == CRIMG_FRAME_SCAN
		|| (t->count > 0 && f[-1].guess);
	t->count++;
	return true;
}

// Where the first frame stands is known without any child.
static struct crimg_frame first_frame(const struct crimg_thread *thread)
{
	struct crimg_stack_point at = crimg_stack_point_of(crimg_unwind_regs(thread));
	return (struct crimg_frame){ .pc = at.pc, .sp = at.sp, .how = CRIMG_FRAME_REGISTERS,
		                     .exact = true };
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

// Why a frame has no caller, or only a guessed one.
static void say_missing(struct crimg_debuggee *d, const struct crimg_frame *f, char *out, size_t size)
{
	const struct crimg_module *m = crimg_debuggee_module(d, crimg_frame_lookup(f));
	if (m == NULL)
		snprintf(out, size, "0x%llx is in no file", (unsigned long long)f->pc);
	else if (m->elf == NULL && d->view->options->sysroot == NULL)
		snprintf(out, size, "%s is not in the image: --sysroot DIR gives exact frames",
		         base_name(m->name));
	else if (m->elf == NULL)
		snprintf(out, size, "%s: %s", base_name(m->name), m->why);
	else
		snprintf(out, size, "%s has no usable frame information for 0x%llx",
		         base_name(m->name), (unsigned long long)f->pc);
}

// Memory that was missed: damage of the image if it is that.
static void say_memory(struct crimg_debuggee *d, uint64_t address, char *out, size_t size)
{
	uint8_t byte;
	int rc = crimg_space_read(&d->space, address, &byte, sizeof byte, &d->view->damage);
	snprintf(out, size, "stack memory at 0x%llx %s", (unsigned long long)address,
	         rc < 0 ? "cannot be read"
	         : crimg_space_find(&d->space, address) == NULL ? "is not mapped"
	                                                        : "is not in the image");
}

static bool is_at_hand(struct answer *a, uint64_t sp)
{
	uint64_t word;
	return crimg_stack_memory_word(&a->job->memory, sp, 4, &word);
}

static size_t first_guess(const struct crimg_trace *t)
{
	size_t i = 0;
	while (i < t->count && !t->frames[i].guess)
		i++;
	return i;
}

static void say_end(struct answer *a)
{
	struct crimg_trace *t = &a->trace;
	size_t guess = first_guess(t);
	char why[200];
	t->complete = a->end == CRIMG_END_COMPLETE && guess == t->count;
	if (t->complete) {
		snprintf(t->ended, sizeof t->ended, "outermost frame");
	} else if (a->end == CRIMG_END_LIMIT) {
		snprintf(t->ended, sizeof t->ended, "%zu frames are shown: --limit N shows more",
		         t->count);
	} else if (guess < t->count) {
		say_missing(a->job->d, &t->frames[guess - 1], why, sizeof why);
		snprintf(t->ended, sizeof t->ended, "guesses from #%zu on: %s", guess, why);
	} else if (a->end == CRIMG_END_MEMORY || !is_at_hand(a, t->frames[t->count - 1].sp)) {
		say_memory(a->job->d, a->end == CRIMG_END_MEMORY ? a->address : t->frames[t->count - 1].sp,
		           t->ended, sizeof t->ended);
	} else {
		say_missing(a->job->d, &t->frames[t->count - 1], t->ended, sizeof t->ended);
	}
}

static void clear(struct answer *a)
{
	struct crimg_trace *t = &a->trace;
	t->count = 0;
	t->texts.length = 0;
	t->ended[0] = t->stopped[0] = '\0';
	t->complete = false;
	a->begun = a->ended = false;
}

// Shows the thread, and moves on to the next.
static void finish(struct answer *a)
{
	if (a->trace.count > 0)
		say_end(a);
	a->show(a->context, thread_of(a), &a->trace);
	clear(a);
	a->job->next++;
}

// Threads without registers have no frames.
static void pass_bare(struct answer *a)
{
	struct crimg_unwind_job *job = a->job;
	while (job->next < job->count && crimg_unwind_regs(thread_of(a)) == NULL) {
		snprintf(a->trace.ended, sizeof a->trace.ended, "its registers are not in the image");
		finish(a);
	}
}

// What this process can find without libdw.
static void guess_thread(struct answer *a)
{
	const UserX86RegsEntry *regs = crimg_unwind_regs(thread_of(a));
	struct crimg_guesser g = crimg_guesser_make(&a->job->memory, crimg_x86_is_32(regs));
	struct crimg_stack_point at = crimg_stack_point_of(regs), next;
	struct crimg_frame f = first_frame(thread_of(a));
	a->trace.count = 0;
	a->end = CRIMG_END_NO_CFI;
	bool good = add_frame(a, &f);
	while (good && crimg_guess_caller(&g, &at, &next)) {
		if (a->trace.count >= a->job->limit) {
			a->end = CRIMG_END_LIMIT;
			break;
		}
		at = next;
		f = (struct crimg_frame){ .pc = at.pc, .sp = at.sp, .how = at.how, .exact = at.exact };
		good = add_frame(a, &f);
	}
	finish(a);
}

static bool take_frame(struct answer *a, const struct crimg_wire *m)
{
	struct crimg_frame f = m->frame;
	if (!a->begun || a->ended || a->trace.count >= a->job->limit)
		return false;
	if (a->trace.count == 0) {
		f = first_frame(thread_of(a));
		f.signal = m->frame.signal;
	}
	return add_frame(a, &f);
}

static bool take_line(struct answer *a, const struct crimg_wire *m)
{
	struct crimg_trace *t = &a->trace;
	if (!a->ended || m->number >= t->count || t->frames[m->number].line != 0)
		return false;
	size_t at = t->texts.length, length = strnlen(m->text, m->length);
	if (crimg_buf_append(&t->texts, m->text, length, &a->job->d->view->fault) < 0
	    || crimg_buf_append(&t->texts, "", 1, &a->job->d->view->fault) < 0)
		return false;
	t->frames[m->number].line = m->line;
	t->frames[m->number].file = at;
	return true;
}

// False when no child of ours sends that here, or memory is denied.
static bool take(struct answer *a, const struct crimg_wire *m)
{
	switch (m->type) {
	case CRIMG_WIRE_BEGIN:
		if (a->begun || a->job->next >= a->job->count || m->thread != a->job->next)
			return false;
		a->begun = true;
		return true;
	case CRIMG_WIRE_FRAME:
		return take_frame(a, m);
	case CRIMG_WIRE_END:
		if (!a->begun || a->ended || a->trace.count == 0)
			return false;
		a->ended = true;
		a->end = m->end;
		a->address = m->address;
		return true;
	case CRIMG_WIRE_LINE:
		return take_line(a, m);
	default:
		if (!a->ended)
			return false;
		finish(a);
		pass_bare(a);
		return true;
	}
}

// Takes all messages that are complete.
static bool take_all(struct answer *a)
{
	struct crimg_cursor c = crimg_cursor_make(a->in.data, a->in.length, "unwinder", 0);
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_wire m;
	int rc;
	while ((rc = crimg_wire_take(&c, &m, &err)) > 0)
		if (!take(a, &m))
			return false;
	a->in.length = crimg_cursor_left(&c);
	memmove(a->in.data, a->in.data + c.at, a->in.length);
	return rc == 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// Reads until all threads are done, or nothing more comes. False: the answer is none of ours.
static bool listen(struct answer *a, struct crimg_child *child, struct crimg_unwind_budget *budget)
{
	enum { PIECE = 16384 };
	const struct crimg_view *view = a->job->d->view;
	while (a->job->next < a->job->count && !crimg_view_failed(view) && budget->left_ms > 0) {
		if (crimg_buf_reserve(&a->in, PIECE, NULL) < 0)
			return false;
		uint64_t begin = now_ms();
		size_t got = crimg_child_read(child, a->in.data + a->in.length, PIECE);
		uint64_t spent = now_ms() - begin;
		budget->left_ms -= spent < budget->left_ms ? spent : budget->left_ms;
		if (got == 0)
			return true;
		a->in.length += got;
		if (!take_all(a))
			return false;
	}
	return true;
}

// The thread that the child failed at: without lines, as all that follow, or by guessing alone.
static void rescue(struct answer *a, const char *why)
{
	char text[sizeof a->trace.stopped];
	bool ended = a->ended;
	snprintf(text, sizeof text, "%s stopped: %s", ended ? "looking for source lines" : "unwinder",
	         why);
	memcpy(a->trace.stopped, text, sizeof text);
	if (ended) {
		a->job->lines = false;
		finish(a);
	} else {
		guess_thread(a);
	}
	pass_bare(a);
}

// True when the child got through to the last thread.
static bool run_child(struct answer *a, struct crimg_unwind_budget *budget)
{
	struct crimg_child child;
	struct crimg_err err = CRIMG_ERR_INIT;
	char why[96] = "it cannot be started";
	bool started = crimg_child_start(&CHILD_LIMITS, crimg_unwind_child, a->job, &child, &err) == 0;
	bool sane = started && listen(a, &child, budget);
	bool complete = started && a->job->next >= a->job->count;
	if (started)
		crimg_child_end(&child, complete || !sane || budget->left_ms == 0, why, sizeof why);
	a->in.length = 0;
	if (complete || crimg_view_failed(a->job->d->view))
		return true;
	rescue(a, started && !sane ? "its answer makes no sense"
	       : budget->left_ms == 0 ? "all in all it took too long" : why);
	return false;
}

static bool make_job(struct crimg_unwind_job *job, struct crimg_debuggee *d)
{
	const struct crimg_task *task = d->task;
	struct crimg_view *view = d->view;
	uint32_t limit = view->options->limit != 0 ? view->options->limit : CRIMG_UNWIND_FRAMES;
	*job = (struct crimg_unwind_job){ .d = d, .lines = true,
		                          .limit = limit < MAX_FRAMES ? limit : MAX_FRAMES };
	uint64_t *pointers = calloc(task->thread_count + 1, sizeof *pointers);
	job->threads = calloc(task->thread_count + 1, sizeof(const struct crimg_thread *));
	bool good = pointers != NULL && job->threads != NULL
		&& crimg_stack_memory_init(&job->memory, &d->space, &view->fault) == 0;
	size_t known = 0;
	for (size_t i = 0; good && i < task->thread_count; i++) {
		const struct crimg_thread *thread = &task->threads[i];
		if (!crimg_view_wants_thread(view, thread))
			continue;
		job->threads[job->count++] = thread;
		if (crimg_unwind_regs(thread) != NULL)
			pointers[known++] = crimg_unwind_regs(thread)->sp;
	}
	if (good)
		crimg_stack_memory_prefetch(&job->memory, pointers, known);
	free(pointers);
	return good;
}

static void unwind(struct answer *a, struct crimg_unwind_budget *budget)
{
	const struct crimg_unwind_job *job = a->job;
	const struct crimg_view *view = job->d->view;
	unsigned failures = 0;
	(void)crimg_sysroot_of(job->d->view); // opened here once, not in every child
	pass_bare(a);
	while (job->next < job->count && failures < MAX_FAILURES && budget->left_ms > 0
	       && !crimg_view_failed(view) && !run_child(a, budget))
		failures++;
	while (job->next < job->count && !crimg_view_failed(view)) {
		snprintf(a->trace.stopped, sizeof a->trace.stopped, "unwinder not used: %s",
		         budget->left_ms == 0 ? "it has taken too long already" : "it failed too often");
		guess_thread(a);
		pass_bare(a);
	}
}

void crimg_unwind_task(struct crimg_debuggee *d, struct crimg_unwind_budget *budget,
                       crimg_trace_fn *show, void *context)
{
	struct crimg_unwind_job job;
	struct answer a = { .job = &job, .show = show, .context = context };
	if (make_job(&job, d))
		unwind(&a, budget);
	else
		fail_view(&a);
	free(a.trace.frames);
	crimg_buf_fini(&a.trace.texts);
	crimg_buf_fini(&a.in);
	crimg_stack_memory_fini(&job.memory);
	free(job.threads);
}
