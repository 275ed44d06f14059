// The functions that a vDSO exports, by its own dynamic symbol table. The bytes may be anybody's.
#ifndef CRIMG_PRODUCER_VDSO_SYMBOLS_H
#define CRIMG_PRODUCER_VDSO_SYMBOLS_H

#include "format/err.h"

struct crimg_vdso_symbol {
	const char *name;      // in the vDSO's bytes
	uint64_t offset, size; // from the beginning of the vDSO, all of it inside
};

struct crimg_vdso_symbols {
	struct crimg_vdso_symbol *list; // owned; by offset
	size_t count;
};

// bytes: the vDSO as it is mapped, 64-bit x86; borrowed by *out, which crimg_vdso_symbols_fini() frees.
// name, for errors, is kept. 0, or -1 with err filled (CRIMG_E_FORMAT: offset, found, wanted).
CRIMG_MUST_CHECK int crimg_vdso_symbols_load(const uint8_t *bytes, size_t length, const char *name,
                                             struct crimg_vdso_symbols *out, struct crimg_err *err);
void crimg_vdso_symbols_fini(struct crimg_vdso_symbols *symbols);
// The function of that name, or NULL.
const struct crimg_vdso_symbol *crimg_vdso_symbols_find(const struct crimg_vdso_symbols *symbols,
                                                        const char *name);

#endif
