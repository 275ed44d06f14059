// The words of one decoded instruction, as objdump and gdb write them. Private to the disassembler.
#ifndef CRIMG_INSPECT_INSTRUCTION_TEXT_H
#define CRIMG_INSPECT_INSTRUCTION_TEXT_H

#include "inspect/capstone_load.h"
#include "inspect/disassemble.h"

// What is being written, and of what.
struct crimg_words {
	const struct crimg_capstone *capstone;
	csh handle;          // set to the syntax that intel tells
	const cs_insn *insn; // with detail
	bool intel, is_32;
	char *out;
	size_t size, used;
};

void crimg_words_put(struct crimg_words *w, const char *fmt, ...) CRIMG_PRINTF(2, 3);
void crimg_words_mnemonic(struct crimg_words *w);
void crimg_words_operands(struct crimg_words *w);
// True for jumps and calls.
bool crimg_insn_goes(const cs_insn *insn);

#endif
