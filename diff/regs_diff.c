// x86 by the names that people know; other processors by the fields of their messages.
#include "diff/regs_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "diff/messages.h"
#include "format/x86_values.h"

struct regs_pair {
	const struct crimg_scope *scope;
	const ThreadInfoX86 *info[2];
	bool is_32;
};

static struct crimg_value value_of(const struct regs_pair *r, int side, bool address, uint64_t number,
                                   char *where, size_t size)
{
	struct crimg_value v = crimg_hex_value(number);
	struct crimg_diff *d = r->scope->d;
	if (address && r->scope->pair != NULL && d->side[side].namer != NULL)
		v.text = crimg_address_name(d->side[side].namer, r->scope->pair->task[side], number, where,
		                            size);
	return v;
}

static void compare_register(const struct regs_pair *r, const char *name)
{
	const struct crimg_x86_reg *reg = crimg_x86_reg_named(r->is_32, name);
	char where[2][CRIMG_ADDRESS_TEXT_MAX];
	struct crimg_value value[2];
	struct crimg_scope s = *r->scope;
	if (reg == NULL || crimg_x86_reg(r->info[CRIMG_A]->gpregs, reg)
	                           == crimg_x86_reg(r->info[CRIMG_B]->gpregs, reg))
		return;
	for (int side = CRIMG_A; side <= CRIMG_B; side++)
		value[side] = value_of(r, side, crimg_x86_reg_is_address(name),
		                       crimg_x86_reg(r->info[side]->gpregs, reg), where[side],
		                       sizeof where[side]);
	s.subject = reg->name;
	crimg_tell(&s, CRIMG_CHANGE_CHANGED, NULL, value[CRIMG_A], value[CRIMG_B]);
}

static void compare_general(const struct regs_pair *r)
{
	static const char *const last[] = { "orig_rax", "cs", "ss", "ds", "es", "fs", "gs" };
	const char *const *order = r->is_32 ? crimg_regs_order32 : crimg_regs_order64;
	for (size_t i = 0; order[i] != NULL; i++)
		compare_register(r, order[i]);
	for (size_t i = 0; crimg_regs_others[i] != NULL; i++)
		if (r->is_32 || strstr(crimg_regs_others[i], "_base") != NULL)
			compare_register(r, crimg_regs_others[i]);
	for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
		compare_register(r, i == 0 && r->is_32 ? "orig_eax" : last[i]);
}

static void compare_named(const struct regs_pair *r, const char *name, unsigned number,
                          const char *a, const char *b)
{
	char subject[32];
	struct crimg_scope s = *r->scope;
	snprintf(subject, sizeof subject, "%s%u", name, number);
	s.subject = subject;
	crimg_compare_texts(&s, NULL, a, b);
}

// As wide as the wider of both is in use.
static void compare_vectors(const struct regs_pair *r, const UserX86FpregsEntry *a,
                            const UserX86FpregsEntry *b)
{
	struct crimg_vectors x, y;
	char p[CRIMG_VECTOR_TEXT_MAX], q[CRIMG_VECTOR_TEXT_MAX];
	static const char *const names[] = { "xmm", "ymm", "zmm" }; // of 16, 32, 64 bytes
	crimg_vectors_load(a, &x);
	crimg_vectors_load(b, &y);
	for (unsigned i = 0; i < 32; i++) {
		unsigned m = crimg_vector_width(&x, i), n = crimg_vector_width(&y, i);
		unsigned width = m > n ? m : n;
		if (width == 0 || memcmp(x.value[i], y.value[i], sizeof x.value[i]) == 0)
			continue;
		crimg_vector_text(x.value[i], width, NULL, p, sizeof p);
		crimg_vector_text(y.value[i], width, NULL, q, sizeof q);
		compare_named(r, names[width / 32], i, p, q);
	}
	for (unsigned i = 0; i < 8; i++) {
		snprintf(p, sizeof p, "%016" PRIx64, x.masks[i]);
		snprintf(q, sizeof q, "%016" PRIx64, y.masks[i]);
		compare_named(r, "k", i, p, q);
	}
}

static void compare_x87(const struct regs_pair *r, const UserX86FpregsEntry *a,
                        const UserX86FpregsEntry *b)
{
	struct crimg_x87_reg x[8], y[8];
	char p[128], q[128];
	crimg_x87_load(a, x);
	crimg_x87_load(b, y);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(p, sizeof p, "%s %s %s", x[i].raw, crimg_x87_tag_word(x[i].tag), x[i].value);
		snprintf(q, sizeof q, "%s %s %s", y[i].raw, crimg_x87_tag_word(y[i].tag), y[i].value);
		compare_named(r, "st", i, p, q);
	}
}

static void compare_word(const struct regs_pair *r, const char *name, uint64_t a, uint64_t b)
{
	struct crimg_scope s = *r->scope;
	s.subject = name;
	if (a != b)
		crimg_tell(&s, CRIMG_CHANGE_CHANGED, NULL, crimg_hex_value(a), crimg_hex_value(b));
}

static uint64_t pkru_of(const UserX86FpregsEntry *fp)
{
	return fp->xsave != NULL && fp->xsave->n_pkru > 0 ? fp->xsave->pkru[0] : 0;
}

static const UserX86CetEntry *cet_of(const UserX86FpregsEntry *fp)
{
	static const UserX86CetEntry none = USER_X86_CET_ENTRY__INIT;
	return fp->xsave != NULL && fp->xsave->cet != NULL ? fp->xsave->cet : &none;
}

static void compare_bounds(const struct regs_pair *r, const UserX86FpregsEntry *a,
                           const UserX86FpregsEntry *b)
{
	const UserX86XsaveEntry *x = a->xsave, *y = b->xsave;
	for (size_t i = 0; x != NULL && y != NULL && i < x->n_bndreg_state && i < y->n_bndreg_state; i++)
		compare_word(r, "bnd", x->bndreg_state[i], y->bndreg_state[i]);
	for (size_t i = 0; x != NULL && y != NULL && i < x->n_bndcsr_state && i < y->n_bndcsr_state; i++)
		compare_word(r, "bndcsr", x->bndcsr_state[i], y->bndcsr_state[i]);
}

static void compare_floating_point(const struct regs_pair *r)
{
	const UserX86FpregsEntry *a = r->info[CRIMG_A]->fpregs, *b = r->info[CRIMG_B]->fpregs;
	if (a == NULL || b == NULL)
		return;
	compare_word(r, "mxcsr", a->mxcsr, b->mxcsr);
	compare_word(r, "fctrl", a->cwd, b->cwd);
	compare_word(r, "fstat", a->swd, b->swd);
	compare_word(r, "fop", a->fop, b->fop);
	compare_word(r, "fip", a->rip, b->rip);
	compare_word(r, "fdp", a->rdp, b->rdp);
	compare_x87(r, a, b);
	compare_vectors(r, a, b);
	compare_bounds(r, a, b);
	compare_word(r, "pkru", pkru_of(a), pkru_of(b));
	compare_word(r, "cet", cet_of(a)->cet, cet_of(b)->cet);
	compare_word(r, "ssp", cet_of(a)->ssp, cet_of(b)->ssp);
}

static void compare_x86(const struct crimg_scope *s, const ThreadInfoX86 *a, const ThreadInfoX86 *b)
{
	struct crimg_list x = { (const void *const *)(void *)a->tls, a->n_tls };
	struct crimg_list y = { (const void *const *)(void *)b->tls, b->n_tls };
	struct regs_pair r = { s, { a, b }, crimg_x86_is_32(b->gpregs) };
	compare_general(&r);
	compare_floating_point(&r);
	if (crimg_one_core(s->d))
		return; // which tells of descriptors in use alone, and not of the address
	crimg_compare_lists(s, "tls", &x, &y);
	compare_word(&r, "clear_tid_addr", a->clear_tid_addr, b->clear_tid_addr);
}

void crimg_compare_registers(const struct crimg_scope *s, const CoreEntry *a, const CoreEntry *b)
{
	const ThreadInfoX86 *x = a->thread_info, *y = b->thread_info;
	if (x != NULL && y != NULL) {
		compare_x86(s, x, y);
		return;
	}
	crimg_compare_messages(s, "x86", x, y);
	crimg_compare_messages(s, "arm", a->ti_arm, b->ti_arm);
	crimg_compare_messages(s, "aarch64", a->ti_aarch64, b->ti_aarch64);
	crimg_compare_messages(s, "ppc64", a->ti_ppc64, b->ti_ppc64);
	crimg_compare_messages(s, "s390", a->ti_s390, b->ti_s390);
	crimg_compare_messages(s, "mips", a->ti_mips, b->ti_mips);
	crimg_compare_messages(s, "loongarch64", a->ti_loongarch64, b->ti_loongarch64);
	crimg_compare_messages(s, "riscv64", a->ti_riscv64, b->ti_riscv64);
}
