// General registers, flags and selectors of x86 in words. Knows names and bits; knows nothing of
// the floating point unit's layouts (x86_fpu.c, x86_xsave.c).
// Sources: AMD64 manual vol. 1 (RFLAGS, x87 and MXCSR bits), Linux <sys/user.h> (order of the
// registers), <asm/segment.h> (places in the GDT).
#include "format/x86.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define R(name, field) { name, offsetof(UserX86RegsEntry, field) }

const struct crimg_x86_reg crimg_x86_regs64[CRIMG_X86_REGS64] = {
	R("r15", r15), R("r14", r14), R("r13", r13), R("r12", r12), R("rbp", bp),
	R("rbx", bx), R("r11", r11), R("r10", r10), R("r9", r9), R("r8", r8),
	R("rax", ax), R("rcx", cx), R("rdx", dx), R("rsi", si), R("rdi", di),
	R("orig_rax", orig_ax), R("rip", ip), R("cs", cs), R("eflags", flags), R("rsp", sp),
	R("ss", ss), R("fs_base", fs_base), R("gs_base", gs_base), R("ds", ds), R("es", es),
	R("fs", fs), R("gs", gs),
};

const struct crimg_x86_reg crimg_x86_regs32[CRIMG_X86_REGS32] = {
	R("ebx", bx), R("ecx", cx), R("edx", dx), R("esi", si), R("edi", di), R("ebp", bp),
	R("eax", ax), R("ds", ds), R("es", es), R("fs", fs), R("gs", gs), R("orig_eax", orig_ax),
	R("eip", ip), R("cs", cs), R("eflags", flags), R("esp", sp), R("ss", ss),
};

#undef R

enum { SELECTOR_CODE32 = 0x23, SELECTOR_DATA = 0x2b, SELECTOR_CODE64 = 0x33 };
enum { TLS_FIRST = 12, TLS_LAST = 14 }; // in the GDT of a 64-bit kernel

uint64_t crimg_x86_reg(const UserX86RegsEntry *regs, const struct crimg_x86_reg *reg)
{
	uint64_t value;
	memcpy(&value, (const char *)regs + reg->offset, sizeof value);
	return value;
}

void crimg_x86_set_reg(UserX86RegsEntry *regs, const struct crimg_x86_reg *reg, uint64_t value)
{
	memcpy((char *)regs + reg->offset, &value, sizeof value);
}

bool crimg_x86_is_32(const UserX86RegsEntry *regs)
{
	return (regs->has_mode && regs->mode == USER_X86_REGS_MODE__COMPAT)
	       || regs->cs == SELECTOR_CODE32;
}

// A field of a register: a bit with a name, or a group whose value has a word.
struct bits {
	uint64_t mask;
	const char *name;         // NULL: says nothing (always set, or ignored by the CPU)
	const char *const *words; // of the group's values; NULL: the bit's name is enough
};

static const char *const numbers[] = { "0", "1", "2", "3", "4", "5", "6", "7" };
static const char *const rounding[] = { "nearest", "down", "up", "zero" };
static const char *const precision[] = { "single", "reserved", "double", "extended" };

#define BIT(n) (UINT64_C(1) << (n))

static const struct bits rflags_bits[] = {
	{ BIT(0), "CF", NULL }, { BIT(1), NULL, NULL }, { BIT(2), "PF", NULL },
	{ BIT(4), "AF", NULL }, { BIT(6), "ZF", NULL }, { BIT(7), "SF", NULL },
	{ BIT(8), "TF", NULL }, { BIT(9), "IF", NULL }, { BIT(10), "DF", NULL },
	{ BIT(11), "OF", NULL }, { BIT(12) | BIT(13), "IOPL", numbers },
	{ BIT(14), "NT", NULL }, { BIT(16), "RF", NULL }, { BIT(17), "VM", NULL },
	{ BIT(18), "AC", NULL }, { BIT(19), "VIF", NULL }, { BIT(20), "VIP", NULL },
	{ BIT(21), "ID", NULL }, { 0, NULL, NULL },
};

static const struct bits mxcsr_bits[] = {
	{ BIT(0), "IE", NULL }, { BIT(1), "DE", NULL }, { BIT(2), "ZE", NULL },
	{ BIT(3), "OE", NULL }, { BIT(4), "UE", NULL }, { BIT(5), "PE", NULL },
	{ BIT(6), "DAZ", NULL }, { BIT(7), "IM", NULL }, { BIT(8), "DM", NULL },
	{ BIT(9), "ZM", NULL }, { BIT(10), "OM", NULL }, { BIT(11), "UM", NULL },
	{ BIT(12), "PM", NULL }, { BIT(13) | BIT(14), "RC", rounding }, { BIT(15), "FZ", NULL },
	{ BIT(17), "MM", NULL }, { 0, NULL, NULL },
};

static const struct bits fcw_bits[] = {
	{ BIT(0), "IM", NULL }, { BIT(1), "DM", NULL }, { BIT(2), "ZM", NULL },
	{ BIT(3), "OM", NULL }, { BIT(4), "UM", NULL }, { BIT(5), "PM", NULL },
	{ BIT(6), NULL, NULL }, { BIT(8) | BIT(9), "PC", precision },
	{ BIT(10) | BIT(11), "RC", rounding }, { BIT(12), "X", NULL }, { 0, NULL, NULL },
};

static const struct bits fsw_bits[] = {
	{ BIT(0), "IE", NULL }, { BIT(1), "DE", NULL }, { BIT(2), "ZE", NULL },
	{ BIT(3), "OE", NULL }, { BIT(4), "UE", NULL }, { BIT(5), "PE", NULL },
	{ BIT(6), "SF", NULL }, { BIT(7), "ES", NULL }, { BIT(8), "C0", NULL },
	{ BIT(9), "C1", NULL }, { BIT(10), "C2", NULL },
	{ BIT(11) | BIT(12) | BIT(13), "TOP", numbers }, { BIT(14), "C3", NULL },
	{ BIT(15), "B", NULL }, { 0, NULL, NULL },
};

static void add_word(char *out, size_t size, const char *word, const char *value)
{
	size_t used = strlen(out);
	snprintf(out + used, size - used, "%s%s%s%s", used > 0 ? " " : "", word,
	         value != NULL ? "=" : "", value != NULL ? value : "");
}

// Groups are told even when their value is 0, which means something there (unless the whole
// register is 0). IOPL is the exception: 0 is what every process has.
static char *bits_text(const struct bits *rows, uint64_t value, char *out, size_t size)
{
	uint64_t rest = value;
	char hex[24];
	if (size == 0)
		return out;
	out[0] = '\0';
	for (const struct bits *b = rows; b->mask != 0 && value != 0; b++) {
		uint64_t field = (value & b->mask) / (b->mask & -b->mask);
		rest &= ~b->mask;
		if (b->words != NULL && (field != 0 || rows != rflags_bits))
			add_word(out, size, b->name, b->words[field]);
		else if (b->words == NULL && b->name != NULL && field != 0)
			add_word(out, size, b->name, NULL);
	}
	if (rest != 0) {
		snprintf(hex, sizeof hex, "0x%" PRIx64, rest);
		add_word(out, size, hex, NULL);
	}
	return out;
}

char *crimg_x86_rflags_text(uint64_t flags, char *out, size_t size)
{
	return bits_text(rflags_bits, flags, out, size);
}

char *crimg_x86_mxcsr_text(uint32_t mxcsr, char *out, size_t size)
{
	return bits_text(mxcsr_bits, mxcsr, out, size);
}

char *crimg_x86_fcw_text(uint32_t cw, char *out, size_t size)
{
	return bits_text(fcw_bits, cw, out, size);
}

char *crimg_x86_fsw_text(uint32_t sw, char *out, size_t size)
{
	return bits_text(fsw_bits, sw, out, size);
}

char *crimg_x86_selector_text(uint64_t selector, char *out, size_t size)
{
	static const struct {
		uint64_t value;
		const char *text;
	} known[] = {
		{ 0, "null" },
		{ SELECTOR_CODE32, "user code, 32-bit" },
		{ SELECTOR_DATA, "user data" },
		{ SELECTOR_CODE64, "user code, 64-bit" },
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].value == selector) {
			snprintf(out, size, "%s", known[i].text);
			return out;
		}
	if (selector > UINT16_MAX) {
		snprintf(out, size, "no selector: wider than 16 bits");
		return out;
	}
	unsigned index = (unsigned)selector >> 3, rpl = (unsigned)selector & 3;
	bool local = (selector & 4) != 0;
	bool tls = !local && index >= TLS_FIRST && index <= TLS_LAST;
	snprintf(out, size, "%s %u%s, RPL %u", local ? "LDT" : "GDT", index, tls ? " (TLS)" : "",
	         rpl);
	return out;
}
