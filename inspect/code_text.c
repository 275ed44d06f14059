// What an instruction points at is named where something is known: functions, objects, texts, and
// what a slot of memory that a call goes through holds.
#include "inspect/code_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "inspect/modules.h"
#include "inspect/table.h"

// What is known of one instruction's addresses; "" for nothing.
struct names {
	char symbol[CRIMG_ADDRESS_TEXT_MAX]; // of the target, or of what is referred to
	char string[192];
	bool has_held;
	uint64_t held;                       // the address in the slot that it goes through
};

static bool same_module(const struct crimg_debuggee *d, uint64_t a, uint64_t b)
{
	return crimg_modules_at(d, a) == crimg_modules_at(d, b);
}

// "main+0x4", or with the module when it is another than that of the instruction.
static void name_of(struct crimg_debuggee *d, uint64_t from, uint64_t address, char *out,
		    size_t size)
{
	char symbol[CRIMG_ADDRESS_TEXT_MAX];
	out[0] = '\0';
	if (same_module(d, from, address)) {
		if (!crimg_debuggee_symbol(d, address, address, out, size))
			out[0] = '\0';
	} else if (crimg_debuggee_symbol(d, address, address, symbol, sizeof symbol)
	           || crimg_modules_at(d, address) != NULL) {
		crimg_debuggee_text(d, address, out, size);
	}
}

static bool held_at(struct crimg_debuggee *d, uint64_t address, uint64_t *out)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t slot[8] = { 0 };
	if (crimg_space_read(&d->space, address, slot, d->is_32 ? 4 : 8, &err) <= 0)
		return false;
	*out = crimg_get_u64(slot);
	return *out != 0;
}

static void find_names(struct crimg_debuggee *d, const struct crimg_instruction *in,
		       struct names *out)
{
	*out = (struct names){ .has_held = false };
	if (in->has_target) {
		name_of(d, in->address, in->target, out->symbol, sizeof out->symbol);
	} else if (in->has_reference) {
		out->has_held = in->reference_is_code && held_at(d, in->reference, &out->held);
		name_of(d, in->address, out->has_held ? out->held : in->reference, out->symbol,
		        sizeof out->symbol);
		if (!in->reference_is_code
		    && !crimg_debuggee_string(d, in->reference, out->string, sizeof out->string))
			out->string[0] = '\0';
	}
}

// A number that may be no address is taken for one when something has a name there.
static bool tells_reference(const struct crimg_instruction *in, const struct names *n)
{
	return in->has_reference && !in->has_target
		&& (in->reference_is_sure || n->symbol[0] != '\0' || n->string[0] != '\0');
}

static void bytes_text(const struct crimg_instruction *in,
		       char out[3 * CRIMG_INSTRUCTION_BYTES + 1], const char *between)
{
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < in->length; i++)
		used += (size_t)snprintf(out + used, 3 * CRIMG_INSTRUCTION_BYTES + 1 - used,
					 "%s%02x", i > 0 ? between : "", in->bytes[i]);
}

// "  # 0x404010 <counter> "text""
static void comment_text(const struct crimg_instruction *in, const struct names *n, char *out,
                         size_t size)
{
	char held[32] = "", symbol[CRIMG_ADDRESS_TEXT_MAX + 4] = "";
	if (n->has_held)
		snprintf(held, sizeof held, " -> 0x%" PRIx64, n->held);
	if (n->symbol[0] != '\0')
		snprintf(symbol, sizeof symbol, " <%s>", n->symbol);
	out[0] = '\0';
	if (in->has_target)
		snprintf(out, size, "%s", symbol);
	else if (tells_reference(in, n))
		snprintf(out, size, "  # 0x%" PRIx64 "%s%s%s%s", in->reference, held, symbol,
		         n->string[0] != '\0' ? " " : "", n->string);
}

static void text_line(struct crimg_debuggee *d, const struct crimg_instruction *in,
                      const struct names *n, bool first, bool current)
{
	char symbol[CRIMG_ADDRESS_TEXT_MAX], where[CRIMG_ADDRESS_TEXT_MAX];
	char bytes[3 * CRIMG_INSTRUCTION_BYTES + 1], comment[3 * CRIMG_ADDRESS_TEXT_MAX];
	bool named = crimg_debuggee_symbol(d, in->address, in->address, symbol, sizeof symbol);
	if (first || (named && strstr(symbol, "+0x") == NULL)) {
		crimg_debuggee_text(d, in->address, where, sizeof where);
		char *module = named ? strrchr(where, '(') : NULL;
		crimg_line(d->view, CRIMG_MARK_DIM, named ? "  <%s> %s" : "  %s%s",
		           named ? symbol : where, module != NULL ? module : "");
	}
	bytes_text(in, bytes, " ");
	comment_text(in, n, comment, sizeof comment);
	crimg_line(d->view, current ? CRIMG_MARK_BOLD : CRIMG_MARK_NONE,
		   "%s %*" PRIx64 "  %-21s  %*s%s%s%s", current ? "=>" : "  ", d->is_32 ? 8 : 12,
		   in->address, bytes, in->operands[0] != '\0' ? -6 : 0, in->mnemonic,
		   in->operands[0] != '\0' ? " " : "", in->operands, comment);
}

static void json_line(struct crimg_json *j, const struct crimg_instruction *in,
		      const struct names *n, bool current)
{
	char bytes[3 * CRIMG_INSTRUCTION_BYTES + 1];
	bool refers = tells_reference(in, n);
	bytes_text(in, bytes, "");
	crimg_json_object(j, NULL);
	crimg_json_hex(j, "address", in->address);
	crimg_json_text(j, "bytes", bytes);
	crimg_json_text(j, "mnemonic", in->mnemonic);
	crimg_json_text(j, "operands", in->operands);
	if (in->has_target)
		crimg_json_hex(j, "target", in->target);
	else if (n->has_held)
		crimg_json_hex(j, "target", n->held);
	else
		crimg_json_null(j, "target");
	if (refers)
		crimg_json_hex(j, "reference", in->reference);
	else
		crimg_json_null(j, "reference");
	crimg_json_text(j, "symbol",
			(in->has_target || refers) && n->symbol[0] != '\0' ? n->symbol : NULL);
	crimg_json_text(j, "string", refers && n->string[0] != '\0' ? n->string : NULL);
	crimg_json_bool(j, "current", current);
	crimg_json_end(j);
}

void crimg_code_line(struct crimg_debuggee *d, const struct crimg_instruction *in, bool first,
                     bool current)
{
	struct names names;
	find_names(d, in, &names);
	if (d->view->json != NULL)
		json_line(d->view->json, in, &names, current);
	else
		text_line(d, in, &names, first, current);
}

const char *crimg_code_nameless(struct crimg_debuggee *d, uint64_t address)
{
	const struct crimg_module *m = crimg_debuggee_module(d, address);
	return m != NULL && m->elf == NULL ? m->why : NULL;
}

// Why the file that is mapped cannot serve; NULL: it can.
static const char *file_reason(struct crimg_debuggee *d, const struct crimg_area *area)
{
	struct crimg_file_identity identity;
	struct crimg_module *m = crimg_modules_at(d, area->start);
	const struct crimg_elf_file *file = m != NULL ? crimg_module_file(d, m) : NULL;
	if (file == NULL && crimg_area_identity(d->view, area, &identity))
		file = crimg_sysroot_file(d->view, &identity);
	if (file == NULL)
		return "the file that is mapped is not known";
	return file->fd < 0 ? file->why : "behind the end of the file";
}

void crimg_code_absent(struct crimg_debuggee *d, uint64_t address, char *out, size_t size)
{
	static const char *const words[] = {
		[CRIMG_BYTES_UNMAPPED] = "nothing is mapped there",
		[CRIMG_BYTES_PRIVATE] = "in the image, but cannot be read: ",
		[CRIMG_BYTES_SEGMENT] = "in the image, but cannot be read: ",
		[CRIMG_BYTES_ZERO] = "cannot be read",
		[CRIMG_BYTES_FILE] = "not in the image; ",
		[CRIMG_BYTES_LOST] =
			"not in this image: to be fetched later, or in a parent not at hand",
		[CRIMG_BYTES_KERNEL] = "the kernel's own: no image holds it",
	};
	char where[CRIMG_ADDRESS_TEXT_MAX];
	enum crimg_bytes kind;
	uint64_t end;
	struct crimg_err err = CRIMG_ERR_INIT;
	const struct crimg_area *area = crimg_space_find(&d->space, address);
	if (crimg_space_bytes(&d->space, address, &kind, &end, &err) < 0) {
		snprintf(out, size, "0x%" PRIx64 ": %s", address, err.text);
		return;
	}
	crimg_debuggee_text(d, address, where, sizeof where);
	if (where[0] == '\0')
		snprintf(where, sizeof where, "0x%" PRIx64, address);
	char byte;
	const char *more = kind == CRIMG_BYTES_FILE && area != NULL ? file_reason(d, area) : "";
	if (crimg_space_read(&d->space, address, &byte, 1, &err) < 0)
		more = err.text;
	snprintf(out, size, "%s: %s%s", where, words[kind], more);
}
