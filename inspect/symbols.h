// The function and object names of one ELF file, sorted by address: made once, searched often.
// Reads sections (.symtab, .dynsym) or, when the file has none, the dynamic segment. Knows libelf;
// knows no tasks. ELF files are hostile: every count and offset is checked, and limits hold.
#ifndef CRIMG_INSPECT_SYMBOLS_H
#define CRIMG_INSPECT_SYMBOLS_H

#include <libelf.h>

#include "format/err.h"

struct crimg_symbol {
	uint64_t value, size;  // address in the file's own numbering
	const char *name;      // in the symbols' memory
	bool function;         // else an object
};

struct crimg_symbols;

// separate may be NULL, or the debug file (its .symtab is used too). Never fails for what the file
// says: a broken table gives fewer symbols. NULL without memory.
struct crimg_symbols *crimg_symbols_make(Elf *elf, Elf *separate);
void crimg_symbols_free(struct crimg_symbols *symbols); // NULL is allowed
// The symbol that value lies in: the last that begins at or below it, when its size (or, of sizes
// that are 0, the next symbol) does not end before. NULL when there is none.
const struct crimg_symbol *crimg_symbols_find(const struct crimg_symbols *symbols, uint64_t value);
// By exact name; NULL when there is none.
const struct crimg_symbol *crimg_symbols_named(const struct crimg_symbols *symbols,
                                               const char *name);

#endif
