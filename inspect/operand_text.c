// Operands, written anew from the decoded form where that tells all; else capstone's text is
// brought near.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "inspect/instruction_text.h"

// The first byte of the opcode: behind the old prefixes and REX.
static const uint8_t *opcode_of(const struct crimg_words *w)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e,
					   0x36, 0x3e, 0x26, 0x64, 0x65 };
	const uint8_t *at = w->insn->bytes, *end = at + w->insn->size - 1;
	while (at < end && memchr(prefixes, *at, sizeof prefixes) != NULL)
		at++;
	return at < end && !w->is_32 && (*at & 0xf0) == 0x40 ? at + 1 : at;
}

static void put_register(struct crimg_words *w, unsigned reg)
{
	const char *name = w->capstone->cs_reg_name(w->handle, reg);
	crimg_words_put(w, "%s%s", w->intel ? "" : "%", name != NULL ? name : "?");
}

static const char *size_name(unsigned bytes)
{
	static const struct {
		unsigned bytes;
		const char *name;
	} rows[] = {
		{ 1, "BYTE" }, { 2, "WORD" }, { 4, "DWORD" }, { 6, "FWORD" }, { 8, "QWORD" },
		{ 10, "TBYTE" }, { 16, "XMMWORD" }, { 32, "YMMWORD" }, { 64, "ZMMWORD" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].bytes == bytes)
			return rows[i].name;
	return NULL;
}

// A SIB byte without index is told: assemblers make long no-operations of it.
static const char *no_index(const struct crimg_words *w)
{
	const cs_x86 *x = &w->insn->detail->x86;
	bool sib = (x->modrm & 7) == 4 && x->modrm >> 6 != 3 && x->encoding.modrm_offset != 0;
	if (!sib || (x->sib >> 3 & 7) != 4 || (x->rex & 2) != 0 || (x->sib & 7) == 4)
		return NULL;
	return x->addr_size == 8 ? "riz" : "eiz";
}

static void put_displacement(struct crimg_words *w, int64_t disp, bool plus)
{
	uint64_t size = disp < 0 ? -(uint64_t)disp : (uint64_t)disp;
	crimg_words_put(w, "%s0x%" PRIx64, disp < 0 ? "-" : plus ? "+" : "", size);
}

static uint64_t address_of(const struct crimg_words *w, int64_t disp)
{
	return w->insn->detail->x86.addr_size == 4 || w->is_32 ? (uint32_t)disp : (uint64_t)disp;
}

static bool is_string(const struct crimg_words *w)
{
	uint8_t opcode = *opcode_of(w);
	return (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf)
		|| (opcode >= 0x6c && opcode <= 0x6f);
}

// "%es:": also where nobody asked for it, with string instructions. Of a no-operation it is told as
// a prefix.
static void put_segment(struct crimg_words *w, const x86_op_mem *m)
{
	unsigned segment = w->insn->id == X86_INS_NOP ? X86_REG_INVALID : m->segment;
	if (segment == X86_REG_INVALID && is_string(w))
		segment =
			m->base == X86_REG_RDI || m->base == X86_REG_EDI ? X86_REG_ES : X86_REG_DS;
	bool absolute = m->base == X86_REG_INVALID && m->index == X86_REG_INVALID;
	if (segment == X86_REG_INVALID && w->intel && absolute)
		segment = X86_REG_DS;
	if (segment == X86_REG_INVALID)
		return;
	put_register(w, segment);
	crimg_words_put(w, ":");
}

static void put_memory_att(struct crimg_words *w, const x86_op_mem *m)
{
	const char *none =
		m->index == X86_REG_INVALID && m->base != X86_REG_INVALID ? no_index(w) : NULL;
	put_segment(w, m);
	if (m->base == X86_REG_INVALID && m->index == X86_REG_INVALID) {
		crimg_words_put(w, "0x%" PRIx64, address_of(w, m->disp));
		return;
	}
	if (w->insn->detail->x86.encoding.disp_size != 0)
		put_displacement(w, m->disp, false);
	crimg_words_put(w, "(");
	if (m->base != X86_REG_INVALID)
		put_register(w, m->base);
	if (none != NULL)
		crimg_words_put(w, ",%%%s,%u", none, 1u << (w->insn->detail->x86.sib >> 6));
	if (m->index != X86_REG_INVALID) {
		crimg_words_put(w, ",");
		put_register(w, m->index);
		crimg_words_put(w, ",%d", m->scale);
	}
	crimg_words_put(w, ")");
}

// capstone takes a scalar in memory for a whole register.
static unsigned true_size(const struct crimg_words *w, unsigned size)
{
	static const struct {
		unsigned id, size;
	} rows[] = {
		{ X86_INS_COMISS, 4 },  { X86_INS_UCOMISS, 4 },  { X86_INS_VCOMISS, 4 },
		{ X86_INS_VUCOMISS, 4 }, { X86_INS_COMISD, 8 },  { X86_INS_UCOMISD, 8 },
		{ X86_INS_VCOMISD, 8 }, { X86_INS_VUCOMISD, 8 }, { X86_INS_FNSTSW, 2 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].id == w->insn->id)
			return rows[i].size;
	return size;
}

static bool names_no_size(const struct crimg_words *w)
{
	static const unsigned ids[] = {
		X86_INS_LEA, X86_INS_FXSAVE, X86_INS_FXRSTOR, X86_INS_XSAVE, X86_INS_XRSTOR,
		X86_INS_XSAVEC, X86_INS_XSAVEOPT, X86_INS_FXSAVE64, X86_INS_FXRSTOR64,
		X86_INS_XSAVE64, X86_INS_XRSTOR64, X86_INS_XSAVEC64,
		X86_INS_FNSTENV, X86_INS_FLDENV, X86_INS_FNSAVE, X86_INS_FRSTOR,
	};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (w->insn->id == ids[i])
			return true;
	return (*opcode_of(w) & 0xfc) == 0xa0; // between the accumulator and an address
}

static void put_memory_intel(struct crimg_words *w, const cs_x86_op *op)
{
	const x86_op_mem *m = &op->mem;
	const char *none =
		m->index == X86_REG_INVALID && m->base != X86_REG_INVALID ? no_index(w) : NULL;
	const char *size = names_no_size(w) ? NULL : size_name(true_size(w, op->size));
	bool absolute = m->base == X86_REG_INVALID && m->index == X86_REG_INVALID;
	if (size != NULL)
		crimg_words_put(w, "%s PTR ", size);
	put_segment(w, m);
	if (absolute) {
		crimg_words_put(w, "0x%" PRIx64, address_of(w, m->disp));
		return;
	}
	crimg_words_put(w, "[");
	if (m->base != X86_REG_INVALID)
		put_register(w, m->base);
	if (none != NULL)
		crimg_words_put(w, "+%s*%u", none, 1u << (w->insn->detail->x86.sib >> 6));
	if (m->index != X86_REG_INVALID) {
		crimg_words_put(w, "%s", m->base != X86_REG_INVALID ? "+" : "");
		put_register(w, m->index);
		crimg_words_put(w, "*%d", m->scale);
	}
	if (m->base == X86_REG_RIP)
		crimg_words_put(w, "+0x%" PRIx64, (uint64_t)m->disp);
	else if (w->insn->detail->x86.encoding.disp_size != 0)
		put_displacement(w, m->disp, true);
	crimg_words_put(w, "]");
}

// Unsigned, in the width of the operation.
static void put_immediate(struct crimg_words *w, const cs_x86_op *op)
{
	uint64_t value = (uint64_t)op->imm;
	unsigned bytes = w->insn->id == X86_INS_XABORT ? 1 : op->size;
	if (bytes > 0 && bytes < 8)
		value &= (UINT64_C(1) << 8 * bytes) - 1;
	crimg_words_put(w, "%s0x%" PRIx64, w->intel || crimg_insn_goes(w->insn) ? "" : "$", value);
}

// Input and output: the port in dx is written as if it were memory.
static bool is_port(const struct crimg_words *w)
{
	uint8_t opcode = *opcode_of(w);
	return (opcode >= 0xec && opcode <= 0xef) || (opcode >= 0x6c && opcode <= 0x6f);
}

static void put_operand(struct crimg_words *w, const cs_x86_op *op)
{
	if (!w->intel && crimg_insn_goes(w->insn) && op->type != X86_OP_IMM)
		crimg_words_put(w, "*");
	if (op->type == X86_OP_REG && op->reg == X86_REG_DX && !w->intel && is_port(w))
		crimg_words_put(w, "(%%dx)");
	else if (op->type == X86_OP_REG)
		put_register(w, op->reg);
	else if (op->type == X86_OP_IMM)
		put_immediate(w, op);
	else if (w->intel)
		put_memory_intel(w, op);
	else
		put_memory_att(w, &op->mem);
}

// Where operands alone do not tell: masks and rounding of AVX-512, registers of the x87 stack.
static bool needs_their_text(const struct crimg_words *w)
{
	const cs_x86 *x86 = &w->insn->detail->x86;
	uint8_t opcode = *opcode_of(w);
	bool x87 = opcode >= 0xd8 && opcode <= 0xdf
		&& (x86->op_count == 0 || x86->operands[0].type != X86_OP_MEM);
	return x87 || x86->op_count == 0 || strchr(w->insn->op_str, '{') != NULL;
}

// Arithmetic between the top of the x87 stack and another register names both.
static bool put_x87_pair(struct crimg_words *w)
{
	static const struct {
		uint8_t opcode, forms; // bit n: ModR/M's reg is n
		bool to_top;
	} rows[] = {
		{ 0xd8, 0xf3, true }, { 0xdc, 0xf3, false }, { 0xde, 0xf3, false },
		{ 0xda, 0x0f, true }, { 0xdb, 0x6f, true },  { 0xdf, 0x60, true },
	};
	const uint8_t *opcode = opcode_of(w);
	if (opcode + 1 >= w->insn->bytes + w->insn->size || opcode[1] < 0xc0)
		return false;
	const char *sign = w->intel ? "" : "%";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].opcode != *opcode || (rows[i].forms >> (opcode[1] >> 3 & 7) & 1) == 0)
			continue;
		if (rows[i].to_top == w->intel)
			crimg_words_put(w, "%sst,%sst(%d)", sign, sign, opcode[1] & 7);
		else
			crimg_words_put(w, "%sst(%d),%sst", sign, opcode[1] & 7, sign);
		return true;
	}
	return false;
}

// A number below 10 stands without 0x; scales and names of registers stay so.
static bool is_bare_number(const char *text, const char *at)
{
	if (!isdigit((unsigned char)at[0]) || isalnum((unsigned char)at[1]) || at[1] == ')')
		return false;
	return at == text || strchr(" -+$", at[-1]) != NULL;
}

// capstone's own operands, with its blanks and its case changed.
static void put_their_text(struct crimg_words *w)
{
	static const char ptr[] = " ptr ";
	for (const char *at = w->insn->op_str; *at != '\0'; at++) {
		const char *word = strstr(at, ptr);
		if (w->intel && word != NULL && strcspn(at, " ,[") == (size_t)(word - at)) {
			for (; at < word; at++)
				crimg_words_put(w, "%c", toupper((unsigned char)*at));
			crimg_words_put(w, " PTR ");
			at = word + sizeof ptr - 2;
		} else if (*at != ' ') {
			crimg_words_put(w, "%s%c", is_bare_number(w->insn->op_str, at) ? "0x" : "",
					*at);
		}
	}
}

static void put_accumulator(struct crimg_words *w, unsigned bytes)
{
	put_register(w, bytes == 1 ? X86_REG_AL : bytes == 2 ? X86_REG_AX
	             : bytes == 4 ? X86_REG_EAX : X86_REG_RAX);
}

// capstone's AT&T leaves out the register of string instructions that have one.
static void put_string_operand(struct crimg_words *w, const cs_x86_op *op)
{
	bool store = (*opcode_of(w) & 0xfe) == 0xaa;
	if (store) {
		put_accumulator(w, op->size);
		crimg_words_put(w, ",");
	}
	put_operand(w, op);
	if (!store) {
		crimg_words_put(w, ",");
		put_accumulator(w, op->size);
	}
}

// A register that capstone does not tell of, before (AT&T) or behind the others; 0: none.
static unsigned silent_register(const struct crimg_words *w)
{
	uint8_t opcode = *opcode_of(w);
	if (w->insn->id == X86_INS_SHA256RNDS2)
		return X86_REG_XMM0;
	bool by_cl = (opcode == 0xd2 || opcode == 0xd3) && w->insn->detail->x86.op_count == 1;
	return by_cl ? X86_REG_CL : X86_REG_INVALID;
}

static void put_all(struct crimg_words *w)
{
	const cs_x86 *x86 = &w->insn->detail->x86;
	uint8_t opcode = *opcode_of(w);
	bool by_one = opcode == 0xd0 || opcode == 0xd1;      // shifts
	bool swapped = opcode > 0x90 && opcode <= 0x97;      // exchanges with the accumulator
	unsigned silent = silent_register(w), said = 0;
	if (silent != X86_REG_INVALID && !w->intel && said++ == 0)
		put_register(w, silent);
	for (unsigned i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[swapped ? x86->op_count - 1 - i : i];
		bool one = by_one && op->type == X86_OP_IMM;
		if (one && !w->intel)
			continue;
		crimg_words_put(w, "%s", said++ > 0 ? "," : "");
		if (one)
			crimg_words_put(w, "1");
		else
			put_operand(w, op);
	}
	if (silent != X86_REG_INVALID && w->intel) {
		crimg_words_put(w, ",");
		put_register(w, silent);
	}
}

void crimg_words_operands(struct crimg_words *w)
{
	const cs_x86 *x86 = &w->insn->detail->x86;
	uint8_t opcode = *opcode_of(w);
	bool short_xchg =
		w->insn->id == X86_INS_NOP && w->insn->size == 2 && w->insn->bytes[0] == 0x66;
	if (short_xchg)
		crimg_words_put(w, w->intel ? "ax,ax" : "%%ax,%%ax");
	else if (!w->intel && x86->op_count == 1 && opcode >= 0xaa && opcode <= 0xaf)
		put_string_operand(w, &x86->operands[0]);
	else if (!needs_their_text(w))
		put_all(w);
	else if (!put_x87_pair(w))
		put_their_text(w);
}
