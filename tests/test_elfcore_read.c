// The duties of a reader of ELF cores, each on a core that is made here byte by byte. Ids in brackets are
// those of SPEC.md.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "format/space.h"
#include "readers/readers.h"
#include "tests/suite.h"

#define PAGE CRIMG_PAGE_BYTES
#define BASE 0x10000000u
#define SEGMENTS_MAX 8

struct segment {
	uint64_t address, memory, offset, bytes;
	uint32_t flags;
};

// A core being made: notes behind the program headers, memory where the segments say.
struct maker {
	bool is_32;
	uint16_t type, machine;
	uint8_t order;             // of bytes
	uint32_t rows;             // e_phnum; 0: the truth
	struct segment segments[SEGMENTS_MAX];
	size_t count;
	uint8_t notes[8192];
	size_t notes_length;
	size_t size;               // of the file; memory is filled with a pattern
};

static struct maker start(bool is_32)
{
	return (struct maker){ .is_32 = is_32, .type = CRIMG_ELF_TYPE_CORE, .order = CRIMG_ELF_LITTLE,
		               .machine = is_32 ? CRIMG_ELF_MACHINE_386 : CRIMG_ELF_MACHINE_X86_64,
		               .size = (size_t)16 * PAGE };
}

static void note(struct maker *m, const char *owner, uint32_t type, const void *desc, size_t length)
{
	uint8_t *p = m->notes + m->notes_length;
	size_t owner_length = strlen(owner) + 1, name_room = (owner_length + 3) / 4 * 4;
	crimg_put_u32(p, (uint32_t)owner_length);
	crimg_put_u32(p + 4, (uint32_t)length);
	crimg_put_u32(p + 8, type);
	memcpy(p + 12, owner, owner_length);
	memcpy(p + 12 + name_room, desc, length);
	m->notes_length += 12 + name_room + (length + 3) / 4 * 4;
}

static void thread(struct maker *m, uint32_t tid, uint64_t ip)
{
	uint8_t status[CRIMG_PRSTATUS_BYTES(false)] = { 0 };
	crimg_put_u32(status + CRIMG_PRSTATUS_PID(m->is_32), tid);
	if (m->is_32)
		crimg_put_u32(status + CRIMG_PRSTATUS_REGS(true) + 12u * 4, (uint32_t)ip);
	else
		crimg_put_u64(status + CRIMG_PRSTATUS_REGS(false) + 16u * 8, ip);
	note(m, "CORE", CRIMG_NT_PRSTATUS, status, CRIMG_PRSTATUS_BYTES(m->is_32));
}

// One row of NT_FILE.
static void mapping(struct maker *m, uint64_t from, uint64_t to, uint64_t page, const char *path)
{
	uint8_t desc[256] = { 0 };
	const uint64_t words[] = { 1, PAGE, from, to, page };
	for (size_t i = 0; i < 5; i++)
		crimg_put_u64(desc + 8 * i, words[i]);
	memcpy(desc + 40, path, strlen(path) + 1);
	note(m, "CORE", CRIMG_NT_FILE, desc, 40 + strlen(path) + 1);
}

static void segment(struct maker *m, uint64_t address, uint64_t memory, uint64_t offset,
                    uint64_t bytes)
{
	m->segments[m->count++] = (struct segment){ address, memory, offset, bytes, 6 };
}

static uint8_t pattern(uint64_t offset)
{
	return (uint8_t)(offset * 7 + offset / PAGE + 1);
}

static void put_word(const struct maker *m, uint8_t **p, uint64_t value)
{
	if (m->is_32)
		crimg_put_u32(*p, (uint32_t)value);
	else
		crimg_put_u64(*p, value);
	*p += m->is_32 ? 4 : 8;
}

static void put_row(const struct maker *m, uint8_t *p, uint32_t type, const struct segment *s)
{
	crimg_put_u32(p, type);
	p += 4;
	if (!m->is_32) {
		crimg_put_u32(p, s->flags);
		p += 4;
	}
	put_word(m, &p, s->offset);
	put_word(m, &p, s->address);
	put_word(m, &p, 0);
	put_word(m, &p, s->bytes);
	put_word(m, &p, s->memory);
	if (m->is_32)
		crimg_put_u32(p, s->flags);
}

// The file, of m->size bytes; freed by the caller.
static uint8_t *make(const struct maker *m)
{
	uint8_t *file = calloc(1, m->size + 65536), *p = file + 32;
	CU_ASSERT_FATAL(file != NULL);
	uint32_t head = CRIMG_ELF_EHDR_BYTES(m->is_32), row = CRIMG_ELF_PHDR_BYTES(m->is_32);
	struct segment notes = { .offset = head + row * (m->count + 1), .bytes = m->notes_length };
	for (size_t i = PAGE; i < m->size; i++)
		file[i] = pattern(i);
	memcpy(file, CRIMG_ELF_MAGIC, 4);
	file[CRIMG_ELF_CLASS] = m->is_32 ? CRIMG_ELF_CLASS32 : CRIMG_ELF_CLASS64;
	file[CRIMG_ELF_DATA] = m->order;
	crimg_put_u16(file + CRIMG_ELF_EHDR_TYPE, m->type);
	crimg_put_u16(file + CRIMG_ELF_EHDR_MACHINE, m->machine);
	if (m->is_32)
		crimg_put_u32(file + 28, head);
	else
		crimg_put_u64(p, head);
	p = file + (m->is_32 ? 42 : 54);
	crimg_put_u16(p, (uint16_t)row);
	crimg_put_u16(p + 2, m->rows != 0 ? (uint16_t)m->rows : (uint16_t)(m->count + 1));
	put_row(m, file + head, CRIMG_ELF_PT_NOTE, &notes);
	for (size_t i = 0; i < m->count; i++)
		put_row(m, file + head + row * (i + 1), CRIMG_ELF_PT_LOAD, &m->segments[i]);
	memcpy(file + notes.offset, m->notes, m->notes_length);
	return file;
}

static struct crimg_input input_of(const void *data, size_t size)
{
	struct crimg_input in = { .path = strdup("a.core") };
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_memory(data, size, "a.core", &in.source, NULL), 0);
	in.head_length = size < sizeof in.head ? size : sizeof in.head;
	memcpy(in.head, data, in.head_length);
	return in;
}

// The error that opening it, or reading its records, ends with; "" when there is none.
static void error_of(const struct maker *m, char text[1024])
{
	uint8_t *file = make(m);
	struct crimg_input in = input_of(file, m->size);
	struct crimg_image *image;
	struct crimg_err err = CRIMG_ERR_INIT;
	text[0] = '\0';
	if (crimg_image_open_input(&in, NULL, &image, &err) < 0)
		crimg_err_format(&err, text, 1024);
	crimg_image_close(image);
	free(file);
}

static void refused(const struct maker *m, const char *wanted)
{
	char text[1024];
	error_of(m, text);
	if (strcmp(text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", text, wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
}

#define WANTED " found, a core of an x86-64 or i386 process wanted"

// [R-0601] What is no core of an x86 Linux process, by name.
static void test_refused(void)
{
	static const struct {
		uint16_t type, machine;
		uint8_t order;
		bool is_32;
		const char *text;
	} rows[] = {
		{ 3, 62, 1, false, "a.core: offset 16 (0x10): a program or shared library" WANTED },
		{ 2, 3, 1, true, "a.core: offset 16 (0x10): a program" WANTED },
		{ 4, 183, 1, false, "a.core: offset 18 (0x12): an AArch64 core" WANTED },
		{ 4, 40, 1, true, "a.core: offset 18 (0x12): an ARM core" WANTED },
		{ 4, 62, 1, true, "a.core: offset 18 (0x12): a core of the x32 ABI" WANTED },
		{ 4, 62, 2, false, "a.core: offset 5 (0x5): a big-endian ELF file" WANTED },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maker m = start(rows[i].is_32);
		thread(&m, 1, 0);
		m.type = rows[i].type;
		m.machine = rows[i].machine;
		m.order = rows[i].order;
		refused(&m, rows[i].text);
	}
	struct maker m = start(false);
	refused(&m, "a.core: an ELF core without NT_PRSTATUS: no thread of a Linux process is in it");
	thread(&m, 1, 0);
	note(&m, "QEMU", 0, "", 0);
	refused(&m, "a.core: offset 476 (0x1dc): a dump of a whole machine (a note of QEMU) found, a "
	            "core of a process wanted");
}

static void test_probe(void)
{
	struct maker m = start(false);
	uint8_t *file = make(&m);
	struct crimg_input in = input_of(file, m.size);
	CU_ASSERT_EQUAL(crimg_reader_elfcore.probe(&in), 100);
	in.head[CRIMG_ELF_EHDR_TYPE] = 3;
	CU_ASSERT_EQUAL(crimg_reader_elfcore.probe(&in), 1);
	in.head[0] = 'x';
	CU_ASSERT_EQUAL(crimg_reader_elfcore.probe(&in), 0);
	crimg_input_fini(&in);
	free(file);
}

// What the records of a core were.
struct seen {
	unsigned kinds[CRIMG_KIND_COUNT];
	int errors;
	enum crimg_kind after_error;  // of the object that came behind the error
	bool in_order;
	uint64_t pages, given;
	uint8_t *bytes;               // of the pages object
	char text[1024];
};

static void take_content(struct seen *s, const struct crimg_record *r)
{
	CU_ASSERT_EQUAL(r->payload.number, 0);
	CU_ASSERT_EQUAL(r->content_offset, s->given);
	if (r->span.source != NULL) {
		CU_ASSERT_EQUAL(crimg_source_read_exact(r->span.source, r->span.offset,
		                                        s->bytes + s->given,
		                                        (size_t)r->content_length, NULL), 0);
	} else {
		CU_ASSERT(r->zero);
		memset(s->bytes + s->given, 0, (size_t)r->content_length);
	}
	s->given += r->content_length;
}

// Reads all records. seen->bytes is freed by the caller.
static void read_all(struct crimg_reader *reader, struct seen *s)
{
	struct crimg_record r;
	struct crimg_err err = CRIMG_ERR_INIT;
	enum crimg_kind last = CRIMG_KIND_INVENTORY;
	int rc;
	*s = (struct seen){ .in_order = true, .after_error = CRIMG_KIND_COUNT };
	while ((rc = crimg_reader_next(reader, &r, &err)) != 0 && s->errors < 2) {
		if (rc < 0) {
			s->errors++;
			crimg_err_format(&err, s->text, sizeof s->text);
			err = CRIMG_ERR_INIT;
			continue;
		}
		if (r.type == CRIMG_RECORD_CONTENT) {
			take_content(s, &r);
			continue;
		}
		if (r.type == CRIMG_RECORD_OBJECT && s->errors > 0 && s->after_error == CRIMG_KIND_COUNT)
			s->after_error = r.object->kind;
		s->in_order = s->in_order && r.object->kind >= last;
		last = r.object->kind;
		s->kinds[last] += r.type == CRIMG_RECORD_OBJECT;
		if (r.payload.number == CRIMG_NO_PAYLOAD)
			continue;
		s->pages = r.payload.length;
		s->bytes = malloc((size_t)s->pages + 1);
		CU_ASSERT_FATAL(s->bytes != NULL);
	}
}

static void read_core(const struct maker *m, struct seen *s, uint8_t **file,
                      struct crimg_reader *reader)
{
	*file = make(m);
	struct crimg_input in = input_of(*file, m->size);
	struct crimg_err err = CRIMG_ERR_INIT;
	int rc = crimg_reader_open(&in, "core", reader, &err);
	crimg_input_fini(&in);
	if (rc < 0)
		printf("\n  %s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	read_all(reader, s);
}

// Records come in order; random access gives what the stream gives, across runs, to the byte.
static void test_records(void)
{
	struct maker m = start(false);
	struct crimg_reader reader;
	struct seen s;
	uint8_t *file, buf[3 * PAGE];
	thread(&m, 8, 0x1234);
	thread(&m, 7, 0);
	segment(&m, BASE + 16 * PAGE, 2 * PAGE, 5 * PAGE + 3, 2 * PAGE); // unsorted, and not aligned
	segment(&m, BASE, 2 * PAGE, 2 * PAGE, PAGE);
	read_core(&m, &s, &file, &reader);
	CU_ASSERT_EQUAL(s.errors, 0);
	CU_ASSERT(s.in_order);
	CU_ASSERT_EQUAL(s.kinds[CRIMG_KIND_CORE], 2);
	CU_ASSERT_EQUAL(s.kinds[CRIMG_KIND_ELF_NOTES], 1);
	CU_ASSERT_EQUAL(s.kinds[CRIMG_KIND_PAGES], 1);
	CU_ASSERT_EQUAL(s.pages, 3 * PAGE);
	CU_ASSERT_EQUAL(s.given, s.pages);
	CU_ASSERT_EQUAL(memcmp(s.bytes, file + 2 * PAGE, PAGE), 0);
	CU_ASSERT_EQUAL(memcmp(s.bytes + PAGE, file + 5 * PAGE + 3, 2 * PAGE), 0);
	for (size_t at = 0; at < s.pages; at += 1000)
		for (size_t n = 0; at + n <= s.pages; n += 997) {
			CU_ASSERT_EQUAL(crimg_reader_elfcore.read(&reader, 0, at, buf, n, NULL), 0);
			CU_ASSERT_EQUAL(memcmp(buf, s.bytes + at, n), 0);
		}
	CU_ASSERT_EQUAL(crimg_reader_elfcore.read(&reader, 0, s.pages - 1, buf, 2, NULL), -1);
	CU_ASSERT_EQUAL(crimg_reader_elfcore.read(&reader, 1, 0, buf, 1, NULL), -1);
	crimg_reader_close(&reader);
	free(s.bytes);
	free(file);
}

// [R-0614] The bytes of a segment may end within a page: the rest of the page is zero.
static void test_partial_page(void)
{
	struct maker m = start(true);
	struct crimg_reader reader;
	struct seen s;
	uint8_t *file, zeros[PAGE] = { 0 };
	thread(&m, 1, 0);
	segment(&m, BASE, PAGE + 100, 2 * PAGE, PAGE + 50);
	read_core(&m, &s, &file, &reader);
	CU_ASSERT_EQUAL(s.errors, 0);
	CU_ASSERT_EQUAL(s.pages, 2 * PAGE);
	CU_ASSERT_EQUAL(memcmp(s.bytes, file + 2 * PAGE, PAGE + 50), 0);
	CU_ASSERT_EQUAL(memcmp(s.bytes + PAGE + 50, zeros, PAGE - 50), 0);
	crimg_reader_close(&reader);
	free(s.bytes);
	free(file);
}

// [R-0609] A core that ends early: everything that is there, then the place, then the pages.
static void test_cut(void)
{
	struct maker m = start(false);
	struct crimg_reader reader;
	struct seen s;
	uint8_t *file;
	thread(&m, 1, 0);
	segment(&m, BASE, 2 * PAGE, 2 * PAGE, 2 * PAGE);
	segment(&m, BASE + 8 * PAGE, 4 * PAGE, 4 * PAGE, 4 * PAGE);
	segment(&m, BASE + 16 * PAGE, PAGE, 8 * PAGE, PAGE);
	m.size = 5 * PAGE + 10;
	read_core(&m, &s, &file, &reader);
	CU_ASSERT_EQUAL(s.errors, 1);
	CU_ASSERT_EQUAL(s.after_error, CRIMG_KIND_PAGES);
	CU_ASSERT_STRING_EQUAL(s.text, "a.core: offset 16384 (0x4000): the file ends: 4106 bytes of the "
	                               "memory at 0x10008000 found, 16384 wanted");
	CU_ASSERT_EQUAL(s.pages, 3 * PAGE);
	CU_ASSERT_EQUAL(s.given, s.pages);
	crimg_reader_close(&reader);
	free(s.bytes);
	free(file);
}

// [R-0612] A note of a wrong length is told, and does not hide the others.
static void test_wrong_notes(void)
{
	struct maker m = start(false);
	struct crimg_reader reader;
	struct seen s;
	uint8_t *file, bytes[600] = { 0 };
	thread(&m, 1, 0);
	note(&m, "CORE", CRIMG_NT_FPREGSET, bytes, 500);
	note(&m, "CORE", CRIMG_NT_PRSTATUS, bytes, 100);
	note(&m, "CORE", CRIMG_NT_PRPSINFO, bytes, 3);
	thread(&m, 2, 0);
	read_core(&m, &s, &file, &reader);
	CU_ASSERT_EQUAL(s.errors, 1);
	CU_ASSERT_STRING_EQUAL(s.text, "a.core: offset 1016 (0x3f8): NT_PRSTATUS: 100 bytes found, 336 "
	                               "wanted");
	CU_ASSERT_EQUAL(s.kinds[CRIMG_KIND_CORE], 2);
	crimg_reader_close(&reader);
	free(s.bytes);
	free(file);
}

// [R-0613] Segments that overlap, leave the address space or begin within a page; [R-0611] that take more
// bytes than there are, or are too many.
static void test_segments(void)
{
	struct maker fresh = start(false), m;
	thread(&fresh, 1, 0);
	m = fresh;
	segment(&m, BASE + PAGE, PAGE, 0, 0);
	segment(&m, BASE, PAGE + 1, 0, 0);
	refused(&m, "a.core: offset 120 (0x78): a segment at 0x10001000 overlaps that from 0x10000000 to "
	            "0x10002000");
	m = fresh;
	segment(&m, UINT64_MAX - PAGE + 1, PAGE, 0, 0);
	refused(&m, "a.core: offset 120 (0x78): a segment of 0x1000 bytes at 0xfffffffffffff000 leaves "
	            "the address space");
	m = fresh;
	segment(&m, BASE + 1, PAGE, 0, 0);
	refused(&m, "a.core: offset 120 (0x78): a segment at 0x10000001 found, one at a page boundary "
	            "wanted");
	m = fresh;
	segment(&m, BASE, PAGE, 0, PAGE + 1);
	refused(&m, "a.core: offset 120 (0x78): a segment with 0x1001 bytes for 0x1000 of memory");
	m = fresh;
	segment(&m, BASE, 9 * PAGE, 0, 9 * PAGE);
	segment(&m, BASE + 16 * PAGE, 9 * PAGE, 0, 9 * PAGE);
	refused(&m, "a.core: offset 176 (0xb0): segments that share their bytes: more of them than the "
	            "file has");
	m = fresh;
	m.rows = CRIMG_ELF_PN_XNUM;
	refused(&m, "a.core: offset 0 (0x0): e_phnum is PN_XNUM, but there is no section header 0");
	m = fresh;
	m.rows = 60000;
	refused(&m, "a.core: offset 64 (0x40): the file ends: 65472 bytes of program headers found, "
	            "3360000 wanted");
}

static char work[] = "/tmp/crimg-test-elfcore-XXXXXX";

// The kind of bytes that a space has at address.
static enum crimg_bytes kind_at(const struct crimg_space *space, uint64_t address)
{
	enum crimg_bytes kind = CRIMG_BYTES_UNMAPPED;
	uint64_t end;
	CU_ASSERT_EQUAL(crimg_space_bytes(space, address, &kind, &end, NULL), 0);
	return kind;
}

static void check_space(struct crimg_image *image, void (*check)(const struct crimg_space *space))
{
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_space space;
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, NULL), 0);
	CU_ASSERT_EQUAL(crimg_files_load(image, &files, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(tasks.count, 1);
	CU_ASSERT_EQUAL(crimg_space_load(image, &files, &tasks.list[0], &space, NULL), 0);
	check(&space);
	crimg_space_fini(&space);
	crimg_files_fini(&files);
	crimg_tasks_fini(&tasks);
}

static void check_kinds(const struct crimg_space *space)
{
	CU_ASSERT_EQUAL(space->count, 4);
	CU_ASSERT_EQUAL(kind_at(space, BASE), CRIMG_BYTES_PRIVATE);
	CU_ASSERT_EQUAL(kind_at(space, BASE + PAGE), CRIMG_BYTES_ZERO);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 2 * PAGE), CRIMG_BYTES_PRIVATE);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 3 * PAGE), CRIMG_BYTES_LOST);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 4 * PAGE), CRIMG_BYTES_UNMAPPED);
	// The mapped file: dumped, dumped as a hole, not dumped; and what gdb would leave out.
	CU_ASSERT_EQUAL(kind_at(space, BASE + 16 * PAGE), CRIMG_BYTES_PRIVATE);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 17 * PAGE), CRIMG_BYTES_PRIVATE);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 18 * PAGE), CRIMG_BYTES_FILE);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 19 * PAGE), CRIMG_BYTES_FILE);
	// Behind the mapping the segment goes on without a file.
	CU_ASSERT_EQUAL(kind_at(space, BASE + 20 * PAGE), CRIMG_BYTES_UNMAPPED);
	CU_ASSERT_EQUAL(kind_at(space, BASE + 32 * PAGE), CRIMG_BYTES_LOST);
	uint8_t byte = 1;
	CU_ASSERT_EQUAL(crimg_space_read(space, BASE + 17 * PAGE, &byte, 1, NULL), 1);
	CU_ASSERT_EQUAL(byte, 0);
	const struct crimg_area *file = crimg_space_find(space, BASE + 18 * PAGE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(file->start, BASE + 16 * PAGE);
	CU_ASSERT_EQUAL(file->vma->pgoff, 3 * PAGE);
	CU_ASSERT_EQUAL(file->vma->status & CRIMG_VMA_FILE, CRIMG_VMA_FILE_PRIVATE);
	CU_ASSERT_EQUAL(file->vma->shmid, 1);
}

// [R-0604] Areas; [R-0605] pages that are there, [R-0607] holes, [R-0606] memory that was not dumped.
static void test_space(void)
{
	struct maker m = start(false);
	char path[64];
	struct crimg_image *image;
	struct crimg_err err = CRIMG_ERR_INIT;
	thread(&m, 1, 0);
	mapping(&m, BASE + 16 * PAGE, BASE + 20 * PAGE, 3, "/bin/x");
	segment(&m, BASE, 4 * PAGE, 2 * PAGE, 3 * PAGE);
	segment(&m, BASE + 16 * PAGE, 2 * PAGE, 6 * PAGE, 2 * PAGE);
	segment(&m, BASE + 18 * PAGE, PAGE, 0, 0); // the same mapping, split
	segment(&m, BASE + 32 * PAGE, PAGE, 0, 0);
	uint8_t *file = make(&m);
	snprintf(path, sizeof path, "%s/a.core", work);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)m.size), 0);
	for (size_t at = 0; at < m.size; at += PAGE) // pages 3 and 7 of the file are holes
		if (at != 3 * PAGE && at != 7 * PAGE)
			CU_ASSERT_EQUAL(pwrite(fd, file + at, PAGE, (off_t)at), PAGE);
	CU_ASSERT_EQUAL(crimg_image_open(path, NULL, "/tmp", &image, &err), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	check_space(image, check_kinds);
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 0);
	crimg_image_close(image);
	close(fd);
	free(file);
}

// Holes as the source tells them.
static void test_extent(void)
{
	char path[64];
	struct crimg_source *s;
	bool hole;
	uint64_t end;
	snprintf(path, sizeof path, "%s/sparse", work);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, 1 << 30), 0);
	CU_ASSERT_EQUAL(pwrite(fd, path, sizeof path, 1 << 20), sizeof path);
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_fd(fd, path, &s, NULL), 0);
	crimg_source_extent(s, 5, &hole, &end);
	CU_ASSERT(hole && end == 1 << 20);
	crimg_source_extent(s, (1 << 20) + 7, &hole, &end);
	CU_ASSERT(!hole && end == (1 << 20) + PAGE);
	crimg_source_extent(s, 1 << 21, &hole, &end);
	CU_ASSERT(hole && end == 1 << 30);
	crimg_source_close(s);
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_memory(path, sizeof path, "m", &s, NULL), 0);
	crimg_source_extent(s, 3, &hole, &end);
	CU_ASSERT(!hole && end == sizeof path);
	crimg_source_close(s);
}

static const CoreEntry *core_of(struct crimg_image *image, uint32_t tid)
{
	const CoreEntry *core = crimg_image_get(image, CRIMG_KIND_CORE, tid, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(core);
	return core;
}

static struct crimg_image *index_of(const struct maker *m, uint8_t **file)
{
	*file = make(m);
	struct crimg_input in = input_of(*file, m->size);
	struct crimg_image *image;
	CU_ASSERT_EQUAL(crimg_image_open_input(&in, NULL, &image, NULL), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	return image;
}

// [R-0602] [R-0603] Notes go to their threads, process-wide ones to none; the leader comes first.
static void test_threads(void)
{
	struct maker m = start(true);
	uint8_t *file, info[CRIMG_PRPSINFO_BYTES(true)] = { 0 };
	crimg_put_u32(info + CRIMG_PRPSINFO_PID(true), 50);
	memcpy(info + CRIMG_PRPSINFO_FNAME(true), "name", 5);
	thread(&m, 52, 0x8049000);
	note(&m, "CORE", CRIMG_NT_PRPSINFO, info, sizeof info);
	note(&m, "own", 77, "abc", 3);
	thread(&m, 51, 0);
	thread(&m, 50, 0);
	struct crimg_image *image = index_of(&m, &file);
	const PstreeEntry *p = crimg_image_get(image, CRIMG_KIND_PSTREE, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->pid, 50);
	CU_ASSERT_EQUAL_FATAL(p->n_threads, 3);
	CU_ASSERT(p->threads[0] == 50 && p->threads[1] == 52 && p->threads[2] == 51);
	CU_ASSERT_STRING_EQUAL(core_of(image, 50)->tc->comm, "name");
	CU_ASSERT_EQUAL(core_of(image, 52)->thread_info->gpregs->ip, 0x8049000);
	CU_ASSERT_EQUAL(core_of(image, 52)->thread_info->gpregs->mode, USER_X86_REGS_MODE__COMPAT);
	CU_ASSERT_EQUAL(core_of(image, 51)->thread_info->fpregs->cwd, 0x37f);
	struct crimg_image_object *notes = crimg_image_find(image, CRIMG_KIND_ELF_NOTES, 50);
	CU_ASSERT_PTR_NOT_NULL_FATAL(notes);
	CU_ASSERT_EQUAL_FATAL(notes->count, 5);
	const ElfNoteEntry *n = crimg_image_message(image, notes, 1, NULL);
	CU_ASSERT(n != NULL && !n->has_tid && n->type == CRIMG_NT_PRPSINFO);
	n = crimg_image_message(image, notes, 2, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(n);
	CU_ASSERT(n->has_tid && n->tid == 52 && n->type == 77 && n->desc.len == 3);
	CU_ASSERT_STRING_EQUAL(n->name, "own");
	crimg_image_close(image);
	free(file);
}

// A leader that had ended is in the tree, without registers.
static void test_no_leader(void)
{
	struct maker m = start(false);
	uint8_t *file, info[CRIMG_PRPSINFO_BYTES(false)] = { 0 };
	crimg_put_u32(info + CRIMG_PRPSINFO_PID(false), 50);
	thread(&m, 52, 0);
	note(&m, "CORE", CRIMG_NT_PRPSINFO, info, sizeof info);
	struct crimg_image *image = index_of(&m, &file);
	CU_ASSERT_PTR_NULL(core_of(image, 50)->thread_info);
	CU_ASSERT_PTR_NOT_NULL(core_of(image, 50)->tc);
	CU_ASSERT_PTR_NOT_NULL(core_of(image, 52)->thread_core);
	CU_ASSERT_EQUAL(crimg_image_missing(image, NULL), 0);
	crimg_image_close(image);
	free(file);
}

static int init(void)
{
	return mkdtemp(work) == NULL ? -1 : 0;
}

static int fini(void)
{
	char command[256];
	snprintf(command, sizeof command, "rm -rf '%s'", work);
	return system(command);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "what is refused", test_refused },
		{ "probing", test_probe },
		{ "records", test_records },
		{ "a page in part", test_partial_page },
		{ "a core that is cut", test_cut },
		{ "wrong notes", test_wrong_notes },
		{ "segments", test_segments },
		{ "address space", test_space },
		{ "holes", test_extent },
		{ "threads and notes", test_threads },
		{ "no leader", test_no_leader },
	};
	return SUITE_RUN("ELF cores: a reader's duties", init, fini, tests);
}
