// The registers of a task: selectors from their portable coding, descriptors from the processor's.
#include <string.h>

#include "readers/kernel_x86.h"
#include "readers/linuxcr_records.h"

bool linuxcr_is_32(const struct linuxcr_image *m, const struct linuxcr_task *t)
{
	return t->cpu != NULL
	       && (m->c.stream.profile.arch == CRIMG_LCR_ARCH_X86_32
		   || linuxcr_u16(t->cpu, CRIMG_LCR_CPU_CS) == CRIMG_LCR_SEG_USER32_CS);
}

// What an x86-64 kernel calls the segments, whichever wrote the stream: there is no other to go on under. The codes
// are enum kernel_segment.
static uint64_t selector(uint16_t coded)
{
	if ((coded & CRIMG_LCR_SEG_LDT) != 0)
		return kernel_ldt_selector(coded & ~CRIMG_LCR_SEG_LDT);
	if ((coded & CRIMG_LCR_SEG_TLS) != 0)
		return kernel_tls_selector(coded & ~CRIMG_LCR_SEG_TLS, false);
	return coded >= KERNEL_SEG_COUNT ? coded
					 : kernel_selector((enum kernel_segment)coded, false);
}

static const uint8_t *descriptor_at(const struct linuxcr_task *t, uint32_t slot, uint32_t fixed)
{
	uint32_t tls = t->thread->length - fixed;
	return slot * 8 + 8 <= tls ? t->thread->data + fixed + slot * 8 : NULL;
}

static uint32_t thread_fixed(const struct linuxcr_image *m)
{
	return m->c.stream.profile.task_v23 ? CRIMG_LCR_THREAD_PAYLOAD_V23
					    : CRIMG_LCR_THREAD_PAYLOAD_V19;
}

// A segment that is a slot has its base there; the register's own is 0 then.
static uint64_t base_of(const struct linuxcr_image *m, const struct linuxcr_task *t, uint16_t coded,
			uint64_t base)
{
	uint32_t fixed = thread_fixed(m);
	if ((coded & CRIMG_LCR_SEG_LDT) != 0 || (coded & CRIMG_LCR_SEG_TLS) == 0)
		return base;
	const uint8_t *d = descriptor_at(t, coded & ~CRIMG_LCR_SEG_TLS, fixed);
	return d != NULL ? kernel_descriptor_base(d) : base;
}

const char *linuxcr_registers(const struct linuxcr_image *m, const struct linuxcr_task *t,
			      UserX86RegsEntry *e)
{
	user_x86_regs_entry__init(e);
	uint64_t *const words[] = {&e->r15,     &e->r14, &e->r13, &e->r12,  &e->bp,
				   &e->bx,      &e->r11, &e->r10, &e->r9,   &e->r8,
				   &e->ax,      &e->cx,  &e->dx,  &e->si,   &e->di,
				   &e->orig_ax, &e->ip,  &e->sp,  &e->flags};
	for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++)
		*words[i] = linuxcr_u64(t->cpu, 8 * i);
	uint16_t fs = linuxcr_u16(t->cpu, CRIMG_LCR_CPU_FSINDEX);
	uint16_t gs = linuxcr_u16(t->cpu, CRIMG_LCR_CPU_GSINDEX);
	e->fs_base = base_of(m, t, fs, linuxcr_u64(t->cpu, CRIMG_LCR_CPU_FS));
	e->gs_base = base_of(m, t, gs, linuxcr_u64(t->cpu, CRIMG_LCR_CPU_GS));
	e->fs = selector(fs);
	e->gs = selector(gs);
	e->cs = selector(linuxcr_u16(t->cpu, CRIMG_LCR_CPU_CS));
	e->ss = selector(linuxcr_u16(t->cpu, CRIMG_LCR_CPU_SS));
	e->ds = selector(linuxcr_u16(t->cpu, CRIMG_LCR_CPU_DS));
	e->es = selector(linuxcr_u16(t->cpu, CRIMG_LCR_CPU_ES));
	e->has_mode = true;
	e->mode = linuxcr_is_32(m, t) ? USER_X86_REGS_MODE__COMPAT
					  : USER_X86_REGS_MODE__NATIVE;
	return linuxcr_restart(m, t, e);
}

static int add_tls(struct linuxcr_image *m, const struct linuxcr_task *t, ThreadInfoX86 *out,
		   struct crimg_err *err)
{
	uint32_t fixed = thread_fixed(m);
	uint32_t first = kernel_first_tls(false);
	const uint8_t *d;
	out->tls = crimg_arena_alloc(&m->arena, CRIMG_LCR_TLS_ENTRIES * sizeof *out->tls);
	if (out->tls == NULL)
		return crimg_fail_nomem(err, CRIMG_LCR_TLS_ENTRIES * sizeof *out->tls);
	while ((d = descriptor_at(t, (uint32_t)out->n_tls, fixed)) != NULL) {
		out->tls[out->n_tls] = kernel_descriptor(d, first + (uint32_t)out->n_tls, &m->arena);
		if (out->tls[out->n_tls] == NULL)
			return crimg_fail_nomem(err, sizeof(UserDescT));
		out->n_tls++;
	}
	return 0;
}

static UserX86FpregsEntry *floating(struct linuxcr_image *m, const struct linuxcr_task *t,
				    struct crimg_err *err)
{
	const struct linuxcr_record *r = t->fpu;
	return kernel_fpregs(r != NULL ? r->data : NULL, r != NULL ? r->length : 0, &m->arena,
			     m->c.stream.source->name,
			     r != NULL ? r->offset + CRIMG_LCR_HEADER_BYTES : 0, &m->c.damage, err);
}

ThreadInfoX86 *linuxcr_thread_info(struct linuxcr_image *m, const struct linuxcr_task *t,
				   struct crimg_err *err)
{
	ThreadInfoX86 *e = crimg_arena_alloc(&m->arena, sizeof *e);
	if (e != NULL) {
		thread_info_x86__init(e);
		e->clear_tid_addr =
			linuxcr_u64(t->task, linuxcr_task_places(&m->c.stream.profile)->clear_tid);
		e->gpregs = crimg_arena_alloc(&m->arena, sizeof *e->gpregs);
	}
	if (e == NULL || e->gpregs == NULL) {
		crimg_fail_nomem(err, sizeof *e);
		return NULL;
	}
	(void)linuxcr_registers(m, t, e->gpregs);
	e->fpregs = floating(m, t, err);
	return e->fpregs == NULL || add_tls(m, t, e, err) < 0 ? NULL : e;
}
