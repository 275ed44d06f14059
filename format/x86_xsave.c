// The XSAVE area in standard form: its components, and the way between it and CRIU's message. Knows
// bytes and bits; the legacy part is x86_fpu.c's. Sources: AMD64 manual vol. 2 (XSAVE, standard
// form), CPUID leaf 0xd of Intel's and AMD's CPUs (offsets), Linux (XCR0 in FXSAVE's spare bytes),
// sizes that gdb 13 accepts in NT_X86_XSTATE.
#include "format/x86_fpu.h"

#include <inttypes.h>

#include "format/checked.h"
#include "format/cursor.h"

const struct crimg_xsave_component crimg_xsave_components[CRIMG_XSAVE_COMPONENTS] = {
	[CRIMG_XSAVE_X87] = { "x87", 0, 160 },
	[CRIMG_XSAVE_SSE] = { "SSE", 160, 256 },
	[CRIMG_XSAVE_YMM] = { "YMM_Hi128", 576, 256 },
	[CRIMG_XSAVE_BNDREGS] = { "BNDREGS", 960, 64 },
	[CRIMG_XSAVE_BNDCSR] = { "BNDCSR", 1024, 64 },
	[CRIMG_XSAVE_OPMASK] = { "opmask", 1088, 64 },
	[CRIMG_XSAVE_ZMM_HI] = { "ZMM_Hi256", 1152, 512 },
	[CRIMG_XSAVE_HI16_ZMM] = { "Hi16_ZMM", 1664, 1024 },
	[CRIMG_XSAVE_PT] = { "PT", 0, 0 },
	[CRIMG_XSAVE_PKRU] = { "PKRU", 2688, 8 },
	[10] = { "PASID", 0, 0 },
	[CRIMG_XSAVE_CET_U] = { "CET_U", 0, 0 },
	[12] = { "CET_S", 0, 0 },
	[13] = { "HDC", 0, 0 },
	[14] = { "UINTR", 0, 0 },
	[15] = { "LBR", 0, 0 },
	[16] = { "HWP", 0, 0 },
	[CRIMG_XSAVE_TILECFG] = { "TILECFG", 2752, 64 },
	[CRIMG_XSAVE_TILEDATA] = { "TILEDATA", 2816, 8192 },
	[19] = { "APX", 960, 128 }, // in the place of MPX, which no CPU with APX has
};

#define BIT(component) (UINT64_C(1) << (component))
#define LEGACY (BIT(CRIMG_XSAVE_X87) | BIT(CRIMG_XSAVE_SSE))
#define AVX (LEGACY | BIT(CRIMG_XSAVE_YMM))
#define MPX (BIT(CRIMG_XSAVE_BNDREGS) | BIT(CRIMG_XSAVE_BNDCSR))
#define AVX512 (BIT(CRIMG_XSAVE_OPMASK) | BIT(CRIMG_XSAVE_ZMM_HI) | BIT(CRIMG_XSAVE_HI16_ZMM))
#define COMPACTED (UINT64_C(1) << 63)
#define RESERVED_BYTES (CRIMG_XSAVE_HEADER_BYTES - 16) // of the header, behind xcomp_bv

// Every length that a CPU or gdb makes, and what is in it where XCR0 was not written.
static const struct form {
	size_t length;
	bool amd;       // offsets behind AVX are those of AMD's CPUs
	uint64_t usual;
} forms[] = {
	{ 576, false, LEGACY },
	{ 832, false, AVX },
	{ 1088, false, AVX | MPX },
	{ 2432, true, AVX | AVX512 },
	{ 2440, true, AVX | AVX512 | BIT(CRIMG_XSAVE_PKRU) },
	{ 2688, false, AVX | AVX512 },
	{ 2696, false, AVX | AVX512 | BIT(CRIMG_XSAVE_PKRU) },
	{ 2816, false, AVX | AVX512 | BIT(CRIMG_XSAVE_PKRU) },
	{ 11008, false, AVX | AVX512 | BIT(CRIMG_XSAVE_PKRU) },
};

// Where UserX86XsaveEntry keeps a component: an array of 32-bit or 64-bit words.
static const struct place {
	unsigned component;
	uint32_t amd_offset; // 0: AMD's CPUs have no such component
	unsigned word_bytes;
	size_t count_at, words_at;
} places[] = {
#define PLACE(component, amd, bits, field)                                                         \
	{ CRIMG_XSAVE_##component, amd, (bits) / 8, offsetof(UserX86XsaveEntry, n_##field),        \
	  offsetof(UserX86XsaveEntry, field) }
	PLACE(YMM, 576, 32, ymmh_space),    PLACE(BNDREGS, 0, 64, bndreg_state),
	PLACE(BNDCSR, 0, 64, bndcsr_state), PLACE(OPMASK, 832, 64, opmask_reg),
	PLACE(ZMM_HI, 896, 64, zmm_upper),  PLACE(HI16_ZMM, 1408, 64, hi16_zmm),
	PLACE(PKRU, 2432, 32, pkru),
#undef PLACE
};

#define PLACE_COUNT (sizeof places / sizeof places[0])

static const struct place *place_of(unsigned component)
{
	for (size_t i = 0; i < PLACE_COUNT; i++)
		if (places[i].component == component)
			return &places[i];
	return NULL;
}

static size_t words_of(const UserX86XsaveEntry *xsave, const struct place *p, const void **words)
{
	size_t count;
	memcpy(&count, (const char *)xsave + p->count_at, sizeof count);
	memcpy(words, (const char *)xsave + p->words_at, sizeof *words);
	return count;
}

// Copies the words that fit into size bytes of out, little-endian. Returns the bytes copied.
static size_t put_words(const struct place *p, const void *words, size_t count, uint8_t *out,
                        size_t size)
{
	size_t n = count < size / p->word_bytes ? count : size / p->word_bytes;
	for (size_t i = 0; i < n; i++) {
		if (p->word_bytes == 4)
			crimg_put_u32(out + 4 * i, ((const uint32_t *)words)[i]);
		else
			crimg_put_u64(out + 8 * i, ((const uint64_t *)words)[i]);
	}
	return n * p->word_bytes;
}

static size_t legacy_component(const UserX86FpregsEntry *fp, unsigned component, uint8_t *space,
                               size_t size)
{
	uint8_t fxsave[CRIMG_FXSAVE_BYTES];
	const struct crimg_xsave_component *c = &crimg_xsave_components[component];
	size_t held = c->size;
	if (component == CRIMG_XSAVE_SSE)
		held = fp->n_xmm_space < c->size / 4 ? 4 * fp->n_xmm_space : c->size;
	if (held > size)
		held = size;
	crimg_x86_fxsave(fp, fxsave);
	memcpy(space, fxsave + c->offset, held);
	return held;
}

size_t crimg_x86_component(const UserX86FpregsEntry *fp, unsigned component, uint8_t *space,
                           size_t size)
{
	const struct place *p = place_of(component);
	const void *words;
	if (component <= CRIMG_XSAVE_SSE)
		return legacy_component(fp, component, space, size);
	if (p == NULL || fp->xsave == NULL)
		return 0;
	if (size > crimg_xsave_components[component].size)
		size = crimg_xsave_components[component].size;
	size_t count = words_of(fp->xsave, p, &words);
	return put_words(p, words, count, space, size);
}

uint64_t crimg_x86_xcr0(const UserX86FpregsEntry *fp)
{
	uint64_t xcr0 = LEGACY;
	const void *words;
	for (size_t i = 0; fp->xsave != NULL && i < PLACE_COUNT; i++)
		if (words_of(fp->xsave, &places[i], &words) > 0)
			xcr0 |= BIT(places[i].component);
	return xcr0;
}

// The sizes that gdb knows: it tells components by XCR0, and wants all bytes up to the last kind.
static size_t size_for(uint64_t xcr0)
{
	if ((xcr0 & BIT(CRIMG_XSAVE_PKRU)) != 0)
		return 2696;
	if ((xcr0 & AVX512) != 0)
		return 2688;
	if ((xcr0 & MPX) != 0)
		return 1088;
	return (xcr0 & BIT(CRIMG_XSAVE_YMM)) != 0 ? 832 : 576;
}

// Components that the note has no room for are not claimed in its header. A message without xsave
// is FXSAVE's: both its components are in use.
size_t crimg_x86_xsave(const UserX86FpregsEntry *fp, uint8_t *out)
{
	uint64_t xcr0 = crimg_x86_xcr0(fp);
	uint64_t in_use = fp->xsave != NULL ? fp->xsave->xstate_bv & xcr0 : LEGACY;
	memset(out, 0, CRIMG_XSAVE_MAX_BYTES);
	crimg_x86_fxsave(fp, out);
	crimg_put_u64(out + CRIMG_XSAVE_XCR0, xcr0);
	crimg_put_u64(out + CRIMG_FXSAVE_BYTES, in_use);
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		const struct crimg_xsave_component *c =
			&crimg_xsave_components[places[i].component];
		crimg_x86_component(fp, places[i].component, out + c->offset, c->size);
	}
	return size_for(xcr0);
}

static int fail_length(size_t length, const char *name, uint64_t base, struct crimg_err *err)
{
	return crimg_fail(
		err, CRIMG_E_FORMAT, name, base,
		"found %zu bytes of floating point state, wanted 108 (FSAVE), 512 (FXSAVE) or an "
		"XSAVE area of 576, 832, 1088, 2432, 2440, 2688, 2696, 2816 or 11008",
		length);
}

// Reads and judges the header. XCR0 of 0 means that it was not written.
static int read_header(const uint8_t *data, size_t length, const char *name, uint64_t base,
                       uint64_t *xstate_bv, struct crimg_err *err)
{
	uint64_t xcr0 = crimg_get_u64(data + CRIMG_XSAVE_XCR0), bv, xcomp;
	const uint8_t *reserved;
	struct crimg_cursor c = crimg_cursor_make(data, length, name, base);
	c.at = CRIMG_FXSAVE_BYTES;
	if (crimg_cursor_u64(&c, &bv, "xstate_bv", err) < 0
	    || crimg_cursor_u64(&c, &xcomp, "xcomp_bv", err) < 0
	    || crimg_cursor_bytes(&c, RESERVED_BYTES, &reserved, "XSAVE header", err) < 0)
		return -1;
	uint64_t at = base + CRIMG_FXSAVE_BYTES;
	if ((xcomp & COMPACTED) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, at + 8,
		                  "XSAVE area in compacted form (xcomp_bv 0x%" PRIx64
		                  ") found, standard form wanted", xcomp);
	if (xcomp != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, at + 8,
		                  "xcomp_bv 0x%" PRIx64 " found, 0 wanted", xcomp);
	for (unsigned i = 0; i < RESERVED_BYTES; i++)
		if (reserved[i] != 0)
			return crimg_fail(
				err, CRIMG_E_FORMAT, name, at + 16 + i,
				"0x%02x found in a reserved byte of the XSAVE header, 0 wanted",
				reserved[i]);
	if (xcr0 != 0 && (bv & ~xcr0) != 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, at,
		                  "xstate_bv 0x%" PRIx64 " found, no bits outside XCR0 (0x%" PRIx64
		                  ") wanted", bv, xcr0);
	*xstate_bv = bv;
	return 0;
}

// Gives the message the array of one component.
static int add_component(UserX86XsaveEntry *xsave, const struct place *p, const uint8_t *data,
                         struct crimg_arena *arena, struct crimg_err *err)
{
	size_t size = crimg_xsave_components[p->component].size, count = size / p->word_bytes;
	void *words = crimg_arena_alloc(arena, size);
	if (words == NULL)
		return crimg_fail_nomem(err, size);
	for (size_t i = 0; i < count; i++) {
		if (p->word_bytes == 4)
			((uint32_t *)words)[i] = crimg_get_u32(data + 4 * i);
		else
			((uint64_t *)words)[i] = crimg_get_u64(data + 8 * i);
	}
	memcpy((char *)xsave + p->count_at, &count, sizeof count);
	memcpy((char *)xsave + p->words_at, &words, sizeof words);
	return 0;
}

static int from_xsave(UserX86FpregsEntry *fp, const uint8_t *data, const struct form *form,
                      uint64_t xstate_bv, struct crimg_arena *arena, struct crimg_err *err)
{
	UserX86XsaveEntry *xsave = crimg_arena_alloc(arena, sizeof *xsave);
	uint64_t xcr0 = crimg_get_u64(data + CRIMG_XSAVE_XCR0);
	if (xsave == NULL)
		return crimg_fail_nomem(err, sizeof *xsave);
	user_x86_xsave_entry__init(xsave);
	xsave->xstate_bv = xstate_bv;
	if (xcr0 == 0)
		xcr0 = form->usual | xstate_bv;
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		const struct place *p = &places[i];
		const struct crimg_xsave_component *c = &crimg_xsave_components[p->component];
		uint32_t offset = form->amd ? p->amd_offset : c->offset;
		if ((xcr0 & BIT(p->component)) != 0 && offset != 0
		    && crimg_in_range(offset, c->size, form->length)
		    && add_component(xsave, p, data + offset, arena, err) < 0)
			return -1;
	}
	fp->xsave = xsave;
	return 0;
}

static int fill(UserX86FpregsEntry *fp, const uint8_t *data, size_t length,
                struct crimg_arena *arena, const char *name, uint64_t base, struct crimg_err *err)
{
	uint64_t xstate_bv = 0;
	if (length == CRIMG_FSAVE_BYTES) {
		crimg_x86_from_fsave(fp, data);
		return 0;
	}
	if (length == CRIMG_FXSAVE_BYTES)
		return crimg_x86_from_fxsave(fp, data, arena, err);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (forms[i].length == length) {
			if (read_header(data, length, name, base, &xstate_bv, err) < 0
			    || crimg_x86_from_fxsave(fp, data, arena, err) < 0)
				return -1;
			return from_xsave(fp, data, &forms[i], xstate_bv, arena, err);
		}
	return fail_length(length, name, base, err);
}

UserX86FpregsEntry *crimg_x86_fpregs(const uint8_t *data, size_t length, struct crimg_arena *arena,
                                     const char *name, uint64_t base, struct crimg_err *err)
{
	UserX86FpregsEntry *fp = crimg_x86_fpregs_make(arena, err);
	if (fp == NULL || fill(fp, data, length, arena, name, base, err) < 0)
		return NULL;
	return fp;
}
