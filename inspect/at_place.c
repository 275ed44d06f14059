// --at, understood for one task: numbers, mappings, symbols, registers.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/x86.h"
#include "inspect/area_text.h"
#include "inspect/debuggee.h"
#include "inspect/file_text.h"

#define NAME_MAX_BYTES 4096u

struct asked {
	struct crimg_debuggee *d;
	const struct crimg_thread *thread; // NULL: no registers
	struct crimg_err *err;
};

static int refuse(struct crimg_err *err, const char *text, const char *why)
{
	return crimg_fail(err, CRIMG_E_USAGE, "--at", CRIMG_NO_OFFSET, "%s: %s", text, why);
}

// All of [text, end): decimal, or hex behind 0x.
static bool number(const char *text, const char *end, uint64_t *out)
{
	char copy[32], *stop;
	size_t length = (size_t)(end - text);
	if (length == 0 || length >= sizeof copy || *text < '0' || *text > '9')
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	bool hex = copy[0] == '0' && copy[1] == 'x' && copy[2] != '\0' && copy[2] != '-'
		   && copy[2] != '+';
	errno = 0;
	unsigned long long value = strtoull(hex ? copy + 2 : copy, &stop, hex ? 16 : 10);
	if (*stop != '\0' || errno != 0)
		return false;
	*out = value;
	return true;
}

// "ADDR", "ADDR+LEN", "ADDR-END". 1; 0: it is none of these; -1: err.
static int numeric(const char *text, uint64_t *address, uint64_t *length, struct crimg_err *err)
{
	const char *mark = strpbrk(text, "+-"), *end = text + strlen(text);
	uint64_t start, second = 0;
	if (!number(text, mark != NULL ? mark : end, &start))
		return 0;
	if (mark != NULL && !number(mark + 1, end, &second))
		return 0;
	if (mark != NULL && *mark == '-' && second <= start)
		return refuse(err, text, "the range ends before it begins");
	*address = start;
	*length = mark != NULL && *mark == '-' ? second - start : second;
	return 1;
}

// gdb's names for what both modes have.
static const char *other_name(const char *name, bool is_32)
{
	static const char *const rows[][3] = {
		{ "pc", "rip", "eip" }, { "sp", "rsp", "esp" }, { "fp", "rbp", "ebp" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(name, rows[i][0]) == 0)
			return rows[i][1 + is_32];
	return name;
}

static const struct crimg_x86_reg *find_register(const char *name, bool is_32)
{
	const struct crimg_x86_reg *regs = is_32 ? crimg_x86_regs32 : crimg_x86_regs64;
	size_t count = is_32 ? CRIMG_X86_REGS32 : CRIMG_X86_REGS64;
	name = other_name(name, is_32);
	for (size_t i = 0; i < count; i++)
		if (strcmp(regs[i].name, name) == 0)
			return &regs[i];
	return NULL;
}

static int by_register(const struct asked *a, const char *name, uint64_t *address)
{
	const CoreEntry *core = a->thread != NULL ? a->thread->core : NULL;
	if (strchr(name, '+') != NULL)
		return 0; // the caller goes on with what is before it
	if (find_register(name, false) == NULL && find_register(name, true) == NULL)
		return refuse(a->err, name, "no register has this name");
	if (core == NULL || core->thread_info == NULL)
		return 0;
	const UserX86RegsEntry *regs = core->thread_info->gpregs;
	const struct crimg_x86_reg *reg = find_register(name, crimg_x86_is_32(regs));
	if (reg == NULL)
		return 0; // of the other mode
	*address = crimg_x86_reg(regs, reg);
	return 1;
}

static bool is_named(const char *full, const char *name)
{
	const char *slash = strrchr(full, '/');
	return strcmp(full, name) == 0 || (slash != NULL && strcmp(slash + 1, name) == 0);
}

// The first area of that name.
static const struct crimg_area *by_mapping(struct crimg_debuggee *d, const char *name)
{
	char text[CRIMG_FILE_TEXT_MAX + 16];
	for (size_t i = 0; i < d->space.count; i++) {
		const struct crimg_area *area = &d->space.areas[i];
		const struct crimg_file *file = NULL;
		if ((area->vma->status & CRIMG_VMA_FILE) != 0 && area->vma->shmid <= UINT32_MAX)
			file = crimg_files_find(&d->view->files, (uint32_t)area->vma->shmid);
		const char *path = file != NULL ? crimg_file_path(file) : NULL;
		if (path == NULL) {
			crimg_area_text(d->view, d->task, area->vma, text, sizeof text);
			char *comma = strchr(text, ',');
			if (comma != NULL)
				*comma = '\0';
			path = text;
		}
		if (path[0] != '\0' && is_named(path, name))
			return area;
	}
	return NULL;
}

static bool in_module(struct crimg_debuggee *d, struct crimg_module *m, const char *name,
                      uint64_t *address)
{
	const struct crimg_symbols *symbols = crimg_module_symbols(d, m);
	const struct crimg_symbol *s = symbols != NULL ? crimg_symbols_named(symbols, name) : NULL;
	if (s != NULL)
		*address = m->bias + s->value;
	return s != NULL;
}

// The executable's names come first, then those of libraries by address.
static bool by_symbol(struct crimg_debuggee *d, const char *name, uint64_t *address)
{
	const struct crimg_file *exe = d->task->mm != NULL
		? crimg_files_find(&d->view->files, d->task->mm->exe_file_id) : NULL;
	const char *path = exe != NULL ? crimg_file_path(exe) : NULL;
	for (size_t i = 0; path != NULL && i < d->module_count; i++)
		if (strcmp(d->modules[i].name, path) == 0
		    && in_module(d, &d->modules[i], name, address))
			return true;
	for (size_t i = 0; i < d->module_count; i++)
		if ((path == NULL || strcmp(d->modules[i].name, path) != 0)
		    && in_module(d, &d->modules[i], name, address))
			return true;
	return false;
}

// A program may have the name of one of its functions: what looks like a symbol is taken for one.
static bool looks_like_symbol(const char *name)
{
	static const char word[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	return name[strspn(name, word)] == '\0';
}

// What [text, end) names. 1, 0, -1 as the caller.
static int by_name(const struct asked *a, const char *text, const char *end, uint64_t *address,
                   uint64_t *whole)
{
	char name[NAME_MAX_BYTES];
	size_t length = (size_t)(end - text);
	*whole = 0;
	if (length == 0 || length >= sizeof name)
		return 0;
	memcpy(name, text, length);
	name[length] = '\0';
	if (name[0] == '$')
		return by_register(a, name + 1, address);
	bool symbol = looks_like_symbol(name);
	if (symbol && by_symbol(a->d, name, address))
		return 1;
	const struct crimg_area *area = by_mapping(a->d, name);
	if (area != NULL) {
		*address = area->start;
		*whole = area->end - area->start;
		return 1;
	}
	return !symbol && by_symbol(a->d, name, address) ? 1 : 0;
}

// The '+' before end, at or behind text; NULL when there is none.
static const char *last_plus(const char *text, const char *end)
{
	while (end > text)
		if (*--end == '+')
			return end;
	return NULL;
}

// "NAME+OFF" and "NAME+OFF+LEN"; a name may hold a '+' too (libstdc++).
static int named(const struct asked *a, const char *text, uint64_t *address, uint64_t *length)
{
	const char *end = text + strlen(text), *stop = end;
	uint64_t values[2] = { 0, 0 }, base = 0, whole = 0, sum;
	for (unsigned given = 0;; given++) {
		int rc = by_name(a, text, stop, &base, &whole);
		if (rc < 0)
			return -1;
		if (rc > 0 && !crimg_add_u64(base, given > 0 ? values[given - 1] : 0, &sum))
			return refuse(a->err, text, "that is behind the end of the address space");
		if (rc > 0) {
			*address = sum;
			*length = given == 0 ? whole : given == 2 ? values[0] : 0;
			return 1;
		}
		const char *plus = last_plus(text, stop);
		if (given == 2 || plus == NULL || !number(plus + 1, stop, &values[given]))
			return 0;
		stop = plus;
	}
}

int crimg_debuggee_place(struct crimg_debuggee *d, const struct crimg_thread *thread,
                         const char *text, uint64_t *address, uint64_t *length,
                         struct crimg_err *err)
{
	const struct asked a = { d, thread, err };
	uint64_t start = 0, bytes = 0;
	int rc = numeric(text, &start, &bytes, err);
	if (rc == 0)
		rc = named(&a, text, &start, &bytes);
	if (rc == 0 && text[0] >= '0' && text[0] <= '9')
		return refuse(err, text,
			      "wanted an address (hex behind 0x), with +LENGTH or -END, or a name");
	if (rc == 0 && text[0] == '\0')
		return refuse(err, text, "wanted an address or a name");
	if (rc > 0) {
		*address = start;
		*length = bytes;
	}
	return rc;
}
