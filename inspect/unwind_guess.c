// A frame that frame pointers led to is left by its frame pointer. Any other may be of code that uses
// the register for something else, or leaves it to its callers: the stack is looked through first.
#include "inspect/unwind_guess.h"

#include <string.h>

#include "format/checked.h"
#include "format/x86.h"

#define SCAN_BYTES 16384u // of stack that are searched for one caller

struct crimg_guesser crimg_guesser_make(struct crimg_stack_memory *memory, bool is_32)
{
	return (struct crimg_guesser){ .space = memory->space, .memory = memory,
		                       .word = is_32 ? 4 : 8,
		                       .unverified_left = CRIMG_GUESS_UNVERIFIED };
}

struct crimg_stack_point crimg_stack_point_of(const UserX86RegsEntry *regs)
{
	uint64_t mask = crimg_x86_is_32(regs) ? UINT32_MAX : UINT64_MAX;
	return (struct crimg_stack_point){ .pc = regs->ip & mask, .sp = regs->sp & mask,
		                           .bp = regs->bp & mask,
		                           .how = CRIMG_FRAME_REGISTERS, .exact = true };
}

bool crimg_is_code(const struct crimg_space *space, uint64_t address)
{
	const struct crimg_area *area = crimg_space_find(space, address);
	return area != NULL && (area->vma->prot & CRIMG_PROT_EXEC) != 0;
}

// The length of the indirect call at p (ff /2 and its operand, without prefixes); 0: it is none.
// p[2] must be there.
static unsigned indirect_call(const uint8_t *p)
{
	unsigned mod = p[1] >> 6, rm = p[1] & 7;
	bool sib = mod != 3 && rm == 4;
	if (p[0] != 0xff || (p[1] >> 3 & 7) != 2)
		return 0;
	bool wide = mod == 2 || (mod == 0 && (rm == 5 || (sib && (p[2] & 7) == 5)));
	return 2u + sib + (mod == 1) + (wide ? 4 : 0);
}

enum verdict { NO_CALL, A_CALL, CODE_MISSING };

enum { LONGEST = 7, DIRECT = 5, SHORTEST = 2 }; // bytes of calls

// Whether the instruction that ends at address is a call: return addresses stand behind one.
static enum verdict behind_call(struct crimg_guesser *g, uint64_t address)
{
	uint8_t code[LONGEST + 1] = { 0 };
	unsigned got = LONGEST;
	while (got >= SHORTEST
	       && (address < got
	           || !crimg_stack_memory_read(g->memory, address - got, code + LONGEST - got, got)))
		got--;
	if (got < SHORTEST)
		return CODE_MISSING;
	if (got >= DIRECT && code[LONGEST - DIRECT] == 0xe8) {
		uint64_t far = crimg_get_u32(code + LONGEST - DIRECT + 1);
		uint64_t target = address + (far | (far >> 31 != 0 ? 0xffffffff00000000u : 0));
		if (crimg_is_code(g->space, g->word == 4 ? target & UINT32_MAX : target))
			return A_CALL;
	}
	for (unsigned length = SHORTEST; length <= got; length++)
		if (indirect_call(code + LONGEST - length) == length)
			return A_CALL;
	return NO_CALL;
}

static bool may_return_to(struct crimg_guesser *g, uint64_t address, bool *verified)
{
	if (address < SHORTEST || !crimg_is_code(g->space, address)
	    || !crimg_is_code(g->space, address - SHORTEST))
		return false;
	enum verdict verdict = behind_call(g, address);
	*verified = verdict == A_CALL;
	return verdict != NO_CALL;
}

// True when bp can be a frame pointer of the stack that sp is on.
static bool on_stack(const struct crimg_guesser *g, uint64_t sp, uint64_t bp)
{
	const struct crimg_area *area = crimg_space_find(g->space, sp);
	return area != NULL && bp >= sp && bp % g->word == 0 && bp < area->end
		&& area->end - bp >= 2 * g->word;
}

static bool by_frame_pointer(struct crimg_guesser *g, const struct crimg_stack_point *from,
                             struct crimg_stack_point *to)
{
	uint64_t bp, pc;
	bool verified;
	if (!on_stack(g, from->sp, from->bp)
	    || !crimg_stack_memory_word(g->memory, from->bp, g->word, &bp)
	    || !crimg_stack_memory_word(g->memory, from->bp + g->word, g->word, &pc)
	    || !may_return_to(g, pc, &verified))
		return false;
	*to = (struct crimg_stack_point){ .pc = pc, .sp = from->bp + 2 * g->word, .bp = bp,
		                          .how = CRIMG_FRAME_POINTER, .linked = true };
	return true;
}

// Functions with frame pointers save their caller's right below the return address at slot. Two links of
// a chain are no chance.
static void link_frame(struct crimg_guesser *g, uint64_t slot, struct crimg_stack_point *to)
{
	struct crimg_stack_point first = { .sp = slot }, second, third;
	if (!crimg_stack_memory_word(g->memory, slot - g->word, g->word, &first.bp)
	    || first.bp <= slot || !by_frame_pointer(g, &first, &second)
	    || !by_frame_pointer(g, &second, &third))
		return;
	to->bp = first.bp;
	to->linked = true;
}

static bool by_scan(struct crimg_guesser *g, const struct crimg_stack_point *from,
                    struct crimg_stack_point *to)
{
	const struct crimg_area *area = crimg_space_find(g->space, from->sp);
	uint64_t at = (from->sp + g->word - 1) / g->word * g->word, pc;
	if (area == NULL)
		return false;
	uint64_t end = area->end - crimg_min_u64(area->end - from->sp, g->word - 1);
	bool bounded = on_stack(g, from->sp, from->bp);
	if (bounded)
		end = from->bp;
	for (size_t n = 0; at < end && n < SCAN_BYTES; at += g->word, n += g->word) {
		bool verified;
		if (!crimg_stack_memory_word(g->memory, at, g->word, &pc)
		    || !may_return_to(g, pc, &verified) || (!verified && g->unverified_left == 0))
			continue;
		g->unverified_left -= !verified;
		*to = (struct crimg_stack_point){ .pc = pc, .sp = at + g->word, .bp = from->bp,
			                          .how = CRIMG_FRAME_SCAN };
		link_frame(g, at, to);
		return true;
	}
	return false;
}

bool crimg_guess_caller(struct crimg_guesser *g, const struct crimg_stack_point *from,
                        struct crimg_stack_point *to)
{
	struct crimg_stack_point without = *from;
	if (from->linked && by_frame_pointer(g, from, to))
		return true;
	if (by_scan(g, from, to))
		return true;
	if (!from->linked && by_frame_pointer(g, from, to))
		return true;
	// What looked like a frame pointer was none: it must not end the search.
	without.bp = 0;
	return on_stack(g, from->sp, from->bp) && by_scan(g, &without, to);
}
