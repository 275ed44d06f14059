// Numbers of Linux for what goes beyond CRIU's messages, newer than some of the headers that crimg is built with.
// Sources: include/uapi/linux/{prctl,sched,ioprio,ptrace}.h, arch/x86/include/uapi/asm/prctl.h.
#ifndef CRIMG_PRODUCER_EXTRAS_H
#define CRIMG_PRODUCER_EXTRAS_H

#include <stdint.h>

#define CRIMG_PR_SET_MDWE 65           // Linux 6.3
#define CRIMG_PR_GET_MDWE 66
#define CRIMG_PR_SET_MEMORY_MERGE 67   // Linux 6.4
#define CRIMG_PR_GET_MEMORY_MERGE 68
#define CRIMG_PR_SET_VMA 0x53564d41    // Linux 5.17
#define CRIMG_PR_SET_VMA_ANON_NAME 0
#define CRIMG_ARCH_GET_CPUID 0x1011
#define CRIMG_ARCH_SET_CPUID 0x1012
#define CRIMG_PTRACE_GET_DISPATCH 0x4211 // PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, Linux 6.4

#define CRIMG_IOPRIO_WHO_PROCESS 1
#define CRIMG_IOPRIO_CLASS_SHIFT 13

#define CRIMG_SCHED_DEADLINE 6u
#define CRIMG_SCHED_RESET_ON_FORK 0x40000000u // in a policy
#define CRIMG_SCHED_FLAG_RESET_ON_FORK 1u     // in flags
#define CRIMG_SCHED_FLAGS_KEPT 6u             // reclaim, and overruns told
#define CRIMG_SCHED_FLAGS_UTIL 0x60u

// struct sched_attr, as sched_setattr(2) takes it.
struct crimg_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
	uint32_t util_min, util_max;
};

#endif
