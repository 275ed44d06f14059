// CPUID of the processor that crimg runs on.
#include "format/x86_cpuid.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define OSXSAVE 27 // bit of capability[4]

static const struct {
	unsigned word, leaf, subleaf, reg; // reg: 0 eax, 1 ebx, 2 ecx, 3 edx
} words[] = {
	{0, 1, 0, 3},  {1, 0x80000001, 0, 3},  {4, 1, 0, 2},  {6, 0x80000001, 0, 2},
	{9, 7, 0, 1},  {10, 0xd, 1, 0},        {11, 7, 0, 2}, {13, 0x80000008, 0, 1},
	{14, 6, 0, 0}, {15, 0x8000000a, 0, 3}, {18, 7, 0, 3},
};

static uint32_t cpuid(unsigned leaf, unsigned subleaf, unsigned reg)
{
	unsigned r[4] = {0};
	return __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) != 0 ? r[reg] : 0;
}

static void read_names(struct crimg_x86_cpu *out)
{
	static const unsigned order[] = {1, 3, 2};
	for (unsigned i = 0; i < 3; i++) {
		uint32_t part = cpuid(0, 0, order[i]);
		memcpy(out->vendor + 4 * i, &part, sizeof part);
	}
	for (unsigned i = 0; i < 12; i++) {
		uint32_t part = cpuid(0x80000002 + i / 4, 0, i % 4);
		memcpy(out->model_name + 4 * i, &part, sizeof part);
	}
}

static void read_signature(struct crimg_x86_cpu *out)
{
	uint32_t eax = cpuid(1, 0, 0);
	out->family = eax >> 8 & 0xf;
	out->model = eax >> 4 & 0xf;
	out->stepping = eax & 0xf;
	if (out->family == 0xf)
		out->family += eax >> 20 & 0xff;
	if (out->family >= 6)
		out->model += (eax >> 16 & 0xf) << 4;
}

// The components that the kernel has switched on.
static uint64_t xcr0(const struct crimg_x86_cpu *cpu)
{
	uint32_t low, high;
	if ((cpu->capability[4] >> OSXSAVE & 1) == 0)
		return 3;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

bool crimg_x86_cpu_here(struct crimg_x86_cpu *out)
{
	*out = (struct crimg_x86_cpu){.family = 0};
	read_names(out);
	read_signature(out);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		out->capability[words[i].word] =
			cpuid(words[i].leaf, words[i].subleaf, words[i].reg);
	out->components = xcr0(out);
	out->xsave_bytes = cpuid(0xd, 0, 1);
	out->xsave_max_bytes = cpuid(0xd, 0, 2);
	return true;
}
#else
bool crimg_x86_cpu_here(struct crimg_x86_cpu *out)
{
	*out = (struct crimg_x86_cpu){.family = 0};
	return false;
}
#endif
