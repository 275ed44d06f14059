// What this processor is, as cpuinfo_x86_entry of CRIU tells it (capability_ver 2). Observed with
// criu 4.2 on Intel and AMD; leaves: Intel SDM vol. 2, CPUID.
#ifndef CRIMG_FORMAT_X86_CPUID_H
#define CRIMG_FORMAT_X86_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRIMG_X86_CAPABILITY_WORDS 19u
#define CRIMG_X86_MODEL_BYTES 49u

struct crimg_x86_cpu {
	char vendor[13], model_name[CRIMG_X86_MODEL_BYTES];
	uint32_t family, model, stepping;
	uint32_t capability[CRIMG_X86_CAPABILITY_WORDS]; // words that are the kernel's own, not
							 // CPUID's: 0
	uint64_t components;                   // of the extended state that the kernel saves (XCR0)
	uint32_t xsave_bytes, xsave_max_bytes; // of those, and of all that it has
};

// False on another machine than x86; *out is zeroed then.
bool crimg_x86_cpu_here(struct crimg_x86_cpu *out);

#endif
