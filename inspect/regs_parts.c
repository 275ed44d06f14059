// General registers with what they point at.
#include "inspect/regs_parts.h"

bool crimg_reg_facts(const struct crimg_regs *r, const char *name, struct crimg_reg_facts *out)
{
	const struct crimg_x86_reg *reg = crimg_x86_reg_named(r->is_32, name);
	const UserX86RegsEntry *regs = r->info->gpregs;
	if (reg == NULL)
		return false;
	out->name = reg->name;
	out->value = crimg_x86_reg(regs, reg);
	out->address = crimg_x86_reg_is_address(name);
	out->where[0] = out->string[0] = '\0';
	out->on_stack = false;
	if (!out->address)
		return true;
	crimg_debuggee_text(r->d, out->value, out->where, sizeof out->where);
	if (!crimg_debuggee_string(r->d, out->value, out->string, sizeof out->string))
		out->string[0] = '\0';
	const struct crimg_area *area = crimg_space_find(&r->d->space, out->value);
	out->on_stack = area != NULL && out->value >= regs->sp && regs->sp >= area->start
		&& reg->offset != offsetof(UserX86RegsEntry, sp);
	out->above_sp = out->value - regs->sp;
	return true;
}
