// Names for the stubs that calls into other files go through: "puts@plt". A stub jumps through a
// slot, and a relocation tells whose address the slot gets. Knows the jumps of x86.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/search.h"
#include "inspect/symbol_table.h"

#define MAX_SLOTS 65536u
#define MAX_NAME 256u
#define MAX_SECTION_BYTES (64u << 20) // libelf reads sections whole

struct slot {
	uint64_t address;
	uint32_t symbol;  // in .dynsym
};

struct plt {
	struct crimg_symbols *s;
	Elf *elf;
	struct crimg_err *err;
	struct slot *slots;    // sorted by address
	size_t count, capacity;
	Elf_Data *symbols;     // .dynsym
	size_t strings;        // its section of names
	uint64_t got;          // what i386 counts from; 0: unknown
};

static bool is_small(Elf *elf, size_t section)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf_getscn(elf, section);
	return scn != NULL && gelf_getshdr(scn, &sh) != NULL && sh.sh_size <= MAX_SECTION_BYTES;
}

static const char *section_name(Elf *elf, const GElf_Shdr *sh)
{
	size_t names;
	const char *name = elf_getshdrstrndx(elf, &names) == 0 && is_small(elf, names)
		? elf_strptr(elf, names, sh->sh_name) : NULL;
	return name != NULL ? name : "";
}

static bool add_slot(struct plt *p, uint64_t address, uint64_t symbol)
{
	void *slots = p->slots;
	if (symbol == 0 || symbol > UINT32_MAX)
		return true;
	if (p->count >= MAX_SLOTS
	    || crimg_grow(&slots, &p->capacity, p->count, sizeof *p->slots, p->err) < 0)
		return false;
	p->slots = slots;
	p->slots[p->count++] = (struct slot){ address, (uint32_t)symbol };
	return true;
}

static void read_relocations(struct plt *p, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Rela rela;
	GElf_Rel rel;
	if (data == NULL || data->d_buf == NULL)
		return;
	if (sh->sh_type == SHT_RELA)
		for (int i = 0; gelf_getrela(data, i, &rela) != NULL; i++) {
			if (!add_slot(p, rela.r_offset, GELF_R_SYM(rela.r_info)))
				return;
		}
	else
		for (int i = 0; gelf_getrel(data, i, &rel) != NULL; i++) {
			if (!add_slot(p, rel.r_offset, GELF_R_SYM(rel.r_info)))
				return;
		}
}

static int by_address(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

// The name of the symbol that slot gets; NULL when there is none.
static const char *slot_name(const struct plt *p, uint64_t address)
{
	GElf_Sym sym;
	const struct slot key = { address, 0 };
	size_t low;
	CRIMG_COUNT_BEFORE(low, p->count, by_address(&p->slots[low], &key) < 0);
	if (low == p->count || p->slots[low].address != address
	    || p->slots[low].symbol > INT32_MAX
	    || gelf_getsym(p->symbols, (int)p->slots[low].symbol, &sym) == NULL)
		return NULL;
	const char *name = elf_strptr(p->elf, p->strings, sym.st_name);
	return name != NULL && name[0] != '\0' ? name : NULL;
}

// The slot that the stub at code jumps through; 0 when it is no stub. 12 bytes are there.
static uint64_t jumps_through(const struct plt *p, const uint8_t *code, uint64_t address)
{
	static const uint8_t landing[] = { 0xf3, 0x0f, 0x1e }; // endbr64, endbr32
	size_t at = memcmp(code, landing, sizeof landing) == 0 ? 4 : 0;
	at += code[at] == 0xf2; // bnd
	if (code[at] != 0xff)
		return 0;
	uint32_t number = crimg_get_u32(code + at + 2);
	if (gelf_getclass(p->elf) == ELFCLASS64)
		return code[at + 1] == 0x25 ? address + at + 6 + (uint64_t)(int64_t)(int32_t)number
					    : 0;
	if (code[at + 1] == 0x25)
		return number;
	return code[at + 1] == 0xa3 && p->got != 0 ? (uint32_t)(p->got + number) : 0;
}

static bool add_stub(struct plt *p, uint64_t address, uint64_t size, const char *name)
{
	char text[MAX_NAME];
	const GElf_Sym sym = { .st_info = GELF_ST_INFO(STB_LOCAL, STT_FUNC), .st_shndx = 1,
		               .st_value = address, .st_size = size };
	int n = snprintf(text, sizeof text, "%.*s@plt", (int)sizeof text - 8, name);
	char *copy = crimg_arena_text(&p->s->names, text, (size_t)n);
	if (copy == NULL) {
		crimg_fail_nomem(p->err, sizeof text);
		return false;
	}
	return crimg_symbols_add(p->s, &sym, copy, 0, p->err);
}

static void read_stubs(struct plt *p, Elf_Scn *scn, const GElf_Shdr *sh)
{
	enum { STEP = 8, SEEN = 12 };
	Elf_Data *data = sh->sh_type == SHT_PROGBITS && sh->sh_size <= MAX_SECTION_BYTES
		? elf_getdata(scn, NULL) : NULL;
	if (data == NULL || data->d_buf == NULL)
		return;
	uint64_t size = sh->sh_entsize == 8 ? 8 : 16;
	for (size_t at = 0, named = 0; at + STEP <= data->d_size && named < MAX_SLOTS; at += STEP) {
		uint8_t code[SEEN] = { 0 };
		memcpy(code, (const uint8_t *)data->d_buf + at,
		       crimg_min_u64(SEEN, data->d_size - at));
		uint64_t slot = jumps_through(p, code, sh->sh_addr + at);
		const char *name = slot != 0 ? slot_name(p, slot) : NULL;
		if (name == NULL)
			continue;
		named++;
		if (!add_stub(p, sh->sh_addr + at, size, name))
			return;
	}
}

// What relocations and stubs refer to; false when the file has no dynamic symbols.
static bool find_symbols(struct plt *p)
{
	GElf_Shdr sh;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(p->elf, scn)) != NULL;) {
		if (gelf_getshdr(scn, &sh) == NULL || sh.sh_size > MAX_SECTION_BYTES)
			continue;
		const char *name = section_name(p->elf, &sh);
		if (sh.sh_type == SHT_DYNSYM && p->symbols == NULL
		    && is_small(p->elf, sh.sh_link)) {
			p->symbols = elf_getdata(scn, NULL);
			p->strings = sh.sh_link;
		} else if ((sh.sh_type == SHT_RELA || sh.sh_type == SHT_REL)
			   && (sh.sh_flags & SHF_ALLOC) != 0) {
			read_relocations(p, scn, &sh);
		} else if (strcmp(name, ".got.plt") == 0
			   || (p->got == 0 && strcmp(name, ".got") == 0)) {
			p->got = sh.sh_addr;
		}
	}
	return p->symbols != NULL && p->symbols->d_buf != NULL && p->count > 0;
}

int crimg_symbols_from_plt(struct crimg_symbols *s, Elf *elf, struct crimg_err *err)
{
	struct plt p = { .s = s, .elf = elf, .err = err };
	GElf_Shdr sh;
	if (find_symbols(&p)) {
		qsort(p.slots, p.count, sizeof *p.slots, by_address);
		for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn)) != NULL;)
			if (gelf_getshdr(scn, &sh) != NULL
			    && strncmp(section_name(elf, &sh), ".plt", 4) == 0)
				read_stubs(&p, scn, &sh);
	}
	free(p.slots);
	return err->code == CRIMG_OK ? 0 : -1;
}
