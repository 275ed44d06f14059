// Mnemonics: capstone has more suffixes than GNU's tools, and other names for a few.
#include "inspect/instruction_text.h"

#include <stdio.h>
#include <string.h>

#include "format/checked.h"

void crimg_words_put(struct crimg_words *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(w->out + w->used, w->size - w->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->used += (size_t)crimg_min_u64((uint64_t)n, w->size - w->used - 1);
}

bool crimg_insn_goes(const cs_insn *insn)
{
	for (size_t i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == CS_GRP_JUMP
		    || insn->detail->groups[i] == CS_GRP_CALL)
			return true;
	return insn->id == X86_INS_LOOP || insn->id == X86_INS_LOOPE || insn->id == X86_INS_LOOPNE;
}

// Operands of one width say it already; a number in memory needs the suffix that capstone always
// has.
static bool needs_suffix(const struct crimg_words *w)
{
	const cs_x86 *x86 = &w->insn->detail->x86;
	const cs_x86_op *memory = NULL;
	if (crimg_insn_goes(w->insn) || w->insn->id == X86_INS_LEA || w->insn->id == X86_INS_PUSH
	    || w->insn->id == X86_INS_POP)
		return false;
	for (unsigned i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_MEM)
			memory = &x86->operands[i];
	for (unsigned i = 0; memory != NULL && i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_REG && x86->operands[i].size == memory->size)
			return false;
	return memory != NULL;
}

// "stosq": the operands tell the size. "movsb" and "cmpsb" keep it in AT&T, which tells it nowhere
// else. Of "movsd" and "cmpsd" only those of one byte of opcode are strings.
static const char *string_name(const struct crimg_words *w, const char *word)
{
	static const struct {
		const char *name;
		bool att;
	} rows[] = {
		{ "movs", false }, { "cmps", false }, { "stos", true }, { "lods", true },
		{ "scas", true },
	};
	uint8_t opcode = w->insn->detail->x86.opcode[0];
	if (opcode < 0xa4 || opcode > 0xaf || w->insn->detail->x86.opcode[1] != 0)
		return NULL;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strncmp(word, rows[i].name, 4) == 0 && (rows[i].att || w->intel))
			return rows[i].name;
	return NULL;
}

// Names that differ: by instruction and the word that capstone has for it.
static const char *other_name(const struct crimg_words *w, const char *word)
{
	static const struct {
		unsigned id;
		const char *word, *name;
	} rows[] = {
		{ X86_INS_MOVQ, "movd", "movq" },      { X86_INS_VMOVQ, "vmovd", "vmovq" },
		{ X86_INS_WAIT, "wait", "fwait" },     { X86_INS_PUSHFQ, "pushfq", "pushf" },
		{ X86_INS_POPFQ, "popfq", "popf" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].id == w->insn->id && strcmp(rows[i].word, word) == 0)
			return rows[i].name;
	if (w->insn->id == X86_INS_NOP && w->insn->size == 2 && w->insn->bytes[0] == 0x66)
		return "xchg";
	return string_name(w, word);
}

static void put_name(struct crimg_words *w, const char *word)
{
	const char *base = w->capstone->cs_insn_name(w->handle, w->insn->id);
	size_t length = base != NULL ? strlen(base) : 0;
	bool suffixed = length > 0 && strncmp(word, base, length) == 0 && word[length] != '\0'
		&& strchr("bwlq", word[length]) != NULL && word[length + 1] == '\0';
	const char *other = other_name(w, word);
	if (w->insn->id == X86_INS_SAL) // the same as shl
		crimg_words_put(w, "shl%s", suffixed && needs_suffix(w) ? word + length : "");
	else
		crimg_words_put(w, "%s", other != NULL ? other
		                : suffixed && !needs_suffix(w) ? base : word);
}

// Prefixes that do nothing for a no-operation but make it longer.
static void put_padding(struct crimg_words *w)
{
	unsigned sizes = 0;
	if (w->insn->size <= 2)
		return;
	for (size_t i = 0; i < w->insn->size; i++) {
		sizes += w->insn->bytes[i] == 0x66;
		if (w->insn->bytes[i] != 0x66 && w->insn->bytes[i] != 0x2e)
			break;
	}
	for (; sizes > 1; sizes--)
		crimg_words_put(w, "data16 ");
	if (w->insn->detail->x86.prefix[1] == X86_PREFIX_CS)
		crimg_words_put(w, "cs ");
}

void crimg_words_mnemonic(struct crimg_words *w)
{
	const cs_x86 *x86 = &w->insn->detail->x86;
	const char *word = strrchr(w->insn->mnemonic, ' ');
	word = word != NULL ? word + 1 : w->insn->mnemonic;
	if (w->insn->id == X86_INS_NOP)
		put_padding(w);
	else if (w->insn->id == X86_INS_RET && w->insn->bytes[0] == 0xf3)
		crimg_words_put(w, "repz ");
	else if (crimg_insn_goes(w->insn) && x86->opcode[0] == 0xff
		 && x86->prefix[1] == X86_PREFIX_DS)
		crimg_words_put(w, "notrack ");
	if (w->insn->id != X86_INS_RET)
		crimg_words_put(w, "%.*s", (int)(word - w->insn->mnemonic), w->insn->mnemonic);
	put_name(w, word);
}
