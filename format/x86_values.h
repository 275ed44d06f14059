// Registers as people know them: their order, and vector and x87 registers as whole values.
#ifndef CRIMG_FORMAT_X86_VALUES_H
#define CRIMG_FORMAT_X86_VALUES_H

#include "format/x86.h"

// The order in which people read them; names as in format/x86.h. Ends with NULL. Of 32-bit threads
// too, the registers that only 64-bit code has are in the message: crimg_regs_others lists them.
extern const char *const crimg_regs_order64[], *const crimg_regs_order32[],
	*const crimg_regs_others[];
// By the names of the thread's mode; of 32-bit threads then by those of 64-bit ones. NULL: there is none.
const struct crimg_x86_reg *crimg_x86_reg_named(bool is_32, const char *name);
// Whether a register of that name may hold an address: no flags, selectors, numbers of system calls.
bool crimg_x86_reg_is_address(const char *name);

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

#endif
