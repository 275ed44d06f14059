// Cores of both sets: registers and what else is known of a thread.
#include "format/tasks.h"
#include "readers/criuearly_records.h"
#include "readers/joined_source.h"
#include "readers/kernel_x86.h"

static void put_regs(UserX86RegsEntry *e, const uint8_t *p)
{
	uint64_t *const fields[CRIMG_EARLY_REGS] = {
		&e->r15, &e->r14, &e->r13, &e->r12, &e->bp, &e->bx, &e->r11, &e->r10, &e->r9,
		&e->r8,  &e->ax,  &e->cx,  &e->dx,  &e->si, &e->di, &e->orig_ax, &e->ip, &e->cs,
		&e->flags, &e->sp, &e->ss, &e->fs_base, &e->gs_base, &e->ds, &e->es, &e->fs, &e->gs,
	};
	user_x86_regs_entry__init(e);
	for (size_t i = 0; i < CRIMG_EARLY_REGS; i++)
		*fields[i] = crimg_get_u64(p + 8 * i);
}

static int add_tls(struct early_image *m, ThreadInfoX86 *info, const uint8_t *p, struct crimg_err *err)
{
	info->tls = early_make(m, CRIMG_EARLY_TLS, sizeof *info->tls, err);
	for (uint32_t i = 0; i < CRIMG_EARLY_TLS; i++) {
		UserDescT *d = info->tls == NULL ? NULL
			: kernel_descriptor(p + 8 * i, kernel_first_tls(false) + i, &m->arena);
		if (d == NULL)
			return crimg_fail_nomem(err, sizeof *d);
		if (!crimg_all_zero(p + 8 * i, 8))
			info->tls[info->n_tls++] = d;
	}
	return 0;
}

static UserX86FpregsEntry *fpregs(struct early_image *m, const uint8_t *p, struct crimg_err *err)
{
	return kernel_fpregs(p, CRIMG_EARLY_FPU_BYTES, &m->arena, m->e.joined->name, CRIMG_NO_OFFSET, &m->e.damage, err);
}

static int put_core_2011(struct early_image *m, const uint8_t *p, CoreEntry *e, struct crimg_err *err)
{
	ThreadInfoX86 *info = e->thread_info;
	put_regs(info->gpregs, p + CRIMG_EARLY_CORE_REGS);
	info->fpregs = fpregs(m, p + CRIMG_EARLY_CORE_FPU, err);
	e->tc->task_state = CRIMG_TASK_ALIVE;
	e->tc->personality = crimg_get_u32(p + CRIMG_EARLY_CORE_PERSONALITY);
	return info->fpregs == NULL ? -1 : add_tls(m, info, p + CRIMG_EARLY_CORE_TLS, err);
}

// Of a thread other than the first, what belongs to a process is zero, and of one that has ended, registers.
static int put_core_2012(struct early_image *m, const uint8_t *p, CoreEntry *e, struct crimg_err *err)
{
	ThreadInfoX86 *info = e->thread_info;
	TaskCoreEntry *tc = e->tc;
	put_regs(info->gpregs, p + CRIMG_EARLY_CORE_2012_REGS);
	info->clear_tid_addr = crimg_get_u64(p + CRIMG_EARLY_CORE_2012_CLEAR_TID);
	info->fpregs = fpregs(m, p + CRIMG_EARLY_CORE_2012_FPU, err);
	tc->comm = early_make(m, CRIMG_EARLY_COMM_BYTES + 1, 1, err);
	if (info->fpregs == NULL || tc->comm == NULL)
		return -1;
	memcpy(tc->comm, p + CRIMG_EARLY_CORE_2012_COMM, CRIMG_EARLY_COMM_BYTES);
	tc->comm[CRIMG_EARLY_COMM_BYTES] = 0;
	tc->task_state = p[CRIMG_EARLY_CORE_2012_STATE];
	tc->exit_code = crimg_get_u32(p + CRIMG_EARLY_CORE_2012_EXIT);
	tc->personality = crimg_get_u32(p + CRIMG_EARLY_CORE_2012_PERSONALITY);
	tc->flags = crimg_get_u32(p + CRIMG_EARLY_CORE_2012_FLAGS);
	tc->blk_sigset = crimg_get_u64(p + CRIMG_EARLY_CORE_2012_BLOCKED);
	if (tc->task_state == CRIMG_TASK_DEAD)
		e->thread_info = NULL;
	return 0;
}

int early_put_core(struct early_image *m, size_t object, uint64_t index, struct model_entry *out, struct crimg_err *err)
{
	const struct early_thread *t = &m->e.threads[object];
	CoreEntry e = CORE_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	UserX86RegsEntry regs;
	if (index > 0 || t->core == NULL)
		return 0;
	crimg_arena_reset(&m->arena);
	tc.comm = "";
	info.gpregs = &regs;
	e.mtype = CORE_ENTRY__MARCH__X86_64;
	e.thread_info = &info;
	e.tc = &tc;
	if ((m->e.is_2012 ? put_core_2012 : put_core_2011)(m, t->core, &e, err) < 0)
		return -1;
	return model_encode(&e.base, out, err);
}
