// What the view regs shows of one x86 thread, in pieces that its text and its JSON share. Knows
// messages and ELF notes; says nothing itself.
#ifndef CRIMG_INSPECT_REGS_PARTS_H
#define CRIMG_INSPECT_REGS_PARTS_H

#include "format/x86_values.h"
#include "inspect/syscall_text.h"

// The note NT_X86_XSTATE that the thread came with, when the image was an ELF core; else empty.
struct crimg_xstate_note {
	const uint8_t *data;
	size_t length;
};

struct crimg_regs {
	struct crimg_view *view;
	struct crimg_debuggee *d;
	const struct crimg_task *task;
	const struct crimg_thread *thread;
	const ThreadInfoX86 *info;
	bool is_32;
	struct crimg_call call;
	struct crimg_xstate_note note;
};

// One general register with what is known of its value.
struct crimg_reg_facts {
	const char *name;
	uint64_t value;
	bool address;          // may be one: not a flag, a selector or a system call's number
	char where[CRIMG_ADDRESS_TEXT_MAX]; // "" for none
	char string[160];      // "" for none
	bool on_stack;         // at or above the stack pointer, in the same area
	uint64_t above_sp;     // bytes, when on_stack
};

// False when there is no register of that name.
bool crimg_reg_facts(const struct crimg_regs *r, const char *name, struct crimg_reg_facts *out);

// A component that xstate_bv or the image names.
struct crimg_xstate_part {
	const char *name;      // NULL: unknown
	bool placed;           // offset and size are known
	uint32_t offset, size;
	bool listed;           // in xstate_bv: not in its initial state
	bool present;          // the image has bytes of it
	size_t held;           // bytes that the message holds; of notes: size
	const uint8_t *raw;    // present in the note alone: its bytes; else NULL
};

// False when nothing names this bit (0 to 63).
bool crimg_xstate_part(const struct crimg_regs *r, unsigned bit, struct crimg_xstate_part *out);
// Bytes of the note that are not all zero and belong to no component that is known: true with
// *offset, *end of the next piece at or behind *offset, at most CRIMG_XSTATE_PIECE long.
#define CRIMG_XSTATE_PIECE 65536u
bool crimg_xstate_rest(const struct crimg_regs *r, size_t *offset, size_t *end);

// "keys 1-15 no access": what is not allowed; "" when all is. Returns out.
char *crimg_pkru_text(uint32_t pkru, char *out, size_t size);
// Bits of the CET control register: "SH_STK_EN WR_SHSTK_EN". Returns out.
char *crimg_cet_text(uint64_t cet, char *out, size_t size);

// Rows and members of one thread.
void crimg_regs_text(struct crimg_regs *r);
void crimg_regs_json(struct crimg_regs *r);

#endif
