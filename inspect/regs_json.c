// View regs as JSON: everything that the image has of one thread's registers. 64-bit values and
// vectors are hex strings, most significant digit first.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/regs_parts.h"

static void text_or_null(struct crimg_json *j, const char *key, const char *text)
{
	crimg_json_text(j, key, text[0] != '\0' ? text : NULL);
}

static void register_member(struct crimg_json *j, const struct crimg_regs *r, const char *name)
{
	struct crimg_reg_facts f;
	if (!crimg_reg_facts(r, name, &f))
		return;
	crimg_json_object(j, f.name);
	crimg_json_hex(j, "value", f.value);
	text_or_null(j, "where", f.where);
	if (f.on_stack)
		crimg_json_u64(j, "above_sp", f.above_sp);
	else
		crimg_json_null(j, "above_sp");
	text_or_null(j, "string", f.string);
	crimg_json_end(j);
}

static void registers(struct crimg_json *j, const struct crimg_regs *r)
{
	const char *const *order = r->is_32 ? crimg_regs_order32 : crimg_regs_order64;
	char words[256];
	crimg_json_object(j, "registers");
	for (size_t i = 0; order[i] != NULL; i++)
		register_member(j, r, order[i]);
	register_member(j, r, r->is_32 ? "orig_eax" : "orig_rax");
	for (size_t i = 0; crimg_regs_others[i] != NULL; i++)
		if (r->is_32 || strstr(crimg_regs_others[i], "_base") != NULL)
			register_member(j, r, crimg_regs_others[i]);
	crimg_json_end(j);
	crimg_json_text(j, "rflags_names",
	                crimg_x86_rflags_text(r->info->gpregs->flags, words, sizeof words));
}

static void call(struct crimg_json *j, const struct crimg_regs *r)
{
	const struct crimg_call *c = &r->call;
	char text[CRIMG_CALL_TEXT_MAX];
	if (c->state == CRIMG_CALL_NONE) {
		crimg_json_null(j, "syscall");
		return;
	}
	crimg_json_object(j, "syscall");
	crimg_json_u64(j, "number", c->number);
	crimg_json_text(j, "name", c->known != NULL ? c->known->name : NULL);
	crimg_json_text(j, "abi", c->abi == CRIMG_ABI_I386 ? "i386" : "x86-64");
	crimg_json_text(j, "state", crimg_call_state_word(c->state));
	crimg_json_text(j, "judged_by", c->code_seen ? "code" : "registers");
	if (c->state >= CRIMG_CALL_INTERRUPTED)
		crimg_json_text(j, "result",
		                crimg_syscall_result_text(c->result, text, sizeof text));
	else
		crimg_json_null(j, "result");
	crimg_json_array(j, "arguments");
	for (size_t i = 0; i < c->arg_count; i++) {
		crimg_json_object(j, NULL);
		crimg_json_text(j, "name", c->args[i].name);
		crimg_json_text(j, "kind", crimg_arg_word(c->args[i].kind));
		crimg_json_hex(j, "value", c->values[i]);
		crimg_json_text(j, "text", crimg_call_arg_text(r->d, c, i, text, sizeof text));
		crimg_json_end(j);
	}
	crimg_json_end(j);
	crimg_json_text(j, "text", crimg_call_text(r->d, c, text, sizeof text));
	crimg_json_end(j);
}

static void segments(struct crimg_json *j, const struct crimg_regs *r)
{
	static const char *const names[] = { "cs", "ss", "ds", "es", "fs", "gs" };
	struct crimg_reg_facts f;
	char words[64];
	crimg_json_object(j, "segments");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!crimg_reg_facts(r, names[i], &f))
			continue;
		crimg_json_object(j, f.name);
		crimg_json_hex(j, "value", f.value);
		crimg_json_text(j, "text", crimg_x86_selector_text(f.value, words, sizeof words));
		crimg_json_end(j);
	}
	crimg_json_end(j);
}

static void tls(struct crimg_json *j, const struct crimg_regs *r)
{
	crimg_json_array(j, "tls");
	for (size_t i = 0; i < r->info->n_tls; i++) {
		const UserDescT *d = r->info->tls[i];
		crimg_json_object(j, NULL);
		crimg_json_u64(j, "entry", d->entry_number);
		crimg_json_hex(j, "base", d->base_addr);
		crimg_json_hex(j, "limit", d->limit);
		crimg_json_bool(j, "limit_in_pages", d->limit_in_pages);
		crimg_json_bool(j, "is_32_bit", d->seg_32bit);
		crimg_json_bool(j, "is_code", d->contents_h);
		crimg_json_bool(j, "conforming_or_expands_down", d->contents_l);
		crimg_json_bool(j, "read_or_execute_only", d->read_exec_only);
		crimg_json_bool(j, "present", !d->seg_not_present);
		crimg_json_bool(j, "usable", d->usable);
		crimg_json_end(j);
		crimg_view_flush(r->view);
	}
	crimg_json_end(j);
}

static void x87(struct crimg_json *j, const UserX86FpregsEntry *fp)
{
	struct crimg_x87_reg st[8];
	char words[256];
	crimg_x87_load(fp, st);
	crimg_json_object(j, "x87");
	crimg_json_hex(j, "control", fp->cwd);
	crimg_json_text(j, "control_names", crimg_x86_fcw_text(fp->cwd, words, sizeof words));
	crimg_json_hex(j, "status", fp->swd);
	crimg_json_text(j, "status_names", crimg_x86_fsw_text(fp->swd, words, sizeof words));
	crimg_json_u64(j, "top", fp->swd >> 11 & 7);
	crimg_json_hex(j, "tag", fp->twd);
	crimg_json_hex(j, "opcode", fp->fop);
	crimg_json_hex(j, "instruction", fp->rip);
	crimg_json_hex(j, "operand", fp->rdp);
	crimg_json_array(j, "registers");
	for (unsigned i = 0; i < 8; i++) {
		crimg_json_object(j, NULL);
		crimg_json_textf(j, "name", "st%u", i);
		crimg_json_u64(j, "physical", st[i].physical);
		crimg_json_text(j, "tag", crimg_x87_tag_word(st[i].tag));
		crimg_json_text(j, "value", st[i].value);
		crimg_json_textf(j, "raw", "0x%s", st[i].raw);
		crimg_json_end(j);
	}
	crimg_json_end(j);
	crimg_json_end(j);
	crimg_json_hex(j, "mxcsr", fp->mxcsr);
	crimg_json_text(j, "mxcsr_names", crimg_x86_mxcsr_text(fp->mxcsr, words, sizeof words));
	crimg_json_hex(j, "mxcsr_mask", fp->mxcsr_mask);
}

static void vectors(struct crimg_json *j, const UserX86FpregsEntry *fp)
{
	struct crimg_vectors v;
	char name[16], text[CRIMG_VECTOR_TEXT_MAX];
	crimg_vectors_load(fp, &v);
	crimg_json_object(j, "vectors");
	crimg_json_u64(j, "bits", 8 * v.bytes);
	crimg_json_object(j, "registers");
	for (unsigned i = 0; i < v.count; i++) {
		snprintf(name, sizeof name, "%s%u",
		         v.bytes == 64 ? "zmm" : v.bytes == 32 ? "ymm" : "xmm", i);
		crimg_json_textf(j, name, "0x%s",
		                 crimg_vector_text(v.value[i], v.bytes, NULL, text, sizeof text));
	}
	crimg_json_end(j);
	crimg_json_object(j, "masks");
	for (unsigned i = 0; v.has_masks && i < 8; i++) {
		snprintf(name, sizeof name, "k%u", i);
		crimg_json_hex(j, name, v.masks[i]);
	}
	crimg_json_end(j);
	crimg_json_end(j);
}

static void keys(struct crimg_json *j, const UserX86XsaveEntry *x)
{
	char words[400];
	if (x == NULL || x->n_pkru == 0) {
		crimg_json_null(j, "pkru");
	} else {
		crimg_json_object(j, "pkru");
		crimg_json_hex(j, "value", x->pkru[0]);
		crimg_json_array(j, "keys");
		for (unsigned key = 0; key < 16; key++) {
			crimg_json_object(j, NULL);
			crimg_json_u64(j, "key", key);
			crimg_json_bool(j, "access", (x->pkru[0] >> 2 * key & 1) == 0);
			crimg_json_bool(j, "write", (x->pkru[0] >> 2 * key & 3) == 0);
			crimg_json_end(j);
		}
		crimg_json_end(j);
		crimg_json_end(j);
	}
	if (x == NULL || x->cet == NULL) {
		crimg_json_null(j, "cet");
		return;
	}
	crimg_json_object(j, "cet");
	crimg_json_hex(j, "value", x->cet->cet);
	crimg_json_text(j, "names", crimg_cet_text(x->cet->cet, words, sizeof words));
	crimg_json_hex(j, "shadow_stack", x->cet->ssp);
	crimg_json_end(j);
}

static void hex_member(struct crimg_view *view, const uint8_t *data, size_t length)
{
	char *hex = malloc(2 * length + 1);
	if (hex == NULL) {
		crimg_fail_nomem(&view->fault, 2 * length);
		return;
	}
	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned)data[i]);
	crimg_json_text_n(view->json, "data", hex, 2 * length);
	free(hex);
}

// Bytes in the order of memory: of components that no other member shows.
static void component_data(const struct crimg_regs *r, unsigned bit,
                           const struct crimg_xstate_part *p)
{
	uint8_t space[1024];
	if (p->raw != NULL)
		hex_member(r->view, p->raw, p->size);
	else if (bit == CRIMG_XSAVE_BNDREGS || bit == CRIMG_XSAVE_BNDCSR)
		hex_member(r->view, space,
		           crimg_x86_component(r->info->fpregs, bit, space, sizeof space));
	else
		crimg_json_null(r->view->json, "data");
}

static void components(struct crimg_json *j, const struct crimg_regs *r)
{
	struct crimg_xstate_part p;
	size_t end = 0;
	crimg_json_array(j, "components");
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!crimg_xstate_part(r, bit, &p))
			continue;
		crimg_json_object(j, NULL);
		crimg_json_u64(j, "bit", bit);
		crimg_json_text(j, "name", p.name);
		if (p.placed)
			crimg_json_u64(j, "offset", p.offset);
		else
			crimg_json_null(j, "offset");
		crimg_json_u64(j, "size", p.size);
		crimg_json_bool(j, "in_use", p.listed);
		crimg_json_bool(j, "present", p.present);
		crimg_json_u64(j, "bytes", p.held);
		component_data(r, bit, &p);
		crimg_json_end(j);
	}
	crimg_json_end(j);
	crimg_json_array(j, "other_bytes");
	for (size_t at = 0; crimg_xstate_rest(r, &at, &end); at = end) {
		crimg_json_object(j, NULL);
		crimg_json_u64(j, "offset", at);
		crimg_json_u64(j, "size", end - at);
		hex_member(r->view, r->note.data + at, end - at);
		crimg_json_end(j);
		crimg_view_flush(r->view);
	}
	crimg_json_end(j);
}

void crimg_regs_json(struct crimg_regs *r)
{
	struct crimg_json *j = r->view->json;
	const UserX86FpregsEntry *fp = r->info->fpregs;
	registers(j, r);
	call(j, r);
	segments(j, r);
	tls(j, r);
	crimg_json_hex(j, "clear_tid_address", r->info->clear_tid_addr);
	x87(j, fp);
	vectors(j, fp);
	keys(j, fp->xsave);
	if (fp->xsave != NULL)
		crimg_json_hex(j, "xstate_bv", fp->xsave->xstate_bv);
	else
		crimg_json_null(j, "xstate_bv");
	components(j, r);
}
