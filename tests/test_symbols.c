// Symbols of ELF files: those of the C library against what the dynamic linker says, tables made by
// hand in both classes, and files damaged in thousands of ways.
#include <dlfcn.h>
#include <gelf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "format/buf.h"
#include "inspect/elf_guard.h"
#include "inspect/symbols.h"
#include "tests/suite.h"

// A whole file in memory; damage is done to copies.
static struct crimg_buf read_file(const char *path)
{
	struct crimg_buf buf = CRIMG_BUF_INIT;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CU_ASSERT_FATAL(fd >= 0 && fstat(fd, &st) == 0);
	CU_ASSERT_EQUAL_FATAL(crimg_buf_reserve(&buf, (size_t)st.st_size, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(read(fd, buf.data, (size_t)st.st_size), st.st_size);
	buf.length = (size_t)st.st_size;
	close(fd);
	return buf;
}

static int file_of(const struct crimg_buf *buf)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, buf->data, buf->length), (ssize_t)buf->length);
	return fd;
}

static struct crimg_symbols *symbols_of(int fd)
{
	Elf *elf = crimg_elf_open(fd);
	struct crimg_symbols *s = elf != NULL ? crimg_symbols_make(elf, NULL) : NULL;
	elf_end(elf);
	return s;
}

// Whatever is found must be text, and lie where it says.
static void look_around(const struct crimg_symbols *s)
{
	static const uint64_t places[] = {
		0, 1, 0x1000, 0x26000, 0x80000000, 0x7fffffffffffffff, UINT64_MAX };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		const struct crimg_symbol *found = crimg_symbols_find(s, places[i]);
		if (found != NULL)
			CU_ASSERT(found->value <= places[i] && strlen(found->name) > 0);
	}
	const struct crimg_symbol *named = crimg_symbols_named(s, "puts");
	if (named != NULL)
		CU_ASSERT_STRING_EQUAL(named->name, "puts");
}

static struct crimg_buf libc;
static uint64_t libc_base;
static void *libc_handle;

static void find_libc(void)
{
	struct link_map *map;
	if (libc_handle != NULL)
		return;
	libc_handle = dlopen("libc.so.6", RTLD_LAZY);
	CU_ASSERT_PTR_NOT_NULL_FATAL(libc_handle);
	CU_ASSERT_EQUAL_FATAL(dlinfo(libc_handle, RTLD_DI_LINKMAP, &map), 0);
	libc_base = map->l_addr;
	libc = read_file(map->l_name);
}

static int drop_libc(void)
{
	crimg_buf_fini(&libc);
	return libc_handle != NULL ? dlclose(libc_handle) : 0;
}

static void check_libc(const struct crimg_symbols *s)
{
	static const char *const names[] = {
		"puts",   "fopen",   "getpid", "qsort",   "strtol",
		"getenv", "environ", "stdout", "regcomp",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint64_t truth = (uint64_t)(uintptr_t)dlsym(libc_handle, names[i]);
		const struct crimg_symbol *found = crimg_symbols_named(s, names[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(found);
		if (strcmp(names[i], "environ") != 0 && strcmp(names[i], "stdout") != 0) {
			CU_ASSERT_EQUAL(found->value + libc_base, truth); // others may be copied
			CU_ASSERT_TRUE(found->function);
		}
		const struct crimg_symbol *at = crimg_symbols_find(s, found->value);
		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		CU_ASSERT_EQUAL(at->value, found->value);
		CU_ASSERT_PTR_EQUAL(crimg_symbols_find(s, found->value + found->size - 1), at);
	}
	CU_ASSERT_PTR_NULL(crimg_symbols_named(s, "no such symbol"));
	CU_ASSERT_PTR_NULL(crimg_symbols_named(s, "puts@@GLIBC_2.2.5"));
	CU_ASSERT_PTR_NULL(crimg_symbols_find(s, 0));
	CU_ASSERT_PTR_NULL(crimg_symbols_find(s, UINT64_MAX));
}

static void test_libc(void)
{
	find_libc();
	int fd = file_of(&libc);
	struct crimg_symbols *s = symbols_of(fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	check_libc(s);
	crimg_symbols_free(s);
	close(fd);
}

// Without section headers the dynamic segment tells; first with the one hash table, then the other.
static void test_dynamic(void)
{
	static const int64_t hidden[] = { DT_HASH, DT_GNU_HASH };
	find_libc();
	Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)libc.data;
	const Elf64_Ehdr saved = *header;
	header->e_shoff = 0;
	header->e_shnum = header->e_shstrndx = 0;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(const void *)(libc.data + header->e_phoff);
	bool has_old = false;
	for (; ph->p_type != PT_DYNAMIC; ph++)
		;
	for (size_t i = 0; i < 2; i++) {
		Elf64_Dyn *dyn = (Elf64_Dyn *)(void *)(libc.data + ph->p_offset);
		while (dyn->d_tag != hidden[i] && dyn->d_tag != DT_NULL)
			dyn++;
		int64_t tag = dyn->d_tag;
		dyn->d_tag = tag == DT_NULL ? tag : DT_DEBUG;
		int fd = file_of(&libc);
		struct crimg_symbols *s = symbols_of(fd);
		dyn->d_tag = tag;
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		has_old |= tag == DT_HASH;
		if (i == 0 || has_old) // libc may have the new one only
			check_libc(s);
		crimg_symbols_free(s);
		close(fd);
	}
	*header = saved;
}

// The test itself: local functions, labels within, and stubs.
__attribute__((noinline)) static int a_local_function(int x)
{
	__asm__ volatile("a_label_within: nop");
	return x + getpid();
}

static void test_self(void)
{
	struct crimg_buf self = read_file("/proc/self/exe");
	int fd = file_of(&self);
	struct crimg_symbols *s = symbols_of(fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT(a_local_function(1) > 1);
	const struct crimg_symbol *f = crimg_symbols_named(s, "a_local_function");
	const struct crimg_symbol *label = crimg_symbols_named(s, "a_label_within");
	const struct crimg_symbol *start = crimg_symbols_named(s, "main");
	CU_ASSERT_FATAL(f != NULL && label != NULL && start != NULL);
	CU_ASSERT_TRUE(f->function);
	CU_ASSERT_FALSE(label->function);
	CU_ASSERT_PTR_EQUAL(crimg_symbols_find(s, label->value), f); // a label is no function
	CU_ASSERT_PTR_EQUAL(crimg_symbols_find(s, f->value + f->size - 1), f);
	int (*function)(int) = a_local_function;
	void (*other)(void) = find_libc;
	const struct crimg_symbol *g = crimg_symbols_named(s, "find_libc");
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	CU_ASSERT_EQUAL((uintptr_t)function - (uintptr_t)other, f->value - g->value);
	crimg_symbols_free(s);
	close(fd);
	crimg_buf_fini(&self);
}

// A file of one section of code, a symbol table and its names.
struct made_symbol {
	const char *name;
	uint64_t value, size;
	unsigned char info;
};

static void put(struct crimg_buf *buf, const void *data, size_t length)
{
	CU_ASSERT_EQUAL_FATAL(crimg_buf_append(buf, data, length, NULL), 0);
}

static void make_64(struct crimg_buf *out, const struct made_symbol *rows, size_t count,
                    const struct crimg_buf *names, const uint32_t *offsets)
{
	Elf64_Ehdr eh = { .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		          .e_ehsize = sizeof eh, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 4 };
	memcpy(eh.e_ident, ELFMAG "\2\1\1", 7);
	size_t symbols = sizeof eh + names->length;
	symbols = (symbols + 7) / 8 * 8;
	eh.e_shoff = symbols + (count + 1) * sizeof(Elf64_Sym);
	const Elf64_Shdr sections[4] = {
		{ 0 },
		{ .sh_type = SHT_PROGBITS,
		 .sh_flags = SHF_ALLOC,
		 .sh_addr = 0x1000,
		 .sh_size = 0x1000 },
		{ .sh_type = SHT_STRTAB, .sh_offset = sizeof eh, .sh_size = names->length },
		{ .sh_type = SHT_SYMTAB,
		 .sh_offset = symbols,
		 .sh_link = 2,
		 .sh_size = (count + 1) * sizeof(Elf64_Sym),
		 .sh_entsize = sizeof(Elf64_Sym) },
	};
	const Elf64_Sym none = { 0 };
	put(out, &eh, sizeof eh);
	put(out, names->data, names->length);
	put(out, "\0\0\0\0\0\0\0", symbols - sizeof eh - names->length);
	put(out, &none, sizeof none);
	for (size_t i = 0; i < count; i++) {
		const Elf64_Sym sym = { .st_name = offsets[i],
				       .st_shndx = 1,
				       .st_value = rows[i].value,
				       .st_info = rows[i].info,
				       .st_size = rows[i].size };
		put(out, &sym, sizeof sym);
	}
	put(out, sections, sizeof sections);
}

static void make_32(struct crimg_buf *out, const struct made_symbol *rows, size_t count,
                    const struct crimg_buf *names, const uint32_t *offsets)
{
	Elf32_Ehdr eh = { .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		          .e_ehsize = sizeof eh, .e_shentsize = sizeof(Elf32_Shdr), .e_shnum = 4 };
	memcpy(eh.e_ident, ELFMAG "\1\1\1", 7);
	size_t symbols = sizeof eh + names->length;
	symbols = (symbols + 7) / 8 * 8;
	eh.e_shoff = (Elf32_Off)(symbols + (count + 1) * sizeof(Elf32_Sym));
	const Elf32_Shdr sections[4] = {
		{ 0 },
		{ .sh_type = SHT_PROGBITS,
		 .sh_flags = SHF_ALLOC,
		 .sh_addr = 0x1000,
		 .sh_size = 0x1000 },
		{ .sh_type = SHT_STRTAB, .sh_offset = sizeof eh,
		  .sh_size = (uint32_t)names->length },
		{ .sh_type = SHT_SYMTAB,
		 .sh_offset = (uint32_t)symbols,
		 .sh_link = 2,
		 .sh_size = (uint32_t)((count + 1) * sizeof(Elf32_Sym)),
		 .sh_entsize = sizeof(Elf32_Sym) },
	};
	const Elf32_Sym none = { 0 };
	put(out, &eh, sizeof eh);
	put(out, names->data, names->length);
	put(out, "\0\0\0\0\0\0\0", symbols - sizeof eh - names->length);
	put(out, &none, sizeof none);
	for (size_t i = 0; i < count; i++) {
		const Elf32_Sym sym = { .st_name = offsets[i], .st_shndx = 1,
			                .st_value = (uint32_t)rows[i].value,
			                .st_info = rows[i].info,
			                .st_size = (uint32_t)rows[i].size };
		put(out, &sym, sizeof sym);
	}
	put(out, sections, sizeof sections);
}

static struct crimg_buf make_elf(bool is_32, const struct made_symbol *rows, size_t count)
{
	struct crimg_buf out = CRIMG_BUF_INIT, names = CRIMG_BUF_INIT;
	uint32_t *offsets = calloc(count + 1, sizeof *offsets);
	CU_ASSERT_PTR_NOT_NULL_FATAL(offsets);
	put(&names, "", 1);
	for (size_t i = 0; i < count; i++) {
		offsets[i] = (uint32_t)names.length;
		put(&names, rows[i].name, strlen(rows[i].name) + 1);
	}
	(is_32 ? make_32 : make_64)(&out, rows, count, &names, offsets);
	free(offsets);
	crimg_buf_fini(&names);
	return out;
}

#define INFO(type, binding) ELF64_ST_INFO(STB_##binding, STT_##type)
#define FUNC INFO(FUNC, GLOBAL)

static const struct made_symbol made[] = {
	{ "weak", 0x1000, 0x10, INFO(FUNC, WEAK) },
	{ "local", 0x1000, 0x10, INFO(FUNC, LOCAL) },
	{ "__global", 0x1000, 0x10, FUNC },
	{ "global", 0x1000, 0x10, FUNC },
	{ "object", 0x1000, 0x10, INFO(OBJECT, GLOBAL) },
	{ "outer", 0x1100, 0x100, FUNC },
	{ "inner", 0x1120, 0x10, FUNC },
	{ "label", 0x1140, 0, INFO(NOTYPE, LOCAL) },
	{ "bare@@VER_1", 0x1300, 0, INFO(NOTYPE, GLOBAL) },
	{ "next", 0x1310, 0, FUNC },
	{ "ifunc", 0x1400, 8, INFO(GNU_IFUNC, GLOBAL) },
	{ "tls", 0x1500, 8, INFO(TLS, GLOBAL) },
	{ "file.c", 0x1510, 8, INFO(FILE, LOCAL) },
	{ "$x", 0x1520, 8, INFO(NOTYPE, LOCAL) },
	{ "$d.1", 0x1528, 8, INFO(NOTYPE, LOCAL) },
	{ ".L5", 0x1530, 8, INFO(NOTYPE, LOCAL) },
	{ "last", 0x1f00, 0, FUNC },
};

static void check_at(const struct crimg_symbols *s, uint64_t value, const char *wanted)
{
	const struct crimg_symbol *found = crimg_symbols_find(s, value);
	if (wanted == NULL) {
		CU_ASSERT_PTR_NULL(found);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	if (strcmp(found->name, wanted) != 0)
		printf("\n  0x%llx: found %s, wanted %s\n", (unsigned long long)value, found->name,
		       wanted);
	CU_ASSERT_STRING_EQUAL(found->name, wanted);
}

static void test_choice(void)
{
	static const struct {
		uint64_t value;
		const char *name;
	} rows[] = {
		{0xfff, NULL},     {0x1000, "global"}, {0x100f, "global"}, {0x1010, NULL},
		{0x1100, "outer"}, {0x1120, "inner"},  {0x112f, "inner"},  {0x1130, "outer"},
		{0x1140, "outer"}, {0x11ff, "outer"},  {0x1200, NULL},     {0x1300, "bare"},
		{0x130f, "bare"},  {0x1310, "next"},   {0x13ff, "next"},   {0x1400, "ifunc"},
		{ 0x1408, NULL },    { 0x1500, NULL },     { 0x1510, NULL },     { 0x1520, NULL },
		{0x1528, NULL},    {0x1530, NULL},     {0x1f00, "last"},   {0x1fff, "last"},
		{ 0x2000, NULL },    { UINT64_MAX, NULL },
	};
	for (int is_32 = 0; is_32 < 2; is_32++) {
		struct crimg_buf elf = make_elf(is_32 != 0, made, sizeof made / sizeof *made);
		int fd = file_of(&elf);
		struct crimg_symbols *s = symbols_of(fd);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			check_at(s, rows[i].value, rows[i].name);
		CU_ASSERT_PTR_NOT_NULL(crimg_symbols_named(s, "weak"));
		CU_ASSERT_PTR_NOT_NULL(crimg_symbols_named(s, "label"));
		CU_ASSERT_PTR_NULL(crimg_symbols_named(s, "tls"));
		crimg_symbols_free(s);
		close(fd);
		crimg_buf_fini(&elf);
	}
}

// The names of a separate debug file are merged, each once.
static void test_separate(void)
{
	static const struct made_symbol more[] = {
		{ "global", 0x1000, 0x10, FUNC }, { "hidden", 0x1800, 0x10, INFO(FUNC, LOCAL) },
	};
	struct crimg_buf a = make_elf(false, made, sizeof made / sizeof *made),
			 b = make_elf(false, more, 2);
	int fd = file_of(&a), debug = file_of(&b);
	Elf *elf = crimg_elf_open(fd), *separate = crimg_elf_open(debug);
	struct crimg_symbols *s = crimg_symbols_make(elf, separate);
	elf_end(separate);
	elf_end(elf);
	close(debug);
	close(fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s); // and lives without them
	check_at(s, 0x1000, "global");
	check_at(s, 0x180f, "hidden");
	crimg_symbols_free(s);
	crimg_buf_fini(&a);
	crimg_buf_fini(&b);
}

// As many symbols at one address as a hostile file likes: found, and soon.
static void test_many(void)
{
	enum { MANY = 200000 };
	struct made_symbol *rows = calloc(MANY, sizeof *rows);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
	for (size_t i = 0; i < MANY; i++)
		rows[i] = (struct made_symbol){ "same", 0x1000, i % 3, FUNC };
	rows[7] = (struct made_symbol){ "other", 0x1800, 4, FUNC };
	struct crimg_buf elf = make_elf(false, rows, MANY);
	int fd = file_of(&elf);
	struct crimg_symbols *s = symbols_of(fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (int i = 0; i < 100000; i++)
		if (crimg_symbols_find(s, 0x1900) != NULL)
			CU_FAIL("nothing is at 0x1900");
	check_at(s, 0x1801, "other");
	crimg_symbols_free(s);
	close(fd);
	crimg_buf_fini(&elf);
	free(rows);
}

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

// One damage of width 1, 4 or 8 at offset, and what comes of it.
static void damage_once(int fd, const struct crimg_buf *good, size_t offset)
{
	static const uint64_t values[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX,
		                           0x7fffffffffffffff, 0x1000000000 };
	static const size_t widths[] = { 1, 2, 4, 8 };
	size_t width = widths[next_random() % 4];
	uint64_t value = values[next_random() % 8] ^ (next_random() % 2 ? 0 : next_random());
	if (offset + width > good->length)
		return;
	CU_ASSERT_EQUAL(pwrite(fd, &value, width, (off_t)offset), (ssize_t)width);
	struct crimg_symbols *s = symbols_of(fd);
	if (s != NULL)
		look_around(s);
	crimg_symbols_free(s);
	CU_ASSERT_EQUAL(pwrite(fd, good->data + offset, width, (off_t)offset), (ssize_t)width);
}

// The parts that lead elsewhere: headers of file, segments and sections, the dynamic segment.
static void damage_headers(const struct crimg_buf *good, unsigned times)
{
	int fd = file_of(good);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)(const void *)good->data;
	for (unsigned i = 0; i < times; i++) {
		damage_once(fd, good, next_random() % sizeof *eh);
		damage_once(fd, good,
			    eh->e_phoff + next_random() % (eh->e_phnum * sizeof(Elf64_Phdr) + 1u));
		if (eh->e_shoff != 0)
			damage_once(fd, good,
				    eh->e_shoff
					    + next_random() % (eh->e_shnum * sizeof(Elf64_Shdr)));
	}
	close(fd);
}

static void test_damage(void)
{
	struct crimg_buf small = make_elf(false, made, sizeof made / sizeof *made);
	int fd = file_of(&small);
	for (size_t round = 0; round < 8; round++) // every byte, each time another damage
		for (size_t at = 0; at < small.length; at++)
			damage_once(fd, &small, at);
	close(fd);
	fd = file_of(&small);
	for (size_t length = small.length; length-- > 0;) { // and every shorter file
		CU_ASSERT_EQUAL(ftruncate(fd, (off_t)length), 0);
		crimg_symbols_free(symbols_of(fd));
	}
	close(fd);
	crimg_buf_fini(&small);
}

static void test_damage_32(void)
{
	struct crimg_buf small = make_elf(true, made, sizeof made / sizeof *made);
	int fd = file_of(&small);
	for (size_t round = 0; round < 8; round++)
		for (size_t at = 0; at < small.length; at++)
			damage_once(fd, &small, at);
	close(fd);
	crimg_buf_fini(&small);
}

static void test_damage_real(void)
{
	struct crimg_buf self = read_file("/proc/self/exe");
	damage_headers(&self, 300);
	crimg_buf_fini(&self);
	find_libc();
	Elf64_Ehdr *eh = (Elf64_Ehdr *)(void *)libc.data;
	const Elf64_Ehdr saved = *eh;
	eh->e_shoff = 0;
	eh->e_shnum = eh->e_shstrndx = 0;
	damage_headers(&libc, 100);
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(const void *)(libc.data + eh->e_phoff);
	while (ph->p_type != PT_DYNAMIC)
		ph++;
	int fd = file_of(&libc);
	for (unsigned i = 0; i < 300; i++)
		damage_once(fd, &libc, ph->p_offset + next_random() % ph->p_filesz);
	close(fd);
	*eh = saved;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "the C library", test_libc },
		{ "without sections", test_dynamic },
		{ "this program", test_self },
		{ "which name is shown", test_choice },
		{ "separate debug file", test_separate },
		{ "many at one address", test_many },
		{ "damaged", test_damage },
		{ "damaged, 32 bits", test_damage_32 },
		{ "damaged, real files", test_damage_real },
	};
	return SUITE_RUN("symbols", NULL, drop_libc, tests);
}
