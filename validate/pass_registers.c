// The meaning of a thread's registers: what a kernel would load, and code at the instruction pointer. A
// thread in a system call goes on behind it: there is code, too.
#include <inttypes.h>
#include <stddef.h>

#include "format/x86.h"
#include "validate/meaning.h"
#include "validate/registers.h"

// What a thread of each machine must have.
static const struct {
	CoreEntry__March machine;
	size_t offset; // of the pointer in CoreEntry
	const char *name;
} machines[] = {
	{ CORE_ENTRY__MARCH__X86_64, offsetof(CoreEntry, thread_info), "thread_info" },
	{ CORE_ENTRY__MARCH__ARM, offsetof(CoreEntry, ti_arm), "ti_arm" },
	{ CORE_ENTRY__MARCH__AARCH64, offsetof(CoreEntry, ti_aarch64), "ti_aarch64" },
	{ CORE_ENTRY__MARCH__PPC64, offsetof(CoreEntry, ti_ppc64), "ti_ppc64" },
	{ CORE_ENTRY__MARCH__S390, offsetof(CoreEntry, ti_s390), "ti_s390" },
	{ CORE_ENTRY__MARCH__MIPS, offsetof(CoreEntry, ti_mips), "ti_mips" },
	{ CORE_ENTRY__MARCH__LOONGARCH64, offsetof(CoreEntry, ti_loongarch64), "ti_loongarch64" },
	{ CORE_ENTRY__MARCH__RISCV64, offsetof(CoreEntry, ti_riscv64), "ti_riscv64" },
};

static void lacks(struct crimg_checker *c, const struct crimg_thread *thread, const char *what)
{
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "%s", "");
	CRIMG_FIND(c, NO_REGISTERS, &p, "thread %u has no %s", thread->tid, what);
}

static void check_parts(struct crimg_checker *c, const struct crimg_task *task,
                        const struct crimg_thread *thread)
{
	const CoreEntry *core = thread->core;
	if (thread->tid == task->pid && core->tc == NULL)
		lacks(c, thread, "tc");
	if (core->thread_core == NULL && task->ids != NULL) // ELF cores do not tell
		lacks(c, thread, "thread_core");
	for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
		if (machines[i].machine != core->mtype)
			continue;
		const void *const *info =
			(const void *const *)(const void *)((const char *)core + machines[i].offset);
		if (*info == NULL)
			lacks(c, thread, machines[i].name);
		return;
	}
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "mtype");
	CRIMG_FIND(c, MACHINE, &p, "%d found, 1 to %d wanted", (int)core->mtype,
	           (int)CORE_ENTRY__MARCH__RISCV64);
}

static struct crimg_place reg_place(struct crimg_checker *c, const struct crimg_thread *thread,
                                    const char *name)
{
	return crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "thread_info.gpregs.%s", name);
}

static void check_code(struct crimg_checker *c, const struct crimg_thread *thread,
                       const struct crimg_space *space)
{
	const UserX86RegsEntry *r = thread->core->thread_info->gpregs;
	uint64_t ip = r->ip, limit = crimg_x86_is_32(r) ? CRIMG_USER_END_32 : CRIMG_USER_END;
	if (ip >= limit && crimg_space_find(space, ip) == NULL) {
		struct crimg_place p = reg_place(c, thread, "ip");
		CRIMG_FIND(c, IP_KERNEL, &p, "0x%" PRIx64 " found, below 0x%" PRIx64 " wanted", ip, limit);
	} else if (space->count > 0 && !crimg_space_is_code(space, ip)) {
		struct crimg_place p = reg_place(c, thread, "ip");
		CRIMG_FIND(c, IP_NOT_CODE, &p, "0x%" PRIx64 " is %s", ip,
		           crimg_space_find(space, ip) == NULL ? "not mapped" : "not executable");
	}
}

// An empty stack begins at the end of its area.
static void check_stack(struct crimg_checker *c, const struct crimg_thread *thread,
                        const struct crimg_space *space)
{
	uint64_t sp = thread->core->thread_info->gpregs->sp;
	if (space->count == 0 || crimg_space_find(space, sp) != NULL
	    || (sp > 0 && crimg_space_find(space, sp - 1) != NULL))
		return;
	struct crimg_place p = reg_place(c, thread, "sp");
	CRIMG_FIND(c, STACK_UNMAPPED, &p, "nothing is mapped at 0x%" PRIx64, sp);
}

static void check_bases(struct crimg_checker *c, const struct crimg_thread *thread)
{
	const UserX86RegsEntry *r = thread->core->thread_info->gpregs;
	const struct { const char *name; uint64_t value; } bases[] = {
		{ "fs_base", r->fs_base }, { "gs_base", r->gs_base },
	};
	for (size_t i = 0; i < 2; i++) {
		if (bases[i].value < CRIMG_USER_END)
			continue;
		struct crimg_place p = reg_place(c, thread, bases[i].name);
		CRIMG_FIND(c, SEGMENT_BASE, &p, "0x%" PRIx64 " found, below 0x%" PRIx64 " wanted",
		           bases[i].value, CRIMG_USER_END);
	}
}

// Selectors that Linux has for user code: <asm/segment.h>.
enum {
	USER_DATA = 0x2b, USER_CODE_64 = 0x33,
	TLS_FIRST = 0x63, TLS_LAST = 0x73, CPU_NUMBER = 0x7b,
};

static bool is_data_selector(uint64_t s, bool stack)
{
	bool data = s == USER_DATA || s == TLS_FIRST || s == TLS_FIRST + 8 || s == TLS_LAST;
	return data || (!stack && (s <= 3 || s == CRIMG_USER_CODE_32 || s == USER_CODE_64
	                           || s == CPU_NUMBER));
}

static void check_selectors(struct crimg_checker *c, const struct crimg_thread *thread)
{
	const UserX86RegsEntry *r = thread->core->thread_info->gpregs;
	const struct { const char *name; uint64_t value; } data[] = {
		{ "ss", r->ss }, { "ds", r->ds }, { "es", r->es }, { "fs", r->fs }, { "gs", r->gs },
	};
	if (r->cs != CRIMG_USER_CODE_32 && r->cs != USER_CODE_64) {
		struct crimg_place p = reg_place(c, thread, "cs");
		CRIMG_FIND(c, SELECTOR, &p, "0x%" PRIx64 " found, 0x33 or 0x23 wanted", r->cs);
	} else if (r->has_mode && (r->mode == USER_X86_REGS_MODE__COMPAT) != (r->cs == CRIMG_USER_CODE_32)) {
		struct crimg_place p = reg_place(c, thread, "mode");
		CRIMG_FIND(c, REGISTER_MODE, &p, "mode %d found with cs 0x%" PRIx64, (int)r->mode, r->cs);
	}
	for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
		if (is_data_selector(data[i].value, i == 0))
			continue;
		bool fatal = i == 0 && crimg_x86_is_32(r); // the kernel mends that of 64-bit code
		struct crimg_place p = reg_place(c, thread, data[i].name);
		crimg_findings_add(&c->findings, fatal ? CRIMG_F_SELECTOR : CRIMG_F_TASK_ODD, &p,
		                   "0x%" PRIx64 " found, which Linux gives no user program",
		                   data[i].value);
	}
}

#define RFLAGS_FIXED UINT64_C(2)
// CF PF AF ZF SF TF IF DF OF IOPL NT RF AC ID
#define RFLAGS_USER (UINT64_C(0x257fd5) | RFLAGS_FIXED)

static void check_rflags(struct crimg_checker *c, const struct crimg_thread *thread)
{
	uint64_t flags = thread->core->thread_info->gpregs->flags;
	if ((flags & ~RFLAGS_USER) == 0 && (flags & RFLAGS_FIXED) != 0)
		return;
	struct crimg_place p = reg_place(c, thread, "flags");
	CRIMG_FIND(c, RFLAGS, &p, "0x%" PRIx64 " found, bit 1 and none but 0x%" PRIx64 " wanted", flags,
	           RFLAGS_USER);
}

enum { TLS_SLOT_FIRST = 12, TLS_SLOTS = 3 };

static void check_tls(struct crimg_checker *c, const struct crimg_thread *thread)
{
	const ThreadInfoX86 *info = thread->core->thread_info;
	unsigned seen = 0;
	if (!crimg_x86_is_32(info->gpregs))
		return; // their TLS is fs_base
	for (size_t i = 0; i < info->n_tls; i++) {
		uint32_t slot = info->tls[i]->entry_number - TLS_SLOT_FIRST;
		if (info->tls[i]->seg_not_present && !info->tls[i]->usable)
			continue; // empty
		if (slot < TLS_SLOTS && (seen & 1u << slot) == 0) {
			seen |= 1u << slot;
			continue;
		}
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid,
		                                      "thread_info.tls[%zu].entry_number", i);
		CRIMG_FIND(c, TLS_SLOT, &p, "%u found, 12, 13 and 14 wanted, each once at most",
		           info->tls[i]->entry_number);
	}
}

#define ROBUST_LIST_32 12u
#define ROBUST_LIST_64 24u
#define RSEQ_BYTES 32u

static void check_user_areas(struct crimg_checker *c, const struct crimg_task *task,
                             const struct crimg_thread *thread)
{
	const ThreadCoreEntry *t = thread->core->thread_core;
	const RseqEntry *rseq = t->rseq_entry;
	bool short_list = t->futex_rla_len == ROBUST_LIST_32 && crimg_task_is_32(task);
	if (t->futex_rla_len != 0 && t->futex_rla_len != ROBUST_LIST_64 && !short_list) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid,
		                                      "thread_core.futex_rla_len");
		CRIMG_FIND(c, ROBUST_LIST, &p, "%u found, %u wanted", t->futex_rla_len, ROBUST_LIST_64);
	}
	if (rseq == NULL || rseq->rseq_abi_pointer == 0)
		return;
	if (rseq->rseq_abi_size < RSEQ_BYTES || rseq->rseq_abi_pointer % RSEQ_BYTES != 0
	    || rseq->rseq_abi_pointer >= CRIMG_USER_END) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid,
		                                      "thread_core.rseq_entry");
		CRIMG_FIND(c, RSEQ, &p,
		           "%u bytes at 0x%" PRIx64 " found, %u or more at a multiple of %u below 0x%"
		           PRIx64 " wanted", rseq->rseq_abi_size, rseq->rseq_abi_pointer, RSEQ_BYTES,
		           RSEQ_BYTES, CRIMG_USER_END);
	}
}

static void check_thread(struct crimg_checker *c, const struct crimg_task *task,
                         const struct crimg_thread *thread, const struct crimg_space *space)
{
	check_parts(c, task, thread);
	if (thread->core->thread_core != NULL)
		check_user_areas(c, task, thread);
	if (thread->core->mtype != CORE_ENTRY__MARCH__X86_64 || thread->core->thread_info == NULL)
		return;
	check_code(c, thread, space);
	check_stack(c, thread, space);
	check_bases(c, thread);
	check_selectors(c, thread);
	check_rflags(c, thread);
	check_tls(c, thread);
	crimg_check_fpregs(c, thread);
}

void crimg_pass_registers(struct crimg_checker *c)
{
	crimg_checker_threads(c, true, check_thread);
}
