// Running a line number program, either through all of it or through one sequence.
#include "inspect/line_table.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "format/buf.h"
#include "format/checked.h"
#include "format/search.h"
#include "inspect/elf_guard.h"
#include "inspect/line_header.h"

// The registers of the machine that DWARF describes, as far as they are of use here.
struct machine {
	uint64_t address, file;
	uint32_t line;           // wraps as it likes
};
#define MACHINE_INIT ((struct machine){ .file = 1, .line = 1 })

enum step { STEP_NONE, STEP_ROW, STEP_END, STEP_BROKEN };

// Millions of these: no call, no message.
static inline bool take_byte(struct crimg_cursor *c, uint8_t *out)
{
	if (c->at >= c->length)
		return false;
	*out = c->data[c->at++];
	return true;
}

static inline bool take_leb(struct crimg_cursor *c, uint64_t *out, bool is_signed)
{
	uint64_t value = 0;
	uint8_t byte;
	unsigned shift = 0;
	do {
		if (!take_byte(c, &byte))
			return false;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0);
	if (is_signed && shift < 64 && (byte & 0x40) != 0)
		value |= UINT64_MAX << shift;
	*out = value;
	return true;
}

static enum step extended(struct crimg_cursor *c, struct machine *m)
{
	struct crimg_cursor body;
	uint64_t length;
	uint8_t opcode;
	uint32_t narrow;
	if (!take_leb(c, &length, false) || crimg_cursor_sub(c, length, &body, "instruction", NULL) < 0
	    || !take_byte(&body, &opcode))
		return STEP_BROKEN;
	if (opcode == DW_LNE_end_sequence)
		return STEP_END;
	if (opcode != DW_LNE_set_address)
		return STEP_NONE;
	if (crimg_cursor_left(&body) == 8)
		return crimg_cursor_u64(&body, &m->address, "address", NULL) == 0 ? STEP_NONE
		                                                                  : STEP_BROKEN;
	if (crimg_cursor_u32(&body, &narrow, "address", NULL) < 0)
		return STEP_BROKEN;
	m->address = narrow;
	return STEP_NONE;
}

static bool skip_operands(const struct crimg_line_header *h, struct crimg_cursor *c, uint8_t opcode)
{
	uint64_t ignored;
	for (unsigned i = 0; i < h->operands[opcode - 1]; i++)
		if (!take_leb(c, &ignored, false))
			return false;
	return true;
}

static enum step standard(const struct crimg_line_header *h, struct crimg_cursor *c, uint8_t opcode,
                          struct machine *m)
{
	uint64_t n = 0;
	uint16_t fixed;
	switch (opcode) {
	case DW_LNS_copy:
		return STEP_ROW;
	case DW_LNS_advance_pc:
		if (!take_leb(c, &n, false))
			return STEP_BROKEN;
		m->address += n * h->step;
		return STEP_NONE;
	case DW_LNS_advance_line:
		if (!take_leb(c, &n, true))
			return STEP_BROKEN;
		m->line += (uint32_t)n;
		return STEP_NONE;
	case DW_LNS_set_file:
		return take_leb(c, &m->file, false) ? STEP_NONE : STEP_BROKEN;
	case DW_LNS_const_add_pc:
		m->address += (uint64_t)((255u - h->opcode_base) / h->line_range) * h->step;
		return STEP_NONE;
	case DW_LNS_fixed_advance_pc:
		if (crimg_cursor_u16(c, &fixed, "advance", NULL) < 0)
			return STEP_BROKEN;
		m->address += fixed;
		return STEP_NONE;
	default:
		return skip_operands(h, c, opcode) ? STEP_NONE : STEP_BROKEN;
	}
}

// One instruction.
static enum step step(const struct crimg_line_header *h, struct crimg_cursor *c, struct machine *m)
{
	uint8_t opcode;
	if (!take_byte(c, &opcode))
		return STEP_BROKEN;
	if (opcode >= h->opcode_base) {
		unsigned special = (unsigned)opcode - h->opcode_base;
		m->address += (uint64_t)(special / h->line_range) * h->step;
		m->line += (uint32_t)(h->line_base + (int)(special % h->line_range));
		return STEP_ROW;
	}
	return opcode == 0 ? extended(c, m) : standard(h, c, opcode, m);
}

static int add_sequence(struct crimg_line_table *t, const struct crimg_line_sequence *s,
                        struct crimg_err *err)
{
	void *sequences = t->sequences;
	if (s->low == 0 || s->low >= s->high) // of code that the linker left out
		return 0;
	if (crimg_grow(&sequences, &t->capacity, t->count, sizeof *t->sequences, err) < 0)
		return -1;
	t->sequences = sequences;
	t->sequences[t->count++] = *s;
	return 0;
}

// Notes where each sequence is, and what it covers.
static int run_all(struct crimg_line_table *t, const struct crimg_line_header *h,
                   struct crimg_err *err)
{
	struct crimg_cursor c = h->program;
	struct machine m = MACHINE_INIT;
	struct crimg_line_sequence s = { .low = UINT64_MAX, .unit = h->offset, .program = c.at };
	enum step what;
	while ((what = step(h, &c, &m)) != STEP_BROKEN) {
		if (what == STEP_NONE)
			continue;
		s.low = m.address < s.low ? m.address : s.low;
		if (what != STEP_END)
			continue;
		s.high = m.address;
		if (add_sequence(t, &s, err) < 0)
			return -1;
		m = MACHINE_INIT;
		s = (struct crimg_line_sequence){ .low = UINT64_MAX, .unit = h->offset, .program = c.at };
	}
	return 0;
}

static int by_low(const void *a, const void *b)
{
	const struct crimg_line_sequence *x = a, *y = b;
	return x->low < y->low ? -1 : x->low > y->low;
}

// The section's bytes, unpacked; empty when it is not there.
static struct crimg_cursor section_bytes(Elf_Scn *section, const GElf_Shdr *header, const char *name)
{
	struct crimg_cursor none = crimg_cursor_make(NULL, 0, name, 0);
	if (header->sh_type == SHT_NOBITS)
		return none;
	if ((header->sh_flags & SHF_COMPRESSED) != 0 && elf_compress(section, 0, 0) < 0)
		return none;
	if (name[1] == 'z' && elf_compress_gnu(section, 0, 0) < 0)
		return none;
	Elf_Data *data = elf_rawdata(section, NULL);
	return data != NULL && data->d_buf != NULL ? crimg_cursor_make(data->d_buf, data->d_size, name, 0)
	                                           : none;
}

static void find_sections(struct crimg_line_table *t, Elf *elf)
{
	const struct {
		const char *name, *old;
		struct crimg_cursor *out;
	} rows[] = {
		{ ".debug_line", ".zdebug_line", &t->lines },
		{ ".debug_line_str", ".zdebug_line_str", &t->line_strings },
		{ ".debug_str", ".zdebug_str", &t->strings },
	};
	size_t names;
	GElf_Shdr header;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return;
	for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s)) != NULL;) {
		const char *name = gelf_getshdr(s, &header) != NULL
			? elf_strptr(elf, names, header.sh_name) : NULL;
		for (size_t i = 0; name != NULL && i < sizeof rows / sizeof rows[0]; i++)
			if (strcmp(name, rows[i].name) == 0 || strcmp(name, rows[i].old) == 0)
				*rows[i].out = section_bytes(s, &header, name);
	}
}

int crimg_line_table_init(struct crimg_line_table *t, Elf *elf, struct crimg_err *err)
{
	struct crimg_line_header h;
	size_t at = 0;
	int rc;
	*t = (struct crimg_line_table){ .count = 0 };
	find_sections(t, elf);
	while ((rc = crimg_line_header_read(&t->lines, &at, &h)) >= 0)
		if (rc > 0 && run_all(t, &h, err) < 0) {
			crimg_line_table_fini(t);
			return -1;
		}
	if (t->count > 0)
		qsort(t->sequences, t->count, sizeof *t->sequences, by_low);
	return 0;
}

void crimg_line_table_fini(struct crimg_line_table *t)
{
	free(t->sequences);
	*t = (struct crimg_line_table){ .count = 0 };
}

// Sequences may lie within others, rarely and not deep.
static const struct crimg_line_sequence *find_sequence(const struct crimg_line_table *t,
                                                       uint64_t address)
{
	enum { STEPS_BACK = 16 };
	size_t low;
	CRIMG_COUNT_BEFORE(low, t->count, t->sequences[low].low <= address);
	for (size_t i = low; i > 0 && low - i < STEPS_BACK; i--)
		if (address < t->sequences[i - 1].high)
			return &t->sequences[i - 1];
	return NULL;
}

// The row of address is the last one at or before it.
uint32_t crimg_line_table_find(const struct crimg_line_table *t, uint64_t address, char *file,
                               size_t size)
{
	const struct crimg_line_sequence *s = find_sequence(t, address);
	struct crimg_line_header h;
	struct machine m = MACHINE_INIT, row = { .line = 0 };
	size_t at = s != NULL ? s->unit : 0;
	if (s == NULL || crimg_line_header_read(&t->lines, &at, &h) <= 0)
		return 0;
	struct crimg_cursor c = h.program;
	c.at = s->program;
	for (enum step what = STEP_NONE; what != STEP_END;) {
		what = step(&h, &c, &m);
		if (what == STEP_BROKEN || (what != STEP_NONE && m.address > address))
			break;
		if (what == STEP_ROW)
			row = m;
	}
	if (row.line == 0 || row.line > INT32_MAX)
		return 0;
	crimg_line_header_file(t, &h, row.file, file, size);
	return file[0] != '\0' ? row.line : 0;
}
