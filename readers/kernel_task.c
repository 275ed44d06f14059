// Numbers of the kernel that become those of user space.
#include "readers/kernel_task.h"

#include "format/checked.h"

#define NS_PER_US 1000u
#define US_PER_S 1000000u

static const struct {
	uint32_t vm, user;
} map_flags[] = {
	{KERNEL_VM_GROWSDOWN, CRIMG_MAP_GROWSDOWN},
	{KERNEL_VM_LOCKED, CRIMG_MAP_LOCKED},
	{KERNEL_VM_NORESERVE, CRIMG_MAP_NORESERVE},
	{KERNEL_VM_HUGETLB, CRIMG_MAP_HUGETLB},
};

static const struct {
	uint32_t vm, advice;
} advices[] = {
	{KERNEL_VM_RAND_READ, 1},
	{KERNEL_VM_SEQ_READ, 2},
	{KERNEL_VM_DONTCOPY, 10},
	{KERNEL_VM_MERGEABLE, 12},
};

void kernel_vm_flags(VmaEntry *e, uint64_t vm_flags)
{
	e->prot = (uint32_t)(vm_flags & KERNEL_VM_PROT);
	e->flags |= (vm_flags & (KERNEL_VM_SHARED | KERNEL_VM_MAYSHARE)) != 0 ? CRIMG_MAP_SHARED : CRIMG_MAP_PRIVATE;
	for (size_t i = 0; i < sizeof map_flags / sizeof map_flags[0]; i++)
		if ((vm_flags & map_flags[i].vm) != 0)
			e->flags |= map_flags[i].user;
	for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
		if ((vm_flags & advices[i].vm) != 0)
			e->madv |= 1ull << advices[i].advice;
	e->has_madv = e->madv != 0;
}

uint32_t kernel_area_place(const MmEntry *mm, uint64_t start, uint64_t end)
{
	if (start <= mm->mm_start_brk && end >= mm->mm_brk)
		return CRIMG_VMA_HEAP;
	if (start <= mm->mm_start_stack && end >= mm->mm_start_stack)
		return CRIMG_VMA_STACK;
	return 0;
}

void kernel_itimer(ItimerEntry *e, uint64_t value_ns, uint64_t interval_ns)
{
	// Rounded up: 0 would be a timer that does not run.
	uint64_t value = value_ns / NS_PER_US + (value_ns % NS_PER_US != 0);
	uint64_t interval = interval_ns / NS_PER_US + (interval_ns % NS_PER_US != 0);
	itimer_entry__init(e);
	e->isec = interval / US_PER_S;
	e->iusec = interval % US_PER_S;
	e->vsec = value / US_PER_S;
	e->vusec = value % US_PER_S;
}

void kernel_siginfo(uint8_t *to, const struct kernel_siginfo *s)
{
	enum { CHILD = 17, POLL = 29 };
	bool sent = (int32_t)s->code <= 0, fault = s->signo == 4 || s->signo == 5 || s->signo == 7
						  || s->signo == 8 || s->signo == 11;
	crimg_put_u32(to, s->signo);
	crimg_put_u32(to + 4, s->error);
	crimg_put_u32(to + 8, sent ? s->code : s->code & 0xffff);
	if (!sent && s->signo == POLL) {
		crimg_put_u64(to + 16, s->band);
		crimg_put_u32(to + 24, s->fd);
		return;
	}
	if (!sent && fault) {
		crimg_put_u64(to + 16, s->address);
		return;
	}
	crimg_put_u32(to + 16, s->pid);
	crimg_put_u32(to + 20, s->uid);
	if (!sent && s->signo == CHILD) {
		crimg_put_u32(to + 24, s->status);
		crimg_put_u64(to + 32, s->utime);
		crimg_put_u64(to + 40, s->stime);
	} else {
		crimg_put_u64(to + 24, s->value);
	}
}
