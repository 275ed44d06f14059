// One task as a debugger sees it: its memory (with file pages from the sysroot) and the ELF files
// mapped in it, each from the sysroot or, where all of it is in the image (the vDSO), from memory.
// What views regs, mem, code, stack and strings stand on.
#ifndef CRIMG_INSPECT_DEBUGGEE_H
#define CRIMG_INSPECT_DEBUGGEE_H

#include "format/address_namer.h"
#include "inspect/symbols.h"
#include "inspect/sysroot.h"

// An ELF file mapped into the task.
struct crimg_module {
	uint64_t start, end;   // from its first area to the end of its last
	uint64_t bias;         // address = bias + the file's own address; valid when elf is set
	const char *name;      // path, "[vdso]"; lives as long as the debuggee
	struct crimg_elf_file *file; // NULL for modules that are in memory alone
	Elf *elf;              // NULL: not to be had
	const char *why;       // then: why; never NULL
	uint8_t *memory;       // of modules in memory: the ELF image, memory_bytes; else NULL
	size_t memory_bytes;
	struct crimg_symbols *symbols; // of modules in memory; of others see file
	bool symbols_tried;
};

struct crimg_debuggee {
	struct crimg_view *view;
	const struct crimg_task *task;
	struct crimg_space space;      // file_bytes is set
	struct crimg_module *modules;  // sorted by start, disjoint
	size_t module_count;
	size_t module_bytes;           // of modules in memory, in all
	bool is_32;                    // by the leader's mode
};

// Loads areas and finds modules; opens no file yet. What is wrong is noted in view->damage; false
// only without memory (view->fault).
CRIMG_MUST_CHECK bool crimg_debuggee_open(struct crimg_view *view, const struct crimg_task *task,
                                          struct crimg_debuggee *out);
void crimg_debuggee_close(struct crimg_debuggee *d);

// The module that address lies in, with elf opened if it can be; NULL when it lies in none.
struct crimg_module *crimg_debuggee_module(struct crimg_debuggee *d, uint64_t address);
// Its symbols; NULL when there are none.
const struct crimg_symbols *crimg_module_symbols(struct crimg_debuggee *d, struct crimg_module *m);

// "main+0x1c" ("main" at its first byte), without the module's name; false when no symbol is known.
// For return addresses ask for address - 1 and give the true one as shown.
bool crimg_debuggee_symbol(struct crimg_debuggee *d, uint64_t address, uint64_t shown, char *out,
                           size_t size);
// Where address is, the best that can be said: "main+0x1c (zoo)", "libc.so.6+0x2a3f1",
// "[stack]+0x120", "[heap]+0x10", "private memory+0x…"; "" when it is in no area. Returns out.
char *crimg_debuggee_text(struct crimg_debuggee *d, uint64_t address, char *out, size_t size);

// A short text at address when there is one: at least 4 printable characters (ASCII or UTF-8) and a
// NUL or the limit of 32 behind them; quoted and escaped: "\"hello\"". False when there is none.
bool crimg_debuggee_string(struct crimg_debuggee *d, uint64_t address, char *out, size_t size);

// What --at names: "0x7f10", "0x7f10+64" (LEN), "0x7f10-0x7f80", "NAME", "NAME+OFF", "NAME+OFF+LEN"
// with NAME a mapping ("[stack]", "libc.so.6", a path: its first area), a symbol ("main") or a
// register of the thread ("$rsp"). Numbers are decimal, or hex with 0x. *length is 0 when none was
// given; for a mapping's bare name, the whole of it. 1; 0: this task has nothing of that name; -1:
// err (not an address).
CRIMG_MUST_CHECK int crimg_debuggee_place(struct crimg_debuggee *d,
                                          const struct crimg_thread *thread, const char *text,
                                          uint64_t *address, uint64_t *length,
                                          struct crimg_err *err);

#endif
