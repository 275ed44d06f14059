// What images that a kernel wrote itself say of x86 in portable codes, as CRIU's messages have it:
// selectors, segment descriptors, the floating point unit. Knows the processor; knows no format.
#ifndef CRIMG_READERS_KERNEL_X86_H
#define CRIMG_READERS_KERNEL_X86_H

#include "format/schema.h"

#define KERNEL_TLS_SLOTS 3u

enum kernel_segment {
	KERNEL_SEG_NULL,
	KERNEL_SEG_USER32_CS,
	KERNEL_SEG_USER32_DS,
	KERNEL_SEG_USER64_CS,
	KERNEL_SEG_USER64_DS,
	KERNEL_SEG_COUNT
};

// The selectors of a 64-bit kernel, or of a 32-bit one.
uint64_t kernel_selector(enum kernel_segment segment, bool kernel_32);
uint32_t kernel_first_tls(bool kernel_32); // the entry of slot 0
uint64_t kernel_tls_selector(uint32_t slot, bool kernel_32);
uint64_t kernel_ldt_selector(uint32_t entry);

// Of the processor's own eight bytes.
uint32_t kernel_descriptor_base(const uint8_t *d);
// The same as set_thread_area() takes them, in arena; NULL: memory.
UserDescT *kernel_descriptor(const uint8_t *d, uint32_t number, struct crimg_arena *arena);

// The message of an FXSAVE or XSAVE area; without data, or when no CPU makes it (*damage then says why,
// unless it says something already): what a process starts with. NULL with err filled: memory.
UserX86FpregsEntry *kernel_fpregs(const uint8_t *data, size_t length, struct crimg_arena *arena,
				  const char *name, uint64_t offset, struct crimg_err *damage,
				  struct crimg_err *err);

#endif
