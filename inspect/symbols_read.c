// Symbol tables by their sections, or by the dynamic segment of files that have lost those. libelf
// checks offsets and sizes against the file; names and counts are checked here.
#include <string.h>

#include "format/checked.h"
#include "inspect/segments.h"
#include "inspect/symbol_table.h"

// A copy with a NUL behind it. Versions ("memcpy@@GLIBC_2.14") are cut off in all names at once.
static const char *copy_names(struct crimg_symbols *s, const Elf_Data *names, struct crimg_err *err)
{
	char *copy = crimg_arena_alloc(&s->names, names->d_size + 1);
	if (copy == NULL) {
		crimg_fail_nomem(err, names->d_size + 1);
		return NULL;
	}
	memcpy(copy, names->d_buf, names->d_size);
	copy[names->d_size] = '\0';
	for (char *at = copy; (at = memchr(at, '@', names->d_size - (size_t)(at - copy))) != NULL;)
		*at = '\0';
	return copy;
}

// Where a symbol without size ends at the latest: with its section.
static uint64_t section_end(Elf *elf, const GElf_Sym *sym)
{
	GElf_Shdr sh;
	uint64_t end;
	Elf_Scn *scn = sym->st_shndx < SHN_LORESERVE ? elf_getscn(elf, sym->st_shndx) : NULL;
	if (scn == NULL || gelf_getshdr(scn, &sh) == NULL || (sh.sh_flags & SHF_ALLOC) == 0
	    || !crimg_add_u64(sh.sh_addr, sh.sh_size, &end))
		return UINT64_MAX;
	return end;
}

int crimg_symbols_from_table(struct crimg_symbols *s, Elf *elf, Elf_Data *symbols,
                             const Elf_Data *names, struct crimg_err *err)
{
	GElf_Sym sym;
	if (symbols->d_buf == NULL || names->d_buf == NULL
	    || names->d_size > CRIMG_MAX_SYMBOL_NAMES_BYTES)
		return 0;
	const char *text = copy_names(s, names, err);
	if (text == NULL)
		return -1;
	for (int i = 0; gelf_getsym(symbols, i, &sym) != NULL; i++) {
		const char *name = sym.st_name < names->d_size ? text + sym.st_name : "";
		uint64_t limit = sym.st_size == 0 ? section_end(elf, &sym) : 0;
		if (!crimg_symbols_add(s, &sym, name, limit, err))
			break;
	}
	return err->code == CRIMG_OK ? 0 : -1;
}

// libelf reads sections whole, so their sizes are looked at before.
static Elf_Data *names_of(Elf *elf, size_t section)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf_getscn(elf, section);
	if (scn == NULL || gelf_getshdr(scn, &sh) == NULL
	    || sh.sh_size > CRIMG_MAX_SYMBOL_NAMES_BYTES)
		return NULL;
	return elf_rawdata(scn, NULL);
}

int crimg_symbols_from_sections(struct crimg_symbols *s, Elf *elf, struct crimg_err *err)
{
	bool done[2] = { false, false }; // a file has one table of each kind
	GElf_Shdr sh;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn)) != NULL;) {
		if (gelf_getshdr(scn, &sh) == NULL
		    || (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM)
		    || done[sh.sh_type == SHT_DYNSYM]
		    || sh.sh_size > (uint64_t)CRIMG_MAX_SYMBOLS * sizeof(Elf64_Sym))
			continue;
		Elf_Data *symbols = elf_getdata(scn, NULL);
		Elf_Data *names = names_of(elf, sh.sh_link);
		if (symbols == NULL || names == NULL)
			continue;
		done[sh.sh_type == SHT_DYNSYM] = true;
		if (crimg_symbols_from_table(s, elf, symbols, names, err) < 0)
			return -1;
	}
	return 0;
}

// Addresses that the dynamic segment names; 0 where it names none.
struct dynamic {
	uint64_t symbols, names, names_bytes, hash, gnu_hash;
};

static bool read_dynamic(Elf *elf, const GElf_Phdr *ph, struct dynamic *out)
{
	const struct {
		int64_t tag;
		uint64_t *value;
	} rows[] = {
		{ DT_SYMTAB, &out->symbols },    { DT_STRTAB, &out->names },
		{ DT_STRSZ, &out->names_bytes }, { DT_HASH, &out->hash },
		{ DT_GNU_HASH, &out->gnu_hash },
	};
	GElf_Dyn dyn;
	Elf_Data *data = ph->p_filesz <= (1u << 20)
		? elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz, ELF_T_DYN) : NULL;
	for (int i = 0; data != NULL && gelf_getdyn(data, i, &dyn) != NULL && dyn.d_tag != DT_NULL;
	     i++)
		for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
			if (dyn.d_tag == rows[r].tag)
				*rows[r].value = dyn.d_un.d_val;
	return out->symbols != 0 && out->names != 0;
}

// The file does not say how many symbols there are, but its hash tables do. The one word of the old
// table, or the end of the last chain of the new one.
static uint64_t count_old(Elf *elf, const struct crimg_segments *segments, uint64_t address)
{
	Elf_Data *data = crimg_segments_data(elf, segments, address, 8, ELF_T_BYTE);
	return data != NULL ? crimg_get_u32((const uint8_t *)data->d_buf + 4) : 0;
}

static uint64_t count_new(Elf *elf, const struct crimg_segments *segments, uint64_t address)
{
	uint64_t offset, length, words, last = 0;
	if (!crimg_segments_offset(segments, address, &offset, &length))
		return 0;
	length = crimg_min_u64(length, (uint64_t)4 * CRIMG_MAX_SYMBOLS);
	Elf_Data *data = crimg_segments_data(elf, segments, address, length, ELF_T_BYTE);
	if (data == NULL || length < 16)
		return 0;
	const uint8_t *table = data->d_buf;
	uint64_t buckets = crimg_get_u32(table), first = crimg_get_u32(table + 4);
	uint64_t at =
		16
		+ (uint64_t)crimg_get_u32(table + 8) * (gelf_getclass(elf) == ELFCLASS64 ? 8 : 4);
	for (words = 0; words < buckets && at + 4 <= length; words++, at += 4)
		if (crimg_get_u32(table + at) > last)
			last = crimg_get_u32(table + at);
	if (last < first)
		return first;
	for (at += (last - first) * 4; at + 4 <= length; at += 4, last++)
		if ((crimg_get_u32(table + at) & 1) != 0)
			return last + 1;
	return 0;
}

int crimg_symbols_from_dynamic(struct crimg_symbols *s, Elf *elf, struct crimg_err *err)
{
	struct dynamic d = { 0 };
	struct crimg_segments segments;
	GElf_Phdr ph;
	if (!crimg_segment_of_type(elf, PT_DYNAMIC, &ph) || !read_dynamic(elf, &ph, &d))
		return 0;
	crimg_segments_read(elf, &segments);
	uint64_t count = d.hash != 0 ? count_old(elf, &segments, d.hash) : 0;
	if (count == 0 && d.gnu_hash != 0)
		count = count_new(elf, &segments, d.gnu_hash);
	size_t each = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
	if (count > CRIMG_MAX_SYMBOLS)
		return 0;
	Elf_Data *symbols = crimg_segments_data(elf, &segments, d.symbols, count * each, ELF_T_SYM);
	Elf_Data *names = crimg_segments_data(elf, &segments, d.names, d.names_bytes, ELF_T_BYTE);
	if (symbols == NULL || names == NULL)
		return 0;
	return crimg_symbols_from_table(s, elf, symbols, names, err);
}
