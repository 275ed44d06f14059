// What gathers symbols and what sorts them share. Private to inspect/symbol*.c.
#ifndef CRIMG_INSPECT_SYMBOL_TABLE_H
#define CRIMG_INSPECT_SYMBOL_TABLE_H

#include <gelf.h>

#include "format/buf.h"
#include "inspect/symbols.h"

#define CRIMG_MAX_SYMBOLS (4u << 20)            // of one file with its debug file
#define CRIMG_MAX_SYMBOL_NAMES_BYTES (256u << 20) // of one string table

struct crimg_symbol_row {
	struct crimg_symbol symbol;
	uint64_t end;   // exclusive: what it covers; while gathering, at most
	uint32_t rank;  // of symbols at one address the lowest is shown
};

struct crimg_symbols {
	struct crimg_symbol_row *rows; // sorted by address, then rank, then name
	size_t count, capacity;
	size_t seen;                   // symbols looked at, kept or not
	struct crimg_arena names;
};

// Adds one symbol if it names an address, with limit as its end when it has no size of its own.
// name must be in names. False: no more of them (the limit, or memory: then err is filled).
CRIMG_MUST_CHECK bool crimg_symbols_add(struct crimg_symbols *s, const GElf_Sym *sym,
                                        const char *name, uint64_t limit, struct crimg_err *err);

// Each adds what elf has. 0, or -1 without memory.
CRIMG_MUST_CHECK int crimg_symbols_from_sections(struct crimg_symbols *s, Elf *elf,
                                                 struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_symbols_from_dynamic(struct crimg_symbols *s, Elf *elf,
                                                struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_symbols_from_plt(struct crimg_symbols *s, Elf *elf,
                                            struct crimg_err *err);

// One symbol table and its names, both as libelf lends them. limit as above, for symbols without a
// section. 0, or -1 without memory.
CRIMG_MUST_CHECK int crimg_symbols_from_table(struct crimg_symbols *s, Elf *elf, Elf_Data *symbols,
                                              const Elf_Data *names, struct crimg_err *err);

#endif
