// Of all names at one address the best is shown: functions before objects before bare labels,
// global before local before weak.
#include "inspect/symbols.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/search.h"
#include "inspect/symbol_table.h"

enum { RANK_FUNCTION, RANK_OBJECT, RANK_LABEL, RANK_BARE_LABEL, RANK_NONE };

static unsigned type_rank(const GElf_Sym *sym)
{
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC: case STT_GNU_IFUNC: return RANK_FUNCTION;
	case STT_OBJECT: case STT_COMMON: return RANK_OBJECT;
	case STT_NOTYPE: return sym->st_size > 0 ? RANK_LABEL : RANK_BARE_LABEL;
	default: return RANK_NONE; // sections, files, offsets in thread-local storage
	}
}

static unsigned binding_rank(const GElf_Sym *sym)
{
	switch (GELF_ST_BIND(sym->st_info)) {
	case STB_GLOBAL: case STB_GNU_UNIQUE: return 0;
	case STB_LOCAL: return 1;
	default: return 2;
	}
}

// "$x", "$d.1": what some assemblers mark stretches with; ".L5": their own labels.
static bool is_marker(const char *name)
{
	if (name[0] == '.' && name[1] == 'L')
		return true;
	return name[0] == '$' && name[1] != '\0' && (name[2] == '\0' || name[2] == '.');
}

bool crimg_symbols_add(struct crimg_symbols *s, const GElf_Sym *sym, const char *name,
                       uint64_t limit, struct crimg_err *err)
{
	unsigned type = type_rank(sym);
	void *rows = s->rows;
	uint64_t end;
	if (s->seen++ >= CRIMG_MAX_SYMBOLS)
		return false;
	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || sym->st_shndx == SHN_COMMON
	    || type == RANK_NONE || name[0] == '\0' || is_marker(name))
		return true;
	if (!crimg_add_u64(sym->st_value, sym->st_size, &end))
		return true;
	if (crimg_grow(&rows, &s->capacity, s->count, sizeof *s->rows, err) < 0)
		return false;
	s->rows = rows;
	s->rows[s->count++] = (struct crimg_symbol_row){
		.symbol = { sym->st_value, sym->st_size, name, type == RANK_FUNCTION },
		.end = sym->st_size > 0 ? end : limit,
		.rank = type << 8 | (sym->st_size == 0 ? 16u : 0u) | binding_rank(sym),
	};
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct crimg_symbol_row *x = a, *y = b;
	if (x->symbol.value != y->symbol.value)
		return x->symbol.value < y->symbol.value ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	size_t i = strspn(x->symbol.name, "_"), j = strspn(y->symbol.name, "_");
	if (i != j)
		return i < j ? -1 : 1;
	int order = strcmp(x->symbol.name, y->symbol.name);
	if (order != 0)
		return order;
	return x->symbol.size > y->symbol.size ? -1 : x->symbol.size < y->symbol.size;
}

// .symtab, .dynsym and the debug file tell many symbols twice.
static void drop_twins(struct crimg_symbols *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct crimg_symbol *a = &s->rows[i].symbol;
		const struct crimg_symbol *b = kept > 0 ? &s->rows[kept - 1].symbol : NULL;
		if (b == NULL || a->value != b->value || strcmp(a->name, b->name) != 0)
			s->rows[kept++] = s->rows[i];
	}
	s->count = kept;
}

// Symbols without size reach to the next one, unless they are labels within another.
static void find_ends(struct crimg_symbols *s)
{
	uint64_t covered = 0, next = UINT64_MAX;
	for (size_t i = 0; i < s->count; i++) {
		struct crimg_symbol_row *row = &s->rows[i];
		if (row->symbol.size > 0 && row->end > covered)
			covered = row->end;
		else if (row->symbol.size == 0 && row->symbol.value < covered)
			row->end = row->symbol.value;
	}
	for (size_t i = s->count; i-- > 0;) {
		struct crimg_symbol_row *row = &s->rows[i];
		if (row->symbol.size == 0)
			row->end = crimg_min_u64(row->end, next);
		if (i > 0 && s->rows[i - 1].symbol.value != row->symbol.value)
			next = row->symbol.value;
	}
}

static int gather(struct crimg_symbols *s, Elf *elf, Elf *separate, struct crimg_err *err)
{
	if (crimg_symbols_from_sections(s, elf, err) < 0)
		return -1;
	if (separate != NULL && crimg_symbols_from_sections(s, separate, err) < 0)
		return -1;
	if (s->count == 0 && crimg_symbols_from_dynamic(s, elf, err) < 0)
		return -1;
	return crimg_symbols_from_plt(s, elf, err);
}

struct crimg_symbols *crimg_symbols_make(Elf *elf, Elf *separate)
{
	struct crimg_symbols *s = calloc(1, sizeof *s);
	struct crimg_err err = CRIMG_ERR_INIT;
	if (s == NULL)
		return NULL;
	s->names = crimg_arena_make((size_t)6 * CRIMG_MAX_SYMBOL_NAMES_BYTES);
	if (gather(s, elf, separate, &err) < 0) {
		crimg_symbols_free(s);
		return NULL;
	}
	if (s->count > 0)
		qsort(s->rows, s->count, sizeof *s->rows, by_address);
	drop_twins(s);
	find_ends(s);
	return s;
}

void crimg_symbols_free(struct crimg_symbols *symbols)
{
	if (symbols == NULL)
		return;
	free(symbols->rows);
	crimg_arena_fini(&symbols->names);
	free(symbols);
}

// How many rows begin below value (with equal: or at it).
static size_t rows_below(const struct crimg_symbols *s, uint64_t value, bool equal)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, s->count,
	                   s->rows[low].symbol.value < value
	                   || (equal && s->rows[low].symbol.value == value));
	return low;
}

// A function may hold smaller symbols that end before value: a few steps back find it.
const struct crimg_symbol *crimg_symbols_find(const struct crimg_symbols *symbols, uint64_t value)
{
	enum { STEPS = 64, NAMES = 8 };
	size_t end = rows_below(symbols, value, true);
	for (unsigned step = 0; end > 0 && step < STEPS; step++) {
		size_t first = rows_below(symbols, symbols->rows[end - 1].symbol.value, false);
		for (size_t i = first; i < end && i < first + NAMES; i++)
			if (value < symbols->rows[i].end)
				return &symbols->rows[i].symbol;
		end = first;
	}
	return NULL;
}

const struct crimg_symbol *crimg_symbols_named(const struct crimg_symbols *symbols,
                                               const char *name)
{
	const struct crimg_symbol_row *best = NULL;
	for (size_t i = 0; i < symbols->count; i++) {
		const struct crimg_symbol_row *row = &symbols->rows[i];
		if ((best == NULL || row->rank < best->rank) && strcmp(row->symbol.name, name) == 0)
			best = row;
	}
	return best != NULL ? &best->symbol : NULL;
}
