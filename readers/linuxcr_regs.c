// The registers of a task: selectors from their portable coding, descriptors from the processor's.
#include <string.h>

#include "format/x86.h"
#include "readers/linuxcr_records.h"

#define MXCSR_AT 24u
#define MXCSR_INITIAL 0x1f80u
#define FCW_INITIAL 0x37fu

bool linuxcr_is_32(const struct linuxcr_image *m, const struct linuxcr_task *t)
{
	return m->c.stream.profile.arch == CRIMG_LCR_ARCH_X86_32
	       || linuxcr_u16(t->cpu, CRIMG_LCR_CPU_CS) == CRIMG_LCR_SEG_USER32_CS;
}

// What the kernel that wrote the stream calls the segments.
static uint64_t selector(const struct linuxcr_image *m, uint16_t coded)
{
	static const uint8_t on_64[] = {0, 0x23, 0x2b, 0x33, 0x2b};
	static const uint8_t on_32[] = {0, 0x73, 0x7b, 0x73, 0x7b};
	bool kernel_32 = m->c.stream.profile.arch == CRIMG_LCR_ARCH_X86_32;
	uint64_t first_tls = kernel_32 ? 6 : 12;
	if ((coded & CRIMG_LCR_SEG_LDT) != 0)
		return (coded & ~CRIMG_LCR_SEG_LDT) << 3 | 7;
	if ((coded & CRIMG_LCR_SEG_TLS) != 0)
		return (first_tls + (coded & ~CRIMG_LCR_SEG_TLS)) << 3 | 3;
	return coded >= sizeof on_64 ? coded : kernel_32 ? on_32[coded] : on_64[coded];
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

static uint32_t descriptor_base(const uint8_t *d)
{
	return crimg_get_u32(d) >> 16 | (crimg_get_u32(d + 4) & 0xff) << 16
	       | (crimg_get_u32(d + 4) & 0xff000000);
}

// A segment that is a slot has its base there; the register's own is 0 then.
static uint64_t base_of(const struct linuxcr_image *m, const struct linuxcr_task *t, uint16_t coded,
			uint64_t base)
{
	uint32_t fixed = thread_fixed(m);
	if ((coded & CRIMG_LCR_SEG_LDT) != 0 || (coded & CRIMG_LCR_SEG_TLS) == 0)
		return base;
	const uint8_t *d = descriptor_at(t, coded & ~CRIMG_LCR_SEG_TLS, fixed);
	return d != NULL ? descriptor_base(d) : base;
}

static UserX86RegsEntry *general(struct linuxcr_image *m, const struct linuxcr_task *t)
{
	UserX86RegsEntry *e = crimg_arena_alloc(&m->arena, sizeof *e);
	if (e == NULL)
		return NULL;
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
	e->fs = selector(m, fs);
	e->gs = selector(m, gs);
	e->cs = selector(m, linuxcr_u16(t->cpu, CRIMG_LCR_CPU_CS));
	e->ss = selector(m, linuxcr_u16(t->cpu, CRIMG_LCR_CPU_SS));
	e->ds = selector(m, linuxcr_u16(t->cpu, CRIMG_LCR_CPU_DS));
	e->es = selector(m, linuxcr_u16(t->cpu, CRIMG_LCR_CPU_ES));
	e->has_mode = true;
	e->mode = linuxcr_is_32(m, t) ? USER_X86_REGS_MODE__COMPAT : USER_X86_REGS_MODE__NATIVE;
	return e;
}

// The processor's own eight bytes, as set_thread_area() takes them.
static UserDescT *descriptor(struct linuxcr_image *m, const uint8_t *d, uint32_t number)
{
	UserDescT *e = crimg_arena_alloc(&m->arena, sizeof *e);
	uint32_t high = crimg_get_u32(d + 4);
	if (e == NULL)
		return NULL;
	user_desc_t__init(e);
	e->entry_number = number;
	e->base_addr = descriptor_base(d);
	e->limit = (crimg_get_u32(d) & 0xffff) | (high & 0xf0000);
	e->seg_32bit = (high >> 22 & 1) != 0;
	e->contents_l = (high >> 10 & 1) != 0;
	e->contents_h = (high >> 11 & 1) != 0;
	e->read_exec_only = (high >> 9 & 1) == 0;
	e->limit_in_pages = (high >> 23 & 1) != 0;
	e->seg_not_present = (high >> 15 & 1) == 0;
	e->usable = (high >> 20 & 1) != 0;
	return e;
}

static int add_tls(struct linuxcr_image *m, const struct linuxcr_task *t, ThreadInfoX86 *out,
		   struct crimg_err *err)
{
	uint32_t fixed = thread_fixed(m);
	uint32_t first = m->c.stream.profile.arch == CRIMG_LCR_ARCH_X86_32 ? 6 : 12;
	const uint8_t *d;
	out->tls = crimg_arena_alloc(&m->arena, CRIMG_LCR_TLS_ENTRIES * sizeof *out->tls);
	if (out->tls == NULL)
		return crimg_fail_nomem(err, CRIMG_LCR_TLS_ENTRIES * sizeof *out->tls);
	while ((d = descriptor_at(t, (uint32_t)out->n_tls, fixed)) != NULL) {
		out->tls[out->n_tls] = descriptor(m, d, first + (uint32_t)out->n_tls);
		if (out->tls[out->n_tls] == NULL)
			return crimg_fail_nomem(err, sizeof(UserDescT));
		out->n_tls++;
	}
	return 0;
}

// A task that never used its floating point unit has what a process starts with.
static UserX86FpregsEntry *floating(struct linuxcr_image *m, const struct linuxcr_task *t,
				    struct crimg_err *err)
{
	uint8_t area[CRIMG_FXSAVE_BYTES] = {0};
	if (t->fpu != NULL) {
		struct crimg_err why = CRIMG_ERR_INIT;
		UserX86FpregsEntry *fp = crimg_x86_fpregs(
			t->fpu->data, t->fpu->length, &m->arena, m->c.stream.source->name,
			t->fpu->offset + CRIMG_LCR_HEADER_BYTES, &why);
		if (fp != NULL)
			return fp;
		if (why.code == CRIMG_E_NOMEM || why.code == CRIMG_E_LIMIT) {
			if (err != NULL)
				*err = why;
			return NULL;
		}
		if (m->c.damage.code == CRIMG_OK)
			m->c.damage = why;
	}
	crimg_put_u16(area, FCW_INITIAL);
	crimg_put_u32(area + MXCSR_AT, MXCSR_INITIAL);
	return crimg_x86_fpregs(area, sizeof area, &m->arena, NULL, 0, err);
}

ThreadInfoX86 *linuxcr_thread_info(struct linuxcr_image *m, const struct linuxcr_task *t,
				   struct crimg_err *err)
{
	ThreadInfoX86 *e = crimg_arena_alloc(&m->arena, sizeof *e);
	if (e != NULL) {
		thread_info_x86__init(e);
		e->clear_tid_addr =
			linuxcr_u64(t->task, linuxcr_task_places(&m->c.stream.profile)->clear_tid);
		e->gpregs = general(m, t);
	}
	if (e == NULL || e->gpregs == NULL) {
		crimg_fail_nomem(err, sizeof *e);
		return NULL;
	}
	e->fpregs = floating(m, t, err);
	return e->fpregs == NULL || add_tls(m, t, e, err) < 0 ? NULL : e;
}
