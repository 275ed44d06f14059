#include "inspect/line_header.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"

// A number of 4 or 8 bytes.
static bool read_offset(struct crimg_cursor *c, bool wide, uint64_t *out)
{
	uint32_t narrow;
	if (wide)
		return crimg_cursor_u64(c, out, "offset", NULL) == 0;
	if (crimg_cursor_u32(c, &narrow, "offset", NULL) < 0)
		return false;
	*out = narrow;
	return true;
}

static bool skip(struct crimg_cursor *c, uint64_t length)
{
	const uint8_t *ignored;
	return crimg_cursor_bytes(c, length, &ignored, "bytes", NULL) == 0;
}

// What stands between the version and the tables of names.
static bool read_shape(struct crimg_line_header *h)
{
	struct crimg_cursor *c = &h->unit, rest;
	uint64_t length;
	uint8_t base, per_instruction = 1, is_statement;
	if (h->version >= 5 && !skip(c, 2)) // sizes of addresses and of segment selectors
		return false;
	if (!read_offset(c, h->wide, &length) || crimg_cursor_sub(c, length, &rest, "header", NULL) < 0)
		return false;
	h->program = *c;
	if (crimg_cursor_u8(&rest, &h->step, "step", NULL) < 0
	    || (h->version >= 4 && crimg_cursor_u8(&rest, &per_instruction, "operations", NULL) < 0)
	    || crimg_cursor_u8(&rest, &is_statement, "default", NULL) < 0
	    || crimg_cursor_u8(&rest, &base, "line base", NULL) < 0
	    || crimg_cursor_u8(&rest, &h->line_range, "line range", NULL) < 0
	    || crimg_cursor_u8(&rest, &h->opcode_base, "opcode base", NULL) < 0
	    || h->opcode_base == 0 || h->line_range == 0 || per_instruction != 1
	    || crimg_cursor_bytes(&rest, h->opcode_base - 1u, &h->operands, "operands", NULL) < 0)
		return false;
	h->line_base = (int8_t)base;
	h->names = rest;
	return true;
}

int crimg_line_header_read(const struct crimg_cursor *section, size_t *at,
                           struct crimg_line_header *out)
{
	struct crimg_cursor c = *section;
	struct crimg_line_header h = { .offset = *at };
	uint32_t first;
	uint16_t version;
	uint64_t length;
	c.at = *at;
	if (crimg_cursor_u32(&c, &first, "length", NULL) < 0)
		return -1;
	h.wide = first == UINT32_MAX;
	length = first;
	if (h.wide && crimg_cursor_u64(&c, &length, "length", NULL) < 0)
		return -1;
	if (crimg_cursor_sub(&c, length, &h.unit, "unit", NULL) < 0)
		return -1;
	*at = c.at;
	if (crimg_cursor_u16(&h.unit, &version, "version", NULL) < 0 || version < 2 || version > 5)
		return 0;
	h.version = version;
	if (!read_shape(&h))
		return 0;
	*out = h;
	return 1;
}

// A string up to its NUL, which must be there.
static const char *read_string(struct crimg_cursor *c)
{
	if (crimg_cursor_left(c) == 0)
		return NULL;
	const uint8_t *begin = c->data + c->at, *end = memchr(begin, 0, crimg_cursor_left(c));
	if (end == NULL)
		return NULL;
	c->at += (size_t)(end - begin) + 1;
	return (const char *)begin;
}

static const char *string_at(const struct crimg_cursor *section, uint64_t offset)
{
	struct crimg_cursor c = *section;
	if (offset > c.length)
		return NULL;
	c.at = (size_t)offset;
	return read_string(&c);
}

struct entry {
	const char *name;        // NULL: not told, or not in a way that is known
	uint64_t directory;
};

// One field of an entry; false: it cannot be passed over.
static bool read_form(const struct crimg_line_table *t, bool wide, struct crimg_cursor *c,
                      uint64_t form, const char **text, uint64_t *number)
{
	uint64_t offset;
	uint8_t small;
	uint16_t middle;
	switch (form) {
	case DW_FORM_string:
		*text = read_string(c);
		return *text != NULL;
	case DW_FORM_line_strp: case DW_FORM_strp: case DW_FORM_strp_sup:
		if (!read_offset(c, wide, &offset))
			return false;
		*text = form == DW_FORM_strp_sup ? NULL
			: string_at(form == DW_FORM_strp ? &t->strings : &t->line_strings, offset);
		return true;
	case DW_FORM_udata:
		return crimg_cursor_varint(c, number, "number", NULL) == 0;
	case DW_FORM_data1:
		if (crimg_cursor_u8(c, &small, "number", NULL) < 0)
			return false;
		*number = small;
		return true;
	case DW_FORM_data2:
		if (crimg_cursor_u16(c, &middle, "number", NULL) < 0)
			return false;
		*number = middle;
		return true;
	case DW_FORM_data4: case DW_FORM_data8: case DW_FORM_data16:
		return skip(c, form == DW_FORM_data4 ? 4 : form == DW_FORM_data8 ? 8 : 16);
	case DW_FORM_block:
		return crimg_cursor_varint(c, &offset, "length", NULL) == 0 && skip(c, offset);
	default:
		return false;
	}
}

// A table of DWARF 5: what its entries are made of, how many there are, and the entries.
struct table {
	struct crimg_cursor format, entries;
	uint64_t count;
};

static bool read_entry(const struct crimg_line_table *t, const struct crimg_line_header *h,
                       const struct table *table, struct crimg_cursor *c, struct entry *out)
{
	struct crimg_cursor format = table->format;
	struct entry e = { .name = NULL };
	uint64_t content, form;
	while (crimg_cursor_left(&format) > 0) {
		const char *text = NULL;
		uint64_t number = 0;
		if (crimg_cursor_varint(&format, &content, "content", NULL) < 0
		    || crimg_cursor_varint(&format, &form, "form", NULL) < 0
		    || !read_form(t, h->wide, c, form, &text, &number))
			return false;
		if (content == DW_LNCT_path)
			e.name = text;
		else if (content == DW_LNCT_directory_index)
			e.directory = number;
	}
	*out = e;
	return true;
}

// *wanted is the entry of that number, if the table has it. False: what follows the table is lost.
static bool read_table(const struct crimg_line_table *t, const struct crimg_line_header *h,
                       struct crimg_cursor *c, uint64_t number, bool to_end, struct entry *wanted)
{
	struct table table;
	uint64_t ignored;
	uint8_t fields;
	if (crimg_cursor_u8(c, &fields, "fields", NULL) < 0)
		return false;
	size_t begin = c->at;
	for (unsigned i = 0; i < 2u * fields; i++)
		if (crimg_cursor_varint(c, &ignored, "field", NULL) < 0)
			return false;
	table.format = crimg_cursor_make(c->data + begin, c->at - begin, NULL, 0);
	if (crimg_cursor_varint(c, &table.count, "count", NULL) < 0)
		return false;
	for (uint64_t i = 0; i < table.count && fields > 0 && (to_end || i <= number); i++) {
		size_t before = c->at;
		struct entry e;
		if (!read_entry(t, h, &table, c, &e) || c->at == before)
			return false;
		if (i == number)
			*wanted = e;
	}
	return true;
}

static void find_v5(const struct crimg_line_table *t, const struct crimg_line_header *h,
                    uint64_t number, struct entry *file, struct entry *directory)
{
	struct crimg_cursor c = h->names;
	if (!read_table(t, h, &c, UINT64_MAX, true, file) || !read_table(t, h, &c, number, false, file))
		return;
	c = h->names;
	(void)!read_table(t, h, &c, file->directory, false, directory);
}

// Up to DWARF 4: strings up to an empty one; counting begins with 1. A directory is only a name.
static bool read_list(struct crimg_cursor *c, bool files, uint64_t number, struct entry *wanted)
{
	uint64_t directory = 0, ignored;
	const char *name;
	for (uint64_t i = 1; (name = read_string(c)) != NULL && name[0] != '\0'; i++) {
		if (files && (crimg_cursor_varint(c, &directory, "directory", NULL) < 0
		              || crimg_cursor_varint(c, &ignored, "time", NULL) < 0
		              || crimg_cursor_varint(c, &ignored, "length", NULL) < 0))
			return false;
		if (i == number)
			*wanted = (struct entry){ name, directory };
	}
	return name != NULL;
}

static void find_old(const struct crimg_line_header *h, uint64_t number, struct entry *file,
                     struct entry *directory)
{
	struct crimg_cursor c = h->names;
	if (!read_list(&c, false, 0, directory) || !read_list(&c, true, number, file)
	    || file->directory == 0)
		return;
	c = h->names;
	(void)!read_list(&c, false, file->directory, directory);
}

char *crimg_line_header_file(const struct crimg_line_table *t, const struct crimg_line_header *h,
                             uint64_t number, char *out, size_t size)
{
	struct entry file = { .name = NULL }, directory = { .name = NULL };
	if (h->version >= 5)
		find_v5(t, h, number, &file, &directory);
	else
		find_old(h, number, &file, &directory);
	if (file.name == NULL)
		out[0] = '\0';
	else if (directory.name == NULL || file.name[0] == '/')
		snprintf(out, size, "%s", file.name);
	else
		snprintf(out, size, "%s/%s", directory.name, file.name);
	return out;
}
