// Registers: general ones, and the extended state laid out for this CPU, whose order of components may be
// another than that of the CPU the image came from.
#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "format/checked.h"
#include "format/names.h"
#include "format/syscalls.h"
#include "format/x86.h"
#include "producer/restart_parts.h"

#define XSTATE_MAX_BYTES (64u << 10)
#define USER_COMPONENTS 19 // bits of XCR0 that are looked at

static uint64_t own_xcr0(void)
{
	unsigned a, b, c, d;
	if (__get_cpuid_count(0xd, 0, &a, &b, &c, &d) == 0)
		return 3;
	return a | (uint64_t)d << 32;
}

// Where this CPU keeps a component in standard form; 0: nowhere.
static unsigned own_offset(unsigned component, unsigned *size)
{
	unsigned offset, c, d;
	*size = 0;
	if (__get_cpuid_count(0xd, component, size, &offset, &c, &d) == 0 || *size == 0)
		return 0;
	return offset;
}

void crimg_restart_refuse_regs(struct crimg_restart *r, const struct crimg_task *task,
                               const struct crimg_thread *thread)
{
	const UserX86FpregsEntry *fp = thread->core->thread_info->fpregs;
	char text[128];
	uint64_t used = fp != NULL && fp->xsave != NULL ? fp->xsave->xstate_bv : 0;
	uint64_t lacking = used & ~own_xcr0() & ((UINT64_C(1) << USER_COMPONENTS) - 1);
	if (lacking != 0)
		crimg_lines_add(&r->refused,
		                "task %u (%s): thread %u uses registers that this CPU has not (%s): "
		                "restart it on a machine that has them", task->pid, crimg_task_comm(task),
		                thread->tid, crimg_flags_text(CRIMG_NAMES_XSTATE, lacking, text, sizeof text));
}

static int fail(const struct crimg_puppet *p, const char *what, struct crimg_err *err)
{
	char task[80];
	int error = errno;
	snprintf(task, sizeof task, "task %u (%s)", p->shown, p->name);
	return crimg_fail_sys(err, error, task, "%s", what);
}

// The state as XSAVE lays it out here, length bytes; what the message has not is in its initial state.
static void lay_out(const UserX86FpregsEntry *fp, uint8_t *area, size_t length)
{
	uint64_t has = crimg_x86_xcr0(fp) & own_xcr0();
	uint64_t in_use = fp->xsave != NULL ? fp->xsave->xstate_bv & has : has & 3;
	memset(area, 0, length);
	crimg_x86_fxsave(fp, area);
	memset(area + CRIMG_XSAVE_XCR0, 0, 8); // software's own: the kernel fills it
	for (unsigned i = CRIMG_XSAVE_YMM; i < USER_COMPONENTS; i++) {
		unsigned size, offset = own_offset(i, &size);
		if ((in_use >> i & 1) != 0 && offset != 0 && crimg_in_range(offset, size, length))
			crimg_x86_component(fp, i, area + offset, size);
	}
	crimg_put_u64(area + CRIMG_FXSAVE_BYTES, in_use);
}

static int set_extended(const struct crimg_puppet *p, const UserX86FpregsEntry *fp,
                        struct crimg_err *err)
{
	static uint8_t area[XSTATE_MAX_BYTES];
	struct iovec io = { area, sizeof area };
	void *set = (void *)(uintptr_t)NT_X86_XSTATE;
	if (fp == NULL)
		return 0;
	if (ptrace(PTRACE_GETREGSET, p->tid, set, &io) < 0)
		return fail(p, "reading its extended registers", err);
	// A reserved bit of MXCSR would be refused; the mask of this CPU says which are.
	uint32_t mxcsr_mask = crimg_get_u32(area + 28);
	lay_out(fp, area, io.iov_len);
	uint32_t mxcsr = crimg_get_u32(area + 24);
	crimg_put_u32(area + 24, mxcsr & (mxcsr_mask != 0 ? mxcsr_mask : 0xffbf));
	if (ptrace(PTRACE_SETREGSET, p->tid, set, &io) < 0)
		return fail(p, "setting its extended registers", err);
	return 0;
}

// Segments of its own in the GDT, which old C libraries kept their thread's data by.
static int set_segments(const struct crimg_puppet *p, const ThreadInfoX86 *info, struct crimg_err *err)
{
	for (size_t i = 0; i < info->n_tls; i++) {
		const UserDescT *t = info->tls[i];
		// As the kernel's struct user_desc: its bits are in the last word.
		uint32_t words[4] = { t->entry_number, t->base_addr, t->limit };
		const bool bits[] = { t->seg_32bit, t->contents_l, t->contents_h, t->read_exec_only,
			              t->limit_in_pages, t->seg_not_present, t->usable };
		for (size_t k = 0; k < sizeof bits; k++)
			words[3] |= (uint32_t)bits[k] << k;
		if ((t->base_addr != 0 || t->limit != 0)
		    && ptrace(PTRACE_SET_THREAD_AREA, p->tid, (uintptr_t)words[0], words) < 0)
			return fail(p, "setting a segment of its own", err);
	}
	return 0;
}

// Where a segment begins: one of its own in the GDT says so itself.
static uint64_t base_of(const ThreadInfoX86 *info, uint64_t selector, uint64_t base)
{
	for (size_t i = 0; i < info->n_tls; i++)
		if ((selector & 4) == 0 && selector >> 3 == info->tls[i]->entry_number)
			return info->tls[i]->base_addr;
	return base;
}

// A system call that the kernel would have repeated is made again; one with a time of its own, whose rest
// only that kernel knew, ends with EINTR.
static void resolve_call(struct user_regs_struct *u, bool is_32)
{
	int64_t number = is_32 ? (int32_t)u->orig_rax : (int64_t)u->orig_rax;
	int64_t result = is_32 ? (int32_t)u->rax : (int64_t)u->rax;
	if (number < 0) {
		u->orig_rax = UINT64_MAX;
		return;
	}
	if (result == -516)
		u->rax = (uint64_t)-EINTR;
	else if (crimg_syscall_is_restart(result)) {
		u->rax = u->orig_rax;
		u->rip -= 2;
	}
	u->orig_rax = UINT64_MAX;
}

// The kernel goes on with the call that the image would begin anew.
static void resume_call(struct user_regs_struct *u)
{
	u->rax = (uint64_t)-516;
	u->rip += 2;
}

int crimg_restart_regs(const struct crimg_puppet *p, const CoreEntry *core, struct crimg_err *err)
{
	const UserX86RegsEntry *g = core->thread_info->gpregs;
	struct user_regs_struct u = {
		.r15 = g->r15, .r14 = g->r14, .r13 = g->r13, .r12 = g->r12, .rbp = g->bp, .rbx = g->bx,
		.r11 = g->r11, .r10 = g->r10, .r9 = g->r9, .r8 = g->r8, .rax = g->ax, .rcx = g->cx,
		.rdx = g->dx, .rsi = g->si, .rdi = g->di, .orig_rax = g->orig_ax, .rip = g->ip,
		.cs = g->cs, .eflags = g->flags, .rsp = g->sp, .ss = g->ss, .fs_base = g->fs_base,
		.gs_base = g->gs_base, .ds = g->ds, .es = g->es, .fs = g->fs, .gs = g->gs,
	};
	if (p->resumes != 0)
		resume_call(&u);
	else
		resolve_call(&u, crimg_x86_is_32(g));
	u.fs_base = base_of(core->thread_info, g->fs, u.fs_base);
	u.gs_base = base_of(core->thread_info, g->gs, u.gs_base);
	if (set_segments(p, core->thread_info, err) < 0
	    || set_extended(p, core->thread_info->fpregs, err) < 0)
		return -1;
	if (ptrace(PTRACE_SETREGS, p->tid, NULL, &u) < 0)
		return fail(p, "setting its registers", err);
	return 0;
}
