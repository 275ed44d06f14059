// Notes that tell of one thread: PRSTATUS, and its floating point and other state. What a kept note
// says beyond records stays: times, an XSAVE component that CRIU's messages do not know.
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/x86.h"
#include "writers/elfcore_notes.h"

static const ThreadInfoX86 *info_of(const struct elfcore_note *n)
{
	return n->thread->core != NULL ? n->thread->core->thread_info : NULL;
}

static const UserX86FpregsEntry *fpregs_of(const struct elfcore_note *n)
{
	const ThreadInfoX86 *info = info_of(n);
	return info != NULL ? info->fpregs : NULL;
}

static void put_word(const struct elfcore_note *n, uint8_t *at, uint64_t value)
{
	if (n->process->is32)
		crimg_put_u32(at, (uint32_t)value);
	else
		crimg_put_u64(at, value);
}

static uint64_t signal_set(const struct crimg_list *signals)
{
	uint64_t set = 0;
	for (size_t i = 0; i < signals->count; i++) {
		const SiginfoEntry *s = signals->items[i];
		uint32_t number = s->siginfo.len >= 4 ? crimg_get_u32(s->siginfo.data) : 0;
		if (number >= 1 && number <= 64)
			set |= UINT64_C(1) << (number - 1);
	}
	return set;
}

// Signals that wait for the thread; for the first one also those that wait for the process, which
// have no other place in a core. A kept set stays when records name none.
static int put_pending(const struct elfcore_note *n, uint8_t *at, struct crimg_err *err)
{
	const struct elfcore_process *p = n->process;
	struct crimg_list own, shared = { NULL, 0 };
	if (crimg_thread_signals(p->image, n->thread, &own, err) < 0)
		return -1;
	if (n->thread == &p->task->threads[0]
	    && crimg_task_list(p->image, p->task, CRIMG_PART_SIGNALS, &shared, err) < 0)
		return -1;
	uint64_t set = signal_set(&own) | signal_set(&shared);
	if (n->kept == NULL || set != 0)
		put_word(n, at + CRIMG_PRSTATUS_SIGPEND, set);
	return 0;
}

static void put_ids(const struct elfcore_note *n, uint8_t *at)
{
	const struct crimg_task *task = n->process->task;
	at += CRIMG_PRSTATUS_PID(n->process->is32);
	crimg_put_u32(at, n->thread->tid);
	crimg_put_u32(at + 4, task->ppid);
	crimg_put_u32(at + 8, task->pgid);
	crimg_put_u32(at + 12, task->sid);
}

static void put_regs(const struct elfcore_note *n, const UserX86RegsEntry *regs, uint8_t *at)
{
	at += CRIMG_PRSTATUS_REGS(n->process->is32);
	for (size_t i = 0; n->process->is32 && i < CRIMG_X86_REGS32; i++)
		crimg_put_u32(at + 4 * i, (uint32_t)crimg_x86_reg(regs, &crimg_x86_regs32[i]));
	for (size_t i = 0; !n->process->is32 && i < CRIMG_X86_REGS64; i++)
		crimg_put_u64(at + 8 * i, crimg_x86_reg(regs, &crimg_x86_regs64[i]));
}

// The leader's mask is always known; that of another thread may not be.
static bool mask_is_known(const struct elfcore_note *n)
{
	const CoreEntry *core = n->thread->core;
	if (core == NULL)
		return false;
	return n->thread->tid == n->process->task->pid
		? core->tc != NULL
		: core->thread_core != NULL && core->thread_core->has_blk_sigset;
}

int elfcore_prstatus(const struct elfcore_note *n, struct crimg_err *err)
{
	const struct elfcore_process *p = n->process;
	const ThreadInfoX86 *info = info_of(n);
	uint32_t stop = elfcore_stop_signal(p->task);
	uint8_t *at;
	if (elfcore_note_begin(n, CRIMG_PRSTATUS_BYTES(p->is32), &at, err) < 0)
		return -1;
	if (at == NULL)
		return 0;
	if (stop != 0) {
		crimg_put_u32(at + CRIMG_PRSTATUS_SIGNO, stop);
		crimg_put_u16(at + CRIMG_PRSTATUS_CURSIG, (uint16_t)stop);
	}
	if (put_pending(n, at, err) < 0)
		return -1;
	if (mask_is_known(n))
		put_word(n, at + CRIMG_PRSTATUS_SIGHOLD(p->is32),
		         crimg_thread_blocked(p->task, n->thread));
	put_ids(n, at);
	if (info == NULL)
		return 0;
	put_regs(n, info->gpregs, at);
	crimg_put_u32(at + CRIMG_PRSTATUS_FPVALID(p->is32), info->fpregs != NULL);
	return 0;
}

// One form of the floating point state: out holds CRIMG_XSAVE_MAX_BYTES. Returns its bytes.
typedef size_t state_fn(const UserX86FpregsEntry *fp, uint8_t *out);

static size_t fxsave_form(const UserX86FpregsEntry *fp, uint8_t *out)
{
	crimg_x86_fxsave(fp, out);
	return CRIMG_FXSAVE_BYTES;
}

static size_t fsave_form(const UserX86FpregsEntry *fp, uint8_t *out)
{
	crimg_x86_fsave(fp, out);
	return CRIMG_FSAVE_BYTES;
}

// Whether the kept note still says what the record says, as far as the message can.
static bool still_true(const struct elfcore_note *n, state_fn *form, const uint8_t *fresh,
                       size_t length)
{
	uint8_t again[CRIMG_XSAVE_MAX_BYTES];
	struct crimg_err ignored = CRIMG_ERR_INIT;
	const UserX86FpregsEntry *was =
		crimg_x86_fpregs(n->kept->data, n->kept->len, n->arena, NULL, 0, &ignored);
	return was != NULL && form(was, again) == length && memcmp(again, fresh, length) == 0;
}

// Into a kept XSAVE area of the usual layout (the first 576 bytes are the same everywhere): every
// component that the message has.
static void overlay(const UserX86FpregsEntry *fp, const uint8_t *fresh, size_t fresh_length,
                    uint8_t *area, size_t length)
{
	uint64_t known = crimg_x86_xcr0(fp), in_use = crimg_get_u64(area + CRIMG_FXSAVE_BYTES);
	uint64_t fresh_use = crimg_get_u64(fresh + CRIMG_FXSAVE_BYTES);
	memcpy(area, fresh, CRIMG_XSAVE_XCR0);
	for (unsigned i = CRIMG_XSAVE_YMM; i < CRIMG_XSAVE_COMPONENTS; i++) {
		const struct crimg_xsave_component *c = &crimg_xsave_components[i];
		if ((known >> i & 1) != 0 && crimg_in_range(c->offset, c->size, fresh_length)
		    && crimg_in_range(c->offset, c->size, length))
			memcpy(area + c->offset, fresh + c->offset, c->size);
	}
	crimg_put_u64(area + CRIMG_FXSAVE_BYTES, (in_use & ~known) | (fresh_use & known));
}

// True for lengths at which components lie where the new ones do, and there are more of them.
static bool is_longer_form(const struct elfcore_note *n, size_t fresh_length)
{
	return n->kept != NULL && n->kept->len > fresh_length
	       && n->kept->len > CRIMG_XSAVE_MAX_BYTES;
}

static int put_state(const struct elfcore_note *n, state_fn *form, struct crimg_err *err)
{
	const ThreadInfoX86 *info = info_of(n);
	const UserX86FpregsEntry *fp = fpregs_of(n);
	uint8_t fresh[CRIMG_XSAVE_MAX_BYTES];
	if (fp == NULL && n->kept == NULL)
		return 0;
	size_t length = fp != NULL ? form(fp, fresh) : 0;
	if (info != NULL && form == fsave_form)
		crimg_x86_fsave_selectors(fresh, info->gpregs);
	bool keep = n->kept != NULL && (fp == NULL || still_true(n, form, fresh, length));
	bool extend = form == crimg_x86_xsave && fp != NULL && is_longer_form(n, length);
	if (!keep && !extend)
		return crimg_buf_append(n->desc, fresh, length, err);
	if (crimg_buf_append(n->desc, n->kept->data, n->kept->len, err) < 0)
		return -1;
	if (!keep)
		overlay(fp, fresh, length, n->desc->data, n->desc->length);
	return 0;
}

int elfcore_fpregset(const struct elfcore_note *n, struct crimg_err *err)
{
	return put_state(n, n->process->is32 ? fsave_form : fxsave_form, err);
}

int elfcore_prxfpreg(const struct elfcore_note *n, struct crimg_err *err)
{
	return put_state(n, fxsave_form, err);
}

int elfcore_xstate(const struct elfcore_note *n, struct crimg_err *err)
{
	return put_state(n, crimg_x86_xsave, err);
}

// struct user_desc: the flags are bits from 0 up, contents take two.
static uint32_t desc_flags(const UserDescT *d)
{
	return (uint32_t)d->seg_32bit | (uint32_t)d->contents_l << 1 | (uint32_t)d->contents_h << 2
	       | (uint32_t)d->read_exec_only << 3 | (uint32_t)d->limit_in_pages << 4
	       | (uint32_t)d->seg_not_present << 5 | (uint32_t)d->usable << 6;
}

int elfcore_tls(const struct elfcore_note *n, struct crimg_err *err)
{
	const ThreadInfoX86 *info = info_of(n);
	size_t count = info != NULL ? info->n_tls : 0;
	if (count == 0 && n->kept != NULL)
		return crimg_buf_append(n->desc, n->kept->data, n->kept->len, err);
	for (size_t i = 0; i < count; i++) {
		const UserDescT *d = info->tls[i];
		if (crimg_buf_u32(n->desc, d->entry_number, err) < 0
		    || crimg_buf_u32(n->desc, d->base_addr, err) < 0
		    || crimg_buf_u32(n->desc, d->limit, err) < 0
		    || crimg_buf_u32(n->desc, desc_flags(d), err) < 0)
			return -1;
	}
	return 0;
}

// The shadow stack pointer, where shadow stacks are on (bit 0 of cet).
int elfcore_shstk(const struct elfcore_note *n, struct crimg_err *err)
{
	const UserX86FpregsEntry *fp = fpregs_of(n);
	const UserX86CetEntry *cet = fp != NULL && fp->xsave != NULL ? fp->xsave->cet : NULL;
	if (cet != NULL && (cet->cet & 1) != 0)
		return crimg_buf_u64(n->desc, cet->ssp, err);
	return n->kept != NULL ? crimg_buf_append(n->desc, n->kept->data, n->kept->len, err) : 0;
}
