// What the unwinding child tells its parent, as bytes: encoding and decoding, side by side. The parent
// trusts none of it: every length and number is checked.
#ifndef CRIMG_INSPECT_UNWIND_WIRE_H
#define CRIMG_INSPECT_UNWIND_WIRE_H

#include "format/buf.h"
#include "format/cursor.h"
#include "inspect/unwind.h"

// The order of one thread's messages: begin, frames, end, lines, done.
enum crimg_wire_type {
	CRIMG_WIRE_BEGIN = 1, // thread
	CRIMG_WIRE_FRAME,
	CRIMG_WIRE_END,       // of the frames: end, address
	CRIMG_WIRE_LINE,
	CRIMG_WIRE_DONE,
};

// Why a trace has no more frames.
enum crimg_unwind_end {
	CRIMG_END_COMPLETE,   // the thread's first function
	CRIMG_END_LIMIT,      // of frames
	CRIMG_END_MEMORY,     // memory that is needed cannot be read
	CRIMG_END_NO_CFI,     // no frame information, and nothing to guess by
	CRIMG_END_BAD_CFI,    // frame information that makes no sense
	CRIMG_END_COUNT
};

#define CRIMG_WIRE_MAX_TEXT 4096u // bytes of a file's name

struct crimg_wire {
	enum crimg_wire_type type;
	uint32_t thread;             // BEGIN: its place in the job's list
	struct crimg_frame frame;    // FRAME: pc, sp, how, exact, signal
	enum crimg_unwind_end end;   // END
	uint64_t address;            // END: of the memory
	uint32_t number, line;       // LINE: of the frame, of the file
	const char *text;            // LINE: the file's name, length bytes, not terminated, borrowed
	size_t length;
};

// Appends a message.
CRIMG_MUST_CHECK int crimg_wire_put(struct crimg_buf *out, const struct crimg_wire *message,
                                    struct crimg_err *err);
// The next message, whose text lives in c's bytes. 1; 0: not all of it is there yet, c stays; -1: err: no
// child of ours sends that.
CRIMG_MUST_CHECK int crimg_wire_take(struct crimg_cursor *c, struct crimg_wire *out,
                                     struct crimg_err *err);

#endif
