// Address spaces: where the bytes behind an address are, over every kind of area, real ones and hostile
// ones; and the state of pages through chains of parents.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/space.h"
#include "tests/made.h"
#include "tests/suite.h"

static const char *samples = "samples"; // or the first argument

// An image that is open with its files and the address space of one task.
static struct {
	struct crimg_image *image;
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_space space;
} s;

static void load(uint32_t pid, int wanted)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_tasks_load(s.image, &s.tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_files_load(s.image, &s.files, &err), 0);
	const struct crimg_task *task = crimg_tasks_find(&s.tasks, pid);
	CU_ASSERT_PTR_NOT_NULL_FATAL(task);
	CU_ASSERT_EQUAL(crimg_space_load(s.image, &s.files, task, &s.space, &err), wanted);
}

static void open_sample(const char *name, uint32_t pid)
{
	char path[512];
	struct crimg_err err = CRIMG_ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", samples, name);
	CU_ASSERT_EQUAL_FATAL(crimg_image_open(path, NULL, "/tmp", &s.image, &err), 0);
	load(pid, 0);
}

static void unload(void)
{
	crimg_space_fini(&s.space);
	crimg_files_fini(&s.files);
	crimg_tasks_fini(&s.tasks);
}

static void close_sample(void)
{
	unload();
	crimg_image_close(s.image);
}

// The kind of bytes at address, and where they end.
static void check(uint64_t address, enum crimg_bytes wanted, uint64_t wanted_end)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	enum crimg_bytes kind = CRIMG_BYTES_UNMAPPED;
	uint64_t end = 0;
	CU_ASSERT_EQUAL(crimg_space_bytes(&s.space, address, &kind, &end, &err), 0);
	CU_ASSERT_EQUAL(kind, wanted);
	CU_ASSERT_EQUAL(end, wanted_end);
	if (kind != wanted || end != wanted_end)
		printf("\n  0x%llx: found %s to 0x%llx, wanted %s to 0x%llx\n",
		       (unsigned long long)address, crimg_bytes_word(kind), (unsigned long long)end,
		       crimg_bytes_word(wanted), (unsigned long long)wanted_end);
}

static void check_text(uint64_t address, const char *wanted)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	char text[64] = "";
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, address, text, strlen(wanted), &err), 1);
	CU_ASSERT_STRING_EQUAL(text, wanted);
}

// The walk that every view makes goes through all addresses, and ends.
static size_t walk(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	enum crimg_bytes kind;
	uint64_t at = 0, end;
	size_t stretches = 0;
	for (; at != UINT64_MAX && stretches < 100000; stretches++) {
		CU_ASSERT_EQUAL_FATAL(crimg_space_bytes(&s.space, at, &kind, &end, &err), 0);
		CU_ASSERT_FATAL(end > at);
		CU_ASSERT_EQUAL(kind == CRIMG_BYTES_UNMAPPED, crimg_space_find(&s.space, at) == NULL);
		at = end;
	}
	CU_ASSERT_TRUE(stretches < 100000);
	return stretches;
}

// l-mem.txt tells what is where.
static void test_zoo(void)
{
	char page[8192];
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t got = 0;
	open_sample("criu/l-mem", 10486);
	for (uint64_t i = 0; i < 5; i++) {
		char wanted[32];
		uint64_t at = 0x7ef42ea00000 + (i << 37);
		snprintf(wanted, sizeof wanted, "sparse island %u", (unsigned)i);
		check_text(at, wanted);
		check(at, CRIMG_BYTES_PRIVATE, at + 4096);
		check(at + 4096, CRIMG_BYTES_ZERO, i < 4 ? at + (UINT64_C(1) << 37) : 0x7ff42ea00000);
	}
	check_text(0x7ff42ec7d000, "hidden behind PROT_NONE");
	check_text(0x7ef42e8fb000, "private dirty page 3");
	check(0x7ef42e8f8000, CRIMG_BYTES_FILE, 0x7ef42e8fb000);
	check(0x7ff42ec78000, CRIMG_BYTES_FILE, 0x7ff42ec7c000);
	check_text(0x7ef42e8d7000 + 5 * 4096, "shared anon p5");
	check(0x7ef42e8d7000, CRIMG_BYTES_ZERO, 0x7ef42e8dc000);
	check(0x7ef42e8dc000, CRIMG_BYTES_SEGMENT, 0x7ef42e8dd000);
	check(0x7ff42ec86000, CRIMG_BYTES_KERNEL, 0x7ff42ec8c000);
	check(0x7ff42ec8c000, CRIMG_BYTES_PRIVATE, 0x7ff42ec8e000);
	check(0xffffffffff600000, CRIMG_BYTES_KERNEL, 0xffffffffff601000);
	check(0xffffffffff601000, CRIMG_BYTES_UNMAPPED, UINT64_MAX);
	check(0, CRIMG_BYTES_UNMAPPED, 0x55e8d87b6000);
	// Zeros, and what the image has before what it has not.
	memset(page, 1, sizeof page);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x7ef42e8db000, page, sizeof page, &err), 1);
	CU_ASSERT_TRUE(page[0] == 0 && page[4095] == 0 && memcmp(page + 4096, "shared", 6) == 0);
	CU_ASSERT_EQUAL(crimg_space_read_some(&s.space, 0x7ef42e8fb000, page, 8192, &got, &err), 0);
	CU_ASSERT_EQUAL(got, 4096);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x7ef42e8fb000, page, 8192, &err), 0);
	CU_ASSERT_EQUAL(crimg_space_read_some(&s.space, UINT64_MAX - 3, page, 8192, &got, &err), 0);
	CU_ASSERT_EQUAL(got, 0);
	CU_ASSERT_PTR_EQUAL(crimg_space_next(&s.space, 0), &s.space.areas[0]);
	CU_ASSERT_PTR_NULL(crimg_space_next(&s.space, UINT64_MAX));
	CU_ASSERT_PTR_NULL(crimg_space_find(&s.space, 0x55e8d87b5fff));
	CU_ASSERT_TRUE(walk() > 256);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	close_sample();
}

// Shared memory, a memfd mapped twice, in several processes.
static void test_segments(void)
{
	open_sample("criu/c-tree", 9652);
	check_text(0x7f22b2beb000, "root private");
	for (size_t i = 0; i < s.space.count; i++)
		if (s.space.areas[i].segment != NULL)
			check_text(s.space.areas[i].start, "");
	CU_ASSERT_TRUE(walk() > s.space.count);
	close_sample();
}

// Three layers: a stretch ends where the layer changes, and all pages are found.
static void test_chain(void)
{
	open_sample("criu-3.17/f-inc/3", 338);
	for (uint64_t i = 0; i < 64; i++) {
		char wanted[32];
		snprintf(wanted, sizeof wanted, "page %u gen ", (unsigned)i);
		check_text(0x7f716b836000 + i * 4096, wanted);
	}
	struct crimg_err err = CRIMG_ERR_INIT;
	char text[8193] = "";
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x7f716b836000 + 10, text, 8192, &err), 1);
	walk();
	close_sample();
}

#define AREA(from, to, how, id) { .start = from, .end = to, .status = (how), .shmid = id }
struct plan {
	uint64_t start, end, pgoff, shmid;
	uint32_t status, flags;
};

// A task 5 with these areas, runs of (address, pages, flags), and pages whose bytes are their numbers, all
// but the last `cut`.
static void make_cut_task(const struct plan *areas, size_t area_count, const uint64_t (*runs)[3],
                          size_t run_count, uint32_t cut)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	PstreeEntry p = PSTREE_ENTRY__INIT;
	MmEntry mm = MM_ENTRY__INIT;
	VmaEntry vma[16];
	VmaEntry *list[16];
	PagemapHead head = PAGEMAP_HEAD__INIT;
	uint8_t page[4096];
	uint32_t present = 0;
	inventory.img_version = 1;
	p.pid = 5;
	for (size_t i = 0; i < area_count; i++) {
		vma[i] = (VmaEntry)VMA_ENTRY__INIT;
		vma[i].start = areas[i].start;
		vma[i].end = areas[i].end;
		vma[i].pgoff = areas[i].pgoff;
		vma[i].shmid = areas[i].shmid;
		vma[i].status = areas[i].status;
		vma[i].flags = areas[i].flags;
		list[i] = &vma[i];
	}
	mm.n_vmas = area_count;
	mm.vmas = list;
	head.pages_id = 1;
	made_begin();
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
	made_one("pstree.img", CRIMG_KIND_PSTREE, &p);
	made_one("mm-5.img", CRIMG_KIND_MM, &mm);
	made_file(CRIMG_KIND_PAGEMAP);
	made_entry(&head);
	for (size_t i = 0; i < run_count; i++) {
		PagemapEntry e = PAGEMAP_ENTRY__INIT;
		e.vaddr = runs[i][0];
		e.compat_nr_pages = (uint32_t)runs[i][1];
		e.has_flags = true;
		e.flags = (uint32_t)runs[i][2];
		made_entry(&e);
		present += (e.flags & CRIMG_PE_PRESENT) != 0 ? e.compat_nr_pages : 0;
	}
	if (run_count > 0)
		made_seal("pagemap-5.img");
	made_file(CRIMG_KIND_PAGES);
	for (uint32_t i = 0; i + cut < present; i++) {
		memset(page, (int)i + 1, sizeof page);
		made_bytes(page, sizeof page);
	}
	made_seal("pages-1.img");
}

static void make_task(const struct plan *areas, size_t area_count, const uint64_t (*runs)[3],
                      size_t run_count)
{
	make_cut_task(areas, area_count, runs, run_count, 0);
}

static void open_made(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	s.image = made_open(0, &err);
	load(5, 0);
}

static void close_made(void)
{
	unload();
	made_end(s.image);
}

// Lazy pages and pages of a parent that is not there are lost, not zero.
static void test_lost(void)
{
	static const struct plan areas[] = { AREA(0x1000, 0x9000, CRIMG_VMA_ANON_PRIVATE, 0) };
	static const uint64_t runs[][3] = { { 0x1000, 1, CRIMG_PE_PRESENT },
		                            { 0x2000, 2, CRIMG_PE_LAZY },
		                            { 0x4000, 1, CRIMG_PE_LAZY | CRIMG_PE_PRESENT },
		                            { 0x5000, 1, CRIMG_PE_PARENT },
		                            { 0x6000, 1, 0 } };
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t byte = 0;
	make_task(areas, 1, runs, 5);
	open_made();
	check(0x1800, CRIMG_BYTES_PRIVATE, 0x2000);
	check(0x2000, CRIMG_BYTES_LOST, 0x4000);
	check(0x4000, CRIMG_BYTES_PRIVATE, 0x5000);
	check(0x5000, CRIMG_BYTES_LOST, 0x6000);
	check(0x6000, CRIMG_BYTES_LOST, 0x7000);
	check(0x7000, CRIMG_BYTES_ZERO, 0x9000);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x4fff, &byte, 1, &err), 1);
	CU_ASSERT_EQUAL(byte, 2);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x3000, &byte, 1, &err), 0);
	CU_ASSERT_EQUAL(walk(), 8);
	close_made();
	// No page map, or one whose runs overlap: nothing can be said of any page.
	make_task(areas, 1, runs, 0);
	open_made();
	check(0x1000, CRIMG_BYTES_LOST, 0x9000);
	close_made();
	static const uint64_t twice[][3] = { { 0x1000, 2, CRIMG_PE_PRESENT },
		                             { 0x2000, 1, CRIMG_PE_PRESENT } };
	make_task(areas, 1, twice, 2);
	open_made();
	check(0x1000, CRIMG_BYTES_LOST, 0x9000);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x1000, &byte, 1, &err), 0);
	close_made();
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
}

static void test_kinds(void)
{
	static const struct plan areas[] = {
		AREA(0x1000, 0x2000, CRIMG_VMA_ANON_SHARED, 77),  AREA(0x2000, 0x3000, CRIMG_VMA_SYSV, 78),
		AREA(0x3000, 0x4000, CRIMG_VMA_MEMFD, 79),        AREA(0x4000, 0x5000, CRIMG_VMA_FILE_SHARED, 1),
		AREA(0x5000, 0x6000, CRIMG_VMA_FILE_PRIVATE, 1),  AREA(0x6000, 0x7000, CRIMG_VMA_SOCKET, 1),
		AREA(0x7000, 0x8000, CRIMG_VMA_GUARD, 1),         AREA(0x8000, 0x9000, CRIMG_VMA_HEAP, 0),
		AREA(0x9000, 0x9000, CRIMG_VMA_HEAP, 0),          AREA(0xb000, 0xa000, CRIMG_VMA_HEAP, 0),
	};
	static const uint64_t runs[][3] = { { 0x100000, 1, CRIMG_PE_PRESENT } };
	make_task(areas, sizeof areas / sizeof areas[0], runs, 1);
	open_made();
	CU_ASSERT_EQUAL(s.space.count, 8); // without those that have no extent
	check(0x1000, CRIMG_BYTES_LOST, 0x2000); // their objects are missing: not zero
	check(0x2000, CRIMG_BYTES_LOST, 0x3000);
	check(0x3000, CRIMG_BYTES_LOST, 0x4000);
	check(0x4000, CRIMG_BYTES_FILE, 0x5000);
	check(0x5000, CRIMG_BYTES_FILE, 0x6000);
	check(0x6000, CRIMG_BYTES_KERNEL, 0x7000);
	check(0x7000, CRIMG_BYTES_KERNEL, 0x8000);
	check(0x8000, CRIMG_BYTES_ZERO, 0x9000);
	check(0x9000, CRIMG_BYTES_UNMAPPED, UINT64_MAX);
	close_made();
}

// Before CRIU 3.x a System V segment had its contents behind its message.
static void test_old_segment(void)
{
	static const struct plan areas[] = { AREA(0x1000, 0x3000, CRIMG_VMA_SYSV, 3),
		                             { 0x4000, 0x5000, 4096, 3, CRIMG_VMA_SYSV, 0 } };
	static const uint64_t runs[][3] = { { 0x100000, 1, CRIMG_PE_PRESENT } };
	char contents[5000];
	IpcShmEntry shm = IPC_SHM_ENTRY__INIT;
	IpcDescEntry desc = IPC_DESC_ENTRY__INIT;
	memset(contents, 'c', sizeof contents);
	shm.desc = &desc;
	shm.size = sizeof contents;
	make_task(areas, 2, runs, 1);
	made_file(CRIMG_KIND_IPCNS_SHM);
	for (desc.id = 5; desc.id >= 3; desc.id--) { // the file need not be sorted
		memset(contents, 'c' + (int)desc.id, sizeof contents);
		made_entry(&shm);
		made_bytes(contents, sizeof contents);
	}
	made_seal("ipcns-shm-8.img");
	open_made();
	check(0x1000, CRIMG_BYTES_SEGMENT, 0x1000 + 5000);
	check(0x1000 + 5000, CRIMG_BYTES_ZERO, 0x3000);
	check(0x4000, CRIMG_BYTES_SEGMENT, 0x4000 + 904);
	check_text(0x1000 + 4996, "ffff");
	check_text(0x4000, "ffff");
	close_made();
}

// CRIU notes a guard region as an area within another, behind all others; the outer one goes on behind it.
static void test_guards(void)
{
	static const struct plan areas[] = {
		{ 0x10000, 0x20000, 0x5000, 1, CRIMG_VMA_FILE_PRIVATE, 0 },
		AREA(0x30000, 0x40000, CRIMG_VMA_ANON_PRIVATE, 0),
		AREA(0x14000, 0x17000, CRIMG_VMA_GUARD, 0), AREA(0x30000, 0x31000, CRIMG_VMA_GUARD, 0),
		AREA(0x3f000, 0x40000, CRIMG_VMA_GUARD, 0),
	};
	static const uint64_t runs[][3] = { { 0x32000, 1, CRIMG_PE_PRESENT } };
	make_task(areas, sizeof areas / sizeof areas[0], runs, 1);
	open_made();
	CU_ASSERT_EQUAL(s.space.count, 6);
	check(0x10000, CRIMG_BYTES_FILE, 0x14000);
	check(0x14000, CRIMG_BYTES_KERNEL, 0x17000);
	check(0x17000, CRIMG_BYTES_FILE, 0x20000);
	CU_ASSERT_EQUAL(crimg_area_offset(crimg_space_find(&s.space, 0x17000), 0x17000), 0xc000);
	check(0x30000, CRIMG_BYTES_KERNEL, 0x31000);
	check(0x31000, CRIMG_BYTES_ZERO, 0x32000);
	check(0x32000, CRIMG_BYTES_PRIVATE, 0x33000);
	check(0x33000, CRIMG_BYTES_ZERO, 0x3f000);
	check(0x3f000, CRIMG_BYTES_KERNEL, 0x40000);
	CU_ASSERT_EQUAL(walk(), 11);
	close_made();
}

static void test_hostile_areas(void)
{
	static const struct plan areas[] = {
		AREA(0x5000, 0x9000, CRIMG_VMA_FILE_PRIVATE, 1), AREA(0x1000, UINT64_MAX, CRIMG_VMA_HEAP, 0),
		AREA(0x6000, 0x7000, CRIMG_VMA_HEAP, 0),         AREA(0x6000, 0x7fff, CRIMG_VMA_SOCKET, 0),
		AREA(0x6000, 0x6001, CRIMG_VMA_FILE_PRIVATE, 0), AREA(0x8000, 0xa000, CRIMG_VMA_SOCKET, 0),
	};
	static const uint64_t runs[][3] = { { 0x100000, 1, CRIMG_PE_PRESENT } };
	make_task(areas, sizeof areas / sizeof areas[0], runs, 1);
	open_made();
	CU_ASSERT_EQUAL(s.space.count, 8);
	check(0x1000, CRIMG_BYTES_ZERO, 0x5000);
	check(0x5000, CRIMG_BYTES_FILE, 0x6000);
	check(0x6000, CRIMG_BYTES_FILE, 0x6001);
	check(0x6001, CRIMG_BYTES_ZERO, 0x7000);
	check(0x7000, CRIMG_BYTES_KERNEL, 0x7fff);
	check(0x7fff, CRIMG_BYTES_FILE, 0x8000);
	check(0x8000, CRIMG_BYTES_KERNEL, 0xa000);
	check(0xa000, CRIMG_BYTES_ZERO, 0x100000);
	walk();
	close_made();
	// Offsets that leave 64 bits name nothing, least of all the beginning of a file.
	static const struct plan wraps[] = {
		{ 0x1000, 0x3000, UINT64_MAX - 4095, 1, CRIMG_VMA_FILE_PRIVATE, 0 },
		{ 0x4000, 0x6000, UINT64_MAX - 4095, 9, CRIMG_VMA_ANON_SHARED, 0 },
		{ 0x7000, 0x8000, UINT64_MAX - 4095, 9, CRIMG_VMA_ANON_SHARED, 0 },
	};
	PagemapHead head = PAGEMAP_HEAD__INIT;
	head.pages_id = 1;
	make_task(wraps, 3, runs, 1);
	made_file(CRIMG_KIND_PAGEMAP_SHMEM);
	made_entry(&head);
	made_seal("pagemap-shmem-9.img");
	open_made();
	check(0x1000, CRIMG_BYTES_LOST, 0x3000);
	check(0x4000, CRIMG_BYTES_LOST, 0x6000);
	check(0x7000, CRIMG_BYTES_LOST, 0x8000);
	walk();
	close_made();
}

// Pages that end too early: an error with the file and its offset, and what came before is given.
static void test_truncated(void)
{
	static const struct plan areas[] = { AREA(0x1000, 0x9000, CRIMG_VMA_ANON_PRIVATE, 0) };
	static const uint64_t runs[][3] = { { 0x1000, 4, CRIMG_PE_PRESENT } };
	struct crimg_err err = CRIMG_ERR_INIT;
	char page[4096], text[512];
	make_cut_task(areas, 1, runs, 1, 1);
	open_made();
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x3000, page, 4096, &err), 1);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x4000, page, 4096, &err), -1);
	crimg_err_format(&err, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "made/pages-1.img: offset 12288 (0x3000): 4096 bytes of pages wanted, "
	                             "the file ends at 12288");
	close_made();
}

static int file_of_fives(void *context, const struct crimg_area *area, uint64_t offset, void *buf,
                         size_t length, struct crimg_err *err)
{
	(void)err;
	*(uint64_t *)context = offset;
	if (area->vma->shmid == 2)
		return crimg_fail(err, CRIMG_E_IO, "file", offset, "no");
	memset(buf, 5, length);
	return offset < 0x4000;
}

static void test_file_bytes(void)
{
	static const struct plan areas[] = {
		{ 0x1000, 0x4000, 0x2000, 1, CRIMG_VMA_FILE_PRIVATE, 0 },
		{ 0x4000, 0x5000, 0, 2, CRIMG_VMA_FILE_SHARED, 0 },
	};
	static const uint64_t runs[][3] = { { 0x2000, 1, CRIMG_PE_PRESENT } };
	struct crimg_err err = CRIMG_ERR_INIT;
	uint64_t asked = 0;
	uint8_t buf[0x3000];
	size_t got;
	make_task(areas, 2, runs, 1);
	open_made();
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x1000, buf, 8, &err), 0);
	s.space.file_bytes = file_of_fives;
	s.space.file_context = &asked;
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x1ff8, buf, 16, &err), 1);
	CU_ASSERT_EQUAL(asked, 0x2ff8);
	CU_ASSERT_TRUE(buf[7] == 5 && buf[8] == 1);
	CU_ASSERT_EQUAL(crimg_space_read_some(&s.space, 0x1000, buf, 0x3000, &got, &err), 0);
	CU_ASSERT_EQUAL(got, 0x2000); // the file ends at 0x4000
	CU_ASSERT_EQUAL(asked, 0x4000);
	CU_ASSERT_EQUAL(crimg_space_read(&s.space, 0x4000, buf, 1, &err), -1);
	close_made();
}

int main(int argc, char **argv)
{
	static const struct suite_test tests[] = {
		{ "a memory zoo", test_zoo },
		{ "segments", test_segments },
		{ "parent chain", test_chain },
		{ "lost pages", test_lost },
		{ "kinds of areas", test_kinds },
		{ "old System V segments", test_old_segment },
		{ "guard regions", test_guards },
		{ "hostile areas", test_hostile_areas },
		{ "truncated pages", test_truncated },
		{ "mapped files", test_file_bytes },
	};
	samples = argc > 1 ? argv[1] : samples;
	return SUITE_RUN("space", NULL, NULL, tests);
}
