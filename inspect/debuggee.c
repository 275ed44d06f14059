// A task's areas, modules and their symbols, put together; opened when they are first asked for.
#include "inspect/debuggee.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/x86.h"
#include "inspect/area_text.h"
#include "inspect/file_text.h"
#include "inspect/modules.h"

// Bytes of modules come from the file that the module was found to be; of others, by their path.
static int file_bytes(void *context, const struct crimg_area *area, uint64_t offset, void *buf,
                      size_t length, struct crimg_err *err)
{
	struct crimg_debuggee *d = context;
	struct crimg_module *m = crimg_modules_at(d, area->start);
	const struct crimg_elf_file *file = m != NULL ? crimg_module_file(d, m) : NULL;
	if (file == NULL)
		return crimg_sysroot_bytes(d->view, area, offset, buf, length, err);
	return crimg_elf_file_read(file, offset, buf, length, err);
}

bool crimg_debuggee_open(struct crimg_view *view, const struct crimg_task *task,
                         struct crimg_debuggee *out)
{
	const CoreEntry *core = task->core;
	*out = (struct crimg_debuggee){ .view = view, .task = task };
	if (crimg_space_load(view->image, &view->files, task, &out->space, &view->damage) < 0
	    && out->space.areas == NULL) {
		crimg_fail_nomem(&view->fault, 0);
		return false;
	}
	out->is_32 = core != NULL && core->thread_info != NULL
		&& crimg_x86_is_32(core->thread_info->gpregs);
	if (!crimg_modules_find(out)) {
		crimg_debuggee_close(out);
		return false;
	}
	out->space.file_bytes = file_bytes;
	out->space.file_context = out;
	return true;
}

void crimg_debuggee_close(struct crimg_debuggee *d)
{
	crimg_modules_free(d);
	crimg_space_fini(&d->space);
}

struct crimg_module *crimg_debuggee_module(struct crimg_debuggee *d, uint64_t address)
{
	struct crimg_module *m = crimg_modules_at(d, address);
	if (m != NULL)
		crimg_module_open(d, m);
	return m;
}

// With those of its separate debug file, if there is one.
static struct crimg_symbols *make_symbols(struct crimg_view *view, Elf *elf)
{
	uint8_t id[CRIMG_MAX_BUILD_ID];
	size_t length = crimg_elf_build_id(elf, id, sizeof id);
	int fd = length > 0 ? crimg_sysroot_debug_file(view, id, length) : -1;
	Elf *separate = fd >= 0 ? crimg_elf_open(fd) : NULL;
	struct crimg_symbols *symbols = crimg_symbols_make(elf, separate);
	if (symbols == NULL)
		crimg_fail_nomem(&view->fault, 0);
	elf_end(separate);
	if (fd >= 0)
		close(fd);
	return symbols;
}

const struct crimg_symbols *crimg_module_symbols(struct crimg_debuggee *d, struct crimg_module *m)
{
	crimg_module_open(d, m);
	if (m->elf == NULL)
		return NULL;
	bool memory = m->memory != NULL;
	bool *tried = memory ? &m->symbols_tried : &m->file->symbols_tried;
	struct crimg_symbols **symbols = memory ? &m->symbols : &m->file->symbols;
	if (!*tried)
		*symbols = make_symbols(d->view, m->elf);
	*tried = true;
	return *symbols;
}

bool crimg_debuggee_symbol(struct crimg_debuggee *d, uint64_t address, uint64_t shown, char *out,
                           size_t size)
{
	struct crimg_module *m = crimg_debuggee_module(d, address);
	const struct crimg_symbols *symbols = m != NULL ? crimg_module_symbols(d, m) : NULL;
	const struct crimg_symbol *s =
		symbols != NULL ? crimg_symbols_find(symbols, address - m->bias) : NULL;
	if (s == NULL)
		return false;
	uint64_t into = shown - m->bias - s->value;
	if (into == 0)
		snprintf(out, size, "%s", s->name);
	else
		snprintf(out, size, "%s+0x%" PRIx64, s->name, into);
	return true;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

// The short name of an area that belongs to no module.
static const char *area_name(struct crimg_debuggee *d, const VmaEntry *vma, char *space,
			     size_t size)
{
	static const char shared[] = "shared memory";
	crimg_area_text(d->view, d->task, vma, space, size);
	if (strncmp(space, shared, sizeof shared - 1) == 0)
		return shared; // its number or size says little here
	if (space[0] == '\0')
		return "private memory";
	char *rest = strstr(space, (vma->status & CRIMG_VMA_MEMFD) != 0 ? ", " : " (");
	if (rest != NULL)
		*rest = '\0';
	return space[0] == '/' ? base_name(space) : space;
}

char *crimg_debuggee_text(struct crimg_debuggee *d, uint64_t address, char *out, size_t size)
{
	char name[CRIMG_FILE_TEXT_MAX + 16], symbol[CRIMG_ADDRESS_TEXT_MAX];
	const struct crimg_area *area = crimg_space_find(&d->space, address);
	const struct crimg_module *m = crimg_modules_at(d, address);
	out[0] = '\0';
	if (area == NULL)
		return out;
	if (m != NULL && crimg_debuggee_symbol(d, address, address, symbol, sizeof symbol)) {
		snprintf(out, size, "%s (%s)", symbol, base_name(m->name));
		return out;
	}
	// .bss lies among a module's areas without being of its file.
	bool of_file =
		m != NULL && (m->name[0] == '[' || (area->vma->status & CRIMG_VMA_FILE) != 0);
	const char *text = of_file ? base_name(m->name)
		: area_name(d, area->vma, name, sizeof name);
	uint64_t into = address - (of_file ? m->start : area->start);
	if (into == 0)
		snprintf(out, size, "%s", text);
	else
		snprintf(out, size, "%s+0x%" PRIx64, text, into);
	return out;
}

// The length of the character that begins at p, with *printable; 0: not UTF-8.
static size_t character(const uint8_t *p, size_t left, bool *printable)
{
	uint32_t code = p[0];
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
		: p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	code &= n == 1 ? 0x7fu : 0xffu >> (n + 1);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	bool known = n < 3
		     || (n == 3 ? code >= 0x800 && (code < 0xd800 || code > 0xf8ff) && code < 0xfff0
				: code >= 0x10000 && code < 0xe0000);
	bool control = code < 0x20 || (code >= 0x7f && code < 0xa1)
		|| (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202f)
		|| (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
	*printable = known && !control;
	return n;
}

static bool escape_of(uint8_t byte, char *out)
{
	static const char from[] = "\n\t\r\"\\", to[] = "ntr\"\\";
	const char *at = byte != '\0' ? strchr(from, byte) : NULL;
	if (at == NULL)
		return false;
	*out = to[at - from];
	return true;
}

#define STRING_MIN 4u
#define STRING_MAX 32u

// Appends the quoted text; false when it is none.
static bool quote(const uint8_t *bytes, size_t length, char *out, size_t size)
{
	size_t at = 0, used = 0, seen = 0, shown = 0;
	out[used++] = '"';
	for (; at < length && bytes[at] != '\0' && seen < STRING_MAX && used + 8 < size; seen++) {
		bool printable;
		char escape;
		size_t n = character(bytes + at, length - at, &printable);
		if (escape_of(bytes[at], &escape)) {
			out[used++] = '\\';
			out[used++] = escape;
			shown += escape == '"' || escape == '\\';
		} else if (n > 0 && printable) {
			memcpy(out + used, bytes + at, n);
			used += n;
			shown++;
		} else {
			return false;
		}
		at += n;
	}
	if (shown < STRING_MIN || at >= length)
		return false;
	snprintf(out + used, size - used, "\"%s", bytes[at] != '\0' ? "…" : "");
	return true;
}

bool crimg_debuggee_string(struct crimg_debuggee *d, uint64_t address, char *out, size_t size)
{
	uint8_t bytes[4 * STRING_MAX + 4];
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t got = 0;
	if (size < 16
	    || crimg_space_read_some(&d->space, address, bytes, sizeof bytes, &got, &err) < 0)
		return false;
	return quote(bytes, got, out, size);
}
