// x87, SSE and what XSAVE keeps: sizes as the CPU has them, a header that names what is there.
#include <inttypes.h>
#include <stddef.h>

#include "format/x86.h"
#include "validate/registers.h"

static struct crimg_place fp_place(struct crimg_checker *c, const struct crimg_thread *thread,
                                   const char *name)
{
	return crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "thread_info.fpregs.%s", name);
}

static void check_size(struct crimg_checker *c, const struct crimg_thread *thread, const char *name,
                       size_t found, size_t wanted)
{
	if (found == wanted)
		return;
	struct crimg_place p = fp_place(c, thread, name);
	if (found < wanted)
		CRIMG_FIND(c, REGISTERS_SHORT, &p, "%zu words found, %zu wanted", found, wanted);
	else
		CRIMG_FIND(c, TASK_ODD, &p, "%zu words found, %zu wanted: the rest says nothing", found,
		           wanted);
}

// Each array is absent or whole. count: offset of its size in UserX86XsaveEntry.
static const struct {
	unsigned component;
	size_t count, words;
	const char *name;
} arrays[] = {
#define ARRAY(component, field, words)                                                              \
	{ component, offsetof(UserX86XsaveEntry, n_##field), words, "xsave." #field }
	ARRAY(CRIMG_XSAVE_YMM, ymmh_space, 64),
	ARRAY(CRIMG_XSAVE_BNDREGS, bndreg_state, 8),
	ARRAY(CRIMG_XSAVE_BNDCSR, bndcsr_state, 8),
	ARRAY(CRIMG_XSAVE_OPMASK, opmask_reg, 8),
	ARRAY(CRIMG_XSAVE_ZMM_HI, zmm_upper, 64),
	ARRAY(CRIMG_XSAVE_HI16_ZMM, hi16_zmm, 128),
	ARRAY(CRIMG_XSAVE_PKRU, pkru, 2),
};

static void check_xsave(struct crimg_checker *c, const struct crimg_thread *thread,
                        const UserX86XsaveEntry *x)
{
	uint64_t foreign = x->xstate_bv & ~(UINT64_C(1) << CRIMG_XSAVE_X87 | UINT64_C(1) << CRIMG_XSAVE_SSE);
	for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
		size_t n = *(const size_t *)(const void *)((const char *)x + arrays[i].count);
		uint64_t bit = UINT64_C(1) << arrays[i].component;
		foreign &= ~bit;
		if (n > 0)
			check_size(c, thread, arrays[i].name, n, arrays[i].words);
		else if ((x->xstate_bv & bit) != 0) {
			struct crimg_place p = fp_place(c, thread, "xsave.xstate_bv");
			CRIMG_FIND(c, XSAVE_LACKS, &p, "0x%" PRIx64 " found: %s is not there", x->xstate_bv,
			           arrays[i].name);
		}
	}
	if (foreign == 0)
		return;
	struct crimg_place p = fp_place(c, thread, "xsave.xstate_bv");
	CRIMG_FIND(c, XSAVE_FOREIGN, &p, "0x%" PRIx64 " found: the image has no registers for 0x%" PRIx64,
	           x->xstate_bv, foreign);
}

static void check_words(struct crimg_checker *c, const struct crimg_thread *thread,
                        const UserX86FpregsEntry *fp)
{
	const struct { const char *name; uint32_t value, max; } words[] = {
		{ "cwd", fp->cwd, UINT16_MAX }, { "swd", fp->swd, UINT16_MAX },
		{ "twd", fp->twd, UINT8_MAX },  { "fop", fp->fop, UINT16_MAX },
	};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (words[i].value <= words[i].max)
			continue;
		struct crimg_place p = fp_place(c, thread, words[i].name);
		CRIMG_FIND(c, TASK_ODD, &p, "0x%x found, at most 0x%x wanted", words[i].value, words[i].max);
	}
}

#define MXCSR_MASK_DEFAULT 0xffbfu // of CPUs that tell none

void crimg_check_fpregs(struct crimg_checker *c, const struct crimg_thread *thread)
{
	const UserX86FpregsEntry *fp = thread->core->thread_info->fpregs;
	uint32_t mask = fp->mxcsr_mask != 0 ? fp->mxcsr_mask : MXCSR_MASK_DEFAULT;
	if ((fp->mxcsr & ~mask) != 0) {
		struct crimg_place p = fp_place(c, thread, "mxcsr");
		CRIMG_FIND(c, MXCSR, &p, "0x%x found, none but the bits of 0x%x wanted", fp->mxcsr, mask);
	}
	check_size(c, thread, "st_space", fp->n_st_space, 32);
	check_size(c, thread, "xmm_space", fp->n_xmm_space, 64);
	check_words(c, thread, fp);
	if (fp->xsave != NULL)
		check_xsave(c, thread, fp->xsave);
}
