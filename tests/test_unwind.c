// Guessed frames, the limited child, and what is taken of its answers. What libdw finds is compared with
// debuggers by stacks.sh.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/checked.h"
#include "inspect/sandbox_child.h"
#include "inspect/unwind_guess.h"
#include "inspect/unwind_wire.h"
#include "tests/suite.h"

// --- The child.

static const struct crimg_child_limits limits = { .cpu_seconds = 1, .wait_seconds = 2,
	                                          .memory_bytes = 64u << 20 };

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(2);
}

static void child_answers(void *context, int fd)
{
	say(fd, context);
}

static void child_crashes(void *context, int fd)
{
	say(fd, context);
	signal(SIGSEGV, SIG_DFL); // the sanitizer has a handler
	volatile int *volatile nowhere = (volatile int *)64;
	*nowhere = 1;
}

static void child_spins(void *context, int fd)
{
	(void)context;
	say(fd, "begun");
	for (volatile unsigned i = 0;; i = i + 1)
		;
}

static void child_sleeps(void *context, int fd)
{
	int ends[2];
	char byte;
	(void)context;
	(void)fd;
	if (pipe(ends) < 0 || read(ends[0], &byte, 1) < 0) // pipe() may be denied: then it spins
		for (volatile unsigned i = 0;; i = i + 1)
			;
}

static void child_eats(void *context, int fd)
{
	(void)context;
	for (size_t i = 0; i < 256; i++) {
		volatile char *piece = malloc(1 << 20);
		if (piece == NULL) {
			say(fd, "no more memory");
			return;
		}
		for (size_t k = 0; k < 1 << 20; k += 4096)
			piece[k] = 1;
	}
	say(fd, "as much as it wanted");
}

static void child_writes_much(void *context, int fd)
{
	(void)context;
	for (int i = 0; i < 100000; i++)
		say(fd, "0123456789");
}

// What it may not do is said by letters.
static void child_tries(void *context, int fd)
{
	int file = open("/etc/passwd", O_RDONLY), network = socket(AF_INET, SOCK_STREAM, 0);
	(void)context;
	say(fd, file < 0 ? "o" : "O");
	say(fd, network < 0 ? "s" : "S");
	say(fd, kill(getppid(), 0) < 0 ? "k" : "K");
	say(fd, fork() < 0 ? "f" : "F");
}

// The whole answer, with what became of the child.
static char *ask(crimg_child_fn *run, void *context, bool complete, char *why, size_t size)
{
	static char answer[2 << 20];
	struct crimg_child c;
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t length = 0, got;
	CU_ASSERT_EQUAL_FATAL(crimg_child_start(&limits, run, context, &c, &err), 0);
	while ((got = crimg_child_read(&c, answer + length, sizeof answer - 1 - length)) > 0)
		length += got;
	answer[length] = '\0';
	crimg_child_end(&c, complete, why, size);
	return answer;
}

static void test_child(void)
{
	char why[96], text[] = "hello";
	CU_ASSERT_STRING_EQUAL(ask(child_answers, text, true, why, sizeof why), "hello");
	CU_ASSERT_STRING_EQUAL(why, "done");
	CU_ASSERT_STRING_EQUAL(ask(child_answers, text, false, why, sizeof why), "hello");
	CU_ASSERT_STRING_EQUAL(why, "ended too early");
	CU_ASSERT_STRING_EQUAL(ask(child_crashes, text, false, why, sizeof why), "hello");
	CU_ASSERT_STRING_EQUAL(why, "killed by SIGSEGV");
	CU_ASSERT_EQUAL(strlen(ask(child_writes_much, NULL, true, why, sizeof why)), 1000000);
}

static void test_child_time(void)
{
	char why[96] = "";
	// On a busy machine it may not get the CPU for as long as it is given.
	for (int i = 0; i < 5 && strcmp(why, "took too long") != 0; i++)
		CU_ASSERT_STRING_EQUAL(ask(child_spins, NULL, false, why, sizeof why), "begun");
	CU_ASSERT_STRING_EQUAL(why, "took too long");
	ask(child_sleeps, NULL, false, why, sizeof why);
	CU_ASSERT(strcmp(why, "did not answer for 2 s") == 0 || strcmp(why, "took too long") == 0);
}

// A build with the sanitizer has neither filter nor limit of memory.
static void test_child_rights(void)
{
	char why[96];
#ifndef __SANITIZE_ADDRESS__
	CU_ASSERT_STRING_EQUAL(ask(child_eats, NULL, true, why, sizeof why), "no more memory");
	CU_ASSERT_STRING_EQUAL(ask(child_tries, NULL, true, why, sizeof why), "oskf");
#else
	(void)child_eats;
	CU_ASSERT_EQUAL(ask(child_tries, NULL, true, why, sizeof why)[0], 'O');
#endif
}

// --- Its answers.

static int take(const void *data, size_t length, struct crimg_wire *out)
{
	struct crimg_cursor c = crimg_cursor_make(data, length, "child", 0);
	struct crimg_err err = CRIMG_ERR_INIT;
	int rc = crimg_wire_take(&c, out, &err);
	CU_ASSERT_EQUAL(c.at, rc > 0 ? length : 0);
	CU_ASSERT_EQUAL(err.code != CRIMG_OK, rc < 0);
	return rc;
}

static void test_wire(void)
{
	const struct crimg_wire messages[] = {
		{ .type = CRIMG_WIRE_BEGIN, .thread = 7 },
		{ .type = CRIMG_WIRE_FRAME, .frame = { .pc = 1, .sp = UINT64_MAX, .how = CRIMG_FRAME_SCAN,
			                               .signal = true } },
		{ .type = CRIMG_WIRE_END, .end = CRIMG_END_MEMORY, .address = 1ull << 63 },
		{ .type = CRIMG_WIRE_LINE, .number = 3, .line = 40, .text = "a.c", .length = 3 },
		{ .type = CRIMG_WIRE_DONE },
	};
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		const struct crimg_wire *m = &messages[i];
		struct crimg_buf buf = CRIMG_BUF_INIT;
		struct crimg_wire out = { .type = CRIMG_WIRE_DONE };
		CU_ASSERT_EQUAL_FATAL(crimg_wire_put(&buf, m, NULL), 0);
		for (size_t cut = 0; cut < buf.length; cut++)
			CU_ASSERT_EQUAL(take(buf.data, cut, &out), 0);
		CU_ASSERT_EQUAL(take(buf.data, buf.length, &out), 1);
		CU_ASSERT(out.type == m->type && out.thread == m->thread && out.end == m->end
		          && out.address == m->address && out.number == m->number && out.line == m->line);
		CU_ASSERT(out.frame.pc == m->frame.pc && out.frame.sp == m->frame.sp
		          && out.frame.how == m->frame.how && out.frame.signal == m->frame.signal);
		CU_ASSERT(out.length == m->length && memcmp(out.text, "a.c", m->length) == 0);
		crimg_buf_fini(&buf);
	}
}

static void test_wire_hostile(void)
{
	struct crimg_wire out;
	uint8_t frame[4 + 1 + 32] = { 33, 0, 0, 0, CRIMG_WIRE_FRAME };
	CU_ASSERT_EQUAL(take("\0\0\0\0", 4, &out), -1);
	CU_ASSERT_EQUAL(take("\377\377\377\377", 4, &out), -1);
	CU_ASSERT_EQUAL(take("\1\0\0\0\0", 5, &out), -1);        // no type
	CU_ASSERT_EQUAL(take("\1\0\0\0\6", 5, &out), -1);        // no such type
	CU_ASSERT_EQUAL(take("\2\0\0\0\5x", 6, &out), -1);       // more than DONE has
	CU_ASSERT_EQUAL(take("\5\0\0\0\1\1\2\3\4", 9, &out), -1); // less than BEGIN has
	CU_ASSERT_EQUAL(take(frame, sizeof frame, &out), 1);
	frame[4 + 1 + 16] = CRIMG_FRAME_HOW_COUNT;
	CU_ASSERT_EQUAL(take(frame, sizeof frame, &out), -1);
	frame[4 + 1 + 16] = 0;
	frame[4 + 1 + 24] = 4;
	CU_ASSERT_EQUAL(take(frame, sizeof frame, &out), -1);
	frame[4 + 1 + 24] = 0;
	frame[4 + 1 + 17] = 1; // 256
	CU_ASSERT_EQUAL(take(frame, sizeof frame, &out), -1);
	frame[4] = CRIMG_WIRE_END;
	CU_ASSERT_EQUAL(take(frame, sizeof frame, &out), -1);
}

// --- Guesses: a task with code at 0x10000 and a stack at 0x20000, one page each.

enum { CODE = 0x10000, STACK = 0x20000, PAGE = 4096 };

static uint8_t code[PAGE], stack[PAGE];
static bool code_at_hand;

static int bytes_of(void *context, const struct crimg_area *area, uint64_t offset, void *buf,
                    size_t length, struct crimg_err *err)
{
	(void)context;
	(void)err;
	if (area->start == CODE && !code_at_hand)
		return 0;
	memcpy(buf, (area->start == CODE ? code : stack) + offset, length);
	return 1;
}

static struct crimg_image image;
static struct crimg_task task;
static VmaEntry vmas[2];
static struct crimg_area areas[2];
static struct crimg_space space;
static struct crimg_stack_memory memory;

static void put_word(uint64_t at, uint64_t value)
{
	crimg_put_u64(stack + (at - STACK), value);
}

static void begin(bool with_code)
{
	const int protections[] = { CRIMG_PROT_READ | CRIMG_PROT_EXEC, CRIMG_PROT_READ };
	for (int i = 0; i < 2; i++) {
		vma_entry__init(&vmas[i]);
		vmas[i].start = i == 0 ? CODE : STACK;
		vmas[i].end = vmas[i].start + PAGE;
		vmas[i].prot = (uint32_t)protections[i];
		vmas[i].status = CRIMG_VMA_FILE_SHARED;
		vmas[i].flags = CRIMG_MAP_SHARED; // no page of its own, so that no page map is missed
		areas[i] = (struct crimg_area){ .start = vmas[i].start, .end = vmas[i].end, .vma = &vmas[i],
			                        .contents = { CRIMG_NO_PAYLOAD, 0 } };
	}
	space = (struct crimg_space){ .image = &image, .task = &task, .areas = areas, .count = 2,
		                      .file_bytes = bytes_of };
	code_at_hand = with_code;
	memset(code, 0x90, sizeof code);
	memset(stack, 0, sizeof stack);
	CU_ASSERT_EQUAL_FATAL(crimg_stack_memory_init(&memory, &space, NULL), 0);
}

static void end(void)
{
	crimg_stack_memory_fini(&memory);
}

// A call instruction that ends at address.
static uint64_t call_before(uint64_t address, const char *bytes, size_t length)
{
	memcpy(code + (address - CODE) - length, bytes, length);
	return address;
}
#define CALL(address, bytes) call_before(address, bytes, sizeof(bytes) - 1)

static void test_calls(void)
{
	static const struct {
		const char *bytes;
		size_t length;
		bool call;
	} rows[] = {
		{ "\xe8\0\0\0\0", 5, true },          // call to what follows
		{ "\xe8\0\0\0\x7f", 5, false },       // to where no code is
		{ "\xff\xd0", 2, true },              // call *%rax
		{ "\x41\xff\xd7", 3, true },          // call *%r15
		{ "\xff\x10", 2, true },              // call *(%rax)
		{ "\xff\x14\xc3", 3, true },          // call *(%rbx,%rax,8)
		{ "\xff\x14\xc5\0\0\0\0", 7, true },  // call *0(,%rax,8)
		{ "\xff\x15\1\2\3\4", 6, true },      // call *x(%rip)
		{ "\xff\x50\x08", 3, true },          // call *8(%rax)
		{ "\xff\x54\x24\x08", 4, true },      // call *8(%rsp)
		{ "\xff\x90\1\2\3\4", 6, true },      // call *x(%rax)
		{ "\xff\x94\x24\1\2\3\4", 7, true },  // call *x(%rsp)
		{ "\xff\xe0", 2, false },             // jmp *%rax
		{ "\xff\x15\1\2\3", 5, false },       // too short
		{ "\x90\x90", 2, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct crimg_stack_point from = { .pc = CODE, .sp = STACK }, to;
		begin(true);
		put_word(STACK + 16, call_before(CODE + 0x100, rows[i].bytes, rows[i].length));
		struct crimg_guesser g = crimg_guesser_make(&memory, false);
		bool found = crimg_guess_caller(&g, &from, &to);
		if (found != rows[i].call)
			printf("\n  row %zu: %d\n", i, found);
		CU_ASSERT_EQUAL(found, rows[i].call);
		CU_ASSERT(!found || (to.pc == CODE + 0x100 && to.sp == STACK + 24
		                     && to.how == CRIMG_FRAME_SCAN));
		end();
	}
}

// Three functions with frame pointers, and a library's function without one on top.
static void test_frame_pointers(void)
{
	struct crimg_stack_point at = { .pc = CODE + 5, .sp = STACK + 0x10, .bp = STACK + 0x40 }, to;
	begin(true);
	uint64_t first = CALL(CODE + 0x100, "\xff\xd0"), second = CALL(CODE + 0x200, "\xff\xd0");
	uint64_t third = CALL(CODE + 0x300, "\xff\xd0");
	put_word(STACK + 0x20, first);          // back from the library
	put_word(STACK + 0x40, STACK + 0x80);
	put_word(STACK + 0x48, second);
	put_word(STACK + 0x60, first);          // left over from earlier calls
	put_word(STACK + 0x80, 0);
	put_word(STACK + 0x88, third);
	struct crimg_guesser g = crimg_guesser_make(&memory, false);
	CU_ASSERT(crimg_guess_caller(&g, &at, &to));
	CU_ASSERT(to.pc == first && to.how == CRIMG_FRAME_SCAN && to.sp == STACK + 0x28);
	at = to;
	CU_ASSERT(crimg_guess_caller(&g, &at, &to));
	CU_ASSERT(to.pc == second && to.how == CRIMG_FRAME_POINTER && to.sp == STACK + 0x50);
	at = to;
	CU_ASSERT(crimg_guess_caller(&g, &at, &to));
	CU_ASSERT(to.pc == third && to.how == CRIMG_FRAME_POINTER && to.sp == STACK + 0x90);
	at = to;
	CU_ASSERT_FALSE(crimg_guess_caller(&g, &at, &to));
	end();
}

// Without the code words may be anything: few are listed.
static void test_unverified(void)
{
	struct crimg_stack_point at = { .pc = CODE, .sp = STACK + 1 }, to;
	unsigned count = 0;
	begin(false);
	for (uint64_t i = 0; i < PAGE; i += 8)
		put_word(STACK + i, CODE + 8 + i);
	struct crimg_guesser g = crimg_guesser_make(&memory, false);
	for (; crimg_guess_caller(&g, &at, &to); at = to, count++)
		CU_ASSERT(to.sp > at.sp && to.how == CRIMG_FRAME_SCAN);
	CU_ASSERT_EQUAL(count, CRIMG_GUESS_UNVERIFIED);
	end();
}

// Whatever the stack holds, stacks are climbed and never descended; and no place is past reading.
static void test_any_stack(void)
{
	unsigned seed = 1;
	begin(true);
	for (size_t i = 0; i < sizeof code; i += 2)
		memcpy(code + i, "\xff\xd0", 2);
	for (unsigned round = 0; round < 200; round++) {
		for (uint64_t i = 0; i < PAGE; i += 8) {
			seed = seed * 1103515245 + 12345;
			put_word(STACK + i, (seed >> 30 == 0 ? CODE : STACK) + (seed >> 8) % (PAGE + 64));
		}
		end();
		CU_ASSERT_EQUAL_FATAL(crimg_stack_memory_init(&memory, &space, NULL), 0);
		struct crimg_guesser g = crimg_guesser_make(&memory, round % 2 == 1);
		struct crimg_stack_point at = { .pc = CODE, .sp = STACK + seed % PAGE,
			                        .bp = STACK + seed / PAGE % PAGE }, to;
		unsigned count = 0;
		for (; crimg_guess_caller(&g, &at, &to) && count < 2000; at = to, count++)
			CU_ASSERT(to.sp > at.sp);
		CU_ASSERT(count < 2000);
	}
	const uint64_t odd[] = { 0, 1, STACK + PAGE - 1, STACK + PAGE, UINT64_MAX, UINT64_MAX - 7 };
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		struct crimg_guesser g = crimg_guesser_make(&memory, false);
		struct crimg_stack_point at = { .pc = odd[i], .sp = odd[i], .bp = odd[i] }, to;
		if (crimg_guess_caller(&g, &at, &to))
			CU_ASSERT(to.sp > at.sp);
	}
	end();
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "child", test_child }, { "child: time", test_child_time },
		{ "child: rights", test_child_rights }, { "wire", test_wire },
		{ "wire: hostile", test_wire_hostile }, { "calls", test_calls },
		{ "frame pointers", test_frame_pointers }, { "unverified", test_unverified },
		{ "any stack", test_any_stack },
	};
	return SUITE_RUN("unwind", NULL, NULL, tests);
}
