// Machine code of x86 to text, one instruction at a time, written as GNU's tools write it. Knows
// capstone (the only place that does); knows no tasks and no symbols.
#ifndef CRIMG_INSPECT_DISASSEMBLE_H
#define CRIMG_INSPECT_DISASSEMBLE_H

#include "format/err.h"

#define CRIMG_INSTRUCTION_BYTES 15u // no instruction of x86 is longer

struct crimg_instruction {
	uint64_t address;
	uint8_t bytes[CRIMG_INSTRUCTION_BYTES + 1];
	size_t length;          // 1 to 15
	bool decoded; // else ".byte": one that begins no instruction, or those of an unknown one
	char mnemonic[40];      // with prefixes: "rep movsq"
	char operands[200];     // "%rsp,%rbp", "rbp,rsp"; "" when there are none
	bool has_target;        // a jump or call to
	uint64_t target;        // this address
	bool has_reference;     // an operand lies at, or is, this constant address
	uint64_t reference;
	bool reference_is_code; // it holds the address that the jump or call goes to
	bool reference_is_sure; // relative to rip; else a number that may be no address
};

struct crimg_disassembler;

// NULL with err filled: no memory, or a capstone without x86.
CRIMG_MUST_CHECK struct crimg_disassembler *crimg_disassembler_open(bool is_32, bool intel,
                                                                    struct crimg_err *err);
void crimg_disassembler_close(struct crimg_disassembler *d); // NULL is allowed

// The instruction at code, whose address is given; length > 0 bytes are there. An instruction that
// these do not hold to its end is one that does not decode.
void crimg_disassemble(struct crimg_disassembler *d, const uint8_t *code, size_t length,
                       uint64_t address, struct crimg_instruction *out);

#endif
