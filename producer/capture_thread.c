// What a thread is: registers, and what the kernel keeps for it.
#include <asm/ldt.h>
#include <elf.h>
#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/names.h"
#include "format/x86.h"
#include "producer/capture.h"
#include "producer/compat_call.h"
#include "producer/proc.h"

#define XSTATE_MAX_BYTES 16384u
#define FIRST_TLS_ENTRY 12u // of the global descriptor table
#define TLS_ENTRIES 3u

// What a 32-bit task has of them, as CRIU has it.
static struct user_regs_struct compat_regs(const struct user_regs_struct *r)
{
	return (struct user_regs_struct){
		.rax = (uint32_t)r->rax, .rbx = (uint32_t)r->rbx, .rcx = (uint32_t)r->rcx,
		.rdx = (uint32_t)r->rdx, .rsi = (uint32_t)r->rsi, .rdi = (uint32_t)r->rdi,
		.rbp = (uint32_t)r->rbp, .rsp = (uint32_t)r->rsp, .rip = (uint32_t)r->rip,
		.orig_rax = (uint32_t)r->orig_rax, .eflags = r->eflags, .cs = r->cs, .ss = r->ss,
		.ds = r->ds, .es = r->es, .fs = r->fs, .gs = r->gs,
	};
}

// In the order of user_regs_struct, as crimg_x86_regs64 is.
static void put_regs(UserX86RegsEntry *e, const struct user_regs_struct *regs)
{
	unsigned long long words[CRIMG_X86_REGS64];
	_Static_assert(sizeof words == sizeof *regs, "user_regs_struct");
	memcpy(words, regs, sizeof words);
	for (size_t i = 0; i < CRIMG_X86_REGS64; i++)
		crimg_x86_set_reg(e, &crimg_x86_regs64[i], words[i]);
}

// What CRIU's message has a place for; of the rest, only tiles (AMX) are ever in use.
static int refuse_components(pid_t tid, const uint8_t *xstate, size_t length, struct crimg_err *err)
{
	const uint64_t known = (UINT64_C(1) << (CRIMG_XSAVE_PKRU + 1)) - 1;
	uint64_t used = length >= CRIMG_FXSAVE_BYTES + CRIMG_XSAVE_HEADER_BYTES
				? crimg_get_u64(xstate + CRIMG_FXSAVE_BYTES) & ~known : 0;
	char text[256];
	if (used == 0)
		return 0;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "task %d has registers in use that no image holds: %s", (int)tid,
			  crimg_flags_text(CRIMG_NAMES_XSTATE, used, text, sizeof text));
}

static int read_fpregs(struct crimg_capture *c, pid_t tid, ThreadInfoX86 *info, struct crimg_err *err)
{
	struct iovec v = {crimg_capture_alloc(c, XSTATE_MAX_BYTES, err), XSTATE_MAX_BYTES};
	UserX86CetEntry *cet = crimg_capture_alloc(c, sizeof *cet, err);
	if (v.iov_base == NULL || cet == NULL)
		return -1;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &v) < 0)
		return crimg_fail_sys(err, errno, NULL, "task %d: vector registers cannot be read",
				      (int)tid);
	if (refuse_components(tid, v.iov_base, v.iov_len, err) < 0)
		return -1;
	info->fpregs = crimg_x86_fpregs(v.iov_base, v.iov_len, &c->arena, "NT_X86_XSTATE", 0, err);
	if (info->fpregs == NULL)
		return -1;
	if (info->fpregs->xsave != NULL) {
		user_x86_cet_entry__init(cet);
		info->fpregs->xsave->cet = cet;
	}
	return 0;
}

static void put_tls(UserDescT *e, const struct user_desc *d)
{
	e->entry_number = d->entry_number;
	e->base_addr = d->base_addr;
	e->limit = d->limit;
	e->seg_32bit = d->seg_32bit;
	e->contents_h = (d->contents & 2) != 0;
	e->contents_l = (d->contents & 1) != 0;
	e->read_exec_only = d->read_exec_only;
	e->limit_in_pages = d->limit_in_pages;
	e->seg_not_present = d->seg_not_present;
	e->usable = d->useable;
}

static int read_tls(struct crimg_capture *c, pid_t tid, ThreadInfoX86 *info, struct crimg_err *err)
{
	UserDescT *entries = crimg_capture_alloc(c, TLS_ENTRIES * sizeof *entries, err);
	info->tls = crimg_capture_alloc(c, TLS_ENTRIES * sizeof(void *), err);
	if (entries == NULL || info->tls == NULL)
		return -1;
	for (unsigned i = 0; i < TLS_ENTRIES; i++) {
		struct user_desc d;
		if (ptrace((enum __ptrace_request)PTRACE_GET_THREAD_AREA, tid,
			   (void *)(uintptr_t)(FIRST_TLS_ENTRY + i), &d) < 0)
			return crimg_fail_sys(err, errno, NULL, "task %d: segments cannot be read",
					      (int)tid);
		user_desc_t__init(&entries[i]);
		put_tls(&entries[i], &d);
		info->tls[info->n_tls++] = &entries[i];
	}
	return 0;
}

// A system call that was to be restarted is begun anew: ip stands in front of it again.
static int read_registers(struct crimg_capture *c, struct crimg_remote *r, CoreEntry *core,
			  struct crimg_err *err)
{
	ThreadInfoX86 *info = crimg_capture_alloc(c, sizeof *info, err);
	UserX86RegsEntry *gp = crimg_capture_alloc(c, sizeof *gp, err);
	struct user_regs_struct regs = crimg_remote_healed(r);
	if (info == NULL || gp == NULL)
		return -1;
	thread_info_x86__init(info);
	user_x86_regs_entry__init(gp);
	regs.orig_rax = (unsigned long long)r->call;
	if (c->compat != (regs.cs == CRIMG_USER_CODE_32))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "task %d runs %d-bit code in a %d-bit program", (int)r->tid,
				  c->compat ? 64 : 32, c->compat ? 32 : 64);
	if (c->compat)
		regs = compat_regs(&regs);
	put_regs(gp, &regs);
	gp->has_mode = true;
	gp->mode = c->compat ? USER_X86_REGS_MODE__COMPAT : USER_X86_REGS_MODE__NATIVE;
	info->gpregs = gp;
	if (read_fpregs(c, r->tid, info, err) < 0 || read_tls(c, r->tid, info, err) < 0)
		return -1;
	if (crimg_capture_call(r, "prctl", SYS_prctl, PR_GET_TID_ADDRESS, r->data, 0, 0, NULL, err) < 0
	    || crimg_proc_get(r->tid, r->data, &info->clear_tid_addr, 8, err) < 0)
		return -1;
	core->thread_info = info;
	return 0;
}

static int read_scheduling(pid_t tid, ThreadCoreEntry *e, struct crimg_err *err)
{
	struct sched_param p = {0};
	int policy = sched_getscheduler(tid);
	errno = 0;
	int nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (policy < 0 || sched_getparam(tid, &p) < 0 || (nice == -1 && errno != 0))
		return crimg_fail_sys(err, errno, NULL, "task %d: its scheduling cannot be read",
				      (int)tid);
	e->has_sched_policy = e->has_sched_nice = true;
	e->sched_policy = (uint32_t)policy;
	e->sched_nice = nice;
	e->has_sched_prio = p.sched_priority != 0;
	e->sched_prio = (uint32_t)p.sched_priority;
	return 0;
}

static int read_altstack(struct crimg_capture *c, struct crimg_remote *r, ThreadCoreEntry *e,
			 struct crimg_err *err)
{
	stack_t s;
	ThreadSasEntry *sas = crimg_capture_alloc(c, sizeof *sas, err);
	if (sas == NULL
	    || crimg_capture_call(r, "sigaltstack", SYS_sigaltstack, 0, r->data, 0, 0, NULL, err) < 0
	    || crimg_proc_get(r->tid, r->data, &s, sizeof s, err) < 0)
		return -1;
	thread_sas_entry__init(sas);
	sas->ss_sp = (uint64_t)(uintptr_t)s.ss_sp;
	sas->ss_size = s.ss_size;
	// Whether it is in use is told by the stack pointer, not by us, who may have moved that.
	sas->ss_flags = (uint32_t)s.ss_flags & ~(uint32_t)SS_ONSTACK;
	e->sas = sas;
	return 0;
}

static int read_death_signal(struct crimg_remote *r, ThreadCoreEntry *e, struct crimg_err *err)
{
	int signal;
	if (crimg_capture_call(r, "prctl", SYS_prctl, PR_GET_PDEATHSIG, r->data, 0, 0, NULL, err) < 0
	    || crimg_proc_get(r->tid, r->data, &signal, sizeof signal, err) < 0)
		return -1;
	e->has_pdeath_sig = signal != 0;
	e->pdeath_sig = (uint32_t)signal;
	return 0;
}

static int read_robust_list(const struct crimg_capture *c, pid_t tid, ThreadCoreEntry *e,
			    struct crimg_err *err)
{
	uint64_t head = 0;
	size_t length = 0;
	uint32_t head32, length32;
	if (c->compat && crimg_compat_robust_list(tid, &head32, &length32, err) < 0)
		return -1;
	if (!c->compat && syscall(SYS_get_robust_list, tid, &head, &length) < 0)
		return crimg_fail_sys(err, errno, NULL, "task %d: its robust list cannot be read",
				      (int)tid);
	e->futex_rla = c->compat ? head32 : head;
	e->futex_rla_len = c->compat ? length32 : (uint32_t)length; // CRIU tells it also where there is none
	return 0;
}

// What the C library told the kernel of: the robust list, and the area of restartable sequences.
static int read_library_areas(struct crimg_capture *c, pid_t tid, ThreadCoreEntry *e,
			      struct crimg_err *err)
{
	struct __ptrace_rseq_configuration q = {0};
	if (read_robust_list(c, tid, e, err) < 0)
		return -1;
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof q, &q) < 0
	    || q.rseq_abi_pointer == 0)
		return 0;
	e->rseq_entry = crimg_capture_alloc(c, sizeof *e->rseq_entry, err);
	if (e->rseq_entry == NULL)
		return -1;
	rseq_entry__init(e->rseq_entry);
	e->rseq_entry->rseq_abi_pointer = q.rseq_abi_pointer;
	e->rseq_entry->rseq_abi_size = q.rseq_abi_size;
	e->rseq_entry->signature = q.signature;
	return 0;
}

static int read_name(struct crimg_capture *c, pid_t pid, pid_t tid, char **out, struct crimg_err *err)
{
	char name[64];
	snprintf(name, sizeof name, "task/%d/comm", (int)tid);
	const char *text = crimg_capture_text(c, pid, name, err);
	if (text == NULL)
		return -1;
	size_t length = strlen(text);
	*out = crimg_arena_text(&c->arena, text, length > 0 && text[length - 1] == '\n' ? length - 1
										      : length);
	return *out == NULL ? crimg_fail_nomem(err, length) : 0;
}

int crimg_capture_thread(struct crimg_capture *c, struct crimg_remote *r, CoreEntry *core, pid_t pid,
			 struct crimg_err *err)
{
	ThreadCoreEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL)
		return -1;
	thread_core_entry__init(e);
	if (read_registers(c, r, core, err) < 0 || read_scheduling(r->tid, e, err) < 0
	    || read_altstack(c, r, e, err) < 0 || read_death_signal(r, e, err) < 0
	    || read_library_areas(c, r->tid, e, err) < 0
	    || crimg_capture_queue(c, r->tid, false, &e->signals_p, err) < 0
	    || crimg_capture_creds(c, r, pid, e, err) < 0
	    || read_name(c, pid, r->tid, &e->comm, err) < 0)
		return -1;
	if (r->tid != pid) {
		e->has_blk_sigset = true;
		e->blk_sigset = r->mask;
	}
	e->has_cg_set = true;
	core->thread_core = e;
	return crimg_capture_cgroup(c, pid, r->tid, &e->cg_set, err);
}
