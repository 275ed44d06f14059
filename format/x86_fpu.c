// x87 registers as numbers and tags, and the FXSAVE and FSAVE areas. Knows bytes; knows nothing of
// XSAVE. Sources: AMD64 manual vol. 2 (FXSAVE in 64-bit form), vol. 1 (x87 tags, 80-bit numbers);
// the 32-bit protected mode form of FSAVE as Linux fills it (<sys/user.h>, i386).
#include "format/x86_fpu.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "format/checked.h"

_Static_assert(
	LDBL_MANT_DIG >= 64 && LDBL_MAX_EXP >= 16384,
	"long double must hold every 80-bit number of the x87: build for x86 or for a machine "
	"with 128-bit long double");

// Places in FXSAVE.
enum { FX_CWD = 0, FX_SWD = 2, FX_TWD = 4, FX_FOP = 6, FX_RIP = 8, FX_RDP = 16, FX_MXCSR = 24,
       FX_MXCSR_MASK = 28, FX_ST = 32, FX_XMM = 160, FX_PADDING = 416 };
// Places in FSAVE; the selector of the last instruction shares its word with the opcode.
enum { FS_CWD = 0, FS_SWD = 4, FS_TWD = 8, FS_FIP = 12, FS_FCS = 16, FS_FOO = 20, FS_FOS = 24,
       FS_ST = 28 };
enum { ST_BYTES = 10, ST_STRIDE = 16, EXPONENT_MAX = 0x7fff, EXPONENT_BIAS = 16383 };

#define MXCSR_START 0x1f80u
#define INTEGER_BIT (UINT64_C(1) << 63)
#define FS_RESERVED 0xffff0000u // upper halves that the CPU sets

static unsigned exponent_of(const uint8_t st[ST_BYTES])
{
	return crimg_get_u16(st + 8) & EXPONENT_MAX;
}

enum crimg_x87_tag crimg_x87_tag_of(uint8_t abridged, unsigned physical, const uint8_t st[10])
{
	unsigned exponent = exponent_of(st);
	uint64_t mantissa = crimg_get_u64(st);
	if ((abridged >> (physical & 7) & 1) == 0)
		return CRIMG_X87_EMPTY;
	if (exponent == 0)
		return mantissa == 0 ? CRIMG_X87_ZERO : CRIMG_X87_SPECIAL;
	if (exponent == EXPONENT_MAX || (mantissa & INTEGER_BIT) == 0)
		return CRIMG_X87_SPECIAL;
	return CRIMG_X87_VALID;
}

const char *crimg_x87_tag_word(enum crimg_x87_tag tag)
{
	static const char *const words[] = { "valid", "zero", "special", "empty" };
	return words[tag & 3];
}

// What the CPU refuses to calculate with, and pseudo-denormals, which it never makes: the integer
// bit contradicts the exponent.
static bool supported(unsigned exponent, uint64_t mantissa)
{
	return ((mantissa & INTEGER_BIT) != 0) == (exponent != 0);
}

char *crimg_x87_text(const uint8_t st[10], char *out, size_t size)
{
	unsigned exponent = exponent_of(st);
	uint64_t mantissa = crimg_get_u64(st);
	const char *sign = (st[9] & 0x80) != 0 ? "-" : "";
	if (!supported(exponent, mantissa))
		snprintf(out, size, "unsupported(0x%04x%016" PRIx64 ")",
		         (unsigned)crimg_get_u16(st + 8), mantissa);
	else if (exponent == EXPONENT_MAX && mantissa == INTEGER_BIT)
		snprintf(out, size, "%sinf", sign);
	else if (exponent == EXPONENT_MAX)
		snprintf(out, size, "%snan(0x%016" PRIx64 ")", sign, mantissa);
	else {
		int power = (exponent == 0 ? 1 : (int)exponent) - EXPONENT_BIAS - 63;
		snprintf(out, size, "%s%.21Lg", sign, ldexpl((long double)mantissa, power));
	}
	return out;
}

// Little-endian bytes of the words that fit; the rest of out stays.
static void put_words(uint8_t *out, size_t size, const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count && i < size / 4; i++)
		crimg_put_u32(out + 4 * i, words[i]);
}

static void get_words(const uint8_t *data, uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = crimg_get_u32(data + 4 * i);
}

void crimg_x86_fxsave(const UserX86FpregsEntry *fp, uint8_t out[CRIMG_FXSAVE_BYTES])
{
	memset(out, 0, CRIMG_FXSAVE_BYTES);
	crimg_put_u16(out + FX_CWD, (uint16_t)fp->cwd);
	crimg_put_u16(out + FX_SWD, (uint16_t)fp->swd);
	crimg_put_u16(out + FX_TWD, (uint16_t)fp->twd);
	crimg_put_u16(out + FX_FOP, (uint16_t)fp->fop);
	crimg_put_u64(out + FX_RIP, fp->rip);
	crimg_put_u64(out + FX_RDP, fp->rdp);
	crimg_put_u32(out + FX_MXCSR, fp->mxcsr);
	crimg_put_u32(out + FX_MXCSR_MASK, fp->mxcsr_mask);
	put_words(out + FX_ST, FX_XMM - FX_ST, fp->st_space, fp->n_st_space);
	put_words(out + FX_XMM, FX_PADDING - FX_XMM, fp->xmm_space, fp->n_xmm_space);
	put_words(out + FX_PADDING, CRIMG_XSAVE_XCR0 - FX_PADDING, fp->padding, fp->n_padding);
}

// Two bits a physical register, from the abridged byte and what st(0) to st(7) hold.
static uint16_t full_tags(const uint8_t fxsave[CRIMG_FXSAVE_BYTES])
{
	unsigned top = crimg_get_u16(fxsave + FX_SWD) >> 11 & 7, tags = 0;
	for (unsigned i = 0; i < 8; i++) {
		unsigned physical = (top + i) & 7;
		enum crimg_x87_tag tag = crimg_x87_tag_of(fxsave[FX_TWD], physical,
		                                          fxsave + FX_ST + ST_STRIDE * i);
		tags |= (unsigned)tag << (2 * physical);
	}
	return (uint16_t)tags;
}

static uint8_t abridged_tags(uint16_t full)
{
	unsigned abridged = 0;
	for (unsigned i = 0; i < 8; i++)
		if ((full >> (2 * i) & 3) != CRIMG_X87_EMPTY)
			abridged |= 1u << i;
	return (uint8_t)abridged;
}

// The pointers of a 32-bit task are 32 bits of offset and, above them, 16 bits of selector.
void crimg_x86_fsave(const UserX86FpregsEntry *fp, uint8_t out[CRIMG_FSAVE_BYTES])
{
	uint8_t fxsave[CRIMG_FXSAVE_BYTES];
	crimg_x86_fxsave(fp, fxsave);
	memset(out, 0, CRIMG_FSAVE_BYTES);
	crimg_put_u32(out + FS_CWD, FS_RESERVED | crimg_get_u16(fxsave + FX_CWD));
	crimg_put_u32(out + FS_SWD, FS_RESERVED | crimg_get_u16(fxsave + FX_SWD));
	crimg_put_u32(out + FS_TWD, FS_RESERVED | full_tags(fxsave));
	crimg_put_u32(out + FS_FIP, crimg_get_u32(fxsave + FX_RIP));
	crimg_put_u16(out + FS_FCS, crimg_get_u16(fxsave + FX_RIP + 4));
	crimg_put_u16(out + FS_FCS + 2, crimg_get_u16(fxsave + FX_FOP));
	crimg_put_u32(out + FS_FOO, crimg_get_u32(fxsave + FX_RDP));
	crimg_put_u32(out + FS_FOS, FS_RESERVED | crimg_get_u16(fxsave + FX_RDP + 4));
	for (unsigned i = 0; i < 8; i++)
		memcpy(out + FS_ST + ST_BYTES * i, fxsave + FX_ST + ST_STRIDE * i, ST_BYTES);
}

void crimg_x86_fsave_selectors(uint8_t fsave[CRIMG_FSAVE_BYTES], const UserX86RegsEntry *regs)
{
	if (crimg_get_u16(fsave + FS_FCS) != 0 || crimg_get_u16(fsave + FS_FOS) != 0)
		return;
	crimg_put_u16(fsave + FS_FCS, (uint16_t)regs->cs);
	crimg_put_u16(fsave + FS_FOS, (uint16_t)regs->ds);
}

UserX86FpregsEntry *crimg_x86_fpregs_make(struct crimg_arena *arena, struct crimg_err *err)
{
	UserX86FpregsEntry *fp = crimg_arena_alloc(arena, sizeof *fp);
	uint32_t *st = crimg_arena_alloc(arena, CRIMG_X86_ST_WORDS * sizeof *st);
	uint32_t *xmm = crimg_arena_alloc(arena, CRIMG_X86_XMM_WORDS * sizeof *xmm);
	if (fp == NULL || st == NULL || xmm == NULL) {
		crimg_fail_nomem(err, sizeof *fp);
		return NULL;
	}
	user_x86_fpregs_entry__init(fp);
	memset(st, 0, CRIMG_X86_ST_WORDS * sizeof *st);
	memset(xmm, 0, CRIMG_X86_XMM_WORDS * sizeof *xmm);
	fp->st_space = st;
	fp->n_st_space = CRIMG_X86_ST_WORDS;
	fp->xmm_space = xmm;
	fp->n_xmm_space = CRIMG_X86_XMM_WORDS;
	return fp;
}

int crimg_x86_from_fxsave(UserX86FpregsEntry *fp, const uint8_t data[CRIMG_FXSAVE_BYTES],
                          struct crimg_arena *arena, struct crimg_err *err)
{
	fp->cwd = crimg_get_u16(data + FX_CWD);
	fp->swd = crimg_get_u16(data + FX_SWD);
	fp->twd = crimg_get_u16(data + FX_TWD);
	fp->fop = crimg_get_u16(data + FX_FOP);
	fp->rip = crimg_get_u64(data + FX_RIP);
	fp->rdp = crimg_get_u64(data + FX_RDP);
	fp->mxcsr = crimg_get_u32(data + FX_MXCSR);
	fp->mxcsr_mask = crimg_get_u32(data + FX_MXCSR_MASK);
	get_words(data + FX_ST, fp->st_space, fp->n_st_space);
	get_words(data + FX_XMM, fp->xmm_space, fp->n_xmm_space);
	if (crimg_all_zero(data + FX_PADDING, 4 * CRIMG_X86_PADDING_WORDS))
		return 0;
	fp->padding = crimg_arena_alloc(arena, CRIMG_X86_PADDING_WORDS * sizeof *fp->padding);
	if (fp->padding == NULL)
		return crimg_fail_nomem(err, CRIMG_X86_PADDING_WORDS * sizeof *fp->padding);
	fp->n_padding = CRIMG_X86_PADDING_WORDS;
	get_words(data + FX_PADDING, fp->padding, fp->n_padding);
	return 0;
}

void crimg_x86_from_fsave(UserX86FpregsEntry *fp, const uint8_t data[CRIMG_FSAVE_BYTES])
{
	fp->cwd = crimg_get_u16(data + FS_CWD);
	fp->swd = crimg_get_u16(data + FS_SWD);
	fp->twd = abridged_tags(crimg_get_u16(data + FS_TWD));
	fp->fop = crimg_get_u16(data + FS_FCS + 2);
	fp->rip = crimg_get_u32(data + FS_FIP) | (uint64_t)crimg_get_u16(data + FS_FCS) << 32;
	fp->rdp = crimg_get_u32(data + FS_FOO) | (uint64_t)crimg_get_u16(data + FS_FOS) << 32;
	fp->mxcsr = MXCSR_START;
	for (unsigned i = 0; i < 8; i++) {
		uint8_t st[ST_STRIDE] = { 0 };
		memcpy(st, data + FS_ST + ST_BYTES * i, ST_BYTES);
		get_words(st, fp->st_space + 4 * i, 4);
	}
}
