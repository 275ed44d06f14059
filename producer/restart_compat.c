// What 32-bit tasks want otherwise. Their puppets are 64-bit tasks as all are; they make those
// calls of the 32-bit kind whose structures the kernel remembers, and have the vDSO of their width.
// Code, and the segments that make it 32-bit code, come with the registers.
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/x86.h"
#include "producer/restart_memory.h"

#define NR32_GETPID 20
#define NR32_SIGACTION 174   // rt_sigaction
#define NR32_ROBUST_LIST 311 // set_robust_list

bool crimg_restart_is_32(const struct crimg_task *t)
{
	const CoreEntry *core = t->thread_count > 0 ? t->threads[0].core : NULL;
	return core != NULL && core->thread_info != NULL && core->thread_info->gpregs != NULL
	       && crimg_x86_is_32(core->thread_info->gpregs);
}

// Whether this kernel takes 32-bit calls: who makes one elsewhere is killed.
bool crimg_restart_can_32(void)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		long result = NR32_GETPID;
		signal(SIGSEGV, SIG_DFL);
		__asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
		_exit(result == getpid() ? 0 : 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

struct crimg_call crimg_restart_action_32(struct crimg_puppet *p, unsigned signal, const SaEntry *e)
{
	uint32_t action[5] = { (uint32_t)e->sigaction, (uint32_t)e->flags, (uint32_t)e->restorer,
			       (uint32_t)e->mask, (uint32_t)(e->mask >> 32) };
	return (struct crimg_call){
		.what = "what a signal does",
		.number = NR32_SIGACTION,
		.is_32 = true,
		.args = { signal, crimg_puppet_lend(p, action, sizeof action), 0, 8 },
	};
}

struct crimg_call crimg_restart_robust_32(uint64_t list, uint64_t length)
{
	return (struct crimg_call){ .what = "its robust futexes",
				    .number = NR32_ROBUST_LIST,
				    .is_32 = true,
				    .args = { list, length } };
}

int crimg_restart_map_vdso(const struct crimg_restart *r, struct crimg_actor *a, uint64_t at,
			   bool is_32, struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	// A task has one only: also that which waits for a place that it never got is one too many.
	if (CRIMG_DO(p, err, "unmapping another vDSO", NULL, SYS_munmap, r->stage.park,
		     CRIMG_STAGE_PARK_BYTES)
		    < 0
	    || CRIMG_DO(p, err, "mapping the vDSO", NULL, SYS_arch_prctl,
			is_32 ? ARCH_MAP_VDSO_32 : ARCH_MAP_VDSO_64, at)
		       < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}
