// Frame information first, a guess where there is none, and frame information again from there.
#include "inspect/unwind_child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/x86.h"
#include "inspect/module_lines.h"
#include "inspect/unwind_dwfl.h"
#include "inspect/unwind_wire.h"

// The walk through one thread's stack, and those before it.
struct walk {
	struct crimg_unwind_job *job;
	int fd;
	struct crimg_buf out;             // not written yet
	struct crimg_dwfl sessions[2];    // 64-bit, 32-bit
	bool opened[2], usable[2];
	struct crimg_dwfl *session;       // of this thread; NULL: libdw cannot be had
	struct crimg_stack_point at;      // the frame that was found last
	bool at_sent, after_signal;
	bool outermost;                   // frame information says so of it
	enum crimg_unwind_end end;
	struct crimg_module_lines lines;
	uint64_t *lookups;                // of frames that were sent; the job's limit
	size_t count;
};

// The parent is told what is known so far, for what comes next may be the end of this process.
static void flush(struct walk *w)
{
	for (size_t done = 0; done < w->out.length;) {
		ssize_t n = write(w->fd, w->out.data + done, w->out.length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
	w->out.length = 0;
}

static void put(struct walk *w, const struct crimg_wire *message)
{
	if (crimg_wire_put(&w->out, message, NULL) < 0)
		_exit(1);
}

static void put_frame(struct walk *w, bool signal)
{
	struct crimg_wire m = { .type = CRIMG_WIRE_FRAME,
		                .frame = { .pc = w->at.pc, .sp = w->at.sp, .how = w->at.how,
		                           .exact = w->at.exact, .signal = signal } };
	put(w, &m);
	w->lookups[w->count++] = crimg_frame_lookup(&m.frame);
	w->at_sent = true;
}

// Callers are code. Stacks grow down: a caller that is deeper on the same one is none, nor is the same frame
// again.
static bool leads_nowhere(const struct walk *w, const struct crimg_stack_point *next)
{
	const struct crimg_space *space = &w->job->d->space;
	if (!crimg_is_code(space, next->pc))
		return true;
	if (next->sp == w->at.sp)
		return next->pc == w->at.pc;
	return next->sp < w->at.sp && !w->after_signal
		&& crimg_space_find(space, next->sp) == crimg_space_find(space, w->at.sp);
}

// A frame of libdw; the first one is w->at, which is known already.
static int take_frame(Dwfl_Frame *state, void *arg)
{
	struct walk *w = arg;
	struct crimg_stack_point next;
	struct crimg_coverage coverage;
	if (w->at_sent) {
		if (!crimg_dwfl_point(w->session, state, &next)) {
			w->end = CRIMG_END_BAD_CFI;
			return DWARF_CB_ABORT;
		}
		if (leads_nowhere(w, &next) || w->count >= w->job->limit) {
			w->end = w->count >= w->job->limit ? CRIMG_END_LIMIT : CRIMG_END_BAD_CFI;
			return DWARF_CB_ABORT;
		}
		next.exact = w->after_signal;
		w->at = next;
	}
	uint64_t lookup = w->at.exact || w->at.pc == 0 ? w->at.pc : w->at.pc - 1;
	bool covered = crimg_dwfl_covers(w->session, lookup, &coverage);
	put_frame(w, coverage.signal);
	w->after_signal = coverage.signal;
	w->outermost = coverage.outermost;
	w->end = CRIMG_END_NO_CFI;
	return covered ? DWARF_CB_OK : DWARF_CB_ABORT;
}

// Sends w->at and its callers as far as frame information reaches; w->end tells why no farther. libdw
// gives no error when the caller cannot be told: a return address that is 0 or undefined is the end, all else
// is not.
static void run(struct walk *w, const struct crimg_dwarf_regs *regs)
{
	w->at_sent = w->after_signal = w->outermost = false;
	w->end = CRIMG_END_NO_CFI;
	int rc = w->session == NULL ? DWARF_CB_ABORT
	                            : crimg_dwfl_frames(w->session, regs, take_frame, w);
	if (!w->at_sent)
		put_frame(w, false);
	else if (rc == 0 && (w->outermost || (!w->session->read_failed && w->session->read_word == 0)))
		w->end = CRIMG_END_COMPLETE;
	else if (rc != DWARF_CB_ABORT)
		w->end = w->session->read_failed ? CRIMG_END_MEMORY : CRIMG_END_BAD_CFI;
}

static struct crimg_dwfl *session_of(struct walk *w, bool is_32)
{
	if (!w->opened[is_32])
		w->usable[is_32] = crimg_dwfl_open(&w->sessions[is_32], w->job->d, &w->job->memory,
		                                   is_32);
	w->opened[is_32] = true;
	return w->usable[is_32] ? &w->sessions[is_32] : NULL;
}

static void walk_thread(struct walk *w, const UserX86RegsEntry *regs)
{
	bool is_32 = crimg_x86_is_32(regs);
	struct crimg_guesser guesser = crimg_guesser_make(&w->job->memory, is_32);
	struct crimg_dwarf_regs start = crimg_dwarf_regs_of(regs);
	struct crimg_stack_point next;
	w->session = session_of(w, is_32);
	w->at = crimg_stack_point_of(regs);
	w->count = 0;
	run(w, &start);
	while (w->end != CRIMG_END_COMPLETE && w->end != CRIMG_END_LIMIT
	       && crimg_guess_caller(&guesser, &w->at, &next)) {
		if (w->count >= w->job->limit) {
			w->end = CRIMG_END_LIMIT;
			break;
		}
		w->at = next;
		start = crimg_dwarf_regs_at(&next, is_32);
		run(w, &start);
	}
	put(w, &(struct crimg_wire){ .type = CRIMG_WIRE_END, .end = w->end,
		                     .address = w->session != NULL ? w->session->read_at : 0 });
}

static void put_lines(struct walk *w)
{
	char file[CRIMG_WIRE_MAX_TEXT];
	for (size_t i = 0; i < w->count; i++) {
		uint32_t line = crimg_module_line(&w->lines, w->lookups[i], file, sizeof file);
		if (line != 0)
			put(w, &(struct crimg_wire){ .type = CRIMG_WIRE_LINE, .number = (uint32_t)i,
				                     .line = line, .text = file,
				                     .length = strlen(file) });
	}
}

void crimg_unwind_child(void *context, int fd)
{
	struct crimg_unwind_job *job = context;
	struct walk w = { .job = job, .fd = fd, .out = CRIMG_BUF_INIT };
	w.lookups = calloc(job->limit, sizeof *w.lookups);
	if (w.lookups == NULL || crimg_module_lines_init(&w.lines, job->d, NULL) < 0)
		return;
	for (size_t i = job->next; i < job->count; i++) {
		const UserX86RegsEntry *regs = crimg_unwind_regs(job->threads[i]);
		if (regs == NULL)
			continue;
		put(&w, &(struct crimg_wire){ .type = CRIMG_WIRE_BEGIN, .thread = (uint32_t)i });
		flush(&w);
		walk_thread(&w, regs);
		flush(&w);
		if (job->lines)
			put_lines(&w);
		put(&w, &(struct crimg_wire){ .type = CRIMG_WIRE_DONE });
	}
	flush(&w);
}
