// Registers of a thread, in portable codes: of the machine, of the floating point unit, of segments.
#include "format/checked.h"
#include "format/x86.h"
#include "writers/cptmake_task.h"

enum { SLOTS = 3 };
enum { CODE_USER32_DS = 4, CODE_USER32_CS, CODE_USER64_DS, CODE_USER64_CS, CODE_LDT = 256 };

#define FIRST_SLOT 12u

static uint64_t segment_code(uint64_t selector, bool is_32)
{
	if (selector >> 3 >= FIRST_SLOT && selector >> 3 < FIRST_SLOT + SLOTS)
		return (selector >> 3) - FIRST_SLOT + 1;
	if ((selector & 4) != 0)
		return CODE_LDT + (selector >> 3);
	switch (selector) {
	case 0x23:
		return CODE_USER32_CS;
	case 0x33:
		return CODE_USER64_CS;
	case 0x2b:
		return is_32 ? CODE_USER32_DS : CODE_USER64_DS;
	default:
		return 0;
	}
}

// The processor's own eight bytes; an empty slot is all zero.
static uint64_t descriptor_of(const UserDescT *d)
{
	enum { PRESENT_IN_USER_MODE = 0x7000 };
	bool empty = d->base_addr == 0 && d->limit == 0 && d->seg_not_present;
	uint64_t low = (d->limit & 0xffff) | (uint64_t)(d->base_addr & 0xffff) << 16;
	uint32_t high = (d->base_addr >> 16 & 0xff) | (d->base_addr & 0xff000000)
			| (d->limit & 0xf0000) | PRESENT_IN_USER_MODE;
	high |= (uint32_t)!d->read_exec_only << 9 | (uint32_t)d->contents_l << 10;
	high |= (uint32_t)d->contents_h << 11 | (uint32_t)!d->seg_not_present << 15;
	high |= (uint32_t)d->usable << 20 | (uint32_t)d->seg_32bit << 22;
	high |= (uint32_t)d->limit_in_pages << 23;
	return empty ? 0 : (uint64_t)high << 32 | low;
}

// CRIU's registers are final: a result that a restart would make something of is told as if there had been
// no call.
static uint64_t call_of(const UserX86RegsEntry *r, bool is_32)
{
	int64_t error = is_32 ? -(int64_t)(int32_t)(uint32_t)r->ax : -(int64_t)r->ax;
	bool changes = error == 4 || error == 11 || (error >= 512 && error <= 516);
	return changes ? UINT64_MAX : r->orig_ax;
}

static int put_regs_64(struct cptmake *k, const UserX86RegsEntry *r, struct crimg_err *err)
{
	const uint64_t words[] = {r->r15, r->r14, r->r13, r->r12,     r->bp, r->bx,
				  r->r11, r->r10, r->r9,  r->r8,      r->ax, r->cx,
				  r->dx,  r->si,  r->di,  call_of(r, false), r->ip};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_X86_64_REGS, CRIMG_CPT_CONTENT_VOID);
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		cptmake_set(&o, (enum crimg_cpt_field)(CRIMG_CPT_X86_64_REGS_R15 + i), words[i]);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_FSBASE, r->fs_base);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_GSBASE, r->gs_base);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_FSINDEX, segment_code(r->fs, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_GSINDEX, segment_code(r->gs, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_DS, segment_code(r->ds, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_ES, segment_code(r->es, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_CS, segment_code(r->cs, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_SS, segment_code(r->ss, false));
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_EFLAGS, r->flags);
	cptmake_set(&o, CRIMG_CPT_X86_64_REGS_RSP, r->sp);
	return cptmake_put(k, &o, NULL, 0, err);
}

static int put_regs_32(struct cptmake *k, const UserX86RegsEntry *r, struct crimg_err *err)
{
	const uint64_t words[] = {r->bx, r->cx, r->dx, r->si, r->di, r->bp, r->ax};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_X86_REGS, CRIMG_CPT_CONTENT_VOID);
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		cptmake_set(&o, (enum crimg_cpt_field)(CRIMG_CPT_X86_REGS_EBX + i), words[i]);
	cptmake_set(&o, CRIMG_CPT_X86_REGS_FS, segment_code(r->fs, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_UGS, segment_code(r->gs, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XDS, segment_code(r->ds, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XES, segment_code(r->es, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XCS, segment_code(r->cs, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_XSS, segment_code(r->ss, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_ORIG_EAX, call_of(r, true));
	cptmake_set(&o, CRIMG_CPT_X86_REGS_EIP, r->ip);
	cptmake_set(&o, CRIMG_CPT_X86_REGS_EFLAGS, r->flags);
	cptmake_set(&o, CRIMG_CPT_X86_REGS_ESP, r->sp);
	return cptmake_put(k, &o, NULL, 0, err);
}

static int put_fpu(struct cptmake *k, const UserX86FpregsEntry *fp, struct crimg_err *err)
{
	uint8_t area[CRIMG_XSAVE_MAX_BYTES];
	if (fp == NULL)
		return 0;
	if (crimg_x86_xcr0(fp) <= 3) {
		crimg_x86_fxsave(fp, area);
		return cptmake_bits(k, CRIMG_CPT_CONTENT_X86_FPUSTATE, area, CRIMG_FXSAVE_BYTES,
				    err);
	}
	size_t size = crimg_x86_xsave(fp, area);
	return cptmake_bits(k, CRIMG_CPT_CONTENT_X86_XSAVE, area, size, err);
}

int cptmake_regs(struct cptmake *k, uint32_t tid, const ThreadInfoX86 *info, struct crimg_err *err)
{
	const UserX86RegsEntry *r = info->gpregs;
	bool is_32 = crimg_x86_is_32(r);
	if ((is_32 ? put_regs_32(k, r, err) : put_regs_64(k, r, err)) < 0
	    || put_fpu(k, info->fpregs, err) < 0)
		return -1;
	k->wide += !is_32;
	if (call_of(r, is_32) == r->orig_ax)
		return 0;
	return cptmake_lose(k, CRIMG_KIND_CORE, tid, "thread_info.gpregs.orig_ax",
			    "left out, so that the call is not run again", err);
}

int cptmake_no_regs(struct cptmake *k, struct crimg_err *err)
{
	UserX86RegsEntry none = USER_X86_REGS_ENTRY__INIT;
	k->wide++;
	return put_regs_64(k, &none, err);
}

int cptmake_tls(struct cptmake_object *o, uint32_t tid, const ThreadInfoX86 *info,
		struct crimg_err *err)
{
	if (info->n_tls > SLOTS)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "thread %u has %zu slots of thread-local storage, at most %u have "
				  "a place in an OpenVZ image",
				  tid, info->n_tls, SLOTS);
	for (size_t i = 0; i < info->n_tls; i++)
		if (info->tls[i]->entry_number - FIRST_SLOT < SLOTS)
			cptmake_set_at(o, CRIMG_CPT_TASK_TLS, info->tls[i]->entry_number - FIRST_SLOT,
				       descriptor_of(info->tls[i]));
	return 0;
}
