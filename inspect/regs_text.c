// View regs for people: one thread as lines of name and value. By default general registers in full
// and one line of floating point; with --all everything. What is missing or out of the ordinary is
// always told.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "inspect/regs_parts.h"
#include "inspect/table.h"
#include "format/text_add.h"

#define MXCSR_START 0x1f80u     // what a process starts with
#define PKRU_START 0x55555554u
#define RAW_SHOWN 32u           // bytes on a line
#define TLS_SHOWN 16u           // descriptors; the kernel has 3

#define LABELS 64u // st0 to st7, 32 vectors, k0 to k7, bnd0 to bnd3

// Lines of one thread. Labels must live until the record is rendered.
struct lines {
	struct crimg_table t;
	char labels[LABELS][16];
	size_t label_count;
};

static void row(struct lines *l, const char *label, const char *text)
{
	crimg_field(&l->t, NULL, label);
	crimg_cell_text(&l->t, text);
}

static void begin(struct lines *l, struct crimg_view *view)
{
	crimg_record_begin(&l->t, view, NULL);
	l->t.indent = 2;
}

// Lets go of what has gathered. No label is so long that the next lines would begin elsewhere.
static void write_away(struct lines *l)
{
	struct crimg_view *view = l->t.view;
	crimg_table_end(&l->t);
	crimg_view_flush(view);
	begin(l, view);
}

static void numbered_row(struct lines *l, const char *name, unsigned number, const char *text)
{
	char *label = l->labels[l->label_count < LABELS ? l->label_count++ : LABELS - 1];
	snprintf(label, sizeof l->labels[0], "%s%u", name, number);
	row(l, label, text);
}

// Digits of a register of this thread's mode; more when more bits are set than it has.
static int digits(const struct crimg_regs *r, uint64_t value)
{
	return r->is_32 && value <= UINT32_MAX ? 8 : 16;
}

// What a value is that is no address: a number, when it is not too large and not plain to see.
static void add_number(const struct crimg_regs *r, uint64_t value, char *out, size_t size)
{
	int64_t n = r->is_32 ? (int32_t)(uint32_t)value : (int64_t)value;
	if ((n >= 10 && n <= INT32_MAX) || (n < 0 && n >= -65536))
		crimg_text_add(out, size, "  %" PRId64, n);
}

static void register_row(struct lines *l, const struct crimg_regs *r, const char *name)
{
	struct crimg_reg_facts f;
	char text[1024], words[256];
	if (!crimg_reg_facts(r, name, &f))
		return;
	snprintf(text, sizeof text, "%0*" PRIx64, digits(r, f.value), f.value);
	if (strcmp(f.name, "eflags") == 0)
		crimg_text_add(text, sizeof text, "  %s",
		               crimg_x86_rflags_text(f.value, words, sizeof words));
	else if (f.where[0] == '\0')
		add_number(r, f.value, text, sizeof text);
	else
		crimg_text_add(text, sizeof text, "  %s", f.where);
	if (f.on_stack && strstr(f.name, "_base") == NULL)
		crimg_text_add(text, sizeof text, "  sp+0x%" PRIx64, f.above_sp);
	if (f.string[0] != '\0')
		crimg_text_add(text, sizeof text, "  %s", f.string);
	row(l, f.name, text);
}

static void call_row(struct lines *l, const struct crimg_regs *r)
{
	char call[CRIMG_CALL_TEXT_MAX], state[96];
	crimg_field(&l->t, NULL, "syscall");
	if (r->call.state == CRIMG_CALL_NONE) {
		crimg_cell_mark(&l->t, CRIMG_MARK_DIM);
		crimg_cell_text(&l->t, "none: it ran code of its own");
		return;
	}
	crimg_cell_textf(&l->t, "%s: %s", crimg_call_text(r->d, &r->call, call, sizeof call),
	                 crimg_call_state_text(&r->call, state, sizeof state));
}

static void registers(struct lines *l, const struct crimg_regs *r)
{
	const char *const *order = r->is_32 ? crimg_regs_order32 : crimg_regs_order64;
	struct crimg_reg_facts f;
	for (size_t i = 0; order[i] != NULL; i++)
		register_row(l, r, order[i]);
	// Of a 32-bit thread these come last, when they are not 0; of a 64-bit one the bases do.
	for (size_t i = 0; crimg_regs_others[i] != NULL; i++) {
		bool base = strstr(crimg_regs_others[i], "_base") != NULL;
		if ((base || r->is_32) && crimg_reg_facts(r, crimg_regs_others[i], &f)
		    && (f.value != 0 || (base && r->view->options->all)))
			register_row(l, r, crimg_regs_others[i]);
	}
	if (r->view->options->all)
		register_row(l, r, r->is_32 ? "orig_eax" : "orig_rax");
}

static void segments(struct lines *l, const struct crimg_regs *r)
{
	static const char *const names[] = { "cs", "ss", "ds", "es", "fs", "gs" };
	struct crimg_reg_facts f;
	char text[512] = "", words[64];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (crimg_reg_facts(r, names[i], &f)
		    && (f.value != 0 || i < 2 || r->view->options->all))
			crimg_text_add(text, sizeof text, "%s%s %" PRIx64 " (%s)",
			               i > 0 ? ", " : "", f.name, f.value,
			               crimg_x86_selector_text(f.value, words, sizeof words));
	row(l, "segments", text);
}

static bool is_empty_slot(const UserDescT *d)
{
	return d->base_addr == 0 && d->limit == 0 && d->seg_not_present;
}

static void descriptor_text(const UserDescT *d, char *out, size_t size)
{
	const char *direction = d->contents_h ? ", conforming" : ", expands down";
	const char *only = d->contents_h ? ", execute only" : ", read only";
	snprintf(out, size, "GDT %" PRIu32 ": ", d->entry_number);
	if (is_empty_slot(d)) {
		crimg_text_add(out, size, "empty");
		return;
	}
	crimg_text_add(out, size, "base %08" PRIx32 ", limit %" PRIx32 "%s, %s %s", d->base_addr,
	               d->limit, d->limit_in_pages ? " pages" : "",
	               d->seg_32bit ? "32-bit" : "16-bit", d->contents_h ? "code" : "data");
	crimg_text_add(out, size, "%s%s%s%s", d->contents_l ? direction : "",
	               d->read_exec_only ? only : "", d->seg_not_present ? ", not present" : "",
	               d->usable ? ", usable" : "");
}

static void tls(struct lines *l, const struct crimg_regs *r)
{
	char text[256];
	for (size_t i = 0; i < r->info->n_tls && i < TLS_SHOWN; i++) {
		const UserDescT *d = r->info->tls[i];
		if (is_empty_slot(d) && !r->view->options->all)
			continue;
		descriptor_text(d, text, sizeof text);
		row(l, "tls", text);
	}
	if (r->info->n_tls > TLS_SHOWN) {
		snprintf(text, sizeof text, "%zu more (--json shows them)",
		         r->info->n_tls - TLS_SHOWN);
		row(l, "tls", text);
	}
}

// "xmm0-3 xmm7": the registers in mask.
static void add_ranges(char *out, size_t size, const char *prefix, uint32_t mask)
{
	for (unsigned i = 0, last; i < 32; i = last + 1) {
		for (last = i; last < 31 && (mask >> i & 1) != 0 && (mask >> (last + 1) & 1) != 0;)
			last++;
		if ((mask >> i & 1) == 0)
			continue;
		crimg_text_add(out, size, "%s%s%u", out[0] != '\0' ? " " : "", prefix, i);
		if (last > i)
			crimg_text_add(out, size, "-%u", last);
	}
}

static const char *const names_by_width[] = { "xmm", "ymm", "zmm" }; // of 16, 32, 64 bytes

static void add_vectors(const struct crimg_vectors *v, char *out, size_t size)
{
	uint32_t masks = 0, used[3] = { 0 };
	char text[512] = "";
	for (unsigned i = 0; i < v->count; i++) {
		unsigned width = crimg_vector_width(v, i);
		if (width > 0)
			used[width / 32] |= 1u << i;
	}
	for (unsigned i = 0; i < 3; i++)
		add_ranges(text, sizeof text, names_by_width[i], used[i]);
	for (unsigned i = 0; i < 8; i++)
		masks |= (uint32_t)(v->masks[i] != 0) << i;
	add_ranges(text, sizeof text, "k", masks);
	crimg_text_add(out, size, "; %s", text[0] != '\0' ? text : "vectors all zero");
}

static void fpu_line(struct lines *l, const struct crimg_regs *r, const struct crimg_vectors *v)
{
	const UserX86FpregsEntry *fp = r->info->fpregs;
	struct crimg_x87_reg st[8];
	char text[1024] = "", words[256];
	uint32_t used = 0;
	crimg_x87_load(fp, st);
	for (unsigned i = 0; i < 8; i++)
		used |= (uint32_t)(st[i].tag != CRIMG_X87_EMPTY) << i;
	add_ranges(text, sizeof text, "st", used);
	if (used == 0)
		crimg_text_add(text, sizeof text, "x87 empty");
	add_vectors(v, text, sizeof text);
	crimg_text_add(text, sizeof text, "; mxcsr %" PRIx32, fp->mxcsr);
	if (fp->mxcsr != MXCSR_START)
		crimg_text_add(text, sizeof text, " %s",
		               crimg_x86_mxcsr_text(fp->mxcsr, words, sizeof words));
	row(l, "fpu", text);
}

static void x87_rows(struct lines *l, const UserX86FpregsEntry *fp)
{
	struct crimg_x87_reg st[8];
	char text[256], words[128];
	snprintf(text, sizeof text, "%04" PRIx32 "  %s", fp->cwd,
	         crimg_x86_fcw_text(fp->cwd, words, sizeof words));
	row(l, "fctrl", text);
	snprintf(text, sizeof text, "%04" PRIx32 "%s%s", fp->swd, fp->swd != 0 ? "  " : "",
	         crimg_x86_fsw_text(fp->swd, words, sizeof words));
	row(l, "fstat", text);
	snprintf(text, sizeof text, "%02" PRIx32 "  ", fp->twd);
	crimg_x87_load(fp, st);
	for (unsigned i = 0; i < 8; i++)
		crimg_text_add(text, sizeof text, "%s%s", i > 0 ? " " : "",
		               crimg_x87_tag_word(st[i].tag));
	row(l, "ftag", text);
	snprintf(text, sizeof text,
	         "opcode %03" PRIx32 ", instruction %" PRIx64 ", operand %" PRIx64, fp->fop,
	         fp->rip, fp->rdp);
	row(l, "flast", text);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(text, sizeof text, "%s  %-7s  %s", st[i].raw,
		         crimg_x87_tag_word(st[i].tag), st[i].value);
		numbered_row(l, "st", i, text);
	}
	snprintf(text, sizeof text, "%04" PRIx32 "  %s; mask %" PRIx32, fp->mxcsr,
	         crimg_x86_mxcsr_text(fp->mxcsr, words, sizeof words), fp->mxcsr_mask);
	row(l, "mxcsr", text);
}

// Each register as wide as it is in use; those that are zero share a line.
static void vector_rows(struct lines *l, const struct crimg_vectors *v)
{
	const char *widest = names_by_width[v->bytes / 32];
	char text[CRIMG_VECTOR_TEXT_MAX], zeros[512] = "";
	uint32_t zero = 0;
	for (unsigned i = 0; i < v->count; i++) {
		unsigned width = crimg_vector_width(v, i);
		if (width == 0)
			zero |= 1u << i;
		else
			numbered_row(l, names_by_width[width / 32], i,
			             crimg_vector_text(v->value[i], width, " ", text, sizeof text));
	}
	add_ranges(zeros, sizeof zeros, widest, zero);
	if (zero != 0)
		row(l, "zero", zeros);
	for (unsigned i = 0; v->has_masks && i < 8; i++) {
		snprintf(text, sizeof text, "%016" PRIx64, v->masks[i]);
		numbered_row(l, "k", i, text);
	}
}

static void keys_row(struct lines *l, const struct crimg_regs *r)
{
	const UserX86XsaveEntry *x = r->info->fpregs->xsave;
	char text[512], words[400];
	if (x == NULL)
		return;
	if (x->n_pkru > 0 && (x->pkru[0] != PKRU_START || r->view->options->all)) {
		snprintf(text, sizeof text, "%08" PRIx32 "  %s", x->pkru[0],
		         crimg_pkru_text(x->pkru[0], words, sizeof words));
		row(l, "pkru", text);
	}
	if (x->cet != NULL && (x->cet->cet != 0 || x->cet->ssp != 0)) {
		snprintf(text, sizeof text, "%" PRIx64 "  %s; shadow stack %016" PRIx64,
		         x->cet->cet, crimg_cet_text(x->cet->cet, words, sizeof words),
		         x->cet->ssp);
		row(l, "cet", text);
	}
}

// Lines of zeros that follow one are left out, as hexdump(1) does.
static void raw_rows(struct lines *l, const uint8_t *data, size_t length)
{
	char text[2 * RAW_SHOWN + RAW_SHOWN / 8 + 24];
	bool zeros = false;
	for (size_t at = 0; at < length; at += RAW_SHOWN) {
		size_t n = length - at < RAW_SHOWN ? length - at : RAW_SHOWN;
		bool zero = crimg_all_zero(data + at, n);
		if (zero && zeros && at + n < length)
			continue;
		snprintf(text, sizeof text, "%04zx ", at);
		for (size_t i = 0; i < n; i++)
			crimg_text_add(text, sizeof text, "%s%02x", i % 8 == 0 ? " " : "",
			               (unsigned)data[at + i]);
		row(l, "", text);
		zeros = zero;
	}
}

// Without --all a component has a row when something is missing, or when nothing else shows it.
static void component_row(struct lines *l, const struct crimg_regs *r, unsigned bit)
{
	struct crimg_xstate_part p;
	char text[256];
	if (!crimg_xstate_part(r, bit, &p))
		return;
	bool all = r->view->options->all, odd = p.present && p.held < p.size;
	bool plain = bit <= CRIMG_XSAVE_HI16_ZMM || bit == CRIMG_XSAVE_PKRU;
	if (!all && p.present && (plain || !p.listed) && !odd)
		return;
	snprintf(text, sizeof text, "%u %s: %s", bit, p.name != NULL ? p.name : "unknown component",
	         p.listed ? "in use" : "in its initial state");
	if (p.placed)
		crimg_text_add(text, sizeof text, ", %" PRIu32 " B at %" PRIu32, p.size, p.offset);
	if (!p.present)
		crimg_text_add(text, sizeof text, ", listed in the header, not in the image");
	else if (odd)
		crimg_text_add(text, sizeof text, ", only %zu B in the image", p.held);
	else if (p.raw != NULL)
		crimg_text_add(text, sizeof text, ", kept from the ELF core");
	row(l, "xsave", text);
	if (all && p.raw != NULL)
		raw_rows(l, p.raw, p.size);
}

// Bounds registers have no line of their own but this.
static void bounds_rows(struct lines *l, const struct crimg_regs *r)
{
	const UserX86XsaveEntry *x = r->info->fpregs->xsave;
	char text[64];
	for (size_t i = 0; x != NULL && i + 1 < x->n_bndreg_state && i < 8; i += 2) {
		snprintf(text, sizeof text, "%016" PRIx64 " to %016" PRIx64, x->bndreg_state[i],
		         ~x->bndreg_state[i + 1]);
		numbered_row(l, "bnd", (unsigned)i / 2, text);
	}
	for (size_t i = 0; x != NULL && i < x->n_bndcsr_state && i < 2; i++) {
		snprintf(text, sizeof text, "%016" PRIx64, x->bndcsr_state[i]);
		row(l, i == 0 ? "bndcfgu" : "bndstatus", text);
	}
}

static void rest_rows(struct lines *l, const struct crimg_regs *r)
{
	char text[128];
	size_t end = 0;
	for (size_t at = 0; crimg_xstate_rest(r, &at, &end); at = end) {
		snprintf(text, sizeof text,
		         "%zu B at %zu of no known component, kept from the ELF core", end - at,
		         at);
		row(l, "xsave", text);
		if (r->view->options->all)
			raw_rows(l, r->note.data + at, end - at);
		write_away(l);
	}
}

void crimg_regs_text(struct crimg_regs *r)
{
	struct lines lines = { .label_count = 0 }, *l = &lines;
	struct crimg_vectors vectors;
	char text[32];
	crimg_vectors_load(r->info->fpregs, &vectors);
	begin(l, r->view);
	call_row(l, r);
	registers(l, r);
	segments(l, r);
	tls(l, r);
	if (r->view->options->all) {
		snprintf(text, sizeof text, "%016" PRIx64, r->info->clear_tid_addr);
		row(l, "clear_tid", text);
		x87_rows(l, r->info->fpregs);
		vector_rows(l, &vectors);
		bounds_rows(l, r);
	} else {
		fpu_line(l, r, &vectors);
	}
	keys_row(l, r);
	for (unsigned bit = 0; bit < 64; bit++)
		component_row(l, r, bit);
	rest_rows(l, r);
	crimg_table_end(&l->t);
}
