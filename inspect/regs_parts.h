// What the view regs shows of one x86 thread, in pieces that its text and its JSON share. Knows
// messages and ELF notes; says nothing itself.
#ifndef CRIMG_INSPECT_REGS_PARTS_H
#define CRIMG_INSPECT_REGS_PARTS_H

#include "format/x86.h"
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

// The order in which people read them; names as in format/x86.h. Ends with NULL. Of 32-bit threads
// too, the registers that only 64-bit code has are in the message: crimg_regs_others lists them.
extern const char *const crimg_regs_order64[], *const crimg_regs_order32[],
						       *const crimg_regs_others[];
// False when there is no register of that name.
bool crimg_reg_facts(const struct crimg_regs *r, const char *name, struct crimg_reg_facts *out);

// Vector registers put together from the parts that the message keeps.
struct crimg_vectors {
	unsigned count;        // 16, or 32 with AVX-512
	unsigned bytes;        // of each: 16, 32 or 64
	uint8_t value[32][64]; // least significant byte first
	bool has_masks;
	uint64_t masks[8];
};

void crimg_vectors_load(const UserX86FpregsEntry *fp, struct crimg_vectors *out);
// Bytes of the narrowest register that holds all of value i: 0 (it is zero), 16, 32 or 64.
unsigned crimg_vector_width(const struct crimg_vectors *v, unsigned i);
#define CRIMG_VECTOR_TEXT_MAX 160
// Hex digits, most significant first, with blank between 64-bit groups unless NULL. Returns out.
char *crimg_vector_text(const uint8_t *value, unsigned bytes, const char *blank, char *out,
                        size_t size);

// The x87 stack.
struct crimg_x87_reg {
	unsigned physical;
	enum crimg_x87_tag tag;
	char value[64];
	char raw[24];          // 20 hex digits: sign and exponent, then the mantissa
};

void crimg_x87_load(const UserX86FpregsEntry *fp, struct crimg_x87_reg out[8]);

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
