// A task as a debugger sees it: modules and where they were loaded, names of addresses, --at,
// texts. A real image without its files, and one made by hand around a small ELF file.
#include <elf.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checked.h"
#include "inspect/debuggee.h"
#include "inspect/modules.h"
#include "tests/suite.h"

static const char *samples = "samples"; // or the first argument

// A view of an image, with its first task.
static struct crimg_view_options options;
static struct crimg_view view;
static struct crimg_debuggee debuggee;

static void begin(struct crimg_image *image)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	view = (struct crimg_view){ .options = &options, .image = image };
	CU_ASSERT_EQUAL_FATAL(crimg_tasks_load(image, &view.tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_files_load(image, &view.files, &err), 0);
	CU_ASSERT_TRUE_FATAL(crimg_debuggee_open(&view, &view.tasks.list[0], &debuggee));
}

static void end(void)
{
	CU_ASSERT_EQUAL(view.damage.code, CRIMG_OK);
	CU_ASSERT_EQUAL(view.fault.code, CRIMG_OK);
	crimg_debuggee_close(&debuggee);
	crimg_sysroot_close(view.sysroot);
	crimg_files_fini(&view.files);
	crimg_tasks_fini(&view.tasks);
	crimg_image_close(view.image);
}

static void begin_sample(const char *name)
{
	char path[512];
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	snprintf(path, sizeof path, "%s/%s", samples, name);
	CU_ASSERT_EQUAL(crimg_image_open(path, NULL, "/tmp", &image, &err), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	begin(image);
}

static void check_text(uint64_t address, const char *wanted)
{
	char text[CRIMG_ADDRESS_TEXT_MAX];
	crimg_debuggee_text(&debuggee, address, text, sizeof text);
	if (strcmp(text, wanted) != 0)
		printf("\n  0x%llx: found %s, wanted %s\n", (unsigned long long)address, text,
		       wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void check_place(const char *at, int rc, uint64_t address, uint64_t length)
{
	uint64_t found = 1, bytes = 2;
	struct crimg_err err = CRIMG_ERR_INIT;
	const struct crimg_thread *thread = &view.tasks.list[0].threads[0];
	int got = crimg_debuggee_place(&debuggee, thread, at, &found, &bytes, &err);
	if (got != rc || (rc > 0 && (found != address || bytes != length)))
		printf("\n  %s: %d 0x%llx+%llu %s\n", at, got, (unsigned long long)found,
		       (unsigned long long)bytes, err.text);
	CU_ASSERT_EQUAL(got, rc);
	CU_ASSERT_EQUAL(err.code, rc < 0 ? CRIMG_E_USAGE : CRIMG_OK);
	CU_ASSERT_EQUAL(found, rc > 0 ? address : 1); // untouched on failure
	CU_ASSERT_EQUAL(bytes, rc > 0 ? length : 2);
}

static void check_string(uint64_t address, const char *wanted)
{
	char text[CRIMG_ADDRESS_TEXT_MAX];
	bool found = crimg_debuggee_string(&debuggee, address, text, sizeof text);
	CU_ASSERT_EQUAL(found, wanted != NULL);
	if (found && wanted != NULL)
		CU_ASSERT_STRING_EQUAL(text, wanted);
}

// l-mem.txt has the truth.
static void test_sample(void)
{
	static const struct {
		uint64_t start, end;
		const char *name;
	} wanted[] = {
		{ 0x55e8d87b6000, 0x55e8d87bb000, "/opt/crsample/src/l_mem" },
		{ 0x7ff42ea95000, 0x7ff42ec6a000, "/usr/lib/x86_64-linux-gnu/libc.so.6" },
		{ 0x7ff42ec8c000, 0x7ff42ec8e000, "[vdso]" },
		{ 0x7ff42ec8e000, 0x7ff42ecc3000,
		  "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" },
	};
	begin_sample("criu/l-mem");
	CU_ASSERT_EQUAL_FATAL(debuggee.module_count, sizeof wanted / sizeof *wanted);
	for (size_t i = 0; i < debuggee.module_count; i++) {
		const struct crimg_module *m = crimg_debuggee_module(&debuggee, wanted[i].end - 1);
		CU_ASSERT_PTR_EQUAL_FATAL(m, &debuggee.modules[i]);
		CU_ASSERT_EQUAL(m->start, wanted[i].start);
		CU_ASSERT_EQUAL(m->end, wanted[i].end);
		CU_ASSERT_STRING_EQUAL(m->name, wanted[i].name);
		CU_ASSERT_EQUAL(m->elf != NULL, m->name[0] == '[');
		if (m->elf == NULL)
			CU_ASSERT_STRING_EQUAL(m->why, "no --sysroot was given");
	}
	CU_ASSERT_FALSE(debuggee.is_32);
	CU_ASSERT_PTR_NULL(crimg_debuggee_module(&debuggee, 0x1000));
	CU_ASSERT_PTR_NULL(
		crimg_debuggee_module(&debuggee, 0x7ef42e8f8000)); // back.dat is no module
	check_text(0x7ff42eb64503, "libc.so.6+0xcf503");
	check_text(0x7ff42ec8c810, "__vdso_gettimeofday ([vdso])");
	check_text(0x7ff42ec8c814, "__vdso_gettimeofday+0x4 ([vdso])");
	check_text(0x7ff42ec6a010, "private memory+0x10"); // libc's .bss
	check_text(0x55e8f029f010, "[heap]+0x10");
	check_text(0x7ffd10433928, "[stack]+0x1e928");
	check_text(0x7ef42e8fb000, "back.dat+0x3000");
	check_text(0x7ff42ec77001, "gone.dat+0x1");
	check_text(0x7ef42e8dc000, "shared memory+0x5000");
	check_text(0x7ff42ec86000, "[vvar]");
	check_text(0xffffffffff600000, "[vsyscall]");
	check_text(0, "");
	check_text(UINT64_MAX, "");
	end();
}

static void test_places(void)
{
	begin_sample("criu/l-mem");
	check_place("0x7f10", 1, 0x7f10, 0);
	check_place("32528", 1, 32528, 0);
	check_place("0x7f10+64", 1, 0x7f10, 64);
	check_place("0x7f10+0x40", 1, 0x7f10, 64);
	check_place("0x7f10-0x7f80", 1, 0x7f10, 0x70);
	check_place("0xffffffffffffffff", 1, UINT64_MAX, 0);
	check_place("[stack]", 1, 0x7ffd10415000, 0x21000);
	check_place("[stack]+0x10", 1, 0x7ffd10415010, 0);
	check_place("[stack]+0x10+8", 1, 0x7ffd10415010, 8);
	check_place("libc.so.6", 1, 0x7ff42ea95000, 0x26000);
	check_place("/usr/lib/x86_64-linux-gnu/libc.so.6+16", 1, 0x7ff42ea95010, 0);
	check_place("back.dat", 1, 0x7ef42e8f8000, 0x8000);
	check_place("__vdso_time", 1, 0x7ff42ec8cac0, 0);
	check_place("__vdso_time+4+8", 1, 0x7ff42ec8cac4, 8);
	check_place("$rsp", 1, 0x7ffd10433928, 0);
	check_place("$rsp+8", 1, 0x7ffd10433930, 0);
	check_place("$rsp+8+16", 1, 0x7ffd10433930, 16);
	check_place("$pc", 1, 0x7ff42eb64503, 0);
	check_place("$eip", 0, 0, 0);
	check_place("no_such_name", 0, 0, 0);
	check_place("no-such-name+4", 0, 0, 0);
	check_place("libc.so.6+x", 0, 0, 0);
	check_place("+", 0, 0, 0);
	check_place("-1", 0, 0, 0);
	check_place("$xyz", -1, 0, 0);
	check_place("", -1, 0, 0);
	check_place("0x", -1, 0, 0);
	check_place("0x10+", -1, 0, 0);
	check_place("0x10+-4", -1, 0, 0);
	check_place("7f10", -1, 0, 0);
	check_place("0x7f80-0x7f10", -1, 0, 0);
	check_place("0x10000000000000000", -1, 0, 0);
	check_place("18446744073709551616", -1, 0, 0);
	check_place("[stack]+0xffffffffffffffff", -1, 0, 0);
	end();
}

static void test_strings(void)
{
	begin_sample("criu/l-mem");
	check_string(0x7ef42ea00000, "\"sparse island 0\"");
	check_string(0x7ef42ea00007, "\"island 0\"");
	check_string(0x7ef42ea0000c, NULL); // "d 0": too short
	// Of a deleted file that the image keeps.
	check_string(0x7ff42ec77000, "\"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh\"…");
	check_string(0x7ff42ec7e000, "\"readonly\"");
	check_string(0x1000, NULL);
	check_string(UINT64_MAX - 2, NULL);
	end();
}

// A small ELF file. Its data lie a page further in memory than in the file.
enum {
	TINY_PAGES = 3, TINY_CODE = 0x1000, TINY_DATA = 0x2000, TINY_DATA_ADDRESS = 0x3000,
	TINY_SYMBOLS = 0x200, TINY_NAMES = 0x280, TINY_HASH = 0x2c0, TINY_NOTE = 0x300,
	TINY_TEXT = 0x2100, TINY_BYTES = TINY_PAGES * 4096,
};

static uint8_t tiny[TINY_BYTES];

static void put(size_t at, const void *data, size_t length)
{
	memcpy(tiny + at, data, length);
}

static void make_tiny(void)
{
	static const char names[] = "\0work\0counter";
	static const char text[] = "hi\tthere\n\0\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82z\0ab\x01"
				   "cdef\0"
				   "0123456789012345678901234567890123456789";
	static const uint8_t note[] = { 4,   0,   0,   0,  18, 0,  0,  0,  3,  0,  0, 0,
				       'G', 'N', 'U', 0,  1,  2,  3,  4,  5,  6,  7, 8,
				       9,   10,  11,  12, 13, 14, 15, 16, 17, 18, 0, 0 };
	const uint32_t hash[] = { 1, 3, 1, 0, 0, 0 }; // one bucket, three symbols
	Elf64_Ehdr eh = { .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		          .e_phoff = sizeof eh, .e_ehsize = sizeof eh,
		          .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 5,
		          // Beyond the end, as in any file whose sections are not loaded.
		          .e_shoff = 0x5000, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 30 };
	const Elf64_Phdr ph[5] = {
		{ PT_LOAD, PF_R, 0, 0, 0, 0x400, 0x400, 4096 },
		{ PT_LOAD, PF_R | PF_X, TINY_CODE, 0x1000, 0x1000, 0x100, 0x100, 4096 },
		{ PT_LOAD, PF_R | PF_W, TINY_DATA, TINY_DATA_ADDRESS, 0x3000, 0x400, 0x1400, 4096 },
		{ PT_DYNAMIC, PF_R, TINY_DATA, TINY_DATA_ADDRESS, 0x3000, 0x60, 0x60, 8 },
		{ PT_NOTE, PF_R, TINY_NOTE, TINY_NOTE, TINY_NOTE, sizeof note, sizeof note, 4 },
	};
	const Elf64_Sym symbols[3] = {
		{ 0 },
		{ 1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 2, TINY_CODE + 0x10, 0x20 },
		{ 6, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 3, TINY_DATA_ADDRESS + 0x80, 8 },
	};
	const Elf64_Dyn dynamic[] = {
		{ DT_SYMTAB, { TINY_SYMBOLS } }, { DT_STRTAB, { TINY_NAMES } },
		{ DT_STRSZ, { sizeof names } },  { DT_HASH, { TINY_HASH } }, { DT_NULL, { 0 } },
	};
	memcpy(eh.e_ident, ELFMAG "\2\1\1", 7);
	memset(tiny, 0, sizeof tiny);
	put(0, &eh, sizeof eh);
	put(sizeof eh, ph, sizeof ph);
	put(TINY_SYMBOLS, symbols, sizeof symbols);
	put(TINY_NAMES, names, sizeof names);
	put(TINY_HASH, hash, sizeof hash);
	put(TINY_NOTE, note, sizeof note);
	put(TINY_DATA, dynamic, sizeof dynamic);
	put(TINY_TEXT, text, sizeof text);
}

// What the dynamic linker does to the addresses in the dynamic segment.
static void relocate(uint8_t *data, uint64_t bias)
{
	static const size_t places[] = { 8, 24, 56 };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		crimg_put_u64(data + places[i], crimg_get_u64(data + places[i]) + bias);
}

static struct {
	struct crimg_store *store;
	struct crimg_buf bufs[16];
	size_t count;
	struct crimg_buf *open;
} made;

static void file_begin(enum crimg_kind kind)
{
	made.open = &made.bufs[made.count++];
	*made.open = CRIMG_BUF_INIT;
	if (kind == CRIMG_KIND_PAGES)
		return;
	if (kind != CRIMG_KIND_INVENTORY)
		CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, CRIMG_MAGIC_COMMON, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, crimg_kind_info(kind)->magic, NULL), 0);
}

static void entry(const void *message)
{
	size_t at = made.open->length;
	CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, 0, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_message_encode(message, made.open, NULL), 0);
	crimg_put_u32(made.open->data + at, (uint32_t)(made.open->length - at - 4));
}

static void file_end(const char *name)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_store_add_memory(made.store, name, made.open->data,
	                                             made.open->length, &err), 0);
}

struct made_area {
	uint64_t start, pages, offset;
	uint32_t prot, file;       // file 0: anonymous
	bool here;                 // its pages are in the image: those of tiny, relocated by bias
	uint64_t bias;
};

static void make_mm(const struct made_area *areas, size_t count)
{
	VmaEntry vmas[32], *list[32];
	MmEntry mm = MM_ENTRY__INIT;
	for (size_t i = 0; i < count; i++) {
		vmas[i] = (VmaEntry)VMA_ENTRY__INIT;
		vmas[i].start = areas[i].start;
		vmas[i].end = areas[i].start + areas[i].pages * 4096;
		vmas[i].pgoff = areas[i].offset;
		vmas[i].shmid = areas[i].file;
		vmas[i].prot = areas[i].prot;
		vmas[i].flags = 2;
		vmas[i].status =
			areas[i].file != 0 ? CRIMG_VMA_FILE_PRIVATE : CRIMG_VMA_ANON_PRIVATE;
		list[i] = &vmas[i];
	}
	mm.n_vmas = count;
	mm.vmas = list;
	mm.exe_file_id = 1;
	file_begin(CRIMG_KIND_MM);
	entry(&mm);
	file_end("mm-1.img");
}

static void make_pages(const struct made_area *areas, size_t count)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct crimg_buf pages = CRIMG_BUF_INIT;
	head.pages_id = 1;
	file_begin(CRIMG_KIND_PAGEMAP);
	entry(&head);
	for (size_t i = 0; i < count; i++) {
		PagemapEntry e = PAGEMAP_ENTRY__INIT;
		if (!areas[i].here)
			continue;
		e.vaddr = areas[i].start;
		e.has_nr_pages = e.has_flags = true;
		e.nr_pages = areas[i].pages;
		e.flags = CRIMG_PE_PRESENT;
		entry(&e);
		size_t at = pages.length;
		CU_ASSERT_EQUAL_FATAL(crimg_buf_append(&pages, tiny + areas[i].offset,
		                                       areas[i].pages * 4096, NULL), 0);
		if (areas[i].offset == TINY_DATA)
			relocate(pages.data + at, areas[i].bias);
	}
	file_end("pagemap-1.img");
	file_begin(CRIMG_KIND_PAGES);
	*made.open = pages;
	file_end("pages-1.img");
}

static void make_files(void)
{
	static const char *const paths[] = { "/bin/tiny", "/var/data", "/lib/other.so" };
	file_begin(CRIMG_KIND_FILES);
	for (uint32_t i = 0; i < 3; i++) {
		char path[32];
		FileEntry file = FILE_ENTRY__INIT;
		RegFileEntry reg = REG_FILE_ENTRY__INIT;
		FownEntry owner = FOWN_ENTRY__INIT;
		snprintf(path, sizeof path, "%s", paths[i]);
		file.type = FD_TYPES__REG;
		file.id = reg.id = i + 1;
		reg.fown = &owner;
		reg.name = path;
		file.reg = &reg;
		entry(&file);
	}
	file_end("files.img");
}

static void make_tasks(void)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	PstreeEntry pstree = PSTREE_ENTRY__INIT;
	uint32_t thread = 1;
	inventory.img_version = 1;
	file_begin(CRIMG_KIND_INVENTORY);
	entry(&inventory);
	file_end("inventory.img");
	pstree.pid = pstree.pgid = pstree.sid = 1;
	pstree.n_threads = 1;
	pstree.threads = &thread;
	file_begin(CRIMG_KIND_PSTREE);
	entry(&pstree);
	file_end("pstree.img");
}

static void begin_made(const struct made_area *areas, size_t count)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in = { .path = strdup("made") };
	struct crimg_image *image = NULL;
	made.count = 0;
	CU_ASSERT_EQUAL_FATAL(crimg_store_open_memory("made", &made.store, &err), 0);
	make_tasks();
	make_files();
	make_mm(areas, count);
	make_pages(areas, count);
	in.store = made.store;
	CU_ASSERT_EQUAL_FATAL(crimg_store_seal(in.store, &err), 0);
	CU_ASSERT_EQUAL(crimg_image_open_input(&in, "criu", &image, &err), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	begin(image);
}

static void end_made(void)
{
	end();
	for (size_t i = 0; i < made.count; i++)
		crimg_buf_fini(&made.bufs[i]);
}

enum { R = CRIMG_PROT_READ, RW = R | CRIMG_PROT_WRITE, RX = R | CRIMG_PROT_EXEC };
#define FIRST UINT64_C(0x7f0000000000)
#define SECOND UINT64_C(0x7f0000100000)

// Loaded twice: once with all its pages in the image, once with none; data and code of others
// around.
static const struct made_area twice[] = {
	{ FIRST, 1, 0, R, 1, true, 0 },
	{ FIRST + 0x1000, 1, TINY_CODE, RX, 1, true, 0 },
	{ FIRST + 0x2000, 1, 0, RX, 0, false, 0 },                // anonymous, between
	{ FIRST + 0x3000, 1, TINY_DATA, RW, 1, true, FIRST },
	{ FIRST + 0x4000, 1, 0, RW, 0, false, 0 },                // .bss
	{ FIRST + 0x8000, 1, 0, R, 2, false, 0 },                 // data alone
	{ SECOND, 1, 0, R, 1, false, 0 },
	{ SECOND + 0x1000, 1, TINY_CODE, RX, 1, false, 0 },
	{ SECOND + 0x3000, 1, TINY_DATA, RW, 1, false, 0 },
	{ SECOND + 0x5000, 1, 0, RX, 3, false, 0 },               // offset 0 twice: text and data
	{ SECOND + 0x6000, 1, 0, RW, 3, false, 0 },
	{ SECOND + 0x8000, 1, 0, RX, 3, false, 0 },               // and again
	{ SECOND + 0x9000, 1, 0, RW, 3, false, 0 },
};

static void test_modules(void)
{
	static const struct {
		uint64_t start, end;
	} wanted[] = {
		{ FIRST, FIRST + 0x4000 },            { SECOND, SECOND + 0x4000 },
		{ SECOND + 0x5000, SECOND + 0x7000 }, { SECOND + 0x8000, SECOND + 0xa000 },
	};
	begin_made(twice, sizeof twice / sizeof *twice);
	CU_ASSERT_EQUAL_FATAL(debuggee.module_count, 4);
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(debuggee.modules[i].start, wanted[i].start);
		CU_ASSERT_EQUAL(debuggee.modules[i].end, wanted[i].end);
	}
	const struct crimg_module *m = crimg_debuggee_module(&debuggee, FIRST + 0x1000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->elf);
	CU_ASSERT_EQUAL(m->bias, FIRST);
	CU_ASSERT_EQUAL(m->memory_bytes, TINY_BYTES);
	m = crimg_debuggee_module(&debuggee, SECOND);
	CU_ASSERT_PTR_NULL(m->elf);
	CU_ASSERT_STRING_EQUAL(m->why, "no --sysroot was given");
	check_text(FIRST + 0x1010, "work (tiny)");
	check_text(FIRST + 0x102f, "work+0x1f (tiny)");
	check_text(FIRST + 0x1030, "tiny+0x1030");
	check_text(FIRST + 0x3080, "counter (tiny)");
	check_text(FIRST + 0x2010, "private memory+0x10");
	check_text(SECOND + 0x1010, "tiny+0x1010");
	check_text(SECOND + 0x8004, "other.so+0x4");
	check_place("work", 1, FIRST + 0x1010, 0);
	check_place("counter+4+4", 1, FIRST + 0x3084, 4);
	check_place("tiny+0x1010", 1, FIRST + 0x1010, 0);
	check_place("/bin/tiny", 1, FIRST, 0x1000);
	check_place("$rip", 0, 0, 0); // no core: no registers
	char text[64];
	CU_ASSERT_TRUE(crimg_debuggee_symbol(&debuggee, FIRST + 0x102f, FIRST + 0x1030, text,
					     sizeof text));
	CU_ASSERT_STRING_EQUAL(text, "work+0x20"); // a call was the last of work
	end_made();
}

static void test_text(void)
{
	const uint64_t data = FIRST + 0x3000 - TINY_DATA;
	begin_made(twice, sizeof twice / sizeof *twice);
	check_string(data + TINY_TEXT, "\"hi\\tthere\\n\"");
	check_string(data + TINY_TEXT + 10, "\"ä€🙂z\"");
	check_string(data + TINY_TEXT + 11, NULL); // within a character
	check_string(data + TINY_TEXT + 21, NULL); // a control byte
	check_string(data + TINY_TEXT + 24, "\"cdef\"");
	check_string(data + TINY_TEXT + 29, "\"01234567890123456789012345678901\"…");
	end_made();
}

// The build-id comes from the header's page, even when nothing else of the file is there.
static void test_build_id(void)
{
	static const struct made_area areas[] = {
		{ FIRST, 1, 0, R, 1, true, 0 },
		{ FIRST + 0x1000, 1, TINY_CODE, RX, 1, false, 0 },
		{ FIRST + 0x3000, 1, TINY_DATA, RW, 1, false, 0 },
	};
	uint8_t id[64];
	begin_made(areas, sizeof areas / sizeof *areas);
	CU_ASSERT_EQUAL_FATAL(debuggee.module_count, 1);
	CU_ASSERT_EQUAL(crimg_module_build_id(&debuggee, &debuggee.modules[0], id, sizeof id), 20);
	CU_ASSERT_EQUAL(id[17], 18);
	CU_ASSERT_EQUAL(id[18], 0); // padded to words
	CU_ASSERT_PTR_NULL(crimg_debuggee_module(&debuggee, FIRST)->elf);
	end_made();
}

// A core tells no more of files than their paths: the build-id in memory finds the file.
static void test_core(void)
{
	static const struct made_area areas[] = {
		{ FIRST, 1, 0, R, 1, true, 0 },
		{ FIRST + 0x1000, 1, TINY_CODE, RX, 1, false, 0 },
		{ FIRST + 0x3000, 1, TINY_DATA, RW, 1, false, 0 },
		{ SECOND, 1, TINY_DATA, R, 2, false, 0 },
	};
	char folder[] = "/tmp/crimg-debuggee-XXXXXX", bin[64], path[96], text[8] = "";
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(bin, sizeof bin, "%s/bin", folder);
	snprintf(path, sizeof path, "%s/tiny", bin);
	FILE *file = mkdir(bin, 0700) == 0 ? fopen(path, "w") : NULL;
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(tiny, sizeof tiny, 1, file), 1);
	CU_ASSERT_EQUAL(fclose(file), 0);
	options.sysroot = folder;
	begin_made(areas, sizeof areas / sizeof *areas);
	// Bytes first: nothing needs to have asked for the module.
	CU_ASSERT_EQUAL(crimg_space_read(&debuggee.space, FIRST + 0x3000 + TINY_TEXT - TINY_DATA,
					 text, 8, &err),
			1);
	CU_ASSERT_EQUAL(memcmp(text, "hi\tthere", 8), 0);
	CU_ASSERT_EQUAL(crimg_space_read(&debuggee.space, SECOND, text, 8, &err), 0);
	check_text(FIRST + 0x1010, "work (tiny)");
	check_text(FIRST + 0x3081, "counter+0x1 (tiny)");
	CU_ASSERT_PTR_NULL(debuggee.modules[0].memory);
	end_made();
	options.sysroot = NULL;
	CU_ASSERT_EQUAL(unlink(path) + rmdir(bin) + rmdir(folder), 0);
}

// A file at fixed addresses, and one whose segments do not lie as they are mapped.
static void test_bias(void)
{
	static const struct made_area fixed[] = {
		{ 0, 1, 0, R, 1, true, 0 },
		{ 0x1000, 1, TINY_CODE, RX, 1, true, 0 },
		{ 0x3000, 1, TINY_DATA, RW, 1, true, 0 },
	};
	static const struct made_area wrong[] = {
		{ FIRST, 1, 0, R, 1, true, 0 },
		{ FIRST + 0x1000, 1, TINY_CODE, RX, 1, true, 0 },
		{ FIRST + 0x5000, 1, TINY_CODE, RX, 1, true, 0 },
		{ FIRST + 0x8000, 1, TINY_DATA, RW, 1, true, FIRST },
	};
	begin_made(fixed, sizeof fixed / sizeof *fixed);
	const struct crimg_module *m = crimg_debuggee_module(&debuggee, 0x1010);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_PTR_NOT_NULL(m->elf);
	CU_ASSERT_EQUAL(m->bias, 0);
	check_text(0x1011, "work+0x1 (tiny)");
	end_made();
	begin_made(wrong, sizeof wrong / sizeof *wrong);
	m = crimg_debuggee_module(&debuggee, FIRST + 0x1010);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_PTR_NULL(m->elf);
	check_text(FIRST + 0x1011, "tiny+0x1011");
	end_made();
}

// ELF files in memory, damaged byte by byte.
static void test_damage(void)
{
	uint32_t state = 3;
	for (size_t at = 0; at < 0x330; at++) {
		uint8_t good = tiny[at];
		tiny[at] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
		begin_made(twice, 5);
		char text[CRIMG_ADDRESS_TEXT_MAX];
		CU_ASSERT_PTR_NOT_NULL(
			crimg_debuggee_text(&debuggee, FIRST + 0x1010, text, sizeof text));
		end_made();
		tiny[at] = good;
	}
}

int main(int argc, char **argv)
{
	static const struct suite_test tests[] = {
		{ "a real image", test_sample },
		{ "--at", test_places },
		{ "texts", test_strings },
		{ "modules", test_modules },
		{ "more texts", test_text },
		{ "build-id", test_build_id },
		{ "files of a core", test_core },
		{ "load address", test_bias },
		{ "damaged", test_damage },
	};
	samples = argc > 1 ? argv[1] : samples;
	make_tiny();
	return SUITE_RUN("debuggee", NULL, NULL, tests);
}
