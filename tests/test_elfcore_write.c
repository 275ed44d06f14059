// The ELF core writer, fed record by record: where bytes go, what notes say, what is refused. Whole
// files are judged by gdb and readelf in core_write.sh. Ids in brackets are those of SPEC.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/ledger.h"
#include "format/output.h"
#include "format/space.h"
#include "format/x86.h"
#include "tests/suite.h"

#define PAGE UINT64_C(4096)

static char work[] = "/tmp/crimg-test-elfcore-XXXXXX";

// One conversion: records in, a file (or members of a directory) out.
static struct job {
	struct crimg_output *output;
	struct crimg_writer writer;
	struct crimg_ledger ledger;
	struct crimg_object object;
	uint64_t index, payloads;
	struct crimg_err err;
	int rc;                 // of the first call that failed
	uint8_t *file;          // of the core that was opened last
	size_t length;
} job;

static char *path_of(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", work, name);
	return path;
}

static void begin(struct crimg_writer_options options)
{
	job = (struct job){ .ledger = CRIMG_LEDGER_INIT };
	options.ledger = &job.ledger;
	struct crimg_err err = CRIMG_ERR_INIT;
	int rc = options.members ? crimg_output_open_dir(path_of("cores"), &job.output, &err)
	                         : crimg_output_open_file(path_of("x.core"), &job.output, &err);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	struct crimg_writer writer = { crimg_writer_by_name("core"), job.output, NULL };
	job.rc = writer.driver->open(&writer, &options, &job.err);
	CU_ASSERT_EQUAL_FATAL(job.rc, 0);
	job.writer = writer;
}

static void put(const struct crimg_record *r)
{
	if (job.rc == 0)
		job.rc = job.writer.driver->put(&job.writer, r, &job.err);
}

// Opens an object; raw ones with a payload of so many bytes, whose number comes back.
static uint64_t object(enum crimg_kind kind, uint64_t id, uint64_t length)
{
	bool raw = crimg_kind_info(kind)->payload == CRIMG_PAYLOAD_RAW;
	job.object = (struct crimg_object){ .kind = kind, .id = id, .name = "" };
	job.index = 0;
	struct crimg_record r = { .type = CRIMG_RECORD_OBJECT, .object = &job.object,
		                  .payload = { raw ? job.payloads++ : CRIMG_NO_PAYLOAD, length },
		                  .origin = "test" };
	put(&r);
	return r.payload.number;
}

static uint64_t entry(const void *message, uint64_t payload_length)
{
	struct crimg_buf buf = CRIMG_BUF_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_message_encode(message, &buf, NULL), 0);
	struct crimg_record r = { .type = CRIMG_RECORD_MESSAGE, .object = &job.object,
		                  .index = job.index++, .data = buf.data, .length = buf.length,
		                  .payload = { CRIMG_NO_PAYLOAD, 0 }, .origin = "test" };
	if (payload_length > 0)
		r.payload = (struct crimg_payload_ref){ job.payloads++, payload_length };
	put(&r);
	crimg_buf_fini(&buf);
	return r.payload.number;
}

static void message(enum crimg_kind kind, uint64_t id, const void *m)
{
	object(kind, id, 0);
	entry(m, 0);
}

static void bytes(uint64_t payload, uint64_t offset, const void *data, uint64_t length)
{
	struct crimg_record r = { .type = CRIMG_RECORD_CONTENT, .payload = { payload, 0 },
		                  .content_offset = offset, .content_length = length, .bytes = data,
		                  .zero = data == NULL, .origin = "test" };
	put(&r);
}

// Pages that are full of one letter each.
static void pages(uint64_t payload, uint64_t first, const char *letters)
{
	for (size_t i = 0; letters[i] != '\0'; i++) {
		uint8_t page[PAGE];
		memset(page, letters[i], sizeof page);
		bytes(payload, (first + i) * PAGE, letters[i] == '0' ? NULL : page, PAGE);
	}
}

static void read_core(const char *name)
{
	struct stat st;
	free(job.file);
	FILE *f = fopen(path_of(name), "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL_FATAL(fstat(fileno(f), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	CU_ASSERT_FATAL(st.st_size < 64 << 20);
	job.length = (size_t)st.st_size;
	job.file = malloc(job.length);
	CU_ASSERT_EQUAL_FATAL(fread(job.file, job.length, 1, f), 1);
	fclose(f);
}

static void close_all(void)
{
	char command[160];
	job.writer.driver->close(&job.writer);
	crimg_output_close(job.output);
	crimg_ledger_fini(&job.ledger);
	free(job.file);
	job.file = NULL;
	snprintf(command, sizeof command, "rm -rf '%s/cores' '%s/x.core'", work, work);
	CU_ASSERT_EQUAL(system(command), 0);
}

static void finish(void)
{
	if (job.rc == 0)
		job.rc = job.writer.driver->finish(&job.writer, &job.err);
	if (job.rc < 0)
		printf("\n  %s\n", job.err.text);
	CU_ASSERT_EQUAL_FATAL(job.rc, 0);
	CU_ASSERT_EQUAL_FATAL(crimg_output_commit(job.output, &job.err), 0);
}

static void refused(enum crimg_code code, const char *text)
{
	if (job.rc == 0)
		job.rc = job.writer.driver->finish(&job.writer, &job.err);
	CU_ASSERT_EQUAL(job.rc, -1);
	CU_ASSERT_EQUAL(job.err.code, code);
	if (strcmp(job.err.text, text) != 0)
		printf("\n  found  %s\n  wanted %s\n", job.err.text, text);
	CU_ASSERT_STRING_EQUAL(job.err.text, text);
	close_all();
	CU_ASSERT(access(path_of("x.core"), F_OK) < 0);
}

// Images: a task is put together in these and given by give_*().

static UserX86RegsEntry regs = USER_X86_REGS_ENTRY__INIT;
static UserX86FpregsEntry fpregs = USER_X86_FPREGS_ENTRY__INIT;
static VmaEntry vmas[16];
static VmaEntry *vma_list[16];
static MmEntry mm;

static void give_tree(uint32_t pid, size_t threads)
{
	uint32_t tids[8];
	PstreeEntry p = PSTREE_ENTRY__INIT;
	for (size_t i = 0; i < threads; i++)
		tids[i] = pid + (uint32_t)i;
	p.pid = pid;
	p.ppid = 1;
	p.pgid = 2;
	p.sid = 3;
	p.threads = tids;
	p.n_threads = threads;
	if (job.object.kind == CRIMG_KIND_PSTREE && job.index > 0)
		entry(&p, 0);
	else
		message(CRIMG_KIND_PSTREE, 0, &p);
}

static uint32_t xmm[64], st[32], ymm[64];

static void give_core(uint32_t tid, bool leader, uint32_t state)
{
	CoreEntry c = CORE_ENTRY__INIT;
	ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	ThreadCoreEntry thread = THREAD_CORE_ENTRY__INIT;
	CredsEntry creds = CREDS_ENTRY__INIT;
	UserX86XsaveEntry xsave = USER_X86_XSAVE_ENTRY__INIT;
	c.mtype = CORE_ENTRY__MARCH__X86_64;
	regs.ip = 0x1000 + tid;
	xsave.xstate_bv = 7;
	xsave.n_ymmh_space = 64;
	xsave.ymmh_space = ymm;
	fpregs.n_st_space = 32;
	fpregs.st_space = st;
	fpregs.n_xmm_space = 64;
	fpregs.xmm_space = xmm;
	fpregs.xsave = &xsave;
	info.gpregs = &regs;
	info.fpregs = &fpregs;
	c.thread_info = &info;
	tc.task_state = state;
	tc.comm = (char[]){ "program" };
	tc.blk_sigset = 0x30;
	tc.flags = 0x400;
	creds.uid = 70000;
	creds.gid = 100;
	thread.creds = &creds;
	thread.has_blk_sigset = true;
	thread.blk_sigset = 0x40;
	thread.has_sched_nice = true;
	thread.sched_nice = 5;
	c.tc = leader ? &tc : NULL;
	c.thread_core = &thread;
	message(CRIMG_KIND_CORE, tid, &c);
	fpregs.xsave = NULL;
}

static VmaEntry *area(uint64_t start, uint64_t count, uint32_t status, uint32_t prot)
{
	VmaEntry *v = &vmas[mm.n_vmas];
	vma_entry__init(v);
	v->start = start;
	v->end = start + count * PAGE;
	v->status = status | 1;
	v->prot = prot;
	v->fd = -1;
	v->flags = 2;
	vma_list[mm.n_vmas++] = v;
	return v;
}

static void new_space(void)
{
	mm = (MmEntry)MM_ENTRY__INIT;
	mm.vmas = vma_list;
}

static void give_mm(uint32_t pid)
{
	message(CRIMG_KIND_MM, pid, &mm);
}

static void map_head(enum crimg_kind kind, uint64_t id, uint32_t pages_id)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	head.pages_id = pages_id;
	message(kind, id, &head);
}

static void run(uint64_t vaddr, uint32_t count, uint32_t flags)
{
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	e.vaddr = vaddr;
	e.compat_nr_pages = count;
	e.has_flags = true;
	e.flags = flags;
	entry(&e, 0);
}

enum { PARENT = 1, LAZY = 2, HERE = 4 };

// A task of one thread with the areas made before.
static void give_task(uint32_t pid)
{
	give_tree(pid, 1);
	give_core(pid, true, 1);
	give_mm(pid);
}

// Cores: program headers and notes of job.file, both classes.

static bool wide(void)
{
	return job.file[4] == CRIMG_ELF_CLASS64;
}

static uint64_t word(size_t at)
{
	return wide() ? crimg_get_u64(job.file + at) : crimg_get_u32(job.file + at);
}

struct load {
	uint32_t type, flags;
	uint64_t offset, start, stored, memory;
};

static struct load load(size_t i)
{
	size_t at = wide() ? 64 + 56 * i : 52 + 32 * i;
	struct load l = { .type = crimg_get_u32(job.file + at) };
	l.flags = crimg_get_u32(job.file + at + (wide() ? 4 : 24));
	l.offset = word(at + (wide() ? 8 : 4));
	l.start = word(at + (wide() ? 16 : 8));
	l.stored = word(at + (wide() ? 32 : 16));
	l.memory = word(at + (wide() ? 40 : 20));
	return l;
}

static size_t load_count(void)
{
	return crimg_get_u16(job.file + (wide() ? 56 : 44)) - 1u;
}

static void expect_load(size_t i, uint64_t start, uint64_t count, uint64_t stored, uint32_t flags)
{
	struct load l = load(i);
	CU_ASSERT_EQUAL(l.type, CRIMG_ELF_PT_LOAD);
	CU_ASSERT_EQUAL(l.start, start);
	CU_ASSERT_EQUAL(l.memory, count * PAGE);
	CU_ASSERT_EQUAL(l.stored, stored * PAGE);
	CU_ASSERT_EQUAL(l.flags, flags);
	CU_ASSERT_EQUAL(l.offset % PAGE, 0);
}

// The pages of segment i are these letters ('0': zeros).
static void expect_pages(size_t i, const char *letters)
{
	struct load l = load(i);
	CU_ASSERT_EQUAL(l.stored, strlen(letters) * PAGE);
	CU_ASSERT_FATAL(crimg_in_range(l.offset, l.stored, job.length));
	for (uint64_t p = 0; p < l.stored / PAGE; p++) {
		uint8_t page[PAGE];
		memset(page, letters[p] == '0' ? 0 : letters[p], sizeof page);
		if (memcmp(job.file + l.offset + p * PAGE, page, PAGE) != 0)
			printf("\n  segment %zu, page %d: %02x found, %c wanted\n", i, (int)p,
			       (unsigned)job.file[l.offset + p * PAGE], letters[p]);
		CU_ASSERT_EQUAL(memcmp(job.file + l.offset + p * PAGE, page, PAGE), 0);
	}
}

// The nth note of a type: its contents, NULL when there is none.
static const uint8_t *note(uint32_t type, size_t nth, size_t *length)
{
	struct load l = load(0);
	CU_ASSERT_EQUAL_FATAL(l.type, CRIMG_ELF_PT_NOTE);
	for (uint64_t at = l.offset; at < l.offset + l.stored;) {
		uint32_t name = crimg_get_u32(job.file + at);
		uint32_t size = crimg_get_u32(job.file + at + 4);
		uint64_t desc = at + 12 + ((name + 3) & ~3u);
		if (crimg_get_u32(job.file + at + 8) == type && nth-- == 0) {
			*length = size;
			return job.file + desc;
		}
		at = desc + ((size + 3) & ~3u);
	}
	return NULL;
}

static const uint8_t *want_note(uint32_t type, size_t nth, size_t wanted)
{
	size_t length = 0;
	const uint8_t *at = note(type, nth, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_EQUAL_FATAL(length, wanted);
	return at;
}

static uint32_t types[64];

static size_t note_types(void)
{
	struct load l = load(0);
	size_t n = 0;
	for (uint64_t at = l.offset; at < l.offset + l.stored && n < 64;) {
		uint32_t name = crimg_get_u32(job.file + at);
		uint32_t size = crimg_get_u32(job.file + at + 4);
		types[n++] = crimg_get_u32(job.file + at + 8);
		at += 12 + ((name + 3) & ~3u) + ((size + 3) & ~3u);
	}
	return n;
}

// [R-0701] [R-0702] [R-0703] One segment a stretch: bytes or none, holes as zeros.
static void test_segments(void)
{
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x10000, 5, CRIMG_VMA_FILE_PRIVATE, CRIMG_PROT_READ)->shmid = 9;
	area(0x20000, 4, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ | CRIMG_PROT_WRITE);
	area(0x30000, 2, CRIMG_VMA_ANON_PRIVATE | CRIMG_VMA_VVAR, CRIMG_PROT_READ);
	area(0x40000, 2, CRIMG_VMA_FILE_SHARED, CRIMG_PROT_READ | CRIMG_PROT_EXEC)->shmid = 9;
	area(0x50000, 1, CRIMG_VMA_ANON_PRIVATE, 0);
	area(0xffffffffff600000, 1, CRIMG_VMA_VSYSCALL, CRIMG_PROT_EXEC);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x11000, 1, HERE);
	run(0x12000, 1, HERE);
	run(0x14000, 1, HERE);
	run(0x21000, 1, HERE);
	run(0x23000, 1, HERE);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, 5 * PAGE);
	pages(p, 0, "abcd0");
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL_FATAL(load_count(), 9);
	expect_load(1, 0x10000, 1, 0, CRIMG_ELF_PF_R);
	expect_load(2, 0x11000, 2, 2, CRIMG_ELF_PF_R);
	expect_load(3, 0x13000, 1, 0, CRIMG_ELF_PF_R);
	expect_load(4, 0x14000, 1, 1, CRIMG_ELF_PF_R);
	expect_load(5, 0x20000, 4, 4, CRIMG_ELF_PF_R | CRIMG_ELF_PF_W);
	expect_load(6, 0x30000, 2, 0, CRIMG_ELF_PF_R);
	expect_load(7, 0x40000, 2, 0, CRIMG_ELF_PF_R | CRIMG_ELF_PF_X);
	expect_load(8, 0x50000, 1, 1, 0);
	expect_load(9, 0xffffffffff600000, 1, 0, CRIMG_ELF_PF_X);
	expect_pages(2, "ab");
	expect_pages(4, "c");
	expect_pages(5, "0d00");
	expect_pages(8, "0");
	CU_ASSERT_EQUAL(job.length, load(8).offset + PAGE);
	CU_ASSERT_EQUAL(job.ledger.count, 0);
	close_all();
}

// [R-0704] Shared memory goes to every place that maps it, in every process, from any piece.
static void test_shared(void)
{
	struct crimg_source *source;
	uint8_t three[3 * PAGE];
	begin((struct crimg_writer_options){ .members = true });
	give_tree(7, 1);
	give_tree(8, 1);
	give_core(7, true, 1);
	give_core(8, true, 1);
	new_space();
	area(0x10000, 3, CRIMG_VMA_ANON_SHARED, CRIMG_PROT_READ)->shmid = 5;
	VmaEntry *second = area(0x20000, 2, CRIMG_VMA_ANON_SHARED, CRIMG_PROT_READ);
	second->shmid = 5;
	second->pgoff = PAGE;
	give_mm(7);
	new_space();
	area(0x70000, 4, CRIMG_VMA_ANON_SHARED, CRIMG_PROT_READ)->shmid = 5;
	give_mm(8);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	map_head(CRIMG_KIND_PAGEMAP, 8, 2);
	map_head(CRIMG_KIND_PAGEMAP_SHMEM, 5, 3);
	run(0, 3, HERE);
	object(CRIMG_KIND_PAGES, 1, 0);
	object(CRIMG_KIND_PAGES, 2, 0);
	uint64_t p = object(CRIMG_KIND_PAGES, 3, 3 * PAGE);
	memset(three, 'x', PAGE);
	memset(three + PAGE, 'y', PAGE);
	memset(three + 2 * PAGE, 'z', PAGE);
	// A span, then bytes that end within a page, then the rest.
	CU_ASSERT_EQUAL_FATAL(
		crimg_source_open_memory(three, sizeof three, "three", &source, NULL), 0);
	struct crimg_record r = { .type = CRIMG_RECORD_CONTENT, .payload = { p, 3 * PAGE },
		                  .content_length = PAGE, .span = { source, 0, PAGE },
		                  .origin = "" };
	put(&r);
	bytes(p, PAGE, three + PAGE, 100);
	source->forward_only = true;
	r.content_offset = PAGE + 100;
	r.content_length = r.span.length = 2 * PAGE - 100;
	r.span.offset = PAGE + 100;
	put(&r);
	finish();
	crimg_source_close(source);
	read_core("cores/core.7");
	CU_ASSERT_EQUAL_FATAL(load_count(), 2);
	expect_pages(1, "xyz");
	expect_pages(2, "yz");
	read_core("cores/core.8");
	CU_ASSERT_EQUAL_FATAL(load_count(), 1);
	expect_pages(1, "xyz0");
	close_all();
}

// Segments of old images: their contents stand behind the message.
static void test_old_sysv(void)
{
	IpcDescEntry desc = IPC_DESC_ENTRY__INIT;
	IpcShmEntry shm = IPC_SHM_ENTRY__INIT;
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x10000, 3, CRIMG_VMA_SYSV, CRIMG_PROT_READ)->shmid = 11;
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	object(CRIMG_KIND_IPCNS_SHM, 1, 0);
	desc.id = 11;
	desc.key = 0xabc;
	shm.desc = &desc;
	shm.size = 2 * PAGE;
	uint64_t p = entry(&shm, 2 * PAGE);
	object(CRIMG_KIND_PAGES, 1, 0);
	pages(p, 0, "st");
	finish();
	read_core("x.core");
	expect_pages(1, "st0");
	size_t length = 0;
	const uint8_t *files = note(CRIMG_NT_FILE, 0, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(files);
	CU_ASSERT_STRING_EQUAL((const char *)files + 40, "/SYSV00000abc (deleted)");
	close_all();
}

// [R-0707] A deleted file that the image keeps: its bytes up to its end, zeros between its chunks.
static void test_ghost(void)
{
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;
	GhostFileEntry head = GHOST_FILE_ENTRY__INIT;
	GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	VmaEntry *v = area(0x10000, 6, CRIMG_VMA_FILE_PRIVATE, CRIMG_PROT_READ);
	v->shmid = 9;
	v->pgoff = PAGE;
	give_task(7);
	reg.id = 9;
	reg.fown = &fown;
	reg.name = (char[]){ "/gone" };
	message(CRIMG_KIND_REG_FILES, 0, &reg);
	remap.orig_id = 9;
	remap.remap_id = 3;
	remap.has_remap_type = true;
	remap.remap_type = REMAP_TYPE__GHOST;
	message(CRIMG_KIND_REMAP_FPATH, 0, &remap);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x11000, 1, HERE);
	object(CRIMG_KIND_GHOST_FILE, 3, 0);
	head.has_chunks = head.chunks = head.has_size = true;
	head.size = 4 * PAGE + 10;
	entry(&head, 0);
	chunk.len = 2 * PAGE;
	chunk.off = 0;
	uint64_t first = entry(&chunk, chunk.len);
	chunk.len = 10;
	chunk.off = 4 * PAGE;
	uint64_t last = entry(&chunk, chunk.len);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, PAGE);
	pages(first, 0, "AB");
	bytes(last, 0, "0123456789", 10);
	pages(p, 0, "p");
	finish();
	read_core("x.core");
	// Pages 1 to 6 of the file are mapped: 2 is the task's own, 3 a hole, 4 the last.
	CU_ASSERT_EQUAL_FATAL(load_count(), 2);
	expect_load(1, 0x10000, 4, 4, CRIMG_ELF_PF_R);
	expect_load(2, 0x14000, 2, 0, CRIMG_ELF_PF_R);
	const uint8_t *at = job.file + load(1).offset;
	CU_ASSERT_EQUAL(at[0], 'B');
	CU_ASSERT_EQUAL(at[PAGE], 'p');
	CU_ASSERT(crimg_all_zero(at + 2 * PAGE, PAGE));
	CU_ASSERT_EQUAL(memcmp(at + 3 * PAGE, "0123456789\0", 11), 0);
	size_t length = 0;
	const uint8_t *files = note(CRIMG_NT_FILE, 0, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(files);
	CU_ASSERT_STRING_EQUAL((const char *)files + 40, "/gone (deleted)");
	close_all();
}

// [R-0708] What the image has lost is left out and named, not written as zeros.
static void test_lost(void)
{
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 6, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_tree(7, 2);
	give_core(7, true, 1);
	give_mm(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x21000, 2, LAZY);
	run(0x23000, 2, HERE | LAZY);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, PAGE + 100); // cut short
	pages(p, 0, "k");
	bytes(p, PAGE, "rest of a page", 14);
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL_FATAL(load_count(), 5);
	expect_load(1, 0x20000, 1, 1, CRIMG_ELF_PF_R);
	expect_load(2, 0x21000, 2, 0, CRIMG_ELF_PF_R);
	expect_load(3, 0x23000, 1, 1, CRIMG_ELF_PF_R);
	expect_load(4, 0x24000, 1, 0, CRIMG_ELF_PF_R);
	expect_load(5, 0x25000, 1, 1, CRIMG_ELF_PF_R);
	expect_pages(3, "k");
	CU_ASSERT_EQUAL(job.ledger.count, 2);
	char *text = strndup((char *)job.ledger.text.data, job.ledger.text.length);
	CU_ASSERT_STRING_EQUAL(text,
	                       "core-8.img: the thread's registers are not in the image\n"
	                       "pagemap-7.img: 3 pages left out, the first at 0x21000: their "
	                       "contents are not in the image\n");
	free(text);
	// The thread is there, without registers.
	CU_ASSERT_EQUAL(crimg_get_u32(want_note(CRIMG_NT_PRSTATUS, 1, 336) + 32), 8);
	CU_ASSERT_EQUAL(crimg_get_u32(want_note(CRIMG_NT_PRSTATUS, 1, 336) + 328), 0);
	close_all();
}

// A task whose page map is missing altogether.
static void test_no_map(void)
{
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 6, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_task(7);
	finish();
	read_core("x.core");
	expect_load(1, 0x20000, 6, 0, CRIMG_ELF_PF_R);
	CU_ASSERT_EQUAL(job.ledger.count, 1);
	close_all();
}

// [R-0712] The arguments come from memory, across runs, blanks between them, 79 bytes at most.
static void test_arguments(void)
{
	uint8_t page[PAGE];
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 2, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	mm.mm_arg_start = 0x21000 - 10;
	mm.mm_arg_end = 0x21000 + 200;
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x20000, 1, HERE);
	run(0x21000, 1, HERE);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, 2 * PAGE);
	memset(page, 'a', sizeof page);
	memcpy(page + PAGE - 10, "prog\0-x\0yz", 10);
	bytes(p, 0, page, PAGE);
	memset(page, 'b', sizeof page);
	bytes(p, PAGE, page, PAGE);
	finish();
	read_core("x.core");
	const uint8_t *info = want_note(CRIMG_NT_PRPSINFO, 0, 136);
	char wanted[81] = "prog -x yz";
	memset(wanted + 10, 'b', 69);
	CU_ASSERT_EQUAL(memcmp(info + 56, wanted, 80), 0);
	CU_ASSERT_STRING_EQUAL((const char *)info + 40, "program");
	CU_ASSERT_EQUAL(crimg_get_u32(info + 16), 70000);
	CU_ASSERT_EQUAL(info[3], 5); // nice
	close_all();
	// Not in the image: the name of the program.
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 2, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	mm.mm_arg_start = 0x20000;
	mm.mm_arg_end = 0x20010;
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	finish();
	read_core("x.core");
	CU_ASSERT_STRING_EQUAL((const char *)want_note(CRIMG_NT_PRPSINFO, 0, 136) + 56, "program");
	close_all();
}

// [R-0705] The kernel's order: the notes of the process behind the first thread's PRSTATUS.
static void test_note_order(void)
{
	static const uint32_t wanted[] = {
		CRIMG_NT_PRSTATUS, CRIMG_NT_PRPSINFO, CRIMG_NT_SIGINFO, CRIMG_NT_AUXV,
		CRIMG_NT_FILE,
		CRIMG_NT_FPREGSET, CRIMG_NT_X86_XSTATE,
		CRIMG_NT_PRSTATUS, CRIMG_NT_FPREGSET, CRIMG_NT_X86_XSTATE,
	};
	uint64_t auxv[] = { 6, 4096, 9, 0x1234, 11 };
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 1, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	mm.mm_saved_auxv = auxv;
	mm.n_mm_saved_auxv = 5;
	give_tree(7, 2);
	give_core(7, true, 1);
	give_core(8, false, 1);
	give_mm(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL_FATAL(note_types(), sizeof wanted / sizeof wanted[0]);
	CU_ASSERT_EQUAL(memcmp(types, wanted, sizeof wanted), 0);
	// [R-0711] Numbers, masks and registers of each thread.
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *s = want_note(CRIMG_NT_PRSTATUS, i, 336);
		CU_ASSERT_EQUAL(crimg_get_u16(s + 12), 0);
		CU_ASSERT_EQUAL(crimg_get_u64(s + 24), i == 0 ? 0x30 : 0x40);
		CU_ASSERT_EQUAL(crimg_get_u32(s + 32), 7 + i);
		CU_ASSERT_EQUAL(crimg_get_u32(s + 36), 1);
		CU_ASSERT_EQUAL(crimg_get_u32(s + 40), 2);
		CU_ASSERT_EQUAL(crimg_get_u32(s + 44), 3);
		CU_ASSERT_EQUAL(crimg_get_u64(s + 112 + 16 * 8), 0x1007 + i);
		CU_ASSERT_EQUAL(crimg_get_u32(s + 328), 1);
		CU_ASSERT_PTR_NOT_NULL(want_note(CRIMG_NT_FPREGSET, i, 512));
		CU_ASSERT_PTR_NOT_NULL(want_note(CRIMG_NT_X86_XSTATE, i, 832));
	}
	// [R-0714] The vector is ended; a number without its value is none.
	const uint8_t *a = want_note(CRIMG_NT_AUXV, 0, 48);
	CU_ASSERT_EQUAL(crimg_get_u64(a + 24), 0x1234);
	CU_ASSERT(crimg_all_zero(a + 32, 16));
	close_all();
}

static void keep(uint32_t tid, const char *owner, uint32_t type, const void *data, size_t length)
{
	ElfNoteEntry e = ELF_NOTE_ENTRY__INIT;
	uint8_t *copy = malloc(length + 1);
	char *name = strdup(owner);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, data, length);
	e.has_tid = tid != 0;
	e.tid = tid;
	e.name = name;
	e.type = type;
	e.desc = (ProtobufCBinaryData){ length, copy };
	entry(&e, 0);
	free(copy);
	free(name);
}

// [R-0709] Notes that the image kept: known fields are set anew, everything else stays.
static void test_kept_notes(void)
{
	static const uint32_t wanted[] = {
		CRIMG_NT_PRPSINFO, CRIMG_NT_PRSTATUS, 0x777, CRIMG_NT_FPREGSET,
		CRIMG_NT_X86_XSTATE, CRIMG_NT_PRSTATUS, CRIMG_NT_SIGINFO, CRIMG_NT_PRSTATUS,
		CRIMG_NT_FPREGSET, CRIMG_NT_X86_XSTATE,
	};
	uint8_t old[11008];
	memset(old, 0xee, sizeof old);
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 1, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	mm.mm_arg_start = 0x20000;
	mm.mm_arg_end = 0x20010;
	give_tree(7, 3);
	ymm[0] = 0x59595959;
	give_core(7, true, 1);
	ymm[0] = 0;
	give_core(8, false, 1);
	give_core(9, false, 1);
	give_mm(7);
	object(CRIMG_KIND_ELF_NOTES, 7, 0);
	keep(0, "CORE", CRIMG_NT_PRPSINFO, old, 136);
	keep(8, "CORE", CRIMG_NT_PRSTATUS, old, 336);
	keep(8, "ODD", 0x777, "verbatim", 8);
	keep(66, "CORE", CRIMG_NT_PRSTATUS, old, 336); // of no thread that is left
	// What the record says, in another's layout: stays bit for bit.
	crimg_x86_fxsave(&fpregs, old);
	memset(old + 480, 0xdd, 32);
	keep(8, "CORE", CRIMG_NT_FPREGSET, old, 512);
	// A longer area: what the message knows is replaced, TILEDATA stays.
	memset(old, 0, sizeof old);
	memset(old + 2816, 0x11, 8192);
	memset(old + 576, 0x22, 256);
	crimg_put_u64(old + 464, 0x602e7);
	crimg_put_u64(old + 512, 0x40207);
	keep(7, "LINUX", CRIMG_NT_X86_XSTATE, old, 11008);
	memset(old, 0xee, sizeof old);
	keep(7, "CORE", CRIMG_NT_PRSTATUS, old, 336);
	keep(0, "CORE", CRIMG_NT_SIGINFO, old, 128);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x20000, 1, HERE);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, PAGE);
	pages(p, 0, "m");
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL_FATAL(note_types(), sizeof wanted / sizeof wanted[0]);
	CU_ASSERT_EQUAL(memcmp(types, wanted, sizeof wanted), 0);
	const uint8_t *info = want_note(CRIMG_NT_PRPSINFO, 0, 136);
	CU_ASSERT_EQUAL(memcmp(info + 56, old, 80), 0);   // arguments
	CU_ASSERT_EQUAL(crimg_get_u64(info + 8), UINT64_C(0xeeeeeeeeeeeeeeee)); // flags
	CU_ASSERT_EQUAL(info[1], 0xee);                   // alive, as the record says
	CU_ASSERT_EQUAL(info[3], 5);
	CU_ASSERT_EQUAL(crimg_get_u32(info + 24), 7);
	CU_ASSERT_STRING_EQUAL((const char *)info + 40, "program");
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *s = want_note(CRIMG_NT_PRSTATUS, i, 336);
		CU_ASSERT_EQUAL(crimg_get_u32(s + 32), i == 0 ? 8 : 7);
		CU_ASSERT_EQUAL(crimg_get_u64(s + 112 + 16 * 8), i == 0 ? 0x1008 : 0x1007);
		CU_ASSERT_EQUAL(crimg_get_u64(s + 24), i == 0 ? 0x40 : 0x30);
		CU_ASSERT_EQUAL(memcmp(s + 48, old, 64), 0);   // times
		CU_ASSERT_EQUAL(crimg_get_u16(s + 12), 0xeeee); // the signal it had
		CU_ASSERT_EQUAL(crimg_get_u64(s + 16), UINT64_C(0xeeeeeeeeeeeeeeee));
	}
	CU_ASSERT_EQUAL(want_note(CRIMG_NT_FPREGSET, 0, 512)[480], 0xdd);
	CU_ASSERT_EQUAL(memcmp(want_note(0x777, 0, 8), "verbatim", 8), 0);
	const uint8_t *x = want_note(CRIMG_NT_X86_XSTATE, 0, 11008);
	CU_ASSERT_EQUAL(crimg_get_u32(x + 576), 0x59595959);
	CU_ASSERT_EQUAL(x[580], 0);
	CU_ASSERT_EQUAL(x[2816], 0x11);
	CU_ASSERT_EQUAL(crimg_get_u64(x + 464), 0x602e7);
	CU_ASSERT_EQUAL(crimg_get_u64(x + 512), 0x40207);
	CU_ASSERT_EQUAL(memcmp(want_note(CRIMG_NT_SIGINFO, 0, 128), old, 128), 0);
	CU_ASSERT_EQUAL(crimg_get_u32(want_note(CRIMG_NT_PRSTATUS, 2, 336) + 32), 9);
	close_all();
}

// [R-0710] A 32-bit process: class, layouts, notes of its own.
static void test_compat(void)
{
	static const uint32_t wanted[] = {
		CRIMG_NT_PRSTATUS, CRIMG_NT_PRPSINFO, CRIMG_NT_SIGINFO, CRIMG_NT_AUXV,
		CRIMG_NT_FILE,
		CRIMG_NT_FPREGSET, CRIMG_NT_PRXFPREG, CRIMG_NT_X86_XSTATE,
	};
	uint64_t auxv[] = { UINT64_C(4096) << 32 | 6, UINT64_C(5) << 32, 77 };
	begin((struct crimg_writer_options){ .compress = NULL });
	regs.has_mode = true;
	regs.mode = USER_X86_REGS_MODE__COMPAT;
	new_space();
	area(0x20000, 2, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	mm.mm_saved_auxv = auxv;
	mm.n_mm_saved_auxv = 3;
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x21000, 1, HERE);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, PAGE);
	pages(p, 0, "c");
	finish();
	read_core("x.core");
	CU_ASSERT(!wide());
	CU_ASSERT_EQUAL(crimg_get_u16(job.file + 18), CRIMG_ELF_MACHINE_386);
	expect_pages(1, "0c");
	CU_ASSERT_EQUAL_FATAL(note_types(), sizeof wanted / sizeof wanted[0]);
	CU_ASSERT_EQUAL(memcmp(types, wanted, sizeof wanted), 0);
	CU_ASSERT_EQUAL(crimg_get_u32(want_note(CRIMG_NT_PRSTATUS, 0, 144) + 24), 7);
	CU_ASSERT_EQUAL(crimg_get_u32(want_note(CRIMG_NT_PRSTATUS, 0, 144) + 72 + 12 * 4), 0x1007);
	CU_ASSERT_EQUAL(crimg_get_u16(want_note(CRIMG_NT_PRPSINFO, 0, 124) + 8), 65534);
	CU_ASSERT_EQUAL(crimg_get_u16(want_note(CRIMG_NT_PRPSINFO, 0, 124) + 10), 100);
	CU_ASSERT(crimg_all_zero(want_note(CRIMG_NT_AUXV, 0, 16) + 8, 8));
	CU_ASSERT_PTR_NOT_NULL(want_note(CRIMG_NT_FPREGSET, 0, 108));
	CU_ASSERT_PTR_NOT_NULL(want_note(CRIMG_NT_PRXFPREG, 0, 512));
	close_all();

	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0xfffff000, 2, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	refused(CRIMG_E_FORMAT,
	        "process 7: memory up to 0x100001000 found, at most 4 GiB of a 32-bit process wanted");

	// Untouched memory that no 32-bit offset reaches is left out, and named.
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x1000, 0xffffd, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	area(0xffffe000, 1, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	finish();
	read_core("x.core");
	expect_load(1, 0x1000, 0xffffd, 0, CRIMG_ELF_PF_R);
	expect_load(2, 0xffffe000, 1, 1, CRIMG_ELF_PF_R);
	CU_ASSERT_EQUAL(job.ledger.count, 1);
	close_all();
	regs.has_mode = false;
}

// Signals that wait, and a task that was stopped.
static void test_signals(void)
{
	uint8_t info[128] = { 10 }, shared[128] = { 44 };
	SiginfoEntry a = SIGINFO_ENTRY__INIT;
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 1, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_tree(7, 2);
	give_core(7, true, 3);
	give_core(8, false, 3);
	give_mm(7);
	a.siginfo = (ProtobufCBinaryData){ sizeof info, info };
	message(CRIMG_KIND_SIGNAL_PRIVATE, 7, &a);
	a.siginfo = (ProtobufCBinaryData){ sizeof shared, shared };
	message(CRIMG_KIND_SIGNAL_SHARED, 7, &a);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	finish();
	read_core("x.core");
	const uint8_t *first = want_note(CRIMG_NT_PRSTATUS, 0, 336);
	CU_ASSERT_EQUAL(crimg_get_u64(first + 16), UINT64_C(1) << 9 | UINT64_C(1) << 43);
	CU_ASSERT_EQUAL(crimg_get_u16(first + 12), 19);
	CU_ASSERT_EQUAL(crimg_get_u64(want_note(CRIMG_NT_PRSTATUS, 1, 336) + 16), 0);
	CU_ASSERT_EQUAL(want_note(CRIMG_NT_PRPSINFO, 0, 136)[1], 'T');
	CU_ASSERT_EQUAL(crimg_get_u32(want_note(CRIMG_NT_SIGINFO, 0, 128)), 19);
	close_all();
}

// [R-0713] Names as the kernel shows them, of all that is mapped from a file or shared.
static void test_names(void)
{
	static const char *const wanted[] = {
		"/dev/zero (deleted)", "/memfd:box (deleted)", "/lib/x",
	};
	MemfdInodeEntry inode = MEMFD_INODE_ENTRY__INIT;
	MemfdFileEntry memfd = MEMFD_FILE_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x10000, 1, CRIMG_VMA_ANON_SHARED, CRIMG_PROT_READ)->shmid = 5;
	area(0x20000, 1, CRIMG_VMA_MEMFD | CRIMG_VMA_FILE_SHARED, CRIMG_PROT_READ)->shmid = 6;
	VmaEntry *v = area(0x30000, 1, CRIMG_VMA_FILE_PRIVATE, CRIMG_PROT_READ);
	v->shmid = 9;
	v->pgoff = 3 * PAGE;
	area(0x40000, 1, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_task(7);
	object(CRIMG_KIND_FILES, 0, 0);
	file.type = FD_TYPES__MEMFD;
	file.id = memfd.id = 6;
	memfd.fown = &fown;
	memfd.inode_id = 2;
	file.memfd = &memfd;
	entry(&file, 0);
	file.type = FD_TYPES__REG;
	file.memfd = NULL;
	file.id = reg.id = 9;
	reg.fown = &fown;
	reg.name = (char[]){ "/lib/x" };
	file.reg = &reg;
	entry(&file, 0);
	inode.name = (char[]){ "box" };
	inode.inode_id = 2;
	inode.shmid = 77;
	message(CRIMG_KIND_MEMFD_INODE, 0, &inode);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	map_head(CRIMG_KIND_PAGEMAP_SHMEM, 77, 2);
	run(0, 1, HERE);
	object(CRIMG_KIND_PAGES, 1, 0);
	uint64_t p = object(CRIMG_KIND_PAGES, 2, PAGE);
	pages(p, 0, "f");
	finish();
	read_core("x.core");
	expect_pages(2, "f");
	expect_load(3, 0x30000, 1, 0, CRIMG_ELF_PF_R);
	size_t length = 0;
	const uint8_t *files = note(CRIMG_NT_FILE, 0, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(files);
	CU_ASSERT_EQUAL_FATAL(crimg_get_u64(files), 3);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 8), PAGE);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 16 + 48), 0x30000);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 16 + 56), 0x31000);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 16 + 64), 3);
	const char *name = (const char *)files + 16 + 72;
	for (size_t i = 0; i < 3; i++, name += strlen(name) + 1)
		CU_ASSERT_STRING_EQUAL(name, wanted[i]);
	CU_ASSERT_PTR_EQUAL(name, (const char *)files + length);
	close_all();
}

// Areas that overlap: the later one wins, and behind it the first goes on, as for every other reader of
// the image.
static void test_overlap(void)
{
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 8, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	area(0x22000, 2, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_WRITE);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x21000, 4, HERE);
	uint64_t p = object(CRIMG_KIND_PAGES, 1, 4 * PAGE);
	pages(p, 0, "abcd");
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL_FATAL(load_count(), 3);
	expect_load(1, 0x20000, 2, 2, CRIMG_ELF_PF_R);
	expect_load(2, 0x22000, 2, 2, CRIMG_ELF_PF_W);
	expect_load(3, 0x24000, 4, 4, CRIMG_ELF_PF_R);
	expect_pages(1, "0a");
	expect_pages(2, "bc");
	expect_pages(3, "d000");
	CU_ASSERT_EQUAL(job.ledger.count, 0);
	close_all();
}

// Behind a guard region shared memory goes on at its own offset, in the pages and in NT_FILE.
static void test_guard(void)
{
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 4, CRIMG_VMA_ANON_SHARED, CRIMG_PROT_READ)->shmid = 5;
	area(0x21000, 1, CRIMG_VMA_GUARD, CRIMG_PROT_READ);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	map_head(CRIMG_KIND_PAGEMAP_SHMEM, 5, 2);
	run(0, 4, HERE);
	object(CRIMG_KIND_PAGES, 1, 0);
	uint64_t p = object(CRIMG_KIND_PAGES, 2, 4 * PAGE);
	pages(p, 0, "wxyz");
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL_FATAL(load_count(), 3);
	expect_pages(1, "w");
	expect_load(2, 0x21000, 1, 0, CRIMG_ELF_PF_R);
	expect_pages(3, "yz");
	size_t length = 0;
	const uint8_t *files = note(CRIMG_NT_FILE, 0, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(files);
	CU_ASSERT_EQUAL_FATAL(crimg_get_u64(files), 2);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 16 + 16), 0);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 16 + 24), 0x22000);
	CU_ASSERT_EQUAL(crimg_get_u64(files + 16 + 40), 2);
	close_all();
}

static uint64_t simple(uint64_t start, uint32_t flags, uint64_t length)
{
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(start, 4, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x20000, 2, flags);
	return object(CRIMG_KIND_PAGES, 1, length);
}

static void test_refused(void)
{
	uint64_t p = simple(0x20800, HERE, 2 * PAGE);
	refused(CRIMG_E_FORMAT,
	        "process 7: memory at 0x20800 found, the beginning of a page wanted");
	simple(0x20000, PARENT, 0);
	refused(CRIMG_E_UNSUPPORTED,
	        "2 pages are in the parent image, which cannot be reached through a pipe: name the "
	        "image itself");
	p = simple(0x20000, HERE, 2 * PAGE);
	bytes(p, 0, "x", 1);
	bytes(p, 2, "x", 1);
	refused(CRIMG_E_FORMAT, "contents of payload 0 at 2 found, at 1 wanted");
	p = simple(0x20000, HERE, 2 * PAGE);
	pages(p, 0, "a");
	refused(CRIMG_E_FORMAT, "the image ends before all of payload 0 has come");
	p = simple(0x20000, HERE, 2 * PAGE);
	pages(p, 0, "a");
	pages(p + 1, 0, "a");
	refused(CRIMG_E_FORMAT, "the image ends before all of payload 0 has come");
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	area(0x20000, 4, CRIMG_VMA_ANON_PRIVATE, CRIMG_PROT_READ);
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	run(0x21000, 1, HERE);
	run(0x20000, 1, HERE);
	refused(CRIMG_E_FORMAT, "the entries are not in the order of their addresses");
	begin((struct crimg_writer_options){ .has_pid = true, .pid = 8 });
	new_space();
	give_task(7);
	refused(CRIMG_E_NOTFOUND, "no process 8 is in the image (7 are)");
	begin((struct crimg_writer_options){ .compress = NULL });
	refused(CRIMG_E_UNSUPPORTED,
	        "no process with memory is in the image: nothing to make a core of");
}

// Where the kernel's count of segments ends, another begins.
static void count_segments(uint32_t segments, uint32_t in_header)
{
	VmaEntry **list = calloc(segments, sizeof *list);
	VmaEntry *all = calloc(segments, sizeof *all);
	CU_ASSERT_FATAL(list != NULL && all != NULL);
	begin((struct crimg_writer_options){ .compress = NULL });
	new_space();
	mm.vmas = list;
	for (uint32_t i = 0; i < segments; i++) {
		vma_entry__init(&all[i]);
		all[i].start = (UINT64_C(1) << 20) + i * 2 * PAGE;
		all[i].end = all[i].start + PAGE;
		all[i].status = CRIMG_VMA_VVAR;
		list[i] = &all[i];
	}
	mm.n_vmas = segments;
	give_task(7);
	map_head(CRIMG_KIND_PAGEMAP, 7, 1);
	finish();
	read_core("x.core");
	CU_ASSERT_EQUAL(crimg_get_u16(job.file + 56), in_header);
	uint64_t section = crimg_get_u64(job.file + 40);
	CU_ASSERT_EQUAL(section != 0, in_header == CRIMG_ELF_PN_XNUM);
	CU_ASSERT_EQUAL(crimg_get_u16(job.file + 60), section != 0);
	if (section != 0)
		CU_ASSERT_EQUAL(crimg_get_u32(job.file + section + 44), segments + 1);
	CU_ASSERT_EQUAL(load(segments).start, all[segments - 1].start);
	close_all();
	free(list);
	free(all);
}

// [R-0706] 65535 means: look into section 0.
static void test_many_segments(void)
{
	count_segments(65533, 65534);
	count_segments(65534, CRIMG_ELF_PN_XNUM);
	count_segments(65535, CRIMG_ELF_PN_XNUM);
}

static int up(void)
{
	return mkdtemp(work) != NULL ? 0 : -1;
}

static int down(void)
{
	return rmdir(work);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "segments", test_segments },
		{ "shared memory", test_shared },
		{ "guard regions", test_guard },
		{ "old System V segments", test_old_sysv },
		{ "deleted files", test_ghost },
		{ "lost pages", test_lost },
		{ "no page map", test_no_map },
		{ "arguments", test_arguments },
		{ "order of notes", test_note_order },
		{ "kept notes", test_kept_notes },
		{ "32-bit process", test_compat },
		{ "signals", test_signals },
		{ "names", test_names },
		{ "overlapping areas", test_overlap },
		{ "refused", test_refused },
		{ "many segments", test_many_segments },
	};
	return SUITE_RUN("ELF core writer", up, down, tests);
}
