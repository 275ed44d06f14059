// Line number programs: those of this very program, small ones of every version put together by hand, and
// hostile ones.
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"
#include "inspect/elf_guard.h"
#include "inspect/line_table.h"
#include "tests/suite.h"

// --- This program: it is built with debug information in every mode.

__attribute__((noinline)) static int landmark(int n)
{
	return n * 3;
}
enum { LANDMARK_LINE = __LINE__ - 2 };

static void test_self(void)
{
	struct crimg_line_table t;
	char file[4096] = "";
	int fd = open("/proc/self/exe", O_RDONLY);
	Elf *elf = crimg_elf_open(fd);
	unsigned hits = 0;
	volatile int one = 1; // so that the function is one
	CU_ASSERT_PTR_NOT_NULL_FATAL(elf);
	CU_ASSERT_EQUAL_FATAL(crimg_line_table_init(&t, elf, NULL), 0);
	for (size_t i = 0; i < t.count; i++) {
		const struct crimg_line_sequence *s = &t.sequences[i];
		CU_ASSERT(s->low < s->high);
		for (uint64_t at = s->low; at < s->high && at - s->low < 100000; at++)
			hits += crimg_line_table_find(&t, at, file, sizeof file) == LANDMARK_LINE
				&& strstr(file, "tests/test_lines.c") != NULL;
	}
	CU_ASSERT(landmark(one) == 3 && hits > 0);
	CU_ASSERT_EQUAL(crimg_line_table_find(&t, UINT64_MAX, file, sizeof file), 0);
	crimg_line_table_fini(&t);
	elf_end(elf);
	close(fd);
}

// --- Sections by hand, in an ELF file in memory.

struct made {
	struct crimg_line_table table;
	Elf *elf;
	char bytes[8192];
};

static void put_section(struct made *m, size_t i, uint32_t name, uint32_t type, size_t at, size_t size)
{
	Elf64_Shdr s = { .sh_name = name, .sh_type = type, .sh_offset = at, .sh_size = size,
		         .sh_addralign = 1 };
	memcpy(m->bytes + sizeof(Elf64_Ehdr) + i * sizeof s, &s, sizeof s);
}

static void make(struct made *m, const char *lines, size_t length, const char *strings, size_t size)
{
	static const char names[] = "\0.shstrtab\0.debug_line\0.debug_line_str";
	const Elf64_Ehdr head = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_shoff = sizeof head, .e_ehsize = sizeof head, .e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 4, .e_shstrndx = 1,
	};
	size_t at = sizeof head + 4 * sizeof(Elf64_Shdr);
	memset(m, 0, sizeof *m);
	memcpy(m->bytes, &head, sizeof head);
	memcpy(m->bytes + at, names, sizeof names);
	put_section(m, 1, 1, SHT_STRTAB, at, sizeof names);
	at += sizeof names;
	memcpy(m->bytes + at, lines, length);
	put_section(m, 2, 11, SHT_PROGBITS, at, length);
	at += length;
	memcpy(m->bytes + at, strings, size);
	put_section(m, 3, 23, SHT_PROGBITS, at, size);
	elf_version(EV_CURRENT);
	m->elf = elf_memory(m->bytes, at + size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->elf);
	CU_ASSERT_EQUAL_FATAL(crimg_line_table_init(&m->table, m->elf, NULL), 0);
}

static void unmake(struct made *m)
{
	crimg_line_table_fini(&m->table);
	elf_end(m->elf);
}

static void expect(const struct made *m, uint64_t address, uint32_t line, const char *file)
{
	char found[64] = "";
	uint32_t number = crimg_line_table_find(&m->table, address, found, sizeof found);
	if (number != line || (line != 0 && strcmp(found, file) != 0))
		printf("\n  0x%llx: %s:%u, wanted %s:%u\n", (unsigned long long)address, found, number,
		       file, line);
	CU_ASSERT_EQUAL(number, line);
	CU_ASSERT(line == 0 || strcmp(found, file) == 0);
}

// Line base -5, range 14, opcode base 13: special opcode = line + 5 + 14 * addresses + 13.
#define OPCODES "\1\xfb\x0e\x0d\0\1\1\1\1\0\0\0\1\0\0\1"
#define SHAPE "\1" OPCODES    // before version 4
#define SHAPE4 "\1\1" OPCODES // one operation in an instruction
#define OLD_NAMES "dir\0\0a.c\0\0\0\0b.c\0\1\0\0\0"
#define SET_ADDRESS(low) "\0\x09\2" low "\x10\0\0\0\0\0\0"
#define END_SEQUENCE "\0\1\1"
#define PROGRAM                                                                                      \
	SET_ADDRESS("\0") "\3\x0b\1" /* 0x1000: line 12 */                                           \
	"\x3e"                       /* +3, +1: 0x1003: line 14 */                                   \
	"\4\2\2\x80\1\1"             /* file 2, +128: 0x1083 */                                      \
	"\x0b\6\5\7" /* epilogue, negate, column 7 */                                                \
	"\x08"       /* const_add_pc: +17: 0x1094 */                                                 \
	"\3\x76\1"   /* -10: line 4 */                                                               \
	"\x09\4\0" END_SEQUENCE SET_ADDRESS("\x98") "\1\x02\4" END_SEQUENCE

static void expect_program(const struct made *m, const char *first, const char *second)
{
	CU_ASSERT_EQUAL(m->table.count, 2);
	expect(m, 0xfff, 0, "");
	expect(m, 0x1000, 12, first);
	expect(m, 0x1002, 12, first);
	expect(m, 0x1003, 14, first);
	expect(m, 0x1082, 14, first);
	expect(m, 0x1083, 14, second);
	expect(m, 0x1094, 4, second);
	expect(m, 0x1097, 4, second);
	expect(m, 0x1098, 1, first);
	expect(m, 0x109b, 1, first);
	expect(m, 0x109c, 0, "");
}

// A unit with its two lengths filled in.
static size_t unit(char *out, unsigned version, const char *shape, size_t shape_length,
                   const char *program, size_t program_length)
{
	uint8_t *p = (uint8_t *)out;
	size_t extra = version >= 5 ? 2 : 0, at = 4 + 2 + extra;
	memset(out, 0, at);
	crimg_put_u16(p + 4, (uint16_t)version);
	if (version >= 5)
		p[6] = 8;
	crimg_put_u32(p + at, (uint32_t)shape_length);
	memcpy(out + at + 4, shape, shape_length);
	memcpy(out + at + 4 + shape_length, program, program_length);
	size_t length = at + 4 + shape_length + program_length;
	crimg_put_u32(p, (uint32_t)length - 4);
	return length;
}
#define UNIT(out, version, shape, program)                                                           \
	unit(out, version, shape, sizeof(shape) - 1, program, sizeof(program) - 1)

static void test_versions(void)
{
	static const char old[] = SHAPE OLD_NAMES, old4[] = SHAPE4 OLD_NAMES;
	static const char new5[] = SHAPE4
		"\1\1\x1f" "\2" "\0\0\0\0" "\5\0\0\0"                       // /src, sub
		"\3\1\x1f\2\x0b\5\x1e" "\3"                                 // path, directory, MD5
		"\x09\0\0\0" "\0" "0123456789abcdef" "\x09\0\0\0" "\0" "0123456789abcdef"
		"\x0d\0\0\0" "\1" "0123456789abcdef";
	static const char strings[] = "/src\0sub\0a.c\0b.c";
	static struct made m;
	char lines[1024];
	for (unsigned version = 2; version <= 4; version++) {
		size_t size = version < 4 ? UNIT(lines, version, old, PROGRAM)
			: UNIT(lines, version, old4, PROGRAM);
		make(&m, lines, size, "", 0);
		expect_program(&m, "a.c", "dir/b.c");
		unmake(&m);
	}
	size_t length = UNIT(lines, 5, new5, PROGRAM);
	make(&m, lines, length, strings, sizeof strings);
	expect_program(&m, "/src/a.c", "sub/b.c");
	unmake(&m);
}

// Units one after another; one of an unknown version is passed over.
static void test_units(void)
{
	static const char shape[] = SHAPE "\0a.c\0\0\0\0\0";
	static struct made m;
	char lines[1024];
	size_t length = UNIT(lines, 7, shape, PROGRAM);
	length += UNIT(lines + length, 3, shape, PROGRAM);
	make(&m, lines, length, "", 0);
	CU_ASSERT_EQUAL(m.table.count, 2);
	expect(&m, 0x1000, 12, "a.c");
	expect(&m, 0x1083, 0, ""); // there is no file 2
	unmake(&m);
	make(&m, "", 0, "", 0);
	CU_ASSERT_EQUAL(m.table.count, 0);
	expect(&m, 0x1000, 0, "");
	unmake(&m);
}

// Cut anywhere, and with any byte changed: no crash, no end that does not come.
static void test_damage(void)
{
	static const char shape[] = SHAPE OLD_NAMES;
	static struct made m;
	char lines[1024], file[64];
	size_t length = UNIT(lines, 3, shape, PROGRAM);
	for (size_t cut = 0; cut < length; cut++) {
		make(&m, lines, cut, "", 0);
		CU_ASSERT_EQUAL(m.table.count, 0);
		unmake(&m);
	}
	for (size_t i = 0; i < length; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			lines[i] = (char)(lines[i] ^ 1 << bit);
			make(&m, lines, length, "", 0);
			for (uint64_t at = 0xff0; at < 0x10b0; at++)
				(void)crimg_line_table_find(&m.table, at, file, sizeof file);
			unmake(&m);
			lines[i] = (char)(lines[i] ^ 1 << bit);
		}
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "this program", test_self }, { "versions", test_versions }, { "units", test_units },
		{ "damage", test_damage },
	};
	return SUITE_RUN("lines", NULL, NULL, tests);
}
