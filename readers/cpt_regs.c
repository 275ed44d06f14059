// The registers of a task as they will be when it runs on: selectors from their codes, descriptors
// from the processor's.
#include "format/x86.h"
#include "readers/cpt_records.h"
#include "readers/kernel_x86.h"

// Portable codes of segments; below USER32_DS: slots.
enum { CODE_USER32_DS = 4, CODE_USER32_CS, CODE_USER64_DS, CODE_USER64_CS, CODE_LDT = 256 };

// Codes are portable, so that a 64-bit kernel can run the task: its selectors and slots are meant.
static uint64_t selector(uint64_t code)
{
	static const enum kernel_segment segments[] = {
		[CODE_USER32_DS] = KERNEL_SEG_USER32_DS,
		[CODE_USER32_CS] = KERNEL_SEG_USER32_CS,
		[CODE_USER64_DS] = KERNEL_SEG_USER64_DS,
		[CODE_USER64_CS] = KERNEL_SEG_USER64_CS,
	};
	if (code == 0)
		return 0;
	if (code <= KERNEL_TLS_SLOTS)
		return kernel_tls_selector((uint32_t)code - 1, false);
	if (code >= CODE_LDT)
		return kernel_ldt_selector((uint32_t)code - CODE_LDT);
	return code <= CODE_USER64_CS ? kernel_selector(segments[code], false) : code;
}

static void descriptor_of(const struct cpt *c, const struct cpt_object *t, unsigned slot,
			  uint8_t out[8])
{
	crimg_put_u64(out, cpt_at(c, t, CRIMG_CPT_TASK_TLS, slot));
}

// A segment that is a slot has its base there when the register's own is not told.
static uint64_t base_of(const struct cpt *c, const struct cpt_object *t, uint64_t code,
			uint64_t base)
{
	uint8_t d[8];
	if (base != 0 || code == 0 || code > KERNEL_TLS_SLOTS)
		return base;
	descriptor_of(c, t, (unsigned)code - 1, d);
	return kernel_descriptor_base(d);
}

static void general_64(const struct cpt *c, const struct cpt_object *t,
		       const struct cpt_object *r, UserX86RegsEntry *e)
{
	uint64_t *const words[] = {&e->r15, &e->r14, &e->r13, &e->r12, &e->bp, &e->bx,
				   &e->r11, &e->r10, &e->r9,  &e->r8,  &e->ax, &e->cx,
				   &e->dx,  &e->si,  &e->di,  &e->orig_ax, &e->ip};
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		*words[i] = cpt_get(c, r, (enum crimg_cpt_field)(CRIMG_CPT_X86_64_REGS_R15 + i));
	uint64_t fs = cpt_get(c, r, CRIMG_CPT_X86_64_REGS_FSINDEX);
	uint64_t gs = cpt_get(c, r, CRIMG_CPT_X86_64_REGS_GSINDEX);
	e->flags = cpt_get(c, r, CRIMG_CPT_X86_64_REGS_EFLAGS);
	e->sp = cpt_get(c, r, CRIMG_CPT_X86_64_REGS_RSP);
	e->fs_base = base_of(c, t, fs, cpt_get(c, r, CRIMG_CPT_X86_64_REGS_FSBASE));
	e->gs_base = base_of(c, t, gs, cpt_get(c, r, CRIMG_CPT_X86_64_REGS_GSBASE));
	e->fs = selector(fs);
	e->gs = selector(gs);
	e->cs = selector(cpt_get(c, r, CRIMG_CPT_X86_64_REGS_CS));
	e->ss = selector(cpt_get(c, r, CRIMG_CPT_X86_64_REGS_SS));
	e->ds = selector(cpt_get(c, r, CRIMG_CPT_X86_64_REGS_DS));
	e->es = selector(cpt_get(c, r, CRIMG_CPT_X86_64_REGS_ES));
}

// Bases are in the slots alone, as in what CRIU tells of such tasks.
static void general_32(const struct cpt *c, const struct cpt_object *r, UserX86RegsEntry *e)
{
	uint64_t *const words[] = {&e->bx, &e->cx, &e->dx, &e->si, &e->di, &e->bp, &e->ax};
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		*words[i] = cpt_get(c, r, (enum crimg_cpt_field)(CRIMG_CPT_X86_REGS_EBX + i));
	// The user's gs had the kernel's place until 2.6.32, where it got one of its own.
	uint64_t fs = cpt_get(c, r, CRIMG_CPT_X86_REGS_FS);
	uint64_t gs = cpt_get(c, r, c->version >= 0x800 ? CRIMG_CPT_X86_REGS_UGS
							: CRIMG_CPT_X86_REGS_GS);
	e->orig_ax = cpt_get(c, r, CRIMG_CPT_X86_REGS_ORIG_EAX);
	e->ip = cpt_get(c, r, CRIMG_CPT_X86_REGS_EIP);
	e->sp = cpt_get(c, r, CRIMG_CPT_X86_REGS_ESP);
	e->flags = cpt_get(c, r, CRIMG_CPT_X86_REGS_EFLAGS);
	e->fs = selector(fs);
	e->gs = selector(gs);
	e->cs = selector(cpt_get(c, r, CRIMG_CPT_X86_REGS_XCS));
	e->ss = selector(cpt_get(c, r, CRIMG_CPT_X86_REGS_XSS));
	e->ds = selector(cpt_get(c, r, CRIMG_CPT_X86_REGS_XDS));
	e->es = selector(cpt_get(c, r, CRIMG_CPT_X86_REGS_XES));
}

const char *cpt_registers(const struct cpt *c, const struct cpt_object *t, UserX86RegsEntry *e)
{
	const struct cpt_object *r64 = cpt_child(c, t, NULL, CRIMG_CPT_OBJ_X86_64_REGS);
	const struct cpt_object *r32 = cpt_child(c, t, NULL, CRIMG_CPT_OBJ_X86_REGS);
	user_x86_regs_entry__init(e);
	e->has_mode = true;
	e->mode = r64 == NULL && r32 != NULL ? USER_X86_REGS_MODE__COMPAT
					     : USER_X86_REGS_MODE__NATIVE;
	if (r64 == NULL && r32 == NULL)
		return NULL;
	if (r64 != NULL)
		general_64(c, t, r64, e);
	else
		general_32(c, r32, e);
	return cpt_restart(c, t, e);
}

static int add_tls(struct cpt_image *m, const struct cpt_object *t, ThreadInfoX86 *out,
		   struct crimg_err *err)
{
	out->tls = cpt_make(m, KERNEL_TLS_SLOTS, sizeof *out->tls, err);
	if (out->tls == NULL)
		return -1;
	for (unsigned i = 0; i < KERNEL_TLS_SLOTS; i++) {
		uint8_t d[8];
		descriptor_of(&m->c, t, i, d);
		out->tls[i] = kernel_descriptor(d, kernel_first_tls(false) + i, &m->arena);
		if (out->tls[i] == NULL)
			return crimg_fail_nomem(err, sizeof(UserDescT));
		out->n_tls++;
	}
	return 0;
}

// The kernel's FSAVE area has a word of its own behind the processor's.
static UserX86FpregsEntry *floating(struct cpt_image *m, const struct cpt_object *t,
				    struct crimg_err *err)
{
	enum { LONGEST = 1 << 16 };
	const struct cpt *c = &m->c;
	const struct cpt_object *o = NULL;
	uint8_t *data = NULL;
	size_t length = 0;
	while ((o = cpt_child(c, t, o, CRIMG_CPT_OBJ_BITS)) != NULL)
		if (o->content == CRIMG_CPT_CONTENT_X86_FPUSTATE_OLD
		    || o->content == CRIMG_CPT_CONTENT_X86_FPUSTATE
		    || o->content == CRIMG_CPT_CONTENT_X86_XSAVE)
			break;
	if (o != NULL && (data = cpt_read(c, o, LONGEST, &length, &m->arena, err)) == NULL)
		return NULL;
	if (o != NULL && o->content == CRIMG_CPT_CONTENT_X86_FPUSTATE_OLD
	    && length > CRIMG_FSAVE_BYTES)
		length = CRIMG_FSAVE_BYTES;
	return kernel_fpregs(data, length, &m->arena, c->source->name, o != NULL ? cpt_body(o) : 0,
			     &m->c.damage, err);
}

ThreadInfoX86 *cpt_thread_info(struct cpt_image *m, const struct cpt_object *task,
			       struct crimg_err *err)
{
	ThreadInfoX86 *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	thread_info_x86__init(e);
	e->clear_tid_addr = cpt_get(&m->c, task, CRIMG_CPT_TASK_CLEAR_TID);
	if ((e->gpregs = cpt_make(m, 1, sizeof *e->gpregs, err)) == NULL)
		return NULL;
	(void)cpt_registers(&m->c, task, e->gpregs);
	if ((e->fpregs = floating(m, task, err)) == NULL)
		return NULL;
	return add_tls(m, task, e, err) < 0 ? NULL : e;
}
