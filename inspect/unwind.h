// Backtraces of the threads of one task: by the call frame information of its ELF files as long as there is
// some, by guesses otherwise. Knows frames as numbers; names are for whoever shows them.
#ifndef CRIMG_INSPECT_UNWIND_H
#define CRIMG_INSPECT_UNWIND_H

#include "inspect/debuggee.h"

// How a frame was found.
enum crimg_frame_how {
	CRIMG_FRAME_REGISTERS, // the thread stands there: exact
	CRIMG_FRAME_CFI,       // by call frame information
	CRIMG_FRAME_POINTER,   // by the chain of frame pointers
	CRIMG_FRAME_SCAN,      // a word on the stack that looks like a return address
	CRIMG_FRAME_HOW_COUNT
};

struct crimg_frame {
	uint64_t pc;        // a return address unless exact
	uint64_t sp;        // in the caller's place: where its stack ended at the call
	enum crimg_frame_how how;
	bool guess;         // it is one, or hangs on one
	bool exact;         // pc is where the thread stands, or was interrupted by a signal
	bool signal;        // the code that returns from a signal handler
	uint32_t line;      // 0: unknown
	size_t file;        // of line: a text in the trace's texts
};

struct crimg_trace {
	struct crimg_frame *frames; // owned
	size_t count, capacity;
	struct crimg_buf texts;     // names of files, each with its NUL
	bool complete;              // up to the thread's first function
	char ended[256];            // why there are no more frames
	char stopped[160];          // why frames or lines could not be had as they should; or ""
};

// How long unwinding may still take, in all tasks of a view.
struct crimg_unwind_budget {
	uint64_t left_ms;
};
#define CRIMG_UNWIND_BUDGET ((struct crimg_unwind_budget){ .left_ms = 60000 })
#define CRIMG_UNWIND_FRAMES 256u // without --limit

// Gets one thread's trace, valid during the call.
typedef void crimg_trace_fn(void *context, const struct crimg_thread *thread,
                            const struct crimg_trace *trace);

// Traces of all threads of d that the view wants, in order. What is wrong with the image is noted in
// d->view->damage.
void crimg_unwind_task(struct crimg_debuggee *d, struct crimg_unwind_budget *budget,
                       crimg_trace_fn *show, void *context);

// The address within the function that a frame is in: behind a call may be another one already. Signal
// handlers return to the first byte of what returns from them.
static inline uint64_t crimg_frame_lookup(const struct crimg_frame *f)
{
	return f->exact || f->signal || f->pc == 0 ? f->pc : f->pc - 1;
}

// The registers of a thread that unwinding begins with; NULL when they are not in the image.
const UserX86RegsEntry *crimg_unwind_regs(const struct crimg_thread *thread);

#endif
