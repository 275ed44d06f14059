// View code: the instructions that threads stand at, or those at --at. What decodes them knows no
// tasks (inspect/disassemble.h); what names their addresses is the debuggee.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/x86.h"
#include "inspect/code_text.h"
#include "inspect/command.h"

#define DEFAULT_COUNT 16u
#define BEFORE_SHARE 4u          // one in so many stands before the current one
#define MAX_BEFORE 64u
#define FUNCTION_BYTES 65536u    // how far back a function's begin may lie to be decoded from

// One place to show.
struct place {
	struct crimg_debuggee *d;
	const struct crimg_thread *thread;
	struct crimg_disassembler *disassembler;
	bool is_32, has_ip;
	uint64_t ip;             // of the thread
	uint64_t address;        // what was asked for
	uint64_t end;            // exclusive; 0: count tells
	uint64_t count;          // of instructions, at most
};

// The bytes of a place, some at a time.
struct bytes {
	uint64_t address;        // of data[at]
	size_t at, have;
	uint8_t data[4096];
};

// Where pages are cut short, what is before the cut is still read.
static size_t read_at(struct place *p, uint64_t address, uint8_t *out, size_t length)
{
	struct crimg_view *view = p->d->view;
	for (; length > 0; length /= 2) {
		struct crimg_err err = CRIMG_ERR_INIT;
		size_t got = 0;
		if (crimg_space_read_some(&p->d->space, address, out, length, &got, &err) == 0)
			return got;
		if (err.code == CRIMG_E_UNSUPPORTED)
			return 0; // a pipe gives no memory; that is no damage
		if (view->damage.code == CRIMG_OK)
			view->damage = err;
	}
	return 0;
}

static bool read_more(struct place *p, struct bytes *b)
{
	size_t left = b->have - b->at;
	uint64_t next = b->address + left;
	if (left >= CRIMG_INSTRUCTION_BYTES)
		return true;
	memmove(b->data, b->data + b->at, left);
	b->at = 0;
	b->have = left;
	if (next >= b->address)
		b->have += read_at(p, next, b->data + left, sizeof b->data - left);
	return b->have > 0;
}

// The instruction at b; false when there are no bytes.
static bool next_instruction(struct place *p, struct bytes *b, struct crimg_instruction *out)
{
	if (!read_more(p, b))
		return false;
	crimg_disassemble(p->disassembler, b->data + b->at, b->have - b->at, b->address, out);
	b->at += out->length;
	b->address += out->length;
	return true;
}

// Goes from start to p->address and keeps where the last instructions before it begin, the newest
// at [count - 1]. False when no instruction ends there.
static bool steps_to(struct place *p, uint64_t start, uint64_t *begins, size_t size, size_t *count)
{
	struct bytes b = { .address = start };
	struct crimg_instruction in;
	*count = 0;
	while (b.address < p->address && next_instruction(p, &b, &in)) {
		if (*count == size)
			memmove(begins, begins + 1, --*count * sizeof *begins);
		begins[(*count)++] = in.address;
	}
	return b.address == p->address;
}

// The begin of the function that address lies in, if that is known and near; else 0.
static uint64_t function_begin(struct crimg_debuggee *d, uint64_t address)
{
	struct crimg_module *m = crimg_debuggee_module(d, address);
	const struct crimg_symbols *symbols = m != NULL ? crimg_module_symbols(d, m) : NULL;
	const struct crimg_symbol *s =
		symbols != NULL ? crimg_symbols_find(symbols, address - m->bias) : NULL;
	if (s == NULL || !s->function || address - m->bias - s->value > FUNCTION_BYTES)
		return 0;
	return m->bias + s->value;
}

#define GUESS_FROM 64u           // bytes before the address
#define GUESS_TO 32u

// x86 code read from a wrong byte falls in step soon. When nearly all starts far enough before
// agree on the last instructions, these are taken; of fewer nothing is shown.
static bool guess(struct place *p, uint64_t *begins, size_t size, size_t *count)
{
	uint64_t first[MAX_BEFORE], other[MAX_BEFORE];
	size_t n = 0, m;
	unsigned agreed = 0;
	const struct crimg_area *area = crimg_space_find(&p->d->space, p->address);
	if (area == NULL || p->address - area->start < GUESS_FROM)
		return false;
	size = size < 4 ? size : 4;
	for (unsigned back = GUESS_FROM; back > GUESS_TO; back--) {
		if (!steps_to(p, p->address - back, other, size, &m) || m < size)
			continue;
		if (agreed == 0) {
			n = m;
			memcpy(first, other, sizeof first);
		}
		agreed += memcmp(first, other, n * sizeof *first) == 0;
	}
	if (agreed * 4 < (GUESS_FROM - GUESS_TO) * 3)
		return false;
	memcpy(begins, first, n * sizeof *first);
	*count = n;
	return true;
}

// Where to begin so that some instructions stand before p->address: that itself when there are none
// that are sure.
static uint64_t begin_before(struct place *p, bool *guessed)
{
	uint64_t begins[MAX_BEFORE];
	size_t count, size = (size_t)crimg_min_u64(p->count / BEFORE_SHARE, MAX_BEFORE);
	uint64_t function = function_begin(p->d, p->address);
	*guessed = false;
	if (size == 0)
		return p->address;
	if (function != 0)
		return steps_to(p, function, begins, size, &count) && count > 0 ? begins[0]
										: p->address;
	*guessed = guess(p, begins, size, &count);
	return *guessed && count > 0 ? begins[0] : p->address;
}

// Shows until the place's end. Why it stopped before that: "" when it did not.
static void show_instructions(struct place *p, uint64_t start, char *why, size_t size)
{
	struct crimg_view *view = p->d->view;
	struct bytes b = { .address = start };
	struct crimg_instruction in;
	uint64_t n = 0;
	why[0] = '\0';
	for (; n < p->count && (p->end == 0 || b.address < p->end) && !crimg_view_failed(view);
	     n++) {
		if (!next_instruction(p, &b, &in)) {
			crimg_code_absent(p->d, b.address, why, size);
			return;
		}
		crimg_code_line(p->d, &in, n == 0, p->has_ip && in.address == p->ip);
		crimg_view_flush(view);
		if (in.address + in.length < in.address)
			return; // the end of the address space
	}
	if (p->end != 0 && b.address < p->end && n == p->count)
		snprintf(why, size, "%" PRIu64 " instructions are shown; --limit allows up to %u",
			 n, CRIMG_MAX_INSTRUCTIONS);
}

static void begin_place(const struct place *p, bool guessed)
{
	struct crimg_json *j = p->d->view->json;
	char label[64], where[CRIMG_ADDRESS_TEXT_MAX];
	crimg_debuggee_text(p->d, p->address, where, sizeof where);
	struct crimg_err err = CRIMG_ERR_INIT;
	char byte; // without bytes that is the smaller worry
	const char *why = crimg_space_read(&p->d->space, p->address, &byte, 1, &err) > 0
		? crimg_code_nameless(p->d, p->address) : NULL;
	crimg_heading(p->d->view, "%s, thread %u, %s code at 0x%" PRIx64 "%s%s%s",
		      crimg_task_label(p->d->task, label, sizeof label), p->thread->tid,
		      p->is_32 ? "32-bit" : "64-bit", p->address, where[0] != '\0' ? ", " : "",
		      where, guessed ? "; what stands before it is a guess" : "");
	if (why != NULL)
		crimg_line(p->d->view, CRIMG_MARK_DIM, "  without names: %s", why);
	if (j == NULL)
		return;
	crimg_json_object(j, NULL);
	crimg_task_json(p->d->view, p->d->task);
	crimg_json_u64(j, "tid", p->thread->tid);
	crimg_json_text(j, "mode", p->is_32 ? "32-bit" : "64-bit");
	if (p->has_ip)
		crimg_json_hex(j, "ip", p->ip);
	else
		crimg_json_null(j, "ip");
	crimg_json_hex(j, "address", p->address);
	crimg_json_text(j, "where", where[0] != '\0' ? where : NULL);
	crimg_json_bool(j, "before_is_guess", guessed);
	crimg_json_text(j, "without_names", why);
	crimg_json_array(j, "instructions");
}

static void end_place(const struct place *p, const char *why)
{
	struct crimg_json *j = p->d->view->json;
	if (why[0] != '\0')
		crimg_line(p->d->view, CRIMG_MARK_WARN, "  %s", why);
	if (j == NULL)
		return;
	crimg_json_end(j);
	crimg_json_text(j, "reason", why[0] != '\0' ? why : NULL);
	crimg_json_end(j);
}

static void show_place(struct place *p, bool with_before)
{
	char why[CRIMG_ADDRESS_TEXT_MAX + 256];
	bool guessed = false;
	p->disassembler = crimg_disassembler_open(p->is_32, p->d->view->options->intel,
	                                          &p->d->view->fault);
	if (p->disassembler == NULL)
		return;
	uint64_t start = with_before ? begin_before(p, &guessed) : p->address;
	begin_place(p, guessed);
	show_instructions(p, start, why, sizeof why);
	end_place(p, why);
	crimg_disassembler_close(p->disassembler);
}

static struct place place_of(struct crimg_debuggee *d, const struct crimg_thread *thread)
{
	const CoreEntry *core = thread->core;
	const UserX86RegsEntry *regs =
		core != NULL && core->thread_info != NULL ? core->thread_info->gpregs : NULL;
	uint32_t limit = d->view->options->limit;
	return (struct place){
		.d = d, .thread = thread, .has_ip = regs != NULL, .ip = regs != NULL ? regs->ip : 0,
		.is_32 = regs != NULL ? crimg_x86_is_32(regs) : d->is_32,
		.address = regs != NULL ? regs->ip : 0,
		.count = limit == 0 ? DEFAULT_COUNT : crimg_min_u64(limit, CRIMG_MAX_INSTRUCTIONS),
	};
}

// False when --at names nothing in this task.
static bool show_asked(struct crimg_debuggee *d, const struct crimg_thread *thread)
{
	const char *at = d->view->options->at;
	struct place p = place_of(d, thread);
	uint64_t length;
	if (crimg_debuggee_place(d, thread, at, &p.address, &length, &d->view->fault) <= 0)
		return false;
	if (length > 0) {
		p.end = length > UINT64_MAX - p.address ? UINT64_MAX : p.address + length;
		if (d->view->options->limit == 0)
			p.count = CRIMG_MAX_INSTRUCTIONS;
	}
	show_place(&p, false);
	return true;
}

static void show_unknown(struct crimg_debuggee *d, const struct crimg_thread *thread)
{
	struct crimg_json *j = d->view->json;
	static const char why[] = "its registers are not in the image, or not those of x86";
	char label[64];
	crimg_heading(d->view, "%s, thread %u", crimg_task_label(d->task, label, sizeof label),
		      thread->tid);
	crimg_line(d->view, CRIMG_MARK_WARN, "  %s", why);
	if (j == NULL)
		return;
	crimg_json_object(j, NULL);
	crimg_task_json(d->view, d->task);
	crimg_json_u64(j, "tid", thread->tid);
	crimg_json_null(j, "mode");
	crimg_json_null(j, "ip");
	crimg_json_null(j, "address");
	crimg_json_null(j, "where");
	crimg_json_bool(j, "before_is_guess", false);
	crimg_json_null(j, "without_names");
	crimg_json_array(j, "instructions");
	crimg_json_end(j);
	crimg_json_text(j, "reason", why);
	crimg_json_end(j);
}

// What --at names is the same for all threads, but for registers.
static bool show_task(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_debuggee d;
	const char *at = view->options->at;
	bool found = false;
	if (!crimg_debuggee_open(view, task, &d))
		return false;
	for (size_t i = 0; i < task->thread_count && !crimg_view_failed(view); i++) {
		const struct crimg_thread *thread = &task->threads[i];
		struct place p = place_of(&d, thread);
		if (!crimg_view_wants_thread(view, thread))
			continue;
		if (at != NULL)
			found |= show_asked(&d, thread);
		else if (p.has_ip)
			show_place(&p, true);
		else
			show_unknown(&d, thread);
		if (at != NULL && at[0] != '$')
			break;
	}
	crimg_debuggee_close(&d);
	return found;
}

void crimg_view_code(struct crimg_view *view)
{
	bool found = false;
	crimg_group_array(view, "code");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		if (task->state != CRIMG_TASK_DEAD && crimg_view_wants(view, task))
			found |= show_task(view, task);
	}
	crimg_group_end(view);
	if (view->options->at != NULL && !found && !crimg_view_failed(view))
		crimg_fail(&view->fault, CRIMG_E_NOTFOUND, "--at", CRIMG_NO_OFFSET,
		           "%s: no process has a mapping, symbol or register of that name",
		           view->options->at);
}
