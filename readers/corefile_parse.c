// ELF header, program headers, note segments.
#include "readers/corefile_parse.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"

#define PAGE_MASK ((uint64_t)CRIMG_PAGE_BYTES - 1)

int corefile_word(struct crimg_cursor *c, bool is_32, uint64_t *out, const char *what,
                  struct crimg_err *err)
{
	uint32_t narrow;
	if (!is_32)
		return crimg_cursor_u64(c, out, what, err);
	if (crimg_cursor_u32(c, &narrow, what, err) < 0)
		return -1;
	*out = narrow;
	return 0;
}

uint64_t corefile_row_offset(const struct corefile_elf *elf, uint32_t row)
{
	return elf->table + (uint64_t)row * CRIMG_ELF_PHDR_BYTES(elf->is_32);
}

// A refusal of the file as a whole.
static int refuse(const struct crimg_source *s, enum crimg_code code, uint64_t at,
                  const char *found, struct crimg_err *err)
{
	return crimg_fail(err, code, s->name, at,
	                  "%s found, a core of an x86-64 or i386 process wanted", found);
}

static int check_ident(const struct crimg_source *s, const uint8_t *ident, struct crimg_err *err)
{
	if (memcmp(ident, CRIMG_ELF_MAGIC, 4) != 0)
		return refuse(s, CRIMG_E_FORMAT, 0, "no ELF file", err);
	if (ident[CRIMG_ELF_CLASS] != CRIMG_ELF_CLASS32
	    && ident[CRIMG_ELF_CLASS] != CRIMG_ELF_CLASS64)
		return refuse(s, CRIMG_E_FORMAT, CRIMG_ELF_CLASS, "an ELF file of no known class",
		              err);
	if (ident[CRIMG_ELF_DATA] != CRIMG_ELF_LITTLE)
		return refuse(s, CRIMG_E_UNSUPPORTED, CRIMG_ELF_DATA, "a big-endian ELF file", err);
	return 0;
}

static int check_type(const struct crimg_source *s, uint16_t type, struct crimg_err *err)
{
	static const char *const types[] = { "an ELF file of type 0", "an object file", "a program",
		                             "a program or shared library" };
	if (type == CRIMG_ELF_TYPE_CORE)
		return 0;
	return refuse(s, CRIMG_E_UNSUPPORTED, CRIMG_ELF_EHDR_TYPE,
	              type < sizeof types / sizeof types[0] ? types[type]
	                                                    : "an ELF file that is no core",
	              err);
}

static int check_machine(const struct crimg_source *s, bool is_32, uint16_t machine,
                         struct crimg_err *err)
{
	static const struct {
		uint16_t number;
		const char *text;
	} others[] = {
		{ 8, "a MIPS core" },
		{ 20, "a PowerPC core" },
		{ 21, "a 64-bit PowerPC core" },
		{ 22, "an S/390 core" },
		{ 40, "an ARM core" },
		{ 183, "an AArch64 core" },
		{ 243, "a RISC-V core" },
		{ 258, "a LoongArch core" },
	};
	const char *found = "a core of another machine";
	if (machine == (is_32 ? CRIMG_ELF_MACHINE_386 : CRIMG_ELF_MACHINE_X86_64))
		return 0;
	if (is_32 && machine == CRIMG_ELF_MACHINE_X86_64)
		found = "a core of the x32 ABI";
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (others[i].number == machine)
			found = others[i].text;
	return refuse(s, CRIMG_E_UNSUPPORTED, CRIMG_ELF_EHDR_MACHINE, found, err);
}

int corefile_header_parse(struct crimg_cursor *c, bool is_32, struct corefile_header *h,
                          struct crimg_err *err)
{
	uint64_t entry;
	uint32_t version, flags;
	uint16_t bytes;
	if (crimg_cursor_u16(c, &h->type, "e_type", err) < 0
	    || crimg_cursor_u16(c, &h->machine, "e_machine", err) < 0
	    || crimg_cursor_u32(c, &version, "e_version", err) < 0
	    || corefile_word(c, is_32, &entry, "e_entry", err) < 0
	    || corefile_word(c, is_32, &h->table, "e_phoff", err) < 0
	    || corefile_word(c, is_32, &h->sections, "e_shoff", err) < 0
	    || crimg_cursor_u32(c, &flags, "e_flags", err) < 0
	    || crimg_cursor_u16(c, &bytes, "e_ehsize", err) < 0
	    || crimg_cursor_u16(c, &h->row_bytes, "e_phentsize", err) < 0)
		return -1;
	return crimg_cursor_u16(c, &h->rows, "e_phnum", err);
}

static int read_header(struct corefile_elf *elf, struct corefile_header *h, struct crimg_err *err)
{
	struct crimg_source *s = elf->source;
	uint8_t bytes[CRIMG_ELF64_EHDR_BYTES];
	if (crimg_source_read_exact(s, 0, bytes, CRIMG_ELF_IDENT_BYTES, err) < 0
	    || check_ident(s, bytes, err) < 0)
		return -1;
	elf->is_32 = bytes[CRIMG_ELF_CLASS] == CRIMG_ELF_CLASS32;
	size_t length = CRIMG_ELF_EHDR_BYTES(elf->is_32);
	if (crimg_source_read_exact(s, 0, bytes, length, err) < 0)
		return -1;
	struct crimg_cursor c =
		crimg_cursor_make(bytes + CRIMG_ELF_IDENT_BYTES, length - CRIMG_ELF_IDENT_BYTES,
	                          s->name, CRIMG_ELF_IDENT_BYTES);
	if (corefile_header_parse(&c, elf->is_32, h, err) < 0 || check_type(s, h->type, err) < 0
	    || check_machine(s, elf->is_32, h->machine, err) < 0)
		return -1;
	elf->table = h->table;
	return 0;
}

// e_phnum has 16 bits; of more rows than that, section header 0 tells the number.
static int count_rows(const struct corefile_elf *elf, const struct corefile_header *h,
                      uint32_t *rows, struct crimg_err *err)
{
	const char *name = elf->source->name;
	uint8_t word[4];
	uint64_t at;
	*rows = h->rows;
	if (h->rows == CRIMG_ELF_PN_XNUM) {
		if (h->sections == 0
		    || !crimg_add_u64(h->sections, CRIMG_ELF_SHDR_INFO(elf->is_32), &at))
			return crimg_fail(err, CRIMG_E_FORMAT, name, 0,
			                  "e_phnum is PN_XNUM, but there is no section header 0");
		if (crimg_source_read_exact(elf->source, at, word, sizeof word, err) < 0)
			return -1;
		*rows = crimg_get_u32(word);
	}
	if (*rows > CRIMG_MAX_SEGMENTS)
		return crimg_fail(err, CRIMG_E_LIMIT, name, 0,
		                  "%u program headers, at most %u wanted", *rows,
		                  CRIMG_MAX_SEGMENTS);
	if (*rows > 0 && h->row_bytes != CRIMG_ELF_PHDR_BYTES(elf->is_32))
		return crimg_fail(err, CRIMG_E_FORMAT, name, 0,
		                  "program headers of %u bytes found, %u wanted", h->row_bytes,
		                  CRIMG_ELF_PHDR_BYTES(elf->is_32));
	uint64_t bytes = (uint64_t)*rows * CRIMG_ELF_PHDR_BYTES(elf->is_32);
	uint64_t size = elf->source->size;
	if (!crimg_in_range(h->table, bytes, size))
		return crimg_fail(err, CRIMG_E_FORMAT, name, h->table,
		                  "the file ends: %llu bytes of program headers found, %llu wanted",
		                  (unsigned long long)(h->table < size ? size - h->table : 0),
		                  (unsigned long long)bytes);
	return 0;
}

// The classes order these fields differently, and end them with p_align.
int corefile_row_parse(struct crimg_cursor *c, bool is_32, struct corefile_row *r,
                       struct crimg_err *err)
{
	uint64_t physical, align;
	if (crimg_cursor_u32(c, &r->type, "p_type", err) < 0
	    || (!is_32 && crimg_cursor_u32(c, &r->flags, "p_flags", err) < 0)
	    || corefile_word(c, is_32, &r->offset, "p_offset", err) < 0
	    || corefile_word(c, is_32, &r->address, "p_vaddr", err) < 0
	    || corefile_word(c, is_32, &physical, "p_paddr", err) < 0
	    || corefile_word(c, is_32, &r->bytes, "p_filesz", err) < 0
	    || corefile_word(c, is_32, &r->memory, "p_memsz", err) < 0)
		return -1;
	if (is_32 && crimg_cursor_u32(c, &r->flags, "p_flags", err) < 0)
		return -1;
	return corefile_word(c, is_32, &align, "p_align", err);
}

static int add_segment(struct corefile_elf *elf, const struct corefile_row *r, uint32_t row,
                       struct crimg_err *err)
{
	const char *name = elf->source->name;
	uint64_t at = corefile_row_offset(elf, row), end;
	if (r->memory == 0 && r->bytes == 0)
		return 0;
	if ((r->address & PAGE_MASK) != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, at,
		                  "a segment at 0x%llx found, one at a page boundary wanted",
		                  (unsigned long long)r->address);
	if (r->bytes > r->memory)
		return crimg_fail(err, CRIMG_E_FORMAT, name, at,
		                  "a segment with 0x%llx bytes for 0x%llx of memory",
		                  (unsigned long long)r->bytes, (unsigned long long)r->memory);
	if (!crimg_add_u64(r->address, r->memory, &end) || !crimg_add_u64(end, PAGE_MASK, &end))
		return crimg_fail(err, CRIMG_E_FORMAT, name, at,
		                  "a segment of 0x%llx bytes at 0x%llx leaves the address space",
		                  (unsigned long long)r->memory, (unsigned long long)r->address);
	void *array = elf->segments;
	if (crimg_grow(&array, &elf->capacity, elf->count, sizeof *elf->segments, err) < 0)
		return -1;
	elf->segments = array;
	elf->segments[elf->count++] = (struct corefile_segment){
		.start = r->address,
		.end = end & ~PAGE_MASK,
		.offset = r->offset,
		.bytes = r->bytes,
		.flags = r->flags,
		.row = row,
	};
	return 0;
}

// Takes in the bytes of a note segment, as many as there are.
static int add_part(struct corefile_elf *elf, const struct corefile_row *r,
                    struct crimg_err *damage, struct crimg_err *err)
{
	struct crimg_source *s = elf->source;
	uint64_t there = r->offset < s->size ? crimg_min_u64(s->size - r->offset, r->bytes) : 0;
	if (there < r->bytes)
		crimg_fail(damage, CRIMG_E_FORMAT, s->name, r->offset,
		           "the file ends: %llu bytes of notes found, %llu wanted",
		           (unsigned long long)there, (unsigned long long)r->bytes);
	if (there > CRIMG_MAX_CORE_NOTES_BYTES - elf->notes.length)
		return crimg_fail(err, CRIMG_E_LIMIT, s->name, r->offset,
		                  "more than %u bytes of notes", CRIMG_MAX_CORE_NOTES_BYTES);
	void *array = elf->parts;
	if (crimg_grow(&array, &elf->part_capacity, elf->part_count, sizeof *elf->parts, err) < 0)
		return -1;
	elf->parts = array;
	if (there == 0)
		return 0;
	size_t length = (size_t)there, at = elf->notes.length;
	if (crimg_buf_reserve(&elf->notes, length, err) < 0
	    || crimg_source_read_exact(s, r->offset, elf->notes.data + at, length, err) < 0)
		return -1;
	elf->notes.length += length;
	elf->parts[elf->part_count++] = (struct corefile_part){ r->offset, at, length };
	return 0;
}

static int read_rows(struct corefile_elf *elf, uint32_t rows, struct crimg_err *damage,
                     struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(elf->source, elf->table);
	size_t got, wanted = CRIMG_ELF_PHDR_BYTES(elf->is_32);
	const uint8_t *p;
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < rows; i++) {
		struct corefile_row r = { .type = 0 };
		rc = crimg_window_peek(&w, wanted, &p, &got, err);
		if (rc < 0)
			break;
		struct crimg_cursor c = crimg_cursor_make(p, got < wanted ? got : wanted,
		                                          elf->source->name, w.offset);
		rc = corefile_row_parse(&c, elf->is_32, &r, err);
		if (rc == 0 && r.type == CRIMG_ELF_PT_LOAD)
			rc = add_segment(elf, &r, i, err);
		else if (rc == 0 && r.type == CRIMG_ELF_PT_NOTE && r.bytes > 0)
			rc = add_part(elf, &r, damage, err);
		if (rc == 0)
			rc = crimg_window_skip(&w, wanted, err);
	}
	crimg_window_fini(&w);
	return rc;
}

static int by_address(const void *a, const void *b)
{
	const struct corefile_segment *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static int sort_segments(struct corefile_elf *elf, struct crimg_err *err)
{
	if (elf->count > 1)
		qsort(elf->segments, elf->count, sizeof *elf->segments, by_address);
	for (size_t i = 1; i < elf->count; i++) {
		const struct corefile_segment *a = &elf->segments[i - 1], *b = &elf->segments[i];
		if (a->end > b->start)
			return crimg_fail(err, CRIMG_E_FORMAT, elf->source->name,
			                  corefile_row_offset(elf, b->row),
			                  "a segment at 0x%llx overlaps that from 0x%llx to 0x%llx",
			                  (unsigned long long)b->start,
			                  (unsigned long long)a->start, (unsigned long long)a->end);
	}
	return 0;
}

int corefile_elf_open(struct crimg_source *source, struct corefile_elf *out,
                      struct crimg_err *damage, struct crimg_err *err)
{
	struct corefile_elf elf = { .source = source };
	struct corefile_header h;
	uint32_t rows;
	if (source->size == CRIMG_SIZE_UNKNOWN)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, source->name, CRIMG_NO_OFFSET,
		                  "a core cannot be read from a pipe: store it in a file");
	if (read_header(&elf, &h, err) < 0 || count_rows(&elf, &h, &rows, err) < 0
	    || read_rows(&elf, rows, damage, err) < 0 || sort_segments(&elf, err) < 0) {
		corefile_elf_fini(&elf);
		return -1;
	}
	*out = elf;
	return 0;
}

void corefile_elf_fini(struct corefile_elf *elf)
{
	free(elf->segments);
	free(elf->parts);
	crimg_buf_fini(&elf->notes);
	*elf = (struct corefile_elf){ .source = NULL };
}
