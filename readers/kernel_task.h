// What images that a kernel of 2.6 wrote itself say of memory and timers in that kernel's numbers, as
// CRIU's messages have it. Knows the kernel; knows no format.
#ifndef CRIMG_READERS_KERNEL_TASK_H
#define CRIMG_READERS_KERNEL_TASK_H

#include "format/layout_kernel.h"
#include "format/schema.h"
#include "format/vma_flags.h"

// Protection, the mmap() flags that stand for VM_ flags, and advice. Adds to what is there.
void kernel_vm_flags(VmaEntry *e, uint64_t vm_flags);
// CRIMG_VMA_HEAP or _STACK, of areas that hold the program break or the stack, as the kernel finds them for
// /proc; else 0.
uint32_t kernel_area_place(const MmEntry *mm, uint64_t start, uint64_t end);

// An interval timer of nanoseconds.
void kernel_itimer(ItimerEntry *e, uint64_t value_ns, uint64_t interval_ns);

#define KERNEL_SIGINFO_BYTES 128u // as CRIU keeps it

// A siginfo in words; which of them count follows from signal and code.
struct kernel_siginfo {
	uint32_t signo, error, code; // a positive code may have its class in the upper half
	uint32_t pid, uid, status;   // pid and uid: of a timer its number and overrun
	uint64_t value, address;
	uint64_t utime, stime;
	uint64_t band;
	uint32_t fd;
};
// The kernel's own 128 bytes, of a 64-bit machine; `to` is all zero.
void kernel_siginfo(uint8_t *to, const struct kernel_siginfo *s);

#endif
