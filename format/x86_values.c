// Values of registers, put together from the parts that CRIU's messages keep.
#include "format/x86_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"

const char *const crimg_regs_order64[] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9",
	"r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags", NULL,
};
const char *const crimg_regs_order32[] = {
	"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip", "eflags", NULL,
};
const char *const crimg_regs_others[] = {
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "fs_base", "gs_base", NULL,
};

static const struct crimg_x86_reg *find(const struct crimg_x86_reg *regs, size_t count,
                                        const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(regs[i].name, name) == 0)
			return &regs[i];
	return NULL;
}

const struct crimg_x86_reg *crimg_x86_reg_named(bool is_32, const char *name)
{
	const struct crimg_x86_reg *reg = NULL;
	if (is_32)
		reg = find(crimg_x86_regs32, CRIMG_X86_REGS32, name);
	return reg != NULL ? reg : find(crimg_x86_regs64, CRIMG_X86_REGS64, name);
}

bool crimg_x86_reg_is_address(const char *name)
{
	static const char *const others[] = { "eflags", "orig_rax", "orig_eax", "cs", "ss", "ds",
		                              "es", "fs", "gs" };
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(name, others[i]) == 0)
			return false;
	return true;
}

// Copies parts of `step` bytes of a component to byte `at` of consecutive registers.
static void spread(const UserX86FpregsEntry *fp, unsigned component, unsigned first, unsigned at,
                   unsigned step, struct crimg_vectors *v)
{
	uint8_t space[1024];
	size_t got = crimg_x86_component(fp, component, space, sizeof space);
	for (unsigned i = 0; i < 16 && (size_t)(i + 1) * step <= got; i++)
		memcpy(v->value[first + i] + at, space + (size_t)i * step, step);
	if (got > 0 && v->bytes < at + step)
		v->bytes = at + step;
}

void crimg_vectors_load(const UserX86FpregsEntry *fp, struct crimg_vectors *out)
{
	uint8_t masks[64] = { 0 };
	uint64_t xcr0 = crimg_x86_xcr0(fp);
	*out = (struct crimg_vectors){ .count = 16, .bytes = 16 };
	spread(fp, CRIMG_XSAVE_SSE, 0, 0, 16, out);
	spread(fp, CRIMG_XSAVE_YMM, 0, 16, 16, out);
	spread(fp, CRIMG_XSAVE_ZMM_HI, 0, 32, 32, out);
	spread(fp, CRIMG_XSAVE_HI16_ZMM, 16, 0, 64, out);
	if ((xcr0 >> CRIMG_XSAVE_HI16_ZMM & 1) != 0)
		out->count = 32;
	out->has_masks = crimg_x86_component(fp, CRIMG_XSAVE_OPMASK, masks, sizeof masks) > 0;
	for (unsigned i = 0; i < 8; i++)
		out->masks[i] = crimg_get_u64(masks + 8 * i);
}

unsigned crimg_vector_width(const struct crimg_vectors *v, unsigned i)
{
	unsigned width = 64;
	while (width > 16 && crimg_all_zero(v->value[i] + width / 2, width / 2))
		width /= 2;
	return width == 16 && crimg_all_zero(v->value[i], 16) ? 0 : width;
}

char *crimg_vector_text(const uint8_t *value, unsigned bytes, const char *blank, char *out,
                        size_t size)
{
	out[0] = '\0';
	for (unsigned i = bytes / 8; i-- > 0;) {
		size_t used = strlen(out);
		snprintf(out + used, size - used, "%016" PRIx64 "%s", crimg_get_u64(value + 8 * i),
		         i > 0 && blank != NULL ? blank : "");
	}
	return out;
}

void crimg_x87_load(const UserX86FpregsEntry *fp, struct crimg_x87_reg out[8])
{
	uint8_t area[160];
	size_t got = crimg_x86_component(fp, CRIMG_XSAVE_X87, area, sizeof area);
	unsigned top = fp->swd >> 11 & 7;
	memset(out, 0, 8 * sizeof *out);
	for (unsigned i = 0; i < 8 && got == sizeof area; i++) {
		const uint8_t *st = area + 32 + 16 * i;
		out[i].physical = (top + i) & 7;
		out[i].tag = crimg_x87_tag_of((uint8_t)fp->twd, out[i].physical, st);
		crimg_x87_text(st, out[i].value, sizeof out[i].value);
		snprintf(out[i].raw, sizeof out[i].raw, "%04x%016" PRIx64,
		         (unsigned)crimg_get_u16(st + 8), crimg_get_u64(st));
	}
}
