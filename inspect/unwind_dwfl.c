#include "inspect/unwind_dwfl.h"

#include <elf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/x86.h"

enum { RBP = 6, RSP = 7, RIP = 16, REGS64 = 17 };
enum { ESP = 4, EBP = 5, EIP = 8, REGS32 = 9 };

struct crimg_dwfl_module {
	struct crimg_dwfl *session;
	struct crimg_module *module;
	Dwfl_Module *reported;   // NULL: not, or it cannot be
	bool tried, debug_tried;
};

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
                    char **file_name, Elf **elfp)
{
	const struct crimg_dwfl_module *r = *userdata;
	const struct crimg_module *m = r->module;
	int fd = -1;
	(void)mod;
	(void)base;
	if (m->memory != NULL) {
		*elfp = elf_memory((char *)m->memory, m->memory_bytes);
	} else {
		fd = dup(m->file->fd); // libdw closes it
		*elfp = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	}
	if (*elfp != NULL && gelf_getclass(*elfp) != (r->session->is_32 ? ELFCLASS32 : ELFCLASS64)) {
		elf_end(*elfp);
		*elfp = NULL;
	}
	*file_name = strdup(name);
	return fd;
}

// By build-id alone. libdw asks again for what such a file shares with others; that is not looked for.
static int find_debug(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
                      const char *file_name, const char *link, GElf_Word crc, char **found)
{
	struct crimg_dwfl_module *r = *userdata;
	uint8_t id[CRIMG_MAX_BUILD_ID];
	(void)mod;
	(void)base;
	(void)file_name;
	(void)link;
	(void)crc;
	if (r->debug_tried)
		return -1;
	r->debug_tried = true;
	size_t length = crimg_elf_build_id(r->module->elf, id, sizeof id);
	int fd = length > 0 ? crimg_sysroot_debug_file(r->session->d->view, id, length) : -1;
	if (fd >= 0)
		*found = strdup(name);
	return fd;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)arg;
	(void)thread_arg;
	return 0;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)tid;
	*thread_arg = arg;
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *out, void *arg)
{
	struct crimg_dwfl *s = arg;
	(void)dwfl;
	s->read_at = address;
	s->read_failed = !crimg_stack_memory_word(s->memory, address, s->is_32 ? 4 : 8, &s->read_word);
	if (!s->read_failed)
		*out = s->read_word;
	return !s->read_failed;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct crimg_dwfl *s = arg;
	unsigned pc = s->is_32 ? EIP : RIP;
	for (unsigned i = 0; i < CRIMG_DWARF_REGS; i++)
		if ((s->start->known >> i & 1) != 0
		    && !dwfl_thread_state_registers(thread, (int)i, 1, &s->start->value[i]))
			return false;
	dwfl_thread_state_register_pc(thread, s->start->value[pc]);
	return true;
}

// Tells libdw which machine it is, so that it need not ask the files.
static Elf *machine_elf(bool is_32)
{
	static const uint8_t ident[EI_NIDENT] = { 0x7f, 'E', 'L', 'F', 0, ELFDATA2LSB, EV_CURRENT };
	uint8_t *head = calloc(1, sizeof(Elf64_Ehdr));
	if (head == NULL)
		return NULL;
	memcpy(head, ident, sizeof ident);
	head[EI_CLASS] = is_32 ? ELFCLASS32 : ELFCLASS64;
	crimg_put_u16(head + offsetof(Elf64_Ehdr, e_type), ET_EXEC);
	crimg_put_u16(head + offsetof(Elf64_Ehdr, e_machine), is_32 ? EM_386 : EM_X86_64);
	crimg_put_u32(head + offsetof(Elf64_Ehdr, e_version), EV_CURRENT);
	crimg_put_u16(head + (is_32 ? offsetof(Elf32_Ehdr, e_ehsize) : offsetof(Elf64_Ehdr, e_ehsize)),
	              is_32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr));
	return elf_memory((char *)head, is_32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr));
}

bool crimg_dwfl_open(struct crimg_dwfl *s, struct crimg_debuggee *d,
                     struct crimg_stack_memory *memory, bool is_32)
{
	static const Dwfl_Callbacks files = { .find_elf = find_elf, .find_debuginfo = find_debug };
	static const Dwfl_Thread_Callbacks state = {
		.next_thread = next_thread, .get_thread = get_thread, .memory_read = read_memory,
		.set_initial_registers = set_registers,
	};
	*s = (struct crimg_dwfl){ .d = d, .memory = memory, .is_32 = is_32 };
	elf_version(EV_CURRENT);
	s->modules = calloc(d->module_count + 1, sizeof *s->modules);
	s->dwfl = dwfl_begin(&files);
	Elf *machine = machine_elf(is_32);
	// Processes of libdw have a number; any will do.
	return s->modules != NULL && s->dwfl != NULL && machine != NULL
		&& dwfl_attach_state(s->dwfl, machine, 1, &state, s);
}

struct crimg_dwarf_regs crimg_dwarf_regs_of(const UserX86RegsEntry *r)
{
	if (crimg_x86_is_32(r)) {
		struct crimg_dwarf_regs out = {
			.value = { r->ax, r->cx, r->dx, r->bx, r->sp, r->bp, r->si, r->di, r->ip },
			.known = (1u << REGS32) - 1,
		};
		for (unsigned i = 0; i < REGS32; i++)
			out.value[i] &= UINT32_MAX;
		return out;
	}
	return (struct crimg_dwarf_regs){
		.value = { r->ax, r->dx, r->cx, r->bx, r->si, r->di, r->bp, r->sp, r->r8, r->r9,
		           r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->ip },
		.known = (1u << REGS64) - 1,
	};
}

// The first frame of libdw is taken to stand at its pc; a return address may be behind its function.
struct crimg_dwarf_regs crimg_dwarf_regs_at(const struct crimg_stack_point *at, bool is_32)
{
	struct crimg_dwarf_regs out = { .known = 0 };
	const struct {
		unsigned number;
		uint64_t value;
	} rows[] = {
		{ is_32 ? EIP : RIP, at->exact || at->pc == 0 ? at->pc : at->pc - 1 },
		{ is_32 ? ESP : RSP, at->sp }, { is_32 ? EBP : RBP, at->bp },
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		out.value[rows[i].number] = rows[i].value;
		out.known |= 1u << rows[i].number;
	}
	return out;
}

// Where libdw takes the file to begin: the first segment, rounded down as it does.
static bool first_segment(Elf *elf, uint64_t *address)
{
	size_t count;
	GElf_Phdr ph;
	if (elf_getphdrnum(elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count && i < CRIMG_MAX_ELF_HEADERS; i++)
		if (gelf_getphdr(elf, (int)i, &ph) != NULL && ph.p_type == PT_LOAD) {
			*address = ph.p_vaddr & (0 - ph.p_align);
			return true;
		}
	return false;
}

// Reports the module that address is in; NULL when there is none, or no file of it.
static struct crimg_dwfl_module *report(struct crimg_dwfl *s, uint64_t address)
{
	struct crimg_module *m = crimg_debuggee_module(s->d, address);
	void **userdata;
	uint64_t start;
	if (m == NULL)
		return NULL;
	struct crimg_dwfl_module *r = &s->modules[m - s->d->modules];
	if (r->tried)
		return r->reported != NULL ? r : NULL;
	*r = (struct crimg_dwfl_module){ .session = s, .module = m, .tried = true };
	if (m->elf == NULL || !first_segment(m->elf, &start))
		return NULL;
	start += m->bias;
	if (start >= m->end)
		return NULL;
	dwfl_report_begin_add(s->dwfl);
	Dwfl_Module *reported = dwfl_report_module(s->dwfl, m->name, start, m->end);
	if (dwfl_report_end(s->dwfl, NULL, NULL) != 0 || reported == NULL)
		return NULL;
	dwfl_module_info(reported, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = r;
	r->reported = reported;
	return r;
}

// A return address that is undefined (no operations, and not the same as in the callee) marks the end.
static bool in_table(Dwarf_CFI *cfi, uint64_t address, struct crimg_coverage *out)
{
	Dwarf_Frame *frame;
	Dwarf_Addr start, end;
	Dwarf_Op space[3], *operations;
	size_t count;
	if (cfi == NULL || dwarf_cfi_addrframe(cfi, address, &frame) != 0)
		return false;
	int ra = dwarf_frame_info(frame, &start, &end, &out->signal);
	if (ra >= 0 && dwarf_frame_register(frame, ra, space, &operations, &count) == 0)
		out->outermost = count == 0 && operations == space;
	free(frame);
	return ra >= 0;
}

bool crimg_dwfl_covers(struct crimg_dwfl *s, uint64_t address, struct crimg_coverage *out)
{
	const struct crimg_dwfl_module *r = report(s, address);
	Dwarf_Addr bias = 0;
	*out = (struct crimg_coverage){ .signal = false };
	if (r == NULL)
		return false;
	Dwarf_CFI *cfi = dwfl_module_eh_cfi(r->reported, &bias);
	if (in_table(cfi, address - bias, out))
		return true;
	cfi = dwfl_module_dwarf_cfi(r->reported, &bias);
	return in_table(cfi, address - bias, out);
}

int crimg_dwfl_frames(struct crimg_dwfl *s, const struct crimg_dwarf_regs *start,
                      int (*callback)(Dwfl_Frame *state, void *arg), void *arg)
{
	s->start = start;
	s->read_failed = false;
	s->read_word = 1;
	return dwfl_getthread_frames(s->dwfl, 1, callback, arg);
}

bool crimg_dwfl_point(const struct crimg_dwfl *s, Dwfl_Frame *state, struct crimg_stack_point *out)
{
	Dwarf_Addr pc;
	Dwarf_Word sp, bp;
	if (!dwfl_frame_pc(state, &pc, NULL)
	    || dwfl_frame_reg(state, s->is_32 ? ESP : RSP, &sp) != 0)
		return false;
	if (dwfl_frame_reg(state, s->is_32 ? EBP : RBP, &bp) != 0)
		bp = 0;
	*out = (struct crimg_stack_point){ .pc = pc, .sp = sp, .bp = bp, .how = CRIMG_FRAME_CFI };
	return true;
}
