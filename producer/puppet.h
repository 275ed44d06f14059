// A puppet: a task that crimg made, which makes the system calls that crimg puts on its list, and nothing
// else. Every puppet has the stage, a piece of memory at the same address, which holds a few
// instructions (take a call from the list, make it, keep the result), the list, and what the calls
// point at. So hundreds of calls cost one stop. The stage goes last, by crimg_puppet_leave().
// Knows system calls; refuses to know why they are made.
//
// A puppet is seized by this thread, and stands in a ptrace-stop whenever no function of this file
// runs. All its signals but SIGTRAP are blocked. One puppet at a time: they share the list.
#ifndef CRIMG_PRODUCER_PUPPET_H
#define CRIMG_PRODUCER_PUPPET_H

#include <signal.h>
#include <sys/types.h>
#include <sys/user.h>

#include "format/err.h"

#define CRIMG_STAGE_PARK_BYTES (256u << 10) // room for crimg_stage.park
#define CRIMG_STAGE_BYTES ((512u << 10) + CRIMG_STAGE_PARK_BYTES)
#define CRIMG_LEND_MAX_BYTES (64u << 10)    // what one call may point at, in all

struct crimg_stage {
	uint64_t start, end;      // addresses, in crimg and in every puppet
	uint64_t park;            // the last part of it: room for mappings that wait for their place
	volatile sig_atomic_t *stop; // set: no call begins any more; may be NULL

	// Private.
	struct crimg_listed *list;
	size_t count;
	uint8_t *lent;            // what calls point at, as it will stand in the puppet
	size_t lent_bytes;
};

// Takes the stage at start, where crimg has no mapping yet; what crimg forks has it too.
CRIMG_MUST_CHECK int crimg_stage_open(struct crimg_stage *stage, uint64_t start,
                                      struct crimg_err *err);
void crimg_stage_close(struct crimg_stage *stage);

struct crimg_puppet {
	struct crimg_stage *stage;
	pid_t tid;                   // as crimg sees it; 0: none, or gone
	uint32_t shown;              // its number in the image, and its name, for errors
	const char *name;
	struct user_regs_struct regs; // to call with
	long resumes;                // system call that the kernel goes on with when it is let go; 0: none
	pid_t born;                  // number of the task that the last call created; 0: none
};

// Takes over a task that is seized and will stop (PTRACE_INTERRUPT, or because it was born).
CRIMG_MUST_CHECK int crimg_puppet_adopt(struct crimg_puppet *p, struct crimg_stage *stage, pid_t tid,
                                        struct crimg_err *err);

#define CRIMG_ANY_RESULT INT64_MIN

struct crimg_call {
	const char *what;         // for errors: "mapping"
	const char *object;       // the same: "/usr/lib/libc.so"; or NULL. Lives as long as the puppet.
	long number;
	uint64_t args[6];
	bool is_32;               // as 32-bit programs make it: its number, of four arguments at most
	bool exact;               // the result must be wanted; else anything but an error will do
	int64_t wanted;
};

// Copies data to where the next call can point; 16-byte aligned. Returns the address in the puppet. At most
// CRIMG_LEND_MAX_BYTES in all for one call.
uint64_t crimg_puppet_lend(struct crimg_puppet *p, const void *data, size_t length);
// Puts a call on the list. It may be made now or later; a failure of an earlier call may be told here.
CRIMG_MUST_CHECK int crimg_puppet_add(struct crimg_puppet *p, struct crimg_call call,
                                      struct crimg_err *err);
// Makes all calls on the list.
CRIMG_MUST_CHECK int crimg_puppet_flush(struct crimg_puppet *p, struct crimg_err *err);
// The list, and then this call, whose result (an error too) is in *result.
CRIMG_MUST_CHECK int crimg_puppet_try(struct crimg_puppet *p, struct crimg_call call, int64_t *result,
                                      struct crimg_err *err);
// What the last call left in memory that was lent to it.
CRIMG_MUST_CHECK int crimg_puppet_read(struct crimg_puppet *p, uint64_t address, void *data,
                                       size_t length, struct crimg_err *err);
// Writes into the puppet's memory, over the borders of its mappings.
CRIMG_MUST_CHECK int crimg_puppet_write(struct crimg_puppet *p, uint64_t address, const void *data,
                                        size_t length, struct crimg_err *err);
// The list, and then this call without any code of the stage after it: also SIGTRAP may be blocked or
// ignored then, and the call may be the one that takes the stage away.
CRIMG_MUST_CHECK int crimg_puppet_leave(struct crimg_puppet *p, struct crimg_call call,
                                        struct crimg_err *err);
// The list, and then this call, which waits and is interrupted at once: *result, as the kernel has it before it
// decides how to go on (ERESTART_RESTARTBLOCK).
CRIMG_MUST_CHECK int crimg_puppet_interrupt(struct crimg_puppet *p, struct crimg_call call,
                                            int64_t *result, struct crimg_err *err);
// Brings it from wherever it stands to a stop after which the kernel looks at what its registers say of a system
// call to go on with.
CRIMG_MUST_CHECK int crimg_puppet_stand(struct crimg_puppet *p, struct crimg_err *err);
// Ends it with this wait status: its exit code, or the signal that killed it (one that has its default
// action).
CRIMG_MUST_CHECK int crimg_puppet_end(struct crimg_puppet *p, int status, struct crimg_err *err);
// Fills err: the task, what it did, the call and its arguments.
int crimg_puppet_fail(const struct crimg_puppet *p, const struct crimg_call *call, int64_t result,
                      struct crimg_err *err);

#define CRIMG_DO(p, err, what, object, ...)                                                        \
	crimg_puppet_do(p, err, what, object, (const uint64_t[7]){ __VA_ARGS__ })
// crimg_puppet_add() of the call that numbers holds: its number, its arguments.
CRIMG_MUST_CHECK int crimg_puppet_do(struct crimg_puppet *p, struct crimg_err *err, const char *what,
                                     const char *object, const uint64_t numbers[7]);

#endif
