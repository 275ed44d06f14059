// The notes of one ELF core, from records: those that the kernel writes, in its order. Where the
// image came from a core and has its notes still, they are kept, and only what records know is
// set anew. Knows messages and notes; knows nothing of segments. Source: SPEC.md, chapter "ELF
// cores".
#ifndef CRIMG_WRITERS_ELFCORE_NOTES_H
#define CRIMG_WRITERS_ELFCORE_NOTES_H

#include "format/space.h"

// The process that notes tell of; all borrowed.
struct elfcore_process {
	struct crimg_image *image;
	const struct crimg_files *files;
	const struct crimg_task *task;
	const struct crimg_space *space;
	bool is32;
};

#define ELFCORE_NO_ARGS SIZE_MAX

// Appends all notes to out. *args is the offset in out of the CRIMG_PRPSINFO_ARGS_BYTES that show
// the arguments, to be filled by whoever sees the memory they are in; ELFCORE_NO_ARGS when they
// are known.
CRIMG_MUST_CHECK int elfcore_notes_make(const struct elfcore_process *p, struct crimg_buf *out,
                                        size_t *args, struct crimg_err *err);

// For the parts of this module.

// A note being made. kept is what the image has of it, or NULL; desc is empty, or holds those
// bytes.
struct elfcore_note {
	const struct elfcore_process *process;
	const struct crimg_thread *thread;      // of notes of the process: the leader
	const ProtobufCBinaryData *kept;
	struct crimg_buf *desc;
	struct crimg_arena *arena;              // for what is needed until the note is made
};

// Each fills desc; an empty one means that there is no such note.
typedef int elfcore_note_fn(const struct elfcore_note *n, struct crimg_err *err);

// elfcore_process.c
elfcore_note_fn elfcore_prpsinfo, elfcore_siginfo, elfcore_auxv, elfcore_file;
// elfcore_thread.c
elfcore_note_fn elfcore_prstatus, elfcore_fpregset, elfcore_prxfpreg, elfcore_xstate, elfcore_tls,
	elfcore_shstk;

// What both begin with: desc as kept when that has `size` bytes, else zeros. *at is where they are;
// NULL when kept has another size: such a note stays as it is.
CRIMG_MUST_CHECK int elfcore_note_begin(const struct elfcore_note *n, size_t size, uint8_t **at,
                                        struct crimg_err *err);
// 0, or -1 with what went wrong in err: for calls that tell of it in nothing but their err.
CRIMG_MUST_CHECK int elfcore_pass_error(const struct crimg_err *broken, struct crimg_err *err);
// The signal that a stopped task was stopped by, 0 for others.
uint32_t elfcore_stop_signal(const struct crimg_task *task);

#endif
