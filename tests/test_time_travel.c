// What a restored process meets: the registers of an interrupted system call, and the page that stands in
// for the vDSO of a kernel that is gone. Ids in brackets are those of SPEC.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "format/checked.h"
#include "format/filter.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"
#include "format/space.h"
#include "readers/readers.h"
#include "tests/suite.h"

enum { TYPE_RESTART = 105, TYPE_CPU = 107, TYPE_SIGHAND = 601, TYPE_MASK = 603, TYPE_PENDING = 604 };
enum { WORD_BX = 5, WORD_AX = 10, WORD_DX = 12, WORD_DI = 14, WORD_ORIG_AX = 15, WORD_IP = 16 };

static uint8_t *stream;
static size_t length;

static void load(const char *name)
{
	const char *samples = getenv("CRIMG_SAMPLES");
	char path[512];
	snprintf(path, sizeof path, "%s/linux-cr/%s.ckpt", samples != NULL ? samples : "samples", name);
	FILE *f = fopen(path, "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	free(stream);
	stream = malloc(1 << 20);
	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	length = fread(stream, 1, 1 << 20, f);
	fclose(f);
}

// The payload of the n-th record of this type.
static uint8_t *record(uint32_t type, unsigned n)
{
	for (size_t at = 0; at + 8 <= length; at += crimg_get_u32(stream + at + 4))
		if (crimg_get_u32(stream + at) == type && n-- == 0)
			return stream + at + 8;
	CU_FAIL_FATAL("no such record");
	return NULL;
}

static void open_stream(struct crimg_reader *reader)
{
	struct crimg_input in = { .path = strdup("x.ckpt") };
	CU_ASSERT_FATAL(crimg_source_open_memory(stream, length, "x.ckpt", &in.source, NULL) == 0);
	in.head_length = length < sizeof in.head ? length : sizeof in.head;
	memcpy(in.head, stream, in.head_length);
	CU_ASSERT_FATAL(crimg_reader_open(&in, "linux-cr", reader, NULL) == 0);
	crimg_input_fini(&in);
}

static UserX86RegsEntry registers(void)
{
	struct crimg_reader reader;
	struct crimg_record r;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	UserX86RegsEntry out = USER_X86_REGS_ENTRY__INIT;
	open_stream(&reader);
	while (crimg_reader_next(&reader, &r, NULL) > 0)
		if (r.type == CRIMG_RECORD_MESSAGE && r.object->kind == CRIMG_KIND_CORE) {
			const void *m = crimg_message_decode(&core_entry__descriptor, r.data, r.length,
			                                     &arena, "", 0, NULL);
			const CoreEntry *e = m;
			CU_ASSERT_PTR_NOT_NULL_FATAL(e);
			out = *e->thread_info->gpregs;
		}
	crimg_reader_close(&reader);
	crimg_arena_fini(&arena);
	return out;
}

static void set_word(unsigned word, uint64_t value)
{
	crimg_put_u64(record(TYPE_CPU, 0) + 8 * word, value);
}

static uint64_t word(unsigned which)
{
	return crimg_get_u64(record(TYPE_CPU, 0) + 8 * which);
}

// The sleeper, as if another call had been interrupted in this way; the signals it has wait blocked.
static void interrupt(int64_t number, int64_t result, uint64_t block)
{
	load("r5-sleep");
	set_word(WORD_ORIG_AX, (uint64_t)number);
	set_word(WORD_AX, (uint64_t)result);
	crimg_put_u64(record(TYPE_RESTART, 0), block);
}

static void set_arg(unsigned arg, uint64_t value)
{
	crimg_put_u64(record(TYPE_RESTART, 0) + 8 + 8 * arg, value);
}

#define EINTR_RESULT ((uint64_t)-4)

static void check(bool repeats, const char *what)
{
	UserX86RegsEntry r = registers();
	uint64_t number = word(WORD_ORIG_AX), ip = word(WORD_IP);
	if ((r.ax == number && r.ip == ip - 2) != repeats
	    || (r.ax == EINTR_RESULT && r.ip == ip) != !repeats) {
		printf("%s: ax %lld, ip %llx\n", what, (long long)r.ax, (unsigned long long)r.ip);
		CU_FAIL("registers of a restart");
	}
}

// [R-0815]
static void test_plain(void)
{
	interrupt(0, -512, CRIMG_LCR_RESTART_NONE);
	check(true, "ERESTARTSYS");
	interrupt(0, -513, CRIMG_LCR_RESTART_NONE);
	check(true, "ERESTARTNOINTR");
	interrupt(34, -514, CRIMG_LCR_RESTART_NONE);
	check(true, "ERESTARTNOHAND");
	interrupt(0, -516, CRIMG_LCR_RESTART_NONE);
	check(false, "a block of nothing");
	// Results, and values in user mode, are left alone.
	interrupt(0, -11, CRIMG_LCR_RESTART_NONE);
	CU_ASSERT(registers().ax == (uint64_t)-11 && registers().ip == word(WORD_IP));
	interrupt(0, -515, CRIMG_LCR_RESTART_NONE);
	CU_ASSERT(registers().ax == (uint64_t)-515);
	interrupt(-1, -512, CRIMG_LCR_RESTART_NONE);
	CU_ASSERT(registers().ax == (uint64_t)-512 && registers().ip == word(WORD_IP));
}

// SIGUSR1 (10) has a handler, without SA_RESTART; 38 has one with it. The first queue is the shared one.
static void let_wait(unsigned queue, unsigned number)
{
	uint8_t *set = record(TYPE_PENDING, queue) + CRIMG_LCR_SIGPENDING_SET;
	crimg_put_u64(set, crimg_get_u64(set) | UINT64_C(1) << (number - 1));
}

static void test_handlers(void)
{
	for (unsigned queue = 0; queue < 2; queue++) {
		interrupt(0, -512, CRIMG_LCR_RESTART_NONE);
		let_wait(queue, 10);
		check(false, "ERESTARTSYS, a handler without SA_RESTART");
		interrupt(0, -512, CRIMG_LCR_RESTART_NONE);
		let_wait(queue, 38);
		check(true, "ERESTARTSYS, a handler with SA_RESTART");
		interrupt(0, -513, CRIMG_LCR_RESTART_NONE);
		let_wait(queue, 10);
		check(true, "ERESTARTNOINTR, a handler");
		interrupt(34, -514, CRIMG_LCR_RESTART_NONE);
		let_wait(queue, 38);
		check(false, "ERESTARTNOHAND, a handler");
		interrupt(35, -516, CRIMG_LCR_RESTART_NANOSLEEP);
		let_wait(queue, 38);
		check(false, "a block, a handler");
	}
	interrupt(34, -514, CRIMG_LCR_RESTART_NONE);
	let_wait(1, 13); // ignored
	check(true, "a signal that is ignored");
	interrupt(34, -514, CRIMG_LCR_RESTART_NONE);
	let_wait(1, 10);
	crimg_put_u64(record(TYPE_MASK, 0), UINT64_MAX);
	check(true, "a signal that is blocked");
	// The task's own comes first: its flags count.
	interrupt(0, -512, CRIMG_LCR_RESTART_NONE);
	let_wait(0, 10);
	let_wait(1, 38);
	check(true, "two handlers");
}

static void test_blocks(void)
{
	interrupt(35, -516, CRIMG_LCR_RESTART_NANOSLEEP);
	set_arg(1, 0x7000);
	check(true, "nanosleep");
	CU_ASSERT(registers().di == 0x7000);
	set_arg(1, 0);
	check(true, "nanosleep without a rest");
	CU_ASSERT(registers().di == word(WORD_DI));
	interrupt(230, -516, CRIMG_LCR_RESTART_CPU_NANOSLEEP);
	set_arg(1, 0x7000);
	check(true, "clock_nanosleep");
	CU_ASSERT(registers().dx == 0x7000 && registers().di == word(WORD_DI));
	interrupt(7, -516, CRIMG_LCR_RESTART_POLL);
	set_arg(2, 1);
	set_arg(4, 2500000);
	check(true, "poll");
	CU_ASSERT(registers().dx == 3);
	set_arg(4, UINT64_MAX);
	CU_ASSERT(registers().dx == INT32_MAX);
	set_arg(2, 0);
	CU_ASSERT(registers().dx == word(WORD_DX));
	interrupt(202, -516, CRIMG_LCR_RESTART_FUTEX);
	check(true, "futex");
	interrupt(219, -516, CRIMG_LCR_RESTART_NANOSLEEP);
	check(false, "restart_syscall: which call is not known");
	// 32 bits: other numbers, other registers, results as wide as they.
	interrupt(162, (int64_t)(uint32_t)-516, CRIMG_LCR_RESTART_COMPAT_NANOSLEEP);
	crimg_put_u16(record(TYPE_CPU, 0) + CRIMG_LCR_CPU_CS, CRIMG_LCR_SEG_USER32_CS);
	set_arg(1, 0x7000);
	check(true, "nanosleep, 32 bits");
	CU_ASSERT(registers().bx == 0x7000 && registers().di == word(WORD_DI));
}

// What the filter gives for a stream: the areas and pages that stand in.
struct seen {
	uint8_t page[CRIMG_PAGE_BYTES];
	uint64_t bytes;
	unsigned areas, maps, pages;
	enum crimg_kind last;
	bool ordered;
};

static struct seen filtered(void)
{
	struct seen out = { .ordered = true };
	struct crimg_reader reader;
	struct crimg_record r;
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	uint64_t payloads = 0, last = CRIMG_NO_PAYLOAD;
	open_stream(&reader);
	CU_ASSERT_FATAL(crimg_filter_vdso(&reader, &ledger, NULL) == 0);
	while (crimg_reader_next(&reader, &r, NULL) > 0) {
		if (r.type == CRIMG_RECORD_OBJECT) {
			out.ordered = out.ordered && r.object->kind >= out.last;
			out.last = r.object->kind;
			out.maps += r.object->id == UINT64_C(1) << 32 || r.object->id == (UINT64_C(1) << 32) + 1;
			out.pages += r.object->kind == CRIMG_KIND_PAGES;
		}
		if (r.type != CRIMG_RECORD_CONTENT && r.payload.number != CRIMG_NO_PAYLOAD) {
			CU_ASSERT(r.payload.number == payloads);
			last = payloads++;
		}
		if (r.type == CRIMG_RECORD_MESSAGE && r.object->kind == CRIMG_KIND_MM) {
			const void *m = crimg_message_decode(&mm_entry__descriptor, r.data, r.length, &arena,
			                                     "", 0, NULL);
			const MmEntry *mm = m;
			CU_ASSERT_PTR_NOT_NULL_FATAL(mm);
			for (size_t i = 0; i < mm->n_vmas; i++) {
				CU_ASSERT((mm->vmas[i]->status & CRIMG_VMA_VDSO) == 0);
				out.areas += mm->vmas[i]->shmid >= UINT64_C(1) << 32;
			}
		}
		if (r.type == CRIMG_RECORD_CONTENT && r.payload.number == last) {
			CU_ASSERT_FATAL(r.bytes != NULL && r.content_length == CRIMG_PAGE_BYTES);
			memcpy(out.page, r.bytes, CRIMG_PAGE_BYTES);
			out.bytes += r.content_length;
		}
	}
	CU_ASSERT(ledger.count == 0 && ledger.notes.length > 0);
	crimg_reader_close(&reader);
	crimg_ledger_fini(&ledger);
	crimg_arena_fini(&arena);
	return out;
}

// [R-0817]
static void test_stand_in(void)
{
	load("r5-tree");
	struct seen tree = filtered();
	CU_ASSERT(tree.ordered && tree.areas == 4 && tree.maps == 1 && tree.pages == 5);
	CU_ASSERT(tree.bytes == CRIMG_PAGE_BYTES);
	CU_ASSERT(memcmp(tree.page, "\177ELF\2\1\1", 7) == 0);
	CU_ASSERT(crimg_get_u16(tree.page + 56) == 0); // no program headers
	load("r5-ia32");
	struct seen ia32 = filtered();
	CU_ASSERT(ia32.ordered && ia32.areas == 1 && ia32.maps == 1);
	CU_ASSERT(memcmp(ia32.page, "\177ELF\1\1\1", 7) == 0);
	CU_ASSERT(memcmp(ia32.page + 0x420, "\xcd\x80\xc3", 3) == 0); // AT_SYSINFO: 0xffffe420
#ifdef __x86_64__
	void *code = mmap(NULL, CRIMG_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(code != MAP_FAILED);
	memcpy(code, tree.page, CRIMG_PAGE_BYTES);
	for (size_t at = 64; at <= CRIMG_PAGE_BYTES - 8; at++) {
		union {
			void *data;
			long (*call)(long, void *);
		} entry = { .data = (uint8_t *)code + at };
		CU_ASSERT(entry.call(0, NULL) == -38);
	}
	munmap(code, CRIMG_PAGE_BYTES);
#endif
}

static int put_filter(void *context, struct crimg_reader *reader, struct crimg_err *err)
{
	return crimg_filter_vdso(reader, context, err);
}

// What stands in is read through the index as what the stream holds is. [R-0817]
static void test_filtered_index(void)
{
	const char *samples = getenv("CRIMG_SAMPLES");
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_image_filters filters = { .put = put_filter, .context = &ledger };
	struct crimg_image *image = NULL;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_span span;
	uint8_t page[CRIMG_PAGE_BYTES];
	char path[512];
	snprintf(path, sizeof path, "%s/linux-cr/r5-tree.ckpt", samples != NULL ? samples : "samples");
	CU_ASSERT_FATAL(crimg_image_open_filtered(path, NULL, "/tmp", &filters, &image, &err) == 0);
	CU_ASSERT_STRING_EQUAL(image->format, "linux-cr");
	CU_ASSERT(crimg_memory_read(image, CRIMG_KIND_PAGEMAP_SHMEM, CRIMG_VDSO_SEGMENT, 0, page,
	                            sizeof page, &err) == 1);
	CU_ASSERT(memcmp(page, "\177ELF\2\1\1", 7) == 0);
	CU_ASSERT(crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 168, 0x42b000, page, 4096, &err) == 1);
	CU_ASSERT(page[0] == 'A' && page[4095] == 'A');
	struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_PAGES), *last = o;
	for (; o != NULL; o = crimg_image_next(image, o))
		last = o;
	CU_ASSERT_FATAL(last != NULL);
	CU_ASSERT(last->payload.length == CRIMG_PAGE_BYTES);
	CU_ASSERT(crimg_image_locate(image, last->payload.number, 0, &span, &err) == 0);
	CU_ASSERT(crimg_image_read(image, last->payload.number, 1, page, sizeof page, &err) < 0);
	CU_ASSERT_STRING_EQUAL(err.text, "bytes behind the vDSO are wanted");
	crimg_image_close(image);
	crimg_ledger_fini(&ledger);
}

static int down(void)
{
	free(stream);
	stream = NULL;
	return 0;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "calls that are made again", test_plain },
		{ "handlers that run first", test_handlers },
		{ "calls with a restart block", test_blocks },
		{ "the stand-in for the vDSO", test_stand_in },
		{ "an index behind it", test_filtered_index },
	};
	return SUITE_RUN("time travel", NULL, down, tests);
}
