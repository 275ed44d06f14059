// capstone decodes; what an instruction points at is worked out here.
#include "inspect/disassemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/instruction_text.h"

struct crimg_disassembler {
	const struct crimg_capstone *capstone;
	csh handle;
	cs_insn *insn;
	bool is_32, intel;
};

struct crimg_disassembler *crimg_disassembler_open(bool is_32, bool intel, struct crimg_err *err)
{
	const struct crimg_capstone *capstone = crimg_capstone_load(err);
	struct crimg_disassembler *d = capstone != NULL ? calloc(1, sizeof *d) : NULL;
	if (capstone == NULL)
		return NULL;
	if (d == NULL) {
		crimg_fail_nomem(err, sizeof *d);
		return NULL;
	}
	*d = (struct crimg_disassembler){ .capstone = capstone, .is_32 = is_32, .intel = intel };
	cs_err rc = capstone->cs_open(CS_ARCH_X86, is_32 ? CS_MODE_32 : CS_MODE_64, &d->handle);
	if (rc != CS_ERR_OK) {
		crimg_fail(err, rc == CS_ERR_MEM ? CRIMG_E_NOMEM : CRIMG_E_UNSUPPORTED, "capstone",
		           CRIMG_NO_OFFSET, "%s", capstone->cs_strerror(rc));
		free(d);
		return NULL;
	}
	capstone->cs_option(d->handle, CS_OPT_SYNTAX, intel ? CS_OPT_SYNTAX_INTEL : CS_OPT_SYNTAX_ATT);
	capstone->cs_option(d->handle, CS_OPT_DETAIL, CS_OPT_ON);
	d->insn = capstone->cs_malloc(d->handle);
	if (d->insn != NULL)
		return d;
	crimg_fail_nomem(err, sizeof *d->insn);
	crimg_disassembler_close(d);
	return NULL;
}

void crimg_disassembler_close(struct crimg_disassembler *d)
{
	if (d == NULL)
		return;
	if (d->insn != NULL)
		d->capstone->cs_free(d->insn, 1);
	d->capstone->cs_close(&d->handle);
	free(d);
}

// Memory at a constant address: relative to rip, or without any register.
static bool constant_memory(const cs_insn *insn, const cs_x86_op *op, bool is_32, uint64_t *out)
{
	uint64_t disp = (uint64_t)op->mem.disp;
	if (op->type != X86_OP_MEM || op->mem.index != X86_REG_INVALID
	    || op->mem.segment == X86_REG_FS || op->mem.segment == X86_REG_GS)
		return false;
	if (op->mem.base == X86_REG_RIP)
		*out = insn->address + insn->size + disp;
	else if (op->mem.base == X86_REG_INVALID)
		*out = is_32 ? (uint32_t)disp : disp;
	else
		return false;
	return true;
}

static void find_addresses(const cs_insn *insn, bool is_32, struct crimg_instruction *out)
{
	const cs_x86 *x86 = &insn->detail->x86;
	bool goes = crimg_insn_goes(insn);
	for (unsigned i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];
		uint64_t at;
		if (op->type == X86_OP_IMM && goes) {
			out->has_target = true;
			out->target = is_32 ? (uint32_t)op->imm : (uint64_t)op->imm;
		} else if (op->type == X86_OP_IMM && !out->has_reference
			   && x86->encoding.imm_size >= 4) {
			out->has_reference = true;
			out->reference = is_32 ? (uint32_t)op->imm : (uint64_t)op->imm;
		} else if (constant_memory(insn, op, is_32, &at)) {
			out->has_reference = true;
			out->reference_is_sure = op->mem.base == X86_REG_RIP || is_32;
			out->reference_is_code = goes;
			out->reference = at;
		}
	}
}

static void write_text(const struct crimg_disassembler *d, struct crimg_instruction *out)
{
	struct crimg_words w = { .capstone = d->capstone, .handle = d->handle, .insn = d->insn, .intel = d->intel,
		                 .is_32 = d->is_32, .out = out->mnemonic,
		                 .size = sizeof out->mnemonic };
	crimg_words_mnemonic(&w);
	w.out = out->operands;
	w.size = sizeof out->operands;
	w.used = 0;
	crimg_words_operands(&w);
}

// Bytes behind ModR/M: SIB and displacement.
static size_t behind_modrm(uint8_t modrm, uint8_t sib)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;
	if (mod == 3)
		return 0;
	bool wide = mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5)));
	return (rm == 4) + (wide ? 4u : mod == 1);
}

// AVX and AVX-512 instructions that capstone does not know have a regular form: their length is
// known, and what follows them is not lost. 0: none of these, or not all of it is there.
static size_t vector_length(const uint8_t *code, size_t length, bool is_32)
{
	size_t prefix = code[0] == 0x62 ? 4 : code[0] == 0xc4 ? 3 : code[0] == 0xc5 ? 2 : 0;
	if (prefix == 0 || length < prefix + 3 || (is_32 && code[1] < 0xc0))
		return 0;
	unsigned map = prefix == 2 ? 1 : code[1] & (prefix == 4 ? 0x07 : 0x1f);
	uint8_t opcode = code[prefix];
	bool imm = map == 3 || (map == 1 && ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2
	                                     || (opcode >= 0xc4 && opcode <= 0xc6)));
	if (map == 0 || map > 6 || (map == 1 && opcode == 0x77))
		return 0;
	size_t whole = prefix + 2 + behind_modrm(code[prefix + 1], code[prefix + 2]) + imm;
	return whole <= length && whole <= CRIMG_INSTRUCTION_BYTES ? whole : 0;
}

// Instructions of today's C libraries that capstone 4 does not know. The last byte of those with a
// register holds it.
static bool newer_instruction(const struct crimg_disassembler *d, const uint8_t *code,
			      size_t length, struct crimg_instruction *out)
{
	static const struct {
		const char *name;
		size_t length;
		uint8_t bytes[5];
		char reg; // 'e', 'r' (its first letter), or 0
	} rows[] = {
		{ "rdsspd", 4, { 0xf3, 0x0f, 0x1e, 0xc8 }, 'e' },
		{ "rdsspq", 5, { 0xf3, 0x48, 0x0f, 0x1e, 0xc8 }, 'r' },
		{ "incsspd", 4, { 0xf3, 0x0f, 0xae, 0xe8 }, 'e' },
		{ "incsspq", 5, { 0xf3, 0x48, 0x0f, 0xae, 0xe8 }, 'r' },
		{ "rdpkru", 3, { 0x0f, 0x01, 0xee }, 0 },
		{ "wrpkru", 3, { 0x0f, 0x01, 0xef }, 0 },
	};
	static const char *const regs[] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t last = rows[i].length - 1;
		uint8_t mask = rows[i].reg != 0 ? 0xf8 : 0xff;
		if (length <= last || memcmp(code, rows[i].bytes, last) != 0
		    || (code[last] & mask) != rows[i].bytes[last]
		    || (d->is_32 && rows[i].reg == 'r'))
			continue;
		out->length = rows[i].length;
		snprintf(out->mnemonic, sizeof out->mnemonic, "%s", rows[i].name);
		if (rows[i].reg != 0)
			snprintf(out->operands, sizeof out->operands, "%s%c%s", d->intel ? "" : "%",
			         rows[i].reg, regs[code[last] & 7]);
		return true;
	}
	return false;
}

static void bytes_alone(const uint8_t *code, size_t length, uint64_t address,
                        struct crimg_instruction *out)
{
	*out = (struct crimg_instruction){ .address = address, .length = length };
	memcpy(out->bytes, code, length);
	snprintf(out->mnemonic, sizeof out->mnemonic, ".byte");
	for (size_t i = 0; i < length; i++)
		snprintf(out->operands + 5 * i, sizeof out->operands - 5 * i, "0x%02x%s", code[i],
		         i + 1 < length ? "," : "");
}

// capstone 4 takes the index of some AVX-512 instructions for a vector, which only gathers have.
static bool is_mistaken(const cs_insn *insn)
{
	for (unsigned i = 0; i < insn->detail->x86.op_count; i++) {
		const cs_x86_op *op = &insn->detail->x86.operands[i];
		if (op->type == X86_OP_MEM && op->mem.index >= X86_REG_XMM0
		    && op->mem.index <= X86_REG_ZMM31 && strstr(insn->mnemonic, "gather") == NULL
		    && strstr(insn->mnemonic, "scatter") == NULL)
			return true;
	}
	return false;
}

void crimg_disassemble(struct crimg_disassembler *d, const uint8_t *code, size_t length,
                       uint64_t address, struct crimg_instruction *out)
{
	const uint8_t *at = code;
	uint64_t next = address;
	size_t left = length < CRIMG_INSTRUCTION_BYTES ? length : CRIMG_INSTRUCTION_BYTES;
	length = left;
	bool decoded = d->capstone->cs_disasm_iter(d->handle, &at, &left, &next, d->insn)
		&& d->insn->size > 0
		&& d->insn->size <= CRIMG_INSTRUCTION_BYTES && !is_mistaken(d->insn);
	*out = (struct crimg_instruction){ .address = address, .decoded = true };
	if (!decoded && newer_instruction(d, code, length, out)) {
		memcpy(out->bytes, code, out->length);
		return;
	}
	if (!decoded) {
		size_t known = vector_length(code, length, d->is_32);
		bytes_alone(code, known > 0 ? known : 1, address, out);
		return;
	}
	out->length = d->insn->size;
	memcpy(out->bytes, code, out->length);
	find_addresses(d->insn, d->is_32, out);
	write_text(d, out);
}
