// Reads an ELF file as the dynamic linker does: program headers, dynamic section, symbols as far as
// a hash table tells. Every offset is the image's word, and is checked. Knows nothing of tasks.
#include "producer/vdso_symbols.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"

struct elf {
	const uint8_t *bytes;
	size_t length;
	const char *name;
	uint64_t load;                     // address that its first byte says it has
	uint64_t dynamic, dynamic_bytes;   // offset
	uint64_t table[5];                 // of the dynamic section: addresses, as wanted[] has them
};

enum { SYMBOLS, STRINGS, STRING_BYTES, HASH, GNU_HASH };
static const uint64_t wanted[5] = { DT_SYMTAB, DT_STRTAB, DT_STRSZ, DT_HASH, DT_GNU_HASH };

static int view(const struct elf *e, uint64_t offset, uint64_t length, const char *what,
                struct crimg_cursor *out, struct crimg_err *err)
{
	if (!crimg_in_range(offset, length, e->length))
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, offset,
		                  "%s: %" PRIu64 " bytes wanted, the vDSO has %zu in all", what, length,
		                  e->length);
	*out = crimg_cursor_make(e->bytes + offset, (size_t)length, e->name, offset);
	return 0;
}

static int segment(struct elf *e, uint64_t offset, bool *loaded, struct crimg_err *err)
{
	struct crimg_cursor c;
	uint32_t type, flags;
	uint64_t at, address, physical, bytes;
	if (view(e, offset, sizeof(Elf64_Phdr), "a program header", &c, err) < 0
	    || crimg_cursor_u32(&c, &type, "type", err) < 0
	    || crimg_cursor_u32(&c, &flags, "flags", err) < 0
	    || crimg_cursor_u64(&c, &at, "offset", err) < 0
	    || crimg_cursor_u64(&c, &address, "address", err) < 0
	    || crimg_cursor_u64(&c, &physical, "address", err) < 0
	    || crimg_cursor_u64(&c, &bytes, "length", err) < 0)
		return -1;
	if (type == PT_LOAD && !*loaded) {
		*loaded = true;
		e->load = address - at;
	}
	if (type == PT_DYNAMIC) {
		e->dynamic = at;
		e->dynamic_bytes = bytes;
	}
	return 0;
}

static int read_header(struct elf *e, struct crimg_err *err)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB };
	const uint8_t *found;
	const size_t size_at = offsetof(Elf64_Ehdr, e_phentsize);
	bool loaded = false;
	struct crimg_cursor c, all;
	if (view(e, 0, sizeof(Elf64_Ehdr), "the ELF header", &c, err) < 0
	    || crimg_cursor_bytes(&c, sizeof(Elf64_Ehdr), &found, "the ELF header", err) < 0)
		return -1;
	uint64_t headers = crimg_get_u64(found + offsetof(Elf64_Ehdr, e_phoff));
	uint16_t machine = crimg_get_u16(found + offsetof(Elf64_Ehdr, e_machine));
	uint16_t size = crimg_get_u16(found + size_at);
	uint16_t count = crimg_get_u16(found + offsetof(Elf64_Ehdr, e_phnum));
	if (memcmp(found, ident, sizeof ident) != 0 || machine != EM_X86_64)
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, 0,
		                  "no 64-bit x86 ELF header is where the vDSO begins");
	if (size != sizeof(Elf64_Phdr))
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, size_at,
		                  "program headers of %u bytes found, %zu wanted", size, sizeof(Elf64_Phdr));
	if (view(e, headers, UINT64_C(1) * count * size, "the program headers", &all, err) < 0)
		return -1;
	for (uint64_t i = 0; i < count; i++)
		if (segment(e, headers + i * size, &loaded, err) < 0)
			return -1;
	return 0;
}

static int read_dynamic(struct elf *e, struct crimg_err *err)
{
	struct crimg_cursor c;
	uint64_t tag = 1, value;
	if (view(e, e->dynamic, e->dynamic_bytes, "the dynamic section", &c, err) < 0)
		return -1;
	while (tag != DT_NULL && crimg_cursor_left(&c) > 0) {
		if (crimg_cursor_u64(&c, &tag, "a tag", err) < 0
		    || crimg_cursor_u64(&c, &value, "its value", err) < 0)
			return -1;
		for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
			if (tag == wanted[i])
				e->table[i] = i == STRING_BYTES ? value : value - e->load;
	}
	if (e->table[SYMBOLS] == 0 || e->table[STRINGS] == 0 || (e->table[HASH] | e->table[GNU_HASH]) == 0)
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, e->dynamic,
		                  "no symbols, strings or hash table are in the dynamic section");
	return 0;
}

static int word(const struct elf *e, uint64_t at, uint32_t *out, struct crimg_err *err)
{
	struct crimg_cursor c;
	return view(e, at, 4, "a hash table", &c, err) < 0 ? -1
		: crimg_cursor_u32(&c, out, "a word of it", err);
}

// Symbols are numbered through; the last one ends the chain of the bucket that begins last.
static int count_gnu(const struct elf *e, uint64_t *count, struct crimg_err *err)
{
	uint64_t at = e->table[GNU_HASH];
	uint32_t buckets, first, blooms, last = 0, found;
	if (word(e, at, &buckets, err) < 0 || word(e, at + 4, &first, err) < 0
	    || word(e, at + 8, &blooms, err) < 0)
		return -1;
	at += 16 + UINT64_C(8) * blooms;
	for (uint64_t i = 0; i < buckets; i++) {
		if (word(e, at + 4 * i, &found, err) < 0)
			return -1;
		last = found > last ? found : last;
	}
	*count = last;
	if (last < first)
		return 0;
	do {
		if (word(e, at + UINT64_C(4) * buckets + 4 * (*count - first), &found, err) < 0)
			return -1;
		++*count;
	} while ((found & 1) == 0);
	return 0;
}

static int count_symbols(const struct elf *e, uint64_t *count, struct crimg_err *err)
{
	uint32_t found;
	if (e->table[HASH] == 0)
		return count_gnu(e, count, err);
	if (word(e, e->table[HASH] + 4, &found, err) < 0)
		return -1;
	*count = found;
	return 0;
}

static int take(const struct elf *e, struct crimg_cursor *c, const char *strings,
                struct crimg_vdso_symbols *out, struct crimg_err *err)
{
	uint64_t from = crimg_cursor_offset(c), value, size;
	uint32_t name;
	uint8_t info, other;
	uint16_t section;
	if (crimg_cursor_u32(c, &name, "a name", err) < 0
	    || crimg_cursor_u8(c, &info, "a type", err) < 0
	    || crimg_cursor_u8(c, &other, "a visibility", err) < 0
	    || crimg_cursor_u16(c, &section, "a section", err) < 0
	    || crimg_cursor_u64(c, &value, "an address", err) < 0
	    || crimg_cursor_u64(c, &size, "a size", err) < 0)
		return -1;
	if (ELF64_ST_TYPE(info) != STT_FUNC || section == SHN_UNDEF)
		return 0;
	uint64_t left = name < e->table[STRING_BYTES] ? e->table[STRING_BYTES] - name : 0;
	if (left == 0 || memchr(strings + name, 0, (size_t)left) == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, from,
		                  "the name of a symbol, at %" PRIu32 ", does not end in the string table", name);
	if (!crimg_in_range(value - e->load, size, e->length))
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, from,
		                  "function %.40s, %" PRIu64 " bytes at 0x%" PRIx64 ", is not inside the vDSO",
		                  strings + name, size, value);
	out->list[out->count++] =
		(struct crimg_vdso_symbol){ strings + name, value - e->load, size };
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct crimg_vdso_symbol *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int take_all(const struct elf *e, struct crimg_vdso_symbols *out, struct crimg_err *err)
{
	uint64_t count = 0;
	struct crimg_cursor symbols, strings;
	if (count_symbols(e, &count, err) < 0
	    || view(e, e->table[SYMBOLS], count * sizeof(Elf64_Sym), "the symbols", &symbols, err) < 0
	    || view(e, e->table[STRINGS], e->table[STRING_BYTES], "the string table", &strings, err) < 0)
		return -1;
	out->list = calloc((size_t)count + 1, sizeof *out->list);
	if (out->list == NULL)
		return crimg_fail_nomem(err, (size_t)count * sizeof *out->list);
	while (crimg_cursor_left(&symbols) > 0)
		if (take(e, &symbols, (const char *)strings.data, out, err) < 0)
			return -1;
	if (out->count == 0)
		return crimg_fail(err, CRIMG_E_FORMAT, e->name, e->table[SYMBOLS], "it exports no function");
	qsort(out->list, out->count, sizeof *out->list, by_offset);
	return 0;
}

int crimg_vdso_symbols_load(const uint8_t *bytes, size_t length, const char *name,
                            struct crimg_vdso_symbols *out, struct crimg_err *err)
{
	struct elf e = { .bytes = bytes, .length = length, .name = name };
	struct crimg_vdso_symbols found = { NULL, 0 };
	if (read_header(&e, err) < 0 || read_dynamic(&e, err) < 0 || take_all(&e, &found, err) < 0) {
		crimg_vdso_symbols_fini(&found);
		return -1;
	}
	*out = found;
	return 0;
}

void crimg_vdso_symbols_fini(struct crimg_vdso_symbols *symbols)
{
	free(symbols->list);
	*symbols = (struct crimg_vdso_symbols){ NULL, 0 };
}

const struct crimg_vdso_symbol *crimg_vdso_symbols_find(const struct crimg_vdso_symbols *symbols,
                                                        const char *name)
{
	for (size_t i = 0; i < symbols->count; i++)
		if (strcmp(symbols->list[i].name, name) == 0)
			return &symbols->list[i];
	return NULL;
}
