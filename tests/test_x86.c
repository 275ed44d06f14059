// x86 register files: every row of every table, numbers of the x87, the way between messages and
// FXSAVE, FSAVE and XSAVE areas, areas that lie, and a real thread whose registers are known.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/tasks.h"
#include "format/x86.h"
#include "tests/suite.h"

#define SAME(found, wanted) CU_ASSERT(same((found), (wanted)))

static bool same(const char *found, const char *wanted)
{
	if (strcmp(found, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", found, wanted);
	return strcmp(found, wanted) == 0;
}

// The order of user_regs_struct, as gdb calls its members.
static void test_registers(void)
{
	static const char *const names64[] = {
		"r15",    "r14", "r13", "r12",     "rbp",     "rbx", "r11",      "r10", "r9",
		"r8",     "rax", "rcx", "rdx",     "rsi",     "rdi", "orig_rax", "rip", "cs",
		"eflags", "rsp", "ss",  "fs_base", "gs_base", "ds",  "es",       "fs",  "gs",
	};
	static const char *const names32[] = {
		"ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "ds", "es", "fs", "gs", "orig_eax",
		"eip", "cs", "eflags", "esp", "ss",
	};
	UserX86RegsEntry regs = USER_X86_REGS_ENTRY__INIT;
	for (size_t i = 0; i < CRIMG_X86_REGS64; i++) {
		SAME(crimg_x86_regs64[i].name, names64[i]);
		crimg_x86_set_reg(&regs, &crimg_x86_regs64[i], i + 1);
	}
	CU_ASSERT_EQUAL(regs.r15, 1); // the message has them in the same order
	CU_ASSERT_EQUAL(regs.orig_ax, 16);
	CU_ASSERT_EQUAL(regs.gs, 27);
	CU_ASSERT_EQUAL(regs.has_mode, 0);
	for (size_t i = 0; i < CRIMG_X86_REGS64; i++)
		CU_ASSERT_EQUAL(crimg_x86_reg(&regs, &crimg_x86_regs64[i]), i + 1);
	for (size_t i = 0; i < CRIMG_X86_REGS32; i++)
		SAME(crimg_x86_regs32[i].name, names32[i]);
	CU_ASSERT_EQUAL(crimg_x86_reg(&regs, &crimg_x86_regs32[0]), regs.bx);
	CU_ASSERT_EQUAL(crimg_x86_reg(&regs, &crimg_x86_regs32[12]), regs.ip);
}

static void test_mode(void)
{
	UserX86RegsEntry regs = USER_X86_REGS_ENTRY__INIT;
	regs.cs = 0x33;
	CU_ASSERT_FALSE(crimg_x86_is_32(&regs));
	regs.mode = USER_X86_REGS_MODE__COMPAT; // not said to be there
	CU_ASSERT_FALSE(crimg_x86_is_32(&regs));
	regs.has_mode = 1;
	CU_ASSERT_TRUE(crimg_x86_is_32(&regs));
	regs.mode = USER_X86_REGS_MODE__NATIVE;
	regs.cs = 0x23;
	CU_ASSERT_TRUE(crimg_x86_is_32(&regs));
}

static void test_rflags(void)
{
	static const struct {
		unsigned bit;
		const char *name;
	} rows[] = {
		{ 0, "CF" }, { 1, "" }, { 2, "PF" }, { 3, "0x8" }, { 4, "AF" }, { 5, "0x20" },
		{ 6, "ZF" }, { 7, "SF" }, { 8, "TF" }, { 9, "IF" }, { 10, "DF" }, { 11, "OF" },
		{ 12, "IOPL=1" }, { 13, "IOPL=2" }, { 14, "NT" }, { 15, "0x8000" }, { 16, "RF" },
		{ 17, "VM" }, { 18, "AC" }, { 19, "VIF" }, { 20, "VIP" }, { 21, "ID" },
		{ 22, "0x400000" }, { 63, "0x8000000000000000" },
	};
	char t[256];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		SAME(crimg_x86_rflags_text(UINT64_C(1) << rows[i].bit, t, sizeof t), rows[i].name);
	SAME(crimg_x86_rflags_text(0, t, sizeof t), "");
	SAME(crimg_x86_rflags_text(0x246, t, sizeof t), "PF ZF IF");
	SAME(crimg_x86_rflags_text(0x3202, t, sizeof t), "IF IOPL=3");
	SAME(crimg_x86_rflags_text(UINT64_MAX, t, sizeof t),
	     "CF PF AF ZF SF TF IF DF OF IOPL=3 NT RF VM AC VIF VIP ID 0xffffffffffc08028");
	SAME(crimg_x86_rflags_text(UINT64_MAX, t, 7), "CF PF "); // cut, terminated
}

static void test_mxcsr(void)
{
	static const char *const names[] = {
		"IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM",
	};
	static const char *const rounding[] = { "nearest", "down", "up", "zero" };
	char t[256], wanted[64];
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(wanted, sizeof wanted, "%s RC=nearest", names[i]);
		SAME(crimg_x86_mxcsr_text(1u << i, t, sizeof t), wanted);
	}
	for (unsigned i = 0; i < 4; i++) {
		snprintf(wanted, sizeof wanted, "RC=%s FZ", rounding[i]);
		SAME(crimg_x86_mxcsr_text(0x8000u | i << 13, t, sizeof t), wanted);
	}
	SAME(crimg_x86_mxcsr_text(0, t, sizeof t), "");
	SAME(crimg_x86_mxcsr_text(0x1f80, t, sizeof t), "IM DM ZM OM UM PM RC=nearest");
	SAME(crimg_x86_mxcsr_text(0x30000, t, sizeof t), "RC=nearest MM 0x10000");
}

static void test_x87_words(void)
{
	static const char *const control[] = { "IM", "DM", "ZM", "OM", "UM", "PM" };
	static const char *const precision[] = { "single", "reserved", "double", "extended" };
	static const char *const rounding[] = { "nearest", "down", "up", "zero" };
	static const char *const status[] = { "IE", "DE", "ZE", "OE", "UE", "PE", "SF", "ES", "C0",
	                                      "C1", "C2" };
	char t[256], wanted[64];
	for (unsigned i = 0; i < 6; i++) {
		snprintf(wanted, sizeof wanted, "%s PC=single RC=nearest", control[i]);
		SAME(crimg_x86_fcw_text(1u << i, t, sizeof t), wanted);
	}
	for (unsigned i = 0; i < 4; i++) {
		snprintf(wanted, sizeof wanted, "PC=%s RC=%s X 0x80", precision[i], rounding[i]);
		SAME(crimg_x86_fcw_text(i << 8 | i << 10 | 0x1080, t, sizeof t), wanted);
	}
	SAME(crimg_x86_fcw_text(0, t, sizeof t), "");
	SAME(crimg_x86_fcw_text(0x37f, t, sizeof t), "IM DM ZM OM UM PM PC=extended RC=nearest");
	for (unsigned i = 0; i < sizeof status / sizeof *status; i++) {
		snprintf(wanted, sizeof wanted, "%s TOP=0", status[i]);
		SAME(crimg_x86_fsw_text(1u << i, t, sizeof t), wanted);
	}
	for (unsigned i = 0; i < 8; i++) {
		snprintf(wanted, sizeof wanted, "TOP=%u C3 B", i);
		SAME(crimg_x86_fsw_text(0xc000u | i << 11, t, sizeof t), wanted);
	}
	SAME(crimg_x86_fsw_text(0, t, sizeof t), "");
	SAME(crimg_x86_fsw_text(0x10000, t, sizeof t), "TOP=0 0x10000");
}

static void test_selectors(void)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{ 0, "null" },
		{ 0x23, "user code, 32-bit" },
		{ 0x2b, "user data" },
		{ 0x33, "user code, 64-bit" },
		{ 0x63, "GDT 12 (TLS), RPL 3" },
		{ 0x73, "GDT 14 (TLS), RPL 3" },
		{ 0x30, "GDT 6, RPL 0" },
		{ 0x7b, "GDT 15, RPL 3" },
		{ 0xf, "LDT 1, RPL 3" },
		{ 0x64, "LDT 12, RPL 0" },
		{ 0xffff, "LDT 8191, RPL 3" },
		{ 0x10033, "no selector: wider than 16 bits" },
	};
	char t[64];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		SAME(crimg_x86_selector_text(rows[i].value, t, sizeof t), rows[i].text);
}

struct number {
	uint16_t top;
	uint64_t mantissa;
	enum crimg_x87_tag tag;
	const char *text;
};

static const struct number known_numbers[] = {
	{ 0, 0, CRIMG_X87_ZERO, "0" },
	{ 0x8000, 0, CRIMG_X87_ZERO, "-0" },
	{ 0x4002, 0x8800000000000000, CRIMG_X87_VALID, "8.5" },
	{ 0xbfff, 0xc000000000000000, CRIMG_X87_VALID, "-1.5" },
	{ 0x4000, 0xc90fdaa22168c235, CRIMG_X87_VALID, "3.14159265358979323851" },
	{ 0x3ffb, 0xcccccccccccccccd, CRIMG_X87_VALID, "0.100000000000000000001" },
	{ 0x7ffe, 0xffffffffffffffff, CRIMG_X87_VALID, "1.18973149535723176502e+4932" },
	{ 0x0001, 0x8000000000000000, CRIMG_X87_VALID, "3.36210314311209350626e-4932" },
	{ 0x0000, 0x0000000000000001, CRIMG_X87_SPECIAL, "3.64519953188247460253e-4951" },
	{ 0x7fff, 0x8000000000000000, CRIMG_X87_SPECIAL, "inf" },
	{ 0xffff, 0x8000000000000000, CRIMG_X87_SPECIAL, "-inf" },
	{ 0xffff, 0xc000000000000000, CRIMG_X87_SPECIAL, "-nan(0xc000000000000000)" },
	{ 0x7fff, 0x8000000000000001, CRIMG_X87_SPECIAL, "nan(0x8000000000000001)" },
	// What no CPU makes any more: pseudo-infinity, unnormal, pseudo-denormal.
	{ 0x7fff, 0, CRIMG_X87_SPECIAL, "unsupported(0x7fff0000000000000000)" },
	{ 0x4002, 0x0800000000000000, CRIMG_X87_SPECIAL, "unsupported(0x40020800000000000000)" },
	{ 0x8000, 0x8000000000000000, CRIMG_X87_SPECIAL, "unsupported(0x80008000000000000000)" },
};

#define NUMBERS (sizeof known_numbers / sizeof *known_numbers)

static void put_number(const struct number *n, uint8_t st[10])
{
	crimg_put_u64(st, n->mantissa);
	crimg_put_u16(st + 8, n->top);
}

static void test_numbers(void)
{
	uint8_t st[10];
	char t[64];
	for (size_t i = 0; i < NUMBERS; i++) {
		put_number(&known_numbers[i], st);
		SAME(crimg_x87_text(st, t, sizeof t), known_numbers[i].text);
		for (unsigned k = 0; k < 8; k++) {
			CU_ASSERT_EQUAL(crimg_x87_tag_of((uint8_t)(1u << k), k, st),
			                known_numbers[i].tag);
			CU_ASSERT_EQUAL(crimg_x87_tag_of((uint8_t)~(1u << k), k, st),
			                CRIMG_X87_EMPTY);
		}
	}
	put_number(&known_numbers[5], st);
	SAME(crimg_x87_text(st, t, 4), "0.1"); // cut, terminated
	SAME(crimg_x87_tag_word(CRIMG_X87_VALID), "valid");
	SAME(crimg_x87_tag_word(CRIMG_X87_ZERO), "zero");
	SAME(crimg_x87_tag_word(CRIMG_X87_SPECIAL), "special");
	SAME(crimg_x87_tag_word(CRIMG_X87_EMPTY), "empty");
}

// Components in the order of bits: standard form of Intel's CPUs.
static void test_components(void)
{
	static const struct crimg_xsave_component wanted[CRIMG_XSAVE_COMPONENTS] = {
		{ "x87", 0, 160 },           { "SSE", 160, 256 },       { "YMM_Hi128", 576, 256 },
		{ "BNDREGS", 960, 64 },      { "BNDCSR", 1024, 64 },    { "opmask", 1088, 64 },
		{ "ZMM_Hi256", 1152, 512 },  { "Hi16_ZMM", 1664, 1024 }, { "PT", 0, 0 },
		{ "PKRU", 2688, 8 },         { "PASID", 0, 0 },         { "CET_U", 0, 0 },
		{ "CET_S", 0, 0 },           { "HDC", 0, 0 },           { "UINTR", 0, 0 },
		{ "LBR", 0, 0 },             { "HWP", 0, 0 },           { "TILECFG", 2752, 64 },
		{ "TILEDATA", 2816, 8192 },  { "APX", 960, 128 },
	};
	for (size_t i = 0; i < CRIMG_XSAVE_COMPONENTS; i++) {
		SAME(crimg_xsave_components[i].name, wanted[i].name);
		CU_ASSERT_EQUAL(crimg_xsave_components[i].offset, wanted[i].offset);
		CU_ASSERT_EQUAL(crimg_xsave_components[i].size, wanted[i].size);
	}
}

// A message with contents that a seed makes, and the arrays that xcr0 asks for, in arena.
static uint32_t noise(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8 ^ *seed << 16;
}

static void *words(struct crimg_arena *arena, size_t bytes, uint32_t *seed)
{
	uint32_t *w = crimg_arena_alloc(arena, bytes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	for (size_t i = 0; i < bytes / 4; i++)
		w[i] = noise(seed);
	return w;
}

static UserX86FpregsEntry *message(struct crimg_arena *arena, uint64_t xcr0, uint32_t seed)
{
	UserX86FpregsEntry *fp = crimg_arena_alloc(arena, sizeof *fp);
	UserX86XsaveEntry *x = crimg_arena_alloc(arena, sizeof *x);
	CU_ASSERT_FATAL(fp != NULL && x != NULL);
	user_x86_fpregs_entry__init(fp);
	user_x86_xsave_entry__init(x);
	fp->cwd = noise(&seed) & 0xffff;
	fp->swd = noise(&seed) & 0xffff;
	fp->twd = noise(&seed) & 0xff;
	fp->fop = noise(&seed) & 0x7ff;
	fp->rip = noise(&seed) | (uint64_t)noise(&seed) << 32;
	fp->rdp = noise(&seed) | (uint64_t)noise(&seed) << 32;
	fp->mxcsr = noise(&seed);
	fp->mxcsr_mask = noise(&seed);
	fp->n_st_space = 32;
	fp->st_space = words(arena, 128, &seed);
	fp->n_xmm_space = 64;
	fp->xmm_space = words(arena, 256, &seed);
#define ARRAY(bit, field, count)                                                                   \
	if ((xcr0 >> (bit) & 1) != 0) {                                                            \
		x->n_##field = (count);                                                            \
		x->field = words(arena, (count) * sizeof *x->field, &seed);                        \
	}
	ARRAY(2, ymmh_space, 64)
	ARRAY(3, bndreg_state, 8)
	ARRAY(4, bndcsr_state, 8)
	ARRAY(5, opmask_reg, 8)
	ARRAY(6, zmm_upper, 64)
	ARRAY(7, hi16_zmm, 128)
	ARRAY(9, pkru, 2)
#undef ARRAY
	x->xstate_bv = noise(&seed) & xcr0;
	fp->xsave = x;
	return fp;
}

static bool equal(const UserX86FpregsEntry *a, const UserX86FpregsEntry *b)
{
	struct crimg_buf x = CRIMG_BUF_INIT, y = CRIMG_BUF_INIT;
	CU_ASSERT_EQUAL(crimg_message_encode(&a->base, &x, NULL), 0);
	CU_ASSERT_EQUAL(crimg_message_encode(&b->base, &y, NULL), 0);
	bool yes = x.length == y.length && memcmp(x.data, y.data, x.length) == 0;
	crimg_buf_fini(&x);
	crimg_buf_fini(&y);
	return yes;
}

static const struct {
	uint64_t xcr0;
	size_t size;
} sizes[] = {
	{ 0x3, 576 },   { 0x7, 832 },    { 0x1f, 1088 }, { 0x17, 1088 },  { 0x27, 2688 },
	{ 0xe7, 2688 }, { 0xff, 2688 },  { 0x2ff, 2696 }, { 0x2e7, 2696 }, { 0x207, 2696 },
	{ 0x217, 2696 },
};

// Message to XSAVE area and back: nothing is lost, and the size is what gdb wants for this XCR0.
static void test_xsave(void)
{
	for (uint32_t i = 0; i < 20 * (uint32_t)(sizeof sizes / sizeof *sizes); i++) {
		struct crimg_arena arena = crimg_arena_make(1 << 20);
		struct crimg_err err = CRIMG_ERR_INIT;
		uint64_t xcr0 = sizes[i / 20].xcr0;
		uint8_t area[CRIMG_XSAVE_MAX_BYTES], again[CRIMG_XSAVE_MAX_BYTES];
		const UserX86FpregsEntry *fp = message(&arena, xcr0, i);
		CU_ASSERT_EQUAL(crimg_x86_xcr0(fp), xcr0);
		CU_ASSERT_EQUAL_FATAL(crimg_x86_xsave(fp, area), sizes[i / 20].size);
		CU_ASSERT_EQUAL(crimg_get_u64(area + CRIMG_XSAVE_XCR0), xcr0);
		CU_ASSERT_EQUAL(crimg_get_u64(area + 512), fp->xsave->xstate_bv);
		const UserX86FpregsEntry *back =
			crimg_x86_fpregs(area, sizes[i / 20].size, &arena, "core", 0, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(back);
		CU_ASSERT(equal(fp, back));
		CU_ASSERT_EQUAL(crimg_x86_xsave(back, again), sizes[i / 20].size);
		CU_ASSERT_EQUAL(memcmp(area, again, sizeof area), 0);
		crimg_arena_fini(&arena);
	}
}

static void test_places(void)
{
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	uint8_t area[CRIMG_XSAVE_MAX_BYTES], space[1024];
	UserX86FpregsEntry *fp = message(&arena, 0x2ff, 7);
	crimg_x86_xsave(fp, area);
	for (unsigned i = 0; i < CRIMG_XSAVE_COMPONENTS; i++) {
		const struct crimg_xsave_component *c = &crimg_xsave_components[i];
		size_t n = crimg_x86_component(fp, i, space, sizeof space);
		CU_ASSERT_EQUAL(n, (0x2ffu >> i & 1) != 0 ? c->size : 0);
		CU_ASSERT_EQUAL(memcmp(space, area + c->offset, n), 0);
	}
	CU_ASSERT_EQUAL(crimg_x86_component(fp, 99, space, sizeof space), 0);
	// Space that is too small takes whole words and no more.
	memset(space, 0xee, sizeof space);
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_OPMASK, space, 20), 16);
	CU_ASSERT_EQUAL(space[16], 0xee);
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_X87, space, 20), 20);
	CU_ASSERT_EQUAL(space[20], 0xee);
	// A message without xsave is FXSAVE alone.
	fp->xsave = NULL;
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_YMM, space, sizeof space), 0);
	CU_ASSERT_EQUAL(crimg_x86_xcr0(fp), 3);
	CU_ASSERT_EQUAL(crimg_x86_xsave(fp, area), 576);
	CU_ASSERT_EQUAL(crimg_get_u64(area + 512), 3);
	crimg_arena_fini(&arena);
}

// Arrays of a hostile message have any length.
static void test_lengths_of_arrays(void)
{
	for (size_t n = 0; n < 300; n += 7) {
		struct crimg_arena arena = crimg_arena_make(1 << 20);
		uint8_t area[CRIMG_XSAVE_MAX_BYTES], fsave[CRIMG_FSAVE_BYTES], space[1024];
		UserX86FpregsEntry *fp = message(&arena, 0x2ff, 3);
		uint32_t seed = 1, *w32 = words(&arena, 4 * n + 4, &seed);
		uint64_t *w64 = words(&arena, 8 * n + 8, &seed);
		fp->n_st_space = fp->n_xmm_space = fp->n_padding = fp->xsave->n_ymmh_space = n;
		fp->st_space = fp->xmm_space = fp->padding = fp->xsave->ymmh_space = w32;
		fp->xsave->n_opmask_reg = fp->xsave->n_hi16_zmm = n;
		fp->xsave->opmask_reg = fp->xsave->hi16_zmm = w64;
		CU_ASSERT_EQUAL(crimg_x86_xsave(fp, area), 2696);
		CU_ASSERT_EQUAL(crimg_get_u64(area + CRIMG_XSAVE_XCR0), crimg_x86_xcr0(fp));
		CU_ASSERT_EQUAL(crimg_get_u64(area + 2688),
		                fp->xsave->pkru[0] | (uint64_t)fp->xsave->pkru[1] << 32);
		CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_OPMASK, space, sizeof space),
		                n < 8 ? 8 * n : 64);
		CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_SSE, space, sizeof space),
		                n < 64 ? 4 * n : 256);
		crimg_x86_fsave(fp, fsave);
		crimg_arena_fini(&arena);
	}
}

// [AMD] The same components at other offsets, told by the length.
static void test_amd(void)
{
	static const struct {
		unsigned component;
		size_t offset;
	} rows[] = { { 2, 576 }, { 5, 832 }, { 6, 896 }, { 7, 1408 }, { 9, 2432 } };
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t intel[CRIMG_XSAVE_MAX_BYTES], amd[2440] = { 0 };
	const UserX86FpregsEntry *fp = message(&arena, 0x2e7, 11), *back;
	crimg_x86_xsave(fp, intel);
	memcpy(amd, intel, 576);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		memcpy(amd + rows[i].offset,
		       intel + crimg_xsave_components[rows[i].component].offset,
		       crimg_xsave_components[rows[i].component].size);
	back = crimg_x86_fpregs(amd, sizeof amd, &arena, "core", 0, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT(equal(fp, back));
	// A Zen 3: no AVX-512, protection keys at the same place.
	crimg_put_u64(amd + CRIMG_XSAVE_XCR0, 0x207);
	crimg_put_u64(amd + 512, 0x207);
	back = crimg_x86_fpregs(amd, sizeof amd, &arena, "core", 0, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(crimg_x86_xcr0(back), 0x207);
	CU_ASSERT_EQUAL(back->xsave->pkru[0], fp->xsave->pkru[0]);
	crimg_arena_fini(&arena);
}

// Without XCR0 the length says what is there, and xstate_bv adds to it.
static void test_no_xcr0(void)
{
	static const struct {
		size_t length;
		uint64_t bv, xcr0;
	} rows[] = {
		{ 576, 0, 0x3 }, { 832, 0, 0x7 }, { 1088, 0, 0x1f }, { 2432, 0, 0xe7 },
		{ 2440, 0, 0x2e7 }, { 2688, 0, 0xe7 }, { 2688, 8, 0xef }, { 2696, 0, 0x2e7 },
		{ 2816, 0, 0x2e7 }, { 11008, 0x60002, 0x2e7 }, { 832, 0x80, 0x7 },
	};
	static uint8_t area[11008];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct crimg_arena arena = crimg_arena_make(1 << 20);
		struct crimg_err err = CRIMG_ERR_INIT;
		crimg_put_u64(area + 512, rows[i].bv);
		const UserX86FpregsEntry *fp =
			crimg_x86_fpregs(area, rows[i].length, &arena, "core", 0, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
		CU_ASSERT_EQUAL(crimg_x86_xcr0(fp), rows[i].xcr0);
		CU_ASSERT_EQUAL(fp->xsave->xstate_bv, rows[i].bv);
		crimg_arena_fini(&arena);
	}
}

// FXSAVE and FSAVE alone; the full tag word follows from the abridged one and the contents.
static void test_fsave(void)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct crimg_arena arena = crimg_arena_make(1 << 20);
		struct crimg_err err = CRIMG_ERR_INIT;
		uint8_t fxsave[CRIMG_FXSAVE_BYTES], fsave[CRIMG_FSAVE_BYTES],
			again[CRIMG_FXSAVE_BYTES];
		UserX86FpregsEntry *fp = message(&arena, 3, i);
		unsigned top = fp->swd >> 11 & 7;
		fp->xsave = NULL;
		fp->rip &= 0xffffffffffff;
		fp->rdp &= 0xffffffffffff;
		for (unsigned k = 0; k < 8; k++) {
			uint8_t st[16] = { 0 };
			put_number(&known_numbers[(i + k) % NUMBERS], st);
			for (unsigned b = 0; b < 4; b++)
				fp->st_space[4 * k + b] = crimg_get_u32(st + 4 * b);
		}
		crimg_x86_fxsave(fp, fxsave);
		const UserX86FpregsEntry *back =
			crimg_x86_fpregs(fxsave, sizeof fxsave, &arena, "core", 0, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(back);
		CU_ASSERT(equal(fp, back));
		crimg_x86_fsave(fp, fsave);
		for (unsigned k = 0; k < 8; k++) {
			unsigned physical = (top + k) & 7,
				 tag = crimg_get_u16(fsave + 8) >> 2 * physical & 3;
			enum crimg_x87_tag wanted = (fp->twd >> physical & 1) != 0
			                                    ? known_numbers[(i + k) % NUMBERS].tag
			                                    : CRIMG_X87_EMPTY;
			CU_ASSERT_EQUAL(tag, wanted);
		}
		back = crimg_x86_fpregs(fsave, sizeof fsave, &arena, "core", 0, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(back);
		CU_ASSERT_EQUAL(back->mxcsr, 0x1f80);
		CU_ASSERT_EQUAL(back->twd, fp->twd);
		crimg_x86_fxsave(back, again);
		CU_ASSERT_EQUAL(memcmp(fxsave, again, 24), 0);
		CU_ASSERT_EQUAL(memcmp(fxsave + 32, again + 32, 128), 0);
		crimg_arena_fini(&arena);
	}
}

static void test_fsave_bytes(void)
{
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	uint8_t fsave[CRIMG_FSAVE_BYTES];
	UserX86FpregsEntry *fp = message(&arena, 3, 1);
	fp->cwd = 0x37f;
	fp->swd = 0x3800;
	fp->twd = 0x80;
	fp->fop = 0x123;
	fp->rip = UINT64_C(0x2308049000);
	fp->rdp = UINT64_C(0x2bffffd000);
	fp->st_space[0] = 0;
	fp->st_space[1] = 0x80000000;
	fp->st_space[2] = 0x3fff;
	crimg_x86_fsave(fp, fsave);
	static const uint8_t wanted[38] = {
		0x7f, 3, 0xff, 0xff, 0, 0x38, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0, 0x90, 4, 8,
		0x23, 0, 0x23, 1, 0, 0xd0, 0xff, 0xff, 0x2b, 0, 0xff, 0xff,
		0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f,
	};
	CU_ASSERT_EQUAL(memcmp(fsave, wanted, sizeof wanted), 0);
	UserX86RegsEntry regs = USER_X86_REGS_ENTRY__INIT;
	regs.cs = 0x33;
	regs.ds = 0x1002b; // the selector has 16 bits
	crimg_x86_fsave_selectors(fsave, &regs);
	CU_ASSERT_EQUAL(memcmp(fsave, wanted, sizeof wanted), 0); // known ones stay
	fp->rip = fp->rdp = 1;
	crimg_x86_fsave(fp, fsave);
	crimg_x86_fsave_selectors(fsave, &regs);
	static const uint8_t selectors[16] = {
		1, 0, 0, 0, 0x33, 0, 0x23, 1, 1, 0, 0, 0, 0x2b, 0, 0xff, 0xff,
	};
	CU_ASSERT_EQUAL(memcmp(fsave + 12, selectors, sizeof selectors), 0);
	crimg_arena_fini(&arena);
}

static void refused(const uint8_t *data, size_t length, const char *wanted)
{
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	struct crimg_err err = CRIMG_ERR_INIT;
	char text[1024];
	CU_ASSERT_PTR_NULL(crimg_x86_fpregs(data, length, &arena, "core.1", 0x1000, &err));
	CU_ASSERT_EQUAL(err.code, CRIMG_E_FORMAT);
	crimg_err_format(&err, text, sizeof text);
	SAME(text, wanted);
	crimg_arena_fini(&arena);
}

static void test_refused(void)
{
	uint8_t area[832] = { 0 };
	refused(area, 700,
	        "core.1: offset 4096 (0x1000): found 700 bytes of floating point state, wanted 108 "
	        "(FSAVE), 512 (FXSAVE) or an XSAVE area of 576, 832, 1088, 2432, 2440, 2688, 2696, "
	        "2816 or 11008");
	crimg_put_u64(area + CRIMG_XSAVE_XCR0, 7);
	crimg_put_u64(area + 512, 0x27);
	refused(area, sizeof area,
	        "core.1: offset 4608 (0x1200): xstate_bv 0x27 found, no bits outside XCR0 (0x7) "
	        "wanted");
	crimg_put_u64(area + 512, 7);
	crimg_put_u64(area + 520, UINT64_C(0x8000000000000007));
	refused(area, sizeof area,
	        "core.1: offset 4616 (0x1208): XSAVE area in compacted form (xcomp_bv "
	        "0x8000000000000007) found, standard form wanted");
	crimg_put_u64(area + 520, 1);
	refused(area, sizeof area, "core.1: offset 4616 (0x1208): xcomp_bv 0x1 found, 0 wanted");
	for (size_t i = 528; i < 576; i++) {
		char wanted[160];
		crimg_put_u64(area + 520, 0);
		area[i] = 0x5a;
		snprintf(wanted, sizeof wanted,
		         "core.1: offset %zu (0x%zx): 0x5a found in a reserved byte of the XSAVE "
		         "header, 0 wanted", 4096 + i, 4096 + i);
		refused(area, sizeof area, wanted);
		area[i] = 0;
	}
}

static bool is_form(size_t length)
{
	static const size_t forms[] = { 108, 512, 576, 832, 1088, 2432, 2440, 2688, 2696, 2816 };
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (forms[i] == length)
			return true;
	return false;
}

// Whatever the length and the bytes: an answer or an error, and no read behind the end (ASan).
static void test_damaged(void)
{
	uint32_t seed = 5;
	for (size_t length = 0; length <= 3000; length++) {
		for (unsigned kind = 0; kind < 2; kind++) {
			struct crimg_arena arena = crimg_arena_make(1 << 20);
			struct crimg_err err = CRIMG_ERR_INIT;
			uint8_t *data = malloc(length > 0 ? length : 1);
			CU_ASSERT_PTR_NOT_NULL_FATAL(data);
			for (size_t i = 0; i < length; i++)
				data[i] = kind == 0 ? 0 : (uint8_t)noise(&seed);
			const UserX86FpregsEntry *fp =
				crimg_x86_fpregs(data, length, &arena, "core", 0, &err);
			bool good = is_form(length) && (kind == 0 || length <= 512);
			CU_ASSERT_EQUAL(fp != NULL, good);
			CU_ASSERT_EQUAL(err.code, good ? CRIMG_OK : CRIMG_E_FORMAT);
			free(data);
			crimg_arena_fini(&arena);
		}
	}
}

// Denied memory is an error, wherever it is denied.
static void test_no_memory(void)
{
	struct crimg_arena source = crimg_arena_make(1 << 20);
	uint8_t area[CRIMG_XSAVE_MAX_BYTES];
	size_t length = crimg_x86_xsave(message(&source, 0x2ff, 2), area);
	unsigned failed = 0;
	for (size_t limit = 0; limit < 4096; limit += 64) {
		struct crimg_arena arena = crimg_arena_make(limit);
		struct crimg_err err = CRIMG_ERR_INIT;
		if (crimg_x86_fpregs(area, length, &arena, "core", 0, &err) == NULL) {
			CU_ASSERT_EQUAL(err.code, CRIMG_E_NOMEM);
			failed++;
		}
		crimg_arena_fini(&arena);
	}
	CU_ASSERT(failed > 8);
	crimg_arena_fini(&source);
}

static uint8_t vector_byte(unsigned reg, unsigned byte)
{
	return (uint8_t)(reg * 7 + byte * 3 + 1);
}

static void check_vectors(const UserX86FpregsEntry *fp, unsigned registers)
{
	uint8_t space[1024];
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_SSE, space, sizeof space), 256);
	for (unsigned i = 0; i < 256; i++)
		CU_ASSERT_EQUAL(space[i], vector_byte(i / 16, i % 16));
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_YMM, space, sizeof space), 256);
	for (unsigned i = 0; i < 256; i++)
		CU_ASSERT_EQUAL(space[i], vector_byte(i / 16, 16 + i % 16));
	if (registers == 16)
		return;
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_ZMM_HI, space, sizeof space), 512);
	for (unsigned i = 0; i < 512; i++)
		CU_ASSERT_EQUAL(space[i], vector_byte(i / 32, 32 + i % 32));
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_HI16_ZMM, space, sizeof space), 1024);
	for (unsigned i = 0; i < 1024; i++)
		CU_ASSERT_EQUAL(space[i], vector_byte(16 + i / 64, i % 64));
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_OPMASK, space, sizeof space), 64);
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(crimg_get_u64(space + 8 * i), UINT64_MAX / 15 * (i + 1));
}

static void check_x87(const UserX86FpregsEntry *fp)
{
	uint8_t space[160];
	char t[64], wanted[16];
	CU_ASSERT_EQUAL(fp->cwd, 0x27f);
	CU_ASSERT_EQUAL(fp->mxcsr, 0x9fc0);
	CU_ASSERT_EQUAL(crimg_x86_component(fp, CRIMG_XSAVE_X87, space, sizeof space), 160);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(wanted, sizeof wanted, "%u.5", 8 - i);
		SAME(crimg_x87_text(space + 32 + 16 * i, t, sizeof t), wanted);
		CU_ASSERT_EQUAL(crimg_x87_tag_of((uint8_t)fp->twd, i, space + 32 + 16 * i),
		                CRIMG_X87_VALID);
	}
	SAME(crimg_x86_mxcsr_text(fp->mxcsr, t, sizeof t), "DAZ IM DM ZM OM UM PM RC=nearest FZ");
}

static void check_registers(const UserX86RegsEntry *r)
{
	static const struct {
		const char *name;
		unsigned low;
	} rows[] = {
		{ "rax", 0 }, { "rbx", 1 }, { "rcx", 2 }, { "rdx", 3 }, { "rsi", 4 }, { "rdi", 5 },
		{ "rbp", 6 }, { "r8", 8 }, { "r9", 9 }, { "r10", 10 }, { "r11", 11 }, { "r13", 13 },
		{ "r14", 14 }, { "r15", 15 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t k = 0; k < CRIMG_X86_REGS64; k++)
			if (strcmp(crimg_x86_regs64[k].name, rows[i].name) == 0)
				CU_ASSERT_EQUAL(crimg_x86_reg(r, &crimg_x86_regs64[k]),
				                UINT64_C(0xc0de000000000000) | rows[i].low);
	CU_ASSERT_EQUAL(r->gs_base, 0x123456789000);
	CU_ASSERT_EQUAL(r->orig_ax, UINT64_MAX);
	CU_ASSERT_FALSE(crimg_x86_is_32(r));
}

// A real program that set every register before it was frozen: samples/*/a-regs.txt says to what.
static void check_sample(const char *path, uint64_t xcr0, unsigned registers)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	struct crimg_tasks tasks;
	CU_ASSERT_EQUAL_FATAL(crimg_image_open(path, NULL, NULL, &image, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_tasks_load(image, &tasks, &err), 0);
	CU_ASSERT_FATAL(tasks.count == 1 && tasks.list[0].core != NULL);
	const ThreadInfoX86 *info = tasks.list[0].core->thread_info;
	CU_ASSERT_PTR_NOT_NULL_FATAL(info);
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	uint8_t area[CRIMG_XSAVE_MAX_BYTES];
	CU_ASSERT_EQUAL(crimg_x86_xcr0(info->fpregs), xcr0);
	check_registers(info->gpregs);
	check_x87(info->fpregs);
	check_vectors(info->fpregs, registers);
	// The same through the note of a core.
	size_t length = crimg_x86_xsave(info->fpregs, area);
	const UserX86FpregsEntry *back = crimg_x86_fpregs(area, length, &arena, "core", 0, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	check_x87(back);
	check_vectors(back, registers);
	back->xsave->cet = info->fpregs->xsave->cet; // has no place in the note
	CU_ASSERT(equal(info->fpregs, back));
	crimg_arena_fini(&arena);
	crimg_tasks_fini(&tasks);
	crimg_image_close(image);
}

static void test_samples(void)
{
	check_sample("samples/criu/a-regs", 0xe7, 32);
	// The same program on a CPU without AVX-512, by CRIU 3.17; not in the tree.
	const char *more = getenv("CRIMG_X86_SAMPLE");
	if (more != NULL)
		check_sample(more, 0x217, 16);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "registers", test_registers },
		{ "mode", test_mode },
		{ "rflags", test_rflags },
		{ "mxcsr", test_mxcsr },
		{ "x87 words", test_x87_words },
		{ "selectors", test_selectors },
		{ "x87 numbers", test_numbers },
		{ "components", test_components },
		{ "message to xsave and back", test_xsave },
		{ "places of components", test_places },
		{ "arrays of any length", test_lengths_of_arrays },
		{ "AMD's layout", test_amd },
		{ "without xcr0", test_no_xcr0 },
		{ "fsave", test_fsave },
		{ "bytes of fsave", test_fsave_bytes },
		{ "refused", test_refused },
		{ "damaged", test_damaged },
		{ "no memory", test_no_memory },
		{ "samples", test_samples },
	};
	return SUITE_RUN("x86", NULL, NULL, tests);
}
