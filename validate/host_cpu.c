// Host: this CPU against the one of the image: the instructions that cpuinfo.img lists, the extended state that
// threads hold.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/names.h"
#include "format/number_set.h"
#include "format/x86_cpuid.h"
#include "validate/host.h"

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

static void check_features(struct crimg_checker *c, const CpuinfoX86Entry *cpu,
			   const struct crimg_x86_cpu *here)
{
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
		unsigned word = features[i].word, bit = features[i].bit;
		if (cpu->capability_ver != 2 || word >= cpu->n_capability
		    || (cpu->capability[word] >> bit & 1) == 0
		    || (here->capability[word] >> bit & 1) != 0)
			continue;
		struct crimg_place at =
			crimg_place_of(c, CRIMG_KIND_CPUINFO, 0, "x86_entry[0].capability[%u]", word);
		CRIMG_FIND(c, HOST_CPU, &at, "%s was there, and this CPU does not have it",
		           features[i].name);
	}
}

static void check_components(struct crimg_checker *c, uint64_t used,
			     const struct crimg_x86_cpu *here, const struct crimg_place *at)
{
	uint64_t missing = used & ~here->components;
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

// "0-1,4" of /sys, as words.
static bool read_online(uint64_t *words, size_t count)
{
	char text[4096], *p = text;
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	bool read = f != NULL && fgets(text, sizeof text, f) != NULL;
	if (f != NULL)
		fclose(f);
	while (read && *p >= '0' && *p <= '9') {
		unsigned long from = strtoul(p, &p, 10), to = *p == '-' ? strtoul(p + 1, &p, 10) : from;
		for (unsigned long i = from; i <= to && i < count * 64; i++)
			words[i / 64] |= UINT64_C(1) << i % 64;
		p += *p == ',';
	}
	return read;
}

// Where threads of an image of ours were bound to.
static void check_bound(struct crimg_checker *c)
{
	uint64_t online[1024] = { 0 };
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_THREAD_EXTRAS);
	const ThreadExtraEntry *e;
	char wanted[256], here[256];
	if (!read_online(online, sizeof online / sizeof online[0]))
		return;
	crimg_number_set_text(online, sizeof online / sizeof online[0], here, sizeof here);
	while ((e = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		bool missing = false;
		for (size_t i = 0; i < e->n_cpus; i++)
			missing |= (e->cpus[i] & ~(i < 1024 ? online[i] : 0)) != 0;
		if (!missing)
			continue;
		struct crimg_place at = crimg_place_message(c, e, "cpus");
		CRIMG_FIND(c, HOST_CPUS, &at, "thread %u is bound to CPUs %s; here are %s", e->tid,
		           crimg_number_set_text(e->cpus, e->n_cpus, wanted, sizeof wanted), here);
	}
}

void crimg_host_cpu(struct crimg_checker *c)
{
	const CpuinfoEntry *info = crimg_image_get(c->image, CRIMG_KIND_CPUINFO, 0, NULL);
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_CORE);
	const CoreEntry *core;
	struct crimg_x86_cpu here;
	check_bound(c);
	if (!crimg_x86_cpu_here(&here))
		return; // images of x86 do not restore on another machine: crimg_host_machine()
			// tells
	if (info != NULL && info->n_x86_entry > 0)
		check_features(c, info->x86_entry[0], &here);
	while ((core = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		if (core->thread_info == NULL || core->thread_info->fpregs->xsave == NULL)
			continue;
		struct crimg_place at =
			crimg_place_message(c, core, "thread_info.fpregs.xsave.xstate_bv");
		check_components(c, components_of(core->thread_info->fpregs->xsave), &here, &at);
	}
}
