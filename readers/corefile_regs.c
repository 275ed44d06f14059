// NT_PRSTATUS to general registers; the best of three notes to floating point; NT_386_TLS.
#include "readers/corefile_regs.h"

#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/x86.h"

static UserX86RegsEntry *general(const struct corefile_elf *elf, const struct corefile_thread *t,
                                 struct crimg_arena *arena)
{
	const struct crimg_x86_reg *regs = elf->is_32 ? crimg_x86_regs32 : crimg_x86_regs64;
	size_t count = elf->is_32 ? CRIMG_X86_REGS32 : CRIMG_X86_REGS64;
	struct crimg_cursor c = crimg_cursor_make(t->status.data, t->status.length, NULL, 0);
	UserX86RegsEntry *out = crimg_arena_alloc(arena, sizeof *out);
	uint64_t value;
	if (out == NULL)
		return NULL;
	user_x86_regs_entry__init(out);
	out->has_mode = true;
	out->mode = elf->is_32 ? USER_X86_REGS_MODE__COMPAT : USER_X86_REGS_MODE__NATIVE;
	c.at = CRIMG_PRSTATUS_REGS(elf->is_32);
	for (size_t i = 0; i < count && corefile_word(&c, elf->is_32, &value, "", NULL) == 0; i++)
		crimg_x86_set_reg(out, &regs[i], value);
	return out;
}

// What FNINIT and reset leave: a thread whose floating point is not told has surely nothing better.
static UserX86FpregsEntry *initial(struct crimg_arena *arena, struct crimg_err *err)
{
	uint8_t area[CRIMG_FXSAVE_BYTES] = { 0 };
	crimg_put_u16(area + CRIMG_FXSAVE_CWD, CRIMG_FXSAVE_CWD_INITIAL);
	crimg_put_u32(area + CRIMG_FXSAVE_MXCSR, CRIMG_FXSAVE_MXCSR_INITIAL);
	return crimg_x86_fpregs(area, sizeof area, arena, NULL, 0, err);
}

static UserX86FpregsEntry *floating(const struct corefile_elf *elf, const struct corefile_thread *t,
                                    struct crimg_arena *arena, struct crimg_err *damage,
                                    struct crimg_err *err)
{
	const struct {
		const struct corefile_bytes *note;
		const char *name;
		size_t wanted; // bytes; 0: any
	} rows[] = {
		{ &t->xstate, "NT_X86_XSTATE", 0 },
		{ &t->fxregs, "NT_PRXFPREG", CRIMG_FXSAVE_BYTES },
		{ &t->fpregs, "NT_FPREGSET", elf->is_32 ? CRIMG_FSAVE_BYTES : CRIMG_FXSAVE_BYTES },
	};
	const char *source = elf->source->name;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct crimg_err why = CRIMG_ERR_INIT;
		const struct corefile_bytes *n = rows[i].note;
		if (n->data == NULL)
			continue;
		if ((rows[i].wanted != 0 && n->length != rows[i].wanted)
		    || (rows[i].wanted == 0 && n->length <= CRIMG_FXSAVE_BYTES)) {
			crimg_fail(damage, CRIMG_E_FORMAT, source, n->offset,
			           "%s: %zu bytes found, %zu wanted", rows[i].name, n->length,
			           rows[i].wanted != 0
			                   ? rows[i].wanted
			                   : (size_t)CRIMG_FXSAVE_BYTES + CRIMG_XSAVE_HEADER_BYTES);
			continue;
		}
		UserX86FpregsEntry *fp =
			crimg_x86_fpregs(n->data, n->length, arena, source, n->offset, &why);
		if (fp != NULL)
			return fp;
		if (why.code == CRIMG_E_NOMEM || why.code == CRIMG_E_LIMIT) {
			if (err != NULL)
				*err = why;
			return NULL;
		}
		if (damage->code == CRIMG_OK)
			*damage = why;
	}
	return initial(arena, err);
}

static UserDescT *descriptor(struct crimg_cursor *c, struct crimg_arena *arena)
{
	UserDescT *d = crimg_arena_alloc(arena, sizeof *d);
	uint32_t flags;
	if (d == NULL)
		return NULL;
	user_desc_t__init(d);
	if (crimg_cursor_u32(c, &d->entry_number, "", NULL) < 0
	    || crimg_cursor_u32(c, &d->base_addr, "", NULL) < 0
	    || crimg_cursor_u32(c, &d->limit, "", NULL) < 0
	    || crimg_cursor_u32(c, &flags, "", NULL) < 0)
		return d; // whole descriptors were asked for
	d->seg_32bit = (flags & CRIMG_USER_DESC_32BIT) != 0;
	d->contents_l = (flags & CRIMG_USER_DESC_CONTENTS_LOW) != 0;
	d->contents_h = (flags & CRIMG_USER_DESC_CONTENTS_HIGH) != 0;
	d->read_exec_only = (flags & CRIMG_USER_DESC_READ_EXEC_ONLY) != 0;
	d->limit_in_pages = (flags & CRIMG_USER_DESC_LIMIT_IN_PAGES) != 0;
	d->seg_not_present = (flags & CRIMG_USER_DESC_NOT_PRESENT) != 0;
	d->usable = (flags & CRIMG_USER_DESC_USABLE) != 0;
	return d;
}

static int add_tls(const struct corefile_elf *elf, const struct corefile_thread *t,
                   ThreadInfoX86 *out, struct crimg_arena *arena, struct crimg_err *damage,
                   struct crimg_err *err)
{
	size_t count = t->tls.length / CRIMG_USER_DESC_BYTES;
	struct crimg_cursor c = crimg_cursor_make(t->tls.data, t->tls.length, NULL, 0);
	if (t->tls.length % CRIMG_USER_DESC_BYTES != 0 || count > CRIMG_USER_DESCS_MAX) {
		crimg_fail(damage, CRIMG_E_FORMAT, elf->source->name, t->tls.offset,
		           "NT_386_TLS: %zu bytes found, %u, %u or %u wanted", t->tls.length,
		           CRIMG_USER_DESC_BYTES, 2 * CRIMG_USER_DESC_BYTES,
		           3 * CRIMG_USER_DESC_BYTES);
		return 0;
	}
	out->tls = crimg_arena_alloc(arena, (count + 1) * sizeof *out->tls);
	if (out->tls == NULL)
		return crimg_fail_nomem(err, (count + 1) * sizeof *out->tls);
	while (out->n_tls < count)
		if ((out->tls[out->n_tls++] = descriptor(&c, arena)) == NULL)
			return crimg_fail_nomem(err, sizeof(UserDescT));
	return 0;
}

ThreadInfoX86 *corefile_thread_info(const struct corefile_elf *elf, const struct corefile_thread *t,
                                    struct crimg_arena *arena, struct crimg_err *damage,
                                    struct crimg_err *err)
{
	ThreadInfoX86 *out = crimg_arena_alloc(arena, sizeof *out);
	if (out != NULL) {
		thread_info_x86__init(out);
		out->gpregs = general(elf, t, arena);
	}
	if (out == NULL || out->gpregs == NULL) {
		crimg_fail_nomem(err, sizeof *out);
		return NULL;
	}
	out->fpregs = floating(elf, t, arena, damage, err);
	if (out->fpregs == NULL || add_tls(elf, t, out, arena, damage, err) < 0)
		return NULL;
	return out;
}

// A word of NT_PRSTATUS.
static uint64_t word(const struct corefile_elf *elf, const struct corefile_thread *t, size_t at)
{
	if (t->status.data == NULL)
		return 0;
	return elf->is_32 ? crimg_get_u32(t->status.data + at) : crimg_get_u64(t->status.data + at);
}

uint64_t corefile_blocked(const struct corefile_elf *elf, const struct corefile_thread *t)
{
	return word(elf, t, CRIMG_PRSTATUS_SIGHOLD(elf->is_32));
}

uint64_t corefile_stack_pointer(const struct corefile_elf *elf, const struct corefile_thread *t)
{
	return word(elf, t, CRIMG_PRSTATUS_SP(elf->is_32));
}
