// Host: this CPU against the one of the image: the instructions that cpuinfo.img lists, the extended state that
// threads hold.
#include <inttypes.h>

#include "format/names.h"
#include "validate/host.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

// Where a word of cpuinfo_x86_entry.capability (version 2) comes from. Observed with criu 4.2 on Intel and AMD.
static const struct {
	unsigned word, leaf, subleaf, reg; // reg: 0 eax, 1 ebx, 2 ecx, 3 edx
} words[] = {
	{ 1, 0x80000001, 0, 3 }, { 4, 1, 0, 2 },  { 6, 0x80000001, 0, 2 }, { 9, 7, 0, 1 },
	{ 10, 0xd, 1, 0 },       { 11, 7, 0, 2 }, { 18, 7, 0, 3 },
};

// What a program may have found and chosen its code by.
static const struct {
	unsigned char word, bit;
	const char *name;
} features[] = {
	{ 1, 27, "rdtscp" },     { 4, 0, "sse3" },         { 4, 1, "pclmulqdq" },  { 4, 9, "ssse3" },
	{ 4, 12, "fma" },        { 4, 13, "cx16" },        { 4, 19, "sse4_1" },    { 4, 20, "sse4_2" },
	{ 4, 22, "movbe" },      { 4, 23, "popcnt" },      { 4, 25, "aes" },       { 4, 26, "xsave" },
	{ 4, 28, "avx" },        { 4, 29, "f16c" },        { 4, 30, "rdrand" },    { 6, 0, "lahf" },
	{ 6, 5, "lzcnt" },       { 6, 6, "sse4a" },        { 9, 0, "fsgsbase" },   { 9, 3, "bmi1" },
	{ 9, 5, "avx2" },        { 9, 8, "bmi2" },         { 9, 9, "erms" },       { 9, 16, "avx512f" },
	{ 9, 17, "avx512dq" },   { 9, 18, "rdseed" },      { 9, 19, "adx" },       { 9, 21, "avx512ifma" },
	{ 9, 23, "clflushopt" }, { 9, 24, "clwb" },        { 9, 28, "avx512cd" },  { 9, 29, "sha" },
	{ 9, 30, "avx512bw" },   { 9, 31, "avx512vl" },    { 10, 0, "xsaveopt" },  { 10, 1, "xsavec" },
	{ 11, 1, "avx512vbmi" }, { 11, 6, "avx512vbmi2" }, { 11, 8, "gfni" },      { 11, 9, "vaes" },
	{ 11, 10, "vpclmulqdq" }, { 11, 11, "avx512vnni" }, { 11, 12, "avx512bitalg" },
	{ 11, 14, "avx512vpopcntdq" }, { 11, 22, "rdpid" }, { 18, 4, "fsrm" },
	{ 18, 22, "amx_bf16" },  { 18, 23, "avx512fp16" }, { 18, 24, "amx_tile" }, { 18, 25, "amx_int8" },
};

static uint32_t word_here(unsigned word)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		unsigned r[4];
		if (words[i].word != word)
			continue;
		if (__get_cpuid_count(words[i].leaf, words[i].subleaf, &r[0], &r[1], &r[2], &r[3]) == 0)
			return 0;
		return r[words[i].reg];
	}
	return 0;
}

// The components that the kernel has switched on.
static uint64_t xcr0(void)
{
	uint32_t low, high;
	if ((word_here(4) >> 27 & 1) == 0) // OSXSAVE
		return 3;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static void check_features(struct crimg_checker *c, const CpuinfoX86Entry *cpu)
{
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
		unsigned word = features[i].word, bit = features[i].bit;
		if (cpu->capability_ver != 2 || word >= cpu->n_capability
		    || (cpu->capability[word] >> bit & 1) == 0 || (word_here(word) >> bit & 1) != 0)
			continue;
		struct crimg_place at =
			crimg_place_of(c, CRIMG_KIND_CPUINFO, 0, "x86_entry[0].capability[%u]", word);
		CRIMG_FIND(c, HOST_CPU, &at, "%s was there, and this CPU does not have it",
		           features[i].name);
	}
}

static void check_components(struct crimg_checker *c, uint64_t used, const struct crimg_place *at)
{
	uint64_t missing = used & ~xcr0();
	char text[256];
	if (missing == 0)
		return;
	CRIMG_FIND(c, HOST_XSAVE, at, "%s in use, and this machine does not save it",
	           crimg_flags_text(CRIMG_NAMES_XSTATE, missing, text, sizeof text));
}

// Bits of the components that a thread's message has bytes of.
static uint64_t components_of(const UserX86XsaveEntry *x)
{
	return (x->n_ymmh_space > 0 ? 1u << 2 : 0) | (x->n_bndreg_state > 0 ? 1u << 3 : 0)
		| (x->n_bndcsr_state > 0 ? 1u << 4 : 0) | (x->n_opmask_reg > 0 ? 1u << 5 : 0)
		| (x->n_zmm_upper > 0 ? 1u << 6 : 0) | (x->n_hi16_zmm > 0 ? 1u << 7 : 0)
		| (x->n_pkru > 0 ? 1u << 9 : 0);
}

void crimg_host_cpu(struct crimg_checker *c)
{
	const CpuinfoEntry *info = crimg_image_get(c->image, CRIMG_KIND_CPUINFO, 0, NULL);
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_CORE);
	const CoreEntry *core;
	if (info != NULL && info->n_x86_entry > 0)
		check_features(c, info->x86_entry[0]);
	while ((core = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		if (core->thread_info == NULL || core->thread_info->fpregs->xsave == NULL)
			continue;
		struct crimg_place at =
			crimg_place_message(c, core, "thread_info.fpregs.xsave.xstate_bv");
		check_components(c, components_of(core->thread_info->fpregs->xsave), &at);
	}
}
#else
void crimg_host_cpu(struct crimg_checker *c)
{
	(void)c; // images of x86 do not restore on another machine: crimg_host_machine() tells
}
#endif
